//! The retry policy that is used unless another is given.

use core::time::Duration;

use super::{Jitter, MIN_UPTIME, RetryContext, RetryPolicy, saturating_from_nanos};

/// Waits that grow with each failure in a row, bounded and spread at random.
///
/// The wait before reconnection *n* since the last connection that proved
/// itself comes about in four steps:
///
/// 1. The *base* is what the server's `retry:` asked for, at most the
///    [ceiling](Self::with_max_server_delay), or [`with_initial_delay`](Self::with_initial_delay) if it
///    asked for nothing; and at least the [floor](Self::with_min_delay).
/// 2. It is multiplied by the [factor](Self::with_factor) *n* - 1 times, up to
///    the [cap](Self::with_max_delay).
/// 3. Where a refusing response carried a `Retry-After`, the wait is at least
///    that, which in turn is at most the ceiling.
/// 4. [Jitter](Self::with_jitter) makes it longer, never shorter.
///
/// After a connection that brought events, but [no progress](super::RetryContext), step 2
/// stops at the initial delay. A server that ends each connection after an event, and has
/// no event IDs, is thus polled at least every 3 s to 6 s, and one that asks for `retry: 10`
/// and hangs up after a greeting is not called ten times a second.
///
/// So the server is never called upon before the time it asked for, short of
/// times beyond the ceiling, and a server that sends `retry: 0` and hangs up at
/// once gets ten requests a second, not a flood.
///
/// | setting | default |
/// |---|---|
/// | base | 3 s |
/// | cap | 60 s |
/// | floor | 100 ms |
/// | ceiling | the cap |
/// | factor | 2 |
/// | jitter | upward, 100 % |
/// | max retries | no limit |
/// | max elapsed | no limit |
/// | proven after | 5 s |
///
/// No combination of settings is an error. Where two contradict each other, the
/// longer wait wins: the floor over the ceiling, over the base and over the
/// cap, and the base over the cap (a base beyond the cap does not grow). The
/// order in which they are set does not matter.
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
    base: Duration,
    cap: Duration,
    floor: Duration,
    ceiling: Option<Duration>,
    factor: u32,
    jitter: Jitter,
    max_retries: Option<u32>,
    max_elapsed: Option<Duration>,
    min_uptime: Duration,
}

impl Backoff {
    /// The defaults of the table above.
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
            base: Duration::from_secs(3),
            cap: Duration::from_secs(60),
            floor: Duration::from_millis(100),
            ceiling: None,
            factor: 2,
            jitter: Jitter::upward(100),
            max_retries: None,
            max_elapsed: None,
            min_uptime: MIN_UPTIME,
        }
    }

    /// The wait before the first reconnection, as long as the server's `retry:`
    /// has not said otherwise; 3 s by default.
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
    pub const fn with_initial_delay(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// How far waits grow, before jitter; 60 s by default.
    ///
    /// It also bounds what the server can ask for, unless there is a
    /// [ceiling](Self::with_max_server_delay).
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
    pub const fn with_max_delay(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// The shortest wait there is, whatever the server and the base say; 100 ms
    /// by default.
    ///
    /// With a floor of zero, a server that sends `retry: 0` and hangs up is
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
    pub const fn with_min_delay(mut self, floor: Duration) -> Self {
        self.floor = floor;
        self
    }

    /// The longest time that the server can ask for, by `retry:` or by
    /// `Retry-After`; the cap by default.
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
    pub const fn with_max_server_delay(mut self, ceiling: Duration) -> Self {
        self.ceiling = Some(ceiling);
        self
    }

    /// What each failure in a row multiplies the wait by; 2 by default. With 1,
    /// or 0 which is taken for 1, waits do not grow.
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

    /// How waits are spread at random; [`Jitter::upward(100)`](Jitter::upward)
    /// by default.
    ///
    /// The wait may thus be longer than the cap: with the defaults, up to 120 s.
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

    /// Gives up when so many reconnections in a row have not led to a
    /// connection that proved itself; no limit by default.
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
    pub const fn with_max_retries(mut self, max_retries: u32) -> Self {
        self.max_retries = Some(max_retries);
        self
    }

    /// Gives up when an outage gets longer than this; no limit by default. See
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
    pub const fn with_max_elapsed(mut self, max_elapsed: Duration) -> Self {
        self.max_elapsed = Some(max_elapsed);
        self
    }

    /// After how long an open connection has proved itself without any event;
    /// 5 s by default. See [`RetryPolicy::min_uptime`].
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
        let ceiling = self.ceiling.unwrap_or(self.cap);
        // The ceiling guards against servers. The user's own base needs no guard.
        let base = context.server_retry.map_or(self.base, |asked| asked.min(ceiling));
        let base = base.max(self.floor);
        // A server that sends events and hangs up is no outage, even if nothing in them is
        // new. It is asked at the pace of a server that has not asked for another.
        let most = if context.events > 0 { self.base.min(self.cap) } else { self.cap };
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

/// `base * factor^(attempt - 1)`, saturating. `Duration::saturating_mul` takes
/// no more than a `u32`, which would stop a base of a nanosecond at 4 s.
fn grow(base: Duration, factor: u32, attempt: u32) -> Duration {
    let growth = u128::from(factor.max(1)).saturating_pow(attempt.saturating_sub(1));
    saturating_from_nanos(base.as_nanos().saturating_mul(growth))
}
