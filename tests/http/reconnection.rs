//! Tests of lost connections of an `EventSource`: rows D of the HTTP cases, over real sockets and
//! in virtual time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::client::*;
use crate::support::server::{ClosedPort, Feed, Gate, Reply, Request, Server};
use everstream::{
    Backoff, Disconnect, Error, EventSource, Jitter, ManualTimer, ReadyState, RequestBuilderExt,
};
use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

const MILLISECOND: Duration = Duration::from_millis(1);

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Returns the default policy without jitter: 3 s, doubled up to 60 s.
fn exact() -> Backoff {
    Backoff::new().with_jitter(Jitter::none())
}

fn source(url: impl reqwest::IntoUrl, policy: Backoff, timer: &ManualTimer) -> EventSource {
    get(url).into_event_source_builder().retry_policy(policy).timer(timer.clone()).build()
}

/// Returns the header's bytes on each request of the server.
fn last_event_ids(requests: &[Request]) -> Vec<Vec<&[u8]>> {
    requests.iter().map(|request| request.header("last-event-id")).collect()
}

/// Advances the time by the delay, and asserts that nothing is sent a millisecond before its end.
async fn wait_out(delay: Duration, events: &mut EventSource, timer: &ManualTimer, server: &Server) {
    let seen = || (server.connections(), server.requests().len());
    let before = seen();
    assert!(delay > MILLISECOND);
    assert_pending(events);
    timer.advance(delay - MILLISECOND);
    assert_pending(events);
    // This delay is real, because no event shows that a request is not sent.
    tokio::time::sleep(millis(10)).await;
    assert_pending(events);
    assert_eq!(seen(), before, "not yet");
    assert_eq!(timer.pending(), 1, "it still waits");
    timer.advance(MILLISECOND);
    assert_eq!(timer.pending(), 0, "the delay is over");
}

/// Sends these replies, and returns the `Last-Event-ID` of each request but the first.
async fn ids_sent(replies: impl IntoIterator<Item = Reply>) -> Vec<Vec<Vec<u8>>> {
    let server = Server::scripted(replies);
    let mut events = quickly(get(server.url()));
    let told = story(&mut events).await;
    assert!(!told.iter().any(|line| line.starts_with("error")), "{told:?}");
    let requests = server.requests();
    let ids = last_event_ids(&requests);
    assert!(ids[0].is_empty(), "there is no id before the first connection");
    ids[1..].iter().map(|ids| ids.iter().map(|id| id.to_vec()).collect()).collect()
}

fn one(id: impl AsRef<[u8]>) -> Vec<Vec<u8>> {
    vec![id.as_ref().to_vec()]
}

const NONE: Vec<Vec<u8>> = Vec::new();

// ----------------------------------------------------------------------------- How connections end

/// D1
#[tokio::test]
async fn after_a_clean_end_the_request_is_made_again_when_the_delay_is_over() {
    for end in [
        Reply::events("data: a\n\n").end(),
        Reply::events("data: a\n\n").keep_alive(),
        Reply::events("data: a\n\n").content_length(9).keep_alive(),
        Reply::events("data: a\n\n").content_length(9).end(),
        Reply::events("data: a\n\n").close_delimited().fin(),
        Reply::events("data: a\n\n").http_1_0().fin(),
    ] {
        let server = Server::scripted([end, Reply::events("data: b\n\n").hold()]);
        let timer = ManualTimer::new();
        let mut events = source(server.url(), exact(), &timer);
        assert!(!opened(&mut events).await.is_reconnect());
        assert_eq!(data(&mut events).await, "a");
        let lost = reconnecting(&mut events).await;
        assert!(matches!(lost.why, Disconnect::Ended), "{lost:?}");
        assert_eq!(lost.cause, "the server ended the stream");
        assert_eq!((lost.delay, lost.attempt), (secs(3), 1));
        wait_out(lost.delay, &mut events, &timer, &server).await;
        assert!(opened(&mut events).await.is_reconnect());
        assert_eq!(data(&mut events).await, "b");
        assert_eq!(server.requests().len(), 2);
    }
}

/// D2
#[tokio::test]
async fn an_event_that_a_reset_cuts_is_lost_and_not_joined_with_the_next() {
    let gate = Gate::new();
    let server = Server::scripted([
        Reply::events("id: 1\ndata: a\n\nevent: x\nid: 2\ndata: half").wait_for(&gate).reset(),
        Reply::events("data: b\n\n"),
    ]);
    let timer = ManualTimer::new();
    let mut events = source(server.url(), exact(), &timer);
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
    assert_pending(&mut events);
    gate.open();
    let lost = reconnecting(&mut events).await;
    assert!(matches!(&lost.why, Disconnect::Transport(_)), "{lost:?}");
    assert_one_line(&lost.cause);
    wait_out(lost.delay, &mut events, &timer, &server).await;
    opened(&mut events).await;
    let b = message(&mut events).await;
    assert_eq!((b.event(), b.data(), b.id()), ("message", "b", "1"));
    assert_eq!(last_event_ids(&server.requests())[1], [b"1"]);
}

