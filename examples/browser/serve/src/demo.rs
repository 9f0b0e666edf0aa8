//! A server that sends events for ever, and breaks its connections on request.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderMap};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::stream;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The time between two events.
const PACE: Duration = Duration::from_millis(600);
/// The number of past events from which a client can resume.
const REPLAYED: u64 = 50;

/// The demo. The time since its start alone decides the events, so it can resume from any ID.
#[derive(Debug, Clone)]
pub(crate) struct Demo {
    start: Instant,
    /// Changes when the connections are broken.
    cuts: Arc<watch::Sender<()>>,
}

impl Demo {
    pub(crate) fn start() -> Self {
        Demo { start: Instant::now(), cuts: Arc::new(watch::Sender::new(())) }
    }

    /// Returns the time at which the event with this number is sent.
    fn due(&self, number: u64) -> Instant {
        self.start + PACE * u32::try_from(number).unwrap_or(u32::MAX)
    }

    /// Returns the number of the next event.
    fn next(&self) -> u64 {
        (self.start.elapsed().as_millis() / PACE.as_millis()) as u64 + 1
    }
}

fn event(number: u64) -> String {
    let wave = (number as f64 / 4.0).sin() * 2.0 + 100.0;
    let content = match number % 5 {
        0 => "event: greeting\ndata: Grüße, привет, γειά, مرحبا".to_owned(),
        3 => {
            format!("event: note\ndata: This event has\ndata: two lines, and the number {number}.")
        }
        _ => format!("event: price\ndata: {{\"symbol\": \"EVR\", \"price\": {wave:.2}}}"),
    };
    format!("id: {number}\n{content}\n\n")
}

/// Sends the events after the `Last-Event-ID`, without end.
pub(crate) async fn events(State(demo): State<Demo>, headers: HeaderMap) -> Response {
    let id = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    let oldest = demo.next().saturating_sub(REPLAYED).max(1);
    let next = id.map_or(demo.next(), |id| id.saturating_add(1).clamp(oldest, demo.next()));
    let cut = demo.cuts.subscribe();
    let mut opening = Some("retry: 2000\n\n".to_owned());
    let sent = stream::unfold((demo, next, cut, false), move |(demo, next, mut cut, is_cut)| {
        let opening = opening.take();
        async move {
            if is_cut {
                // The bytes sent before must arrive first.
                tokio::time::sleep(Duration::from_millis(20)).await;
                return Some((Err(io::Error::other("cut")), (demo, next, cut, true)));
            }
            if let Some(opening) = opening {
                return Some((Ok(opening), (demo, next, cut, false)));
            }
            tokio::select! {
                () = sleep_until(demo.due(next)) => {
                    Some((Ok(event(next)), (demo, next + 1, cut, false)))
                }
                // The connection breaks in the middle of the next event.
                _ = cut.changed() => {
                    let half = event(next).chars().take(20).collect();
                    Some((Ok(half), (demo, next, cut, true)))
                }
            }
        }
    });
    let mut response = Response::new(Body::from_stream(sent));
    let event_stream = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(CONTENT_TYPE, event_stream);
    response
}

/// Breaks every connection.
pub(crate) async fn cut(State(demo): State<Demo>) -> StatusCode {
    demo.cuts.send_replace(());
    StatusCode::NO_CONTENT
}
