//! The state of a reconnecting stream as a stream of its own.

use super::ready_state::ReadyState;
use super::shared::Shared;
use alloc::sync::Arc;
use atomic_waker::AtomicWaker;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::Stream;
use futures_core::stream::FusedStream;

/// The states of a reconnecting stream, from any task or thread: the present one first,
/// then each that it changes to. Made by [`Handle::watch`](super::Handle::watch).
///
/// Only the latest counts: states that come and go between two polls are not seen. It
/// says of orders what [`Handle::ready_state`](super::Handle::ready_state) says. It
/// ends when the stream is dropped, with [`ReadyState::Closed`] before it; a stream
/// that is merely closed may be revived.
///
/// Polling loses nothing when it is cancelled.
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
