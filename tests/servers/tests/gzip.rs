//! Tests of compressed event streams, with reqwest's feature `gzip`: rows F11 to F13 of the HTTP
//! cases.

#[path = "../../support/alone.rs"]
mod alone;
#[path = "../../support/client.rs"]
pub mod client;
#[path = "../../support/process_heap.rs"]
mod process_heap;
#[path = "../../support/server.rs"]
pub mod server;

use std::io::Write;

use alone::is_alone;
use client::*;
use everstream::{Disconnect, Error, Event, EventSourceBuilder, OnOversize, RequestBuilderExt};
use everstream_servers::choose_crypto;
use flate2::write::GzEncoder;
use flate2::{Compress, Compression, FlushCompress};
use futures_util::StreamExt;
use process_heap::Heap;
use server::{Feed, Gate, Reply, Server};

fn source(server: &Server) -> EventSourceBuilder {
    choose_crypto();
    get(server.url()).into_event_source_builder().retry_policy(quick())
}

fn gzipped() -> Reply {
    Reply::sse().header("Content-Encoding", "gzip")
}

/// An encoder that is flushed after each part.
struct Flushing(GzEncoder<Vec<u8>>);

impl Flushing {
    fn new() -> Flushing {
        Flushing(GzEncoder::new(Vec::new(), Compression::default()))
    }

    /// Returns the compressed bytes of a text, flushed.
    fn part(&mut self, text: &str) -> Vec<u8> {
        self.0.write_all(text.as_bytes()).unwrap();
        self.0.flush().unwrap();
        std::mem::take(self.0.get_mut())
    }

    fn end(self) -> Vec<u8> {
        self.0.finish().unwrap()
    }
}

/// F11
#[tokio::test]
async fn an_event_is_there_as_soon_as_its_part_of_a_gzip_stream_was_flushed() {
    let feed = Feed::new();
    let server = Server::scripted([gzipped().fed_by(&feed)]);
    let mut events = source(&server).build();
    let mut gzip = Flushing::new();
    feed.send(gzip.part(": hello\n\n"));
    opened(&mut events).await;
    for data in ["a", "b", "c"] {
        feed.send(gzip.part(&format!("id: {data}\ndata: {data}\n\n")));
        assert_eq!(self::data(&mut events).await, data);
    }
    feed.send(gzip.end());
    feed.end();
    assert_eq!(reconnecting(&mut events).await.cause, "the server ended the stream");
    ended(&mut events).await;
    let requests = server.requests();
    assert_eq!(requests[0].header("accept-encoding"), [b"gzip"]);
    assert_eq!(requests[1].header("last-event-id"), [b"c"]);
}

/// F11
#[tokio::test]
async fn the_parts_of_a_gzip_stream_may_be_cut_anywhere() {
    let mut gzip = Flushing::new();
    let texts = ["id: 1\r\ndata: é", "\r\n\r\nid: 2\rdata: ", "…\r\r", "data: 😀\n\n"];
    let mut stream: Vec<u8> = texts.iter().flat_map(|text| gzip.part(text)).collect();
    stream.extend(gzip.end());
    let server = Server::scripted([gzipped().byte_by_byte(stream)]);
    let mut events = source(&server).build();
    opened(&mut events).await;
    for (id, data) in [("1", "é"), ("2", "…"), ("2", "😀")] {
        let message = message(&mut events).await;
        assert_eq!((message.id(), message.data()), (id, data));
    }
    reconnecting(&mut events).await;
}

/// F12
#[tokio::test]
async fn a_gzip_stream_that_is_corrupt_or_cut_off_gives_its_whole_events_then_its_loss() {
    let mut gzip = Flushing::new();
    let whole = gzip.part("id: 1\ndata: a\n\nid: 2\ndata: not ");
    let rest = gzip.part("whole\n\n");
    // A block of an invalid type.
    let corrupt = [0xFF; 20];
    let endings: [&dyn Fn(Reply) -> Reply; 4] = [
        &|reply| reply.send(corrupt).hold(),
        &|reply| reply.send(&rest[..3]).end(),
        &|reply| reply.send(&rest[..3]).fin(),
        &|reply| reply.send(&rest[..3]).reset(),
    ];
    for ending in endings {
        // The decoder drops data that it reads together with invalid data.
        let gate = Gate::new();
        let broken = ending(gzipped().send(&whole).wait_for(&gate));
        let whole = Flushing::new().part("id: 2\ndata: whole\n\n");
        let server = Server::scripted([broken, gzipped().send(whole).hold()]);
        let mut events = source(&server).build();
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        gate.open();
        let lost = reconnecting(&mut events).await;
        assert!(matches!(&lost.why, Disconnect::Transport(_)), "{lost:?}");
        assert_one_line(&lost.cause);
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "whole");
        assert_eq!(server.requests()[1].header("last-event-id"), [b"1"]);
    }
}

