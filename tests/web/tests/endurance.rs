//! Tests of the memory of long sessions.

#[path = "../../support/counting.rs"]
mod counting;

use crate::server::{Play, message};
use everstream::EventSource;
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};
use std::time::Duration;
use wasm_bindgen::externref_heap_live_count;
use wasm_bindgen_test::wasm_bindgen_test;

/// The bytes that the whole module has allocated.
static LIVE: AtomicIsize = AtomicIsize::new(0);

fn count(change: isize) {
    LIVE.fetch_add(change, Relaxed);
}

/// Returns the bytes that the module has allocated, and the JS values that it holds.
fn held() -> [isize; 2] {
    [LIVE.load(Relaxed), externref_heap_live_count().try_into().expect("a small number")]
}

async fn reconnect(events: &mut EventSource, times: usize) {
    for _ in 0..times {
        message(events).await;
    }
}

/// Counts what is allocated. The size of the module's memory would also depend on the allocator: it
/// grows by whole pages, when no free block is large enough, and never shrinks.
#[wasm_bindgen_test]
async fn two_hundred_reconnections_take_no_memory() {
    let play = Play::new("retry:0,text:data: %0A%0A,break");
    let prompt = everstream::retry::policy_fn(|_| Some(Duration::ZERO));
    let mut events = play.builder().retry_policy(prompt).build();
    // The first connections allocate memory that the later ones use.
    reconnect(&mut events, 20).await;
    let before = held();
    reconnect(&mut events, 200).await;
    let after = held();
    let [bytes, values] = [after[0] - before[0], after[1] - before[1]];
    // Earlier tests may end a task meanwhile. A leak of a pointer or a JS value for each connection
    // exceeds these limits.
    assert!(bytes < 200 * 4, "{bytes} bytes more are allocated");
    assert!(values < 200, "{values} JS values more are held");
    events.close();
    let requests = play.sees("the end", |seen| seen.open == 0).await.requests.len();
    assert!(requests >= 220, "each of 220 messages needs a connection, not {requests}");
}
