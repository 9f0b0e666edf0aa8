//! The transitions of a reconnecting stream: `(state, input) -> action`. It uses no future, no
//! clock and no connection, so a simulation can run millions of histories. Every transition is in
//! this file.
//!
//! ```text
//!           Start             Opened              Lost
//!  Idle ───────────▶ Connecting ──────▶ Open ─────────────┐
//!   ▲ ▲               │  ▲     │                          ▼
//!   │ └─ Force ─ any  │  │     └──────── Lost ────────▶ Waiting
//!   │                 │  └── Start (the delay is over) ───┘
//!  Closed ◀───────────┴── Close, OutageOver, or a loss after which no attempt follows
//! ```
//!
//! Invariants:
//! - Only `Start` returns `Connect`, and only in `Idle` and `Waiting`. So there are never two
//!   connections.
//! - An action names the state that it leads to. An input that does not fit the state
//!   changes nothing.

use crate::retry::{DisconnectKind, RetryContext, RetryPolicy};
use core::time::Duration;

/// The state of a reconnecting stream. See [`Machine`] for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// The next poll starts an attempt.
    Idle,
    /// An attempt is in progress.
    Connecting,
    /// A connection is open.
    Open,
    /// An attempt follows after a delay.
    Waiting,
    /// The stream is over, unless it is forced to reconnect.
    Closed,
}

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

/// An input of the [`Machine`]. See [`Machine`] for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The stream is polled, or its delay is over.
    Start,
    /// The connection is open.
    Opened,
    /// An event arrived on the open connection.
    Event {
        /// The number of the event on this connection, from 1.
        number: u64,
        /// True if the event set a new last event ID.
        has_new_id: bool,
    },
    /// The connection has been open for the policy's minimum uptime.
    Uptime,
    /// The connection broke, ended or could not be opened.
    Lost(Loss),
    /// The outage has lasted too long.
    OutageOver,
    /// The owner or a handle closes the stream.
    Close,
    /// The owner or a handle forces a reconnection.
    Force,
}

/// The facts about a lost connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// The way in which it was lost.
    pub kind: DisconnectKind,
    /// True if the server ended the body cleanly. If the stream may not reconnect, it ends without
    /// an error then.
    pub is_clean: bool,
    /// True if another connection may follow.
    pub may_repeat: bool,
    /// True if the connector asks for another attempt at once.
    pub retry_now: bool,
    /// The number of events that it delivered.
    pub events: u64,
    /// The server's last `retry:` field.
    pub server_retry: Option<Duration>,
    /// The `Retry-After` of the response that refused the connection.
    pub retry_after: Option<Duration>,
}

impl Loss {
    /// Creates a loss of this kind, of a connection that may be repeated.
    pub const fn new(kind: DisconnectKind) -> Self {
        Loss {
            kind,
            is_clean: matches!(kind, DisconnectKind::Ended),
            may_repeat: true,
            retry_now: false,
            events: 0,
            server_retry: None,
            retry_after: None,
        }
    }
}

/// The action that the [`Machine`] returns for an [`Input`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Stay in this state.
    Stay,
    /// Start an attempt to connect.
    Connect,
    /// Read from the connection.
    Open,
    /// Reconnect after the delay.
    Wait {
        /// The delay.
        delay: Duration,
        /// The number of the attempt that follows, from 1.
        attempt: u32,
    },
    /// End the stream with an error: the policy gave up.
    GiveUp {
        /// The number of reconnections in a row.
        attempts: u32,
    },
    /// End the stream with an error: the stream may not reconnect.
    Fail,
    /// End the stream.
    Close,
    /// Connect at the next poll.
    Restart,
}

impl Action {
    /// Returns the next state; `None` if the state stays.
    pub const fn next(self) -> Option<State> {
        match self {
            Action::Stay => None,
            Action::Connect => Some(State::Connecting),
            Action::Open => Some(State::Open),
            Action::Wait { .. } => Some(State::Waiting),
            Action::GiveUp { .. } | Action::Fail | Action::Close => Some(State::Closed),
            Action::Restart => Some(State::Idle),
        }
    }
}

