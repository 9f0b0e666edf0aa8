//! Tests of the framing and the size of responses: rows F of the HTTP cases. The rows on compressed
//! bodies and HTTP/2 are in tests/servers.

use std::time::Duration;

use crate::support::client::*;
use crate::support::server::{Feed, Reply, Server};
use everstream::{
    Disconnect, Error, Event, EventSource, OnOversize, ReadyState, RequestBuilderExt,
};

const MILLISECOND: Duration = Duration::from_millis(1);
const MIB: usize = 1 << 20;

fn source(server: &Server) -> EventSource {
    quickly(get(server.url()))
}

/// Returns a server that sends this reply and then nothing, and an open stream.
async fn open(reply: Reply) -> (Server, EventSource) {
    let server = Server::scripted([reply]);
    let mut events = source(&server);
    opened(&mut events).await;
    (server, events)
}

/// Asserts that the next event is discarded, and returns its ID.
async fn discarded(events: &mut EventSource) -> Option<String> {
    match next(events).await {
        Some(Ok(Event::Discarded(discarded))) => discarded.id().map(str::to_owned),
        other => panic!("wanted a discarded event, got {other:?}"),
    }
}

/// Every kind of line end, of line and of character.
const EVENTS: &str = "\u{FEFF}id: 1\r\nevent: tick\r\ndata: é\r\n\r\n: hi\ndata: …\ndata\n\n\
    retry: 1\rid: 2\rdata: 😀\r\r";

async fn assert_gets_the_events(events: &mut EventSource) {
    for expected in [("1", "tick", "é"), ("1", "message", "…\n"), ("2", "message", "😀")] {
        let message = message(events).await;
        assert_eq!((message.id(), message.event(), message.data()), expected);
    }
}

/// F1
#[tokio::test]
async fn bytes_may_come_one_by_one() {
    let (_server, mut events) =
        open(Reply::sse().byte_by_byte_every(MILLISECOND, EVENTS).hold()).await;
    assert_gets_the_events(&mut events).await;
}

/// F1
#[tokio::test]
async fn an_event_is_yielded_with_its_blank_line_and_not_a_byte_later() {
    for end in ["\n", "\r\n", "\r"] {
        let feed = Feed::new();
        let (_server, mut events) = open(Reply::sse().fed_by(&feed)).await;
        for data in ["a", "b", "c"] {
            let event = format!("data: {data}{end}{end}");
            // The event is complete without the LF after its CR.
            let (event, rest) = event.split_at(event.len() - usize::from(end == "\r\n"));
            let (start, last) = event.split_at(event.len() - 1);
            for byte in start.bytes() {
                feed.send([byte]);
            }
            silent_until(&mut events, tokio::time::sleep(2 * MILLISECOND)).await;
            feed.send(last);
            assert_eq!(self::data(&mut events).await, data, "{end:?}");
            feed.send(rest);
        }
    }
}

/// F2
#[tokio::test]
async fn a_body_may_be_cut_anywhere() {
    let cuts = 1..EVENTS.len();
    let replies = cuts.clone().map(|cut| {
        let (one, other) = EVENTS.as_bytes().split_at(cut);
        Reply::sse().send(one).send(other)
    });
    let server = Server::scripted(replies);
    let mut events = source(&server);
    for cut in cuts {
        opened(&mut events).await;
        assert_gets_the_events(&mut events).await;
        // The same events again are no progress.
        let attempt = reconnecting(&mut events).await.attempt;
        assert_eq!(attempt as usize, cut, "cut at {cut}");
    }
    ended(&mut events).await;
}

/// F3
#[tokio::test]
async fn an_event_that_ends_with_a_cr_is_yielded_at_once() {
    let (_server, mut events) = open(Reply::events("data: a\r\rdata: b\r\r").hold()).await;
    assert_eq!(data(&mut events).await, "a");
    assert_eq!(data(&mut events).await, "b");
    assert_pending(&mut events);
}

