//! The decision about the next attempt: after which delay, or none at all.
//!
//! Connections of an event stream are lost and made again. With a delay that is too short,
//! a server that comes back is overloaded by its own clients; with one that is too long, they
//! miss events. A [`RetryPolicy`] decides about it; [`Backoff`] is the default.
//!
//! The [`reconnect`](crate::reconnect) layer drives it, and `EventSource` takes it by its
//! builder's `retry_policy`. It can also reconnect
//! something else: it needs no connection, no runtime and no atomics.
//!
//! Invariants:
//!
//! - A policy is arithmetic on [`Duration`]s. It reads no clock, sleeps nowhere
//!   and does no I/O: its driver passes a [`RetryContext`] for each loss and does the
//!   waiting.
//! - Nothing here panics, whatever the settings, the server or the caller say.
//!   Arithmetic saturates.
//! - [`Backoff`] never waits less than the server asked for, up to the maximum server
//!   delay, and never less than the minimum delay.

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

/// The default of the minimum uptime.
const MIN_UPTIME: Duration = Duration::from_secs(5);

/// The facts about a lost connection that a [`RetryPolicy`] decides about.
///
/// A connection *proves itself* by progress, and is *healthy* from then on. Progress is:
///
/// - an event with a last event ID that is new: not the one that the connection was asked to
///   resume from, nor one of a connection that begins with the same ID as the one before;
/// - more events than any connection brought since an ID or uptime last was progress;
/// - [`RetryPolicy::min_uptime`] without a break.
///
/// A mere `200 OK` proves nothing: a broken backend behind a load balancer answers that and
/// hangs up, all day long. Nor does the same greeting over and over, or a replay of the same
/// events by a server that ignores `Last-Event-ID`.
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
    /// The number of the reconnection that is to be scheduled: 1 for the first
    /// one since a connection proved itself (or since the start), then 2, and
    /// so on. Always 1 if `healthy`. It saturates at [`u32::MAX`].
    pub attempt: u32,
    /// The way in which the connection was lost.
    pub kind: DisconnectKind,
    /// Set if the lost connection had proved itself.
    pub healthy: bool,
    /// The number of events that the lost connection brought.
    pub events: u64,
    /// The latest `retry:` field of the server, on this connection or on an
    /// earlier one. `None` if it never sent one.
    pub server_retry: Option<Duration>,
    /// The `Retry-After` of the response that refused this connection. `None` without such a response or header.
    pub retry_after: Option<Duration>,
}

impl RetryContext {
    /// A loss without any word from the server, of a connection that had not
    /// proved itself.
    ///
    /// Like the setters below, this is for testing a [`RetryPolicy`].
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
    /// The response body came to its end without an error.
    Ended,
    /// An open connection broke.
    Broken,
    /// The connection could not be opened: it was refused, the name did not resolve, or
    /// the response had a status that is worth another try.
    Refused,
    /// One of the client's own timeouts ran out.
    TimedOut,
}

/// Decides how long to wait before the next connection, or that there is none.
///
/// Most users set up a [`Backoff`]. Implement this for a decision that it
/// cannot express, or hand a closure to [`policy_fn`].
///
/// The engine calls [`seed`](Self::seed) once before anything else, then
/// [`next_delay`](Self::next_delay) once per loss that could be followed by a
/// reconnection.
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
    /// Returns the delay before the reconnection number `context.attempt`; `None`
    /// to give up, which ends the stream with an error.
    ///
    /// The wait is taken as it is, so a policy that answers with zero again and
    /// again lets a server that hangs up at once keep its client spinning.
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

    /// Returns the time after which an open connection has proved itself by its
    /// uptime; 5 s unless overridden.
    ///
    /// With [`Duration::MAX`], only events prove a connection. With zero, every
    /// connection that opens is healthy.
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

    /// Returns the maximum duration of an outage; `None` (the default) for no limit.
    ///
    /// An outage lasts from the first loss until a connection proves itself.
    /// The engine measures it with its own [`Timer`](crate::Timer), since a
    /// policy knows no clock, and gives up when it gets longer than this.
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

    /// Takes in entropy from the platform, before the policy is first used.
    ///
    /// Does nothing unless overridden. A policy that its user seeded ignores
    /// this, so that what was asked to be reproducible stays so.
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

/// A [`RetryPolicy`] whose [`next_delay`](RetryPolicy::next_delay) is a closure
/// and whose other methods are the trait's own.
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

/// A policy over a closure, made by [`policy_fn`].
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

/// Returns the duration of a number of nanoseconds, or the longest duration.
///
/// A `Duration` in nanoseconds takes 94 bits. Growth and jitter are reckoned in
/// `u128`, which has room for a product of one with any `u32`, and come back
/// through here.
fn saturating_from_nanos(nanos: u128) -> Duration {
    const NANOS_PER_SEC: u128 = 1_000_000_000;
    match u64::try_from(nanos / NANOS_PER_SEC) {
        Ok(secs) => Duration::new(secs, (nanos % NANOS_PER_SEC) as u32),
        Err(_) => Duration::MAX,
    }
}
