//! A sleep that can be set, stopped and asked whether it is over.
//!
//! Invariant: an alarm that is not set never rings, and one that rang is not set.

use crate::timer::Timer;
use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

pub(super) struct Alarm<T: Timer> {
    /// Boxed because a sleep may be immovable while the stream it belongs to is
    /// not; the box is used over again.
    sleep: Option<Pin<Box<T::Sleep>>>,
    set: Option<Duration>,
}

impl<T: Timer> Alarm<T> {
    pub(super) fn new() -> Self {
        Alarm { sleep: None, set: None }
    }

    /// Sets the alarm anew, to ring after `duration` from now; or stops it, if
    /// there is none.
    pub(super) fn set(&mut self, duration: Option<Duration>, timer: &T) {
        self.set = duration;
        let Some(duration) = duration else {
            self.sleep = None;
            return;
        };
        let sleep = timer.sleep(duration);
        match &mut self.sleep {
            Some(place) => place.as_mut().set(sleep),
            None => self.sleep = Some(Box::pin(sleep)),
        }
    }

    pub(super) fn stop(&mut self) {
        self.set = None;
        self.sleep = None;
    }

    pub(super) fn is_set(&self) -> bool {
        self.set.is_some()
    }

    /// Whether the alarm rings: the time it was set to, once.
    pub(super) fn rings(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        let sleep = self.sleep.as_mut()?;
        match sleep.as_mut().poll(cx) {
            Poll::Ready(()) => {
                self.sleep = None;
                self.set.take()
            }
            Poll::Pending => None,
        }
    }
}
