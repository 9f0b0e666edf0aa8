//! The default retry policy.

use core::fmt;
use core::time::Duration;

use super::{Jitter, MIN_UPTIME, RetryContext, RetryPolicy};

/// A policy of exponential delays with limits and random jitter.
///
/// The delay before reconnection *n* since the last [healthy](super::RetryContext) connection is
/// computed in four steps:
///
/// 1. The *base* is the server's `retry:`, at most the [maximum server
///    delay](Self::with_max_server_delay). If the server sent none, it is the [initial
///    delay](Self::with_initial_delay). It is at least the [minimum delay](Self::with_min_delay).
/// 2. It is multiplied by the [factor](Self::with_factor) *n* - 1 times, up to
///    the [maximum delay](Self::with_max_delay).
/// 3. A `Retry-After` of the response that refused the connection, at most the maximum server
///    delay, is a minimum for the delay.
/// 4. [Jitter](Self::with_jitter) makes it longer, never shorter.
///
/// After a connection that delivered events without [progress](super::RetryContext), step 2 stops
/// at the initial delay. A server without event IDs that closes each connection after an event is
/// thus polled every 3 s to 6 s. A server that sends `retry: 10` and closes after a
/// greeting does not get ten requests a second.
///
/// A request is never sent earlier than the server asked for, up to the maximum server delay. A
/// server that sends `retry: 0` and closes each connection at once gets at most ten requests a
/// second.
///
/// | setting | default |
/// |---|---|
/// | initial delay | 3 s |
/// | maximum delay | 60 s |
/// | minimum delay | 100 ms |
/// | maximum server delay | the maximum delay |
/// | factor | 2 |
/// | jitter | upward, 100 % |
/// | max retries | no limit |
/// | max elapsed | no limit |
/// | minimum uptime | 5 s |
///
/// No combination of settings is an error. If two contradict each other, the longer delay wins: the
/// minimum over the others, and the base over the maximum. A base over the maximum does not grow.
/// The order of the setters does not matter.
///
/// Setters of values such as this one have the prefix `with_`; setters of builders have none. An
/// optional setting takes a value or `None`.
///
/// ```
/// use core::time::Duration;
/// use everstream::{Backoff, Jitter, RetryContext, DisconnectKind, RetryPolicy};
///
/// const POLICY: Backoff = Backoff::new()
///     .with_initial_delay(Duration::from_secs(1))
///     .with_max_delay(Duration::from_secs(5))
///     .with_jitter(Jitter::none());
///
/// let mut policy = POLICY;
/// let mut secs = |attempt| {
///     let delay = policy.next_delay(&RetryContext::new(attempt, DisconnectKind::Refused));
///     delay.map(|delay| delay.as_secs())
/// };
/// assert_eq!([secs(1), secs(2), secs(3), secs(4)], [Some(1), Some(2), Some(4), Some(5)]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    pub(super) initial_delay: Duration,
    pub(super) max_delay: Duration,
    pub(super) min_delay: Duration,
    pub(super) max_server_delay: Option<Duration>,
    pub(super) factor: u32,
    pub(super) jitter: Jitter,
    pub(super) max_retries: Option<u32>,
    pub(super) max_elapsed: Option<Duration>,
    pub(super) min_uptime: Duration,
}

