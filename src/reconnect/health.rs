//! The health of a reconnecting stream, for those who watch it from elsewhere.

use super::ready_state::ReadyState;
use crate::retry::DisconnectKind;
use alloc::sync::Arc;
use core::time::Duration;
#[cfg(feature = "std")]
use std::time::Instant;

/// The health of a reconnecting stream, returned by [`Handle::health`](super::Handle::health).
///
/// ```
/// use everstream::Handle;
///
/// fn report(handle: &Handle) -> String {
///     let health = handle.health();
///     match (&health.last_reason, &health.next_attempt) {
///         (Some(reason), Some(next)) => {
///             format!("{reason}; attempt {} after {:?}", next.number, next.delay)
///         }
///         _ => format!("{:?}, changed {} times", health.state, health.changes),
///     }
/// }
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The state, or the one that the last order leads to.
    pub state: ReadyState,
    /// The number of times that the state has changed since the first handle was made.
    pub changes: u64,
    /// The time of the last change of the state, or of the making of the first handle. `None`
    /// in the browser, whose clock the standard library does not know.
    #[cfg(feature = "std")]
    pub since: Option<Instant>,
    /// The kind of the last loss since the first handle was made.
    pub last_loss: Option<DisconnectKind>,
    /// The reason of the last loss as text, if the [connector](super::Connect::describe)
    /// describes its errors or the reason is not one of them.
    pub last_reason: Option<Arc<str>>,
    /// The attempt that the stream waits for.
    pub next_attempt: Option<NextAttempt>,
}

/// The attempt that a reconnecting stream waits for. See [`Health`] for an example.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextAttempt {
    /// The number of the reconnection, from 1, since a connection last proved itself.
    pub number: u32,
    /// The delay before it, from the moment of the loss.
    pub delay: Duration,
    /// The time at which it is due, unless it is further away than the clock reaches.
    #[cfg(feature = "std")]
    pub at: Option<Instant>,
}

impl Health {
    pub(super) fn new(state: ReadyState) -> Self {
        Health {
            state,
            changes: 0,
            #[cfg(feature = "std")]
            since: now(),
            last_loss: None,
            last_reason: None,
            next_attempt: None,
        }
    }

    /// Records the state. A stream that enters any state waits for no attempt.
    pub(super) fn enter(&mut self, state: ReadyState) {
        self.next_attempt = None;
        if self.state != state {
            self.state = state;
            self.changes += 1;
            #[cfg(feature = "std")]
            (self.since = now());
        }
    }

    /// Records the attempt that follows a loss.
    pub(super) fn wait(&mut self, number: u32, delay: Duration) {
        self.next_attempt = Some(NextAttempt {
            number,
            delay,
            #[cfg(feature = "std")]
            at: now().and_then(|now| now.checked_add(delay)),
        });
    }
}

#[cfg(feature = "std")]
fn now() -> Option<Instant> {
    let is_browser = cfg!(all(target_arch = "wasm32", target_os = "unknown"));
    (!is_browser).then(Instant::now)
}
