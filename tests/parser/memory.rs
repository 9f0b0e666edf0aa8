//! Tests of the memory that both parsers hold, and of the facts that they keep of dropped lines.
//!
//! The allocator of `support/thread_heap.rs` counts the bytes of each thread, so of each test. The
//! event limit is the default, 16 MiB. The bounds here are far below it.

use std::convert::Infallible;
use std::iter;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use everstream::{EventStream, Frame, OwnedFrame, Parser};
use futures_util::{FutureExt, Stream, StreamExt, stream};

use crate::support::chunking::{discarded, feed, message, next_ready, seen_owned};
use crate::support::heap::Heap;
use crate::support::model::Seen;
use crate::support::thread_heap::ALLOCATIONS;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Returns the maximum bytes that a parser holds for an endless line or block in chunks of `size`
/// bytes, if it need keep nothing of it. It may hold a chunk, and a partial block.
const fn bound(size: usize) -> usize {
    size + 48 * KIB
}

/// The settings of both parsers.
#[derive(Debug, Clone, Copy, Default)]
struct Settings {
    comments: bool,
    updates: bool,
}

const PLAIN: Settings = Settings { comments: false, updates: false };
const WITH_COMMENTS: Settings = Settings { comments: true, updates: false };
const WITH_UPDATES: Settings = Settings { comments: false, updates: true };

/// The result of reading chunks with one parser.
struct Reading {
    parser: &'static str,
    frames: usize,
    last: Option<Seen>,
    /// Bytes that the parser holds after the last chunk.
    live: isize,
    /// Maximum bytes that were held at a time. Frames are dropped when the next one comes.
    peak: isize,
    is_mid_event: bool,
}

impl Reading {
    #[track_caller]
    fn assert_live_below(&self, bound: usize) {
        let Reading { parser, live, .. } = self;
        assert!(*live < bound as isize, "{parser} holds {live} bytes, not less than {bound}");
    }

    #[track_caller]
    fn assert_peak_below(&self, bound: usize) {
        let Reading { parser, peak, .. } = self;
        assert!(*peak < bound as isize, "{parser} held {peak} bytes, not less than {bound}");
    }
}

/// Reads chunks with [`Parser`] and with [`EventStream`]. The chunks are allocated in advance, so
/// only the parsers are counted.
fn read(chunks: &[Bytes], settings: Settings) -> [Reading; 2] {
    [read_borrowed(chunks, settings), read_owned(chunks, settings)]
}

fn read_borrowed(chunks: &[Bytes], settings: Settings) -> Reading {
    let heap = Heap::measure();
    let (mut frames, mut last) = (0, None);
    let mut parser = Parser::new().with_comments(settings.comments).with_updates(settings.updates);
    for chunk in chunks {
        let seen = feed(&mut parser, chunk);
        frames += seen.len();
        last = seen.into_iter().next_back().or(last);
    }
    let (live, peak) = (heap.live(), heap.peak());
    Reading { parser: "Parser", frames, last, live, peak, is_mid_event: parser.is_mid_event() }
}

fn read_owned(chunks: &[Bytes], settings: Settings) -> Reading {
    let heap = Heap::measure();
    let (mut frames, mut last) = (0, None);
    let source = stream::iter(chunks.iter().cloned().map(Ok::<_, Infallible>));
    let mut events =
        EventStream::new(source).with_comments(settings.comments).with_updates(settings.updates);
    while let Some(Ok(frame)) = next_ready(&mut events) {
        frames += 1;
        last = Some(seen_owned(frame));
    }
    let (live, peak) = (heap.live(), heap.peak());
    let is_mid_event = events.is_mid_event();
    Reading { parser: "EventStream", frames, last, live, peak, is_mid_event }
}

/// Cuts a stream into chunks of that size.
fn chunks(bytes: impl AsRef<[u8]>, size: usize) -> Vec<Bytes> {
    bytes.as_ref().chunks(size).map(Bytes::copy_from_slice).collect()
}

