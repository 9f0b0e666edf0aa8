//! Tests of the requests of an `EventSource`: rows A of the HTTP cases.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex};
#[cfg(not(feature = "smol"))]
use std::task::Poll;
use std::time::Duration;

use crate::support::client::*;
use crate::support::server::{ClosedPort, Feed, Gate, PATIENCE, Reply, Request, Server};
use everstream::{
    AttemptError, Disconnect, Error, Event, EventSource, Fatal, ManualTimer, ReadyState,
    Reconnection, RequestAttempt, RequestBuilderExt,
};
use futures_util::stream;
use reqwest::header::{ACCEPT, CACHE_CONTROL, HeaderMap, HeaderValue};
use reqwest::{Body, Client, RequestBuilder};

const ID: &str = "last-event-id";

/// Returns a body that can only be sent once.
fn one_shot() -> Body {
    Body::wrap_stream(stream::iter(["give me ", "a stream"].map(Ok::<_, Infallible>)))
}

const ONE_SHOT: &[u8] = b"give me a stream";

fn always(request: RequestBuilder) -> EventSource {
    let builder = request.into_event_source_builder().reconnect(Reconnection::Always);
    builder.retry_policy(quick()).build()
}

// ------------------------------------------------------------------------------- The first request

/// A1
#[tokio::test]
async fn the_first_request_is_a_bare_get_that_accepts_an_event_stream() {
    let server = Server::scripted([Reply::sse().hold()]);
    let mut events = get(server.url_at("/events?since=now")).into_event_source();
    opened(&mut events).await;

    let request = &server.requests()[0];
    assert_eq!(
        (&*request.method, &*request.path, &*request.version),
        ("GET", "/events?since=now", "HTTP/1.1")
    );
    assert_eq!(request.header("accept"), [b"text/event-stream"]);
    assert_eq!(request.body, b"");
    let mut names: Vec<_> =
        request.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort();
    assert_eq!(names, ["accept", "cache-control", "host"], "and no more");
}

/// A2
#[tokio::test]
async fn requests_bypass_caches() {
    let server = Server::scripted([Reply::events("data: a\n\n")]);
    let mut events = quickly(get(server.url()));
    story(&mut events).await;
    for request in server.requests() {
        assert_eq!(request.header("cache-control"), [b"no-cache"], "{request:?}");
        assert!(request.header("pragma").is_empty());
    }
}

/// A12
#[tokio::test]
async fn no_content_coding_is_asked_for_that_could_not_be_decoded() {
    let server = Server::scripted([]);
    ended(&mut get(server.url()).into_event_source()).await;
    assert!(server.requests()[0].header("accept-encoding").is_empty());
}

// --------------------------------------------------------------------------- The caller's own say

/// A3
#[tokio::test]
async fn the_callers_headers_are_on_every_request_once_each() {
    let server = Server::scripted([
        Reply::events("id: 1\ndata: a\n\n"),
        Reply::events("id: 2\ndata: b\n\n").reset(),
    ]);
    let request = get(server.url()).bearer_auth("secret").header("X-A", "1");
    let mut events = quickly(request.header("X-B", "first").header("X-B", "second"));
    while next(&mut events).await.is_some() {}

    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    for request in requests {
        assert_eq!(request.header("authorization"), [b"Bearer secret"]);
        assert_eq!(request.header("x-a"), [b"1"]);
        assert_eq!(request.header("x-b"), [&b"first"[..], b"second"], "two lines stay two lines");
    }
}

/// A4
#[tokio::test]
async fn the_callers_accept_and_cache_control_replace_ours_and_go_out_once() {
    let server = Server::scripted([Reply::events("data: a\n\n")]);
    let request = get(server.url()).header(ACCEPT, "text/event-stream, application/json;q=0.1");
    let mut events = quickly(request.header(CACHE_CONTROL, "no-store"));
    story(&mut events).await;

    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert_eq!(request.header("accept"), [b"text/event-stream, application/json;q=0.1"]);
        assert_eq!(request.header("cache-control"), [b"no-store"]);
    }
}

/// A4: reqwest does not tell which headers a client adds of its own, such as `Accept: */*`.
#[tokio::test]
async fn headers_that_the_client_adds_by_default_are_not_sent_beside_ours() {
    let server = Server::scripted([]);
    let defaults = HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("text/html")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]);
    let client = Client::builder().no_proxy().default_headers(defaults).build().unwrap();
    ended(&mut client.get(server.url()).into_event_source()).await;
    let request = &server.requests()[0];
    assert_eq!(request.header("accept"), [b"text/event-stream"]);
    assert_eq!(request.header("cache-control"), [b"no-cache"]);
}

/// A5
#[tokio::test]
async fn a_last_event_id_header_of_the_caller_is_where_the_stream_starts() {
    let server = Server::scripted([
        Reply::events("data: still 7\n\n"),
        Reply::events("id: 8\ndata: now 8\n\n"),
        Reply::events("id\ndata: none\n\n"),
    ]);
    let mut events = quickly(get(server.url()).header("Last-Event-ID", "…7"));
    assert_eq!(events.last_event_id().map(|id| &**id), Some("…7"));
    let messages = messages(&mut events, 3).await;
    assert_eq!(messages[0].id(), "…7");
    while next(&mut events).await.is_some() {}

    let ids = server.requests().iter().map(ids).collect::<Vec<_>>();
    assert_eq!(ids, ["…7", "…7", "8", "(none)"], "the header is never sent beside the stream's id");
}

