//! Many streams of one client over HTTP/2, which share a connection: part I of the HTTP cases, and
//! the recipes of docs/many-streams.md.

#[path = "../../support/client.rs"]
pub mod client;
#[path = "support/http2.rs"]
mod http2_server;
#[path = "../../support/server.rs"]
pub mod server;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use client::*;
use everstream::{
    Disconnect, Event, EventSource, EventSourceBuilder, ManualTimer, ReadyState, RequestAttempt,
    RequestBuilderExt,
};
use futures_util::StreamExt;
use h2::Reason;
use http2_server::{Exchange, Http2, Order};
use reqwest::{Client, ClientBuilder};

/// The open and idle timeouts, which run on a manual timer.
const TIMEOUT: Duration = Duration::from_millis(300);
const MIB: u32 = 1 << 20;
/// A real time in which nothing must happen.
const MOMENT: Duration = Duration::from_millis(100);

/// Runs a test on tokio, and on smol with the server on a runtime of its own.
fn on_both<F: Future<Output = ()>>(limit: u32, test: impl Fn(Arc<Http2>) -> F) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let start = || Arc::new(runtime.block_on(Http2::with_limit(limit)));
    let server = start();
    runtime.block_on(async { within(test(server)).await });
    let server = start();
    smol::block_on(async {
        let patience = smol::Timer::after(server::PATIENCE);
        let test = std::pin::pin!(test(server));
        let either = futures_util::future::select(test, patience).await;
        assert!(matches!(either, futures_util::future::Either::Left(_)), "it hangs on smol");
    });
}

/// Returns a builder with open and idle timeouts on this timer, and without delays.
fn timed(client: &Client, server: &Http2, timer: &ManualTimer) -> EventSourceBuilder {
    with_timeouts(client.get(server.url()).into_event_source_builder(), timer)
}

fn with_timeouts(builder: EventSourceBuilder, timer: &ManualTimer) -> EventSourceBuilder {
    let builder = builder.retry_policy(steady(Duration::ZERO)).timer(timer.clone());
    builder.open_timeout(TIMEOUT).idle_timeout(TIMEOUT)
}

async fn item(events: &mut EventSource) -> Event {
    events.next().await.expect("an item").expect("no error")
}

async fn loss(events: &mut EventSource) -> Disconnect {
    match item(events).await {
        Event::Reconnecting { reason, .. } => reason,
        other => panic!("no loss: {other:?}"),
    }
}

/// Lets the timeout of the silent connection or attempt run out. Returns the loss.
async fn run_out(events: &mut EventSource, timer: &ManualTimer) -> Disconnect {
    assert_pending(events);
    timer.advance(TIMEOUT);
    loss(events).await
}

/// Polls until a connection is open. Returns it with the losses before it.
async fn reopen(server: &Http2, events: &mut EventSource) -> (Exchange, Vec<Disconnect>) {
    let mut losses = Vec::new();
    loop {
        match item(events).await {
            Event::Reconnecting { reason, .. } => losses.push(reason),
            Event::Open(_) => return (server.exchange().await, losses),
            other => panic!("{other:?}"),
        }
    }
}

/// Opens a stream, receives event 1, and lets its connection fall silent.
async fn open_and_freeze(server: &Http2, events: &mut EventSource) -> Exchange {
    let (mut exchange, losses) = reopen(server, events).await;
    assert_eq!((exchange.connection, losses.len()), (0, 0));
    exchange.send("id: 1\ndata: a\n\n").await;
    let Event::Message(message) = item(events).await else { panic!("no event") };
    assert_eq!(message.data(), "a");
    exchange.order(Order::Freeze);
    exchange
}

/// Lets the idle timeout run out, and asserts that the stream resumes over this connection.
async fn resume_elsewhere(
    server: &Http2,
    events: &mut EventSource,
    timer: &ManualTimer,
    connection: usize,
) -> Exchange {
    let reason = run_out(events, timer).await;
    assert!(matches!(reason, Disconnect::IdleTimeout(_)), "{reason}");
    let (exchange, losses) = reopen(server, events).await;
    assert_eq!((exchange.connection, losses.len()), (connection, 0), "{losses:?}");
    assert_eq!(exchange.last_event_id.as_deref(), Some("1"));
    exchange
}

fn build(client: ClientBuilder) -> Client {
    client.build().unwrap()
}

// -------------------------------------------------------- 1. A connection that falls silent