/// D3
#[tokio::test]
async fn nothing_of_a_broken_connection_is_joined_with_the_next() {
    let sequences: [(&[u8], &[u8], &[&str]); 11] = [
        // in an event
        (b"event: x\nid: 9\ndata: half\n", b"data: b\n\n", &["b"]),
        (b"data: half\n", b"\ndata: b\n\n", &["b"]),
        // in a line
        (b"event: x\nid: 9\ndata: half", b"data: b\n\n", &["b"]),
        (b"da", b"ta: half\n\ndata: b\n\n", &["b"]),
        (b":", b"data: b\n\n", &["b"]),
        // in a UTF-8 sequence
        (b"data: \xF0\x9F", b"\x98\x80\n\ndata: b\n\n", &["b"]),
        (b"data: \xF0\x9F", b"data: \x98\x80\n\n", &["\u{FFFD}\u{FFFD}"]),
        // after a lone CR: the LF on the next connection is a separate line
        (b"data: half\r", b"\ndata: b\n\n", &["b"]),
        (b"data: half\r", b"\n\ndata: b\n\n", &["b"]),
        (b"data: a\r\r", b"\ndata: b\n\n", &["a", "b"]),
        // in a byte order mark; each connection may have its own
        (b"\xEF\xBB", b"\xEF\xBB\xBFdata: b\n\n", &["b"]),
    ];
    for (first, second, expected) in sequences {
        // with a clean end and with a broken one
        for first in [Reply::events(first).close_delimited().fin(), Reply::events(first).fin()] {
            let server = Server::scripted([first, Reply::events(second)]);
            let mut events = quickly(get(server.url()));
            let messages = messages(&mut events, expected.len()).await;
            let seen: Vec<_> = messages.iter().map(|m| (m.event(), m.data(), m.id())).collect();
            let expected: Vec<_> = expected.iter().map(|data| ("message", *data, "")).collect();
            assert_eq!(seen, expected, "{}", second.escape_ascii());
            reconnecting(&mut events).await;
            ended(&mut events).await;
            assert_eq!(last_event_ids(&server.requests()), [[b""; 0]; 3]);
        }
    }
}

/// D4
#[tokio::test]
async fn a_body_that_is_cut_short_gives_its_whole_events_then_its_loss() {
    for cut in [
        Reply::events("id: 1\ndata: a\n\nid: 2\ndata: half").fin(),
        Reply::events("id: 1\ndata: a\n\n").fin(),
        Reply::events("id: 1\ndata: a\n\n").send_raw("ff\r\nid: 2\ndata: half").fin(),
        Reply::events("id: 1\ndata: a\n\n").send_raw("f").fin(),
        Reply::events("id: 1\ndata: a\n\n").send_raw("no number\r\nid: 2\n\n\r\n").fin(),
        Reply::events("id: 1\ndata: a\n\n").content_length(1000).fin(),
        Reply::events("id: 1\ndata: a\n\nid: 2\ndata: half").content_length(u64::MAX / 4).fin(),
    ] {
        let server = Server::scripted([cut, Reply::events("data: b\n\n")]);
        let timer = ManualTimer::new();
        let mut events = source(server.url(), exact(), &timer);
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        let lost = reconnecting(&mut events).await;
        assert!(matches!(&lost.why, Disconnect::Transport(_)), "{lost:?}");
        assert_one_line(&lost.cause);
        assert_eq!(lost.delay, secs(3));
        timer.advance_to_next();
        assert!(opened(&mut events).await.is_reconnect());
        assert_eq!(data(&mut events).await, "b");
        assert_eq!(last_event_ids(&server.requests())[1], [b"1"]);
    }
}

// --------------------------------------------------------------------------------- The last event ID

/// D5
#[tokio::test]
async fn each_request_says_once_which_event_was_the_last() {
    let server = Server::scripted([
        Reply::events("id: 1\ndata: a\n\nid: 2\ndata: b\n\n"),
        Reply::events("id: 3\ndata: c\n\n"),
    ]);
    let timer = ManualTimer::new();
    let mut events = source(server.url(), exact(), &timer);
    let mut resumed_from = Vec::new();
    for ids in [&["1", "2"][..], &["3"]] {
        resumed_from.push(opened(&mut events).await.last_event_id().cloned());
        for id in ids {
            assert_eq!(message(&mut events).await.id(), *id);
            assert_eq!(events.last_event_id().map(|id| &**id), Some(*id));
        }
        reconnecting(&mut events).await;
        timer.advance_to_next();
    }
    ended(&mut events).await;
    assert_eq!(resumed_from, [None, Some("2".into())]);
    assert_eq!(events.last_event_id().map(|id| &**id), Some("3"), "it stays");
    assert_eq!(last_event_ids(&server.requests()), [&[][..], &[b"2"], &[b"3"]]);
}

/// D6
#[tokio::test]
async fn the_id_of_an_unfinished_block_is_not_sent() {
    let ids = ids_sent([
        Reply::events("id: 1\ndata: half\n"),
        Reply::events("id: 2"),
        Reply::events("id: 3\n").fin(),
        Reply::events("id: 4\ndata: a\n\nid: 5\ndata: half\n"),
        Reply::events("id: 6\n"),
        Reply::events("data: half\nid: 7\r").fin(),
    ]);
    assert_eq!(ids.await, [NONE, NONE, NONE, one("4"), one("4"), one("4")]);
}

/// D7
#[tokio::test]
async fn the_id_of_a_block_without_data_is_sent() {
    let server = Server::scripted([
        Reply::events("id: 1\ndata: a\n\nid: 2\n\n"),
        Reply::events("event: x\nid: 3\n: with a comment\n\ndata: half"),
    ]);
    let timer = ManualTimer::new();
    let mut events = source(server.url(), exact(), &timer);
    opened(&mut events).await;
    assert_eq!(message(&mut events).await.id(), "1");
    assert_eq!(events.last_event_id().map(|id| &**id), Some("1"), "as of this item");
    for id in ["2", "3"] {
        reconnecting(&mut events).await;
        assert_eq!(events.last_event_id().map(|id| &**id), Some(id));
        timer.advance_to_next();
        if id == "2" {
            opened(&mut events).await;
        }
    }
    ended(&mut events).await;
    assert_eq!(last_event_ids(&server.requests()), [&[][..], &[b"2"], &[b"3"]]);
}

/// D8
#[tokio::test]
async fn an_id_outlives_connections_without_ids() {
    let server = Server::scripted([
        Reply::events("id: old\ndata: a\n\n"),
        Reply::events("data: b\n\ndata: c\n\n"),
        Reply::events(": nothing\n\n"),
    ]);
    let mut events = quickly(get(server.url()));
    let messages = messages(&mut events, 3).await;
    let seen: Vec<_> = messages.iter().map(|message| (message.data(), message.id())).collect();
    assert_eq!(seen, [("a", "old"), ("b", "old"), ("c", "old")]);
    story(&mut events).await;
    assert_eq!(last_event_ids(&server.requests())[1..], [[b"old"], [b"old"], [b"old"]]);
}

