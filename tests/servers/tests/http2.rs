//! Tests of event streams over HTTP/2 and TLS: row F17 of the HTTP cases.

#[path = "../../support/client.rs"]
pub mod client;
#[path = "support/http2.rs"]
mod http2_server;
#[path = "../../support/server.rs"]
pub mod server;

use std::sync::atomic::Ordering::SeqCst;

use client::*;
use everstream::{Disconnect, Error, EventSource, RequestBuilderExt};
use fastrand::Rng;
use h2::Reason;
use http2_server::{Exchange, Http2, Order};

/// Sends one event and half of another.
async fn send_one_and_a_half(exchange: &mut Exchange, events: &mut EventSource) {
    exchange.send("id: 1\ndata: a\n\nid: 2\ndata: half").await;
    assert_eq!(data(events).await, "a");
}

async fn assert_goes_on(exchange: &mut Exchange, events: &mut EventSource) {
    assert_eq!(exchange.last_event_id.as_deref(), Some("1"));
    exchange.send(" an event?\n\nid: 2\ndata: whole\n\n").await;
    assert_eq!(data(events).await, "whole");
}

// ------------------------------------------------------------------------------------------- Tests

/// F17
#[tokio::test]
async fn an_event_stream_comes_over_http_2_and_tls() {
    let server = Http2::start().await;
    let mut events = server.source(server.client());
    let mut exchange = server.open(&mut events).await;
    assert_eq!(exchange.last_event_id, None);
    for data in ["a", "b"] {
        exchange.send(format!("id: {data}\n")).await;
        exchange.send(format!("data: {data}\n\n")).await;
        assert_eq!(self::data(&mut events).await, data);
    }
    exchange.end();
    assert_eq!(reconnecting(&mut events).await.cause, "the server ended the stream");
    let exchange = server.open(&mut events).await;
    assert_eq!((exchange.connection, exchange.last_event_id.as_deref()), (0, Some("b")));
}

/// F17
#[tokio::test]
async fn a_stream_that_is_reset_is_resumed_on_the_same_connection() {
    for reason in [Reason::CANCEL, Reason::INTERNAL_ERROR, Reason::ENHANCE_YOUR_CALM] {
        lose_and_resume(|exchange| exchange.reset(reason), 0).await;
    }
}

/// F17
#[tokio::test]
async fn a_server_that_goes_away_for_a_reason_is_connected_to_again() {
    for reason in [Reason::NO_ERROR, Reason::INTERNAL_ERROR, Reason::ENHANCE_YOUR_CALM] {
        let lose = |exchange: Exchange| {
            exchange.order(Order::Break(reason));
            exchange // dropping it would reset the stream before
        };
        lose_and_resume(lose, 1).await;
    }
}

/// Loses a stream in the middle of an event, and asserts that it resumes on this connection.
async fn lose_and_resume<R>(lose: impl FnOnce(Exchange) -> R, connection: usize) {
    let server = Http2::start().await;
    let mut events = server.source(server.client());
    let mut exchange = server.open(&mut events).await;
    send_one_and_a_half(&mut exchange, &mut events).await;
    let _kept = lose(exchange);
    let lost = reconnecting(&mut events).await;
    assert!(matches!(&lost.why, Disconnect::Transport(_)), "{lost:?}");
    assert_one_line(&lost.cause);
    let mut exchange = server.open(&mut events).await;
    assert_eq!(exchange.connection, connection);
    assert_goes_on(&mut exchange, &mut events).await;
}

/// F17
#[tokio::test]
async fn a_server_that_is_about_to_go_away_may_end_its_streams_first() {
    let server = Http2::start().await;
    let mut events = server.source(server.client());
    let mut exchange = server.open(&mut events).await;
    exchange.send("data: a\n\n").await;
    assert_eq!(data(&mut events).await, "a");
    exchange.order(Order::Leave);
    exchange.send("id: 1\ndata: b\n\n").await;
    assert_eq!(data(&mut events).await, "b");
    exchange.end();
    assert_eq!(reconnecting(&mut events).await.cause, "the server ended the stream");
    let mut exchange = server.open(&mut events).await;
    assert_eq!(exchange.connection, 1);
    assert_goes_on(&mut exchange, &mut events).await;
}

