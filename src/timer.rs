//! Timers: the clocks of the runtimes.
//!
//! This crate measures all time by a [`Timer`]: the delay before a reconnection, the timeouts, the
//! uptime of a connection. A runtime needs no other trait.
//!
//! The [`reconnect`](crate::reconnect) layer takes any timer. `EventSource` uses the
//! [`DefaultTimer`] unless its builder sets another. [`ManualTimer`] is for tests: its clock moves
//! when the test advances it.
//!
//! Invariants:
//!
//! - A timer only creates sleeps. It has no `now()`: polling a sleep shows whether its time has
//!   passed.
//! - A sleep never ends before its duration, but may end later. Dropping it cancels it.
//! - No [`Duration`] causes a panic, [`Duration::MAX`] included.
//! - Features and targets decide which timers exist, and only this file names them.
//!   [`DefaultTimer`] always exists. It selects a clock when a sleep is created, not when the crate
//!   is built.

#[cfg(target_has_atomic = "ptr")]
use alloc::sync::Arc;
use alloc::{boxed::Box, rc::Rc};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::time::Duration;

mod default;
pub use default::{DefaultSleep, DefaultTimer};

#[cfg(target_has_atomic = "ptr")]
mod manual;
#[cfg(target_has_atomic = "ptr")]
pub use manual::{ManualSleep, ManualTimer};

// Each runtime has a module. A runtime that is not compiled is replaced by `absent`, so
// `DefaultTimer` asks all of them without a cfg.

#[allow(dead_code, unused_imports, reason = "every runtime may be there")]
mod absent;

#[cfg(all(feature = "tokio", not(target_family = "wasm")))]
mod tokio;
#[cfg(not(all(feature = "tokio", not(target_family = "wasm"))))]
use absent as tokio;
#[cfg(all(feature = "tokio", not(target_family = "wasm")))]
pub use tokio::TokioTimer;

#[cfg(all(feature = "smol", not(target_family = "wasm")))]
mod smol;
#[cfg(not(all(feature = "smol", not(target_family = "wasm"))))]
use absent as smol;
#[cfg(all(feature = "smol", not(target_family = "wasm")))]
pub use smol::{SmolSleep, SmolTimer};

#[cfg(all(feature = "wasm", target_arch = "wasm32", target_os = "unknown"))]
mod web;
#[cfg(not(all(feature = "wasm", target_arch = "wasm32", target_os = "unknown")))]
use absent as web;
#[cfg(all(feature = "wasm", target_arch = "wasm32", target_os = "unknown"))]
pub use web::{WebSleep, WebTimer};
#[cfg(any(test, all(feature = "wasm", target_arch = "wasm32", target_os = "unknown")))]
mod timeouts;

/// A source of sleeps.
///
/// Implement it for a runtime that this crate does not support, or pass a closure to [`timer_fn`].
/// It has no `Send` bound, because some runtimes' sleeps are not `Send`. A stream over a timer is
/// `Send` if the timer and its sleeps are.
///
/// ```
/// use core::future::{Ready, ready};
/// use core::time::Duration;
/// use everstream::Timer;
///
/// /// For tests that are in a hurry.
/// struct Impatient;
///
/// impl Timer for Impatient {
///     type Sleep = Ready<()>;
///
///     fn sleep(&self, _duration: Duration) -> Self::Sleep {
///         ready(())
///     }
/// }
/// # let _ = Impatient.sleep(Duration::from_secs(1));
/// ```
pub trait Timer {
    /// A future that is ready once its time has passed.
    type Sleep: Future<Output = ()>;

    /// Creates a sleep that ends `duration` from now.
    ///
    /// It is called inside the `poll` of the future or stream that waits, so in the context of its
    /// runtime. It must not panic for any duration. A sleep that is too long for the runtime may
    /// last for ever.
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::{ManualTimer, Timer};
    ///
    /// let timer = ManualTimer::new();
    /// let sleep = timer.sleep(Duration::from_secs(1));
    /// assert_eq!(timer.pending(), 1);
    /// drop(sleep);
    /// assert_eq!(timer.pending(), 0);
    /// ```
    fn sleep(&self, duration: Duration) -> Self::Sleep;