/// F4
#[tokio::test]
async fn chunks_may_have_extensions_and_trailers_and_any_case() {
    let raw = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nTRANSFER-ENCODING: Chunked\r\n\
        Trailer: X-Sum\r\n\r\n\
        00A;name=value;other=\"quoted; too\"\r\ndata: a\n\nd\r\n9\r\nata: b\n\n:\r\n\
        0;last\r\nX-Sum: 1\r\nid: 7\r\n\r\n";
    let server = Server::scripted([Reply::raw(raw)]);
    let mut events = source(&server);
    assert_eq!(
        story(&mut events).await,
        ["open", "message: a", "message: b", "reconnecting: the server ended the stream"]
    );
    assert!(server.requests()[1].header("last-event-id").is_empty(), "a trailer is no field");
}

/// F5
#[tokio::test]
async fn the_end_of_a_connection_may_be_the_end_of_the_body() {
    let replies = [
        Reply::events("data: a\n\ndata: lost").http_1_0(),
        Reply::events("data: b\n\ndata: lost").close_delimited(),
        Reply::events("data: c\n\n").content_length(9),
    ];
    let server = Server::scripted(replies);
    let mut events = source(&server);
    let cut = "the server ended the stream in the middle of an event: \"data: lost\"";
    for (expected, cause) in [("a", cut), ("b", cut), ("c", "the server ended the stream")] {
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, expected);
        assert_eq!(reconnecting(&mut events).await.cause, cause);
    }
    ended(&mut events).await;
}

/// F6
#[tokio::test]
async fn a_head_may_come_with_the_first_event_or_byte_by_byte() {
    for reply in [Reply::sse(), Reply::sse().send_head_byte_by_byte(), Reply::sse().send_head()] {
        let (_server, mut events) = open(reply.send("data: a\n\n").hold()).await;
        assert_eq!(data(&mut events).await, "a");
    }
}

/// F7
#[tokio::test]
async fn events_that_come_together_are_yielded_in_order() {
    let all: String = (0..100).map(|i| format!("id: {i}\ndata: {i}\n\n")).collect();
    let (_server, mut events) = open(Reply::events(all).hold()).await;
    for i in 0..100 {
        let message = message(&mut events).await;
        assert_eq!((message.id(), message.data()), (&*i.to_string(), &*i.to_string()));
    }
}

/// F8
#[tokio::test]
async fn a_line_of_several_mib_is_yielded_whole() {
    let letters = "abcdefghijklmnopqrstuvwxyz".repeat(7 * MIB / 26);
    let event = format!("data: {letters}\n\n");
    let (one, other) = event.split_at(event.len() / 2);
    let reply = Reply::sse().send(&event).send(one).send(other).hold();
    let (_server, mut events) = open(reply).await;
    for _ in 0..2 {
        assert!(data(&mut events).await == letters);
    }
}

/// F9
#[tokio::test]
async fn an_event_over_the_limit_is_reported_once_and_leaves_no_id() {
    let long = "x".repeat(2_000);
    let blocks = [
        format!("id: lost\ndata: {long}\n"),
        format!("id: lost\n{}", "data: xxxx\n".repeat(500)),
        format!("id: lost\nevent: {long}\ndata: a\n"),
        format!("id: lost\nid: {long}\ndata: a\n"),
    ];
    for block in blocks {
        let reply = Reply::sse()
            .send("id: kept\ndata: a\n\n")
            .send(block.clone() + "\n")
            .send("data: b\n\n")
            .send(block + "\n");
        let server = Server::scripted([reply]);
        let builder = get(server.url()).into_event_source_builder();
        let mut events = builder.retry_policy(quick()).max_event_size(1_000).build();
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        assert_eq!(discarded(&mut events).await.as_deref(), Some("lost"));
        let b = message(&mut events).await;
        assert_eq!((b.id(), b.data()), ("kept", "b"));
        discarded(&mut events).await;
        reconnecting(&mut events).await;
        ended(&mut events).await;
        assert_eq!(server.requests()[1].header("last-event-id"), [b"kept"]);
    }
}