/// Returns the values of all `Last-Event-ID` headers of a request.
fn ids(request: &Request) -> String {
    match &request.header(ID)[..] {
        [] => "(none)".into(),
        ids => ids.iter().map(|id| String::from_utf8_lossy(id)).collect::<Vec<_>>().join(" and "),
    }
}

/// A5
#[tokio::test]
async fn a_last_event_id_of_the_builder_replaces_the_callers_header() {
    for (id, expected) in [("8", "8"), ("", "(none)")] {
        let server = Server::scripted([]);
        let request = get(server.url()).header("Last-Event-ID", "7");
        ended(&mut request.into_event_source_builder().last_event_id(id).build()).await;
        assert_eq!(ids(&server.requests()[0]), expected);
    }
}

/// A6
#[tokio::test]
async fn a_last_event_id_of_the_builder_is_on_the_first_request() {
    for id in ["abc", "0", "null", "…é😀"] {
        let server = Server::scripted([Reply::sse().hold()]);
        let mut events = get(server.url()).into_event_source_builder().last_event_id(id).build();
        let opened = opened(&mut events).await;
        assert_eq!(opened.last_event_id().map(|id| &**id), Some(id));
        assert_eq!(ids(&server.requests()[0]), id);
    }
}

/// A6
#[tokio::test]
async fn a_last_event_id_that_fits_into_no_header_is_left_out() {
    for id in ["a\u{1}", "a\r\nX-Injected: 1", "\0", "\u{7f}"] {
        let server = Server::scripted([]);
        let mut events = get(server.url()).into_event_source_builder().last_event_id(id).build();
        ended(&mut events).await;
        let request = &server.requests()[0];
        assert_eq!(ids(request), "(none)");
        assert!(request.header("x-injected").is_empty());
    }
}

/// A7
#[tokio::test]
async fn an_empty_last_event_id_is_not_sent() {
    let server = Server::scripted([]);
    ended(&mut get(server.url()).into_event_source_builder().last_event_id("").build()).await;
    ended(&mut get(server.url()).header("Last-Event-ID", "").into_event_source()).await;
    let ids = server.requests().iter().map(ids).collect::<Vec<_>>();
    assert_eq!(ids, ["(none)", "(none)"]);
}

/// A13
#[tokio::test]
async fn credentials_in_the_url_are_sent_as_basic_authorization_and_nowhere_else() {
    let server = Server::scripted([Reply::events("data: a\n\n")]);
    let url = server.url_at("/x").replace("://", "://user:p%40ss@");
    let mut events = quickly(get(url));
    let opened = opened(&mut events).await;
    assert_eq!(opened.url(), Some(&*server.url_at("/x")));
    assert_eq!(story(&mut events).await.len(), 2);

    let requests = server.requests();
    assert_eq!(requests.len(), 2, "at once, without a challenge");
    for request in requests {
        assert_eq!(request.header("authorization"), [b"Basic dXNlcjpwQHNz"]);
        assert_eq!(request.header("host"), [server.address().to_string().as_bytes()]);
        assert_eq!(request.path, "/x");
    }
}

/// A13
#[tokio::test]
async fn credentials_in_the_url_are_not_sent_to_another_origin() {
    let other = Server::scripted([Reply::sse().hold()]);
    let server = Server::scripted([Reply::redirect(307, &other.url())]);
    let mut events = quickly(get(server.url().replace("://", "://user:pass@")));
    opened(&mut events).await;
    assert_eq!(server.requests()[0].header("authorization"), [b"Basic dXNlcjpwYXNz"]);
    assert!(other.requests()[0].header("authorization").is_empty());
}