    /// Creates a sleep, or returns an error if the current runtime cannot measure time. The
    /// reconnecting stream calls this and ends with the error.
    ///
    /// By default it calls [`sleep`](Self::sleep).
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::{ManualTimer, Timer};
    ///
    /// assert!(ManualTimer::new().try_sleep(Duration::from_secs(1)).is_ok());
    /// # #[cfg(feature = "tokio")]
    /// let error = everstream::TokioTimer.try_sleep(Duration::from_secs(1)).unwrap_err();
    /// # #[cfg(feature = "tokio")]
    /// assert_eq!(error.to_string(), "no tokio runtime is running here");
    /// ```
    fn try_sleep(&self, duration: Duration) -> Result<Self::Sleep, TimerError> {
        Ok(self.sleep(duration))
    }

    /// Restarts a sleep of this timer, so that it ends `duration` from now. By default another sleep
    /// replaces it.
    #[doc(hidden)]
    fn restart(
        &self,
        mut sleep: Pin<&mut Self::Sleep>,
        duration: Duration,
    ) -> Result<(), TimerError> {
        sleep.set(self.try_sleep(duration)?);
        Ok(())
    }
}

/// The error of a timer whose runtime cannot measure time.
///
/// ```
/// let error = everstream::timer::TimerError::new("the clock is not running");
/// assert_eq!(error.to_string(), "the clock is not running");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimerError {
    text: &'static str,
}

impl TimerError {
    /// Creates an error that prints this text. See [`TimerError`] for an example.
    pub const fn new(text: &'static str) -> Self {
        TimerError { text }
    }
}

impl fmt::Display for TimerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl core::error::Error for TimerError {}

macro_rules! forward_to_pointee {
    ($($pointer:ty),*) => {$(
        impl<T: Timer + ?Sized> Timer for $pointer {
            type Sleep = T::Sleep;

            fn sleep(&self, duration: Duration) -> Self::Sleep {
                (**self).sleep(duration)
            }

            fn try_sleep(&self, duration: Duration) -> Result<Self::Sleep, TimerError> {
                (**self).try_sleep(duration)
            }

            fn restart(
                &self,
                sleep: Pin<&mut Self::Sleep>,
                duration: Duration,
            ) -> Result<(), TimerError> {
                (**self).restart(sleep, duration)
            }
        }
    )*};
}
forward_to_pointee!(&T, Box<T>, Rc<T>);
#[cfg(target_has_atomic = "ptr")]
forward_to_pointee!(Arc<T>);

/// Creates a [`Timer`] from a closure, which is its [`sleep`](Timer::sleep).
///
/// ```
/// use core::time::Duration;
/// use everstream::{Timer, timer_fn};
///
/// // Some other runtime's sleep.
/// async fn sleep(duration: Duration) {
///     # let _ = duration;
///     // ..
/// }
///
/// let timer = timer_fn(sleep);
/// let _sleep = timer.sleep(Duration::from_secs(1));
/// ```
pub const fn timer_fn<F, S>(sleep: F) -> TimerFn<F>
where
    F: Fn(Duration) -> S,
    S: Future<Output = ()>,
{
    TimerFn { sleep }
}

/// A timer over a closure, created by [`timer_fn`].
///
/// ```
/// use core::future::{Ready, ready};
/// use core::time::Duration;
/// use everstream::{Timer, TimerFn, timer_fn};
///
/// fn at_once(_: Duration) -> Ready<()> {
///     ready(())
/// }
/// let timer: TimerFn<fn(Duration) -> Ready<()>> = timer_fn(at_once);
/// let _sleep = timer.sleep(Duration::from_secs(1));
/// ```
#[derive(Clone, Copy)]
pub struct TimerFn<F> {
    sleep: F,
}

impl<F, S> Timer for TimerFn<F>
where
    F: Fn(Duration) -> S,
    S: Future<Output = ()>,
{
    type Sleep = S;

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        (self.sleep)(duration)
    }
}

impl<F> fmt::Debug for TimerFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerFn").finish_non_exhaustive()
    }
}
