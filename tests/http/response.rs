//! Tests of responses: those that are an event stream, those that are retried, and those that end
//! the stream. Rows B of the HTTP cases.

use std::convert::Infallible;
use std::error::Error as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use crate::support::client::*;
use crate::support::server::{ClosedPort, Gate, Reply, Server};
use bytes::Bytes;
use everstream::{
    Backoff, Disconnect, Error, Event, EventSource, EventSourceBuilder, Fatal, ManualTimer,
    OnOversize, ReadyState, Reconnection, RequestBuilderExt,
};
use futures_util::TryStreamExt;
use futures_util::stream::FusedStream;
use reqwest::StatusCode;

const SEC: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// Returns a stream in virtual time with a delay of a second.
fn source(server: &Server) -> (EventSource, ManualTimer) {
    let (builder, timer) = builder(server);
    (builder.build(), timer)
}

fn builder(server: &Server) -> (EventSourceBuilder, ManualTimer) {
    let timer = ManualTimer::new();
    let builder = get(server.url()).into_event_source_builder().retry_policy(steady(SEC));
    (builder.timer(timer.clone()), timer)
}

/// Returns an event stream with this content type.
fn typed(content_type: impl AsRef<[u8]>) -> Reply {
    Reply::events("data: a\n\n").content_type(content_type)
}

#[track_caller]
fn is_content_type(error: &Error) -> bool {
    matches!(error, Error::ContentType(_)) && error.status() == Some(StatusCode::OK)
}

/// Asserts that the first reply ends the stream, and returns the error.
async fn refused(reply: Reply) -> Error {
    let server = Server::repeating(reply);
    let (mut events, timer) = source(&server);
    let error = failed(&mut events).await;
    assert_quiet(&mut events, &timer, &server, 1).await;
    error
}

// ---------------------------------------------------------------------------------- Opened or not

/// B1
#[tokio::test]
async fn an_event_stream_opens_once_before_its_first_event() {
    let server = Server::scripted([
        Reply::events("data: a\n\ndata: b\n\n").header("X-Request-Id", "7"),
        Reply::events("id: 1\ndata: c\n\n"),
    ]);
    let mut events = quickly(get(server.url_at("/x?y")));
    assert_eq!(events.ready_state(), ReadyState::Connecting);
    let first = opened(&mut events).await;
    assert_eq!(events.ready_state(), ReadyState::Open);
    assert_eq!(first.status(), StatusCode::OK);
    assert_eq!(first.headers()["content-type"], "text/event-stream");
    assert_eq!(first.headers()["x-request-id"], "7");
    assert_eq!(first.url(), Some(&*server.url_at("/x?y")));
    assert!(!first.is_reconnect());
    assert_eq!(first.last_event_id(), None);

    let rest = ["message: a", "message: b", ENDED, "reopen", "message: c", ENDED];
    assert_eq!(story(&mut events).await, rest);
}

const ENDED: &str = "reconnecting: the server ended the stream";

/// B1
#[tokio::test]
async fn a_connection_is_open_when_its_headers_are_there_though_no_byte_of_the_body_is() {
    let (head, body) = (Gate::new(), Gate::new());
    let server = Server::scripted([Reply::sse()
        .wait_for(&head)
        .send_head()
        .wait_for(&body)
        .send("data: a\n\n")
        .hold()]);
    let (mut events, _) = source(&server);
    silent_until(&mut events, head.until_reached()).await;
    assert_eq!(events.ready_state(), ReadyState::Connecting);
    head.open();
    opened(&mut events).await;
    assert_eq!(events.ready_state(), ReadyState::Open);
    assert_pending(&mut events);
    body.open();
    assert_eq!(data(&mut events).await, "a");
}

/// B2 and B3
#[tokio::test]
async fn the_content_type_may_have_parameters_and_any_case() {
    for content_type in [
        "text/event-stream;charset=UTF-8",
        "text/event-stream; charset=utf-8",
        "text/event-stream;charset=\"utf-8\"",
        "text/event-stream;",
        "text/event-stream ; x=y",
        "text/event-stream\t;;",
        "text/event-stream; x=\", text/html;\"",
        "TEXT/Event-Stream; Charset=UTF-8",
        "text/EVENT-STREAM",
    ] {
        let server = Server::scripted([typed(content_type)]);
        let (mut events, _) = source(&server);
        let opened = opened(&mut events).await;
        assert_eq!(opened.headers()["content-type"], content_type);
        assert_eq!(data(&mut events).await, "a", "{content_type}");
    }
}

