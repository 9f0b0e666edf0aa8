//! The browser's clock: `setTimeout`, in windows and in workers.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use gloo_timers::future::TimeoutFuture;

use super::{Timer, timeouts};

/// A [`Timer`] on `setTimeout`, in windows and in workers.
///
/// Sleeps have a resolution of a millisecond. In a hidden page browsers lengthen them, up to a
/// minute. They do not advance while the machine is suspended. Dropping a sleep clears its timeout.
///
/// ```
/// # #[cfg(target_family = "wasm")] // as is this timer
/// # async fn run() {
/// use core::time::Duration;
/// use everstream::{Timer, WebTimer};
///
/// WebTimer.sleep(Duration::from_millis(1)).await;
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WebTimer;

impl Timer for WebTimer {
    type Sleep = WebSleep;

    fn sleep(&self, duration: Duration) -> WebSleep {
        let (millis, rest) = timeouts::next(duration);
        WebSleep { timeout: TimeoutFuture::new(millis), rest }
    }
}

/// A sleep of [`WebTimer`].
///
/// ```
/// # #[cfg(target_family = "wasm")] // as is this timer
/// # fn make() {
/// use core::time::Duration;
/// use everstream::timer::WebSleep;
/// use everstream::{Timer, WebTimer};
///
/// let _sleep: WebSleep = WebTimer.sleep(Duration::MAX);
/// # }
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct WebSleep {
    timeout: TimeoutFuture,
    /// The rest of the sleep after that timeout.
    rest: Duration,
}

impl Future for WebSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match Pin::new(&mut self.timeout).poll(cx) {
                Poll::Ready(()) if !self.rest.is_zero() => *self = WebTimer.sleep(self.rest),
                polled => return polled,
            }
        }
    }
}

#[cfg(feature = "http")]
pub(super) const IS_THERE: bool = true;

/// Creates a sleep. It needs no runtime.
pub(super) fn anywhere(duration: Duration) -> Option<WebSleep> {
    Some(WebTimer.sleep(duration))
}