/// D9
#[tokio::test]
async fn after_an_empty_id_no_header_is_sent() {
    for empty in ["id\n", "id:\n", "id: \n"] {
        let ids = ids_sent([
            Reply::events("id: 1\ndata: a\n\n"),
            Reply::events(format!("{empty}data: b\n\n")),
            Reply::events("data: c\n\n"),
            Reply::events(format!("id: 2\n\n{empty}\n")),
        ]);
        assert_eq!(ids.await, [one("1"), NONE, NONE, NONE], "{empty:?}");
    }

    let server = Server::scripted([Reply::events("id: 1\ndata: a\n\nid\ndata: b\n\n")]);
    let mut events = quickly(get(server.url()));
    let messages = messages(&mut events, 2).await;
    assert_eq!((messages[0].id(), messages[1].id()), ("1", ""));
    assert_eq!(events.last_event_id(), None);
}

/// D10
#[tokio::test]
async fn an_id_beyond_ascii_is_sent_as_its_utf_8_bytes() {
    for (id, bytes) in [
        ("…", &b"\xE2\x80\xA6"[..]),
        ("é", b"\xC3\xA9"),
        ("😀", b"\xF0\x9F\x98\x80"),
        ("\u{85}\u{FFFD}", b"\xC2\x85\xEF\xBF\xBD"),
    ] {
        let server = Server::scripted([
            Reply::events(format!("id: {id}\ndata: a\n\n")),
            Reply::events("data: b\n\n"),
            Reply::events("data: c\n\n"),
        ]);
        let mut events = quickly(get(server.url()));
        for message in messages(&mut events, 3).await {
            assert_eq!(message.id(), id);
        }
        story(&mut events).await;
        assert_eq!(last_event_ids(&server.requests()), [&[][..], &[bytes], &[bytes], &[bytes]]);
    }
}

/// D11
#[tokio::test]
async fn an_id_with_a_nul_is_never_sent() {
    let ids = ids_sent([
        Reply::events("id: \0\ndata: a\n\n"),
        Reply::events("id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n"),
        Reply::events("id: \x002\ndata: c\n\n"),
        Reply::events("id: 3\nid: 4\0\ndata: d\n\n"),
    ]);
    assert_eq!(ids.await, [NONE, one("1"), one("1"), one("3")]);
}

/// D12
#[tokio::test]
async fn a_long_id_is_sent_whole() {
    for len in [255, 256, 257, 8_000] {
        let id: String = ('0'..='9').cycle().take(len).collect();
        let ids = ids_sent([
            Reply::events(format!("id: {id}\ndata: a\n\n")),
            Reply::events("data: b\n\ndata: c\n\n"),
        ]);
        assert_eq!(ids.await, [one(&id), one(&id)], "{len}");
    }
}

/// D13
#[tokio::test]
async fn an_id_that_the_server_finds_too_long_ends_the_stream_with_its_431() {
    for len in [64 << 10, 1 << 20] {
        let id = "x".repeat(len);
        let server = Server::scripted([
            Reply::events(format!("id: {id}\ndata: a\n\n")),
            Reply::empty(431, "Request Header Fields Too Large"),
        ]);
        let timer = ManualTimer::new();
        let mut events = source(server.url(), exact(), &timer);
        opened(&mut events).await;
        assert_eq!(message(&mut events).await.id(), id);
        reconnecting(&mut events).await;
        timer.advance_to_next();
        let error = failed(&mut events).await;
        assert!(matches!(error, Error::Status(_)), "{error:?}");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(431));
        assert_eq!(last_event_ids(&server.requests())[1], [id.as_bytes()], "{len}");
        assert_quiet(&mut events, &timer, &server, 2).await;

        // A start without an ID succeeds.
        events.force_reconnect_with_id(None);
        ended(&mut events).await;
        assert_eq!(last_event_ids(&server.requests())[2], [b""; 0]);
    }
}

/// D13
#[tokio::test]
async fn a_server_that_resets_on_a_long_id_is_retried_with_growing_delays() {
    let id = "x".repeat(64 << 10);
    let server = Server::scripted([
        Reply::events(format!("id: {id}\ndata: a\n\n")),
        Reply::raw("").reset(),
        Reply::raw("").reset(),
        Reply::events("id\ndata: b\n\n"),
    ]);
    let timer = ManualTimer::new();
    let mut events = source(server.url(), exact(), &timer);
    opened(&mut events).await;
    data(&mut events).await;
    for delay in [3, 6, 12] {
        assert_eq!(reconnecting(&mut events).await.delay, secs(delay));
        timer.advance_to_next();
    }
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "b");
    reconnecting(&mut events).await;
    timer.advance_to_next();
    ended(&mut events).await;
    let lens = |request: &Request| request.header("last-event-id").first().map(|id| id.len());
    let lens: Vec<_> = server.requests().iter().map(lens).collect();
    assert_eq!(lens, [None, Some(64 << 10), Some(64 << 10), Some(64 << 10), None]);
}

/// D14
#[tokio::test]
async fn an_id_that_no_header_can_carry_is_left_out_and_the_stream_continues() {
    for id in ["\x01", "a\x7Fb", "\x1F", "x\x0By\x0C", "1\x08"] {
        let server = Server::scripted([
            Reply::events("id: 1\ndata: a\n\n"),
            Reply::events(format!("id: {id}\ndata: b\n\n")),
            Reply::events("data: c\n\n"),
            Reply::events("id: 2\ndata: d\n\n"),
        ]);
        let mut events = quickly(get(server.url()));
        let ids: Vec<_> =
            messages(&mut events, 4).await.iter().map(|message| message.id().to_owned()).collect();
        assert_eq!(ids, ["1", id, id, "2"]);
        story(&mut events).await;
        assert_eq!(
            last_event_ids(&server.requests()),
            [&[][..], &[b"1"], &[], &[], &[b"2"]],
            "{id:?}"
        );
    }
}

