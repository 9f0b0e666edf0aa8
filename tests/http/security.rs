//! Tests that a hostile server cannot learn credentials, add headers to requests, or exhaust
//! memory, not even by a redirect.
//!
//! tests/parser/limits.rs tests the parser's limits. Here the bytes go through a socket and
//! reqwest, and all memory of the process is counted, including the test server's.

use crate::support::alone::is_alone;
use crate::support::client::*;
use crate::support::process_heap::Heap;
use crate::support::server::{Reply, Request, Server};
use everstream::{Error, Event, EventSource, Reconnection, RequestBuilderExt};
use reqwest::Client;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

// ------------------------------------------------------------------------------------ Credentials

/// The headers with credentials.
const CREDENTIALS: [(&str, &str); 3] = [
    ("authorization", "Bearer secret"),
    ("cookie", "session=secret"),
    ("proxy-authorization", "x"),
];

fn with_credentials(url: String) -> EventSource {
    let request =
        CREDENTIALS.iter().fold(get(url), |request, (name, value)| request.header(*name, *value));
    quickly(request)
}

#[track_caller]
fn assert_credentials(request: &Request, expected: bool) {
    for (name, value) in CREDENTIALS {
        let values = request.header(name);
        match expected {
            true => assert_eq!(values, [value.as_bytes()], "{name}"),
            false => assert!(values.is_empty(), "{name} came along: {request:?}"),
        }
    }
}

#[tokio::test]
async fn no_redirect_takes_credentials_to_another_port_or_another_name_of_the_host() {
    for code in [301, 302, 303, 307, 308] {
        let other = Server::repeating(Reply::events("data: a\n\n").hold());
        let port = other.address().port();
        for away in [format!("{}/x", other.origin()), format!("http://localhost:{port}/x")] {
            let server = Server::repeating(Reply::redirect(code, &away));
            let mut events = with_credentials(server.url());
            opened(&mut events).await;
            assert_credentials(&server.requests()[0], true);
        }
        for request in other.requests() {
            assert_credentials(&request, false);
        }
        assert_eq!(other.requests().len(), 2);
    }
}

#[tokio::test]
async fn credentials_dropped_by_a_redirect_are_not_sent_on_the_way_back() {
    let server = Server::start(|request| match &*request.path {
        "/back" => Reply::events("data: a\n\n").hold(),
        // The query of the first request contains the address of the other server.
        path => Reply::redirect(307, path.split_once('=').expect("a query").1),
    });
    let back = server.url_at("/back");
    let other = Server::repeating(Reply::redirect(307, &back));
    let mut events = with_credentials(server.url_at(&format!("/?to={}", other.url())));
    opened(&mut events).await;
    let requests = server.requests();
    assert_credentials(&requests[0], true);
    assert_credentials(&other.requests()[0], false);
    assert_eq!(requests[1].path, "/back");
    assert_credentials(&requests[1], false);
}

#[tokio::test]
async fn a_reconnection_has_its_credentials_again_and_its_redirect_has_not() {
    let other = Server::repeating(Reply::events("id: 7\ndata: a\n\n"));
    let server = Server::repeating(Reply::redirect(307, &other.url()));
    let mut events = with_credentials(server.url());
    assert_eq!(messages(&mut events, 3).await.len(), 3);
    drop(events);
    assert!(server.requests().len() >= 3 && other.requests().len() >= 3);
    for request in server.requests() {
        assert_credentials(&request, true);
    }
    for request in other.requests() {
        assert_credentials(&request, false);
    }
}

/// This is reqwest's behaviour.
#[tokio::test]
async fn a_redirect_sends_a_referer_unless_the_client_disables_it() {
    let other = Server::repeating(Reply::events("data: a\n\n").hold());
    let server = Server::repeating(Reply::redirect(307, &other.url()));
    let url = server.url_at("/?token=secret");
    opened(&mut get(&url).into_event_source()).await;
    let discreet = Client::builder().no_proxy().referer(false).build().expect("a client");
    opened(&mut discreet.get(&url).into_event_source()).await;

    let requests = other.requests();
    assert_eq!(requests[0].header("referer"), [url.as_bytes()]);
    assert!(requests[1].header("referer").is_empty());
}

// ---------------------------------------------------------------------------------------- Headers

/// IDs that a server can send and no header can carry.
const UNFIT: [&str; 5] = ["a\u{1}b", "a\u{b}Evil: 1", "a\u{1f}", "a\u{7f}", "\u{1b}[31m"];

#[tokio::test]
async fn an_id_that_a_server_makes_up_puts_no_header_into_the_next_request() {
    for id in UNFIT {
        let server = Server::scripted([Reply::events(format!("id: {id}\ndata: a\n\n"))]);
        let mut events = quickly(get(server.url()));
        opened(&mut events).await;
        assert_eq!(message(&mut events).await.id(), id);
        reconnecting(&mut events).await;
        ended(&mut events).await;
        assert_same_headers(&server.requests(), &[]);
    }
}

#[tokio::test]
async fn an_id_that_looks_like_a_header_stays_within_its_value() {
    for id in ["a: b", "Evil: 1", "a, b", "x%0d%0aEvil: 1", "\u{85}Evil: 1", "\u{2028}Evil: 1"] {
        let server = Server::scripted([Reply::events(format!("id: {id}\ndata: a\n\n"))]);
        story(&mut quickly(get(server.url()))).await;
        assert_same_headers(&server.requests(), &["last-event-id"]);
        assert_eq!(server.requests()[1].header("last-event-id"), [id.as_bytes()]);
    }
}

