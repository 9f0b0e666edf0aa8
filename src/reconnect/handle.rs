//! Control and observation of a reconnecting stream from another task or thread.

use super::health::Health;
use super::machine::ReadyState;
use super::shared::{CLOSE, RECONNECT, Shared};
use super::stats::Stats;
use crate::sync::AtomicWaker;
use alloc::sync::Arc;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::Stream;
use futures_core::stream::FusedStream;

/// A handle that controls and observes a reconnecting stream from another task or thread.
///
/// An order wakes the stream, which carries it out at its next poll. The last of several orders
/// before that poll counts. Dropping a handle does nothing.
///
/// ```
/// # use everstream::reconnect::{Connect, Reconnect};
/// # use everstream::{ReadyState, Timer};
/// fn supervise<C: Connect, T: Timer>(events: &mut Reconnect<C, T>) {
///     let handle = events.handle();
///     std::thread::spawn(move || {
///         // When a network is back:
///         handle.reconnect_now();
///         // When metrics are exported:
///         println!("sse_events_total {}", handle.stats().events);
///         // When the program shuts down:
///         handle.close();
///         assert_eq!(handle.ready_state(), ReadyState::Closed);
///         println!("resume from {:?}", handle.last_event_id());
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
    /// does. Call it when a network comes back or a page becomes visible. See [`Handle`] for an
    /// example.
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
        let waker = Arc::new(AtomicWaker::new());
        self.shared.watchers.add(&waker);
        StateWatch { shared: Arc::clone(&self.shared), waker, seen: None, is_over: false }
    }

    /// Returns the counts of the stream as of its last poll. The counts are read one by one, so
    /// they may differ by some events. Without 64-bit atomics they wrap at 2^32. See [`Handle`] for
    /// an example.
    pub fn stats(&self) -> Stats {
        self.shared.stats.get()
    }

    /// Returns the health of the stream as of its last poll. See [`Health`] for an example.
    pub fn health(&self) -> Health {
        let mut health = self.shared.health.lock().clone();
        health.state = self.ready_state();
        health
    }

    /// Returns the last event ID as of the last item that the stream yielded. See [`Handle`] for an
    /// example.
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

/// A stream of the states of a reconnecting stream, for any task or thread. It first yields the
/// current state, then each new one. Created by [`Handle::watch`](super::Handle::watch).
///
/// A poll yields only the latest state, so it misses states between two polls. A state takes
/// account of orders, as [`Handle::ready_state`](super::Handle::ready_state) does. When the stream
/// is dropped, it yields [`ReadyState::Closed`] and ends. It does not end when the stream is
/// closed, because a closed stream can be revived.
///
/// It is cancel-safe.
///
/// ```
/// use everstream::{Handle, ReadyState};
/// use futures_util::StreamExt;
///
/// async fn show(handle: Handle) {
///     let mut states = handle.watch();
///     while let Some(state) = states.next().await {
///         match state {
///             ReadyState::Open => println!("online"),
///             _ => println!("offline"),
///         }
///     }
/// }
/// ```
pub struct StateWatch {
    shared: Arc<Shared>,
    waker: Arc<AtomicWaker>,
    seen: Option<ReadyState>,
    is_over: bool,
}

impl Stream for StateWatch {
    type Item = ReadyState;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ReadyState>> {
        let this = self.get_mut();
        if this.is_over {
            return Poll::Ready(None);
        }
        this.waker.register(cx.waker());
        let (state, is_dropped) = this.shared.look();
        if this.seen != Some(state) {
            this.seen = Some(state);
            return Poll::Ready(Some(state));
        }
        if is_dropped {
            this.is_over = true;
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}

impl FusedStream for StateWatch {
    fn is_terminated(&self) -> bool {
        self.is_over
    }
}

impl Drop for StateWatch {
    fn drop(&mut self) {
        self.shared.watchers.remove(&self.waker);
    }
}

impl fmt::Debug for StateWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateWatch").field("seen", &self.seen).finish_non_exhaustive()
    }
}
