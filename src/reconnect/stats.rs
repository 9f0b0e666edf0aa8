//! The counts of a stream.

use crate::sync::AtomicCount;
use core::sync::atomic::Ordering::Relaxed;

/// The counts of a stream so far. Closing and reconnecting do not reset them.
///
/// ```
/// # use everstream::Timer;
/// # use everstream::reconnect::{Connect, Reconnect};
/// fn report<C: Connect, T: Timer>(events: &Reconnect<C, T>) {
///     let stats = events.stats();
///     println!("{} events over {} connections", stats.events, stats.opens);
/// }
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Stats {
    /// The number of attempts to connect.
    pub attempts: u64,
    /// The number of connections that were open.
    pub opens: u64,
    /// The number of events that were yielded; comments and discarded events do not count.
    pub events: u64,
    /// The number of bytes received in bodies, which may be ahead of the events.
    pub bytes: u64,
}

/// The counts that a stream publishes for its handles.
#[derive(Debug, Default)]
pub(super) struct SharedStats {
    attempts: AtomicCount,
    opens: AtomicCount,
    events: AtomicCount,
    bytes: AtomicCount,
}

impl SharedStats {
    pub(super) fn new(stats: Stats) -> Self {
        let shared = SharedStats::default();
        shared.set(stats);
        shared
    }

    pub(super) fn set(&self, stats: Stats) {
        self.attempts.store(stats.attempts as _, Relaxed);
        self.opens.store(stats.opens as _, Relaxed);
        self.bytes.store(stats.bytes as _, Relaxed);
        self.set_events(stats.events);
    }

    #[inline]
    pub(super) fn set_events(&self, events: u64) {
        self.events.store(events as _, Relaxed);
    }

    #[allow(clippy::useless_conversion, reason = "a count may be of 32 bits")]
    pub(super) fn get(&self) -> Stats {
        Stats {
            attempts: self.attempts.load(Relaxed).into(),
            opens: self.opens.load(Relaxed).into(),
            events: self.events.load(Relaxed).into(),
            bytes: self.bytes.load(Relaxed).into(),
        }
    }
}
