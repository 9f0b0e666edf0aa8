//! The counters of a relay.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
pub(crate) struct Figures {
    /// Open connections.
    pub(crate) readers: Figure,
    /// All connections so far.
    pub(crate) connections: Figure,
    /// Connections that resumed after an event.
    pub(crate) resumed: Figure,
    /// Connections that missed events which the log has dropped.
    pub(crate) gaps: Figure,
    /// Connections that were dropped because the reader accepted no byte.
    pub(crate) stalled: Figure,
    /// Connections that were dropped because the log no longer has their next event.
    pub(crate) outrun: Figure,
    /// Events sent, to all readers together.
    pub(crate) events: Figure,
    pub(crate) keep_alives: Figure,
}

#[derive(Default)]
pub(crate) struct Figure(AtomicU64);

impl Figure {
    pub(crate) fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, by: u64) {
        self.0.fetch_sub(by, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
