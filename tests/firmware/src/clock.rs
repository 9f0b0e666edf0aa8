//! The device's clock: the SysTick interrupt counts milliseconds.

use core::future::Future;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use everstream::Timer;

/// The cycles per millisecond of a board at 16 MHz.
const MILLISECOND: u32 = 16_000;

static MILLISECONDS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    // Only this interrupt writes, so no compare-and-swap is needed, and a Cortex-M0 has none.
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

/// Returns the time since [`start`].
pub(crate) fn now() -> Duration {
    Duration::from_millis(MILLISECONDS.load(Ordering::Relaxed).into())
}

/// The crate's [`Timer`] on this clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SysTickTimer;

impl Timer for SysTickTimer {
    type Sleep = Sleep;

    fn sleep(&self, duration: Duration) -> Sleep {
        // The current millisecond does not count, so a sleep is never too short.
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

/// Runs the only task. Only an interrupt can wake it, and it is polled after each interrupt, so it
/// needs no waker. The core sleeps between interrupts.
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
