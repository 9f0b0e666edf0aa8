//! tokio's clock.

use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use ::tokio::runtime::{Handle, Id};
use ::tokio::time::{Instant, Sleep};

use super::{Timer, TimerError};
use std::panic;

/// A [`Timer`] on [`tokio::time`](::tokio::time).
///
/// Sleeps follow the clock of their runtime, so `tokio::time::pause` and `advance` work. Their
/// resolution is a millisecond. A sleep that is too long for tokio's clock lasts about 30 years.
///
/// # Panics
///
/// [`sleep`](Timer::sleep) panics outside of a tokio runtime, and inside a runtime that was built
/// without `enable_time` (or `enable_all`). A sleep panics if it is polled after its runtime was
/// shut down. [`DefaultTimer`](super::DefaultTimer) does not need a runtime.
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

    /// Creates a sleep, or returns an error outside of a tokio runtime and inside a runtime that
    /// was built without `enable_time`.
    ///
    /// tokio can only be asked for its clock by creating a sleep, which panics without one. The
    /// panic is caught here. It still reaches the panic hook, which prints it. It aborts a program
    /// that was built with `panic = "abort"`.
    fn try_sleep(&self, duration: Duration) -> Result<Sleep, TimerError> {
        if Handle::try_current().is_err() {
            return Err(TimerError::new("no tokio runtime is running here"));
        }
        panic::catch_unwind(|| ::tokio::time::sleep(duration)).map_err(|_| NO_CLOCK)
    }
}

const NO_CLOCK: TimerError =
    TimerError::new("the tokio runtime has no clock: build it with `enable_time` or `enable_all`");

/// A sleep of a tokio runtime, boxed so that it can move.
#[derive(Debug)]
pub(super) struct Running {
    runtime: Id,
    sleep: Pin<Box<Sleep>>,
}

impl Running {
    /// Returns whether the current runtime is the sleep's own. If that has shut down, polling the
    /// sleep panics.
    pub(super) fn is_at_home(&self) -> bool {
        Handle::try_current().is_ok_and(|handle| handle.id() == self.runtime)
    }

    /// Restarts the sleep if its runtime is the current one. Returns whether it was. tokio then only
    /// moves the deadline. Another sleep would need an allocation and the lock of tokio's clock.
    pub(super) fn restart(&mut self, duration: Duration) -> bool {
        let deadline = Instant::now().checked_add(duration).filter(|_| self.is_at_home());
        deadline.map(|deadline| self.sleep.as_mut().reset(deadline)).is_some()
    }
}

impl Future for Running {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.sleep.as_mut().poll(cx)
    }
}

/// Creates a sleep, or returns `None` outside of a tokio runtime. The error is that of a runtime
/// without a clock.
pub(super) fn around(duration: Duration) -> Option<Result<Running, TimerError>> {
    let runtime = Handle::try_current().ok()?.id();
    let sleep = TokioTimer.try_sleep(duration);
    Some(sleep.map(|sleep| Running { runtime, sleep: Box::pin(sleep) }))
}

/// Returns whether this is called inside a tokio runtime.
pub(super) fn is_around() -> bool {
    Handle::try_current().is_ok()
}
