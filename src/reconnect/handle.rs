//! Control over a reconnecting stream from another task or thread.

use super::health::Health;
use super::ready_state::ReadyState;
use super::shared::{CLOSE, RECONNECT, Shared};
use super::stats::Stats;
use super::watch::StateWatch;
use alloc::sync::Arc;
use core::fmt;

/// A handle that controls and observes a reconnecting stream from another task or thread.
///
/// An order wakes the stream, which carries it out at its next poll. The last of several orders
/// before that poll counts. Dropping a handle does nothing.
///
/// ```
/// # use everstream::reconnect::{Connect, Reconnect};
/// # use everstream::{ReadyState, Timer};
/// fn stop_on_shutdown<C: Connect, T: Timer>(events: &mut Reconnect<C, T>) {
///     let handle = events.handle();
///     std::thread::spawn(move || {
///         // wait for the signal, then:
///         handle.close();
///         assert_eq!(handle.ready_state(), ReadyState::Closed);
///     });
/// }
/// ```
#[derive(Clone)]
pub struct Handle {
    pub(super) shared: Arc<Shared>,
}

impl Handle {
    /// Closes the stream, as [`Reconnect::close`](super::Reconnect::close) does.
    /// See [`Handle`] for an example.
    #[doc(alias = "cancel")]
    #[doc(alias = "stop")]
    pub fn close(&self) {
        self.shared.give(CLOSE);
    }

    /// Reconnects at once, as [`Reconnect::force_reconnect`](super::Reconnect::force_reconnect)
    /// does. Call it when a network comes back or a page becomes visible.
    ///
    /// ```
    /// # use everstream::Handle;
    /// fn on_network_change(handle: &Handle) {
    ///     handle.reconnect_now();
    /// }
    /// ```
    #[doc(alias = "resume")]
    pub fn reconnect_now(&self) {
        self.shared.give(RECONNECT);
    }

    /// Returns the state of the stream, or the state that the last order leads to. A dropped stream
    /// is closed. See [`Handle`] for an example.
    pub fn ready_state(&self) -> ReadyState {
        self.shared.look().0
    }

    /// Returns a stream of the states, which begins with the current one. See [`StateWatch`] for an
    /// example.
    #[doc(alias = "addEventListener")]
    pub fn watch(&self) -> StateWatch {
        StateWatch::new(Arc::clone(&self.shared))
    }

    /// Returns the counts of the stream as of its last poll. The counts are read one by one, so
    /// they may differ by some events. Without 64-bit atomics they wrap at 2^32.
    ///
    /// ```
    /// # use everstream::Handle;
    /// fn export(handle: &Handle) {
    ///     let stats = handle.stats();
    ///     println!("sse_events_total {}", stats.events);
    ///     println!("sse_bytes_total {}", stats.bytes);
    /// }
    /// ```
    pub fn stats(&self) -> Stats {
        self.shared.stats.get()
    }

    /// Returns the health of the stream as of its last poll. See [`Health`] for an example.
    pub fn health(&self) -> Health {
        let mut health = self.shared.health.lock().clone();
        health.state = self.ready_state();
        health
    }

    /// Returns the last event ID as of the last item that the stream yielded.
    ///
    /// ```
    /// # use everstream::Handle;
    /// fn resume_point(handle: &Handle) -> Option<String> {
    ///     handle.last_event_id().map(|id| id.to_string())
    /// }
    /// ```
    pub fn last_event_id(&self) -> Option<Arc<str>> {
        self.shared.last_event_id.lock().clone()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("ready_state", &self.ready_state())
            .field("last_event_id", &self.last_event_id())
            .field("stats", &self.stats())
            .finish()
    }
}
