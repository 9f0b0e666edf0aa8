//! The end of a body over real sockets: an event that is cut off, and text that is no event, are
//! reported for each framing and each method. Rows H of the HTTP cases.

use std::time::Duration;

use crate::support::client::*;
use crate::support::server::{Gate, Reply, Server};
use everstream::{Disconnect, Error, Event, EventSource, EventStreamExt, MessageError};
use everstream::{Reconnection, RequestBuilderExt};
use futures_util::StreamExt;
use reqwest::Client;

/// The framings in which a body can end without an error of the transport. nginx's default
/// `proxy_pass`, Caddy and PHP use the last one.
fn framings(rest: &str) -> [Reply; 4] {
    let body = format!("id: 1\ndata: a\n\n{rest}");
    [
        Reply::events(&body),
        Reply::sse().content_length(body.len() as u64).send(&body),
        Reply::sse().close_delimited().byte_by_byte(&body).fin(),
        Reply::sse().http_1_0().send(&body).fin(),
    ]
}

async fn lost(events: &mut EventSource) -> Disconnect {
    match failed(events).await {
        Error::Lost(reason) => reason,
        error => panic!("{error:?}"),
    }
}

/// H1, H2
#[tokio::test]
async fn a_half_event_ends_a_post_with_an_error_that_shows_it() {
    for reply in framings("id: 2\ndata: half") {
        let server = Server::scripted([reply]);
        let mut events = post(server.url()).into_event_source();
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        let reason = lost(&mut events).await;
        assert!(matches!(reason, Disconnect::EndedMidEvent { .. }), "{reason:?}");
        assert_eq!(reason.remainder(), Some("id: 2\ndata: half"));
        assert_eq!(
            reason.to_string(),
            r#"the server ended the stream in the middle of an event: "id: 2\ndata: half""#
        );
        assert_eq!(server.requests().len(), 1, "it is not repeated");
    }
}

/// H1, H2
#[tokio::test]
async fn a_half_event_is_the_reason_for_which_a_get_reconnects() {
    for reply in framings("id: 2\ndata: half") {
        let server = Server::scripted([reply]);
        let mut events = quickly(get(server.url()));
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        let lost = reconnecting(&mut events).await;
        assert!(matches!(lost.why, Disconnect::EndedMidEvent { .. }), "{lost:?}");
        assert_eq!(lost.why.remainder(), Some("id: 2\ndata: half"));
        ended(&mut events).await;
        assert_eq!(server.requests()[1].header("last-event-id"), [b"1"]);
    }
}

/// H1
#[tokio::test]
async fn text_that_is_not_an_event_ends_a_post_with_an_error_that_shows_it() {
    for rest in [
        ": keep-alive\n\n{\"error\": \"overloaded\"}\n",
        "{\"error\": \"overloaded\"}",
        "{\"error\": \"overloaded\"}\n\n: keep-alive\n\n",
    ] {
        for reply in framings(rest) {
            let server = Server::scripted([reply]);
            let mut events = post(server.url()).into_event_source();
            opened(&mut events).await;
            assert_eq!(data(&mut events).await, "a");
            let error = failed(&mut events).await;
            assert_eq!(error.remainder(), Some("{\"error\": \"overloaded\"}"));
            assert_eq!(
                error.to_string(),
                "the server ended the stream with text that is not an event: \
                 \"{\\\"error\\\": \\\"overloaded\\\"}\""
            );
        }
    }
}

/// H1
#[tokio::test]
async fn text_that_is_not_an_event_is_the_reason_for_which_a_get_reconnects() {
    for reply in framings("{\"error\": \"overloaded\"}\n") {
        let server = Server::scripted([reply]);
        let mut events = quickly(get(server.url()));
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        let lost = reconnecting(&mut events).await;
        assert!(matches!(lost.why, Disconnect::EndedWithText { .. }), "{lost:?}");
        assert_eq!(lost.why.remainder(), Some("{\"error\": \"overloaded\"}"));
        ended(&mut events).await;
    }
}

/// H1
#[tokio::test]
async fn a_whole_block_a_comment_or_a_keep_alive_is_a_clean_end() {
    for rest in ["", "\n", ":", ": keep-alive", ": keep-alive\n", "retry: 10\n", "event: x\n\n"] {
        for reply in framings(rest) {
            let server = Server::scripted([reply]);
            let mut events = post(server.url()).into_event_source();
            opened(&mut events).await;
            assert_eq!(data(&mut events).await, "a");
            ended(&mut events).await;
        }
    }
}

