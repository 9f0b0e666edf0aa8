//! The responses to readers downstream.

use crate::figures::Figures;
use crate::log::{Ids, Log, Lookup, Start};
use crate::patience::Patient;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use everstream::Encoder;
use futures_util::stream;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

/// The settings of a relay.
pub(crate) struct Settings {
    /// The limits of the log: the number of events, and their total bytes.
    pub(crate) replay_events: usize,
    pub(crate) replay_bytes: usize,
    /// The time without an event after which a comment is sent. Common proxies close a connection
    /// after 60 s of silence.
    pub(crate) keep_alive: Duration,
    /// The time after which a reader that accepts no byte is dropped.
    pub(crate) patience: Duration,
    /// The size of the system's send buffer of a reader, in bytes. The relay cannot see these
    /// bytes.
    pub(crate) send_buffer: usize,
    /// The reconnection time of readers: each gets a random value from this to twice this, because
    /// browsers add no jitter.
    pub(crate) retry: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            replay_events: 4096,
            replay_bytes: 64 * 1024 * 1024,
            keep_alive: Duration::from_secs(15),
            patience: Duration::from_secs(10),
            send_buffer: 64 * 1024,
            retry: Duration::from_secs(3),
        }
    }
}

pub(crate) struct Relay {
    pub(crate) log: Log,
    pub(crate) figures: Arc<Figures>,
    settings: Settings,
}

impl Relay {
    pub(crate) fn new(ids: Ids, settings: Settings) -> Self {
        let log = Log::new(ids, settings.replay_events, settings.replay_bytes);
        Relay { log, figures: Arc::default(), settings }
    }
}

pub(crate) async fn serve(listener: TcpListener, relay: Arc<Relay>) -> io::Result<()> {
    let Settings { patience, send_buffer, .. } = relay.settings;
    let figures = Arc::clone(&relay.figures);
    let listener = Patient { listener, patience, send_buffer, figures };
    let page = || async { Html(PAGE) };
    let app = Router::new().route("/", get(page)).route("/events", get(events)).with_state(relay);
    axum::serve(listener, app).await
}

/// The page for a browser that opens the relay's address.
const PAGE: &str = r#"<!DOCTYPE html><title>relay</title><pre id="log"></pre><script>
const log = line => document.getElementById("log").prepend(line + "\n");
const events = new EventSource("/events");
events.onopen = () => log("-- open");
events.onerror = () => log(events.readyState == EventSource.CLOSED ? "-- over" : "-- again soon");
events.onmessage = event => log(event.lastEventId + " " + event.data);
events.addEventListener("gap", event => log("-- some of what followed " + event.data + " is gone"));
</script>"#;

async fn events(State(relay): State<Arc<Relay>>, headers: HeaderMap) -> Response {
    // An ID may be any text, sent as its UTF-8 bytes.
    let id = headers.get("last-event-id").and_then(|id| std::str::from_utf8(id.as_bytes()).ok());
    if !relay.log.wait_for(id).await {
        let headers = [(RETRY_AFTER, "1")];
        return (StatusCode::SERVICE_UNAVAILABLE, headers, "this relay is behind").into_response();
    }
    let changes = relay.log.changes();
    let start = relay.log.start(id);
    if let Lookup::Never = relay.log.get(start.number) {
        return StatusCode::NO_CONTENT.into_response(); // which ends an EventSource
    }
    let figures = &relay.figures;
    figures.readers.add(1);
    figures.connections.add(1);
    match id {
        Some(_) if start.has_gap => figures.gaps.add(1),
        Some(_) => figures.resumed.add(1),
        None => {}
    }
    let greeting = Some(greeting(&relay.settings, &start, id));
    let reader = Reader { greeting, next: start.number, changes, relay };
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        ("x-accel-buffering".parse().expect("a header's name"), "no"), // or nginx buffers it
    ];
    let body = Body::from_stream(stream::unfold(reader, |mut reader| async move {
        let chunk = reader.next().await?;
        Some((Ok::<_, Infallible>(chunk), reader))
    }));
    (headers, body).into_response()
}

/// Returns the text before the first event. It also opens the stream at once.
fn greeting(settings: &Settings, start: &Start, last_event_id: Option<&str>) -> Bytes {
    let mut greeting = Encoder::new(String::new());
    let _ = greeting.retry(settings.retry.mul_f64(1.0 + fastrand::f64()));
    if start.has_gap {
        // It has no ID, so the reader keeps its last event ID.
        let _ = greeting.event("gap").data(last_event_id.unwrap_or_default());
    }
    greeting.into_inner().into()
}

/// A connection downstream.
struct Reader {
    greeting: Option<Bytes>,
    /// The number of its next event.
    next: u64,
    changes: watch::Receiver<bool>,
    relay: Arc<Relay>,
}

impl Reader {
    /// Returns the next bytes to send, once there are any. It is polled when the connection has
    /// capacity.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(greeting) = self.greeting.take() {
            return Some(greeting);
        }
        let Relay { log, figures, settings } = &*self.relay;
        loop {
            match log.get(self.next) {
                Lookup::Here(block) => {
                    self.next += 1;
                    figures.events.add(1);
                    return Some(block);
                }
                Lookup::Never => return None,
                Lookup::Gone => {
                    figures.outrun.add(1);
                    return None;
                }
                // If the log changed since it was read, this returns at once.
                Lookup::Coming => {
                    if timeout(settings.keep_alive, self.changes.changed()).await.is_err() {
                        figures.keep_alives.add(1);
                        return Some(Bytes::from_static(b":\n\n"));
                    }
                }
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.relay.figures.readers.subtract(1);
    }
}
