//! A stream of HTML fragments, as servers for Datastar and htmx send them. Its first connection
//! breaks in the middle of an event.

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use std::io;
use std::time::Duration;
use tokio::time::sleep;

/// The time between two events.
const PACE: Duration = Duration::from_millis(150);
/// The event in which the first connection breaks, counted from 0.
const BREAKS_IN: usize = 4;

const EVENTS: [&str; 8] = [
    // Without a selector, an element replaces the one that has its ID.
    "event: datastar-patch-elements
data: elements <section id=\"greeting\">
data: elements   <h2>Grüße 🦀</h2>
data: elements   <p>This section came in four lines.</p>
data: elements </section>",
    "event: datastar-patch-elements
data: selector #orders
data: mode append
data: elements <li id=\"order-1\">
data: elements   1 book
data: elements </li>
data: elements <li id=\"order-2\">
data: elements   2 maps
data: elements </li>",
    "event: datastar-patch-elements
data: selector #orders
data: mode prepend
data: elements <li id=\"order-0\">
data: elements   a pen
data: elements </li>",
    // htmx puts the data of an event into the element whose `sse-swap` names its type.
    "event: weather
data: <b>4 °C</b>
data: <pre>  wind
data:
data:   from the west</pre>",
    "event: datastar-patch-elements
data: selector #order-1
data: mode outer
data: elements <li id=\"order-1\">
data: elements   1 book, sent
data: elements </li>",
    "event: datastar-patch-elements
data: selector #order-2
data: mode remove",
    "event: datastar-patch-elements
data: selector #orders
data: mode after
data: elements <p id=\"total\">
data: elements   2 orders
data: elements </p>",
    "event: datastar-patch-elements
data: selector #state
data: mode inner
data: elements All fragments
data: elements have arrived.",
];

/// Sends the events after the `Last-Event-ID`, and then nothing.
pub(crate) async fn events(headers: HeaderMap) -> Response {
    let id = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<usize>().ok());
    let mut chunks = vec![Ok("retry: 500\n\n".to_owned())];
    for (index, event) in EVENTS.iter().enumerate().skip(id.unwrap_or(0)) {
        if id.is_none() && index == BREAKS_IN {
            chunks.push(Ok(event[..event.len() / 2].to_owned()));
            chunks.push(Err(io::Error::other("broken on purpose")));
            break;
        }
        chunks.push(Ok(format!("id: {}\n{event}\n\n", index + 1)));
    }
    let sent = stream::iter(chunks).then(|chunk| async {
        sleep(PACE).await;
        chunk.map(Bytes::from)
    });
    let body = Body::from_stream(sent.chain(stream::pending()));
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}
