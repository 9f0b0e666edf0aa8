//! Checks that the feature `smol`, which another crate may enable, changes nothing in a tokio app:
//! neither async-io nor the crate's own runtime is started. It has its own process, because it
//! counts threads.

use std::time::Duration;

use crate::support::alone::is_alone;
use crate::support::client::{data, get, opened, quick, reconnecting};
use crate::support::server::{Reply, Server};
use crate::support::threads;
use everstream::{DefaultTimer, RequestBuilderExt, Timer};

/// Delays, timeouts and the uptime of the connections are all measured.
async fn a_stream_that_reconnects() {
    let moment = Duration::from_millis(20);
    let server = Server::scripted([
        Reply::events("id: 1\ndata: a\n\n").reset(),
        Reply::events("data: b\n\n").hold(),
    ]);
    let builder = get(server.url()).timeout(Duration::MAX).into_event_source_builder();
    let builder = builder.retry_policy(quick()).open_timeout(Duration::MAX).idle_timeout(moment);
    let mut events = builder.build();
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
    reconnecting(&mut events).await;
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "b");
    reconnecting(&mut events).await;
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
    // Two threads belong to the test. A new thread has no name at first.
    assert_eq!(strangers().len(), before.len(), "{:?}", strangers());

    // The thread exists once it is needed.
    smol::block_on(DefaultTimer.sleep(Duration::from_millis(1)));
    assert_eq!(strangers().len(), before.len() + 1, "{:?}", strangers());
}

/// Returns the names of the threads of this process that are not tokio's.
fn strangers() -> Vec<String> {
    threads::names().into_iter().filter(|name| !name.starts_with("tokio")).collect()
}
