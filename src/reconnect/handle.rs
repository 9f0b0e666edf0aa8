//! Control over a reconnecting stream from another task or thread.

use super::health::Health;
use super::ready_state::ReadyState;
use super::shared::{Order, Shared};
use super::stats::Stats;
use super::watch::StateWatch;
use alloc::sync::Arc;
use core::fmt;

/// Closes, forces and observes a reconnecting stream from another task or thread.
///
/// Orders are carried out when the stream is next polled, for which it is woken.
/// Of two orders before that the later one counts. Dropping a handle does
/// nothing.
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
        self.shared.give(Order::Close);
    }

    /// Reconnects at once, as
    /// [`Reconnect::force_reconnect`](super::Reconnect::force_reconnect) does: for
    /// the moment at which a network comes back or a page becomes visible.
    ///
    /// ```
    /// # use everstream::Handle;
    /// fn on_network_change(handle: &Handle) {
    ///     handle.reconnect_now();
    /// }
    /// ```
    #[doc(alias = "resume")]
    pub fn reconnect_now(&self) {
        self.shared.give(Order::Reconnect);
    }

    /// Returns the state of the stream, or the one that the last order leads to; a
    /// stream that was dropped is closed. See [`Handle`] for an example.
    pub fn ready_state(&self) -> ReadyState {
        self.shared.look().0
    }

    /// Returns the states of the stream, from the present one on. See [`StateWatch`] for an
    /// example.
    #[doc(alias = "addEventListener")]
    pub fn watch(&self) -> StateWatch {
        StateWatch::new(Arc::clone(&self.shared))
    }

    /// Returns the counts of the stream as of its last poll. Each number is read by
    /// itself, so they may be of slightly different moments. (Where the target has no
    /// atomics of 64 bits, they start over at 2^32.)
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

    /// Returns the health of the stream as of its last poll: its state and since when, the
    /// last reason, the next attempt. See [`Health`] for an example.
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
