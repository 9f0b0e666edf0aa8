//! Reads streams in chunks of each size, with the borrowing parser, with owned events and with the
//! reader. The events must equal those of a byte-by-byte reading.
//!
//! `EVERSTREAM_SWEEP=1` reads them in each size from 1 to 140,000 bytes, which takes an optimised
//! build a minute or two. Otherwise one in some thousand sizes is used.

use std::convert::Infallible;
use std::env;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::thread;

use bytes::Bytes;
use everstream::{EventStream, Frame, OwnedFrame, Parser};
use futures_util::{FutureExt, StreamExt, stream};

const LARGEST: usize = 140_000;

/// The number of events of a stream, and a hash of their contents.
type Digest = (u64, u64);

#[derive(Default)]
struct Events(u64, DefaultHasher);

impl Events {
    fn add(&mut self, event: &str, data: &str, id: &str) {
        self.0 += 1;
        (event, data, id).hash(&mut self.1);
    }

    fn digest(self) -> Digest {
        (self.0, self.1.finish())
    }
}

fn borrowed(bytes: &Bytes, size: usize) -> Digest {
    let (mut parser, mut events) = (Parser::new(), Events::default());
    for chunk in bytes.chunks(size) {
        let mut frames = parser.feed(chunk);
        while let Some(frame) = frames.next() {
            let Frame::Message(event) = frame else { panic!("{frame:?}") };
            events.add(event.event(), event.data(), event.id());
        }
    }
    events.digest()
}

fn owned(bytes: &Bytes, size: usize) -> Digest {
    let chunks = (0..bytes.len()).step_by(size);
    let chunks = chunks.map(|at| Ok::<_, Infallible>(bytes.slice(at..bytes.len().min(at + size))));
    let mut frames = EventStream::new(stream::iter(chunks));
    let mut events = Events::default();
    loop {
        match frames.next().now_or_never() {
            None => {} // it makes room for other tasks
            Some(None) => return events.digest(),
            Some(Some(Ok(OwnedFrame::Message(event)))) => {
                events.add(event.event(), event.data(), event.id());
            }
            Some(frame) => panic!("{frame:?}"),
        }
    }
}

/// Returns three streams that are longer than the largest chunk: tiny events, events with IDs, and
/// a long line between small events.
fn streams() -> [Bytes; 3] {
    let tiny = b"data: x\n\n".repeat(LARGEST / 9 + 10);
    let with_ids = (0..LARGEST / 16).flat_map(|n| format!("id: {n}\ndata: {n}\n\n").into_bytes());
    let mut line = b"data: first\n\ndata: ".to_vec();
    line.resize(LARGEST - 20, b'x');
    line.extend_from_slice(b"\n\nid: 1\ndata: last\n\ndata: q\n\n");
    [tiny.into(), with_ids.collect(), line.into()]
}

fn check(read: fn(&Bytes, usize) -> Digest, first: usize, step: usize) {
    for bytes in streams() {
        let wanted = borrowed(&bytes, 1);
        for size in (first..=LARGEST).step_by(step) {
            assert_eq!(read(&bytes, size), wanted, "chunks of {size} bytes");
        }
    }
}

#[test]
fn a_stream_gives_the_same_events_in_chunks_of_any_size() {
    let all = env::var_os("EVERSTREAM_SWEEP").is_some();
    thread::scope(|scope| {
        for half in 0..2 {
            scope.spawn(move || {
                let (first, step) = if all { (1 + half, 2) } else { (1 + half * 4_000, 9_973) };
                check(borrowed, first, step);
                check(owned, first, step);
            });
        }
    });
}

#[cfg(feature = "futures-io")]
#[test]
fn a_reader_gives_the_same_events_in_reads_of_any_size() {
    use everstream::EventReader;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    /// A reader that returns at most this many bytes per read.
    struct Reads<'a>(&'a [u8], usize);

    impl futures_io::AsyncRead for Reads<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut [u8],
        ) -> Poll<std::io::Result<usize>> {
            let length = self.1.min(buffer.len()).min(self.0.len());
            let (read, rest) = self.0.split_at(length);
            buffer[..length].copy_from_slice(read);
            self.0 = rest;
            Poll::Ready(Ok(length))
        }
    }

    let step = if env::var_os("EVERSTREAM_SWEEP").is_some() { 7 } else { 4_999 };
    for bytes in streams() {
        let wanted = borrowed(&bytes, 1);
        // A read returns at most 16 KiB.
        for size in (1..16_400).step_by(step) {
            let mut frames = EventReader::new(Reads(&bytes, size));
            let mut events = Events::default();
            loop {
                match frames.next().now_or_never() {
                    None => {}
                    Some(None) => break,
                    Some(Some(Ok(OwnedFrame::Message(event)))) => {
                        events.add(event.event(), event.data(), event.id());
                    }
                    Some(frame) => panic!("{frame:?}"),
                }
            }
            assert_eq!(events.digest(), wanted, "reads of {size} bytes");
        }
    }
}
