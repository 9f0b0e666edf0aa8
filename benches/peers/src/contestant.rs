//! The parsers in the race, each behind the same small door: chunks in, events out.
//!
//! All get their chunks from the same source, as `Bytes` by value, which is what
//! an HTTP body gives; who only looks at a chunk drops it. Each is driven through
//! the fastest of its public ways; the modules say which one and why.

mod async_sse;
mod eventsource_stream;
mod eventsrc;
mod everstream;
mod sse_codec;
mod sse_core;
mod sse_parse;
mod sse_stream;
mod sseer;

use crate::consumer::{Consumer, Digest, Tally};
use crate::floor;
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

/// A parser, or a floor, that can run over a list of chunks.
pub(crate) trait Contestant {
    const NAME: &'static str;
    const ROLE: Role;

    /// Parses a stream from its start to its end, or to the first error, and hands
    /// over the events.
    fn run(chunks: impl Iterator<Item = Bytes>, consumer: &mut impl Consumer);
}

/// In what capacity something takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Ours(Face),
    Peer,
    /// Does a part of the work, so nothing that does all of it can expect to be
    /// faster. The best of them is the floor.
    Floor,
    /// Copies the bytes and does nothing else.
    Copy,
}

/// The two ways to use everstream.
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
    /// Empties the list.
    pub(crate) timed: fn(Drain<'_, Bytes>, &mut Tally),
    pub(crate) checked: fn(Guarded<'_>, &mut Digest),
}

impl Entry {
    fn of<C: Contestant>() -> Self {
        Entry {
            name: C::NAME,
            role: C::ROLE,
            timed: |chunks, tally| C::run(chunks, tally),
            checked: |chunks, digest| C::run(chunks, digest),
        }
    }
}

/// Everything that takes part: ours, the peers, the floors.
pub(crate) fn all() -> Vec<Entry> {
    vec![
        Entry::of::<everstream::Lending>(),
        Entry::of::<everstream::Owned>(),
        Entry::of::<sse_stream::SseStream>(),
        Entry::of::<sse_core::SseCore>(),
        Entry::of::<sse_parse::SseParse>(),
        Entry::of::<sseer::Sseer>(),
        Entry::of::<eventsrc::Eventsrc>(),
        Entry::of::<sse_codec::SseCodec>(),
        Entry::of::<async_sse::AsyncSse>(),
        Entry::of::<eventsource_stream::EventsourceStream>(),
        Entry::of::<floor::Memchr>(),
        Entry::of::<floor::Bitmaps>(),
        Entry::of::<floor::Copy>(),
    ]
}

/// A list of chunks that ends early once time is up, so that a parser which would
/// take hours does not.
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
        // The clock is a system call away.
        if self.given.is_multiple_of(64) && self.start.elapsed() > self.cap {
            return None;
        }
        self.given += 1;
        self.chunks.next()
    }
}

/// The chunks as a stream that never fails and never waits.
#[inline]
fn body(
    chunks: impl Iterator<Item = Bytes>,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Unpin {
    stream::iter(chunks.map(Ok))
}

/// Polls a stream until it ends or `each` breaks off. Its source never waits, so a
/// stream that says it would has only given way to others, of which there are none.
#[inline]
fn drain<S: Stream>(stream: S, mut each: impl FnMut(S::Item) -> ControlFlow<()>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_in_the_readme_are_those_of_the_lock_file() {
        let lock = include_str!("../Cargo.lock");
        let readme = include_str!("../README.md");
        for entry in all().iter().filter(|entry| entry.role == Role::Peer) {
            let (_, behind) = lock.split_once(&format!("name = \"{}\"\n", entry.name)).unwrap();
            let version = behind.split('"').nth(1).unwrap();
            assert!(readme.contains(&format!("| {} | {version} |", entry.name)), "{}", entry.name);
        }
    }
}