/// Returns `start`, then `filler` without an end, in chunks of about `size` bytes. A parser that
/// keeps it holds 4 times the [`bound`].
fn endless(start: &str, filler: &str, size: usize) -> Vec<Bytes> {
    let chunk = Bytes::from(filler.repeat(size.div_ceil(filler.len())));
    let start = Bytes::copy_from_slice(start.as_bytes());
    let count = 4 * bound(size) / chunk.len();
    iter::once(start).chain(iter::repeat_n(chunk, count)).collect()
}

/// Sizes of chunks: below, at and above the sizes at which a parser examines a block.
const CHUNK_SIZES: [usize; 4] = [100, 1500, 16 * KIB, 80 * KIB];

// --------------------------------------------------------------- endless lines

/// Asserts that an endless line takes no memory and gives no frame, and that its end and the blank
/// line after it leave a parser that reads the next event.
#[track_caller]
fn assert_endless_line_takes_no_memory(start: &str, filler: &str) {
    for size in CHUNK_SIZES {
        let mut chunks = endless(start, filler, size);
        for reading in read(&chunks, PLAIN) {
            assert_eq!(reading.last, None, "{start:?} in chunks of {size}");
            reading.assert_peak_below(bound(size));
        }
        chunks.push(Bytes::from_static(b"\n\ndata: a\n\n"));
        for reading in read(&chunks, PLAIN) {
            assert_eq!(reading.frames, 1, "{start:?} in chunks of {size}");
            assert_eq!(reading.last, Some(message("a")), "{start:?} in chunks of {size}");
            reading.assert_peak_below(bound(size));
        }
    }
}

#[test]
fn an_endless_comment_takes_no_memory() {
    assert_endless_line_takes_no_memory(": ", "x");
}

#[test]
fn an_endless_comment_that_began_before_comments_were_asked_for_takes_no_memory() {
    for size in CHUNK_SIZES {
        let mut parser = Parser::new();
        feed(&mut parser, b"data: a\n: ");
        parser = parser.with_comments(true);
        let chunks = endless("", "x", size);
        let heap = Heap::measure();
        for chunk in &chunks {
            assert_eq!(feed(&mut parser, chunk), []);
        }
        heap.assert_peak_below(bound(size));
        assert_eq!(feed(&mut parser, b"\n\n"), [message("a")], "in chunks of {size}");
    }
}

#[test]
fn an_endless_unknown_line_takes_no_memory() {
    assert_endless_line_takes_no_memory("foo: ", "x");
    assert_endless_line_takes_no_memory("x", "x");
}

#[test]
fn an_endless_retry_line_takes_no_memory() {
    assert_endless_line_takes_no_memory("retry: ", "0");
    assert_endless_line_takes_no_memory("retry: ", "9");
    assert_endless_line_takes_no_memory("retry: x", "9");
}

#[test]
fn an_endless_line_without_effect_inside_a_block_takes_no_memory() {
    for start in ["data: a\n: ", "data: a\nfoo: ", "data: a\nretry: "] {
        for size in CHUNK_SIZES {
            let mut chunks = endless(start, "9", size);
            chunks.push(Bytes::from_static(b"\n\n"));
            for reading in read(&chunks, PLAIN) {
                assert_eq!(reading.frames, 1, "{start:?} in chunks of {size}");
                assert_eq!(reading.last, Some(message("a")), "{start:?} in chunks of {size}");
                reading.assert_peak_below(bound(size));
            }
        }
    }
}

// -------------------------------------------------------------- endless blocks

#[test]
fn endless_lines_without_effect_inside_a_block_take_no_memory() {
    for filler in [": comment\n", ": comment\r\n", ":\r", "foo: bar\n", "retry: 5\n"] {
        for start in ["", "data: a\n"] {
            for size in CHUNK_SIZES {
                let mut chunks = endless(start, filler, size);
                chunks.push(Bytes::from_static(b"data: b\n\n"));
                let data = if start.is_empty() { "b" } else { "a\nb" };
                for reading in read(&chunks, PLAIN) {
                    assert_eq!(reading.frames, 1, "{filler:?} in chunks of {size}");
                    assert_eq!(reading.last, Some(message(data)), "{filler:?} by {size}");
                    reading.assert_peak_below(bound(size));
                }
            }
        }
    }
}

