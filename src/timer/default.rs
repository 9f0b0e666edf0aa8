//! The timer that detects the current runtime.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use super::{Timer, TimerError, smol, tokio, web};

/// A [`Timer`] on the clock of the current runtime.
///
/// It selects the clock for each sleep, by the runtime that calls it. A feature that another crate
/// enables thus changes nothing inside another runtime. The clock is:
///
/// - inside a tokio runtime, tokio's clock (feature `tokio`, native targets);
/// - otherwise async-io's, which needs no runtime (feature `smol`, native targets);
/// - in the browser, `setTimeout` (feature `wasm`).
///
/// A sleep that is created without a clock looks for one at each poll, and its time starts when it
/// finds one. A sleep restarts if it is polled in another runtime than its own, which may have shut
/// down. A sleep on async-io's clock restarts if it is polled inside a tokio runtime.
///
/// **Without a clock, a sleep never ends,** because nothing would wake it. An `EventSource` reports
/// an error instead. Use another timer in code without a runtime: [`timer_fn`](super::timer_fn)
/// creates one from any sleep function.
///
/// Inside a tokio runtime that was built without `enable_time` (or `enable_all`),
/// [`try_sleep`](Timer::try_sleep) returns an error, unless async-io's clock is available. A sleep
/// that is first polled inside such a runtime ends at once, because nothing would wake it.
///
/// # Panics
///
/// [`sleep`](Timer::sleep) panics if `try_sleep` would return an error.
///
/// ```
/// use core::time::Duration;
/// use everstream::{DefaultTimer, Timer};
///
/// // A sleep can be created without a runtime.
/// let sleep = DefaultTimer.sleep(Duration::from_millis(1));
///
/// # #[cfg(feature = "tokio")]
/// // It is awaited in one.
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

    fn restart(
        &self,
        mut sleep: Pin<&mut DefaultSleep>,
        duration: Duration,
    ) -> Result<(), TimerError> {
        if let State::Tokio(running) = &mut sleep.state {
            if running.restart(duration) {
                sleep.duration = duration;
                return Ok(());
            }
        }
        sleep.set(self.try_sleep(duration)?);
        Ok(())
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

/// The sleep of one of the runtimes.
#[derive(Debug)]
enum State {
    /// No runtime was found yet.
    Nowhere,
    Tokio(tokio::Running),
    /// The flag is true if it was created inside a tokio runtime without a clock.
    Smol(smol::SmolSleep, bool),
    Web(web::WebSleep),
}

impl State {
    /// Creates a sleep of the preferred runtime. Runtimes that must be entered come first.
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
            // A sleep that is created outside of a tokio runtime and polled inside must use tokio's
            // clock, whether or not the feature `smol` is on.
            Self::Smol(_, inside) => tokio::is_around() == *inside,
            Self::Web(_) => true,
        }
    }
}

#[cfg(feature = "http")]
impl DefaultTimer {
    /// Returns whether a sleep that is polled now would end.
    pub(crate) fn has_runtime() -> bool {
        smol::IS_THERE || web::IS_THERE || tokio::is_around()
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
