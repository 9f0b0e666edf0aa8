//! Panics of the caller's functions.

use super::*;

/// The callbacks that may panic.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Callback {
    Connect,
    Future,
    MayReconnect,
    Body,
    DropOfBody,
    Chunk,
    NextDelay,
    MinUptime,
    MaxElapsed,
    Sleep,
    SleepPoll,
}

/// A connector, body and policy that panic in one callback, from its nth call on.
#[derive(Clone)]
struct Panics {
    callback: Callback,
    calls_left: Arc<Mutex<usize>>,
}

impl Panics {
    fn call(&self, callback: Callback) {
        if callback == self.callback {
            let mut calls_left = self.calls_left.lock().unwrap();
            if *calls_left == 0 {
                drop(calls_left);
                panic!("{callback:?} panics");
            }
            *calls_left -= 1;
        }
    }
}

struct PanickingChunk(Panics);

impl From<PanickingChunk> for Bytes {
    fn from(chunk: PanickingChunk) -> Bytes {
        chunk.0.call(Callback::Chunk);
        Bytes::from_static(b"id: 1\ndata: x\n\n")
    }
}

struct PanickingBody {
    panics: Panics,
    polls: usize,
}

impl Stream for PanickingBody {
    type Item = Result<PanickingChunk, &'static str>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.panics.call(Callback::Body);
        self.polls += 1;
        match self.polls {
            1 => Poll::Ready(Some(Ok(PanickingChunk(self.panics.clone())))),
            2 => Poll::Pending,
            _ => Poll::Ready(None),
        }
    }
}

impl Drop for PanickingBody {
    fn drop(&mut self) {
        self.panics.call(Callback::DropOfBody);
    }
}

impl Connect for Panics {
    type Head = ();
    type Chunk = PanickingChunk;
    type Body = PanickingBody;
    type Error = &'static str;
    type Fatal = &'static str;
    type Connecting = Pin<
        Box<
            dyn Future<
                Output = Result<
                    Connection<(), PanickingBody>,
                    ConnectError<&'static str, &'static str>,
                >,
            >,
        >,
    >;

    fn connect(&mut self, _: Attempt<&'static str>) -> Self::Connecting {
        self.call(Callback::Connect);
        let panics = self.clone();
        Box::pin(async move {
            panics.call(Callback::Future);
            Ok(Connection { head: (), body: PanickingBody { panics, polls: 0 } })
        })
    }

    fn may_reconnect(&self, _: DisconnectKind) -> bool {
        self.call(Callback::MayReconnect);
        true
    }
}

impl RetryPolicy for Panics {
    fn next_delay(&mut self, _: &RetryContext) -> Option<Duration> {
        self.call(Callback::NextDelay);
        Some(secs(1))
    }

    fn min_uptime(&self) -> Duration {
        self.call(Callback::MinUptime);
        secs(5)
    }

    fn max_elapsed(&self) -> Option<Duration> {
        self.call(Callback::MaxElapsed);
        Some(HOUR)
    }
}

struct PanickingTimer(Panics, ManualTimer);

impl Timer for PanickingTimer {
    type Sleep = Pin<Box<dyn Future<Output = ()>>>;

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.call(Callback::Sleep);
        let (panics, mut sleep) = (self.0.clone(), self.1.sleep(duration));
        Box::pin(std::future::poll_fn(move |cx| {
            panics.call(Callback::SleepPoll);
            Pin::new(&mut sleep).poll(cx)
        }))
    }
}

/// Polls a stream until a callback panics. Returns the stream and whether one did.
fn poll_until_panic(callback: Callback, calls: usize) -> (Reconnect<Panics, PanickingTimer>, bool) {
    let panics = Panics { callback, calls_left: Arc::new(Mutex::new(calls)) };
    let time = ManualTimer::new();
    let mut events = Reconnect::new(panics.clone(), PanickingTimer(panics.clone(), time.clone()))
        .with_retry_policy(panics)
        .with_timeouts(Timeouts::new().with_open(HOUR).with_idle(HOUR).with_event(HOUR));
    for _ in 0..30 {
        let polled = catch_unwind(AssertUnwindSafe(|| events.next().now_or_never()));
        match polled {
            Err(_) => return (events, true),
            Ok(None) => time.advance(ms(100)),
            Ok(Some(_)) => {}
        }
    }
    (events, false)
}

#[test]
fn a_panic_of_any_callback_closes_the_stream() {
    use Callback::*;
    for callback in [
        Connect,
        Future,
        MayReconnect,
        Body,
        DropOfBody,
        Chunk,
        NextDelay,
        MinUptime,
        MaxElapsed,
        Sleep,
        SleepPoll,
    ] {
        for calls in 0..2 {
            let (mut events, panicked) = poll_until_panic(callback, calls);
            assert!(panicked, "{callback:?} was not called {calls} times");
            assert!(events.is_terminated(), "{callback:?}");
            assert_eq!(events.ready_state(), ReadyState::Closed, "{callback:?}");
            assert_eq!(events.handle().ready_state(), ReadyState::Closed, "{callback:?}");
            for _ in 0..3 {
                assert!(matches!(events.next().now_or_never(), Some(None)), "{callback:?}");
            }
        }
    }
}

#[test]
fn a_handle_sees_that_a_panic_closed_the_stream() {
    let panics = Panics { callback: Callback::Body, calls_left: Arc::default() };
    let timer = PanickingTimer(panics.clone(), ManualTimer::new());
    let mut events = Reconnect::new(panics, timer);
    let mut states = events.handle().watch();
    assert!(events.next().now_or_never().is_some());
    assert_eq!(states.next().now_or_never(), Some(Some(ReadyState::Open)));
    assert!(catch_unwind(AssertUnwindSafe(|| events.next().now_or_never())).is_err());
    assert_eq!(states.next().now_or_never(), Some(Some(ReadyState::Closed)));
}

#[test]
fn a_stream_that_a_panic_closed_can_be_revived() {
    let panics = Panics { callback: Callback::Future, calls_left: Arc::default() };
    let timer = PanickingTimer(panics.clone(), ManualTimer::new());
    let mut events = Reconnect::new(panics.clone(), timer);
    assert!(catch_unwind(AssertUnwindSafe(|| events.next().now_or_never())).is_err());
    *panics.calls_left.lock().unwrap() = 1;
    events.force_reconnect();
    assert!(matches!(events.next().now_or_never(), Some(Some(Ok(ReconnectEvent::Open(_))))));
}

#[test]
fn one_body_that_is_forced_or_closed_before_it_is_polled_is_dropped() {
    for close in [true, false] {
        let panics = Panics { callback: Callback::Body, calls_left: Arc::default() };
        let body = PanickingBody { panics, polls: 0 };
        let mut events = Reconnect::once(body, ManualTimer::new());
        if close {
            events.close();
        } else {
            events.force_reconnect();
        }
        assert!(matches!(events.next().now_or_never(), Some(None)));
        assert!(events.is_terminated());
    }
}
