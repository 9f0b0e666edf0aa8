//! Tests of the timers: virtual time, tokio, async-io, and the default timer.

use core::future::{Future, Ready, ready};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::thread;

use everstream::timer::{DefaultSleep, ManualSleep};
use everstream::{DefaultTimer, ManualTimer, Timer, timer_fn};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A waker that counts its wake-ups.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Counter {
    fn new() -> (Arc<Self>, Waker) {
        let counter = Arc::new(Self::default());
        (Arc::clone(&counter), Waker::from(counter))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll_with(future: &mut (impl Future + Unpin), waker: &Waker) -> bool {
    let mut cx = Context::from_waker(waker);
    Pin::new(future).poll(&mut cx).is_ready()
}

fn poll(future: &mut (impl Future + Unpin)) -> bool {
    poll_with(future, Waker::noop())
}

#[test]
fn manual_time_starts_at_zero_and_only_moves_by_advance() {
    let timer = ManualTimer::new();
    assert_eq!(timer.now(), Duration::ZERO);
    timer.advance(secs(2));
    timer.advance(Duration::ZERO);
    timer.clone().advance(secs(3));
    assert_eq!(timer.now(), secs(5));
}

#[test]
fn a_manual_sleep_ends_exactly_at_its_deadline() {
    let timer = ManualTimer::new();
    let mut sleep = timer.sleep(secs(1));
    assert!(!poll(&mut sleep));
    timer.advance(secs(1) - Duration::from_nanos(1));
    assert!(!poll(&mut sleep));
    timer.advance(Duration::from_nanos(1));
    assert!(poll(&mut sleep));
    // A sleep that is over stays over.
    assert!(poll(&mut sleep));
}

#[test]
fn a_manual_sleep_runs_from_when_it_is_made_not_from_when_it_is_polled() {
    let timer = ManualTimer::new();
    let mut sleep = timer.sleep(secs(1));
    timer.advance(secs(1));
    assert!(poll(&mut sleep));
}

#[test]
fn a_manual_sleep_of_no_time_is_over_at_once() {
    let timer = ManualTimer::new();
    let mut sleep = timer.sleep(Duration::ZERO);
    assert_eq!(timer.pending(), 0);
    assert_eq!(timer.next_deadline(), None);
    assert!(poll(&mut sleep));
}

#[test]
fn advancing_wakes_all_that_is_due_and_nothing_else() {
    let timer = ManualTimer::new();
    let (early, early_waker) = Counter::new();
    let (late, late_waker) = Counter::new();
    let mut sleeps = [timer.sleep(secs(1)), timer.sleep(secs(2)), timer.sleep(secs(2))];
    let mut later = timer.sleep(secs(3));
    for sleep in &mut sleeps {
        assert!(!poll_with(sleep, &early_waker));
    }
    assert!(!poll_with(&mut later, &late_waker));

    timer.advance(secs(2));
    assert_eq!(early.count(), 3);
    assert_eq!(late.count(), 0);
    assert_eq!(timer.pending(), 1);
    assert!(sleeps.iter_mut().all(poll));
    assert!(!poll(&mut later));
}

#[test]
fn sleeps_are_woken_in_the_order_of_their_deadlines() {
    struct Note(u32, Arc<Mutex<Vec<u32>>>);
    impl Wake for Note {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }
    let timer = ManualTimer::new();
    let notes = Arc::new(Mutex::new(Vec::new()));
    let _sleeps = [3, 1, 2, 1].map(|n| {
        let mut sleep = timer.sleep(secs(u64::from(n)));
        let waker = Waker::from(Arc::new(Note(n, Arc::clone(&notes))));
        assert!(!poll_with(&mut sleep, &waker));
        sleep
    });
    timer.advance(secs(3));
    assert_eq!(*notes.lock().unwrap(), [1, 1, 2, 3]);
}

#[test]
fn a_manual_sleep_wakes_only_the_latest_waker() {
    let timer = ManualTimer::new();
    let (first, first_waker) = Counter::new();
    let (second, second_waker) = Counter::new();
    let mut sleep = timer.sleep(secs(1));
    assert!(!poll_with(&mut sleep, &first_waker));
    assert!(!poll_with(&mut sleep, &second_waker));
    assert!(!poll_with(&mut sleep, &second_waker));
    drop(first_waker);
    // The replaced waker was dropped too.
    assert_eq!(Arc::strong_count(&first), 1);

    timer.advance(secs(9));
    timer.advance(secs(9));
    assert_eq!((first.count(), second.count()), (0, 1));
}

#[test]
fn a_dropped_manual_sleep_is_forgotten_with_its_waker() {
    let timer = ManualTimer::new();
    let (counter, waker) = Counter::new();
    let mut sleep = timer.sleep(secs(1));
    let mut other = timer.sleep(secs(1));
    assert!(!poll_with(&mut sleep, &waker));
    assert!(!poll(&mut other));
    drop((sleep, waker));
    assert_eq!(timer.pending(), 1);
    assert_eq!(Arc::strong_count(&counter), 1);
    timer.advance(secs(1));
    assert_eq!(counter.count(), 0);
    assert!(poll(&mut other));
}

#[test]
fn the_clock_stops_at_the_end_of_time() {
    let timer = ManualTimer::new();
    timer.advance(secs(1));
    let mut sleep = timer.sleep(Duration::MAX);
    assert_eq!(timer.next_deadline(), Some(Duration::MAX));
    timer.advance(secs(u64::MAX / 2));
    assert!(!poll(&mut sleep));
    timer.advance(Duration::MAX);
    timer.advance(Duration::MAX);
    assert_eq!(timer.now(), Duration::MAX);
    assert!(poll(&mut sleep));
    // No later deadline exists.
    assert!(poll(&mut timer.sleep(secs(1))));
}

#[test]
fn going_from_deadline_to_deadline_stops_at_each() {
    let timer = ManualTimer::new();
    let _sleeps = [secs(5), secs(2), secs(5), secs(1)].map(|duration| timer.sleep(duration));
    assert_eq!(timer.next_deadline(), Some(secs(1)));
    assert_eq!(timer.advance_to_next(), Some(secs(1)));
    assert_eq!(timer.now(), secs(1));
    assert_eq!(timer.advance_to_next(), Some(secs(2)));
    let _sooner = timer.sleep(secs(1));
    assert_eq!(timer.advance_to_next(), Some(secs(3)));
    assert_eq!(timer.advance_to_next(), Some(secs(5)));
    assert_eq!(timer.pending(), 0);
    assert_eq!(timer.advance_to_next(), None);
    assert_eq!(timer.now(), secs(5));
}

/// A waker that calls the timer when it is woken and when it is dropped.
struct Nosy(ManualTimer);

impl Wake for Nosy {
    fn wake(self: Arc<Self>) {
        let _sleep = self.0.sleep(secs(1));
        self.0.advance(secs(1));
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        drop(self.0.sleep(secs(1)));
    }
}

#[test]
fn wakers_may_come_back_to_the_timer_when_woken_replaced_or_dropped() {
    let timer = ManualTimer::new();
    let nosy = || Waker::from(Arc::new(Nosy(timer.clone())));
    let mut woken = timer.sleep(secs(1));
    assert!(!poll_with(&mut woken, &nosy()));
    let mut dropped = timer.sleep(secs(9));
    assert!(!poll_with(&mut dropped, &nosy()));
    assert!(!poll_with(&mut dropped, &nosy()));

    drop(dropped);
    timer.advance(secs(1));
    assert_eq!(timer.now(), secs(2));
    assert!(poll(&mut woken));
    assert_eq!(timer.pending(), 0);
}

#[test]
fn many_sleeps_at_once_are_cheap() {
    let timer = ManualTimer::new();
    let mut sleeps: Vec<_> = (0..100_000).map(|n| timer.sleep(secs(1 + n % 1000))).collect();
    assert!(!sleeps.iter_mut().any(poll));
    assert_eq!(timer.pending(), 100_000);
    let mut stops = 0;
    while timer.advance_to_next().is_some() {
        stops += 1;
    }
    assert_eq!(stops, 1000);
    assert!(sleeps.iter_mut().all(poll));
}

/// Blocks this thread on a future.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        thread::park();
    }
}