/// The state machine of [`Reconnect`](super::Reconnect). The caller holds the current state, so it
/// is stored once.
///
/// ```
/// use everstream::reconnect::{Action, Input, Loss, Machine, State};
/// use everstream::{Backoff, DisconnectKind, Jitter};
/// use std::time::Duration;
///
/// let mut policy = Backoff::new().with_jitter(Jitter::none());
/// let mut machine = Machine::new();
/// assert_eq!(machine.on(State::Idle, Input::Start, &mut policy), Action::Connect);
/// assert_eq!(machine.on(State::Connecting, Input::Opened, &mut policy), Action::Open);
/// let lost = Input::Lost(Loss::new(DisconnectKind::Ended));
/// let wait = machine.on(State::Open, lost, &mut policy);
/// assert_eq!(wait, Action::Wait { delay: Duration::from_secs(3), attempt: 1 });
/// assert_eq!(wait.next(), Some(State::Waiting));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// The number of reconnections since a connection was last healthy.
    attempts: u32,
    /// Set once the open connection is healthy.
    proven: bool,
    was_open: bool,
    /// Set once an attempt followed at once since a connection was last healthy.
    went_again: bool,
    /// The most events of a connection since the last progress by an ID or by uptime.
    most_events: u64,
}

impl Machine {
    /// Creates a machine at its start.
    pub fn new() -> Self {
        Machine::default()
    }

    /// Returns whether any connection has been open.
    #[inline]
    pub fn was_open(&self) -> bool {
        self.was_open
    }

    /// Returns whether the open connection is healthy.
    #[inline]
    pub fn is_proven(&self) -> bool {
        self.proven
    }

    /// Returns the number of reconnections since a connection was last healthy.
    #[inline]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Processes an input in this state and returns the action.
    pub fn on(
        &mut self,
        state: State,
        input: Input,
        policy: &mut (impl RetryPolicy + ?Sized),
    ) -> Action {
        match (state, input) {
            (State::Idle | State::Waiting, Input::Start) => Action::Connect,
            (State::Connecting, Input::Opened) => {
                self.was_open = true;
                Action::Open
            }
            (State::Open, Input::Event { number, has_new_id }) => {
                // A server that replays the same events to each connection makes no progress.
                let is_more = number > self.most_events;
                if has_new_id {
                    self.most_events = 0;
                }
                if has_new_id || is_more {
                    self.prove();
                }
                Action::Stay
            }
            (State::Open, Input::Uptime) => {
                self.most_events = 0;
                self.prove();
                Action::Stay
            }
            (State::Connecting, Input::Lost(loss)) if loss.retry_now && !self.went_again => {
                self.went_again = true;
                self.attempts = self.attempts.saturating_add(1);
                Action::Wait { delay: Duration::ZERO, attempt: self.attempts }
            }
            (State::Connecting | State::Open, Input::Lost(loss)) => self.lose(&loss, policy),
            (State::Connecting | State::Open | State::Waiting, Input::OutageOver) => {
                // The attempt after the delay did not start, so it does not count.
                let waited_for = u32::from(state == State::Waiting);
                self.proven = false;
                Action::GiveUp { attempts: self.attempts.saturating_sub(waited_for) }
            }
            (State::Idle | State::Connecting | State::Open | State::Waiting, Input::Close) => {
                self.proven = false;
                Action::Close
            }
            (_, Input::Force) => {
                *self = Machine { was_open: self.was_open, ..Machine::new() };
                Action::Restart
            }
            _ => Action::Stay,
        }
    }

    fn prove(&mut self) {
        self.proven = true;
        self.attempts = 0;
        self.went_again = false;
    }

    fn lose(&mut self, loss: &Loss, policy: &mut (impl RetryPolicy + ?Sized)) -> Action {
        let healthy = core::mem::take(&mut self.proven);
        self.most_events = self.most_events.max(loss.events);
        if !loss.may_repeat {
            return if loss.is_clean { Action::Close } else { Action::Fail };
        }
        let attempt = self.attempts.saturating_add(1);
        let mut context = RetryContext::new(attempt, loss.kind);
        context.healthy = healthy;
        context.events = loss.events;
        context.server_retry = loss.server_retry;
        context.retry_after = loss.retry_after;
        match policy.next_delay(&context) {
            Some(delay) => {
                self.attempts = attempt;
                Action::Wait { delay, attempt }
            }
            None => Action::GiveUp { attempts: self.attempts },
        }
    }
}