/// B4
#[tokio::test]
async fn a_stream_is_utf_8_whatever_its_charset_says() {
    for charset in ["windows-1252", "utf-16", "bogus"] {
        let reply = Reply::events("data: …é😀\n\ndata: \u{feff}\n\n");
        let server =
            Server::scripted([reply.content_type(format!("text/event-stream;charset={charset}"))]);
        let (mut events, _) = source(&server);
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "…é😀", "{charset}");
        assert_eq!(data(&mut events).await, "\u{feff}", "{charset}");
    }
}

/// B5
#[tokio::test]
async fn another_content_type_ends_the_stream_though_the_body_is_a_valid_one() {
    for content_type in
        ["text/x-bogus", "x bogus", "text/html", "application/json", "text/plain", "*/*", "text/*"]
    {
        let error = refused(typed(content_type)).await;
        assert!(is_content_type(&error), "{content_type}: {error:?}");
        assert_eq!(
            error.to_string(),
            format!("the server answered with {content_type:?}, not \"text/event-stream\"")
        );
    }
}

/// B6
#[tokio::test]
async fn a_content_type_that_merely_contains_the_right_one_ends_the_stream() {
    for content_type in [
        "text/event-streamx",
        "text/event-stream-foo",
        "text/event-stream/x",
        "xtext/event-stream",
        "text/event-stream x",
        "text /event-stream",
        "\"text/event-stream\"",
        "text/html; x=text/event-stream",
        "text/html; x=\", text/event-stream;\"",
    ] {
        let error = refused(typed(content_type)).await;
        assert!(is_content_type(&error), "{content_type}: {error:?}");
    }
}

/// B7
#[tokio::test]
async fn no_content_type_or_an_empty_one_ends_the_stream() {
    let error = refused(Reply::events("data: a\n\n").without_header("content-type")).await;
    assert!(is_content_type(&error), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the server answered without a content type, not with \"text/event-stream\""
    );
    let error = refused(typed("")).await;
    assert!(is_content_type(&error), "{error:?}");
    assert_eq!(error.to_string(), "the server answered with \"\", not \"text/event-stream\"");
}

/// B8
#[tokio::test]
async fn of_several_content_types_the_last_one_counts() {
    let json = "application/json";
    let sse = "text/event-stream; charset=utf-8";
    for (types, opens) in [
        (vec![json, sse], true),
        (vec![sse, json], false),
        (vec!["application/json, text/event-stream; charset=utf-8"], true),
        (vec!["text/event-stream; charset=utf-8, application/json"], false),
        (vec![sse, sse], true),
        (vec![sse, "nonsense"], true),
        (vec![sse, ""], true),
        (vec![sse, "*/*"], true),
        (vec!["nonsense", "more nonsense"], false),
    ] {
        let plain = Reply::events("data: a\n\n").without_header("content-type");
        let reply = types.iter().fold(plain, |reply, value| reply.header("Content-Type", value));
        if opens {
            let server = Server::scripted([reply]);
            let (mut events, _) = source(&server);
            opened(&mut events).await;
            assert_eq!(data(&mut events).await, "a", "{types:?}");
        } else {
            let error = refused(reply).await;
            assert!(is_content_type(&error), "{types:?}: {error:?}");
        }
    }
}

/// B9
#[tokio::test]
async fn a_content_type_of_strange_bytes_ends_the_stream() {
    for content_type in [&b"text/event-stream\xff"[..], b"\x80\x81", b"t\xe9xt/event-stream"] {
        let error = refused(typed(content_type)).await;
        assert!(is_content_type(&error), "{error:?}");
        assert_one_line(error.to_string());
    }
}

