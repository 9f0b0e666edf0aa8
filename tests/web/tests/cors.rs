//! Tests of requests to another origin: their preflights and headers. The page and the server have
//! two origins in every test.

use crate::server::{Play, message, next};
use everstream::Event;
use futures_util::StreamExt;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
async fn the_first_request_needs_no_preflight() {
    let play = Play::new("events:1,hang");
    let mut events = play.events();
    assert_eq!(message(&mut events).await, "event 1");
    let seen = play.seen().await;
    assert_eq!((seen.requests.len(), seen.preflights), (1, 0));
    assert_eq!(seen.requests[0].headers["accept"], "text/event-stream");
}

/// The browser adds `Cache-Control` itself, after it has decided about the preflight.
#[wasm_bindgen_test]
async fn no_cache_answers() {
    let play = Play::new("header:cache-control=max-age=3600,text:data: x%0A%0A");
    let mut events = play.events();
    for _ in 0..3 {
        message(&mut events).await;
    }
    let seen = play.seen().await;
    assert_eq!((seen.requests.len(), seen.preflights), (3, 0));
    for request in seen.requests {
        assert_eq!(request.headers["cache-control"], "no-cache");
    }
}

#[wasm_bindgen_test]
async fn a_resumption_needs_one() {
    let play = Play::new("events:1/events:1,hang");
    let mut events = play.events();
    assert_eq!(message(&mut events).await, "event 1");
    assert_eq!(message(&mut events).await, "event 2");
    assert_eq!(play.seen().await.preflights, 1, "Last-Event-ID is not a safe header");
}

#[wasm_bindgen_test]
async fn an_id_that_is_not_ascii_is_left_out_and_the_stream_continues() {
    let play = Play::new("text:id: %E2%80%A6%0Adata: one%0A%0A/text:data: two%0A%0A,hang");
    let mut events = play.events();
    assert_eq!(message(&mut events).await, "one");
    assert_eq!(events.last_event_id().map(|id| &**id), Some("…"));
    assert_eq!(message(&mut events).await, "two");
    assert_eq!(events.last_event_id().map(|id| &**id), Some("…"));
    assert_eq!(play.seen().await.ids(), [None, None]);
}

#[wasm_bindgen_test]
async fn a_response_that_cors_withholds_is_a_failed_connection() {
    // The page may not send this header, because the server's preflight does not name it.
    let play = Play::new("events:1,hang");
    let request = play.request().header("x-unheard-of", "1");
    let mut events = everstream::EventSource::new(request);
    let Event::Reconnecting { reason: cause, .. } = next(&mut events).await else {
        panic!("let through")
    };
    assert!(cause.to_string().starts_with("could not connect: "), "{cause}");
    let seen = play.seen().await;
    assert_eq!((seen.requests.len(), seen.preflights), (0, 1));
}

#[wasm_bindgen_test]
async fn no_content_ends_the_stream() {
    let play = Play::new("events:1/status:204");
    let mut events = play.events();
    assert_eq!(message(&mut events).await, "event 1");
    assert!(matches!(next(&mut events).await, Event::Reconnecting { .. }));
    assert!(events.next().await.is_none());
}
