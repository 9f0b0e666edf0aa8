//! The phase of a reconnecting stream: the state, with the future or the body and the alarms that
//! belong to it.

use super::alarm::{Alarm, Clock};
use super::connect::{Connect, Connection};
use super::event::Reason;
use super::machine::State;
use crate::timer::Timer;
use alloc::boxed::Box;
use core::pin::Pin;
use core::task::Context;
use core::time::Duration;

/// The state and its data. Futures and bodies are boxed, so that the stream is `Unpin`.
pub(super) enum Phase<C: Connect, T: Timer> {
    /// It may hold the connection that the stream begins with.
    Idle(Option<Box<Connection<C::Head, C::Body>>>),
    Connecting {
        future: Pin<Box<C::Connecting>>,
        open_timeout: Alarm<T>,
    },
    Open(Open<C, T>),
    Waiting {
        delay: Alarm<T>,
    },
    Closed,
}

impl<C: Connect, T: Timer> Phase<C, T> {
    #[inline]
    pub(super) fn state(&self) -> State {
        match self {
            Phase::Idle(_) => State::Idle,
            Phase::Connecting { .. } => State::Connecting,
            Phase::Open(_) => State::Open,
            Phase::Waiting { .. } => State::Waiting,
            Phase::Closed => State::Closed,
        }
    }
}

pub(super) struct Open<C: Connect, T: Timer> {
    pub(super) body: Pin<Box<C::Body>>,
    /// Rings at the policy's minimum uptime, which makes the connection healthy.
    pub(super) health_timer: Alarm<T>,
    pub(super) idle_timeout: Alarm<T>,
    pub(super) event_timeout: Alarm<T>,
    /// Set if the event timeout rang while unread data was left, and was restarted.
    pub(super) is_overdue: bool,
}

impl<C: Connect, T: Timer> Open<C, T> {
    /// Returns the timeout that has run out.
    #[inline]
    pub(super) fn timed_out(
        &mut self,
        clock: &mut Clock<T>,
        cx: &mut Context<'_>,
    ) -> Option<Reason<C::Error>> {
        if let Some(time) = self.idle_timeout.rings_after_poll(clock, cx) {
            return Some(Reason::IdleTimeout(time));
        }
        self.event_timeout.rings_after_poll(clock, cx).map(Reason::EventTimeout)
    }

    /// Restarts the event timeout once if it rings, because unread data may contain an event.
    #[cold]
    pub(super) fn extend_event_timeout(
        &mut self,
        limit: Option<Duration>,
        clock: &mut Clock<T>,
        cx: &mut Context<'_>,
    ) {
        if !self.is_overdue && self.event_timeout.rings(cx).is_some() {
            self.is_overdue = true;
            self.event_timeout.set(limit, clock);
        }
    }
}