#[test]
fn an_lf_ends_a_block_whose_last_line_ended_with_a_cr_before_dropped_lines() {
    for filler in [": comment\n", ": comment\r", ": comment\r\n", "foo: bar\n"] {
        for size in CHUNK_SIZES {
            let mut chunks = endless("data: a\r", filler, size);
            chunks.push(Bytes::from_static(b"\n"));
            chunks.push(Bytes::from_static(b"\ndata: b\n\n"));
            for reading in read(&chunks, PLAIN) {
                assert_eq!(reading.frames, 2, "{filler:?} in chunks of {size}");
                assert_eq!(reading.last, Some(message("b")), "{filler:?} in chunks of {size}");
            }
        }
    }
}

#[test]
fn endless_comments_that_are_reported_inside_a_block_take_no_memory() {
    // Chunks of at most 16 KiB: the frames of one chunk are alive together, so they count too.
    for size in [100, 1500, 16 * KIB] {
        let mut chunks = endless("data: a\n", ": 0123456789 0123456789 0123456789\n", size);
        let comments = chunks.iter().map(|chunk| chunk.len() / 35).sum::<usize>();
        chunks.push(Bytes::from_static(b"\n"));
        for reading in read(&chunks, WITH_COMMENTS) {
            assert_eq!(reading.frames, comments + 1, "in chunks of {size}");
            assert_eq!(reading.last, Some(message("a")), "in chunks of {size}");
            reading.assert_peak_below(2 * bound(size));
        }
    }
}

// ---------------------------------------------------------------------- copies

#[test]
fn a_parser_does_not_copy_an_event_that_lies_in_one_chunk() {
    for size in [10, KIB, 10 * KIB, 70 * KIB, MIB] {
        let event = format!("id: 1\nevent: e\ndata: {}\n\n", "x".repeat(size));
        let chunk = event.repeat(1 + 200 * KIB / size);
        let mut parser = Parser::new();
        let heap = Heap::measure();
        let mut frames = parser.feed(chunk.as_bytes());
        while let Some(frame) = frames.next() {
            assert!(matches!(frame, Frame::Message(event) if event.data().len() == size));
        }
        heap.assert_peak_below(10); // the last event ID
    }
}

#[test]
fn events_do_not_copy_a_chunk_of_8_to_64_kib_or_of_one_large_event() {
    for (size, counts) in [
        (8 * KIB, &[1, 10, 100][..]),
        (20 * KIB, &[1, 10, 100]),
        (64 * KIB, &[1, 10, 100]),
        (MIB, &[1]),
    ] {
        for &count in counts {
            let event = |size| format!("data: {}\n\n", "x".repeat(size - 8));
            let mut chunk = event(size / count).repeat(count - 1);
            chunk += &event(size - chunk.len());
            let chunk = Bytes::from(chunk);
            let source = stream::iter([Ok::<_, Infallible>(chunk.clone())]);
            let mut events = EventStream::new(source);
            for _ in 0..count {
                let Some(Ok(OwnedFrame::Message(event))) = next_ready(&mut events) else {
                    panic!("the chunk has {count} events");
                };
                assert!(chunk.as_ptr_range().contains(&event.data().as_ptr()), "{size} {count}");
            }
        }
    }
}

#[test]
fn joined_data_of_the_first_event_of_a_chunk_is_taken_without_a_copy() {
    let source =
        stream::iter(["data: a\ndata: b\n\ndata: c\ndata: d\n\n"].map(Ok::<_, Infallible>));
    let mut events = EventStream::new(source);
    let (first, second) = (next_ready(&mut events), next_ready(&mut events));
    drop((events, second));
    let Some(Ok(OwnedFrame::Message(event))) = first else { panic!("the chunk has two events") };
    let place = event.data().as_ptr();
    let data = event.into_data();
    assert_eq!((&*data, data.as_ptr()), ("a\nb", place));
}

