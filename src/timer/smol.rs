//! async-io's clock, which smol and async-std use.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use ::async_io::Timer as IoTimer;

use super::Timer;

/// A [`Timer`] on [`async_io`](::async_io), the clock of smol and async-std.
///
/// It needs no runtime, because async-io has its own thread. Its sleeps end under any executor,
/// such as `futures::executor::block_on` and pollster. A sleep that is too long for the clock lasts
/// for ever.
///
/// ```
/// use core::time::Duration;
/// use everstream::{SmolTimer, Timer};
///
/// smol::block_on(SmolTimer.sleep(Duration::from_millis(1)));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SmolTimer;

impl Timer for SmolTimer {
    type Sleep = SmolSleep;

    fn sleep(&self, duration: Duration) -> SmolSleep {
        SmolSleep { timer: IoTimer::after(duration), is_over: false }
    }
}

/// A sleep of [`SmolTimer`].
///
/// ```
/// use core::time::Duration;
/// use everstream::timer::SmolSleep;
/// use everstream::{SmolTimer, Timer};
///
/// let _sleep: SmolSleep = SmolTimer.sleep(Duration::MAX);
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct SmolSleep {
    timer: IoTimer,
    /// async-io's timers return `Ready` once, and `Pending` afterwards.
    is_over: bool,
}

impl Future for SmolSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_over {
            self.is_over = Pin::new(&mut self.timer).poll(cx).is_ready();
        }
        if self.is_over { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[cfg(feature = "http")]
pub(super) const IS_THERE: bool = true;

/// Creates a sleep. It needs no runtime.
pub(super) fn anywhere(duration: Duration) -> Option<SmolSleep> {
    Some(SmolTimer.sleep(duration))
}
