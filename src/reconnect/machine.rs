//! The life of a reconnecting stream, as a pure machine: `(state, input) ->
//! action`. It knows no future, no clock and no connection, so a simulation can
//! drive it through millions of histories. Every transition is in this file.
//!
//! ```text
//!           Start             Opened              Lost
//!  Idle ───────────▶ Connecting ──────▶ Open ─────────────┐
//!   ▲ ▲               │  ▲     │                          ▼
//!   │ └─ Force ─ any  │  │     └──── Lost, Again ─────▶ Waiting
//!   │                 │  └── Start (the delay is over) ───┘
//!  Closed ◀───────────┴── Close, OutageOver, or a loss that the policy gives up on
//! ```
//!
//! Invariants:
//! - `Connect` is only ever the answer to `Start`, and only `Idle` and `Waiting`
//!   take it: there are never two connections.
//! - What does not fit the state changes nothing.

use crate::retry::{DisconnectKind, RetryContext, RetryPolicy};
use core::time::Duration;

/// Where a reconnecting stream is in its life.
///
/// ```
/// use everstream::reconnect::{Machine, State};
///
/// assert_eq!(Machine::new().state(), State::Idle);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// To connect as soon as it is polled.
    Idle,
    /// A connection is being made.
    Connecting,
    /// A connection is open.
    Open,
    /// To connect again once a delay is over.
    Waiting,
    /// Nothing more happens unless it is forced to reconnect.
    Closed,
}

/// What happens to a reconnecting stream.
///
/// See [`Machine`] for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// It is polled, or its delay is over.
    Start,
    /// The connection stands.
    Opened,
    /// An event arrived, or the connection has lived long enough.
    Proven,
    /// The connection broke, ended or never came about.
    Lost {
        /// How.
        kind: DisconnectKind,
        /// The server's last `retry:` field.
        server_retry: Option<Duration>,
        /// The `Retry-After` of the response that refused the connection.
        retry_after: Option<Duration>,
    },
    /// The connection did not come about, and another is to be made at once. Only taken
    /// if [`Machine::may_go_again`].
    Again,
    /// The outage has lasted too long.
    OutageOver,
    /// It is not to go on, for whatever reason.
    Close,
    /// It is to connect anew, at once.
    Force,
}

/// What is to be done about an [`Input`].
///
/// See [`Machine`] for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Nothing,
    /// Make a connection.
    Connect,
    /// Give up what there was of a connection; connect again after the delay.
    Wait {
        /// The delay.
        delay: Duration,
        /// The number of the reconnection that follows it, from 1, since a
        /// connection last proved itself.
        attempt: u32,
    },
    /// Give up what there was of a connection.
    Stop,
    /// Give up for good.
    GiveUp {
        /// How many reconnections were made since a connection proved itself.
        attempts: u32,
    },
}

/// The machine behind [`Reconnect`](super::Reconnect).
///
/// ```
/// use everstream::reconnect::{Action, Input, Machine, State};
/// use everstream::{Backoff, Jitter, DisconnectKind};
/// use std::time::Duration;
///
/// let mut policy = Backoff::new().with_jitter(Jitter::none());
/// let mut machine = Machine::new();
/// assert_eq!(machine.on(Input::Start, &mut policy), Action::Connect);
/// assert_eq!(machine.on(Input::Opened, &mut policy), Action::Nothing);
/// assert_eq!(machine.state(), State::Open);
/// let lost = Input::Lost { kind: DisconnectKind::Ended, server_retry: None, retry_after: None };
/// assert_eq!(
///     machine.on(lost, &mut policy),
///     Action::Wait { delay: Duration::from_secs(3), attempt: 1 }
/// );
/// ```
#[derive(Debug, Clone)]
pub struct Machine {
    state: State,
    /// Reconnections in a row since a connection last proved itself.
    attempts: u32,
    /// Whether this connection proved itself.
    proven: bool,
    was_open: bool,
    /// Whether one was made at once since a connection last proved itself.
    went_again: bool,
}

