//! A runtime that is left out: it is not around, nor anywhere else.

use super::TimerError;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

/// There is none.
#[derive(Debug)]
pub(super) enum Absent {}

// As the runtimes call their sleeps.
pub(super) use Absent as Running;
pub(super) use Absent as SmolSleep;
pub(super) use Absent as WebSleep;

impl Absent {
    pub(super) fn is_at_home(&self) -> bool {
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

pub(super) fn is_around() -> bool {
    false
}
