//! Tests that closing and dropping a stream end its connection, which the server sees soon.

use crate::server::{Play, message, next, sleep};
use everstream::{Event, EventSource};
use futures_util::StreamExt;
use std::pin::pin;
use wasm_bindgen_test::wasm_bindgen_test;

/// Polls the stream until the server has seen its request.
async fn request(play: &Play, events: &mut EventSource) {
    let mut seen = pin!(play.sees("a request", |seen| seen.open == 1));
    let mut events = pin!(async {
        let _ = events.next().await;
        panic!("the server is silent");
    });
    futures_util::select_biased! {
        _ = futures_util::FutureExt::fuse(&mut seen) => {}
        _ = futures_util::FutureExt::fuse(&mut events) => {}
    }
}

#[wasm_bindgen_test]
async fn close_aborts_the_body() {
    let play = Play::new("events:1,hang");
    let mut events = play.events();
    assert_eq!(message(&mut events).await, "event 1");
    assert_eq!(play.seen().await.open, 1);
    events.close();
    play.sees("disconnected", |seen| seen.open == 0).await;
    assert!(events.next().await.is_none());
}

#[wasm_bindgen_test]
async fn drop_aborts_the_body() {
    let play = Play::new("events:1,hang");
    let mut events = play.events();
    assert_eq!(message(&mut events).await, "event 1");
    assert_eq!(play.seen().await.open, 1);
    drop(events);
    play.sees("disconnected", |seen| seen.open == 0).await;
}

#[wasm_bindgen_test]
async fn close_aborts_a_request_that_is_not_answered() {
    let play = Play::new("silent");
    let mut events = play.events();
    request(&play, &mut events).await;
    events.close();
    play.sees("disconnected", |seen| seen.open == 0).await;
    assert!(events.next().await.is_none());
}

#[wasm_bindgen_test]
async fn drop_aborts_a_request_that_is_not_answered() {
    let play = Play::new("silent");
    let mut events = play.events();
    request(&play, &mut events).await;
    drop(events);
    play.sees("disconnected", |seen| seen.open == 0).await;
}

#[wasm_bindgen_test]
async fn force_reconnect_aborts_the_connection_that_it_replaces() {
    let play = Play::new("events:1,hang");
    let mut events = play.events();
    assert_eq!(message(&mut events).await, "event 1");
    events.force_reconnect();
    assert_eq!(message(&mut events).await, "event 2");
    let seen = play.sees("one connection", |seen| seen.open == 1).await;
    assert_eq!(seen.ids(), [None, Some("1")]);
}

#[wasm_bindgen_test]
async fn close_during_the_delay_prevents_the_attempt() {
    let play = Play::new("retry:100,events:1");
    let mut events = play.events();
    while !matches!(next(&mut events).await, Event::Reconnecting { .. }) {}
    events.close();
    assert!(events.next().await.is_none());
    sleep(400).await;
    assert_eq!(play.seen().await.requests.len(), 1);
}