impl Machine {
    /// A machine in [`State::Idle`].
    ///
    /// ```
    /// let machine = everstream::reconnect::Machine::new();
    /// ```
    pub const fn new() -> Self {
        Machine {
            state: State::Idle,
            attempts: 0,
            proven: false,
            was_open: false,
            went_again: false,
        }
    }

    /// Where it is. See [`Machine`] for an example.
    #[inline]
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether any connection has been open.
    ///
    /// ```
    /// assert!(!everstream::reconnect::Machine::new().was_open());
    /// ```
    #[inline]
    pub fn was_open(&self) -> bool {
        self.was_open
    }

    /// Whether the connection that is open has proved itself.
    ///
    /// ```
    /// assert!(!everstream::reconnect::Machine::new().is_proven());
    /// ```
    #[inline]
    pub fn is_proven(&self) -> bool {
        self.proven
    }

    /// Whether a connection that does not come about may be followed by one at once:
    /// one may, until a connection proves itself.
    ///
    /// ```
    /// assert!(everstream::reconnect::Machine::new().may_go_again());
    /// ```
    #[inline]
    pub fn may_go_again(&self) -> bool {
        !self.went_again
    }

    /// How many reconnections there were since a connection last proved itself.
    ///
    /// ```
    /// assert_eq!(everstream::reconnect::Machine::new().attempts(), 0);
    /// ```
    #[inline]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Takes `input` and says what is to be done. An input that does not fit the
    /// state changes nothing. See [`Machine`] for an example.
    pub fn on(&mut self, input: Input, policy: &mut (impl RetryPolicy + ?Sized)) -> Action {
        match (self.state, input) {
            (State::Idle | State::Waiting, Input::Start) => {
                self.state = State::Connecting;
                Action::Connect
            }
            (State::Connecting, Input::Opened) => {
                self.state = State::Open;
                self.was_open = true;
                Action::Nothing
            }
            (State::Open, Input::Proven) => {
                self.proven = true;
                self.attempts = 0;
                self.went_again = false;
                Action::Nothing
            }
            (State::Connecting | State::Open, Input::Lost { kind, server_retry, retry_after }) => {
                self.lose(kind, server_retry, retry_after, policy)
            }
            (State::Connecting, Input::Again) if !self.went_again => {
                self.state = State::Waiting;
                self.went_again = true;
                self.attempts = self.attempts.saturating_add(1);
                Action::Wait { delay: Duration::ZERO, attempt: self.attempts }
            }
            (State::Connecting | State::Open | State::Waiting, Input::OutageOver) => {
                // The one that is waited for was not made.
                let waited_for = u32::from(self.state == State::Waiting);
                self.state = State::Closed;
                self.proven = false;
                Action::GiveUp { attempts: self.attempts - waited_for.min(self.attempts) }
            }
            (State::Idle | State::Connecting | State::Open | State::Waiting, Input::Close) => {
                self.state = State::Closed;
                self.proven = false;
                Action::Stop
            }
            (_, Input::Force) => {
                self.state = State::Idle;
                self.proven = false;
                self.attempts = 0;
                self.went_again = false;
                Action::Stop
            }
            _ => Action::Nothing,
        }
    }

    fn lose(
        &mut self,
        kind: DisconnectKind,
        server_retry: Option<Duration>,
        retry_after: Option<Duration>,
        policy: &mut (impl RetryPolicy + ?Sized),
    ) -> Action {
        let attempt = self.attempts.saturating_add(1);
        let mut context = RetryContext::new(attempt, kind).with_healthy(self.proven);
        context.server_retry = server_retry;
        context.retry_after = retry_after;
        self.proven = false;
        match policy.next_delay(&context) {
            Some(delay) => {
                self.state = State::Waiting;
                self.attempts = attempt;
                Action::Wait { delay, attempt }
            }
            None => {
                self.state = State::Closed;
                Action::GiveUp { attempts: self.attempts }
            }
        }
    }
}

impl Default for Machine {
    fn default() -> Self {
        Machine::new()
    }
}