/// B9: a parameter may hold any byte, and none of them matters.
#[tokio::test]
async fn a_strange_byte_in_a_parameter_does_no_harm() {
    let server = Server::scripted([typed(b"text/event-stream; x=\"\xff\"")]);
    let (mut events, _) = source(&server);
    opened(&mut events).await;
}

/// B10
#[tokio::test]
async fn an_empty_event_stream_opens_and_is_connected_to_again() {
    let server = Server::scripted([Reply::sse().content_length(0), Reply::sse()]);
    let (mut events, timer) = source(&server);
    for n in 1..=2 {
        opened(&mut events).await;
        let lost = reconnecting(&mut events).await;
        assert!(matches!(lost.why, Disconnect::Ended), "{lost:?}");
        assert_eq!((lost.delay, lost.attempt), (SEC, n));
        assert_eq!(events.ready_state(), ReadyState::Connecting);
        timer.advance(SEC - MS);
        assert_pending(&mut events);
        assert_eq!(server.connections() as u32, n);
        timer.advance(MS);
    }
    ended(&mut events).await;
}

/// F19: an error of a gateway under the wrong content type
#[tokio::test]
async fn the_start_of_a_mislabelled_body_is_reported_at_its_end() {
    let says = "{\"error\":\"overloaded\"}";
    let server = Server::repeating(Reply::events(says));
    let (mut events, timer) = source(&server);
    let expected =
        "the server ended the stream, which held no event: \"{\\\"error\\\":\\\"overloaded\\\"}\"";
    for attempt in 1..=3 {
        opened(&mut events).await;
        match next(&mut events).await {
            Some(Ok(Event::Reconnecting { reason: cause, delay, attempt: told, .. })) => {
                assert!(
                    matches!(&cause, Disconnect::NotAnEventStream { start, .. } if **start == *says)
                );
                assert_eq!((cause.to_string().as_str(), told), (expected, attempt));
                assert!(delay >= SEC, "no hot loop");
            }
            other => panic!("{other:?}"),
        }
        timer.advance_to_next();
    }

    let mut events = post(server.url()).into_event_source();
    opened(&mut events).await;
    let error = failed(&mut events).await;
    assert!(matches!(error, Error::Lost(_)), "{error:?}");
    assert_eq!(error.to_string(), expected);
}

/// B11
#[tokio::test]
async fn no_content_ends_the_stream_without_an_error() {
    for reply in [
        Reply::no_content(),
        Reply::no_content().content_type("text/event-stream"),
        Reply::no_content().header("Retry-After", "1"),
    ] {
        let server = Server::repeating(reply);
        let (builder, timer) = builder(&server);
        let mut events = builder.retry_status(|_, _| true).build();
        ended(&mut events).await;
        assert_quiet(&mut events, &timer, &server, 1).await;
    }
}

/// B12
#[tokio::test]
async fn no_content_on_the_reconnection_ends_the_stream_for_good() {
    let server = Server::scripted([Reply::events("id: 1\ndata: a\n\n")]);
    let (mut events, timer) = source(&server);
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
    assert!(matches!(reconnecting(&mut events).await.why, Disconnect::Ended));
    timer.advance(SEC);
    ended(&mut events).await;
    assert_eq!(events.last_event_id().map(|id| &**id), Some("1"), "to be kept for another day");
    assert_quiet(&mut events, &timer, &server, 2).await;
}

/// B13
#[tokio::test]
async fn another_success_than_200_ends_the_stream_though_the_body_is_a_valid_one() {
    for code in [201, 202, 203, 205, 206, 207, 210, 226, 299] {
        let error = refused(Reply::events("data: a\n\n").status(code, "Fine")).await;
        assert!(matches!(error, Error::Status(_)), "{code}: {error:?}");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(code));
    }
}

// ------------------------------------------------------------------------- Which errors are final

const FINAL: [u16; 16] =
    [400, 401, 402, 403, 404, 405, 406, 407, 409, 410, 418, 422, 431, 451, 501, 505];
/// The rule changed: Cloudflare and other proxies answer 520 to 599 while a server is down.
const TRANSIENT: [u16; 13] = [408, 425, 429, 500, 502, 503, 504, 507, 520, 522, 524, 530, 599];