/// A13: the host and the port are reported, and nothing else of the URL.
#[tokio::test]
async fn credentials_in_the_url_are_not_logged() {
    let closed = ClosedPort::new();
    let url = format!("http://user:hunter2@{}/?token=hunter2", closed.address());
    let request = get(url).into_event_source_builder();
    let mut events = request.retry_policy(quick().with_max_retries(1)).build();
    let cause = reconnecting(&mut events).await.cause;
    let error = failed(&mut events).await;
    for text in [cause, error.to_string()] {
        assert!(!text.contains("hunter2") && text.contains("127.0.0.1"), "{text}");
    }
    for text in [format!("{error:?}"), format!("{events:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

// ----------------------------------------------------------------------------- Methods and bodies

const PROMPT: &str = r#"{"prompt": "…"}"#;

fn with_prompt(request: RequestBuilder) -> RequestBuilder {
    request.header("Content-Type", "application/json").body(PROMPT)
}

#[track_caller]
fn assert_prompt(request: &Request, method: &str) {
    assert_eq!(request.method, method);
    assert_eq!(request.body, PROMPT.as_bytes());
    assert_eq!(request.header("content-type"), [b"application/json"]);
    assert_eq!(request.header("content-length"), [PROMPT.len().to_string().as_bytes()]);
    assert_eq!(request.header("accept"), [b"text/event-stream"]);
}

/// A8
#[tokio::test]
async fn a_post_arrives_with_its_body_and_its_headers() {
    let server = Server::scripted([Reply::events("data: a\n\n")]);
    let mut events = with_prompt(post(server.url())).into_event_source();
    assert_eq!(story(&mut events).await, ["open", "message: a"]);
    assert_prompt(&server.requests()[0], "POST");
}

/// A9
#[tokio::test]
async fn any_method_may_be_used_and_may_have_a_body() {
    let server = Server::repeating(Reply::events("data: a\n\n"));
    for (index, method) in ["REPORT", "QUERY", "PUT", "DELETE"].into_iter().enumerate() {
        let mut events = with_prompt(request(method, server.url())).into_event_source();
        assert_eq!(story(&mut events).await, ["open", "message: a"]);
        assert_prompt(&server.requests()[index], method);
    }
}

/// A10
#[tokio::test]
async fn a_request_that_is_to_be_repeated_always_is_repeated_as_it_was() {
    for method in ["POST", "REPORT"] {
        let server = Server::scripted([
            Reply::events("data: a\n\n"),
            Reply::events("id: …\ndata: b\n\n").fin(),
            Reply::events("data: cut").reset(),
        ]);
        let request = with_prompt(request(method, server.url())).bearer_auth("secret");
        let mut events = always(request.header("X-A", "1"));
        messages(&mut events, 2).await;
        while next(&mut events).await.is_some() {}

        let requests = server.requests();
        assert_eq!(requests.iter().map(ids).collect::<Vec<_>>(), ["(none)", "(none)", "…", "…"]);
        for request in &requests {
            assert_prompt(request, method);
            let other = request.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(ID));
            assert!(other.eq(&requests[0].headers), "{request:?} is not {:?}", requests[0]);
        }
    }
}

/// A10
#[tokio::test]
async fn a_post_is_sent_once_and_its_clean_end_is_the_end() {
    let timer = ManualTimer::new();
    let server = Server::repeating(Reply::events("id: 1\nretry: 1\ndata: a\n\n"));
    let request = with_prompt(post(server.url())).into_event_source_builder();
    let mut events = request.timer(timer.clone()).build();
    assert_eq!(story(&mut events).await, ["open", "message: a"]);
    assert_eq!(events.last_event_id().map(|id| &**id), Some("1"));
    assert_quiet(&mut events, &timer, &server, 1).await;
}

/// A10
#[tokio::test]
async fn a_post_whose_connection_breaks_ends_with_the_error_that_broke_it() {
    for reply in [
        Reply::events("data: a\n\ndata: b").fin(),
        Reply::events("data: a\n\n").content_length(1000),
        Reply::events("data: a\n\n").send_raw("no chunk"),
    ] {
        let timer = ManualTimer::new();
        let server = Server::repeating(reply);
        let request = with_prompt(post(server.url())).into_event_source_builder();
        let mut events = request.timer(timer.clone()).build();
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        let error = failed(&mut events).await;
        assert!(is_broken(&error), "{error:?}");
        assert_one_line(error.to_string());
        assert_quiet(&mut events, &timer, &server, 1).await;
    }

    let feed = Feed::new();
    let server = Server::repeating(Reply::sse().fed_by(&feed));
    let mut events = post(server.url()).body("x").into_event_source();
    opened(&mut events).await;
    feed.send("data: a\n\ndata: b");
    assert_eq!(data(&mut events).await, "a");
    feed.reset();
    let error = failed(&mut events).await;
    assert!(is_broken(&error), "{error:?}");
}

fn is_broken(error: &Error) -> bool {
    let Error::Lost(cause) = error else { return false };
    matches!(cause, Disconnect::Transport(_))
        && error.to_string().starts_with("the connection broke: ")
}

/// A10
#[tokio::test]
async fn a_post_that_cannot_connect_is_not_retried() {
    let closed = ClosedPort::new();
    let mut events = post(closed.url()).body("x").into_event_source();
    let error = failed(&mut events).await;
    assert!(matches!(error, Error::Lost(_)), "{error:?}");
    let refused = format!("could not connect to {}: ", closed.address());
    assert!(error.to_string().starts_with(&refused), "{error}");
}

/// A10
#[tokio::test]
async fn a_post_is_repeated_when_its_caller_says_so() {
    let server = Server::scripted([
        Reply::events("id: 1\ndata: a\n\n"),
        Reply::events("data: b\n\n"),
        Reply::events("data: c\n\n"),
    ]);
    let mut events = with_prompt(post(server.url())).into_event_source();
    assert_eq!(story(&mut events).await, ["open", "message: a"]);
    events.force_reconnect();
    assert_eq!(story(&mut events).await, ["reopen", "message: b"]);
    events.force_reconnect_with_id(None);
    assert_eq!(story(&mut events).await, ["reopen", "message: c"]);

    let requests = server.requests();
    assert_eq!(requests.iter().map(ids).collect::<Vec<_>>(), ["(none)", "1", "(none)"]);
    requests.iter().for_each(|request| assert_prompt(request, "POST"));
}

/// A10
#[tokio::test]
async fn get_and_head_are_repeated_and_no_other_method_is() {
    for (method, expected) in [
        ("GET", 2),
        ("HEAD", 2),
        ("POST", 1),
        ("PUT", 1),
        ("PATCH", 1),
        ("DELETE", 1),
        ("OPTIONS", 1),
        ("REPORT", 1),
        ("get", 1),
    ] {
        let server = Server::scripted([Reply::sse().content_length(0)]);
        let mut events = quickly(request(method, server.url()));
        let story = story(&mut events).await;
        assert_eq!(story.first().map(String::as_str), Some("open"), "{method}: {story:?}");
        assert_eq!(server.requests().len(), expected, "{method}: {story:?}");
    }
}

/// A10
#[tokio::test]
async fn no_method_is_repeated_where_reconnecting_is_turned_off() {
    let never = |server: &Server| {
        let builder = get(server.url()).into_event_source_builder();
        builder.reconnect(Reconnection::Never).build()
    };
    let server = Server::repeating(Reply::events("data: a\n\n"));
    assert_eq!(story(&mut never(&server)).await, ["open", "message: a"]);
    assert_eq!(server.requests().len(), 1);

    let server = Server::repeating(Reply::events("data: a\n\n").fin());
    let mut events = never(&server);
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
    let error = failed(&mut events).await;
    assert!(is_broken(&error), "{error:?}");
    assert_eq!(server.requests().len(), 1);
}

/// A11
#[tokio::test]
async fn a_body_that_is_a_stream_is_sent_once_and_that_is_enough_for_a_post() {
    let server =
        Server::scripted([Reply::events("data: a\n\n"), Reply::events("data: a\n\n").fin()]);
    let mut events = post(server.url()).body(one_shot()).into_event_source();
    assert_eq!(story(&mut events).await, ["open", "message: a"]);

    let mut events = post(server.url()).body(one_shot()).into_event_source();
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
    let error = failed(&mut events).await;
    assert!(is_broken(&error), "{error:?}");

    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert_eq!(request.body, ONE_SHOT);
        assert_eq!(request.header("transfer-encoding"), [b"chunked"]);
    }
}

/// A11
#[tokio::test]
async fn a_body_that_is_a_stream_cannot_be_repeated_and_never_goes_out_empty() {
    for end in [Reply::end, Reply::fin] {
        let server = Server::repeating(end(Reply::events("id: 1\ndata: a\n\n")));
        let mut events = always(post(server.url()).body(one_shot()));
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        reconnecting(&mut events).await;
        let error = failed(&mut events).await;
        assert!(matches!(error, Error::NotRepeatable), "{error:?}");

        events.force_reconnect();
        let error = failed(&mut events).await;
        assert!(matches!(error, Error::NotRepeatable), "{error:?}");
        assert_eq!(server.requests().len(), 1);
        assert_eq!(server.connections(), 1);
    }
}

/// A11
#[tokio::test]
async fn a_request_fn_recreates_a_body_that_is_a_stream() {
    let server =
        Server::scripted([Reply::events("id: 1\ndata: a\n\n"), Reply::events("data: b\n\n")]);
    let (client, url) = (http(), server.url());
    let builder = get(server.url()).into_event_source_builder().request_fn(move |_| {
        let request = client.post(&url).body(one_shot());
        async { Ok(request) }
    });
    let builder = builder.reconnect(Reconnection::Always);
    let mut events = builder.retry_policy(quick()).build();
    messages(&mut events, 2).await;
    while next(&mut events).await.is_some() {}

    let requests = server.requests();
    assert_eq!(requests.iter().map(ids).collect::<Vec<_>>(), ["(none)", "1", "1"]);
    for request in requests {
        assert_eq!((&*request.method, &*request.body), ("POST", ONE_SHOT));
    }
}

// --------------------------------------------------------------------- A request for each attempt

/// Records the facts of each attempt, and calls `make` for the request.
fn attempts<F, E>(
    request: RequestBuilder,
    mut make: F,
) -> (everstream::EventSourceBuilder, Arc<Mutex<Vec<String>>>)
where
    F: FnMut(&RequestAttempt) -> Result<RequestBuilder, E> + Send + 'static,
    E: Into<AttemptError>,
{
    let log = Arc::new(Mutex::new(Vec::new()));
    let builder = request.into_event_source_builder().retry_policy(quick()).request_fn({
        let log = log.clone();
        move |attempt| {
            let id = attempt.last_event_id().map_or("-", |id| &**id);
            let cause = attempt.reason().map_or("-".into(), |cause| cause.to_string());
            let was_open = if attempt.was_open() { "was open" } else { "was not open" };
            log.lock().unwrap().push(format!("{}, {id}, {was_open}, {cause}", attempt.number()));
            let made = make(&attempt).map_err(E::into);
            async { made }
        }
    });
    (builder, log)
}

/// A3: fresh headers for each attempt
#[tokio::test]
async fn a_request_fn_is_called_for_each_attempt_with_its_facts() {
    let server = Server::scripted([
        Reply::events("id: 1\ndata: a\n\n"),
        Reply::empty(503, "Service Unavailable"),
        Reply::events(""),
        Reply::events("id: 2\ndata: b\n\n").hold(),
        Reply::events("data: c\n\n"),
    ]);
    let url = server.url();
    let (builder, log) = attempts(get("http://127.0.0.1:1/unused"), move |attempt| {
        Ok::<_, Infallible>(get(&url).bearer_auth(format!("token-{}", attempt.number())))
    });
    let mut events = builder.build();
    messages(&mut events, 2).await;
    events.force_reconnect();
    messages(&mut events, 1).await;
    while next(&mut events).await.is_some() {}

    assert_eq!(
        *log.lock().unwrap(),
        [
            "0, -, was not open, -",
            "1, 1, was open, the server ended the stream",
            "2, 1, was open, the server answered 503 Service Unavailable",
            "3, 1, was open, the server ended the stream", // an open connection proves nothing
            "0, 2, was open, -",                           // forced
            "1, 2, was open, the server ended the stream",
        ]
    );
    let requests = server.requests();
    let tokens = requests.iter().map(|request| request.header("authorization")[0]);
    let tokens: Vec<_> = tokens.map(|token| String::from_utf8_lossy(&token[7..])).collect();
    assert_eq!(tokens, ["token-0", "token-1", "token-2", "token-3", "token-0", "token-1"]);
    for request in &requests {
        assert_eq!(request.header("accept"), [b"text/event-stream"]);
        assert_eq!(request.header("cache-control"), [b"no-cache"]);
    }
    assert_eq!(requests.iter().map(ids).collect::<Vec<_>>(), ["(none)", "1", "1", "1", "2", "2"]);
}

/// A3, B14: a token that has run out
#[tokio::test]
async fn a_401_is_answered_at_once_by_another_call_of_the_request_fn() {
    let server = Server::scripted([
        Reply::empty(401, "Unauthorized"),
        Reply::events("id: 1\ndata: a\n\n"),
        Reply::empty(401, "Unauthorized"),
        Reply::events("data: b\n\n").hold(),
    ]);
    let url = server.url();
    let (builder, log) =
        attempts(get(server.url()), move |_| Ok::<_, Infallible>(post(&url).body("same")));
    let timer = ManualTimer::new();
    let mut events = builder.reconnect(Reconnection::Always).timer(timer.clone()).build();

    let lost = reconnecting(&mut events).await;
    assert_eq!((&*lost.cause, lost.attempt), ("the server answered 401 Unauthorized", 1));
    assert_eq!(lost.delay, Duration::ZERO);
    assert!(!opened(&mut events).await.is_reconnect());
    assert_eq!(data(&mut events).await, "a");
    assert!(reconnecting(&mut events).await.delay > Duration::ZERO);
    timer.advance_to_next();
    assert_eq!(reconnecting(&mut events).await.delay, Duration::ZERO);
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "b");
    assert_eq!(
        *log.lock().unwrap(),
        [
            "0, -, was not open, -",
            "1, -, was not open, the server answered 401 Unauthorized",
            "1, 1, was open, the server ended the stream",
            "2, 1, was open, the server answered 401 Unauthorized",
        ]
    );
}

