//! A stream of the states of a reconnecting stream.

use super::ready_state::ReadyState;
use super::shared::Shared;
use crate::sync::AtomicWaker;
use alloc::sync::Arc;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::Stream;
use futures_core::stream::FusedStream;

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

impl StateWatch {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let waker = Arc::new(AtomicWaker::new());
        shared.watchers.add(&waker);
        StateWatch { shared, waker, seen: None, is_over: false }
    }
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
