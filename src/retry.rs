//! The policies that decide about the next attempt and its delay.
//!
//! A [`RetryPolicy`] is asked after each lost connection. Too short a delay overloads a server that
//! restarts; too long a delay misses events. [`Backoff`] is the default policy.
//!
//! The [`reconnect`](crate::reconnect) layer calls the policy. Set it by `retry_policy` of
//! `EventSource`'s builder. A policy can be used without this crate's streams: it needs no
//! connection, no runtime and no atomics.
//!
//! Invariants:
//!
//! - A policy only computes [`Duration`]s. It reads no clock, does not sleep and does no I/O. Its
//!   caller passes a [`RetryContext`] for each lost connection, and waits.
//! - No setting, server or argument causes a panic. Arithmetic saturates.
//! - A delay of [`Backoff`] is at least what the server asked for, up to the maximum server delay,
//!   and at least the minimum delay.

mod backoff;
pub(crate) mod entropy;
mod jitter;
#[cfg(all(feature = "serde", target_has_atomic = "ptr"))]
pub(crate) mod text;

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

pub use backoff::{Backoff, OnlyIf};
pub use jitter::Jitter;

/// The default minimum uptime.
const MIN_UPTIME: Duration = Duration::from_secs(5);

/// The facts about a lost connection that a [`RetryPolicy`] decides about.
///
/// A connection is *healthy* once it has made progress. Progress is any of:
///
/// - an event with a new last event ID: not the ID that the connection resumed from, nor one of a
///   connection that begins with the same ID as the connection before it;
/// - more events than any connection delivered since the last progress by an ID or by uptime;
/// - an uptime of [`RetryPolicy::min_uptime`].
///
/// `200 OK` alone is not progress: a load balancer can send it for a broken backend, and close the
/// connection. Neither is a greeting that repeats, nor a replay of the same events by a server that
/// ignores `Last-Event-ID`.
///
/// ```
/// use core::time::Duration;
/// use everstream::{RetryContext, DisconnectKind};
///
/// let context = RetryContext::new(3, DisconnectKind::Refused).with_retry_after(Duration::from_secs(10));
/// assert_eq!(context.attempt, 3);
/// assert_eq!(context.retry_after, Some(Duration::from_secs(10)));
/// assert!(!context.healthy);
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryContext {
    /// The number of the next reconnection. It is 1 after a healthy connection and at the start,
    /// and grows by 1 with each failure in a row. It saturates at [`u32::MAX`].
    pub attempt: u32,
    /// The way in which the connection was lost.
    pub kind: DisconnectKind,
    /// True if the lost connection was healthy.
    pub healthy: bool,
    /// The number of events that the lost connection delivered.
    pub events: u64,
    /// The latest `retry:` field of the server, on this connection or on an
    /// earlier one. `None` if it never sent one.
    pub server_retry: Option<Duration>,
    /// The delay of the `Retry-After` header of the response that refused the connection, if there
    /// was one.
    pub retry_after: Option<Duration>,
}

impl RetryContext {
    /// Creates a context, for tests of a [`RetryPolicy`]. The connection was not healthy, and the
    /// server asked for no delay.
    ///
    /// ```
    /// use everstream::{Backoff, RetryContext, DisconnectKind, RetryPolicy};
    ///
    /// let mut policy = Backoff::new().with_max_retries(2);
    /// assert!(policy.next_delay(&RetryContext::new(2, DisconnectKind::Broken)).is_some());
    /// assert!(policy.next_delay(&RetryContext::new(3, DisconnectKind::Broken)).is_none());
    /// ```
    #[must_use]
    pub const fn new(attempt: u32, kind: DisconnectKind) -> Self {
        let (server_retry, retry_after) = (None, None);
        Self { attempt, kind, healthy: false, events: 0, server_retry, retry_after }
    }

    /// Sets [`healthy`](Self::healthy).
    ///
    /// ```
    /// use everstream::{RetryContext, DisconnectKind};
    ///
    /// assert!(RetryContext::new(1, DisconnectKind::Ended).with_healthy(true).healthy);
    /// ```
    #[must_use]
    pub const fn with_healthy(mut self, healthy: bool) -> Self {
        self.healthy = healthy;
        self
    }