/// B14
#[tokio::test]
async fn a_second_401_in_a_row_ends_the_stream_with_its_response() {
    let server = Server::repeating(Reply::empty(401, "Unauthorized"));
    let url = server.url();
    let (builder, log) = attempts(get(server.url()), move |_| Ok::<_, Infallible>(get(&url)));
    let timer = ManualTimer::new();
    let mut events = builder.timer(timer.clone()).build();
    reconnecting(&mut events).await;
    let error = failed(&mut events).await;
    assert_eq!(error.response().map(|response| response.status().as_u16()), Some(401));
    assert_eq!(log.lock().unwrap().len(), 2);
    assert_quiet(&mut events, &timer, &server, 2).await;

    events.force_reconnect();
    assert_eq!(reconnecting(&mut events).await.delay, Duration::ZERO, "as if nothing had failed");
}

/// B14: a token may expire again while the network is down.
#[tokio::test]
async fn a_401_after_an_attempt_without_a_response_is_not_the_second_in_a_row() {
    let unauthorized = || Reply::empty(401, "Unauthorized");
    let server = Server::scripted([unauthorized(), unauthorized(), Reply::events("data: a\n\n")]);
    let (url, closed) = (server.url(), ClosedPort::new());
    let (builder, log) = attempts(get(server.url()), move |attempt| {
        Ok::<_, Infallible>(get(if attempt.number() == 1 { closed.url() } else { url.clone() }))
    });
    let mut events = builder.build();
    for cause in ["401", "refused", "401"] {
        let lost = reconnecting(&mut events).await;
        assert!(lost.cause.contains(cause), "{lost:?}");
    }
    opened(&mut events).await;
    assert_eq!(log.lock().unwrap().len(), 4);
}

