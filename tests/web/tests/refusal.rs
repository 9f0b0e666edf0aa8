//! Tests of responses that are not an event stream.

use crate::server::{Play, message, next};
use everstream::{Disconnect, Error, Event};
use futures_util::StreamExt;
use std::time::Duration;
use wasm_bindgen_test::wasm_bindgen_test;

/// Returns the error of a stream that ends at once.
async fn refusal(play: &Play) -> Error {
    let mut events = play.events();
    let error = events.next().await.expect("an item").expect_err("a refusal");
    assert!(events.next().await.is_none(), "the error is the last item");
    error
}

#[wasm_bindgen_test]
async fn a_status_is_an_error_with_the_response() {
    let error = refusal(&Play::new("status:404,type:text|plain,text:nothing here")).await;
    assert_eq!(error.to_string(), "the server answered 404 Not Found, not 200 OK");
    let Error::Status(response) = error else { panic!("{error:?}") };
    assert_eq!(response.status(), 404);
    assert_eq!(response.text().await.expect("a body"), "nothing here");
}

#[wasm_bindgen_test]
async fn a_content_type_is_an_error_with_the_response() {
    let error = refusal(&Play::new("type:text|html,text:<p>Please log in")).await;
    let words = "the server answered with \"text/html\", not \"text/event-stream\"";
    assert_eq!(error.to_string(), words);
    let Error::ContentType(response) = error else { panic!("{error:?}") };
    assert_eq!(response.text().await.expect("a body"), "<p>Please log in");
}

#[wasm_bindgen_test]
async fn a_url_that_fetch_does_not_take_is_an_error() {
    let url = "http://user:password@127.0.0.1/";
    let mut events = everstream::EventSource::new(reqwest::Client::new().get(url));
    let error = events.next().await.expect("an item").expect_err("a refusal");
    assert!(matches!(error, Error::Request(_)), "{error:?}");
    assert!(!error.to_string().contains('\n'), "{error}");
}

#[wasm_bindgen_test]
async fn a_failing_server_is_retried_after_its_retry_after() {
    // The response has a `Date`, so its delay does not depend on the clock.
    let trouble = "status:503,header:date=Sun; 06 Nov 1994 08:49:37 GMT,\
        header:retry-after=Sun; 06 Nov 1994 08:49:38 GMT,text:soon";
    let play = Play::new(&format!("events:1/{}/events:1,hang", trouble));
    let mut events = play.events();
    assert_eq!(message(&mut events).await, "event 1");
    assert!(matches!(next(&mut events).await, Event::Reconnecting { .. }));
    let Event::Reconnecting { reason: cause, delay, .. } = next(&mut events).await else {
        panic!("open")
    };
    let Disconnect::Status(response) = &cause else { panic!("{cause:?}") };
    assert_eq!(response.status(), 503);
    assert!(Duration::from_secs(1) <= delay, "{delay:?}");
    assert_eq!(message(&mut events).await, "event 2");
}
