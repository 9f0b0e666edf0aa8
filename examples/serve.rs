//! Serves a small event stream, for `hello`, curl and browsers.
//!
//! ```sh
//! cargo run --example serve                     # http://127.0.0.1:8080/events
//! cargo run --example serve -- 127.0.0.1:0 50   # any port, an event each 50 ms
//! ```
//!
//! It ends each connection after five events, so that a client has something to resume. A client
//! that has all ten events gets 204, which ends its stream.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use everstream::{EncodeError, Encoder};
use futures_util::{StreamExt, stream};
use std::time::Duration;
use tokio::net::TcpListener;

const EVENTS: u64 = 10;
const EVENTS_PER_CONNECTION: u64 = 5;

/// Returns the greeting: the reconnection delay, and a comment that opens the stream at once.
fn greeting() -> Result<String, EncodeError> {
    let mut stream = Encoder::new(String::new());
    stream.retry(Duration::from_millis(100))?;
    stream.keep_alive()?;
    Ok(stream.into_inner())
}

fn tick(number: u64) -> Result<String, EncodeError> {
    let mut stream = Encoder::new(String::new());
    stream.event("tick").id(&number.to_string()).data(&format!("number {number}"))?;
    Ok(stream.into_inner())
}

/// Answers with the events after the last one that the client has.
async fn events(State(pace): State<Duration>, headers: HeaderMap) -> Response {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let first = last.map_or(1, |last: u64| last.saturating_add(1));
    if first > EVENTS {
        return StatusCode::NO_CONTENT.into_response();
    }
    let numbers = first..(first + EVENTS_PER_CONNECTION).min(EVENTS + 1);
    let ticks = stream::iter(numbers).then(move |number| async move {
        tokio::time::sleep(pace).await;
        tick(number)
    });
    let body = Body::from_stream(stream::iter([greeting()]).chain(ticks));
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        ("x-accel-buffering".parse().expect("a header name"), "no"),
    ];
    (headers, body).into_response()
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:8080".to_owned());
    let pace = arguments.next().and_then(|pace| pace.parse().ok()).unwrap_or(1000);
    let listener = TcpListener::bind(address).await?;
    println!("http://{}/events", listener.local_addr()?);
    let app = Router::new().route("/events", get(events));
    axum::serve(listener, app.with_state(Duration::from_millis(pace))).await
}