/// F17
#[tokio::test]
async fn large_events_come_through_small_windows() {
    let server = Http2::start().await;
    let mut events = server.source(server.client().http2_initial_stream_window_size(100));
    let mut exchange = server.open(&mut events).await;
    let large = "…".repeat(30_000);
    for _ in 0..3 {
        let send = exchange.send(format!("data: {large}\n\n"));
        let (_, data) = tokio::join!(send, data(&mut events));
        assert!(data == large, "{} bytes of {}", data.len(), large.len());
    }
}

/// F15, F17
#[tokio::test]
async fn a_reader_that_does_not_read_stops_the_server() {
    let server = Http2::start().await;
    let mut events = server.source(server.client());
    let mut exchange = server.open(&mut events).await;
    let mut sent = 0;
    let flood = async {
        loop {
            exchange.send(format!("id: {sent}\ndata: {}\n\n", "x".repeat(100_000))).await;
            sent += 1;
        }
    };
    let held_up = tokio::time::timeout(std::time::Duration::from_millis(500), flood).await;
    assert!(held_up.is_err());
    // reqwest's windows have 2 MiB and 5 MiB.
    assert!(sent < 100, "{sent} events of 100 kB were sent to nobody");
    for id in 0..sent {
        assert_eq!(message(&mut events).await.id(), id.to_string());
    }
}

/// F17
#[tokio::test]
async fn a_stream_that_is_closed_leaves_the_others_of_its_connection_alone() {
    let server = Http2::start().await;
    let client = server.client().build().unwrap();
    let source = || client.get(server.url()).into_event_source();
    let (mut one, mut other) = (source(), source());
    let mut of_one = server.open(&mut one).await;
    let mut of_other = server.open(&mut other).await;
    assert_eq!((of_one.connection, of_other.connection), (0, 0));
    one.close();
    assert_eq!(of_one.cancelled().await, Reason::CANCEL);
    of_other.send("data: a\n\n").await;
    assert_eq!(data(&mut other).await, "a");
    drop(other);
    assert_eq!(of_other.cancelled().await, Reason::CANCEL);
    assert_eq!(server.connections.load(SeqCst), 1);
}

/// D25, F17, H7: no retry can fix it.
#[tokio::test]
async fn a_server_that_is_not_trusted_ends_a_stream_that_was_never_open() {
    let (server, stranger) = (Http2::start().await, Http2::start().await);
    let mut events = server.source(stranger.client());
    let error = failed(&mut events).await;
    assert!(matches!(error, Error::Request(_)), "{error:?}");
    let line = error.to_string();
    assert!(line.starts_with("could not connect to 127.0.0.1:"), "{line}");
    assert!(line.contains("certificate"), "{line}");
    assert_one_line(&line);
}

/// F17
#[tokio::test]
async fn each_event_comes_once_through_hundreds_of_resets_and_goaways() {
    let server = Http2::start().await;
    let rng = &mut Rng::with_seed(0);
    let mut events = server.source(server.client());
    let (mut read, mut faults) = (0, 0);
    while faults < 300 {
        let mut exchange = server.open(&mut events).await;
        let id = exchange.last_event_id.as_deref().map_or(0, |id| id.parse::<usize>().unwrap());
        assert_eq!(id, read, "it resumes after the last event");
        for next in id + 1..=id + rng.usize(..10) {
            exchange.send(format!("id: {next}\ndata: {next}\n\n")).await;
            let message = message(&mut events).await;
            assert_eq!((message.id(), message.data()), (&*next.to_string(), &*next.to_string()));
            read = next;
        }
        exchange.send(&"id: 0\ndata: half an event\n"[..rng.usize(..25)]).await;
        match rng.u8(..4) {
            0 => exchange.end(),
            1 => exchange.reset([Reason::CANCEL, Reason::REFUSED_STREAM][rng.usize(..2)]),
            2 => exchange.order(Order::Break(Reason::INTERNAL_ERROR)),
            _ => {
                exchange.order(Order::Leave);
                exchange.reset(Reason::CANCEL);
            }
        }
        reconnecting(&mut events).await;
        faults += 1;
    }
    println!("http2: {read} events, each once and in order, through {faults} faults");
}