#[test]
fn threads_can_wait_for_a_clock_that_another_thread_moves() {
    const THREADS: u64 = 8;
    const SLEEPS: u64 = 200;
    let timer = ManualTimer::new();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|n| {
                let timer = timer.clone();
                scope.spawn(move || {
                    for i in 0..SLEEPS {
                        let until = timer.now() + secs((n + i) % 7);
                        block_on(timer.sleep(secs((n + i) % 7)));
                        assert!(timer.now() >= until);
                    }
                })
            })
            .collect();
        while !threads.iter().all(thread::ScopedJoinHandle::is_finished) {
            if timer.advance_to_next().is_none() {
                thread::yield_now();
            }
        }
    });
    assert_eq!(timer.pending(), 0);
}

#[test]
fn debug_output_does_not_need_the_wakers() {
    let timer = ManualTimer::new();
    let sleep = timer.sleep(secs(1));
    assert_eq!(format!("{timer:?}"), "ManualTimer { now: 0ns, pending: 1 }");
    assert_eq!(format!("{sleep:?}"), "ManualSleep { deadline: 1s, .. }");
}

#[test]
fn references_and_boxes_of_timers_are_timers() {
    fn check(timer: impl Timer<Sleep = ManualSleep>) {
        drop(timer.sleep(secs(1)));
    }
    let timer = ManualTimer::new();
    check(&timer);
    check(Box::new(timer.clone()));
    check(Rc::new(timer.clone()));
    check(Arc::new(timer.clone()));
    check(Arc::new(timer.clone()) as Arc<dyn Timer<Sleep = ManualSleep> + Send + Sync>);
    let inner = timer.clone();
    check(timer_fn(move |duration| inner.sleep(duration)));
    check(timer_fn(|duration| timer.sleep(duration)));
    check(timer);
}