impl Backoff {
    /// Creates a policy with the defaults. With the feature `std`, and in the browser with `wasm`,
    /// it seeds itself at its first use. On other platforms use [`seeded`](Self::seeded).
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::{Backoff, RetryContext, DisconnectKind, RetryPolicy};
    ///
    /// let delay = Backoff::new().next_delay(&RetryContext::new(1, DisconnectKind::Broken)).unwrap();
    /// assert!((3..=6).contains(&delay.as_secs()));
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            initial_delay: Duration::from_secs(3),
            max_delay: Duration::from_secs(60),
            min_delay: Duration::from_millis(100),
            max_server_delay: None,
            factor: 2,
            jitter: Jitter::upward(100),
            max_retries: None,
            max_elapsed: None,
            min_uptime: MIN_UPTIME,
        }
    }

    /// Sets the delay before the first reconnection. A `retry:` of the server replaces it. Default:
    /// 3 s.
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::{Backoff, Jitter, RetryContext, DisconnectKind, RetryPolicy};
    ///
    /// let base = Duration::from_millis(500);
    /// let mut policy = Backoff::new().with_initial_delay(base).with_jitter(Jitter::none());
    /// assert_eq!(policy.next_delay(&RetryContext::new(1, DisconnectKind::Ended)), Some(base));
    /// ```
    #[must_use]
    pub const fn with_initial_delay(mut self, initial_delay: Duration) -> Self {
        self.initial_delay = initial_delay;
        self
    }

    /// Sets the maximum delay, before jitter. Default: 60 s.
    ///
    /// It also limits the delays that the server asks for, unless
    /// [`with_max_server_delay`](Self::with_max_server_delay) is set.
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::{Backoff, Jitter, RetryContext, DisconnectKind, RetryPolicy};
    ///
    /// let cap = Duration::from_secs(10);
    /// let mut policy = Backoff::new().with_max_delay(cap).with_jitter(Jitter::none());
    /// assert_eq!(policy.next_delay(&RetryContext::new(99, DisconnectKind::Refused)), Some(cap));
    /// ```
    #[must_use]
    pub const fn with_max_delay(mut self, max_delay: Duration) -> Self {
        self.max_delay = max_delay;
        self
    }

    /// Sets the minimum delay. It overrides the server and the other settings. Default: 100 ms.
    ///
    /// With zero, a server that sends `retry: 0` and closes each connection makes the client
    /// reconnect in a tight loop.
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::{Backoff, RetryContext, DisconnectKind, RetryPolicy};
    ///
    /// let floor = Duration::from_secs(1);
    /// let hurry = RetryContext::new(1, DisconnectKind::Ended).with_server_retry(Duration::ZERO);
    /// let delay = Backoff::new().with_min_delay(floor).next_delay(&hurry);
    /// assert!(delay >= Some(floor));
    /// ```
    #[must_use]
    pub const fn with_min_delay(mut self, min_delay: Duration) -> Self {
        self.min_delay = min_delay;
        self
    }

    /// Sets the maximum delay that the server can ask for, by `retry:` or by `Retry-After`.
    /// Default: `None`, which is the [maximum delay](Self::with_max_delay).
    ///
    /// [`Duration::MAX`] accepts any delay of the server.
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::{Backoff, Jitter, RetryContext, DisconnectKind, RetryPolicy};
    ///
    /// let hour = Duration::from_secs(3600);
    /// let busy = RetryContext::new(1, DisconnectKind::Refused).with_retry_after(hour);
    ///
    /// let mut policy = Backoff::new().with_jitter(Jitter::none());
    /// assert_eq!(policy.next_delay(&busy), Some(Duration::from_secs(60)));
    ///
    /// let mut policy = policy.with_max_server_delay(2 * hour);
    /// assert_eq!(policy.next_delay(&busy), Some(hour));
    /// ```
    #[must_use]
    pub fn with_max_server_delay(mut self, max: impl Into<Option<Duration>>) -> Self {
        self.max_server_delay = max.into();
        self
    }

    /// Sets the factor by which each failure in a row multiplies the delay. Default: 2. With 1,
    /// delays do not grow. 0 counts as 1.
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::{Backoff, Jitter, RetryContext, DisconnectKind, RetryPolicy};
    ///
    /// let mut policy = Backoff::new().with_factor(1).with_jitter(Jitter::none());
    /// let delay = policy.next_delay(&RetryContext::new(99, DisconnectKind::Refused));
    /// assert_eq!(delay, Some(Duration::from_secs(3)));
    /// ```
    #[must_use]
    pub const fn with_factor(mut self, factor: u32) -> Self {
        self.factor = factor;
        self
    }

    /// Sets the random spread of the delays. Default: [`Jitter::upward(100)`](Jitter::upward).
    ///
    /// Jitter may exceed the maximum delay: the defaults allow 120 s.
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::{Backoff, Jitter, RetryContext, DisconnectKind, RetryPolicy};
    ///
    /// let mut policy = Backoff::new().with_jitter(Jitter::upward(10));
    /// let delay = policy.next_delay(&RetryContext::new(1, DisconnectKind::Broken)).unwrap();
    /// assert!((3000..=3300).contains(&delay.as_millis()));
    /// ```
    #[must_use]
    pub const fn with_jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter.or_seed_of(self.jitter);
        self
    }

    /// Sets the number of reconnections in a row after which the policy gives up, if none of
    /// them made [progress](super::RetryContext). Default: `None`, no limit.
    ///
    /// The loss of a healthy connection does not count. With 0, there is one reconnection after
    /// each such loss, and none after a failure.
    ///
    /// ```
    /// use everstream::{Backoff, RetryContext, DisconnectKind, RetryPolicy};
    ///
    /// let mut policy = Backoff::new().with_max_retries(0);
    /// let ended = RetryContext::new(1, DisconnectKind::Ended).with_healthy(true);
    /// assert!(policy.next_delay(&ended).is_some());
    /// assert!(policy.next_delay(&RetryContext::new(1, DisconnectKind::Refused)).is_none());
    /// ```
    #[must_use]
    pub fn with_max_retries(mut self, max: impl Into<Option<u32>>) -> Self {
        self.max_retries = max.into();
        self
    }

    /// Sets the maximum duration of an outage. Default: `None`, no limit. See
    /// [`RetryPolicy::max_elapsed`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::{Backoff, RetryPolicy};
    ///
    /// let policy = Backoff::new().with_max_elapsed(Duration::from_secs(300));
    /// assert_eq!(policy.max_elapsed(), Some(Duration::from_secs(300)));
    /// ```
    #[must_use]
    pub fn with_max_elapsed(mut self, max: impl Into<Option<Duration>>) -> Self {
        self.max_elapsed = max.into();
        self
    }

    /// Sets the uptime after which a connection is [healthy](super::RetryContext). Default: 5 s.
    /// With zero, every open connection is healthy. See [`RetryPolicy::min_uptime`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::{Backoff, RetryPolicy};
    ///
    /// let policy = Backoff::new().with_min_uptime(Duration::from_secs(30));
    /// assert_eq!(policy.min_uptime(), Duration::from_secs(30));
    /// ```
    #[must_use]
    pub const fn with_min_uptime(mut self, min_uptime: Duration) -> Self {
        self.min_uptime = min_uptime;
        self
    }

    /// Creates a policy with the defaults and this seed. Use it without `std` and outside of the
    /// browser, where devices without a seed would retry in step. Take the seed from the hardware,
    /// or from a serial number.
    ///
    /// ```
    /// use everstream::{Backoff, DisconnectKind, RetryContext, RetryPolicy};
    ///
    /// let context = RetryContext::new(1, DisconnectKind::Broken);
    /// let delay = |serial_number| Backoff::seeded(serial_number).next_delay(&context);
    /// assert_ne!(delay(1), delay(2));
    /// ```
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Backoff::new().with_seed(seed)
    }

    /// Adds a predicate. The policy gives up if `retry` returns `false`, and otherwise decides as
    /// before.
    ///
    /// ```
    /// use everstream::{Backoff, DisconnectKind, RetryContext, RetryPolicy};
    ///
    /// // A connection that cannot be opened ends the stream.
    /// let mut policy = Backoff::new().only_if(|lost| lost.kind != DisconnectKind::Refused);
    /// assert!(policy.next_delay(&RetryContext::new(1, DisconnectKind::Broken)).is_some());
    /// assert!(policy.next_delay(&RetryContext::new(1, DisconnectKind::Refused)).is_none());
    /// ```
    #[must_use]
    pub const fn only_if<F>(self, retry: F) -> OnlyIf<F>
    where
        F: FnMut(&RetryContext) -> bool,
    {
        OnlyIf { backoff: self, retry }
    }

    /// Sets the seed of the jitter, as [`Jitter::with_seed`] does.
    ///
    /// Devices with the same seed have the same jitter.
    ///
    /// ```
    /// use everstream::{Backoff, RetryContext, DisconnectKind, RetryPolicy};
    ///
    /// let context = RetryContext::new(1, DisconnectKind::Broken);
    /// let mut one = Backoff::new().with_seed(7);
    /// let mut other = Backoff::new().with_seed(7);
    /// assert_eq!(one.next_delay(&context), other.next_delay(&context));
    /// ```
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.jitter = self.jitter.with_seed(seed);
        self
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