/// I1
#[test]
fn a_client_alone_sends_each_attempt_over_a_silent_connection() {
    on_both(1000, |server| async move {
        let timer = ManualTimer::new();
        let mut events = timed(&build(server.client()), &server, &timer).build();
        let _exchange = open_and_freeze(&server, &mut events).await;
        assert!(matches!(run_out(&mut events, &timer).await, Disconnect::IdleTimeout(_)));
        for _ in 0..3 {
            let reason = run_out(&mut events, &timer).await;
            assert!(matches!(reason, Disconnect::OpenTimeout(_)), "{reason}");
            let text = "could not connect within 300ms; a shared HTTP/2 connection may be dead or \
                        have no free stream";
            assert_eq!(reason.to_string(), text);
        }
        assert_eq!(server.connections.load(SeqCst), 1);
    });
}

/// I1
#[test]
fn a_client_fn_leaves_a_silent_connection_after_a_timeout() {
    on_both(1000, |server| async move {
        let calls = Arc::new(AtomicUsize::new(0));
        let (count, peer) = (Arc::clone(&calls), Arc::clone(&server));
        let new_client = move || {
            count.fetch_add(1, SeqCst);
            peer.client().build()
        };
        let timer = ManualTimer::new();
        let builder = timed(&build(server.client()), &server, &timer);
        let mut events = builder.client_fn(new_client).build();
        let _frozen = open_and_freeze(&server, &mut events).await;
        assert_eq!(calls.load(SeqCst), 0);
        let exchange = resume_elsewhere(&server, &mut events, &timer, 1).await;
        // A stream that ends leaves a connection that works.
        exchange.end();
        let (exchange, losses) = reopen(&server, &mut events).await;
        assert!(matches!(losses[..], [Disconnect::Ended]), "{losses:?}");
        assert_eq!((exchange.connection, calls.load(SeqCst)), (1, 1));
    });
}

/// I1
#[test]
fn a_client_fn_leaves_a_silent_connection_for_a_forced_attempt() {
    on_both(1000, |server| async move {
        let (peer, timer) = (Arc::clone(&server), ManualTimer::new());
        // On this timer, a delay lasts until the test ends it.
        let builder = timed(&build(server.client()), &server, &timer).retry_policy(quick());
        let mut events = builder.client_fn(move || peer.client().build()).build();
        let _frozen = open_and_freeze(&server, &mut events).await;
        // Before a timeout has noticed the silence.
        events.force_reconnect();
        let (exchange, losses) = reopen(&server, &mut events).await;
        assert_eq!((exchange.connection, losses.len()), (1, 0));
        // After the timeout, during the delay.
        exchange.order(Order::Freeze);
        assert!(matches!(run_out(&mut events, &timer).await, Disconnect::IdleTimeout(_)));
        assert_pending(&mut events);
        events.handle().reconnect_now();
        let (exchange, losses) = reopen(&server, &mut events).await;
        assert_eq!((exchange.connection, losses.len()), (2, 0));
    });
}

/// I1
#[test]
fn a_client_fn_replaces_the_client_of_a_request_fn_too() {
    on_both(1000, |server| async move {
        let (client, url) = (build(server.client()), server.url());
        let builder = EventSourceBuilder::from_request_fn(move |_| {
            let request = client.get(&url);
            async move { Ok(request) }
        });
        let (peer, timer) = (Arc::clone(&server), ManualTimer::new());
        let builder = with_timeouts(builder, &timer);
        let mut events = builder.client_fn(move || peer.client().build()).build();
        let _frozen = open_and_freeze(&server, &mut events).await;
        resume_elsewhere(&server, &mut events, &timer, 1).await;
    });
}

/// I1
#[tokio::test]
async fn a_client_fn_leaves_the_silent_connection_of_a_response_in_hand() {
    let server = Arc::new(Http2::start().await);
    let client = build(server.client());
    let response = client.get(server.url()).send().await.unwrap();
    let (peer, timer) = (Arc::clone(&server), ManualTimer::new());
    let builder = timed(&client, &server, &timer).first_response(response);
    let mut events = builder.client_fn(move || peer.client().build()).build();
    let _frozen = within(open_and_freeze(&server, &mut events)).await;
    within(resume_elsewhere(&server, &mut events, &timer, 1)).await;
}

/// I1
#[test]
fn a_client_fn_that_fails_ends_the_stream() {
    on_both(1000, |server| async move {
        let timer = ManualTimer::new();
        let builder = timed(&build(server.client()), &server, &timer);
        let no_client = || Client::builder().user_agent("\n").build();
        let mut events = builder.client_fn(no_client).build();
        let _frozen = open_and_freeze(&server, &mut events).await;
        run_out(&mut events, &timer).await;
        let error = events.next().await.unwrap().unwrap_err();
        assert!(matches!(error, everstream::Error::Request(_)), "{error:?}");
        assert_one_line(error.to_string());
    });
}