#[test]
fn references_and_boxes_of_a_timer_restart_a_sleep_as_it_does() {
    /// A timer that moves the deadline of its sleeps.
    struct Movable;

    impl Timer for Movable {
        type Sleep = Ready<()>;

        fn sleep(&self, _: Duration) -> Ready<()> {
            panic!("another sleep")
        }

        fn restart(
            &self,
            _: Pin<&mut Ready<()>>,
            _: Duration,
        ) -> Result<(), everstream::timer::TimerError> {
            Ok(())
        }
    }

    fn check(timer: impl Timer<Sleep = Ready<()>>) {
        timer.restart(Pin::new(&mut ready(())), secs(1)).unwrap();
    }
    check(&Movable);
    check(Box::new(Movable));
    check(Rc::new(Movable));
    check(Arc::new(Movable));
}

#[test]
fn a_timer_can_be_a_constant_closure() {
    static TIMER: everstream::TimerFn<fn(Duration) -> Ready<()>> = timer_fn(|_| ready(()));
    assert!(poll(&mut TIMER.sleep(Duration::MAX)));
}

#[test]
fn timers_and_their_sleeps_are_send_and_sync() {
    fn check<T: Send + Sync + Unpin + 'static>() {}
    check::<ManualTimer>();
    check::<ManualSleep>();
    check::<DefaultTimer>();
    check::<DefaultSleep>();
    #[cfg(feature = "tokio")]
    check::<everstream::TokioTimer>();
}

