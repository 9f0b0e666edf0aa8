//! Checks that the feature `smol`, which another crate may enable, changes nothing in a tokio app:
//! neither async-io nor the crate's own runtime is started. It has its own process, because it
//! counts threads.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::alone::is_alone;
use crate::support::client::{get, next, quick};
use crate::support::server::{PATIENCE, Reply, Server};
use crate::support::threads;
use everstream::{DefaultTimer, Event, RequestBuilderExt, Timer};

/// Delays, timeouts and the uptime of the connections are all measured. On a busy machine, the
/// timeout may run out before the event arrives.
async fn a_stream_that_reconnects() {
    let moment = Duration::from_millis(20);
    let server = Server::repeating(Reply::events("id: 1\ndata: a\n\n").hold());
    let builder = get(server.url()).timeout(Duration::MAX).into_event_source_builder();
    let builder = builder.retry_policy(quick()).open_timeout(Duration::MAX).idle_timeout(moment);
    let mut events = builder.build();
    let (mut messages, mut losses) = (0, 0);
    while messages == 0 || losses < 2 {
        match next(&mut events).await.unwrap().unwrap() {
            Event::Message(_) => messages += 1,
            Event::Reconnecting { .. } => losses += 1,
            _ => {}
        }
    }
    drop(events);
    DefaultTimer.sleep(moment).await;
}

#[test]
fn a_tokio_app_starts_no_thread_of_async_io_or_ours() {
    if !is_alone("on_tokio::a_tokio_app_starts_no_thread_of_async_io_or_ours") {
        return;
    }
    let before = strangers();
    let single = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    single.block_on(a_stream_that_reconnects());
    let several = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    several.block_on(async { tokio::spawn(a_stream_that_reconnects()).await.unwrap() });
    wait_for_strangers(before.len());

    // The thread exists once it is needed.
    smol::block_on(DefaultTimer.sleep(Duration::from_millis(1)));
    wait_for_strangers(before.len() + 1);
}

/// Waits until this process has `n` threads that are not tokio's. A new thread of tokio has no name
/// for a moment, and an ended thread is listed a moment longer.
#[track_caller]
fn wait_for_strangers(n: usize) {
    let start = Instant::now();
    while strangers().len() != n {
        assert!(start.elapsed() < PATIENCE, "not {n} threads, but {:?}", strangers());
        thread::sleep(Duration::from_millis(1));
    }
}

/// Returns the names of the threads of this process that are not tokio's.
fn strangers() -> Vec<String> {
    threads::names().into_iter().filter(|name| !name.starts_with("tokio")).collect()
}