/// I1
#[test]
fn a_response_fn_learns_that_a_connection_is_silent() {
    on_both(1000, |server| async move {
        let (peer, url) = (Arc::clone(&server), server.url());
        let mut client = build(server.client());
        let builder = EventSourceBuilder::from_response_fn(move |attempt: RequestAttempt| {
            if attempt.needs_new_connection() {
                client = build(peer.client());
            }
            let request = client.get(&url).headers(attempt.headers());
            async move { request.send().await }
        });
        let builder = builder.reconnect(everstream::Reconnection::Always);
        let timer = ManualTimer::new();
        let mut events = with_timeouts(builder, &timer).build();
        let _frozen = open_and_freeze(&server, &mut events).await;
        resume_elsewhere(&server, &mut events, &timer, 1).await;
    });
}

/// I1: no timeout of the stream is needed. hyper measures real time. A server that is alive answers
/// within three seconds, even on a busy machine.
#[test]
fn pings_close_a_connection_that_does_not_answer_them() {
    on_both(1000, |server| async move {
        let pinging = server.client().http2_keep_alive_interval(MOMENT);
        let pinging = pinging.http2_keep_alive_timeout(Duration::from_secs(3));
        let builder = build(pinging).get(server.url()).into_event_source_builder();
        let mut events = builder.retry_policy(quick()).build();
        let _frozen = open_and_freeze(&server, &mut events).await;
        let (exchange, losses) = reopen(&server, &mut events).await;
        assert!(matches!(losses[..], [Disconnect::Transport(_)]), "{losses:?}");
        assert_eq!((exchange.connection, exchange.last_event_id.as_deref()), (1, Some("1")));
    });
}

/// I1, I2, I3
#[test]
fn a_client_without_a_pool_gives_each_attempt_a_connection_of_its_own() {
    on_both(1, |server| async move {
        let client = build(server.client().pool_max_idle_per_host(0));
        let timer = ManualTimer::new();
        let mut events = timed(&client, &server, &timer).build();
        let _frozen = open_and_freeze(&server, &mut events).await;
        let mut others = Vec::new();
        for connection in 1..4 {
            let mut other = timed(&client, &server, &ManualTimer::new()).build();
            let (exchange, losses) = reopen(&server, &mut other).await;
            assert_eq!((exchange.connection, losses.len()), (connection, 0));
            others.push((other, exchange));
        }
        resume_elsewhere(&server, &mut events, &timer, 4).await;
    });
}

// -------------------------------------------------------- 2. A server that allows n streams

/// I2
#[test]
fn a_stream_over_the_servers_limit_waits_until_another_ends() {
    on_both(2, |server| async move {
        let client = build(server.client());
        let timer = ManualTimer::new();
        // No idle timeout: the two that are open stay so.
        let source = || {
            let builder = client.get(server.url()).into_event_source_builder();
            let builder = builder.retry_policy(steady(Duration::ZERO)).timer(timer.clone());
            builder.open_timeout(TIMEOUT).build()
        };
        let (mut one, mut two, mut three) = (source(), source(), source());
        let (of_one, _) = reopen(&server, &mut one).await;
        let (_of_two, _) = reopen(&server, &mut two).await;
        for _ in 0..3 {
            let reason = run_out(&mut three, &timer).await;
            assert!(matches!(reason, Disconnect::OpenTimeout(_)), "{reason}");
            assert!(reason.to_string().contains("no free stream"), "{reason}");
        }
        // An attempt that timed out must not take the free stream.
        drop((one, of_one));
        let (exchange, _) = reopen(&server, &mut three).await;
        assert_eq!((exchange.connection, server.connections.load(SeqCst)), (0, 1));
    });
}

/// I2
#[test]
fn a_client_fn_takes_a_stream_over_the_limit_to_another_connection() {
    on_both(2, |server| async move {
        let client = build(server.client());
        let mut open = Vec::new();
        for number in 0..4 {
            let (peer, timer) = (Arc::clone(&server), ManualTimer::new());
            let builder = timed(&client, &server, &timer);
            let mut events = builder.client_fn(move || peer.client().build()).build();
            let mut connection = 0;
            if number >= 2 {
                let reason = run_out(&mut events, &timer).await;
                assert!(matches!(reason, Disconnect::OpenTimeout(_)), "{reason}");
                connection = number - 1;
            }
            let (exchange, losses) = reopen(&server, &mut events).await;
            assert_eq!((exchange.connection, losses.len()), (connection, 0), "{losses:?}");
            open.push((events, exchange));
        }
    });
}