/// B14
#[tokio::test]
async fn an_error_of_the_requests_own_ends_the_stream_with_its_status() {
    for code in FINAL {
        let reply = Reply::events("data: a\n\n").status(code, "No").header("Retry-After", "1");
        let error = refused(reply).await;
        assert!(matches!(error, Error::Status(_)), "{code}: {error:?}");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(code));
    }
}

/// B14
#[tokio::test]
async fn an_error_of_the_requests_own_also_ends_a_stream_that_was_open() {
    for code in FINAL {
        let server = Server::scripted_then([Reply::events("")], Reply::empty(code, "No"));
        let (mut events, timer) = source(&server);
        opened(&mut events).await;
        reconnecting(&mut events).await;
        timer.advance(SEC);
        let error = failed(&mut events).await;
        assert_eq!(error.status().map(|status| status.as_u16()), Some(code), "{error:?}");
        assert_quiet(&mut events, &timer, &server, 2).await;
    }
}

/// B15
#[tokio::test]
async fn a_temporary_error_ends_the_stream_on_its_first_request() {
    for code in TRANSIENT {
        let error = refused(Reply::empty(code, "Later").header("Retry-After", "1")).await;
        assert!(matches!(error, Error::Status(_)), "{code}: {error:?}");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(code));
        assert_eq!(error.response().unwrap().headers()["retry-after"], "1");
    }
}

/// B15, H3
#[tokio::test]
async fn a_temporary_error_is_retried_once_the_stream_was_open() {
    for code in TRANSIENT {
        let trouble = Reply::empty(code, "Later").header("X", "y");
        let server = Server::scripted([
            Reply::sse(),
            trouble.clone(),
            trouble,
            Reply::events("data: a\n\n"),
        ]);
        let timer = ManualTimer::new();
        let builder = get(server.url()).into_event_source_builder().timer(timer.clone());
        let mut events = builder.retry_policy(doubling(SEC)).build();
        opened(&mut events).await;
        assert_eq!(reconnecting(&mut events).await.delay, SEC);
        for (attempt, delay) in [(2, 2 * SEC), (3, 4 * SEC)] {
            timer.advance_to_next();
            let lost = reconnecting(&mut events).await;
            let Disconnect::Status(response) = &lost.why else { panic!("{lost:?}") };
            assert_eq!(
                (response.status().as_u16(), &response.headers()["x"]),
                (code, &"y".parse().unwrap())
            );
            assert_eq!((lost.attempt, lost.delay), (attempt, delay));
            // Older versions of http have no name for 425.
            let named = response
                .status()
                .canonical_reason()
                .map_or_else(String::new, |name| format!(" {name}"));
            assert_eq!(lost.cause, format!("the server answered {code}{named}"));
        }
        timer.advance_to_next();
        assert!(opened(&mut events).await.is_reconnect());
        assert_eq!(data(&mut events).await, "a");
    }
}

/// B15
#[tokio::test]
async fn the_caller_decides_which_statuses_are_retried() {
    let server = Server::scripted([
        Reply::empty(404, "Not Found"),
        Reply::events("data: a\n\n").status(201, "Created"),
        Reply::events("data: a\n\n"),
        Reply::empty(404, "Not Found"),
        Reply::empty(503, "Service Unavailable"),
    ]);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let builder = get(server.url()).into_event_source_builder().retry_policy(quick());
    let builder = builder.retry_status({
        let asked = asked.clone();
        move |status, was_open| {
            asked.lock().unwrap().push((status.as_u16(), was_open));
            status.as_u16() < 500
        }
    });
    let mut events = builder.build();
    assert_eq!(
        story(&mut events).await,
        [
            "reconnecting: the server answered 404 Not Found",
            "reconnecting: the server answered 201 Created",
            "open",
            "message: a",
            ENDED,
            "reconnecting: the server answered 404 Not Found",
            "error: the server answered 503 Service Unavailable, not 200 OK",
        ]
    );
    assert_eq!(*asked.lock().unwrap(), [(404, false), (201, false), (404, true), (503, true)]);
}