impl RetryPolicy for Backoff {
    fn next_delay(&mut self, context: &RetryContext) -> Option<Duration> {
        let spent = self.max_retries.is_some_and(|max| context.attempt > max);
        if spent && !context.healthy {
            return None;
        }
        let ceiling = self.max_server_delay.unwrap_or(self.max_delay);
        // Only the server's delay needs a limit. The initial delay is the user's choice.
        let base = context.server_retry.map_or(self.initial_delay, |asked| asked.min(ceiling));
        let base = base.max(self.min_delay);
        // A server that sends events and closes the connection is not an outage, even if the events are
        // not new. It is polled at the initial delay.
        let most = if context.events > 0 {
            self.initial_delay.min(self.max_delay)
        } else {
            self.max_delay
        };
        let grown = grow(base, self.factor, context.attempt).min(most.max(base));
        let asked = context.retry_after.unwrap_or_default().min(ceiling);
        Some(self.jitter.apply(grown.max(asked)))
    }

    fn min_uptime(&self) -> Duration {
        self.min_uptime
    }

    fn max_elapsed(&self) -> Option<Duration> {
        self.max_elapsed
    }

    fn seed(&mut self, seed: u64) {
        self.jitter.seed(seed);
    }
}

/// A [`Backoff`] with a predicate, created by [`Backoff::only_if`].
#[derive(Clone)]
pub struct OnlyIf<F> {
    backoff: Backoff,
    retry: F,
}

impl<F: FnMut(&RetryContext) -> bool> RetryPolicy for OnlyIf<F> {
    fn next_delay(&mut self, context: &RetryContext) -> Option<Duration> {
        if (self.retry)(context) { self.backoff.next_delay(context) } else { None }
    }

    fn min_uptime(&self) -> Duration {
        self.backoff.min_uptime()
    }

    fn max_elapsed(&self) -> Option<Duration> {
        self.backoff.max_elapsed()
    }

    fn seed(&mut self, seed: u64) {
        self.backoff.seed(seed);
    }
}

impl<F> fmt::Debug for OnlyIf<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnlyIf").field("backoff", &self.backoff).finish_non_exhaustive()
    }
}

/// Returns `base * factor^(attempt - 1)`, saturating.
fn grow(base: Duration, factor: u32, attempt: u32) -> Duration {
    if factor <= 1 || base.is_zero() {
        return base;
    }
    let mut grown = base;
    for _ in 1..attempt {
        if grown == Duration::MAX {
            break;
        }
        grown = grown.saturating_mul(factor);
    }
    grown
}