/// H1
#[tokio::test]
async fn a_half_event_is_a_broken_answer_which_is_sent_again_when_broken() {
    let replies = [Reply::events("data: a\n\ndata: half"), Reply::events("data: b\n\n")];
    let server = Server::scripted(replies);
    let builder = post(server.url()).into_event_source_builder();
    let builder = builder.reconnect(Reconnection::WhenBroken).retry_policy(quick());
    let mut events = builder.build();
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
    reconnecting(&mut events).await;
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "b");
    ended(&mut events).await;
}

/// H1
#[tokio::test]
async fn a_terminator_without_its_blank_line_is_shown_by_the_error() {
    let server = Server::scripted([Reply::events("data: a\n\ndata: [DONE]\n")]);
    let events = post(server.url()).into_event_source();
    let mut messages = events.messages().terminated_by("[DONE]");
    assert_eq!(within(messages.next()).await.unwrap().unwrap().data(), "a");
    let Some(Err(MessageError::Stream(error))) = within(messages.next()).await else { panic!() };
    assert_eq!(error.remainder(), Some("data: [DONE]"));
}

/// H1
#[tokio::test]
async fn a_response_in_hand_ends_as_a_request_does() {
    let body = "data: a\n\n{\"error\": 1}\n".to_string();
    let response = http::Response::builder().header("content-type", "text/event-stream");
    let mut events = EventSource::from_response(response.body(body).unwrap());
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
    assert_eq!(lost(&mut events).await.remainder(), Some("{\"error\": 1}"));
}

/// H10
#[tokio::test]
async fn a_body_that_is_gzip_without_saying_so_is_named() {
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x49\x2c\x49\xb4\x52\x48\xe4\xe2\x02\0";
    let server = Server::scripted([Reply::events(gzip)]);
    let mut events = post(server.url()).into_event_source();
    opened(&mut events).await;
    assert_eq!(
        lost(&mut events).await.to_string(),
        "the server ended the stream, which held no event: data in gzip, which no \
         content-encoding names"
    );
    let item: Option<Result<Event, Error>> = within(events.next()).await;
    assert!(item.is_none());
}

/// H11
#[tokio::test]
async fn an_answer_that_is_read_to_its_end_gives_its_connection_back() {
    for is_drained in [false, true] {
        let answer = || {
            let done = Reply::events("data: a\n\ndata: [DONE]\n\n");
            done.pause(Duration::from_millis(20)).keep_alive()
        };
        let server = Server::scripted([answer(), answer()]);
        let client = http();
        for _ in 0..2 {
            let mut events = client.post(server.url()).into_event_source();
            let mut messages = (&mut events).messages().terminated_by("[DONE]");
            assert_eq!(within(messages.next()).await.unwrap().unwrap().data(), "a");
            assert!(within(messages.next()).await.is_none());
            drop(messages);
            if is_drained {
                ended(&mut events).await;
            }
        }
        server.until_requests(2).await;
        assert_eq!(server.connections(), if is_drained { 1 } else { 2 });
    }
}

/// H11
#[tokio::test]
async fn a_user_agent_is_sent_only_if_it_is_set() {
    let server = Server::scripted([Reply::events("data: a\n\n"), Reply::events("data: a\n\n")]);
    let named = Client::builder().no_proxy().user_agent("my-app/1.0").build().unwrap();
    for client in [http(), named] {
        opened(&mut client.post(server.url()).into_event_source()).await;
    }
    let requests = server.requests();
    assert!(requests[0].header("user-agent").is_empty());
    assert_eq!(requests[1].header("user-agent"), [b"my-app/1.0"]);
}

/// H11: Bun, Node and Go hold their head until the first event if it is not flushed.
#[tokio::test]
async fn a_head_that_comes_with_the_first_event_needs_a_longer_open_timeout() {
    let gate = Gate::new();
    let late = || Reply::sse().wait_for(&gate).send_head().send("data: a\n\n").hold();
    let server = Server::scripted([late(), late()]);
    let builder = get(server.url()).into_event_source_builder().retry_policy(quick());
    let mut events = builder.open_timeout(Duration::from_millis(20)).build();
    let lost = reconnecting(&mut events).await;
    assert!(matches!(lost.why, Disconnect::OpenTimeout(_)), "{lost:?}");
    drop(events);

    let builder = get(server.url()).into_event_source_builder();
    let mut events = builder.open_timeout(Duration::from_secs(60)).build();
    assert_pending(&mut events);
    gate.open();
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
}