/// A10: a 401 did not carry the request out
#[tokio::test]
async fn a_401_repeats_a_post_of_a_request_fn_unless_nothing_is_to_be_repeated() {
    for (reconnection, requests) in [(Reconnection::SafeMethods, 2), (Reconnection::Never, 1)] {
        let server = Server::repeating(Reply::empty(401, "Unauthorized"));
        let url = server.url();
        let (builder, _) = attempts(get(server.url()), move |_| Ok::<_, Infallible>(post(&url)));
        let mut events = builder.reconnect(reconnection).build();
        while next(&mut events).await.is_some() {}
        assert_eq!(server.requests().len(), requests, "{reconnection:?}");
    }
}

/// A3
#[tokio::test]
async fn a_fatal_error_of_a_request_fn_ends_the_stream() {
    let server = Server::repeating(Reply::events("data: a\n\n"));
    let url = server.url();
    let (builder, _) = attempts(get(server.url()), move |attempt| match attempt.number() {
        0 => Ok(get(&url)),
        _ => Err(Fatal(io::Error::other("the token is gone"))),
    });
    let timer = ManualTimer::new();
    let mut events = builder.timer(timer.clone()).build();
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
    reconnecting(&mut events).await;
    timer.advance_to_next();
    let error = failed(&mut events).await;
    assert!(matches!(&error, Error::Fatal(error) if error.is::<io::Error>()), "{error:?}");
    assert_eq!(error.to_string(), "the token is gone");
    assert_quiet(&mut events, &timer, &server, 1).await;
}