/// B15
#[tokio::test]
async fn a_post_is_not_repeated_for_a_status_that_is_retried() {
    let server = Server::repeating(Reply::empty(503, "Service Unavailable"));
    let builder = post(server.url()).body("x").into_event_source_builder();
    let mut events = builder.retry_status(|_, _| true).build();
    let error = failed(&mut events).await;
    assert_eq!(error.status(), Some(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(server.requests().len(), 1);
}

/// B15
#[tokio::test]
async fn the_policy_limits_how_often_a_status_is_retried() {
    let server = Server::repeating(Reply::empty(503, "Service Unavailable"));
    let builder = get(server.url()).into_event_source_builder();
    let builder = builder.retry_policy(quick().with_max_retries(2));
    let mut events = builder.retry_status(|_, _| true).build();
    for _ in 0..2 {
        reconnecting(&mut events).await;
    }
    let error = failed(&mut events).await;
    assert!(matches!(error, Error::GaveUp { attempts: 2, .. }), "{error:?}");
    assert_eq!(error.status(), Some(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(server.requests().len(), 3);
}

// ---------------------------------------------------------------------------------- Retry-After

/// Asserts the delay for each value of `Retry-After`, in virtual time: nothing is sent before its
/// end, and a request after it.
async fn waits_for(policy: Backoff, status: u16, values: &[(&str, Option<&str>)]) -> Vec<Duration> {
    let mut waits = Vec::new();
    for (value, date) in values {
        let refusal = Reply::empty(status, "Later").header("Retry-After", value);
        let refusal = date.iter().fold(refusal, |reply, date| reply.header("Date", date));
        let server = Server::scripted([refusal]);
        let timer = ManualTimer::new();
        let builder = get(server.url()).into_event_source_builder().timer(timer.clone());
        let builder = builder.retry_policy(policy.clone()).retry_status(|_, _| true);
        let mut events = builder.build();
        let delay = reconnecting(&mut events).await.delay;
        timer.advance(delay - MS);
        assert_pending(&mut events);
        assert_eq!((server.connections(), timer.pending()), (1, 1), "{value}");
        timer.advance(MS);
        ended(&mut events).await;
        waits.push(delay);
    }
    waits
}

async fn wait_for(policy: Backoff, value: &str) -> Duration {
    waits_for(policy, 503, &[(value, None)]).await[0]
}

/// B16
#[tokio::test]
async fn retry_after_is_the_least_wait_in_seconds_or_until_a_date() {
    let date = Some("Sun, 06 Nov 1994 08:49:07 GMT");
    for status in [429, 503] {
        let values =
            [("2", None), ("0", None), ("30", date), ("Sun, 06 Nov 1994 08:49:37 GMT", date)];
        let waits = waits_for(steady(SEC), status, &values).await;
        assert_eq!(waits, [2 * SEC, SEC, 30 * SEC, 30 * SEC]);
    }
    assert_eq!(wait_for(steady(9 * SEC), "2").await, 9 * SEC, "the longer wait wins");
}

/// B16
#[tokio::test]
async fn a_date_counts_from_now_where_the_response_has_none() {
    let soon = httpdate::fmt_http_date(SystemTime::now() + 30 * SEC);
    let wait = wait_for(steady(SEC), &soon).await;
    assert!(wait > 20 * SEC && wait <= 30 * SEC, "{wait:?}");
}

/// B16
#[tokio::test]
async fn a_retry_after_of_no_meaning_is_ignored() {
    let values = ["", "soon", "-5", "+5", "0x10", "Sun, 99 Nov 1994 08:49:37 GMT"];
    let waits = waits_for(steady(SEC), 503, &values.map(|value| (value, None))).await;
    assert_eq!(waits, [SEC; 6]);
}

/// B16, H4: the rule changed. Gateways write these, and a client that ignored them was early.
#[tokio::test]
async fn a_retry_after_of_a_gateway_is_read_and_rounded_up() {
    let values = ["6.5", "5 s", "5, 6", "0m30.5s"];
    let waits = waits_for(steady(SEC), 503, &values.map(|value| (value, None))).await;
    assert_eq!(waits, [7 * SEC, 5 * SEC, 6 * SEC, 31 * SEC]);
}

/// B16
#[tokio::test]
async fn a_retry_after_in_the_past_does_not_shorten_the_delay() {
    let values = ["Sun, 06 Nov 1994 08:49:37 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"];
    let waits = waits_for(steady(SEC), 503, &values.map(|value| (value, None))).await;
    assert_eq!(waits, [SEC; 2]);
    let past = waits_for(Backoff::new(), 503, &[(values[0], None), ("0", None)]).await;
    assert!(past.iter().all(|wait| *wait >= 3 * SEC), "{past:?}");
}

/// B16
#[tokio::test]
async fn a_retry_after_of_ages_is_cut_to_the_ceiling_of_the_policy() {
    let values =
        ["3600", "18446744073709551615", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"];
    for (policy, ceiling) in [
        (steady(SEC), 60 * SEC),
        (steady(SEC).with_max_delay(5 * SEC), 5 * SEC),
        (steady(SEC).with_max_server_delay(600 * SEC), 600 * SEC),
    ] {
        let waits = waits_for(policy, 503, &values.map(|value| (value, None))).await;
        assert_eq!(waits, [ceiling; 4]);
    }
}

/// B16
#[tokio::test]
async fn jitter_never_goes_below_what_retry_after_asks() {
    let waits = waits_for(Backoff::new(), 429, &[("10", None); 8]).await;
    assert!(waits.iter().all(|wait| (10 * SEC..=20 * SEC).contains(wait)), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait != waits[0]), "there is jitter: {waits:?}");
}

/// B16
#[tokio::test]
async fn retry_after_counts_for_one_wait_only() {
    let server = Server::scripted([
        Reply::empty(503, "Later").header("Retry-After", "20"),
        Reply::empty(503, "Later"),
    ]);
    let (builder, timer) = builder(&server);
    let mut events = builder.retry_status(|_, _| true).build();
    assert_eq!(reconnecting(&mut events).await.delay, 20 * SEC);
    timer.advance_to_next();
    assert_eq!(reconnecting(&mut events).await.delay, SEC);
}

// ----------------------------------------------------------------------- Responses with their body

fn endless() -> Reply {
    Reply::sse().send_each(|_| Some(vec![b'x'; 1 << 16]))
}

/// B17
#[tokio::test]
async fn the_endless_body_of_a_refused_response_is_not_waited_for() {
    for reply in [
        endless().status(500, "Internal Server Error"),
        endless().status(404, "Not Found"),
        endless().content_type("text/html"),
    ] {
        let server = Server::repeating(reply);
        let (mut events, _) = source(&server);
        let error = failed(&mut events).await;
        drop(error);
        server.until_closed(0).await;
        assert!(server.bytes_written(0) < 64 << 20);
        assert_eq!(server.requests().len(), 1);
    }
}

/// B17
#[tokio::test]
async fn the_endless_body_of_a_status_that_is_retried_is_dropped_before_the_wait() {
    let server = Server::repeating(endless().status(503, "Service Unavailable"));
    let (builder, timer) = builder(&server);
    let mut events = builder.retry_status(|_, _| true).build();
    reconnecting(&mut events).await;
    silent_until(&mut events, server.until_closed(0)).await;
    assert_eq!((server.connections(), timer.pending()), (1, 1), "it waits");
}

/// A body that always has an empty chunk. It counts them.
struct EmptyChunks(AtomicUsize);

impl http_body::Body for EmptyChunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        assert!(self.0.fetch_add(1, Ordering::Relaxed) < 100_000, "one poll takes all of them");
        Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::new()))))
    }
}