    /// Sets [`events`](Self::events).
    ///
    /// ```
    /// use everstream::{DisconnectKind, RetryContext};
    ///
    /// assert_eq!(RetryContext::new(1, DisconnectKind::Ended).with_events(3).events, 3);
    /// ```
    #[must_use]
    pub const fn with_events(mut self, events: u64) -> Self {
        self.events = events;
        self
    }

    /// Sets [`server_retry`](Self::server_retry).
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::{RetryContext, DisconnectKind};
    ///
    /// let asked = Duration::from_millis(200);
    /// let context = RetryContext::new(1, DisconnectKind::Ended).with_server_retry(asked);
    /// assert_eq!(context.server_retry, Some(asked));
    /// ```
    #[must_use]
    pub const fn with_server_retry(mut self, server_retry: Duration) -> Self {
        self.server_retry = Some(server_retry);
        self
    }

    /// Sets [`retry_after`](Self::retry_after).
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::{RetryContext, DisconnectKind};
    ///
    /// let asked = Duration::from_secs(2);
    /// let context = RetryContext::new(1, DisconnectKind::Refused).with_retry_after(asked);
    /// assert_eq!(context.retry_after, Some(asked));
    /// ```
    #[must_use]
    pub const fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }
}

/// The way in which a connection was lost.
///
/// ```
/// use everstream::{RetryContext, DisconnectKind};
///
/// // A server that hangs up politely is no reason to worry.
/// fn worth_a_warning(context: &RetryContext) -> bool {
///     context.kind != DisconnectKind::Ended
/// }
/// assert!(!worth_a_warning(&RetryContext::new(1, DisconnectKind::Ended)));
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DisconnectKind {
    /// The response body ended without an error.
    Ended,
    /// An open connection broke.
    Broken,
    /// The connection could not be opened: it was refused, the name did not resolve, or the
    /// response had a status that is retried.
    Refused,
    /// One of the client's own timeouts ran out.
    TimedOut,
}

/// A policy that returns the delay before the next attempt, or gives up.
///
/// Most users configure a [`Backoff`]. Implement this trait for a rule that it cannot express, or
/// pass a closure to [`policy_fn`].
///
/// The engine first calls [`seed`](Self::seed) once. It then calls [`next_delay`](Self::next_delay)
/// once for each lost connection that may be retried.
///
/// ```
/// use core::time::Duration;
/// use everstream::{RetryContext, DisconnectKind, RetryPolicy};
///
/// /// Once a minute, but at once when the server ends a working connection.
/// struct Patient;
///
/// impl RetryPolicy for Patient {
///     fn next_delay(&mut self, context: &RetryContext) -> Option<Duration> {
///         Some(match context.kind {
///             DisconnectKind::Ended if context.healthy => Duration::from_millis(100),
///             _ => Duration::from_secs(60),
///         })
///     }
/// }
///
/// let refused = RetryContext::new(1, DisconnectKind::Refused);
/// assert_eq!(Patient.next_delay(&refused), Some(Duration::from_secs(60)));
/// ```
pub trait RetryPolicy {
    /// Returns the delay before the reconnection with the number `context.attempt`. `None` gives
    /// up, which ends the stream with an error.
    ///
    /// The engine sets no minimum. A policy that always returns zero makes the client spin if the
    /// server closes each connection at once.
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::{Backoff, Jitter, RetryContext, DisconnectKind, RetryPolicy};
    ///
    /// let mut policy = Backoff::new().with_jitter(Jitter::none());
    /// let delay = policy.next_delay(&RetryContext::new(2, DisconnectKind::Broken));
    /// assert_eq!(delay, Some(Duration::from_secs(6)));
    /// ```
    fn next_delay(&mut self, context: &RetryContext) -> Option<Duration>;

    /// Returns the uptime after which an open connection is healthy. Default: 5 s.
    ///
    /// With [`Duration::MAX`], only events make a connection healthy. With zero, every open
    /// connection is healthy.
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::{Backoff, RetryPolicy};
    ///
    /// assert_eq!(Backoff::new().min_uptime(), Duration::from_secs(5));
    /// ```
    fn min_uptime(&self) -> Duration {
        MIN_UPTIME
    }