// ---------------------------------------------------------- buffers used again

/// Returns streams of small events: each stream has events of one size, and ids of two.
fn streams_of_small_events() -> [String; 4] {
    let data = "x".repeat(1000);
    let id = "2".repeat(80);
    [
        "data: a\n\n".to_owned(),
        "event: e\nid: 1\ndata: a\ndata: b\n\n".to_owned(),
        format!("data: {data}\n\n: comment\n\n"),
        format!("id: 1\ndata: a\ndata: b\n\nid: {id}\ndata: a\ndata: b\n\n"),
    ]
    .map(|events| events.repeat(100))
}

#[test]
fn a_parser_uses_its_buffers_again_for_events_that_are_as_large_as_earlier_ones() {
    let large = "x".repeat(30 * KIB);
    let large = [
        format!("id: {}\ndata: a\n\n", &large[..5 * KIB]),
        format!("data: {large}\n\n"),
        format!("data: {large}\ndata: {large}\n\n"),
    ];
    let large = large.map(|event| event.repeat(20));
    for stream in streams_of_small_events().into_iter().chain(large) {
        for size in [100, 1000, 7 * KIB, 100 * KIB] {
            let mut parser = Parser::new();
            let mut read = || {
                let before = ALLOCATIONS.get();
                let mut events = 0;
                for chunk in stream.as_bytes().chunks(size) {
                    let mut frames = parser.feed(chunk);
                    while frames.next().is_some() {
                        events += 1;
                    }
                }
                (events, ALLOCATIONS.get() - before)
            };
            let (expected, _) = read();
            let (events, allocations) = read();
            assert_eq!(events, expected);
            // A buffer over 4 KiB is freed if a chunk ends between two events.
            assert!(
                allocations < events,
                "{allocations} allocations for {events} events like {:?} in chunks of {size}",
                &stream[..20]
            );
        }
    }
}

#[test]
fn a_stream_uses_its_buffers_again_for_small_events_that_were_dropped() {
    for stream in streams_of_small_events() {
        for (sizes, waits) in [
            ([100, 100], false),
            ([100, 100], true),
            ([1000, 1000], false),
            ([1000, 100], false),
            ([7000, 7000], false),
        ] {
            let mut rest = Bytes::from(stream.repeat(2));
            let mut chunks = Vec::new();
            while !rest.is_empty() {
                let size = sizes[chunks.len() % 2];
                chunks.push(rest.split_to(size.min(rest.len())));
            }
            let mut chunks = chunks.into_iter().map(Ok::<_, Infallible>);
            let mut is_pending = false;
            let source = stream::poll_fn(move |_| {
                is_pending = waits && !is_pending;
                if is_pending { Poll::Pending } else { Poll::Ready(chunks.next()) }
            });
            let mut events = EventStream::new(source);
            let mut allocations = Vec::with_capacity(1000);
            while next_ready(&mut events).is_some() {
                allocations.push(ALLOCATIONS.get());
            }
            let half = allocations.len() / 2;
            let made = allocations[2 * half - 1] - allocations[half];
            assert!(
                made <= half / 8,
                "{made} allocations for {half} events like {:?} in chunks of {sizes:?}",
                &stream[..20]
            );
        }
    }
}

#[test]
fn a_stream_uses_the_buffer_of_a_large_event_again_once_the_event_is_dropped() {
    for size in [20 * KIB, 40 * KIB] {
        let events = format!("data: {}\n\n", "x".repeat(size)).repeat(20);
        let mut events = EventStream::new(stream::iter(
            chunks(events, 1000).into_iter().map(Ok::<_, Infallible>),
        ));
        let mut allocations = Vec::with_capacity(20);
        while next_ready(&mut events).is_some() {
            allocations.push(ALLOCATIONS.get());
        }
        // One per event for the cell that joins the buffer and its text. A buffer over 4 KiB is freed
        // if a chunk ends between two events.
        let made = allocations[19] - allocations[9];
        assert!(made < 15, "{made} allocations for 10 events of {size} bytes");
    }
}

