//! tokio's clock.

use alloc::boxed::Box;
use core::pin::Pin;
use core::time::Duration;

use ::tokio::runtime::Handle;
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

/// A sleep of the tokio runtime around this call. Boxed, for it cannot move
/// once it was polled.
pub(super) type Running = Pin<Box<Sleep>>;

/// Makes a sleep if there is a tokio runtime around this call.
pub(super) fn around(duration: Duration) -> Option<Running> {
    Handle::try_current().ok()?;
    Some(Box::pin(TokioTimer.sleep(duration)))
}