/// B17
#[tokio::test]
async fn the_empty_chunks_of_a_refused_response_do_not_block_the_task() {
    let refused = |_| async {
        let body = EmptyChunks(AtomicUsize::new(0));
        http::Response::builder().status(503).body(body)
    };
    let error = failed(&mut EventSource::from_response_fn(refused)).await;
    assert_eq!(error.status().unwrap(), 503);

    let builder = EventSourceBuilder::from_response_fn(refused).reconnect(Reconnection::Always);
    let mut events = builder.retry_status(|_, _| true).build();
    assert_eq!(reconnecting(&mut events).await.why.status().unwrap(), 503);
}

/// B17
#[tokio::test]
async fn the_connection_of_a_204_is_closed() {
    let server = Server::repeating(Reply::no_content().hold());
    let (mut events, _) = source(&server);
    ended(&mut events).await;
    drop(events);
    server.until_closed(0).await;
}

/// B18
#[tokio::test]
async fn a_refused_response_can_be_read() {
    let explanation = "because ".repeat(128);
    for (code, content_type) in
        [(401, "text/plain"), (503, "text/event-stream"), (200, "text/plain")]
    {
        let reply = Reply::with_body(code, "Reason", content_type, &explanation);
        let error = refused(reply.header("X-Request-Id", "7")).await;
        assert_eq!(error.status().map(|status| status.as_u16()), Some(code));
        let response = error.response().unwrap();
        assert_eq!(response.status().as_u16(), code);
        assert_eq!(response.headers()["x-request-id"], "7");
        assert_eq!(response.headers()["content-type"], content_type);
        assert_eq!(error.into_response().unwrap().text().await.unwrap(), explanation);
    }
}