// ---------------------------------------------------------- buffers given back

#[test]
fn a_long_id_is_freed_a_few_events_after_a_short_one() {
    let long = format!("id: {}\ndata: a\n\n", "i".repeat(MIB));
    for small in ["id: 1\ndata: b\n\n", "id\ndata: b\n\n", "id: 1\nevent: e\ndata: b\ndata: c\n\n"]
    {
        for size in [1000, 64 * KIB, 2 * MIB] {
            let mut chunks = chunks(&long, size);
            chunks.extend(iter::repeat_n(Bytes::copy_from_slice(small.as_bytes()), 4));
            for reading in read(&chunks, PLAIN) {
                assert_eq!(reading.frames, 5, "{small:?} after chunks of {size}");
                reading.assert_live_below(64 * KIB);
            }
        }
    }
}

/// Keep-alives: comments of their own block, comments without a blank line, and comments that are
/// split between chunks.
const KEEP_ALIVES: [&[&[u8]]; 5] = [
    &[b": keep-alive\n\n"],
    &[b": keep-alive\n"],
    &[b":\r\n"],
    &[b": keep", b"-alive\n"],
    &[b":", b"\n", b"\n"],
];

#[test]
fn buffers_are_freed_while_only_keep_alives_come() {
    let event = format!("data: {}\n\n", "x".repeat(30 * KIB));
    for keep_alive in KEEP_ALIVES {
        for settings in [PLAIN, WITH_COMMENTS] {
            for size in [1000, 20 * KIB] {
                let mut chunks = chunks(event.repeat(2), size);
                let keep_alives = iter::repeat_n(keep_alive, 8).flatten();
                chunks.extend(keep_alives.map(|chunk| Bytes::from_static(chunk)));
                // The last frame is a copy that the test holds. Make it a small one.
                chunks.push(Bytes::from_static(b"data: a\n\n"));
                for reading in read(&chunks, settings) {
                    let comments = if settings.comments { 8 } else { 0 };
                    assert_eq!(reading.frames, 3 + comments, "{keep_alive:?} {settings:?}");
                    assert_eq!(reading.last, Some(message("a")));
                    reading.assert_live_below(8 * KIB);
                }
            }
        }
    }
}

#[test]
fn a_stream_that_waits_for_its_source_holds_no_buffer_of_the_last_event() {
    for size in [6 * KIB, 12 * KIB, 30 * KIB, 100 * KIB] {
        for chunk in [size / 2, 2 * size] {
            let heap = Heap::measure();
            let chunks = chunks(format!("data: {}\n\n", "x".repeat(size)), chunk);
            let source = stream::iter(chunks.into_iter().map(Ok::<_, Infallible>));
            let mut events = EventStream::new(source.chain(stream::pending()));
            assert!(matches!(next_ready(&mut events), Some(Ok(OwnedFrame::Message(_)))));
            assert!(events.next().now_or_never().is_none(), "the source is pending");
            let held = heap.live();
            assert!(held < 2 * KIB as isize, "{held} bytes are held for {size} in {chunk}");
        }
    }
}

#[test]
fn a_stream_that_waits_for_its_source_holds_no_places_of_many_small_events() {
    let heap = Heap::measure();
    let source = stream::iter([Ok::<_, Infallible>(Bytes::from("data:x\n\n".repeat(100)))]);
    let mut events = EventStream::new(source.chain(stream::pending()));
    for _ in 0..100 {
        assert!(matches!(next_ready(&mut events), Some(Ok(OwnedFrame::Message(_)))));
    }
    assert!(events.next().now_or_never().is_none(), "the source is pending");
    let held = heap.live();
    assert!(held < KIB as isize, "{held} bytes are held");
}