#[tokio::test]
async fn an_id_that_the_program_sets_puts_no_header_into_the_next_request() {
    for id in
        ["a\r\nEvil: 1", "a\nEvil: 1", "a\rEvil: 1", "a\0", "a\r\n\r\nGET /evil HTTP/1.1\r\n\r\n"]
    {
        let server = Server::repeating(Reply::events("data: a\n\n").hold());
        let mut events = quickly(get(server.url()));
        opened(&mut events).await;
        events.force_reconnect_with_id(Some(id.into()));
        opened(&mut events).await;
        assert_same_headers(&server.requests(), &[]);
    }
}

/// Asserts that there were two requests, and that the second had these additional headers.
#[track_caller]
fn assert_same_headers(requests: &[Request], more: &[&str]) {
    let names = |request: &Request| {
        let names = request.headers.iter().map(|(name, _)| name.to_ascii_lowercase());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    let [first, second] = requests else { panic!("{requests:#?}") };
    let mut expected = names(first);
    expected.extend(more.iter().map(|name| (*name).to_owned()));
    expected.sort();
    assert_eq!(names(second), expected);
    assert_eq!(first.path, second.path);
}

// ----------------------------------------------------------------------------------------- Memory

/// The bytes of an endless response.
const FLOOD: usize = 32 * MIB;
const PIECE: usize = 64 * KIB;

/// The maximum memory of a connection and its server, with all buffers, at an event limit of 1 MiB.
/// It is far less than the flood.
const ENOUGH: usize = 8 * MIB;

/// Adds `filler` up to the size of the flood.
fn flood(reply: Reply, filler: &'static str) -> Reply {
    reply.send_each(move |index| {
        (index < FLOOD / PIECE).then(|| filler.repeat(PIECE / filler.len()).into_bytes())
    })
}

/// Returns an event stream of `start`, `filler` and an event.
fn endless(start: &str, filler: &'static str) -> Reply {
    flood(Reply::sse().send(start), filler).send("\n\nid\ndata: after\n\n")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[test]
fn no_line_name_id_or_comment_without_an_end_takes_memory() {
    if !is_alone("security::no_line_name_id_or_comment_without_an_end_takes_memory") {
        return;
    }
    for (start, filler, discarded) in [
        ("data: ", "x", true),
        ("data:", "\u{1F600}", true),
        ("event: ", "x", true),
        ("id: ", "x", true),
        ("", "data: a line like any other, of which there is no end\n", true),
        (":", "x", false),
        ("", "x", false),
        ("retry: ", "9", false),
        ("", ": a comment like any other, of which there is no end\n", false),
    ] {
        let heap = Heap::measure();
        runtime().block_on(async {
            let server = Server::scripted([endless(start, filler).hold()]);
            let request = get(server.url()).into_event_source_builder();
            let mut events = request.max_event_size(MIB).comments(false).build();
            opened(&mut events).await;
            let mut item = next(&mut events).await;
            if discarded {
                assert!(matches!(item, Some(Ok(Event::Discarded(_)))), "{start:?}: {item:?}");
                item = next(&mut events).await;
            }
            let Some(Ok(Event::Message(message))) = item else { panic!("{start:?}: {item:?}") };
            assert_eq!(message.data(), "after");
        });
        heap.assert_peak_below(ENOUGH);
    }
}

/// Returns the error of a response with an endless head.
fn refused(reply: impl Fn() -> Reply) -> String {
    let heap = Heap::measure();
    let cause = runtime().block_on(async {
        let server = Server::scripted([reply()]);
        let request = get(server.url()).into_event_source_builder();
        let error = failed(&mut request.reconnect(Reconnection::Never).build()).await;
        assert!(matches!(error, Error::Lost(_) | Error::Request(_)), "{error:?}");
        error.to_string()
    });
    heap.assert_peak_below(ENOUGH);
    cause
}

#[test]
fn a_head_without_an_end_is_an_error_and_takes_no_memory() {
    if !is_alone("security::a_head_without_an_end_is_an_error_and_takes_no_memory") {
        return;
    }
    for (start, filler) in [
        ("HTTP/1.1 200 ", "x"),
        ("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX: ", "x"),
        ("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n", "X: y\r\n"),
        ("HTTP/1.1 200 OK\r\n", "x"),
        ("", "x"),
    ] {
        let cause = refused(|| flood(Reply::raw(start), filler).hold());
        assert_one_line(&cause);
    }
}

#[test]
fn endless_chunk_framing_is_an_error_and_takes_no_memory() {
    if !is_alone("security::endless_chunk_framing_is_an_error_and_takes_no_memory") {
        return;
    }
    for (start, filler) in [("1;", "x"), ("0\r\n", "X: y\r\n"), ("0\r\nX: ", "x"), ("", "f")] {
        let heap = Heap::measure();
        runtime().block_on(async {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
            let reply = flood(Reply::raw(format!("{head}{start}")), filler).hold();
            let server = Server::scripted([reply]);
            let mut events = quickly(get(server.url()));
            opened(&mut events).await;
            assert_one_line(reconnecting(&mut events).await.cause);
        });
        heap.assert_peak_below(ENOUGH);
    }
}

#[test]
fn the_body_of_a_response_that_is_not_an_event_stream_is_only_read_by_its_user() {
    if !is_alone(
        "security::the_body_of_a_response_that_is_not_an_event_stream_is_only_read_by_its_user",
    ) {
        return;
    }
    let heap = Heap::measure();
    runtime().block_on(async {
        let refusal = Reply::sse().status(500, "No");
        let server = Server::scripted([flood(refusal, "x").hold()]);
        let mut events = get(server.url()).into_event_source();
        let error = failed(&mut events).await;
        assert!(matches!(error, Error::Status(_)), "{error:?}");
        assert!(server.bytes_written(0) < FLOOD as u64);
    });
    heap.assert_peak_below(ENOUGH);
}
