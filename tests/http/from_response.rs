//! Tests of streams over a response that the caller already has.

use std::time::Duration;

use crate::support::client::*;
use crate::support::server::{Reply, Server};
use everstream::{
    Disconnect, Error, EventSource, EventSourceBuilder, ManualTimer, OnOversize, ReadyState,
    Reconnection, RequestAttempt, RequestBuilderExt,
};

const SEC: Duration = Duration::from_secs(1);

fn response(body: impl Into<String>) -> http::Response<String> {
    let response = http::Response::builder().header("content-type", "text/event-stream");
    response.body(body.into()).unwrap()
}

/// A response whose body stays open.
async fn held(server: &Server) -> reqwest::Response {
    get(server.url()).send().await.unwrap()
}

#[tokio::test]
async fn a_response_is_read_to_its_end_and_no_request_follows() {
    let mut events = EventSource::from_response(response("id: 1\ndata: a\n\ndata: b\n\n"));
    assert_eq!(story(&mut events).await, ["open", "message: a", "message: b"]);
    assert_eq!(events.last_event_id().map(|id| &**id), Some("1"));
    assert_over(&mut events);
}

#[tokio::test]
async fn a_response_of_reqwest_is_read_and_a_break_is_an_error() {
    let broken = Reply::events("data: a\n\n").without_header("content-length").reset();
    let server = Server::scripted([broken]);
    let mut events = EventSource::from_response(held(&server).await);
    let story = story(&mut events).await;
    assert_eq!(story[..2], ["open", "message: a"]);
    assert!(story[2].starts_with("error: the connection broke: "), "{story:?}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn the_timeouts_of_the_builder_hold_for_a_response_in_hand() {
    type Set = fn(EventSourceBuilder) -> EventSourceBuilder;
    let cases: [(Set, Disconnect); 2] = [
        (|builder| builder.idle_timeout(30 * SEC), Disconnect::IdleTimeout(30 * SEC)),
        (|builder| builder.event_timeout(60 * SEC), Disconnect::EventTimeout(60 * SEC)),
    ];
    for (set, expected) in cases {
        let server = Server::repeating(Reply::events("data: a\n\n").hold());
        let timer = ManualTimer::new();
        let builder = EventSourceBuilder::from_response(held(&server).await);
        let mut events = set(builder).timer(timer.clone()).build();
        messages(&mut events, 1).await;
        assert_pending(&mut events);
        timer.advance_to_next();
        let Error::Lost(reason) = failed(&mut events).await else { panic!("not lost") };
        assert_eq!(reason.to_string(), expected.to_string());
    }
}

#[tokio::test]
async fn the_limit_of_the_builder_holds_for_a_response_in_hand() {
    let builder = EventSourceBuilder::from_response(response(format!("data: {:99}\n\n", 1)));
    let mut events = builder.max_event_size(64).on_oversize(OnOversize::Fail).build();
    opened(&mut events).await;
    let error = failed(&mut events).await;
    assert!(matches!(error, Error::TooLarge(_)), "{error:?}");
}

#[tokio::test]
async fn the_head_of_a_response_in_hand_is_checked() {
    let status = http::Response::builder().status(503).body("deploy".to_owned()).unwrap();
    let mut events = EventSource::from_response(status);
    let error = failed(&mut events).await;
    assert_eq!(error.to_string(), "the server answered 503 Service Unavailable, not 200 OK");
    assert_eq!(error.into_response().unwrap().text().await.unwrap(), "deploy");

    // Without a function that can make another request, a 401 is a status like any other.
    let status = http::Response::builder().status(401).body(String::new()).unwrap();
    let error = failed(&mut EventSource::from_response(status)).await;
    assert_eq!(error.status().unwrap(), 401);

    let mut events = EventSource::from_response(http::Response::new("data: a\n\n".to_owned()));
    let error = failed(&mut events).await;
    assert!(matches!(error, Error::ContentType(_)), "{error:?}");

    let nothing = http::Response::builder().status(204).body(String::new()).unwrap();
    ended(&mut EventSource::from_response(nothing)).await;
}

#[tokio::test]
async fn a_body_that_is_not_an_event_stream_is_an_error() {
    let mut events = EventSource::from_response(response("{\"error\": \"overloaded\"}"));
    opened(&mut events).await;
    let Error::Lost(Disconnect::NotAnEventStream { start, .. }) = failed(&mut events).await else {
        panic!("read as an event stream")
    };
    assert_eq!(&*start, "{\"error\": \"overloaded\"}");
}

#[tokio::test]
async fn to_reconnect_a_stream_of_one_response_is_an_error() {
    let mut events = EventSource::from_response(response("data: a\n\n"));
    messages(&mut events, 1).await;
    events.force_reconnect();
    let error = failed(&mut events).await;
    assert!(matches!(error, Error::NotRepeatable), "{error:?}");
    assert_eq!(error.to_string(), "the request cannot be sent again");

    let builder = EventSourceBuilder::from_response(response("data: a\n\n"));
    let mut events = builder.reconnect(Reconnection::Always).retry_policy(quick()).build();
    messages(&mut events, 1).await;
    reconnecting(&mut events).await;
    assert!(matches!(failed(&mut events).await, Error::NotRepeatable));
}

// --------------------------------------------------------------------- The first of several responses

/// MCP resumes the response of a POST by a GET.
#[tokio::test]
async fn a_first_response_is_resumed_by_the_requests_of_the_function() {
    let server = Server::scripted([
        Reply::events("id: 1\ndata: a\n\n").without_header("content-length").reset(),
        Reply::events("id: 2\ndata: b\n\n"),
    ]);
    let first = post(server.url()).send().await.unwrap();
    let url = server.url();
    let resume = move |attempt: RequestAttempt| {
        assert_eq!((attempt.number(), attempt.was_open()), (1, true));
        let request = get(&url);
        async move { Ok(request) }
    };
    let builder = EventSourceBuilder::from_request_fn(resume).first_response(first);
    let builder = builder.reconnect(Reconnection::WhenBroken).retry_policy(quick());
    let story = story(&mut builder.build()).await;
    assert_eq!(story[..2], ["open", "message: a"], "{story:?}");
    assert_eq!(story[3..], ["reopen", "message: b"], "{story:?}");
    let requests = server.requests();
    assert_eq!((&*requests[0].method, &*requests[1].method), ("POST", "GET"));
    assert_eq!(requests[1].header("last-event-id"), [b"1"]);
}

/// The method is that of the builder's request.
#[tokio::test]
async fn a_first_response_is_repeated_as_the_request_of_the_builder_is() {
    for (method, repeated) in [("GET", true), ("POST", false)] {
        let server = Server::scripted([Reply::events("data: b\n\n")]);
        let builder = request(method, server.url()).into_event_source_builder();
        let builder = builder.first_response(response("data: a\n\n")).retry_policy(quick());
        let story = story(&mut builder.build()).await;
        let whole = ["open", "message: a", "reconnecting: the server ended the stream", "reopen"];
        let expected = if repeated { &whole[..] } else { &whole[..2] };
        assert_eq!(&story[..expected.len()], expected, "{method}: {story:?}");
        assert_eq!(story.len() > 2, repeated, "{method}: {story:?}");
    }
}

#[tokio::test]
async fn a_first_response_that_is_a_401_calls_the_function_at_once() {
    let expired = http::Response::builder().status(401).body("expired".to_owned()).unwrap();
    let renew = |attempt: RequestAttempt| async move {
        assert_eq!(attempt.status().unwrap(), 401);
        Ok::<_, everstream::AttemptError>(response("data: a\n\n"))
    };
    let builder = EventSourceBuilder::from_response_fn(renew).first_response(expired);
    let mut events = builder.timer(ManualTimer::new()).build();
    assert_eq!(reconnecting(&mut events).await.delay, Duration::ZERO);
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
}

#[tokio::test]
async fn a_first_response_is_used_whatever_the_order_of_the_settings() {
    let server = Server::repeating(Reply::events("data: b\n\n").hold());
    let url = server.url();
    let make = move |_: RequestAttempt| {
        let request = get(&url);
        async move { Ok(request) }
    };
    let builders = [
        get(server.url())
            .into_event_source_builder()
            .first_response(response("data: a\n\n"))
            .request_fn(make.clone()),
        EventSourceBuilder::from_response(response("data: a\n\n")).request_fn(make),
        get(server.url())
            .into_event_source_builder()
            .first_response(response("data: old\n\n"))
            .first_response(response("data: a\n\n")),
    ];
    for builder in builders {
        let builder = builder.reconnect(Reconnection::Always).retry_policy(quick());
        let mut events = builder.build();
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        reconnecting(&mut events).await;
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "b");
    }
}

#[tokio::test]
async fn a_response_in_hand_is_dropped_by_a_close_or_a_forced_reconnection_before_the_first_poll() {
    type Order = fn(&mut EventSource);
    let orders: [Order; 4] = [
        EventSource::close,
        EventSource::force_reconnect,
        |events| events.force_reconnect_with_id(Some("1".into())),
        |events| {
            events.handle().reconnect_now();
            assert_pending(events);
        },
    ];
    for order in orders {
        let server = Server::repeating(Reply::events("data: a\n\n").hold());
        let mut events = EventSource::from_response(held(&server).await);
        events.close();
        server.until_closed(0).await;

        let builder = get(server.url()).into_event_source_builder();
        let mut events = builder.first_response(held(&server).await).build();
        order(&mut events);
        server.until_closed(1).await;
        if events.ready_state() == ReadyState::Connecting {
            opened(&mut events).await;
            assert_eq!(server.requests().len(), 3);
        }
    }
}
