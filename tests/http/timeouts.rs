//! Tests of silent servers and networks: rows E of the HTTP cases, over real sockets and in virtual
//! time.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::support::client::*;
use crate::support::server::{Feed, Gate, PATIENCE, Reply, Server};
use everstream::{
    Disconnect, Error, EventSource, EventSourceBuilder, ManualTimer, ReadyState, RequestBuilderExt,
    TokioTimer,
};
use futures_util::StreamExt;
use reqwest::Client;
use reqwest::dns::{Name, Resolve, Resolving};

const TIMEOUT: Duration = Duration::from_millis(500);
const SOME_TIME: Duration = Duration::from_millis(300);

fn builder(server: &Server) -> (EventSourceBuilder, ManualTimer) {
    let timer = ManualTimer::new();
    let builder = get(server.url()).into_event_source_builder().retry_policy(steady(SOME_TIME));
    (builder.timer(timer.clone()), timer)
}

/// Waits until this many bytes of bodies have arrived.
async fn received(events: &mut EventSource, bytes: u64) {
    within(poll_fn(|cx| {
        let polled = events.poll_next_unpin(cx);
        assert!(polled.is_pending(), "{polled:?}");
        match events.stats().bytes >= bytes {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }))
    .await;
}

/// E1
#[tokio::test]
async fn an_attempt_without_a_response_ends_at_the_open_timeout() {
    let server = Server::scripted([Reply::silence(), Reply::events("data: a\n\n").hold()]);
    let (builder, timer) = builder(&server);
    let mut events = builder.open_timeout(TIMEOUT).build();
    silent_until(&mut events, server.until_requests(1)).await;
    timer.advance(TIMEOUT - Duration::from_nanos(1));
    assert_pending(&mut events);
    timer.advance(Duration::from_nanos(1));
    let lost = reconnecting(&mut events).await;
    assert!(matches!(lost.why, Disconnect::OpenTimeout(TIMEOUT)), "{}", lost.cause);
    within(server.until_closed(0)).await;
    timer.advance(SOME_TIME);
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
}

/// E1
#[tokio::test]
async fn without_a_timeout_an_attempt_waits_until_close() {
    let server = Server::scripted([Reply::silence()]);
    let (builder, timer) = builder(&server);
    let mut events = builder.build();
    silent_until(&mut events, server.until_requests(1)).await;
    assert_eq!(timer.pending(), 0);
    events.close();
    within(server.until_closed(0)).await;
    ended(&mut events).await;
}

/// A resolver that never ends.
struct Nowhere;

impl Resolve for Nowhere {
    fn resolve(&self, _: Name) -> Resolving {
        Box::pin(pending())
    }
}

/// E2
#[tokio::test]
async fn a_network_that_drops_all_packets_ends_the_attempt_at_the_open_timeout() {
    let http = Client::builder().no_proxy().dns_resolver(Arc::new(Nowhere)).build().unwrap();
    let timer = ManualTimer::new();
    let builder = http.get("http://nowhere.test/").into_event_source_builder();
    let mut events = builder.open_timeout(TIMEOUT).timer(timer.clone()).build();
    assert_pending(&mut events);
    timer.advance(TIMEOUT);
    let lost = reconnecting(&mut events).await;
    assert!(matches!(lost.why, Disconnect::OpenTimeout(TIMEOUT)), "{}", lost.cause);
}

/// E3
#[tokio::test]
async fn a_silent_connection_is_replaced_and_resumes_after_its_last_event() {
    let server = Server::repeating(Reply::events("id: 7\ndata: a\n\n").hold());
    let (builder, timer) = builder(&server);
    let mut events = builder.idle_timeout(TIMEOUT).build();
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
    assert_pending(&mut events);
    timer.advance(TIMEOUT);
    let lost = reconnecting(&mut events).await;
    assert!(matches!(lost.why, Disconnect::IdleTimeout(TIMEOUT)), "{}", lost.cause);
    assert_eq!(events.ready_state(), ReadyState::Connecting);
    within(server.until_closed(0)).await;
    timer.advance(SOME_TIME);
    opened(&mut events).await;
    assert_eq!(server.requests()[1].header("last-event-id"), [b"7"]);
}

/// E4, E5
#[tokio::test]
async fn any_byte_keeps_a_connection_alive() {
    for bytes in [":\n\n".repeat(4), "data: 0123456".into()] {
        let feed = Feed::new();
        let server = Server::scripted([Reply::sse().fed_by(&feed)]);
        let (builder, timer) = builder(&server);
        let mut events = builder.idle_timeout(TIMEOUT).build();
        opened(&mut events).await;
        for (count, byte) in (1..).zip(bytes.bytes()) {
            feed.send([byte]);
            received(&mut events, count).await;
            timer.advance(SOME_TIME);
            assert_pending(&mut events);
        }
        timer.advance(TIMEOUT - SOME_TIME);
        let lost = reconnecting(&mut events).await;
        assert!(matches!(lost.why, Disconnect::IdleTimeout(TIMEOUT)), "{}", lost.cause);
        assert_eq!(events.stats().events, 0);
    }
}

/// E4
#[tokio::test]
async fn comments_do_not_replace_events_where_events_are_asked_for() {
    let feed = Feed::new();
    let server = Server::scripted([Reply::sse().fed_by(&feed)]);
    let (builder, timer) = builder(&server);
    let mut events = builder.idle_timeout(TIMEOUT).event_timeout(2 * TIMEOUT).build();
    opened(&mut events).await;
    assert_pending(&mut events);
    for count in 1..=3 {
        timer.advance(SOME_TIME);
        feed.send(":\n");
        received(&mut events, 2 * count).await;
    }
    timer.advance(2 * TIMEOUT - 3 * SOME_TIME);
    let lost = reconnecting(&mut events).await;
    assert!(
        matches!(lost.why, Disconnect::EventTimeout(time) if time == 2 * TIMEOUT),
        "{}",
        lost.cause
    );
}

/// E6
#[tokio::test]
async fn a_million_comments_are_not_an_event() {
    let comments = ":\n".repeat(1_000_000);
    let server = Server::scripted([Reply::events(&comments).send("data: at last\n\n").hold()]);
    let (builder, _) = builder(&server);
    let mut events = builder.idle_timeout(TIMEOUT).build();
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "at last");
    assert_eq!(events.stats().events, 1);
    assert_eq!(events.stats().bytes, comments.len() as u64 + 15);
}

