//! A sleep that can be set, stopped and asked whether it is over.
//!
//! Invariant: an alarm that is not set never rings, and one that rang is not set.

use crate::timer::Timer;
use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use pin_project_lite::pin_project;

/// One word, since most alarms of most streams are not set.
pub(super) struct Alarm<T: Timer> {
    /// Boxed also because a sleep may be immovable while the stream it belongs to is
    /// not; the box is used over again.
    set: Option<Pin<Box<Set<T::Sleep>>>>,
}

pin_project! {
    struct Set<S> {
        #[pin]
        sleep: S,
        duration: Duration,
        // Whether it has been asked since it was set.
        was_asked: bool,
    }
}

impl<T: Timer> Alarm<T> {
    pub(super) fn new() -> Self {
        Alarm { set: None }
    }

    /// Sets the alarm anew, to ring after `duration` from now; or stops it, if
    /// there is none.
    pub(super) fn set(&mut self, duration: Option<Duration>, timer: &T) {
        let Some(duration) = duration else {
            self.set = None;
            return;
        };
        let set = Set { sleep: timer.sleep(duration), duration, was_asked: false };
        match &mut self.set {
            Some(place) => place.as_mut().set(set),
            None => self.set = Some(Box::pin(set)),
        }
    }

    pub(super) fn stop(&mut self) {
        self.set = None;
    }

    pub(super) fn is_set(&self) -> bool {
        self.set.is_some()
    }

    /// Whether the alarm rings: the time it was set to, once.
    pub(super) fn rings(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        let set = self.set.as_mut()?.as_mut().project();
        let duration = *set.duration;
        *set.was_asked = true;
        match set.sleep.poll(cx) {
            Poll::Ready(()) => {
                self.set = None;
                Some(duration)
            }
            Poll::Pending => None,
        }
    }

    /// The same, for who waits in vain. Who asks for the first time and finds that it
    /// rings has not waited but been away, and waits from now on.
    pub(super) fn rings_in_vain(&mut self, timer: &T, cx: &mut Context<'_>) -> Option<Duration> {
        let was_asked = self.set.as_ref()?.was_asked;
        let duration = self.rings(cx)?;
        if was_asked {
            return Some(duration);
        }
        self.set(Some(duration), timer);
        self.rings(cx)
    }
}