/// A3: the rule changed. A token endpoint that fails for a while must not end the stream for ever.
#[tokio::test]
async fn a_request_fn_that_fails_is_called_again_after_a_delay() {
    let server = Server::scripted([Reply::events("data: a\n\n").hold()]);
    let url = server.url();
    let (builder, log) = attempts(get(server.url()), move |attempt| match attempt.number() {
        0 => Err("the token endpoint is down"),
        1 => Err("and still is"),
        _ => Ok(get(&url)),
    });
    let mut events = builder.build();
    let lost = reconnecting(&mut events).await;
    assert_eq!(lost.cause, "could not create the request: the token endpoint is down");
    assert!(matches!(lost.why, Disconnect::RequestFn(_)), "{lost:?}");
    let lost = reconnecting(&mut events).await;
    assert_eq!(lost.cause, "could not create the request: and still is");
    opened(&mut events).await;
    assert_eq!(
        *log.lock().unwrap(),
        [
            "0, -, was not open, -",
            "1, -, was not open, could not create the request: the token endpoint is down",
            "2, -, was not open, could not create the request: and still is",
        ]
    );
}

/// A3
#[tokio::test]
async fn a_request_fn_that_fails_ends_a_stream_that_is_not_repeated() {
    let (builder, _) = attempts(get("http://127.0.0.1:1/"), |_| Err("no token"));
    let error = failed(&mut builder.reconnect(Reconnection::Never).build()).await;
    assert!(matches!(error, Error::Lost(Disconnect::RequestFn(_))), "{error:?}");
    assert_eq!(error.to_string(), "could not create the request: no token");
}

/// A3
#[tokio::test]
async fn a_request_fn_may_fail_with_a_mere_text_or_make_an_invalid_request() {
    let (builder, _) = attempts(get("http://127.0.0.1:1/"), |_| Err(Fatal("no token")));
    let error = failed(&mut builder.build()).await;
    assert_eq!(error.to_string(), "no token");

    let (builder, _) = attempts(get("http://127.0.0.1:1/"), |_| Ok::<_, Infallible>(get("/x")));
    let error = failed(&mut builder.build()).await;
    assert!(matches!(error, Error::Request(_)), "{error:?}");
}

/// A3
#[tokio::test]
async fn a_request_fn_replaces_even_a_request_that_could_not_be_built() {
    let server = Server::scripted([Reply::sse().hold()]);
    let url = server.url();
    let (builder, _) = attempts(get("/no/base"), move |_| Ok::<_, Infallible>(get(&url)));
    opened(&mut builder.build()).await;
}

/// A4 and A5
#[tokio::test]
async fn headers_of_a_request_fn_win_but_the_last_event_id_is_the_streams_own() {
    let server = Server::scripted([
        Reply::events("data: a\n\n"),
        Reply::events("id: 8\ndata: b\n\n"),
        Reply::events("data: c\n\n"),
    ]);
    let url = server.url();
    let (builder, _) = attempts(get(server.url()), move |_| {
        let request = get(&url).header(ACCEPT, "text/*").header(CACHE_CONTROL, "no-store");
        Ok::<_, Infallible>(request.header("Last-Event-ID", "7"))
    });
    let mut events = builder.build();
    messages(&mut events, 3).await;
    let requests = server.requests();
    assert_eq!(requests[..3].iter().map(ids).collect::<Vec<_>>(), ["7", "7", "8"]);
    for request in requests {
        assert_eq!(request.header("accept"), [b"text/*"]);
        assert_eq!(request.header("cache-control"), [b"no-store"]);
    }
}