    /// Returns the maximum duration of an outage. Default: `None`, no limit.
    ///
    /// An outage lasts from the first lost connection until a connection is healthy. The engine
    /// measures it with its own [`Timer`](crate::Timer), and gives up after this time.
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::{Backoff, RetryPolicy};
    ///
    /// let hour = Duration::from_secs(3600);
    /// assert_eq!(Backoff::new().with_max_elapsed(hour).max_elapsed(), Some(hour));
    /// ```
    fn max_elapsed(&self) -> Option<Duration> {
        None
    }

    /// Sets a random seed from the platform. The engine calls it before it uses the policy.
    ///
    /// Does nothing by default. A policy should ignore it if the user set a seed.
    ///
    /// ```
    /// use everstream::{Backoff, RetryContext, DisconnectKind, RetryPolicy};
    ///
    /// let context = RetryContext::new(1, DisconnectKind::Broken);
    /// let (mut one, mut other) = (Backoff::new(), Backoff::new());
    /// one.seed(1);
    /// other.seed(2);
    /// assert_ne!(one.next_delay(&context), other.next_delay(&context));
    /// ```
    fn seed(&mut self, seed: u64) {
        let _ = seed;
    }
}

impl<P: RetryPolicy + ?Sized> RetryPolicy for Box<P> {
    fn next_delay(&mut self, context: &RetryContext) -> Option<Duration> {
        (**self).next_delay(context)
    }

    fn min_uptime(&self) -> Duration {
        (**self).min_uptime()
    }

    fn max_elapsed(&self) -> Option<Duration> {
        (**self).max_elapsed()
    }

    fn seed(&mut self, seed: u64) {
        (**self).seed(seed);
    }
}

impl<P: RetryPolicy + ?Sized> RetryPolicy for &mut P {
    fn next_delay(&mut self, context: &RetryContext) -> Option<Duration> {
        (**self).next_delay(context)
    }

    fn min_uptime(&self) -> Duration {
        (**self).min_uptime()
    }

    fn max_elapsed(&self) -> Option<Duration> {
        (**self).max_elapsed()
    }

    fn seed(&mut self, seed: u64) {
        (**self).seed(seed);
    }
}

/// Creates a [`RetryPolicy`] from a closure, which is its [`next_delay`](RetryPolicy::next_delay).
/// The other methods are the trait's defaults.
///
/// ```
/// use core::time::Duration;
/// use everstream::retry::policy_fn;
/// use everstream::{RetryContext, DisconnectKind, RetryPolicy};
///
/// let mut policy = policy_fn(|context| (context.attempt <= 3).then_some(Duration::from_secs(1)));
/// assert!(policy.next_delay(&RetryContext::new(3, DisconnectKind::Broken)).is_some());
/// assert!(policy.next_delay(&RetryContext::new(4, DisconnectKind::Broken)).is_none());
/// ```
pub const fn policy_fn<F>(next_delay: F) -> PolicyFn<F>
where
    F: FnMut(&RetryContext) -> Option<Duration>,
{
    PolicyFn { next_delay }
}

/// A policy over a closure, created by [`policy_fn`].
///
/// ```
/// use core::time::Duration;
/// use everstream::RetryContext;
/// use everstream::retry::{PolicyFn, policy_fn};
///
/// fn every_second(_: &RetryContext) -> Option<Duration> {
///     Some(Duration::from_secs(1))
/// }
/// let _policy: PolicyFn<fn(&RetryContext) -> Option<Duration>> = policy_fn(every_second);
/// ```
#[derive(Clone, Copy)]
pub struct PolicyFn<F> {
    next_delay: F,
}

impl<F> RetryPolicy for PolicyFn<F>
where
    F: FnMut(&RetryContext) -> Option<Duration>,
{
    fn next_delay(&mut self, context: &RetryContext) -> Option<Duration> {
        (self.next_delay)(context)
    }
}

impl<F> fmt::Debug for PolicyFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyFn").finish_non_exhaustive()
    }
}

/// Converts nanoseconds into a duration, saturating at [`Duration::MAX`].
///
/// A `Duration` in nanoseconds has 94 bits, so its product with a `u32` fits in the `u128` in which
/// growth and jitter are computed.
fn saturating_from_nanos(nanos: u128) -> Duration {
    const NANOS_PER_SEC: u128 = 1_000_000_000;
    match u64::try_from(nanos / NANOS_PER_SEC) {
        Ok(secs) => Duration::new(secs, (nanos % NANOS_PER_SEC) as u32),
        Err(_) => Duration::MAX,
    }
}
