//! An alarm: a sleep that can be set, stopped and polled. A clock: the timer of an alarm.
//!
//! Invariant: only an alarm that is set can ring, and ringing stops it.

use crate::timer::{Timer, TimerError};
use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use pin_project_lite::pin_project;

/// A timer and the error that it last reported.
pub(super) struct Clock<T> {
    timer: T,
    /// Boxed because most timers never fail.
    error: Option<Box<TimerError>>,
}

impl<T: Timer> Clock<T> {
    pub(super) fn new(timer: T) -> Self {
        Clock { timer, error: None }
    }

    /// Returns whether the timer can measure time. If not, its error is recorded.
    pub(super) fn works(&mut self) -> bool {
        self.sleep(Duration::ZERO).is_some()
    }

    pub(super) fn has_error(&self) -> bool {
        self.error.is_some()
    }

    pub(super) fn take_error(&mut self) -> Option<TimerError> {
        self.error.take().map(|error| *error)
    }

    fn sleep(&mut self, duration: Duration) -> Option<T::Sleep> {
        let sleep = self.timer.try_sleep(duration);
        self.checked(sleep)
    }

    /// Returns the result of the timer, or records its error.
    fn checked<R>(&mut self, result: Result<R, TimerError>) -> Option<R> {
        result.map_err(|error| self.error = Some(Box::new(error))).ok()
    }
}

/// An alarm. It takes one word, because most alarms are not set.
pub(super) struct Alarm<T: Timer> {
    /// Boxed because the stream is movable and a sleep may not be. The box is reused.
    set: Option<Pin<Box<Set<T::Sleep>>>>,
}

pin_project! {
    struct Set<S> {
        #[pin]
        sleep: S,
        duration: Duration,
        // Set after the first poll.
        was_polled: bool,
    }
}

impl<T: Timer> Alarm<T> {
    pub(super) fn unset() -> Self {
        Alarm { set: None }
    }

    /// Creates an alarm that rings after `duration`; `None` for one that never rings.
    pub(super) fn new(duration: Option<Duration>, clock: &mut Clock<T>) -> Self {
        let mut alarm = Alarm::unset();
        alarm.set(duration, clock);
        alarm
    }

    /// Sets the alarm to ring `duration` from now, or stops it if there is none.
    pub(super) fn set(&mut self, duration: Option<Duration>, clock: &mut Clock<T>) {
        self.set = duration.and_then(|duration| {
            let Some(mut set) = self.set.take() else {
                let sleep = clock.sleep(duration)?;
                return Some(Box::pin(Set { sleep, duration, was_polled: false }));
            };
            let parts = set.as_mut().project();
            (*parts.duration, *parts.was_polled) = (duration, false);
            let restarted = clock.timer.restart(parts.sleep, duration);
            clock.checked(restarted).map(|()| set)
        });
    }

    pub(super) fn is_set(&self) -> bool {
        self.set.is_some()
    }

    /// Returns the duration of the alarm, once, if it rings.
    pub(super) fn rings(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        let set = self.set.as_mut()?.as_mut().project();
        let duration = *set.duration;
        *set.was_polled = true;
        match set.sleep.poll(cx) {
            Poll::Ready(()) => {
                self.set = None;
                Some(duration)
            }
            Poll::Pending => None,
        }
    }

    /// Returns the duration of the alarm if it rings and was polled before. If the stream was not
    /// polled since the alarm was set, the alarm restarts.
    pub(super) fn rings_after_poll(
        &mut self,
        clock: &mut Clock<T>,
        cx: &mut Context<'_>,
    ) -> Option<Duration> {
        let was_polled = self.set.as_ref()?.was_polled;
        let duration = self.rings(cx)?;
        if was_polled {
            return Some(duration);
        }
        self.set(Some(duration), clock);
        self.rings(cx)
    }
}
