//! The state of a reconnecting stream, as in the standard.

use super::machine::State;

/// The state of a reconnecting stream as the standard numbers it.
///
/// ```
/// assert_eq!(everstream::ReadyState::Open as u8, 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadyState {
    /// An attempt to connect is in progress or will follow.
    Connecting = 0,
    /// A connection is open.
    Open = 1,
    /// There is no connection, and no attempt follows.
    Closed = 2,
}

impl From<State> for ReadyState {
    fn from(state: State) -> Self {
        match state {
            State::Idle | State::Connecting | State::Waiting => ReadyState::Connecting,
            State::Open => ReadyState::Open,
            State::Closed => ReadyState::Closed,
        }
    }
}
