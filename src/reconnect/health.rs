//! The health of a reconnecting stream.

use super::machine::{Action, ReadyState};
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
    /// The state, or the state that the last order leads to.
    pub state: ReadyState,
    /// The number of changes of the state since the first handle was created.
    pub changes: u64,
    /// The time of the last change of the state, or of the creation of the first handle. `None` in
    /// the browser, where `Instant` is not available.
    #[cfg(feature = "std")]
    pub since: Option<Instant>,
    /// The kind of the last lost connection since the first handle was created.
    pub last_loss: Option<DisconnectKind>,
    /// The reason for the last loss as text. `None` for an error that the
    /// [connector](super::Connect::describe) does not describe.
    pub last_reason: Option<Arc<str>>,
    /// The attempt that the stream waits for.
    pub next_attempt: Option<NextAttempt>,
}

/// The attempt that a reconnecting stream waits for. See [`Health`] for an example.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextAttempt {
    /// The number of reconnections since a connection was last [healthy](crate::RetryContext), this
    /// one included.
    pub number: u32,
    /// The delay from the loss to the attempt.
    pub delay: Duration,
    /// The time of the attempt. `None` if the clock cannot represent it.
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

    /// Records the state that an action led to, and the attempt that the stream waits for.
    pub(super) fn enter(&mut self, state: ReadyState, action: Action) {
        self.next_attempt = match action {
            Action::Wait { delay, attempt } => Some(NextAttempt {
                number: attempt,
                delay,
                #[cfg(feature = "std")]
                at: now().and_then(|now| now.checked_add(delay)),
            }),
            _ => None,
        };
        if self.state != state {
            self.state = state;
            self.changes += 1;
            #[cfg(feature = "std")]
            (self.since = now());
        }
    }
}

#[cfg(feature = "std")]
fn now() -> Option<Instant> {
    let is_browser = cfg!(all(target_arch = "wasm32", target_os = "unknown"));
    (!is_browser).then(Instant::now)
}