#[test]
fn an_event_that_came_in_small_chunks_holds_little_more_than_its_text() {
    for size in [5 * KIB, 9 * KIB, 17 * KIB, 33 * KIB, 40 * KIB, 70 * KIB] {
        let heap = Heap::measure();
        let chunks = chunks(format!("data: {}\n\n", "x".repeat(size)), 1000);
        let mut events =
            EventStream::new(stream::iter(chunks.into_iter().map(Ok::<_, Infallible>)));
        let event = next_ready(&mut events);
        drop(events);
        let held = heap.live();
        assert!(matches!(event, Some(Ok(OwnedFrame::Message(_)))));
        assert!(held < (size * 8 / 7 + KIB) as isize, "{held} bytes are held for {size}");
    }
}

#[test]
fn kept_events_share_a_long_last_event_id() {
    let heap = Heap::measure();
    let mut chunks = vec![Bytes::from(format!("id: {}\n\n", "i".repeat(10 * KIB)))];
    chunks.extend(iter::repeat_n(Bytes::from_static(b"data: a\n\n"), 100));
    let mut events = EventStream::new(stream::iter(chunks).map(Ok::<_, Infallible>));
    let kept: Vec<_> = iter::from_fn(|| next_ready(&mut events)).collect();
    drop(events);
    let held = heap.live();
    assert_eq!(kept.len(), 100);
    assert!(held < 60 * KIB as isize, "{held} bytes are held");
}

#[test]
fn an_event_does_not_hold_a_comment_that_is_much_longer() {
    for size in [2 * KIB, 6 * KIB, 20 * KIB, 60 * KIB] {
        let heap = Heap::measure();
        let block = format!("data: {}\n: {}\n\n", "x".repeat(size / 20), "c".repeat(size));
        let mut events = EventStream::new(stream::iter([Ok::<_, Infallible>(block)]));
        let event = next_ready(&mut events);
        drop(events);
        let held = heap.live();
        assert!(matches!(event, Some(Ok(OwnedFrame::Message(_)))));
        assert!(held < (size / 10 + 300) as isize, "{held} bytes are held for {}", size / 20);
    }
}

#[test]
fn an_event_after_a_chunk_of_many_holds_nothing_of_them() {
    // A chunk below 8 KiB is copied, and so is one over 64 KiB. Their buffer is used once more.
    for (count, small) in [(600, 2), (2000, 1), (40_000, 2)] {
        let heap = Heap::measure();
        let mut chunks = vec![Bytes::from("data: x\n\n".repeat(count))];
        chunks.extend(iter::repeat_n(Bytes::from_static(b"data: y\n\n"), small));
        let mut events = EventStream::new(stream::iter(chunks).map(Ok::<_, Infallible>));
        for _ in 1..count + small {
            drop(next_ready(&mut events));
        }
        let last = next_ready(&mut events);
        drop(events);
        let held = heap.live();
        assert_eq!(last.map(|frame| seen_owned(frame.unwrap())), Some(message("y")));
        assert!(held < KIB as isize, "{held} bytes are held after {count} events");
    }
}

// -------------------------------------------------------------------- fairness

/// A source that is always ready, and counts the chunks taken.
struct Flood {
    taken: usize,
}