/// A10: it is the method of the request that was made last that decides.
#[tokio::test]
async fn the_method_that_a_request_fn_chose_decides_if_it_is_called_again() {
    let server = Server::repeating(Reply::events("data: a\n\n"));
    let url = server.url();
    let (builder, log) = attempts(get(server.url()), move |attempt| {
        Ok::<_, Infallible>(if attempt.was_open() { post(&url) } else { get(&url) })
    });
    let story = story(&mut builder.build()).await;
    assert_eq!(story[2], "reconnecting: the server ended the stream");
    assert_eq!(story.len(), 5, "{story:?}");
    assert_eq!(log.lock().unwrap().len(), 2);
    assert_eq!(server.requests()[1].method, "POST");
}

/// A3: nothing was sent, so nothing would be repeated.
#[tokio::test]
async fn a_request_fn_that_takes_too_long_is_called_again() {
    let timer = ManualTimer::new();
    let builder = get("http://127.0.0.1:1/").into_event_source_builder();
    let builder = builder.request_fn(|_| pending::<Result<RequestBuilder, AttemptError>>());
    let builder = builder.open_timeout(Duration::from_secs(5)).retry_policy(quick());
    let mut events = builder.timer(timer.clone()).build();
    for attempt in 1..=3 {
        assert_pending(&mut events);
        timer.advance(Duration::from_secs(5));
        let lost = reconnecting(&mut events).await;
        assert_eq!(lost.attempt, attempt);
        assert!(lost.cause.starts_with("could not connect within 5s; "), "{}", lost.cause);
        assert_pending(&mut events);
        timer.advance(lost.delay);
    }
}

// ------------------------------------------------------------------------- Requests that cannot be

/// A1
#[tokio::test]
async fn a_request_that_could_not_be_built_is_the_first_and_last_item() {
    let bad_header = get("http://127.0.0.1:1/").header("X", "a\nb");
    for (request, complaint) in [
        (get("/no/base"), "the URL has no scheme such as https"),
        (get("http://"), "empty host"),
        (get("ftp://127.0.0.1:1/"), "the scheme of the URL is \"ftp\", not http or https"),
        (bad_header, "failed to parse header value"),
    ] {
        let timer = ManualTimer::new();
        let mut events = request.into_event_source_builder().timer(timer.clone()).build();
        assert_eq!(events.ready_state(), ReadyState::Connecting, "nobody looked so far");
        let error = failed(&mut events).await;
        assert!(matches!(error, Error::Request(_)), "{error:?}");
        assert_eq!(error.to_string(), format!("the request is invalid: {complaint}"));
        assert_eq!(timer.pending(), 0);
    }
}

/// A1
#[tokio::test]
async fn a_request_that_could_not_be_built_has_the_same_error_when_it_is_retried() {
    let mut events = get("/no/base").into_event_source();
    failed(&mut events).await;
    events.force_reconnect();
    let error = failed(&mut events).await;
    assert!(!matches!(error, Error::NotRepeatable), "there is no body: {error}");
}

// ------------------------------------------------------------------------------ Where there is time

/// E1: a client is often built with a total timeout, for its other requests.
#[tokio::test]
async fn a_total_timeout_of_the_client_does_not_cut_a_healthy_stream() {
    let timeout = Duration::from_millis(200);
    let server = Server::repeating(
        Reply::events("data: early\n\n").pause(2 * timeout).send("data: late\n\n").hold(),
    );
    let client = Client::builder().no_proxy().timeout(timeout).build().unwrap();
    let url = server.url();
    let made = client.clone();
    let mut sources = [
        client.get(server.url()).into_event_source(),
        client.post(server.url()).body(one_shot()).into_event_source(),
        get(server.url())
            .into_event_source_builder()
            .request_fn(move |_| {
                let request = made.get(&url);
                async { Ok(request) }
            })
            .build(),
    ];
    for events in &mut sources {
        opened(events).await;
        assert_eq!(data(events).await, "early");
    }
    for events in &mut sources {
        assert_eq!(data(events).await, "late");
    }
    assert_eq!(server.requests().len(), sources.len());
}

