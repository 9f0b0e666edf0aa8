//! The timer that looks for a runtime by itself.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use super::{Timer, TimerError, smol, tokio, web};

/// A [`Timer`] on the clock of whichever runtime is there.
///
/// The choice is made for each sleep anew, by what is around the call that makes
/// it, so a feature that some other crate turns on changes nothing where another
/// runtime is at hand:
///
/// - in a tokio context, tokio's clock (feature `tokio`, native targets);
/// - else async-io's, which is everywhere (feature `smol`, native targets);
/// - in the browser, always `setTimeout` (feature `wasm`).
///
/// A sleep can be made where there is none of them. It then looks for one each time it
/// is polled, and its time starts to run when it finds one. In another runtime
/// than its own, which may be gone, it starts anew; so does one of async-io's
/// clock that is polled in a tokio context.
///
/// **Without any, it never ends:** nothing would wake it. An
/// `EventSource` reports an error before it comes to that. Whoever uses this
/// timer for something else, in a place without a runtime, should use another:
/// [`timer_fn`](super::timer_fn) makes one of any sleep function.
///
/// Inside of a tokio runtime that was built without `enable_time` (or `enable_all`),
/// [`try_sleep`](Timer::try_sleep) returns an error, as
/// [`TokioTimer::try_sleep`](Timer::try_sleep) does, unless async-io's clock is there.
/// A sleep that meets such a runtime later ends at once: nothing would wake it.
///
/// # Panics
///
/// [`sleep`](Timer::sleep) panics where `try_sleep` returns an error.
///
/// ```
/// use core::time::Duration;
/// use everstream::{DefaultTimer, Timer};
///
/// // No runtime is needed to make a sleep, ..
/// let sleep = DefaultTimer.sleep(Duration::from_millis(1));
///
/// # #[cfg(feature = "tokio")]
/// // .. only to await it.
/// tokio::runtime::Builder::new_current_thread()
///     .enable_time()
///     .build()
///     .unwrap()
///     .block_on(sleep);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DefaultTimer;

impl Timer for DefaultTimer {
    type Sleep = DefaultSleep;

    fn sleep(&self, duration: Duration) -> DefaultSleep {
        self.try_sleep(duration).unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_sleep(&self, duration: Duration) -> Result<DefaultSleep, TimerError> {
        Ok(DefaultSleep { duration, state: State::look_around(duration)? })
    }
}

/// A sleep of [`DefaultTimer`].
///
/// ```
/// use core::time::Duration;
/// use everstream::timer::DefaultSleep;
/// use everstream::{DefaultTimer, Timer};
///
/// let _sleep: DefaultSleep = DefaultTimer.sleep(Duration::MAX);
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct DefaultSleep {
    duration: Duration,
    state: State,
}

/// One variant per runtime.
#[derive(Debug)]
enum State {
    /// No runtime so far.
    Nowhere,
    Tokio(tokio::Running),
    /// The flag is set if it was made inside of a tokio runtime, which has no clock then.
    Smol(smol::SmolSleep, bool),
    Web(web::WebSleep),
}

impl State {
    /// Asks the runtimes in order of preference: first those that can tell
    /// whether they are there, then those that are everywhere.
    fn look_around(duration: Duration) -> Result<Self, TimerError> {
        let failed = match tokio::around(duration) {
            Some(Ok(running)) => return Ok(Self::Tokio(running)),
            Some(Err(error)) => Some(error),
            None => None,
        };
        if let Some(sleep) = smol::anywhere(duration) {
            Ok(Self::Smol(sleep, failed.is_some()))
        } else if let Some(sleep) = web::anywhere(duration) {
            Ok(Self::Web(sleep))
        } else {
            failed.map_or(Ok(Self::Nowhere), Err)
        }
    }

    fn is_at_home(&self) -> bool {
        match self {
            Self::Nowhere => false,
            Self::Tokio(running) => running.is_at_home(),
            // A sleep that is made before its tokio runtime and ends inside of it would
            // otherwise be on another clock just because a feature is on.
            Self::Smol(_, inside) => tokio::is_around() == *inside,
            Self::Web(_) => true,
        }
    }
}

#[cfg(feature = "http")]
impl DefaultTimer {
    /// Returns whether a sleep that is polled here would ever end.
    pub(crate) fn has_runtime() -> bool {
        !matches!(State::look_around(Duration::ZERO), Ok(State::Nowhere))
    }
}

impl Future for DefaultSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.state.is_at_home() {
            match State::look_around(self.duration) {
                Ok(state) => self.state = state,
                Err(_) => return Poll::Ready(()),
            }
        }
        match &mut self.state {
            State::Nowhere => Poll::Pending,
            State::Tokio(running) => Pin::new(running).poll(cx),
            State::Smol(sleep, _) => Pin::new(sleep).poll(cx),
            State::Web(sleep) => Pin::new(sleep).poll(cx),
        }
    }
}