impl Stream for Flood {
    type Item = Result<&'static [u8], Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.taken += 1;
        Poll::Ready(Some(Ok(b": flood\n")))
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_poll_takes_at_most_64_chunks_without_a_frame_and_then_wakes_its_task() {
    const CHUNKS: usize = 100_000;

    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut context = Context::from_waker(&waker);
    let mut events = EventStream::new(Flood { taken: 0 });
    let mut polls = 0;
    while events.get_ref().taken < CHUNKS {
        let before = events.get_ref().taken;
        assert!(Pin::new(&mut events).poll_next(&mut context).is_pending());
        polls += 1;
        let taken = events.get_ref().taken - before;
        assert!((1..=64).contains(&taken), "poll {polls} took {taken} chunks");
        assert_eq!(wakes.0.load(Ordering::Relaxed), polls, "poll {polls} did not wake its task");
    }
}

// --------------------------------------------------- facts of dropped lines

#[test]
fn an_update_is_reported_after_the_line_that_set_it_was_dropped() {
    let update = |id: &str, retry: Option<u64>| Seen::Update {
        last_event_id: id.to_owned(),
        retry: retry.map(Duration::from_millis),
    };
    for (start, expected) in [
        ("id: 1\n", Some(update("1", None))),
        ("retry: 5\n", Some(update("", Some(5)))),
        ("id: 1\nretry: 5\n", Some(update("1", Some(5)))),
        ("retry: 5\nretry: x\n", Some(update("", Some(5)))),
        ("event: e\n", None),
        ("retry: x\n", None),
        ("", None),
    ] {
        for size in CHUNK_SIZES {
            let mut chunks = endless(start, ": comment\n", size);
            chunks.push(Bytes::from_static(b"\n"));
            for reading in read(&chunks, WITH_UPDATES) {
                let frames = usize::from(expected.is_some());
                assert_eq!(reading.frames, frames, "{}: {start:?} by {size}", reading.parser);
                assert_eq!(reading.last, expected, "{}: {start:?} by {size}", reading.parser);
                reading.assert_peak_below(bound(size));
            }
        }
    }
}

#[test]
fn a_stream_is_mid_event_as_long_as_a_line_of_its_event_is_kept() {
    for (start, expected) in [
        ("data: a\n", true),
        ("event: e\n", true),
        ("id: 1\n", true),
        ("id: 1\0\n", true),
        ("retry: 5\n", false),
        ("foo: bar\n", false),
        ("", false),
    ] {
        for size in CHUNK_SIZES {
            let mut chunks = endless(start, ": comment\n", size);
            for reading in read(&chunks, PLAIN) {
                let parser = reading.parser;
                assert_eq!(reading.is_mid_event, expected, "{parser}: {start:?} by {size}");
            }
            chunks.push(Bytes::from_static(b"\n"));
            for reading in read(&chunks, PLAIN) {
                assert!(!reading.is_mid_event, "{}: {start:?} by {size}", reading.parser);
            }
        }
    }
}

#[test]
fn a_stream_is_mid_event_while_its_line_may_become_a_part_of_an_event() {
    let mut differences = Vec::new();
    for (bytes, expected) in [
        ("dat", true),
        ("datb", false),
        ("data:", true),
        ("datax", false),
        ("e", true),
        ("event", true),
        ("i", true),
        ("id", true),
        ("ide", false),
        ("r", false),
        ("retry", false),
        (":", false),
        (" data", false),
        ("\u{FEFF}", false),
        ("\u{FEFF}i", true),
        ("data\r", true),
        ("data\r\n", true),
        ("data\r\r", false),
        ("data\r\n\r", false),
        ("data\r\n\r\n", false),
        ("foo\nid", true),
        ("foo\n\nid\n\nfoo", false),
    ] {
        for size in [1, usize::MAX] {
            for reading in read(&chunks(bytes, size), PLAIN) {
                if reading.is_mid_event != expected {
                    differences.push(format!("{}: {bytes:?} by {size}", reading.parser));
                }
            }
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

#[test]
fn a_stream_is_mid_event_until_the_blank_line_of_a_discarded_block() {
    let mut parser = Parser::new().with_max_event_size(10);
    assert_eq!(feed(&mut parser, b"data: 12345"), [discarded()]);
    for chunk in [&b"6"[..], b"\n", b": comment\n", b"foo", b"\r"] {
        assert!(parser.is_mid_event());
        assert_eq!(feed(&mut parser, chunk), []);
    }
    assert!(parser.is_mid_event());
    assert_eq!(feed(&mut parser, b"\n\n"), []); // the LF of a CRLF, and the blank line
    assert!(!parser.is_mid_event());

    let source = stream::iter(["data: 12345", "6\n", "\n"].map(Ok::<_, Infallible>));
    let mut events = EventStream::new(source).with_max_event_size(10);
    assert!(matches!(next_ready(&mut events), Some(Ok(OwnedFrame::Discarded(_)))));
    assert!(events.is_mid_event());
    assert!(next_ready(&mut events).is_none());
    assert!(!events.is_mid_event());
}
