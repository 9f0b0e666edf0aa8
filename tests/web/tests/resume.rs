//! Tests of reading a stream and resuming it after a lost connection.

use crate::server::{Play, json, message, next};
use everstream::{Disconnect, Event, EventSource, ReadyState};
use futures_channel::oneshot;
use futures_util::StreamExt;
use std::time::Duration;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
async fn a_stream_is_opened_and_its_events_are_read() {
    let play = Play::new("events:3,hang");
    let mut events = play.events();
    assert_eq!(events.ready_state(), ReadyState::Connecting);

    let Event::Open(opened) = next(&mut events).await else { panic!("not open") };
    assert_eq!(events.ready_state(), ReadyState::Open);
    assert_eq!(opened.status(), 200);
    assert_eq!(opened.headers()["content-type"], "text/event-stream");
    assert_eq!(opened.url(), Some(&*play.url()));
    assert!(!opened.is_reconnect());
    for number in 1..=3 {
        let Event::Message(message) = next(&mut events).await else { panic!("no message") };
        assert_eq!(message.data(), format!("event {number}"));
        assert_eq!(message.id(), number.to_string());
    }
}

#[wasm_bindgen_test]
async fn a_connection_is_open_with_its_first_byte_at_the_latest() {
    // Chromium delivers the headers when they arrive, Firefox with the first byte of the body.
    let play = Play::new("wait:300,comment,hang");
    let mut events = play.events();
    assert!(matches!(next(&mut events).await, Event::Open(_)));
}

#[wasm_bindgen_test]
async fn an_event_arrives_before_the_next_one_is_sent() {
    let play = Play::new("text:data%0A%0A,wait:500,events:1,hang");
    let mut events = play.events();
    assert_eq!(message(&mut events).await, "");
    assert_eq!(events.last_event_id(), None);
    assert_eq!(message(&mut events).await, "event 1");
}

#[wasm_bindgen_test]
async fn a_broken_connection_is_resumed_after_the_last_event() {
    let play = Play::new("events:3,gate,break/events:2,gate,break/events:1,hang");
    let mut events = play.events();
    for number in 1..=6 {
        assert_eq!(message(&mut events).await, format!("event {number}"));
        if matches!(number, 3 | 5) {
            play.open_gate().await;
        }
    }
    assert_eq!(play.seen().await.ids(), [None, Some("3"), Some("5")]);
}

#[wasm_bindgen_test]
async fn a_break_and_an_end_are_distinguished() {
    let play = Play::new("comment,gate,break/comment");
    let mut events = play.events();
    let mut causes = Vec::new();
    while causes.len() < 2 {
        match next(&mut events).await {
            Event::Open(_) if causes.is_empty() => play.open_gate().await,
            Event::Reconnecting { reason: cause, .. } => causes.push(cause),
            _ => {}
        }
    }
    let Disconnect::Transport(_) = &causes[0] else { panic!("{:?}", causes[0]) };
    let words = causes[0].to_string();
    assert_eq!(words, "the connection broke: fetch gave no more");
    assert!(matches!(causes[1], Disconnect::Ended), "{:?}", causes[1]);
}

#[wasm_bindgen_test]
async fn a_server_that_is_down_is_retried() {
    let nobody: String = json("/nobody").await;
    let mut events = EventSource::new(reqwest::Client::new().get(nobody));
    let Event::Reconnecting { reason: cause, .. } = next(&mut events).await else {
        panic!("connected")
    };
    let words = cause.to_string();
    assert!(words.starts_with("could not connect: fetch gave no response"), "{words:?}");
    assert!(!words.contains('\n'), "{words:?}");
}

#[wasm_bindgen_test]
async fn the_delay_that_the_server_asks_for_is_used() {
    let play = Play::new("retry:300,events:1/comment,hang");
    let mut events = play.events();
    assert_eq!(message(&mut events).await, "event 1");
    let Event::Reconnecting { delay, .. } = next(&mut events).await else { panic!("no end") };
    assert!(Duration::from_millis(300) <= delay, "{delay:?}");
    assert!(matches!(next(&mut events).await, Event::Open(_)), "open again");

    let seen = play.seen().await;
    let pause = Duration::from_millis(seen.requests[1].pause.expect("a second connection"));
    assert!(delay <= pause + Duration::from_millis(1), "told {delay:?}, waited {pause:?}");
}

#[wasm_bindgen_test]
async fn a_handle_wakes_a_task_that_awaits_the_stream() {
    let play = Play::new("events:1,hang");
    let mut events = play.events();
    assert_eq!(message(&mut events).await, "event 1");
    let handle = events.handle();
    let (resumed, has_resumed) = oneshot::channel();
    wasm_bindgen_futures::spawn_local(async move {
        crate::server::sleep(20).await;
        handle.reconnect_now();
        has_resumed.await.expect("the other task waits");
        crate::server::sleep(20).await;
        handle.close();
    });
    assert!(matches!(next(&mut events).await, Event::Open(_)), "opened anew");
    assert_eq!(message(&mut events).await, "event 2");
    resumed.send(()).expect("the other task waits");
    assert!(events.next().await.is_none());
}

/// Pages that lose one server must not reconnect at the same moment. The server keeps the delays of
/// earlier pages.
#[wasm_bindgen_test]
async fn the_first_delay_differs_from_source_to_source_and_from_page_to_page() {
    for _ in 0..2 {
        let play = Play::new("retry:1000");
        let mut events = play.builder().build();
        let delay = loop {
            if let Event::Reconnecting { delay, .. } = next(&mut events).await {
                break delay.as_nanos();
            }
        };
        let mut others: Vec<String> = json(&format!("/notes/delay/{delay}")).await;
        assert_eq!(others.pop(), Some(delay.to_string()));
        assert!(!others.contains(&delay.to_string()), "{delay} was had before: {others:?}");
    }
}
