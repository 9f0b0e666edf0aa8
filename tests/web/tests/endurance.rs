//! Tests of the memory of long sessions.

use crate::server::{Play, message};
use core::arch::wasm32;
use everstream::EventSource;
use wasm_bindgen_test::wasm_bindgen_test;

async fn reconnect(events: &mut EventSource, times: usize) {
    for _ in 0..times {
        message(events).await;
    }
}

#[wasm_bindgen_test]
async fn two_hundred_reconnections_take_no_memory() {
    let play = Play::new("retry:0,text:data: %0A%0A,break");
    let prompt = everstream::retry::policy_fn(|_| Some(core::time::Duration::ZERO));
    let mut events = play.builder().retry_policy(prompt).build();
    // The first connections allocate memory that the later ones use.
    reconnect(&mut events, 20).await;
    let before = wasm32::memory_size(0);
    reconnect(&mut events, 200).await;
    let after = wasm32::memory_size(0);
    assert_eq!(before, after, "pages of 64 KiB");
    events.close();
    assert_eq!(play.sees("the end", |seen| seen.open == 0).await.requests.len(), 220);
}