/// D14
#[tokio::test]
async fn an_id_cannot_inject_a_header() {
    for id in ["1\r\nX-Injected: 1", "1\nX-Injected: 1", "1\r\n\r\nGET / HTTP/1.1\r\n\r\n", "\0"] {
        let server = Server::scripted([Reply::events("data: a\n\n")]);
        let mut events = get(server.url())
            .into_event_source_builder()
            .last_event_id(id)
            .retry_policy(quick())
            .build();
        opened(&mut events).await;
        events.force_reconnect_with_id(Some(id.into()));
        ended(&mut events).await;
        let requests = server.requests();
        assert_eq!(last_event_ids(&requests), [[b""; 0]; 2], "{id:?}");
        assert!(requests.iter().all(|request| request.header("x-injected").is_empty()));
        assert_eq!(requests.len(), 2);
    }
}

/// D15
#[tokio::test]
async fn the_white_space_around_an_id_is_kept_and_sent() {
    // The server strips it, as HTTP demands, so the echo differs.
    for (field, id, echo) in [
        ("id:  a", " a", "a"),
        ("id: a ", "a ", "a"),
        ("id:\ta\t", "\ta\t", "a"),
        ("id: \t a b\t ", "\t a b\t ", "a b"),
        ("id:  ", " ", ""),
        ("id:\t", "\t", ""),
    ] {
        let server = Server::scripted([Reply::events(format!("{field}\ndata: a\n\n"))]);
        let mut events = quickly(get(server.url()));
        opened(&mut events).await;
        assert_eq!(message(&mut events).await.id(), id);
        reconnecting(&mut events).await;
        ended(&mut events).await;
        assert_eq!(last_event_ids(&server.requests())[1], [echo.as_bytes()], "{field:?}");
        assert_eq!(events.last_event_id().map(|id| &**id), Some(id));
    }
}

/// D16
#[tokio::test]
async fn an_id_that_means_something_elsewhere_is_sent_as_it_is() {
    for id in ["0", "null", "undefined", "-1", "false", "NaN", "\"\"", "id: 1", ","] {
        let ids = ids_sent([Reply::events(format!("id: {id}\ndata: a\n\n"))]);
        assert_eq!(ids.await, [one(id)]);
    }
}

// ------------------------------------------------------------------------------------ The delay

/// D17
#[tokio::test]
async fn a_retry_field_counts_with_data_without_data_and_as_the_last_line() {
    for body in [
        "retry: 200\ndata: a\n\n",
        "data: a\n\nretry: 200\n\n",
        "data: a\n\nretry: 200\n",
        "data: a\n\nretry: 200\r",
        "data: a\n\ndata: half\nretry:200\n",
        "data: a\n\n:\n\nretry: 7000\nretry: 200\n: comment\n\n",
        "data: a\n\nretry: 000200\n",
    ] {
        let server = Server::scripted([Reply::events(body), Reply::sse().hold()]);
        let timer = ManualTimer::new();
        let mut events = source(server.url(), exact(), &timer);
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        let lost = reconnecting(&mut events).await;
        assert_eq!(lost.delay, millis(200), "{body:?}");
        wait_out(lost.delay, &mut events, &timer, &server).await;
        opened(&mut events).await;
    }
}

/// D18
#[tokio::test]
async fn a_retry_field_that_is_not_a_number_changes_nothing() {
    for bogus in [
        "1000x", "x1000", "-1000", "+1000", "1000.0", "1e3", "0x10", "1 000", "1000 ", " 1000", "",
        "١٠٠٠", "\0",
    ] {
        let body = format!("retry: 4000\ndata: a\n\nretry: {bogus}\ndata: b\n\n");
        let server = Server::scripted([Reply::events(body)]);
        let timer = ManualTimer::new();
        let mut events = source(server.url(), exact(), &timer);
        messages(&mut events, 2).await;
        assert_eq!(reconnecting(&mut events).await.delay, secs(4), "{bogus:?}");
    }
}

/// D18
#[tokio::test]
async fn no_delay_is_shorter_than_the_server_asked_or_longer_than_twice_that() {
    let server = Server::repeating(Reply::events("retry: 3000\nretry: 1000x\ndata: a\n\n"));
    let timer = ManualTimer::new();
    let mut events = source(server.url(), Backoff::new(), &timer);
    let mut delays = Vec::new();
    for attempt in 1..=60 {
        opened(&mut events).await;
        data(&mut events).await;
        let lost = reconnecting(&mut events).await;
        assert_eq!(timer.next_deadline(), Some(timer.now() + lost.delay), "it waits as it says");
        // An event without an ID is no progress if an earlier connection delivered as many.
        assert_eq!(lost.attempt, attempt);
        delays.push(lost.delay);
        timer.advance_to_next();
    }
    let (min, max) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
    assert!(*min >= secs(3) && *max <= secs(6), "{delays:?}");
    // This fails by chance once in 10^9 runs.
    assert!(*max - *min > millis(1500), "over at least half of the base: {delays:?}");
}

