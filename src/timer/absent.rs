//! The replacement of a runtime that is not compiled: it is never available.

use super::TimerError;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

/// A sleep that cannot exist.
#[derive(Debug)]
pub(super) enum Absent {}

// The names that the modules of the runtimes give their sleeps.
pub(super) use Absent as Running;
pub(super) use Absent as SmolSleep;
pub(super) use Absent as WebSleep;

impl Absent {
    pub(super) fn is_at_home(&self) -> bool {
        match *self {}
    }

    pub(super) fn restart(&mut self, _: Duration) -> bool {
        match *self {}
    }
}

impl Future for Absent {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        match *self {}
    }
}

pub(super) fn around(_: Duration) -> Option<Result<Absent, TimerError>> {
    None
}

pub(super) fn anywhere(_: Duration) -> Option<Absent> {
    None
}

pub(super) const IS_THERE: bool = false;

pub(super) fn is_around() -> bool {
    false
}