/// F9, F10
#[tokio::test]
async fn an_endless_event_can_be_an_error() {
    let server = Server::scripted([Reply::events("data: ").send_each(|_| Some(vec![b'x'; 1_000]))]);
    let builder = get(server.url()).into_event_source_builder();
    let mut events = builder.max_event_size(100_000).on_oversize(OnOversize::Fail).build();
    opened(&mut events).await;
    let error = failed(&mut events).await;
    assert!(matches!(&error, Error::TooLarge(discarded) if discarded.size() < MIB), "{error:?}");
    assert_one_line(error.to_string());
    server.until_closed(0).await;
}

/// F10
#[tokio::test]
async fn an_endless_line_is_skipped_and_the_stream_continues() {
    let filler = vec![b'x'; 100_000];
    for (start, counts) in [
        ("data: ", true),
        ("id: ", true),
        ("event: ", true),
        (": ", false),
        ("x: ", false),
        ("x", false),
    ] {
        let filler = filler.clone();
        let endless = move |i| (i < 300).then(|| filler.clone());
        let reply = Reply::events(start).send_each(endless).send("\n\ndata: a\n\n").hold();
        let (_server, mut events) = open(reply).await;
        if counts {
            discarded(&mut events).await;
        }
        assert_eq!(data(&mut events).await, "a", "after {start}");
    }
}

/// A12, F11
#[tokio::test]
async fn a_content_coding_that_was_not_asked_for_ends_the_stream() {
    for coding in ["gzip", "x-gzip", "br", "DEFLATE", "zstd", "compress", "identity, gzip"] {
        let reply = Reply::events("data: a\n\n").header("Content-Encoding", coding);
        let server = Server::scripted([reply]);
        let mut events = source(&server);
        let error = failed(&mut events).await;
        assert!(matches!(error, Error::ContentEncoding(_)), "{coding}: {error:?}");
        assert_one_line(error.to_string());
        assert!(error.to_string().contains(coding), "{error}");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(200));
        let response = error.into_response().expect("the response");
        assert_eq!(within(response.text()).await.unwrap(), "data: a\n\n");
        assert_eq!(server.requests().len(), 1);
    }
}

/// F11
#[tokio::test]
async fn a_content_coding_that_is_none_does_no_harm() {
    // Servers send the last two to keep proxies from compressing.
    for coding in ["identity", "", "none", "UTF-8"] {
        let reply = Reply::events("data: a\n\n").header("Content-Encoding", coding).hold();
        let (_server, mut events) = open(reply).await;
        assert_eq!(data(&mut events).await, "a", "{coding}");
    }
}

/// F14
#[tokio::test]
async fn any_number_of_blank_lines_is_nothing_and_of_empty_data_lines_one_event() {
    for end in ["\n", "\r\n", "\r"] {
        let reply = Reply::events(end.repeat(100_000))
            .send(format!("data{end}").repeat(100_000))
            .send(end)
            .hold();
        let (_server, mut events) = open(reply).await;
        assert_eq!(data(&mut events).await.len(), 99_999);
        assert_pending(&mut events);
    }
}

/// F15
#[tokio::test]
async fn a_slow_reader_slows_the_server() {
    let text = "x".repeat(10_000);
    let event = move |i| Some(format!("id: {i}\ndata: {text}\n\n").into_bytes());
    let (server, mut events) = open(Reply::sse().send_each(event)).await;
    for round in 0..3 {
        let written = within(async {
            loop {
                let before = server.bytes_written(0);
                tokio::time::sleep(100 * MILLISECOND).await;
                if server.bytes_written(0) == before {
                    break before;
                }
            }
        });
        // The kernel buffers this for both ends.
        let ahead = written.await - round * 10_000_000;
        assert!(ahead < 32 * MIB as u64, "{ahead} bytes ahead of the reader");
        for i in 0..1_000 {
            assert_eq!(message(&mut events).await.id(), (round * 1_000 + i).to_string());
        }
    }
    events.close();
    server.until_closed(0).await;
}