/// B18
#[tokio::test]
async fn errors_without_a_response_have_none_to_read() {
    let closed = ClosedPort::new();
    let mut events = post(closed.url()).into_event_source();
    let error = failed(&mut events).await;
    assert!(error.response().is_none());
    assert_eq!(error.status(), None);
    assert!(error.into_response().is_none());
}

/// B19
#[tokio::test]
async fn informational_responses_before_the_real_one_are_skipped() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n";
    let server = Server::scripted([Reply::sse()
        .send_raw("HTTP/1.1 100 Continue\r\n\r\n")
        .send_raw(hints)
        .send_raw(hints)
        .send_head()
        .send("data: a\n\n")]);
    let mut events = quickly(get(server.url()));
    let opened = opened(&mut events).await;
    assert_eq!(opened.status(), StatusCode::OK);
    assert!(opened.headers().get("link").is_none());
    assert_eq!(story(&mut events).await, ["message: a", ENDED]);
}

/// B20
#[tokio::test]
async fn an_error_is_the_last_item_and_the_stream_is_closed_before_it_comes() {
    let server = Server::repeating(Reply::empty(404, "Not Found"));
    let (mut events, _) = source(&server);
    let handle = events.handle();
    assert!(!events.is_terminated());
    let error = within(events.try_next()).await.unwrap_err();
    assert_eq!(events.ready_state(), ReadyState::Closed);
    assert_eq!(handle.ready_state(), ReadyState::Closed);
    assert!(events.is_terminated());
    for _ in 0..100 {
        assert!(matches!(within(events.try_next()).await, Ok(None)), "after {error}");
    }
    events.close();
    assert_over(&mut events);
    assert_eq!(server.requests().len(), 1);
}

/// B20
#[tokio::test]
async fn a_stream_that_an_error_ended_can_be_revived() {
    let server = Server::scripted([
        Reply::empty(404, "Not Found"),
        typed("text/html"),
        Reply::no_content(),
        Reply::events("data: a\n\n").hold(),
    ]);
    let (mut events, _) = source(&server);
    failed(&mut events).await;
    events.force_reconnect();
    failed(&mut events).await;
    events.force_reconnect();
    ended(&mut events).await;
    events.force_reconnect();
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
}

// ------------------------------------------------------------------------------- What errors say