/// I6: Django's GZipMiddleware writes each event so. reqwest decodes the first member only.
#[tokio::test]
async fn a_gzip_stream_of_several_members_breaks_after_the_first_and_is_resumed() {
    let member = |id: usize| {
        let mut gzip = Flushing::new();
        let mut member = gzip.part(&format!("id: {id}\ndata: {id}\n\n"));
        member.extend(gzip.end());
        member
    };
    let server = Server::start(move |request| {
        let ids = request.header("last-event-id");
        let read = ids.first().map_or(0, |id| std::str::from_utf8(id).unwrap().parse().unwrap());
        gzipped().send(member(read + 1)).send(member(read + 2)).hold()
    });
    let mut events = source(&server).build();
    for id in 1..4 {
        opened(&mut events).await;
        assert_eq!(message(&mut events).await.data(), id.to_string());
        let lost = reconnecting(&mut events).await;
        assert!(matches!(&lost.why, Disconnect::Transport(_)), "{lost:?}");
        assert_one_line(&lost.cause);
    }
}

/// I6
#[tokio::test]
async fn a_request_for_no_coding_is_sent_as_it_is() {
    let server = Server::scripted([Reply::events("data: a\n\n")]);
    choose_crypto();
    let request = get(server.url()).header("accept-encoding", "identity");
    let mut events = request.into_event_source_builder().retry_policy(quick()).build();
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
    assert_eq!(server.requests()[0].header("accept-encoding"), [b"identity"]);
}

// ------------------------------------------------------------------------------------------ A bomb

const LIMIT: usize = 1 << 20;

/// Returns the start of an event with 1 GiB of data and no end, which is 1 MiB compressed.
fn bomb() -> Reply {
    let head = *b"\x1F\x8B\x08\0\0\0\0\0\0\xFF";
    let mut compress = Compress::new(Compression::best(), false);
    let mut block = |bytes: &[u8]| {
        let mut out = Vec::with_capacity(bytes.len() + 100);
        let before = compress.total_in();
        compress.compress_vec(bytes, &mut out, FlushCompress::Full).unwrap();
        assert_eq!(compress.total_in() - before, bytes.len() as u64);
        out
    };
    let start = [&head, &*block(b"id: 1\ndata: a\n\nid: 2\ndata: ")].concat();
    let mebibyte = block(&vec![b'a'; 1 << 20]);
    let end = block(b"\n\nid: 3\ndata: c\n\n");
    assert!(mebibyte.len() < 2_000, "that is no bomb: {}", mebibyte.len());
    gzipped().send(start).send(mebibyte.repeat(1 << 10)).send(end).hold()
}

/// F13
#[tokio::test]
async fn a_gzip_bomb_is_one_event_over_the_limit_and_takes_no_memory() {
    if !is_alone("a_gzip_bomb_is_one_event_over_the_limit_and_takes_no_memory") {
        return;
    }
    let server = Server::scripted([bomb()]);
    let mut events = source(&server).max_event_size(LIMIT).build();
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
    let heap = Heap::measure();
    // The limit is longer, because a gibibyte is decoded.
    let item = loop {
        let patience = tokio::time::timeout(6 * server::PATIENCE, events.next()).await;
        match patience.expect("a sign of the bomb") {
            Some(Ok(Event::Discarded(discarded))) => {
                assert_eq!((discarded.limit(), discarded.id()), (LIMIT, Some("2")));
                assert!(discarded.size() < 2 * LIMIT, "{discarded:?}");
            }
            item => break item,
        }
    };
    let Some(Ok(Event::Message(message))) = item else { panic!("{item:?}") };
    assert_eq!((message.id(), message.data()), ("3", "c"));
    heap.assert_peak_below(16 * LIMIT);
}

/// F13
#[tokio::test]
async fn a_gzip_bomb_ends_the_stream_at_the_limit_if_that_was_asked_for() {
    let server = Server::scripted([bomb()]);
    let builder = source(&server).max_event_size(LIMIT).on_oversize(OnOversize::Fail);
    let mut events = builder.build();
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
    let error = failed(&mut events).await;
    assert!(matches!(&error, Error::TooLarge(discarded) if discarded.size() < 2 * LIMIT));
    server.until_closed(0).await;
    assert_eq!(server.requests().len(), 1);
}