/// F16
#[tokio::test]
async fn a_head_without_end_is_retried_once_open_and_takes_no_memory() {
    let line = |i: usize| Some(format!("X-{i}: {i}\r\n").into_bytes());
    let many = (0..10_000).flat_map(|i| line(i).unwrap()).collect::<Vec<u8>>();
    let long = [b"X: ", &[b'x'; MIB][..], b"\r\n"].concat();
    let status = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
    let heads = [
        Reply::raw(status).send_raw(many).send_raw("\r\ndata: a\n\n"),
        Reply::raw(status).send_raw(long).send_raw("\r\ndata: a\n\n"),
        Reply::raw(status).send_each(line),
        Reply::raw(status).send_raw("X: ").send_each(|_| Some(vec![b'x'; 10_000])),
    ];
    for (index, head) in heads.into_iter().enumerate() {
        let opens = || Reply::events("data: a\n\n");
        let server = Server::scripted([opens(), head, opens().hold()]);
        let mut events = source(&server);
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a", "{index}");
        reconnecting(&mut events).await;
        let lost = reconnecting(&mut events).await;
        assert!(matches!(&lost.why, Disconnect::Transport(_)), "{index}: {lost:?}");
        assert_one_line(&lost.cause);
        // The kernel accepts some bytes even if the client does not read.
        let written = server.bytes_written(1);
        assert!(written < 32 * MIB as u64, "{index}: {written} bytes were taken");
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a", "{index}");
    }
}

/// F18
#[tokio::test]
async fn streams_at_once_share_nothing() {
    let reply = |id: &str| Reply::events(format!("retry: 1\nid: {id}\ndata: {id}\n\nid: half"));
    let client = http();
    let servers: Vec<_> =
        ["a", "b", "c"].map(|id| Server::scripted([reply(id), reply(id), reply(id)])).into();
    let sources = servers.iter().map(|server| {
        let builder = client.get(server.url()).into_event_source_builder();
        builder.retry_policy(quick()).build()
    });
    let mut sources: Vec<_> = sources.collect();
    for round in 1..=3 {
        for events in &mut sources {
            opened(events).await;
        }
        for (events, id) in sources.iter_mut().zip(["a", "b", "c"]) {
            let message = message(events).await;
            assert_eq!((message.id(), message.data()), (id, id));
        }
        for events in &mut sources {
            assert_eq!(reconnecting(events).await.attempt, round);
        }
    }
    for ((server, events), id) in servers.iter().zip(&mut sources).zip(["a", "b", "c"]) {
        ended(events).await;
        for request in &server.requests()[1..] {
            assert_eq!(request.header("last-event-id"), [id.as_bytes()]);
        }
    }
}

/// F19
#[tokio::test]
async fn a_page_with_the_content_type_of_an_event_stream_is_retried_with_growing_delays() {
    let page = "<!DOCTYPE html>\n<html>\n<style>\nid: x;\n\ndata-x: y\n</style>\n\n</html>\n";
    let server = Server::repeating(Reply::events(page));
    let timer = everstream::ManualTimer::new();
    let policy = doubling(Duration::from_secs(1));
    let builder = get(server.url()).into_event_source_builder().retry_policy(policy);
    let mut events = builder.timer(timer.clone()).build();
    for attempt in 1..=6 {
        opened(&mut events).await;
        let lost = reconnecting(&mut events).await;
        assert_eq!((lost.attempt, lost.delay.as_secs()), (attempt, 1 << (attempt - 1)));
        assert_eq!(events.ready_state(), ReadyState::Connecting);
        timer.advance_to_next();
    }
}