/// D19
#[tokio::test]
async fn a_retry_field_counts_for_the_connections_after_the_next_too() {
    let server = Server::scripted([
        Reply::events("retry: 700\nid: 1\ndata: a\n\n"),
        Reply::events("id: 2\ndata: b\n\n"),
        Reply::sse(),
        Reply::events("id: 3\ndata: c\n\n"),
        Reply::events("retry: 900\nid: 4\ndata: d\n\n"),
    ]);
    let timer = ManualTimer::new();
    let mut events = source(server.url(), exact(), &timer);
    // The third connection delivers no event, so the next delay doubles.
    for delay in [700, 700, 1400, 700, 900] {
        loop {
            match next(&mut events).await {
                Some(Ok(everstream::Event::Reconnecting { delay: waited, .. })) => {
                    assert_eq!(waited, millis(delay));
                    break;
                }
                item => assert!(matches!(item, Some(Ok(_))), "{item:?}"),
            }
        }
        timer.advance_to_next();
    }
    ended(&mut events).await;

    // A forced reconnection keeps it.
    let server = Server::scripted([
        Reply::events("retry: 700\ndata: a\n\n").hold(),
        Reply::events("data: b\n\n"),
    ]);
    let mut events = source(server.url(), exact(), &timer);
    messages(&mut events, 1).await;
    events.force_reconnect();
    messages(&mut events, 1).await;
    assert_eq!(reconnecting(&mut events).await.delay, millis(700));
}

/// D20
#[tokio::test]
async fn a_server_with_retry_0_that_closes_gets_ten_requests_a_second_at_most() {
    for (body, policy) in [
        ("retry: 0\ndata: a\n\n", exact()),
        ("retry: 0\ndata: a\n\n", Backoff::new()),
        ("retry: 0\n\n", exact()),
        ("retry: 0\n\n", Backoff::new()),
        ("retry: 0\n", exact()),
    ] {
        let server = Server::repeating(Reply::events(body));
        let timer = ManualTimer::new();
        let mut events = source(server.url(), policy, &timer);
        let mut times = Vec::new();
        for _ in 0..100 {
            opened(&mut events).await;
            times.push(timer.now());
            if body.contains("data") {
                data(&mut events).await;
            }
            let lost = reconnecting(&mut events).await;
            assert!(lost.delay >= millis(100), "{lost:?}");
            assert_pending(&mut events);
            timer.advance_to_next();
        }
        for window in times.windows(11) {
            assert!(window[10] - window[0] >= secs(1), "{body:?}: {times:?}");
        }
        if !body.contains("data") {
            let last = times[99] - times[98];
            assert!(last >= secs(60), "nothing came of any: {last:?}");
        }

        opened(&mut events).await;
        while events.ready_state() == ReadyState::Open {
            next(&mut events).await;
        }
        events.close();
        ended(&mut events).await;
        assert_quiet(&mut events, &timer, &server, 101).await;
    }
}

/// D21
#[tokio::test]
async fn a_huge_retry_is_capped_and_its_wait_can_be_ended() {
    let huge = ["18446744073709551615", "18446744073709551616", &"1".repeat(400), &"9".repeat(400)];
    for retry in huge {
        let server = Server::scripted([
            Reply::events(format!("retry: {retry}\ndata: a\n\n")),
            Reply::events("data: b\n\n"),
            Reply::events("data: c\n\n"),
        ]);
        let timer = ManualTimer::new();
        let mut events = source(server.url(), exact(), &timer);
        let handle = events.handle();
        for expected in ["a", "b", "c"] {
            opened(&mut events).await;
            assert_eq!(data(&mut events).await, expected);
            assert_eq!(reconnecting(&mut events).await.delay, secs(60));
            assert_pending(&mut events);
            match expected {
                "a" => events.force_reconnect(),
                "b" => handle.reconnect_now(),
                _ => events.close(),
            }
        }
        assert_eq!(timer.now(), Duration::ZERO, "no delay was waited for");
        ended(&mut events).await;
        assert_quiet(&mut events, &timer, &server, 3).await;

        let server = Server::repeating(Reply::events(format!("retry: {retry}\ndata: a\n\n")));
        let mut events = source(server.url(), Backoff::new(), &timer);
        messages(&mut events, 1).await;
        let delay = reconnecting(&mut events).await.delay;
        assert!((secs(60)..=secs(120)).contains(&delay), "{delay:?}");
    }
}

/// D21
#[tokio::test]
async fn a_huge_retry_does_not_overflow_the_clock() {
    for policy in [exact(), Backoff::new()] {
        let retry = "9".repeat(400);
        let server = Server::repeating(Reply::events(format!("retry: {retry}\ndata: a\n\n")));
        // on tokio's clock
        let mut events = get(server.url())
            .into_event_source_builder()
            .retry_policy(policy.with_max_server_delay(Duration::MAX).with_max_delay(Duration::MAX))
            .build();
        for _ in 0..2 {
            messages(&mut events, 1).await;
            assert!(reconnecting(&mut events).await.delay >= millis(u64::MAX));
            assert_pending(&mut events);
            events.force_reconnect();
        }
        messages(&mut events, 1).await;
        reconnecting(&mut events).await;
        assert_pending(&mut events);
        events.close();
        ended(&mut events).await;
    }
}

// ----------------------------------------------------------------- Connections that do not come about

/// D22
#[tokio::test]
async fn a_source_recovers_when_a_server_that_refused_connections_is_back() {
    let server = Server::scripted([
        Reply::events("id: 1\ndata: a\n\n"),
        Reply::events("id: 2\ndata: b\n\n"),
    ]);
    let timer = ManualTimer::new();
    let mut events = source(server.url(), exact(), &timer);
    for (expected, is_reconnect) in [("a", false), ("b", true)] {
        server.stop_listening();
        for attempt in 1 + u32::from(is_reconnect)..=4 {
            let lost = reconnecting(&mut events).await;
            assert!(matches!(&lost.why, Disconnect::Transport(_)), "{lost:?}");
            assert!(lost.cause.starts_with("could not connect to 127.0.0.1:"), "{lost:?}");
            assert_one_line(&lost.cause);
            assert_eq!(lost.attempt, attempt);
            assert_eq!(events.ready_state(), ReadyState::Connecting);
            assert_pending(&mut events);
            timer.advance_to_next();
        }
        server.listen_again();
        assert_eq!(opened(&mut events).await.is_reconnect(), is_reconnect);
        assert_eq!(data(&mut events).await, expected);
        assert_eq!(reconnecting(&mut events).await.attempt, 1);
        timer.advance_to_next();
    }
    ended(&mut events).await;
    assert_eq!(last_event_ids(&server.requests()), [&[][..], &[b"1"], &[b"2"]]);
}

