//! The interface of a parser in the race: chunks in, events out.

use crate::consumer::{Consumer, Digest, Tally};
use bytes::Bytes;
use cpu_time::ThreadTime;
use futures_util::Stream;
use futures_util::stream;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use std::vec::Drain;

/// A parser or a floor, which runs over a list of chunks.
pub(crate) trait Contestant {
    const NAME: &'static str;
    const ROLE: Role;

    /// Parses a stream to its end or to the first error, and passes the events to the consumer.
    fn run(chunks: impl Iterator<Item = Bytes>, consumer: &mut impl Consumer);
}

/// The role of a contestant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Ours(Face),
    Peer,
    /// It does a part of the work, so no parser can be faster. The fastest of them is the floor.
    Floor,
    /// It only copies the bytes.
    Copy,
}

/// The two parsers of everstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    Lending,
    Owned,
}

impl Face {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Face::Lending => "lending",
            Face::Owned => "owned",
        }
    }
}

/// A contestant as a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// Runs over the list, which it empties.
    pub(crate) timed: fn(Drain<'_, Bytes>, &mut Tally),
    pub(crate) checked: fn(Guarded<'_>, &mut Digest),
}

impl Entry {
    pub(crate) fn of<C: Contestant>() -> Self {
        Entry {
            name: C::NAME,
            role: C::ROLE,
            timed: |chunks, tally| C::run(chunks, tally),
            checked: |chunks, digest| C::run(chunks, digest),
        }
    }
}

/// A list of chunks that ends early after a time limit, because some parsers would take hours.
#[derive(Debug)]
pub(crate) struct Guarded<'a> {
    chunks: Drain<'a, Bytes>,
    start: ThreadTime,
    cap: Duration,
    given: usize,
}

impl<'a> Guarded<'a> {
    pub(crate) fn new(chunks: Drain<'a, Bytes>, cap: Duration) -> Self {
        Guarded { chunks, start: ThreadTime::now(), cap, given: 0 }
    }
}

impl Iterator for Guarded<'_> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        // Reading the clock takes a system call.
        if self.given.is_multiple_of(64) && self.start.elapsed() > self.cap {
            return None;
        }
        self.given += 1;
        self.chunks.next()
    }
}

/// Returns the chunks as a stream that never fails and is never pending.
#[inline]
pub(crate) fn body(
    chunks: impl Iterator<Item = Bytes>,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Unpin {
    stream::iter(chunks.map(Ok))
}

/// Polls a stream until it ends or `each` breaks. The source is never pending, so a pending stream
/// only yielded to other tasks, and there are none.
#[inline]
pub(crate) fn drain<S: Stream>(stream: S, mut each: impl FnMut(S::Item) -> ControlFlow<()>) {
    let mut stream = pin!(stream);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match stream.as_mut().poll_next(&mut context) {
            Poll::Ready(Some(item)) => {
                if each(item).is_break() {
                    return;
                }
            }
            Poll::Ready(None) => return,
            Poll::Pending => {}
        }
    }
}
