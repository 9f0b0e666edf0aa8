//! Tests of the timeouts, on the browser's clock.

use crate::server::{Play, message, next};
use everstream::{Disconnect, Event};
use std::time::Duration;
use wasm_bindgen_test::wasm_bindgen_test;

const LIMIT: Duration = Duration::from_millis(200);

#[wasm_bindgen_test]
async fn a_server_that_does_not_answer_is_dropped_and_retried() {
    let play = Play::new("silent/events:1,hang");
    let mut events = play.builder().open_timeout(LIMIT).build();
    let Event::Reconnecting { reason: cause, .. } = next(&mut events).await else { panic!("open") };
    assert!(matches!(cause, Disconnect::OpenTimeout(LIMIT)), "{cause:?}");
    assert_eq!(message(&mut events).await, "event 1");
    play.sees("one connection", |seen| seen.open == 1).await;
}

#[wasm_bindgen_test]
async fn a_connection_without_a_byte_is_dropped_and_retried() {
    let play = Play::new("events:1,wait:100,comment,wait:100,comment,hang/events:1,hang");
    let mut events = play.builder().idle_timeout(LIMIT).build();
    assert_eq!(message(&mut events).await, "event 1");
    let Event::Reconnecting { reason: cause, .. } = next(&mut events).await else {
        panic!("alive")
    };
    assert!(matches!(cause, Disconnect::IdleTimeout(LIMIT)), "{cause:?}");
    assert_eq!(message(&mut events).await, "event 2");
    play.sees("one connection", |seen| seen.open == 1).await;
}

#[wasm_bindgen_test]
async fn a_connection_that_is_only_kept_alive_can_be_left_too() {
    let keep_alive = "comment,wait:50,".repeat(100);
    let play = Play::new(&format!("events:1,{keep_alive}hang/events:1,hang"));
    let mut events = play.builder().idle_timeout(LIMIT * 4).event_timeout(LIMIT).build();
    assert_eq!(message(&mut events).await, "event 1");
    let Event::Reconnecting { reason: cause, .. } = next(&mut events).await else {
        panic!("an event")
    };
    assert!(matches!(cause, Disconnect::EventTimeout(LIMIT)), "{cause:?}");
    assert_eq!(message(&mut events).await, "event 2");
}

/// `setTimeout` cannot take this duration, and reqwest would panic.
#[wasm_bindgen_test]
async fn a_timeout_of_the_request_that_is_too_long_for_the_browser_is_none() {
    let play = Play::new("events:1,hang");
    let request = play.request().timeout(Duration::MAX);
    let mut events = everstream::EventSource::new(request);
    assert_eq!(message(&mut events).await, "event 1");
}

#[wasm_bindgen_test]
async fn a_timeout_of_the_request_cuts_the_connection() {
    let play = Play::new("silent/events:1,hang");
    let request = play.request().timeout(LIMIT);
    let mut events = everstream::EventSource::new(request);
    let Event::Reconnecting { reason: cause, .. } = next(&mut events).await else { panic!("open") };
    // Firefox gives a worker no reason for an aborted request.
    assert!(matches!(cause, Disconnect::Transport(_)), "{cause:?}");
    assert_eq!(message(&mut events).await, "event 1");
}
