//! Tests of owned events that share memory with each other and with their chunk. Their text must
//! not change, in whatever order and on whatever threads they are dropped. `ci/miri` runs them too,
//! to find a use after free.

use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::thread;

use bytes::Bytes;
use everstream::{EventStream, MessageEvent, OwnedFrame};
use fastrand::Rng;
use futures_util::{FutureExt, StreamExt, stream};

use crate::support::chunking::next_ready;

/// The type, the data and the ID of an event.
type Said = (String, String, String);

fn said(event: &MessageEvent) -> Said {
    (event.event().to_owned(), event.data().to_owned(), event.id().to_owned())
}

/// Returns events of all kinds: with and without a type, with several lines, large ones (not for
/// Miri, which is slow), with IDs of which two are too long to be copied, and small ones between
/// them.
fn wanted() -> Vec<Said> {
    (0..16_usize)
        .map(|index| {
            let event = ["message", "price", "…"][index % 3].to_owned();
            let data = match index {
                15 if !cfg!(miri) => "x".repeat(20_000),
                _ if index % 5 == 0 => format!("{index}\n{}\nlast", "é".repeat(index * 70)),
                _ => format!("{index}: {}", "y".repeat(index * 60)),
            };
            let id = match index / 2 {
                3 => "i".repeat(300),
                half => half.to_string(),
            };
            (event, data, id)
        })
        .collect()
}

fn text() -> String {
    let lines = |data: &str| data.replace('\n', "\ndata: ");
    let block = |(event, data, id): Said| match &*event {
        "message" => format!("id: {id}\ndata: {}\n\n", lines(&data)),
        _ => format!("event: {event}\nid: {id}\ndata: {}\n\n", lines(&data)),
    };
    wanted().into_iter().map(block).collect()
}

/// Calls `check` with those events and their chunks: one large chunk that is shared, or small ones
/// that are copied. The last event is cut in two. (Miri only reads the shared chunk:
/// tests/parser/spec.rs reads copied ones.)
fn for_each_chunking(check: impl Fn(Vec<MessageEvent>, &[Bytes])) {
    let text = text();
    let sizes = [text.len() - 10, 700];
    for size in sizes.into_iter().take(if cfg!(miri) { 1 } else { 2 }) {
        // Each chunk has its own allocation.
        let chunks: Vec<Bytes> =
            text.as_bytes().chunks(size).map(|chunk| Bytes::from(chunk.to_vec())).collect();
        let source = stream::iter(chunks.clone().into_iter().map(Ok::<_, Infallible>));
        let events: Vec<_> = EventStream::new(source)
            .map(|frame| match frame {
                Ok(OwnedFrame::Message(event)) => event,
                other => panic!("{other:?}"),
            })
            .collect()
            .now_or_never()
            .expect("a source that is ready keeps its stream ready");
        assert!(events.iter().map(said).eq(wanted()), "chunks of {size} bytes");
        check(events, &chunks);
    }
}

/// Returns the events with their expected values, in random order.
fn shuffled(events: Vec<MessageEvent>, seed: u64) -> Vec<(MessageEvent, Said)> {
    let mut events: Vec<_> = events.into_iter().zip(wanted()).collect();
    Rng::with_seed(seed).shuffle(&mut events);
    events
}

#[track_caller]
fn assert_unchanged(events: &[(MessageEvent, Said)]) {
    for (event, wanted) in events {
        assert_eq!(said(event), *wanted);
    }
}

#[test]
fn events_that_are_dropped_in_any_order_leave_the_others_as_they_were() {
    for_each_chunking(|events, _| {
        let mut events = shuffled(events, 1);
        while events.pop().is_some() {
            assert_unchanged(&events);
        }
    });
}

#[test]
fn events_are_read_and_dropped_by_several_threads_at_once() {
    for_each_chunking(|events, _| {
        let mut events = shuffled(events, 2);
        let others = events.split_off(events.len() / 2);
        let clones = events.clone(); // of the same text, so that two threads read it
        let threads = [events, others, clones].map(|mut events| {
            thread::spawn(move || {
                while let Some((event, wanted)) = events.pop() {
                    assert_eq!(said(&event), wanted);
                }
            })
        });
        for thread in threads {
            thread.join().expect("no thread panics");
        }
    });
}

#[test]
fn a_chunk_is_held_as_long_as_any_of_its_events_that_is_not_detached() {
    for_each_chunking(|events, chunks| {
        let is_shared = chunks[0].len() >= 8 * 1024;
        assert_eq!(chunks[0].is_unique(), !is_shared, "while its events live");
        let mut events = shuffled(events, 3);
        let mut detached = Vec::new();
        while let Some((event, wanted)) = events.pop() {
            detached.push((event.detach(), wanted));
            drop(event);
            assert_unchanged(&events);
        }
        assert!(chunks.iter().all(Bytes::is_unique), "after the last of them");
        assert_unchanged(&detached);
    });
}

#[test]
fn the_data_of_an_event_is_taken_whether_or_not_its_neighbours_live() {
    for_each_chunking(|events, chunks| {
        let mut events = shuffled(events, 4);
        let mut taken = Vec::new();
        while let Some((event, (_, data, _))) = events.pop() {
            taken.push((event.into_data(), data));
            assert_unchanged(&events);
        }
        assert!(chunks.iter().all(Bytes::is_unique), "nothing is left but the data");
        for (data, wanted) in taken {
            assert_eq!(data, wanted);
            assert!(data.capacity() <= wanted.len() * 2, "{} for {wanted:?}", data.capacity());
        }
    });
}

#[test]
fn a_few_events_among_many_unknown_lines_do_not_hold_the_chunk() {
    let mut text = "foo: no field\n".repeat(2_000);
    text.push_str("id: 7\nevent: price\ndata: 12\n\ndata: a\ndata: b\n\n");
    let chunk = Bytes::from(text.into_bytes());
    let source = stream::iter([Ok::<_, Infallible>(chunk.clone())]);
    let events: Vec<_> = EventStream::new(source).collect().now_or_never().unwrap();
    let said: Vec<_> = events
        .iter()
        .map(|frame| match frame {
            Ok(OwnedFrame::Message(event)) => said(event),
            other => panic!("{other:?}"),
        })
        .collect();
    let wanted = [("price", "12", "7"), ("message", "a\nb", "7")];
    assert_eq!(said, wanted.map(|(event, data, id)| (event.into(), data.into(), id.into())));
    assert!(chunk.is_unique(), "an event holds the chunk of unknown lines");
}

#[test]
fn events_are_equal_and_hashed_by_their_name_data_and_id() {
    let streams = [
        "id: 1\nevent: a\ndata: x\n\n",
        "id: 2\nevent: a\ndata: x\n\n",
        "id: 1\nevent: b\ndata: x\n\n",
        "id: 1\nevent: a\ndata: y\n\n",
    ];
    let event = |stream: &'static str| {
        let mut events = EventStream::new(stream::iter([Ok::<_, Infallible>(stream)]));
        let Some(Ok(OwnedFrame::Message(event))) = next_ready(&mut events) else { panic!() };
        event
    };
    let hashes = RandomState::new();
    for (at, one) in streams.map(event).iter().enumerate() {
        for (other_at, other) in streams.map(event).iter().enumerate() {
            let is_same = at == other_at;
            assert_eq!(one == other, is_same, "{one:?} {other:?}");
            assert_eq!(
                hashes.hash_one(one) == hashes.hash_one(other),
                is_same,
                "{one:?} {other:?}"
            );
        }
    }
}