/// D23
#[tokio::test]
async fn a_source_gives_up_after_max_retries() {
    let server = Server::repeating(Reply::raw("").fin());
    let timer = ManualTimer::new();
    let mut events = source(server.url(), exact().with_max_retries(6), &timer);
    for (attempt, delay) in (1..).zip([3, 6, 12, 24, 48, 60]) {
        let lost = reconnecting(&mut events).await;
        assert_eq!((lost.attempt, lost.delay), (attempt, secs(delay)));
        wait_out(lost.delay, &mut events, &timer, &server).await;
    }
    let error = failed(&mut events).await;
    let Error::GaveUp { attempts: 6, reason: cause, .. } = &error else { panic!("{error:?}") };
    assert!(matches!(&cause, Disconnect::Transport(_)), "{cause:?}");
    assert_quiet(&mut events, &timer, &server, 7).await;

    let closed = ClosedPort::new();
    for retries in 0..3 {
        let mut events = source(closed.url(), exact().with_max_retries(retries), &timer);
        for _ in 0..retries {
            reconnecting(&mut events).await;
            timer.advance_to_next();
        }
        let error = failed(&mut events).await;
        let Error::GaveUp { attempts, .. } = &error else { panic!("{error:?}") };
        assert_eq!(*attempts, retries);
        let s = if retries == 1 { "" } else { "s" };
        let expected = format!("gave up after {retries} reconnection{s}: could not connect to ");
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert_one_line(error.to_string());
        assert_eq!(timer.pending(), 0);
    }
}

/// D23
#[tokio::test]
async fn only_connections_without_progress_use_up_retries() {
    let timer = ManualTimer::new();
    let server = Server::repeating(Reply::sse());
    let mut events = source(server.url(), exact().with_max_retries(2), &timer);
    for attempt in 1..=2 {
        opened(&mut events).await;
        assert_eq!(reconnecting(&mut events).await.attempt, attempt);
        timer.advance_to_next();
    }
    opened(&mut events).await;
    let error = failed(&mut events).await;
    let Error::GaveUp { attempts: 2, reason: cause, .. } = &error else { panic!("{error:?}") };
    assert!(matches!(cause, Disconnect::Ended), "{cause:?}");
    assert_quiet(&mut events, &timer, &server, 3).await;

    let replies = (0..20).map(|id| Reply::events(format!("id: {id}\ndata: a\n\n")));
    let server = Server::scripted(replies);
    let mut events = source(server.url(), exact().with_max_retries(0), &timer);
    for _ in 0..20 {
        opened(&mut events).await;
        data(&mut events).await;
        assert_eq!(reconnecting(&mut events).await.attempt, 1);
        timer.advance_to_next();
    }
}

/// D23
#[tokio::test]
async fn a_source_gives_up_on_a_long_outage_and_reports_its_attempts() {
    let server = Server::repeating(Reply::raw("").fin());
    let timer = ManualTimer::new();
    let mut events = source(server.url(), exact().with_max_elapsed(secs(10)), &timer);
    // At 0 s, at 3 s and at 9 s
    for (attempt, delay) in [(1, 3), (2, 6), (3, 12)] {
        let lost = reconnecting(&mut events).await;
        assert_eq!((lost.attempt, lost.delay), (attempt, secs(delay)));
        if attempt < 3 {
            timer.advance(lost.delay);
        }
    }
    timer.advance(millis(999));
    assert_pending(&mut events);
    timer.advance(MILLISECOND);
    let error = failed(&mut events).await;
    assert_quiet(&mut events, &timer, &server, 3).await;
    let Error::GaveUp { attempts, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*attempts, 2, "the third reconnection was not made");
}

/// A resolver that finds the server from the third query on.
struct LateResolver {
    questions: Arc<AtomicUsize>,
    server: SocketAddr,
}

impl Resolve for LateResolver {
    fn resolve(&self, name: Name) -> Resolving {
        assert_eq!(name.as_str(), "events.invalid");
        let question = self.questions.fetch_add(1, Ordering::SeqCst);
        let server = self.server;
        Box::pin(async move {
            if question < 2 {
                return Err(io::Error::other("no such host").into());
            }
            let addresses: Addrs = Box::new([server].into_iter());
            Ok(addresses)
        })
    }
}

/// D24
#[tokio::test]
async fn a_name_that_does_not_resolve_is_retried() {
    let server = Server::scripted([Reply::events("data: a\n\n")]);
    let questions = Arc::new(AtomicUsize::new(0));
    let resolver = LateResolver { questions: Arc::clone(&questions), server: server.address() };
    let http = Client::builder().no_proxy().dns_resolver(Arc::new(resolver)).build().unwrap();
    let timer = ManualTimer::new();
    let url = format!("http://events.invalid:{}/", server.address().port());
    let mut events = http
        .get(url)
        .into_event_source_builder()
        .retry_policy(exact())
        .timer(timer.clone())
        .build();
    for (attempt, delay) in [(1, 3), (2, 6)] {
        let lost = reconnecting(&mut events).await;
        assert!(matches!(&lost.why, Disconnect::Transport(_)), "{lost:?}");
        let host = format!("events.invalid:{}", server.address().port());
        assert_eq!(lost.cause, format!("could not connect to {host}: no such host"));
        assert_eq!((lost.attempt, lost.delay), (attempt, secs(delay)));
        assert_eq!(questions.load(Ordering::SeqCst), attempt as usize);
        wait_out(lost.delay, &mut events, &timer, &server).await;
    }
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
}

