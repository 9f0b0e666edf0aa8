//! tokio's clock.

use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use ::tokio::runtime::{Handle, Id};
use ::tokio::time::Sleep;

use super::Timer;

/// A [`Timer`] on [`tokio::time`](::tokio::time).
///
/// Sleeps follow the clock of the runtime that they are made in, so they stand
/// still with `tokio::time::pause` and move with `advance`. They have a
/// resolution of a millisecond, and what is too long for tokio's clock lasts
/// about 30 years.
///
/// # Panics
///
/// As tokio's own sleeps do: [`sleep`](Timer::sleep) panics outside of a tokio
/// runtime, and inside of one whose builder was not told to `enable_time` (or
/// `enable_all`); a sleep panics if it is polled after its runtime was shut
/// down. [`DefaultTimer`](super::DefaultTimer) can do without a runtime.
///
/// ```
/// use core::time::Duration;
/// use everstream::{Timer, TokioTimer};
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() {
///     TokioTimer.sleep(Duration::from_millis(1)).await;
/// }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokioTimer;

impl Timer for TokioTimer {
    type Sleep = Sleep;

    fn sleep(&self, duration: Duration) -> Sleep {
        ::tokio::time::sleep(duration)
    }
}

/// A sleep of the tokio runtime that was around when it was made. Boxed, for it
/// cannot move once it was polled.
#[derive(Debug)]
pub(super) struct Running {
    runtime: Id,
    sleep: Pin<Box<Sleep>>,
}

impl Running {
    /// Whether the runtime around this call is the sleep's own. In another one its
    /// own may be gone, and to poll it then is a panic.
    pub(super) fn is_at_home(&self) -> bool {
        Handle::try_current().is_ok_and(|handle| handle.id() == self.runtime)
    }
}

impl Future for Running {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.sleep.as_mut().poll(cx)
    }
}

/// Makes a sleep if there is a tokio runtime around this call.
pub(super) fn around(duration: Duration) -> Option<Running> {
    let runtime = Handle::try_current().ok()?.id();
    Some(Running { runtime, sleep: Box::pin(TokioTimer.sleep(duration)) })
}

/// Whether there is a tokio runtime around this call.
pub(super) fn is_around() -> bool {
    Handle::try_current().is_ok()
}
