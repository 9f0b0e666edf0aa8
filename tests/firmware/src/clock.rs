//! The device's time: the SysTick interrupt counts milliseconds, and that is all that there is.

use core::future::Future;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use everstream::Timer;

/// Cycles in a millisecond of a board at 16 MHz.
const MILLISECOND: u32 = 16_000;

static MILLISECONDS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    // Nobody else writes, so no compare-and-swap is needed, and a Cortex-M0 has none.
    let now = MILLISECONDS.load(Ordering::Relaxed);
    MILLISECONDS.store(now.saturating_add(1), Ordering::Relaxed);
}

pub(crate) fn start(mut systick: SYST) {
    systick.set_clock_source(SystClkSource::Core);
    systick.set_reload(MILLISECOND - 1);
    systick.clear_current();
    systick.enable_counter();
    systick.enable_interrupt();
}

/// Time since [`start`].
pub(crate) fn now() -> Duration {
    Duration::from_millis(MILLISECONDS.load(Ordering::Relaxed).into())
}

/// The crate's [`Timer`] on this clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SysTickTimer;

impl Timer for SysTickTimer {
    type Sleep = Sleep;

    fn sleep(&self, duration: Duration) -> Sleep {
        // The millisecond that has begun does not count: never less than asked for.
        let duration = duration.saturating_add(Duration::from_millis(1));
        Sleep { until: now().saturating_add(duration) }
    }
}

#[derive(Debug)]
pub(crate) struct Sleep {
    until: Duration,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if now() < self.until { Poll::Pending } else { Poll::Ready(()) }
    }
}

/// Runs the only task there is. Whatever may wake it is an interrupt, and after each it is polled
/// again, so it needs no waker. In between the core sleeps.
pub(crate) fn block_on<F: Future>(task: F) -> F::Output {
    let mut task = pin!(task);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = task.as_mut().poll(&mut context) {
            return output;
        }
        cortex_m::asm::wfi();
    }
}
