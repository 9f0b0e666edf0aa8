//! tokio's clock.

use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use ::tokio::runtime::{Handle, Id};
use ::tokio::time::Sleep;

use super::{Timer, TimerError};
use std::panic;

/// A [`Timer`] on [`tokio::time`](::tokio::time).
///
/// Sleeps follow the clock of the runtime that they are made in, so they stand
/// still with `tokio::time::pause` and move with `advance`. They have a
/// resolution of a millisecond, and what is too long for tokio's clock lasts
/// about 30 years.
///
/// # Panics
///
/// Panics occur where tokio's own sleeps panic: [`sleep`](Timer::sleep) panics outside of a tokio
/// runtime, and inside of one that was built without `enable_time` (or
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

    /// Creates a sleep, or returns an error outside of a tokio runtime and inside of one
    /// that was built without `enable_time`.
    ///
    /// tokio has no other way to ask a runtime for its clock than to make a sleep, which
    /// panics without one. That panic is caught here. It still reaches the panic hook,
    /// which prints it, and aborts a program that was built with `panic = "abort"`.
    fn try_sleep(&self, duration: Duration) -> Result<Sleep, TimerError> {
        if Handle::try_current().is_err() {
            return Err(TimerError::new("no tokio runtime is running here"));
        }
        panic::catch_unwind(|| ::tokio::time::sleep(duration)).map_err(|_| NO_CLOCK)
    }
}

const NO_CLOCK: TimerError =
    TimerError::new("the tokio runtime has no clock: build it with `enable_time` or `enable_all`");

/// A sleep of the tokio runtime that was around when it was made. Boxed, for it
/// cannot move once it was polled.
#[derive(Debug)]
pub(super) struct Running {
    runtime: Id,
    sleep: Pin<Box<Sleep>>,
}

impl Running {
    /// Returns whether the runtime around this call is the sleep's own. In another one its
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

/// Makes a sleep if there is a tokio runtime around this call, which may have no clock.
pub(super) fn around(duration: Duration) -> Option<Result<Running, TimerError>> {
    let runtime = Handle::try_current().ok()?.id();
    let sleep = TokioTimer.try_sleep(duration);
    Some(sleep.map(|sleep| Running { runtime, sleep: Box::pin(sleep) }))
}

/// Returns whether there is a tokio runtime around this call.
pub(super) fn is_around() -> bool {
    Handle::try_current().is_ok()
}