/// E1
#[tokio::test]
async fn a_timeout_of_the_request_itself_is_kept() {
    let server = Server::repeating(Reply::sse().hold());
    let mut events = get(server.url()).timeout(Duration::from_millis(50)).into_event_source();
    let cause = loop {
        match next(&mut events).await {
            Some(Ok(Event::Open(_))) => {} // unless this machine is busy
            Some(Ok(Event::Reconnecting { reason: cause, .. })) => break cause,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(&cause, Disconnect::Transport(e) if e.is_timeout()));
    assert_one_line(cause.to_string());
}

// ------------------------------------------------------------------------- Where there is a runtime

/// A1
#[test]
fn a_stream_can_be_made_looked_at_and_dropped_without_a_runtime() {
    let server = Server::scripted([]);
    let mut events = EventSource::new(get(server.url()));
    assert_eq!(events.ready_state(), ReadyState::Connecting);
    assert_eq!(events.last_event_id(), None);
    assert!(format!("{events:?}").starts_with("EventSource"));
    let handle = events.handle();
    events.close();
    events.force_reconnect();
    drop(events);
    assert_eq!(handle.ready_state(), ReadyState::Closed);
    drop(EventSource::builder(post(server.url())).idle_timeout(PATIENCE).build());
    assert_eq!(server.connections(), 0);
}

/// A1
#[cfg(not(feature = "smol"))]
#[test]
fn polled_outside_of_a_runtime_the_stream_ends_with_an_error() {
    let server = Server::scripted([Reply::events("data: a\n\n")]);
    for request in [get(server.url()), post(server.url()).body("x")] {
        let mut events = request.into_event_source();
        let Poll::Ready(Some(Err(error))) = poll(&mut events) else { panic!("{events:?}") };
        assert!(matches!(error, Error::NoRuntime), "{error:?}");
        assert_eq!(
            error.to_string(),
            "polled outside a tokio runtime, which needs the feature `smol`"
        );
        assert_over(&mut events);
    }
    assert_eq!(server.connections(), 0);
}

/// A1
#[cfg(not(feature = "smol"))]
#[test]
fn a_stream_that_was_polled_outside_of_a_runtime_can_be_revived_inside_of_one() {
    let server = Server::scripted([Reply::events("data: a\n\n").hold()]);
    let mut events = get(server.url()).into_event_source();
    assert!(poll(&mut events).is_ready());
    events.force_reconnect();
    runtime().block_on(async {
        assert!(!opened(&mut events).await.is_reconnect());
        assert_eq!(data(&mut events).await, "a");
    });
}

/// A1
#[test]
fn a_stream_can_be_dropped_outside_of_its_runtime_in_any_state() {
    let (server, runtime, streams) = one_in_each_state();
    drop(streams);
    server.wait_for_live(0, PATIENCE);
    drop(runtime);
    assert_eq!(server.requests().len(), 3);
}

/// A1
#[test]
fn a_stream_can_be_dropped_after_its_runtime_in_any_state() {
    let (server, runtime, streams) = one_in_each_state();
    drop(runtime);
    server.wait_for_live(0, PATIENCE);
    drop(streams);
    assert_eq!(server.requests().len(), 3);
}

/// A11: nothing was sent, so nothing is used up.
#[cfg(not(feature = "smol"))]
#[test]
fn a_body_that_is_a_stream_is_still_there_after_a_poll_outside_of_a_runtime() {
    let server = Server::scripted([Reply::events("data: a\n\n")]);
    let mut events = post(server.url()).body(one_shot()).into_event_source();
    assert!(matches!(poll(&mut events), Poll::Ready(Some(Err(Error::NoRuntime)))));
    events.force_reconnect();
    let story = runtime().block_on(story(&mut events));
    assert_eq!(story, ["open", "message: a"]);
    assert_eq!(server.requests()[0].body, ONE_SHOT);
}

/// Returns streams that are open, connecting and waiting.
fn one_in_each_state() -> (Server, tokio::runtime::Runtime, [EventSource; 3]) {
    let gate = Gate::new();
    let server = Server::scripted([
        Reply::events("data: a\n\n").hold(),
        Reply::raw("").wait_for(&gate),
        Reply::events("data: a\n\n"),
    ]);
    let runtime = runtime();
    let mut streams = [(); 3].map(|()| get(server.url()).into_event_source());
    let [open, connecting, waiting] = &mut streams;
    runtime.block_on(async {
        messages(open, 1).await;
        silent_until(connecting, gate.until_reached()).await;
        messages(waiting, 1).await;
        reconnecting(waiting).await;
        assert_pending(waiting);
    });
    (server, runtime, streams)
}

/// A1
#[cfg(not(feature = "smol"))]
#[test]
fn a_stream_whose_runtime_has_ended_yields_an_error_without_a_panic() {
    let server = Server::repeating(Reply::events("data: a\n\n").hold());
    let timer = ManualTimer::new();
    let mut events = get(server.url()).into_event_source_builder().timer(timer.clone()).build();
    runtime().block_on(messages(&mut events, 1));
    server.wait_for_live(0, PATIENCE);

    let Poll::Ready(Some(Ok(lost))) = poll(&mut events) else { panic!("{events:?}") };
    assert!(matches!(lost, Event::Reconnecting { .. }), "{lost:?}");
    assert_pending(&mut events);
    timer.advance_to_next();
    let Poll::Ready(Some(Err(error))) = poll(&mut events) else { panic!("{events:?}") };
    assert!(matches!(error, Error::NoRuntime), "{error:?}");
    assert_over(&mut events);
}

/// A1
#[test]
fn a_stream_whose_runtime_is_gone_reconnects_in_another() {
    let server = Server::repeating(Reply::events("id: 1\ndata: a\n\n").hold());
    let mut events = quickly(get(server.url()));
    runtime().block_on(messages(&mut events, 1));
    server.wait_for_live(0, PATIENCE);

    runtime().block_on(async {
        reconnecting(&mut events).await;
        assert!(opened(&mut events).await.is_reconnect());
        assert_eq!(data(&mut events).await, "a");
    });
    assert_eq!(ids(&server.requests()[1]), "1");
}

/// Returns a runtime with two threads, whose tasks run while no thread blocks on it.
fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}