#[test]
fn the_default_timer_does_not_panic_where_there_is_no_runtime() {
    for duration in [Duration::ZERO, secs(1), Duration::MAX] {
        let mut sleep = DefaultTimer.sleep(duration);
        let _ = poll(&mut sleep);
        let _ = poll(&mut sleep);
        let _ = format!("{sleep:?}");
    }
}

#[cfg(not(feature = "smol"))]
#[test]
fn without_a_runtime_a_default_sleep_never_ends() {
    for duration in [Duration::ZERO, secs(1), Duration::MAX] {
        let mut sleep = DefaultTimer.sleep(duration);
        assert!(!poll(&mut sleep));
        assert!(!poll(&mut sleep));
    }
}

#[cfg(feature = "tokio")]
mod on_tokio {
    use super::*;
    use everstream::TokioTimer;
    use tokio::time::Instant;

    /// Asserts that the timer sleeps on tokio's paused clock, which jumps when the runtime is idle.
    /// A sleep on another clock would not advance it.
    async fn sleeps_on_tokios_clock(timer: impl Timer) {
        let start = Instant::now();
        timer.sleep(secs(3600)).await;
        assert_eq!(start.elapsed().as_secs(), 3600);
    }

    #[tokio::test(start_paused = true)]
    async fn the_tokio_timer_uses_tokios_clock() {
        sleeps_on_tokios_clock(TokioTimer).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_default_timer_uses_tokios_clock_on_tokio() {
        sleeps_on_tokios_clock(DefaultTimer).await;
    }

    #[tokio::test(start_paused = true)]
    async fn not_a_millisecond_early() {
        let mut sleep = DefaultTimer.sleep(Duration::from_millis(50));
        tokio::time::advance(Duration::from_millis(49)).await;
        assert!(!poll(&mut sleep));
        tokio::time::advance(Duration::from_millis(1)).await;
        sleep.await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_default_sleep_made_on_tokio_runs_from_when_it_is_made() {
        let start = Instant::now();
        let sleep = DefaultTimer.sleep(secs(10));
        tokio::time::advance(secs(4)).await;
        sleep.await;
        assert_eq!(start.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleep_for_ever_does_not_panic() {
        let mut sleep = DefaultTimer.sleep(Duration::MAX);
        assert!(!poll(&mut sleep));
        let mut sleep = Box::pin(TokioTimer.sleep(Duration::MAX));
        assert!(!poll(&mut sleep));
        tokio::time::advance(secs(365 * 24 * 3600)).await;
        assert!(!poll(&mut sleep));
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
    }

    const NO_CLOCK: &str =
        "the tokio runtime has no clock: build it with `enable_time` or `enable_all`";

    fn without_a_clock() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap()
    }

    /// H8
    #[test]
    fn the_error_of_a_runtime_without_a_clock_names_the_setting() {
        without_a_clock().block_on(async {
            let error = TokioTimer.try_sleep(secs(1)).unwrap_err();
            assert_eq!(error.to_string(), NO_CLOCK);
            // async-io's clock needs no runtime.
            let sleep = DefaultTimer.try_sleep(Duration::from_millis(1));
            assert_eq!(sleep.is_ok(), cfg!(feature = "smol"));
            if let Ok(sleep) = sleep {
                sleep.await;
            }
        });
        runtime().block_on(async { TokioTimer.try_sleep(secs(1)).unwrap().await });
        runtime().block_on(async { DefaultTimer.try_sleep(secs(1)).unwrap().await });
    }

    #[test]
    fn outside_of_a_runtime_tokios_timer_returns_an_error() {
        let error = TokioTimer.try_sleep(secs(1)).unwrap_err();
        assert_eq!(error.to_string(), "no tokio runtime is running here");
    }

    #[test]
    fn a_boxed_timer_reports_the_same_error() {
        let failed = |timer: &dyn Timer<Sleep = tokio::time::Sleep>| {
            timer.try_sleep(secs(1)).unwrap_err().to_string()
        };
        without_a_clock().block_on(async {
            assert_eq!(failed(&TokioTimer), NO_CLOCK);
            assert_eq!(failed(&Box::new(TokioTimer)), NO_CLOCK);
            assert_eq!(failed(&Rc::new(TokioTimer)), NO_CLOCK);
            assert_eq!(failed(&Arc::new(TokioTimer)), NO_CLOCK);
            assert_eq!(failed(&&TokioTimer), NO_CLOCK);
        });
    }

    /// Only async-io's clock could wake it.
    #[cfg(not(feature = "smol"))]
    #[test]
    fn a_default_sleep_that_meets_a_runtime_without_a_clock_ends() {
        let mut sleep = DefaultTimer.sleep(secs(10));
        assert!(!poll(&mut sleep));
        without_a_clock().block_on(sleep);
    }

    #[test]
    fn a_default_sleep_made_outside_of_a_runtime_ends_inside() {
        let mut sleep = DefaultTimer.sleep(secs(10));
        assert!(!poll(&mut sleep));
        runtime().block_on(async {
            let start = Instant::now();
            sleep.await;
            assert_eq!(start.elapsed().as_secs(), 10);
        });
    }

    #[test]
    fn a_default_sleep_made_inside_of_a_runtime_may_be_polled_outside() {
        let runtime = runtime();
        let guard = runtime.enter();
        let mut sleep = DefaultTimer.sleep(secs(1));
        drop(guard);
        assert!(!poll(&mut sleep));
        runtime.block_on(tokio::time::advance(secs(1)));
        runtime.block_on(&mut sleep);
    }

    /// Restarts a sleep of 10 s after 9 s, and returns the time of its end since then.
    async fn restarted(sleep: &mut DefaultSleep, duration: Duration) -> Duration {
        tokio::time::advance(secs(9)).await;
        let start = Instant::now();
        DefaultTimer.restart(Pin::new(sleep), duration).unwrap();
        sleep.await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_default_sleep_that_is_restarted_takes_its_whole_time() {
        for duration in [secs(10), secs(20), secs(1)] {
            for is_polled in [true, false] {
                let mut sleep = DefaultTimer.sleep(secs(10));
                assert!(!(is_polled && poll(&mut sleep)));
                assert_eq!(restarted(&mut sleep, duration).await, duration);
                assert_eq!(restarted(&mut sleep, duration).await, duration, "after its end");
            }
        }
        let mut sleep = DefaultTimer.sleep(secs(10));
        DefaultTimer.restart(Pin::new(&mut sleep), Duration::MAX).unwrap();
        tokio::time::advance(secs(365 * 24 * 3600)).await;
        assert!(!poll(&mut sleep));
    }

    #[test]
    fn a_default_sleep_that_is_restarted_in_another_runtime_ends_there() {
        let first = runtime();
        let guard = first.enter();
        let mut sleep = DefaultTimer.sleep(secs(10));
        assert!(!poll(&mut sleep));
        drop(guard);
        drop(first);
        assert_eq!(runtime().block_on(restarted(&mut sleep, secs(20))), secs(20));
        let mut sleep = DefaultTimer.sleep(secs(10));
        assert_eq!(runtime().block_on(restarted(&mut sleep, secs(20))), secs(20));
    }

    #[test]
    fn entering_a_runtime_is_enough() {
        let runtime = runtime();
        let guard = runtime.enter();
        let sleep = DefaultTimer.sleep(secs(1));
        drop(guard);
        runtime.block_on(sleep);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_default_sleep_can_move_between_threads() {
        let sleep = DefaultTimer.sleep(Duration::from_millis(5));
        tokio::spawn(sleep).await.unwrap();
    }
}

/// These sleeps are real and short, because async-io's clock cannot be paused.
#[cfg(feature = "smol")]
mod on_smol {
    use super::*;
    use everstream::SmolTimer;
    use std::time::Instant;

    /// Sleeps under executors other than tokio's.
    fn sleeps_for_a_moment(timer: impl Timer) {
        const MOMENT: Duration = Duration::from_millis(10);
        type BlockOn<'a> = fn(Pin<Box<dyn Future<Output = ()> + 'a>>);
        let executors: [BlockOn<'_>; 4] = [
            |sleep| smol::block_on(sleep),
            |sleep| async_std::task::block_on(sleep),
            |sleep| futures_executor::block_on(sleep),
            |sleep| pollster::block_on(sleep),
        ];
        for block_on in executors {
            let start = Instant::now();
            block_on(Box::pin(timer.sleep(MOMENT)));
            assert!(start.elapsed() >= MOMENT, "never less than asked for");
        }
    }

    #[test]
    fn the_smol_timer_needs_no_runtime() {
        sleeps_for_a_moment(SmolTimer);
    }

    #[test]
    fn the_default_timer_uses_async_ios_clock_outside_of_tokio() {
        sleeps_for_a_moment(DefaultTimer);
        let sleep = DefaultTimer.sleep(secs(1));
        assert!(format!("{sleep:?}").contains("SmolSleep"), "{sleep:?}");
    }

    #[test]
    fn a_sleep_for_ever_does_not_panic() {
        for duration in [
            Duration::MAX,
            secs(u64::MAX),
            secs(u64::MAX / 2),
            secs(u64::MAX / 4),
            secs(u64::from(u32::MAX) * 1000),
            secs(u64::from(u32::MAX)),
            secs(1 << 40),
        ] {
            let mut for_ever = SmolTimer.sleep(duration);
            assert!(!poll(&mut for_ever));
            // async-io has to handle the first while it waits for the second.
            smol::block_on(SmolTimer.sleep(Duration::from_millis(2)));
            assert!(!poll(&mut for_ever), "{duration:?}");
        }
    }

    #[test]
    fn a_sleep_of_no_time_is_over_at_once_and_stays_over() {
        let mut sleep = SmolTimer.sleep(Duration::ZERO);
        assert!(poll(&mut sleep));
        assert!(poll(&mut sleep));
    }

    #[test]
    fn a_sleep_wakes_the_latest_waker() {
        let (first, first_waker) = Counter::new();
        // Even a busy machine polls it again before its end.
        let mut sleep = SmolTimer.sleep(secs(1));
        assert!(!poll_with(&mut sleep, &first_waker));
        smol::block_on(sleep);
        assert_eq!(first.count(), 0);
    }

    /// A feature that another crate enables must not disable a tokio app's paused clock.
    #[cfg(feature = "tokio")]
    #[tokio::test(start_paused = true)]
    async fn on_tokio_the_default_timer_stays_with_tokios_clock() {
        let start = tokio::time::Instant::now();
        let real = Instant::now();
        DefaultTimer.sleep(secs(3600)).await;
        assert_eq!(start.elapsed().as_secs(), 3600);
        assert!(real.elapsed() < secs(3600));
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn a_sleep_that_moves_into_tokio_or_out_restarts() {
        let mut sleep = DefaultTimer.sleep(secs(3600));
        assert!(!poll(&mut sleep));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            assert!(!poll(&mut sleep));
            tokio::time::advance(secs(3600)).await;
            assert!(poll(&mut sleep));
        });
        let mut sleep = DefaultTimer.sleep(Duration::from_millis(1));
        runtime.block_on(async { assert!(!poll(&mut sleep)) });
        smol::block_on(sleep);
    }

    /// The feature `tokio` is off, so tokio's clock is not used.
    #[cfg(not(feature = "tokio"))]
    #[test]
    fn without_the_feature_tokio_the_default_timer_uses_async_ios_clock_on_tokio_too() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(DefaultTimer.sleep(Duration::from_millis(1)));
    }
}