/// Responses that are not HTTP/1.1: a TLS alert, a greeting of HTTP/2, and the like.
fn malformed_responses() -> Vec<Reply> {
    let tls_alert = b"\x15\x03\x03\x00\x02\x02\x28";
    let tls_hello = b"\x16\x03\x03\x00\x31\x02\x00\x00\x2D\x03\x03\x0A\x0D\x00\xFF\r\n\r\n";
    let http2_settings = b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x40\x00";
    vec![
        Reply::raw("garbage\r\n"),
        Reply::raw("garbage\r\n\r\n").hold(),
        Reply::raw("\0\0\0\0"),
        Reply::raw(tls_alert),
        Reply::raw(tls_hello).hold(),
        Reply::raw(http2_settings).hold(),
        Reply::raw("HTTP/1.1 0 OK\r\n\r\n"),
        Reply::raw("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
        Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        Reply::raw("SSH-2.0-OpenSSH_9.6\r\n"),
    ]
}

/// D25 H7: no retry can fix a wrong port.
#[tokio::test]
async fn a_server_that_does_not_speak_http_ends_a_stream_that_was_never_open() {
    for reply in malformed_responses() {
        let server = Server::scripted([reply]);
        let error = failed(&mut source(server.url(), exact(), &ManualTimer::new())).await;
        assert!(matches!(&error, Error::Request(e) if e.is_permanent()), "{error:?}");
        assert_one_line(error.to_string());
        assert_eq!(server.requests().len(), 1);
    }
}

/// D25
#[tokio::test]
async fn a_head_that_is_malformed_or_cut_is_retried_once_the_stream_was_open() {
    let cut = [
        Reply::raw("garbage"),
        Reply::raw("").fin(),
        Reply::raw("").reset(),
        Reply::raw("\r\n\r\n"),
        Reply::raw("HTTP/1.1 200"),
        Reply::raw("HTTP/1.1 200 OK\r\nContent-Type: text/event-str"),
        Reply::raw("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"),
    ];
    let broken: Vec<_> = malformed_responses().into_iter().chain(cut).collect();
    let count = broken.len();
    let opens = || Reply::events("data: a\n\n");
    let replies = std::iter::once(opens()).chain(broken).chain([opens().hold()]);
    let server = Server::scripted(replies);
    let timer = ManualTimer::new();
    let mut events = source(server.url(), exact(), &timer);
    assert_eq!(messages(&mut events, 1).await.len(), 1);
    for done in 1..=count + 1 {
        let lost = reconnecting(&mut events).await;
        match done {
            1 => assert!(matches!(lost.why, Disconnect::Ended), "{lost:?}"),
            _ => assert!(matches!(lost.why, Disconnect::Transport(_)), "{done}: {lost:?}"),
        }
        assert_one_line(&lost.cause);
        assert_eq!(lost.attempt as usize, done);
        assert_pending(&mut events);
        assert_eq!(server.requests().len(), done, "one request for each");
        timer.advance_to_next();
    }
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
    server.until_live(1).await;
}

/// D26
#[tokio::test]
async fn delays_grow_with_each_failure_up_to_the_cap_and_start_over_after_success() {
    let expected: [(&[(u32, u64)], &str); 4] = [
        (&[(1, 3), (2, 6), (3, 12), (4, 24), (5, 48), (6, 60), (7, 60)], "a short life"),
        // That connection made no progress, so the streak continues.
        (&[(8, 60), (9, 60)], "a long life"),
        (&[(1, 3), (2, 6), (3, 12)], "an event"),
        // The server has sent `retry: 1000`.
        (&[(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60)], "an event"),
    ];
    let feeds = [Feed::new(), Feed::new(), Feed::new(), Feed::new()];
    let mut replies = Vec::new();
    for (k, ((streak, _), feed)) in expected.iter().zip(&feeds).enumerate() {
        // If a connection was open before, its end is the first loss of the streak.
        let failures = streak.len() - usize::from(k > 0);
        replies.extend(vec![Reply::raw("").fin(); failures]);
        replies.push(Reply::sse().fed_by(feed));
    }
    let server = Server::scripted(replies);
    let timer = ManualTimer::new();
    let mut events = source(server.url(), exact(), &timer);
    for ((streak, then), feed) in expected.into_iter().zip(&feeds) {
        for (attempt, delay) in streak {
            let lost = reconnecting(&mut events).await;
            assert_eq!((lost.attempt, lost.delay), (*attempt, secs(*delay)), "before {then}");
            timer.advance_to_next();
        }
        opened(&mut events).await;
        match then {
            "a short life" => {
                timer.advance(millis(4_999));
                assert_pending(&mut events);
            }
            "a long life" => {
                timer.advance(secs(5));
                assert_pending(&mut events);
            }
            _ => {
                // The id is new, so this is progress.
                let id = streak.len();
                feed.send(format!("retry: 1000\nid: {id}\ndata: a\n\n"));
                assert_eq!(data(&mut events).await, "a");
            }
        }
        feed.fin();
    }
    let lost = reconnecting(&mut events).await;
    assert_eq!((lost.attempt, lost.delay), (1, secs(1)));
}

/// D26
#[tokio::test]
async fn delays_are_spread_upward_by_as_much_again_at_the_cap_too() {
    let closed = ClosedPort::new();
    let timer = ManualTimer::new();
    let mut events = source(closed.url(), Backoff::new(), &timer);
    let mut at_the_cap = Vec::new();
    for base in [3, 6, 12, 24, 48].into_iter().chain([60; 40]) {
        let delay = reconnecting(&mut events).await.delay;
        assert!((secs(base)..=secs(2 * base)).contains(&delay), "{base} s: {delay:?}");
        if base == 60 {
            at_the_cap.push(delay);
        }
        timer.advance_to_next();
    }
    let (min, max) = (at_the_cap.iter().min().unwrap(), at_the_cap.iter().max().unwrap());
    // This fails by chance once in 10^10 runs.
    assert!(*max - *min > secs(30), "{at_the_cap:?}");
}

/// D27
#[tokio::test]
async fn a_first_connection_that_fails_is_retried_like_any_later_one() {
    let failures = || [Reply::raw("").fin(), Reply::raw("").reset(), Reply::raw("HTTP/1.1 2")];
    let replies = failures().into_iter().chain([Reply::events("data: a\n\n")]).chain(failures());
    let server = Server::scripted(replies);
    let timer = ManualTimer::new();
    let mut events = source(server.url(), exact(), &timer);
    for (attempt, delay) in [(1, 3), (2, 6), (3, 12)] {
        let lost = reconnecting(&mut events).await;
        assert_eq!((lost.attempt, lost.delay), (attempt, secs(delay)));
        timer.advance_to_next();
    }
    assert!(!opened(&mut events).await.is_reconnect());
    assert_eq!(data(&mut events).await, "a");
    for (attempt, delay) in [(1, 3), (2, 6), (3, 12), (4, 24)] {
        let lost = reconnecting(&mut events).await;
        assert_eq!((lost.attempt, lost.delay), (attempt, secs(delay)));
        timer.advance_to_next();
    }
    ended(&mut events).await;
    assert_eq!(server.requests().len(), 8);
}

/// D28
#[tokio::test]
async fn while_the_delay_runs_no_request_is_sent() {
    let server = Server::scripted([
        Reply::events("retry: 50\ndata: a\n\n"),
        Reply::events("data: b\n\n").hold(),
    ]);
    let timer = ManualTimer::new();
    let policy = exact().with_min_delay(Duration::ZERO);
    let mut events = source(server.url(), policy, &timer);
    messages(&mut events, 1).await;
    assert_eq!(reconnecting(&mut events).await.delay, millis(50));
    timer.advance(millis(49));
    for _ in 0..20 {
        assert_pending(&mut events);
        tokio::time::sleep(MILLISECOND).await;
    }
    assert_eq!((server.connections(), server.requests().len()), (1, 1), "after 49 ms");
    timer.advance(MILLISECOND);
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "b");
    assert_eq!(server.requests().len(), 2, "after 50 ms");
}

