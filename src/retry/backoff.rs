//! The retry policy that is used unless another is given.

use core::fmt;
use core::time::Duration;

use super::{Jitter, MIN_UPTIME, RetryContext, RetryPolicy, saturating_from_nanos};

/// A policy of delays that grow with each failure in a row, bounded and spread at random.
///
/// The delay before reconnection *n* since the last connection that proved
/// itself is computed in four steps:
///
/// 1. The *base* is the server's `retry:`, at most the
///    [maximum server delay](Self::with_max_server_delay), or the
///    [initial delay](Self::with_initial_delay) if it sent none; and at least the
///    [minimum delay](Self::with_min_delay).
/// 2. It is multiplied by the [factor](Self::with_factor) *n* - 1 times, up to
///    the [maximum delay](Self::with_max_delay).
/// 3. If a refusing response carried a `Retry-After`, the delay is at least
///    that, which in turn is at most the maximum server delay.
/// 4. [Jitter](Self::with_jitter) makes it longer, never shorter.
///
/// After a connection that brought events, but [no progress](super::RetryContext), step 2
/// stops at the initial delay. A server that ends each connection after an event, and has
/// no event IDs, is thus polled at least every 3 s to 6 s, and one that asks for `retry: 10`
/// and hangs up after a greeting is not called ten times a second.
///
/// So the server is never called upon before the time it asked for, short of
/// times over the maximum server delay, and a server that sends `retry: 0` and hangs up at
/// once gets ten requests a second, not a flood.
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
/// No combination of settings is an error. Where two contradict each other, the
/// longer delay wins: the minimum over the others, and the base over the maximum (a base
/// over the maximum does not grow). The order in which they are set does not matter.
///
/// Values such as this one are set up by methods with the prefix `with_`, builders by methods
/// without one. What is optional takes a value or `None`.
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
    /// Creates a policy with the defaults of the table above. With the feature `std`, and
    /// in the browser with `wasm`, it seeds itself when it is first used. Anywhere else
    /// begin with [`seeded`](Self::seeded).
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

    /// Sets the delay before the first reconnection, unless the server's `retry:` says
    /// otherwise. Default: 3 s.
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
    /// It also bounds what the server can ask for, unless
    /// [`with_max_server_delay`](Self::with_max_server_delay) does.
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

    /// Sets the minimum delay, whatever the server and the other settings say. Default:
    /// 100 ms.
    ///
    /// With zero, a server that sends `retry: 0` and hangs up is
    /// called again as fast as it hangs up.
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
    /// [`Duration::MAX`] takes the server at its word, even if that is for ever.
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

    /// Sets the factor by which each failure in a row multiplies the delay. Default: 2.
    /// With 1, or 0 which is taken for 1, delays do not grow.
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

    /// Sets how delays are spread at random. Default: [`Jitter::upward(100)`](Jitter::upward).
    ///
    /// The delay may thus exceed the maximum: with the defaults, up to 120 s.
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
    /// The loss of a connection that had proved itself never counts, however
    /// often that happens. So with 0, there is one reconnection after each such
    /// loss, and none after a failure.
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

    /// Sets the uptime after which a connection has proved itself. Default: 5 s. With zero,
    /// every connection that opens is healthy. See [`RetryPolicy::min_uptime`].
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

    /// Creates a policy with the defaults and this seed. Without `std` and outside of the
    /// browser nothing else can seed it, and devices without a seed retry in step: take it
    /// from the hardware, or from a serial number.
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

    /// Gives up on a loss for which `retry` returns `false`, and decides about others as
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

    /// Makes the jitter reproducible, see [`Jitter::with_seed`].
    ///
    /// A seed that is the same on many devices makes their jitter the same too.
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
        // The ceiling guards against servers. The user's own base needs no guard.
        let base = context.server_retry.map_or(self.initial_delay, |asked| asked.min(ceiling));
        let base = base.max(self.min_delay);
        // A server that sends events and hangs up is no outage, even if nothing in them is
        // new. It is asked at the pace of a server that has not asked for another.
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

/// A [`Backoff`] with a predicate, made by [`Backoff::only_if`].
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

/// Returns `base * factor^(attempt - 1)`, saturating. `Duration::saturating_mul` takes
/// no more than a `u32`, which would stop a base of a nanosecond at 4 s.
fn grow(base: Duration, factor: u32, attempt: u32) -> Duration {
    let growth = u128::from(factor.max(1)).saturating_pow(attempt.saturating_sub(1));
    saturating_from_nanos(base.as_nanos().saturating_mul(growth))
}