/// B18: what a log shows of each way to end.
#[tokio::test]
async fn every_error_is_one_clear_line() {
    let closed = ClosedPort::new();
    let server = Server::start(|request| match &*request.path {
        "/status" => Reply::empty(418, "I'm a teapot"),
        "/type" => typed("text/html; charset=utf-8"),
        "/strange" => typed(b"a\"\xff"),
        "/none" => typed("").without_header("content-type"),
        "/large" => Reply::events("data: 0123456789\n\n"),
        _ => Reply::events("data: a").fin(),
    });
    let once = |request: reqwest::RequestBuilder| {
        let builder = request.into_event_source_builder().reconnect(Reconnection::Never);
        builder.max_event_size(10).on_oversize(OnOversize::Fail)
    };
    let at = |path| once(get(server.url_at(path)));
    let giving_up = |retries| {
        let builder = get(closed.url()).into_event_source_builder();
        builder.retry_policy(quick().with_max_retries(retries))
    };
    let no_token = get(server.url()).into_event_source_builder();
    let no_token = no_token.request_fn(|_| async { Err("no token".into()) });
    let no_token = no_token.reconnect(Reconnection::Never);
    let locked = get(server.url()).into_event_source_builder();
    let locked = locked.request_fn(|_| async { Err(Fatal("the account is locked").into()) });
    let refused = format!("could not connect to 127.0.0.1:{}: ", closed.address().port());

    for (builder, expected) in [
        (at("/status"), "the server answered 418 I'm a teapot, not 200 OK"),
        (
            at("/type"),
            "the server answered with \"text/html; charset=utf-8\", not \"text/event-stream\"",
        ),
        (at("/none"), "the server answered without a content type, not with \"text/event-stream\""),
        (at("/large"), "event discarded: at least "),
        (at("/cut"), "the connection broke: "),
        (once(get(closed.url())), &refused),
        (giving_up(0), &format!("gave up after 0 reconnections: {refused}")),
        (giving_up(1), &format!("gave up after 1 reconnection: {refused}")),
        (giving_up(2), &format!("gave up after 2 reconnections: {refused}")),
        (once(get("/x")), "the request is invalid: the URL has no scheme such as https"),
        (no_token, "could not create the request: no token"),
        (locked, "the account is locked"),
    ] {
        let mut events = builder.build();
        let error = loop {
            match next(&mut events).await {
                Some(Err(error)) => break error,
                Some(Ok(_)) => {}
                None => panic!("wanted an error: {expected}"),
            }
        };
        let line = error.to_string();
        assert_one_line(&line);
        // An expected text that ends with a space continues with the system's text or with a
        // number.
        let matches = line == expected || expected.ends_with(' ') && line.starts_with(expected);
        assert!(matches, "{line}");
        assert!(line.chars().next().unwrap().is_lowercase() && !line.ends_with('.'), "{line}");
    }

    let error = failed(&mut at("/strange").build()).await;
    assert_eq!(
        error.to_string(),
        "the server answered with \"a\\\"\u{fffd}\", not \"text/event-stream\""
    );
}

/// B18: an error prints its chain, and so has no source that would print it again. The errors of
/// the client are found by type.
#[tokio::test]
async fn an_error_leads_to_the_error_of_the_client() {
    let mut events = get("/x").into_event_source();
    let error = failed(&mut events).await;
    assert!(error.source().is_none());
    let Error::Request(error) = error else { panic!("{error:?}") };
    assert!(error.get_ref().is::<reqwest::Error>());

    let closed = ClosedPort::new();
    let mut events = post(closed.url()).into_event_source();
    let error = failed(&mut events).await;
    assert!(error.source().is_none());
    let Error::Lost(Disconnect::Transport(error)) = error else { panic!("{error:?}") };
    assert!(error.is_connect() && !error.is_permanent());
    let root = error.find::<std::io::Error>().unwrap();
    assert_eq!(root.kind(), std::io::ErrorKind::ConnectionRefused);
}

/// B18
#[tokio::test]
async fn the_reason_of_a_loss_is_one_clear_line() {
    let server = Server::scripted([
        Reply::events("data: a\n\n"),
        Reply::events("data: b").fin(),
        Reply::raw(""),
        Reply::raw("garbage\r\n\r\n"),
        Reply::empty(502, "Bad Gateway"),
    ]);
    let mut events = quickly(get(server.url()));
    let mut causes = Vec::new();
    while let Some(item) = next(&mut events).await {
        if let Event::Reconnecting { reason: cause, .. } = item.unwrap() {
            assert_one_line(cause.to_string());
            causes.push(cause.to_string());
        }
    }
    assert_eq!(causes[0], "the server ended the stream");
    assert!(causes[1].starts_with("the connection broke: "), "{causes:?}");
    assert!(causes[2].starts_with("the request to 127.0.0.1:"), "{causes:?}");
    assert!(causes[3].starts_with("the request to 127.0.0.1:"), "{causes:?}");
    assert_eq!(causes[4], "the server answered 502 Bad Gateway");
    assert_eq!(causes.len(), 5);
}
