//! The timer that looks for a runtime by itself.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use super::{Timer, smol, tokio, web};

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
/// **Without any, it never ends:** nobody is there to wake it. An
/// `EventSource` reports an error before it comes to that. Whoever uses this
/// timer for something else, in a place without a runtime, should use another:
/// [`timer_fn`](super::timer_fn) makes one of any sleep function.
///
/// # Panics
///
/// Inside of a tokio runtime whose builder was not told to `enable_time` (or
/// `enable_all`), as
/// [`tokio::time::sleep`](https://docs.rs/tokio/latest/tokio/time/fn.sleep.html)
/// does.
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
        DefaultSleep { duration, state: State::look_around(duration) }
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
    Smol(smol::SmolSleep),
    Web(web::WebSleep),
}

impl State {
    /// Asks the runtimes in order of preference: first those that can tell
    /// whether they are there, then those that are everywhere.
    fn look_around(duration: Duration) -> Self {
        if let Some(running) = tokio::around(duration) {
            Self::Tokio(running)
        } else if let Some(sleep) = smol::anywhere(duration) {
            Self::Smol(sleep)
        } else if let Some(sleep) = web::anywhere(duration) {
            Self::Web(sleep)
        } else {
            Self::Nowhere
        }
    }

    fn is_at_home(&self) -> bool {
        match self {
            Self::Nowhere => false,
            Self::Tokio(running) => running.is_at_home(),
            // Else a sleep that is made outside of tokio, before the runtime say, and
            // ends inside would be on another clock just because a feature is on.
            Self::Smol(_) => !tokio::is_around(),
            Self::Web(_) => true,
        }
    }
}

impl Future for DefaultSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.state.is_at_home() {
            self.state = State::look_around(self.duration);
        }
        match &mut self.state {
            State::Nowhere => Poll::Pending,
            State::Tokio(running) => Pin::new(running).poll(cx),
            State::Smol(sleep) => Pin::new(sleep).poll(cx),
            State::Web(sleep) => Pin::new(sleep).poll(cx),
        }
    }
}