/// I2: without timeouts, the health of a handle shows the wait.
#[test]
fn a_supervisor_takes_a_stream_without_timeouts_to_another_connection() {
    on_both(1, |server| async move {
        let client = build(server.client());
        let source = || {
            let peer = Arc::clone(&server);
            let builder = client.get(server.url()).into_event_source_builder();
            builder.client_fn(move || peer.client().build()).build()
        };
        let (mut one, mut two) = (source(), source());
        let _of_one = reopen(&server, &mut one).await;
        let handle = two.handle();
        let (since, before) = (Instant::now(), handle.health());
        let supervise = async {
            loop {
                smol::Timer::after(MOMENT).await;
                let health = handle.health();
                assert_eq!((health.state, &health.next_attempt), (ReadyState::Connecting, &None));
                assert_eq!((health.since, health.last_loss), (before.since, None));
                if since.elapsed() > 3 * MOMENT {
                    return handle.reconnect_now();
                }
            }
        };
        let (_, (of_two, losses)) = futures_util::join!(supervise, reopen(&server, &mut two));
        assert_eq!((of_two.connection, losses.len()), (1, 0));
    });
}

// ------------------------------------------------------- 3. Streams that are not polled

/// Sends as many bytes as the client's windows allow, and asserts that they allow no more.
async fn flood(exchange: &mut Exchange, window: u32) {
    within(exchange.send("x".repeat(window as usize))).await;
    let more = tokio::time::timeout(MOMENT, exchange.send("x")).await;
    assert!(more.is_err(), "the window is larger than {window} bytes");
}

/// Opens a source of this client.
async fn open(server: &Http2, client: &Client) -> (EventSource, Exchange) {
    let builder = client.get(server.url()).into_event_source_builder();
    let mut events = builder.retry_policy(quick()).build();
    let exchange = server.open(&mut events).await;
    (events, exchange)
}

/// I3: reqwest's windows are of 2 MiB for a stream and 5 MiB for a connection.
#[tokio::test]
async fn three_streams_that_are_not_polled_starve_the_others_of_their_connection() {
    let server = Http2::start().await;
    let client = build(server.client());
    let mut silent = Vec::new();
    for window in [2 * MIB, 2 * MIB, MIB] {
        let (events, mut exchange) = open(&server, &client).await;
        flood(&mut exchange, window).await;
        silent.push((events, exchange));
    }
    let (mut events, mut exchange) = open(&server, &client).await;
    let mut text = tokio::spawn(async move {
        exchange.send("data: a\n\n").await;
        exchange
    });
    let starved = tokio::time::timeout(5 * MOMENT, events.next()).await;
    assert!(starved.is_err(), "{starved:?}");
    assert!(!text.is_finished());
    // A dropped stream returns its part of the window.
    silent.pop();
    assert_eq!(data(&mut events).await, "a");
    within(&mut text).await.unwrap();
}

/// I3
#[tokio::test]
async fn a_connection_window_for_all_streams_starves_none() {
    let server = Http2::start().await;
    let (streams, stream_window) = (8, 128 * 1024);
    let client = server
        .client()
        .http2_initial_stream_window_size(stream_window)
        .http2_initial_connection_window_size(streams * stream_window);
    let client = build(client);
    let mut silent = Vec::new();
    for _ in 1..streams {
        let (events, mut exchange) = open(&server, &client).await;
        flood(&mut exchange, stream_window).await;
        silent.push((events, exchange));
    }
    let (mut events, mut exchange) = open(&server, &client).await;
    for _ in 0..100 {
        within(exchange.send("data: a\n\n")).await;
        assert_eq!(data(&mut events).await, "a");
    }
    assert_eq!(server.connections.load(SeqCst), 1);
}

/// I3: the window of the connection is then no larger than that of a stream.
#[tokio::test]
async fn an_adaptive_window_lets_one_stream_starve_the_others() {
    let server = Http2::start().await;
    let client = build(server.client().http2_adaptive_window(true));
    let (_silent, mut flooded) = open(&server, &client).await;
    flood(&mut flooded, 65_535).await;
    let (mut events, mut exchange) = open(&server, &client).await;
    let sending = tokio::spawn(async move { exchange.send("data: a\n\n").await });
    let starved = tokio::time::timeout(5 * MOMENT, events.next()).await;
    assert!(starved.is_err(), "{starved:?}");
    assert!(!sending.is_finished());
}

// ------------------------------------------------------------ 4. Endings over HTTP/2

/// I5: hyper reports this reset as the end of the body, so no error reaches the stream.
#[tokio::test]
async fn a_reset_without_an_error_looks_like_a_clean_end() {
    let server = Http2::start().await;
    let mut events = server.source(server.client());
    let mut exchange = server.open(&mut events).await;
    exchange.send("id: 1\ndata: a\n\n").await;
    assert_eq!(data(&mut events).await, "a");
    exchange.reset(Reason::NO_ERROR);
    let lost = reconnecting(&mut events).await;
    assert!(matches!(lost.why, Disconnect::Ended), "{lost:?}");
    let exchange = server.open(&mut events).await;
    assert_eq!((exchange.connection, exchange.last_event_id.as_deref()), (0, Some("1")));
}