/// D28
#[tokio::test(start_paused = true)]
async fn the_delay_is_measured_on_the_paused_clock_of_tokio_too() {
    // This keeps the clock from jumping while bytes are in transit.
    let (release, held) = std::sync::mpsc::channel::<()>();
    let blocking = tokio::task::spawn_blocking(move || held.recv());

    let server = Server::scripted([
        Reply::events("retry: 50\ndata: a\n\n"),
        Reply::events("data: b\n\n").hold(),
    ]);
    let policy = exact().with_min_delay(Duration::ZERO);
    let mut events = get(server.url()).into_event_source_builder().retry_policy(policy).build();
    // The server's timeout is on the real clock, so it ends a test that hangs.
    let (lost, _) = tokio::join!(
        async {
            messages(&mut events, 1).await;
            reconnecting(&mut events).await
        },
        server.until_closed(0)
    );
    assert_eq!(lost.delay, millis(50));
    assert_pending(&mut events);
    tokio::time::advance(millis(49)).await;
    assert_pending(&mut events);
    std::thread::sleep(millis(10));
    assert_pending(&mut events);
    assert_eq!(server.connections(), 1, "after 49 ms");
    tokio::time::advance(MILLISECOND).await;
    let (b, requests) = tokio::join!(
        async {
            opened(&mut events).await;
            data(&mut events).await
        },
        server.until_requests(2)
    );
    assert_eq!((b.as_str(), requests.len()), ("b", 2));
    drop(release);
    let _ = blocking.await;
}

/// D29
#[tokio::test]
async fn a_thousand_connections_deliver_each_event_once_and_leave_nothing() {
    const MANY: usize = 1_000;
    let server = Server::start(|request| {
        let next = match request.header("last-event-id")[..] {
            [] => 0,
            [id] => 1 + std::str::from_utf8(id).unwrap().parse::<usize>().unwrap(),
            _ => panic!("several ids"),
        };
        let reply = Reply::events(format!("id: {next}\ndata: {next}\n\n"));
        match next {
            MANY.. => Reply::no_content(),
            _ if next % 2 == 0 => reply.end(),
            _ => reply.fin(),
        }
    });
    let before = sockets(&server);
    let timer = ManualTimer::new();
    let mut events = source(server.url(), Backoff::new(), &timer);
    for expected in 0..MANY {
        assert_eq!(opened(&mut events).await.is_reconnect(), expected > 0);
        let message = message(&mut events).await;
        assert_eq!(message.data(), expected.to_string());
        assert_eq!(message.id(), message.data());
        assert_eq!(reconnecting(&mut events).await.attempt, 1);
        assert_eq!(timer.pending(), 1, "there is the delay, and nothing else");
        timer.advance_to_next();
        if expected % 100 == 99 {
            let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
            assert!(tasks <= 3, "after {expected} there are {tasks} tasks");
            server.until_live(0).await;
        }
    }
    ended(&mut events).await;
    drop(events);
    server.until_live(0).await;
    assert_eq!((server.requests().len(), timer.pending()), (MANY + 1, 0));

    // Closed sockets disappear a moment later.
    within(async {
        while tokio::runtime::Handle::current().metrics().num_alive_tasks() > 0 {
            tokio::time::sleep(MILLISECOND).await;
        }
        while sockets(&server) != before {
            tokio::time::sleep(MILLISECOND).await;
        }
    })
    .await;
}

/// Returns the number of this process's sockets to this server, on Linux. Other tests use other
/// servers at the same time.
fn sockets(server: &Server) -> usize {
    let port = format!(":{:04X}", server.address().port());
    let Ok(table) = std::fs::read_to_string("/proc/self/net/tcp") else { return 0 };
    let of_server: Vec<_> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|row| row.len() > 9 && (row[1].ends_with(&port) || row[2].ends_with(&port)))
        .map(|row| format!("socket:[{}]", row[9]))
        .collect();
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return 0 };
    open.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
        .filter(|link| of_server.iter().any(|socket| link.as_os_str() == socket.as_str()))
        .count()
}