/// E7
#[tokio::test]
async fn a_late_poll_yields_buffered_data_and_no_timeout() {
    for blocks_the_runtime in [true, false] {
        let (go, sent) = (Gate::new(), Gate::new());
        let reply = Reply::events("data: a\n\n").wait_for(&go).send("data: b\n\n");
        let server = Server::scripted([reply.wait_for(&sent).hold()]);
        let (builder, timer) = builder(&server);
        let mut events = builder.idle_timeout(TIMEOUT).event_timeout(TIMEOUT).build();
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        go.open();
        match blocks_the_runtime {
            true => sent.wait_until_reached(PATIENCE),
            false => within(sent.until_reached()).await,
        }
        timer.advance(10 * TIMEOUT);
        assert_eq!(data(&mut events).await, "b");
    }
}

/// E7
#[tokio::test]
async fn a_late_poll_reports_a_silence_that_lasts() {
    let server = Server::repeating(Reply::events("data: a\n\n").hold());
    let (builder, timer) = builder(&server);
    let mut events = builder.idle_timeout(TIMEOUT).build();
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
    timer.advance(10 * TIMEOUT);
    assert_pending(&mut events);
    timer.advance(TIMEOUT);
    let lost = reconnecting(&mut events).await;
    assert!(matches!(lost.why, Disconnect::IdleTimeout(TIMEOUT)), "{}", lost.cause);
}

#[test]
fn a_timer_that_cannot_measure_time_ends_the_stream_with_its_error() {
    let body = "data: a\n\n".to_owned();
    let response = http::Response::builder().header("content-type", "text/event-stream");
    let builder = EventSourceBuilder::from_response(response.body(body).unwrap());
    let mut events = builder.timer(TokioTimer).build();
    match poll(&mut events) {
        Poll::Ready(Some(Err(Error::Timer(error)))) => {
            assert_eq!(error.to_string(), "no tokio runtime is running here");
        }
        other => panic!("{other:?}"),
    }
    assert_over(&mut events);
}
