//! A server that breaks its first connection, a client that tails it, and a check that no event is
//! lost.

use crate::Failure;
use crate::output::{self, Format, Output, Status};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::serve::ListenerExt;
use everstream::{Encoder, Event, MessageEvent, RequestBuilderExt};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout_at};

/// The time between two events.
const PACE: Duration = Duration::from_millis(100);
/// The maximum time of the demo.
const PATIENCE: Duration = Duration::from_secs(60);
/// The time after the last event in which further events are an error.
const AFTERMATH: Duration = Duration::from_millis(300);

/// The index of the event in which the first connection breaks.
const BREAKS_IN: usize = 6;

/// The events of the server: type (none if empty) and data. The IDs count from 1.
const SCRIPT: [(&str, &str); 12] = [
    ("", "This event has no name."),
    ("greeting", "This one has."),
    ("", "Data may have\nas many lines\nas it likes,"),
    ("", "\nand they may be empty."),
    ("price", r#"{"symbol": "EVR", "price": 12.5}"#),
    ("", "Any language will do: Grüße, привет, こんにちは, مرحبا, 🦀."),
    ("greeting", "Here, in the middle of the seventh event,\nthe connection breaks. 切れた!"),
    ("", "The client has asked for what followed the sixth,"),
    ("", "and the server knows from its Last-Event-ID."),
    ("price", r#"{"symbol": "EVR", "price": 13.0}"#),
    ("", " A leading space is data; so is a colon: here."),
    ("farewell", "That was all."),
];

/// The requests that the server received.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    /// The `Last-Event-ID` of each request.
    requests: Mutex<Vec<Option<String>>>,
}

pub(crate) async fn run() -> Result<(), Failure> {
    let seen = Arc::new(Seen::default());
    let url = start_server(Arc::clone(&seen))
        .await
        .map_err(|error| Failure::Because(format!("the server does not start: {error}")))?;
    let mut output = Output::new(Format::Text, Status::ToStdout);
    output.tell("A server of our own sends twelve events, and breaks off in the seventh.")?;

    // The server is on this machine, so no proxy is used.
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.map_err(|error| Failure::Because(format!("no HTTP client: {error}")))?;
    let mut events = client.get(url).into_event_source();
    let mut received = Vec::new();
    let mut deadline = Instant::now() + PATIENCE;
    while let Ok(event) = timeout_at(deadline, events.try_next()).await {
        let event = event.map_err(|error| Failure::Because(error.to_string()))?;
        let Some(event) = event else { break };
        output.show(&event)?;
        if let Event::Message(message) = event {
            if message.id() == id_of(SCRIPT.len() - 1) {
                deadline = Instant::now() + AFTERMATH;
            }
            received.push(message);
        }
    }
    events.close();

    let connections = seen.connections.load(Ordering::Relaxed);
    let requests = seen.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let differences = differences(&received, connections, &requests);
    if differences.is_empty() {
        let sent = received.len();
        output::print(&format!("{sent} events, {connections} connections, nothing lost\n"))?;
        Ok(())
    } else {
        for difference in &differences {
            output.tell(difference)?;
        }
        Err(Failure::Because(format!("{} differences from the expected run", differences.len())))
    }
}

/// Returns all differences from the expected run: each event once, in order and complete, over two
/// connections, of which the second resumes where the first broke.
fn differences(
    received: &[MessageEvent],
    connections: usize,
    requests: &[Option<String>],
) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, expected: String, found: String| {
        if expected != found {
            differences.push(format!("{what}: expected {expected}, found {found}"));
        }
    };
    for index in 0..received.len().max(SCRIPT.len()) {
        let sent = SCRIPT.get(index);
        let sent = sent.map(|(event, data)| MessageEvent::new(event, data, &id_of(index)));
        let what = format!("event {}", index + 1);
        compare(&what, format!("{sent:?}"), format!("{:?}", received.get(index).cloned()));
    }
    compare("connections", "2".to_owned(), connections.to_string());
    let expected = [None, Some(id_of(BREAKS_IN - 1))];
    compare("Last-Event-ID of the requests", format!("{expected:?}"), format!("{requests:?}"));
    differences
}

fn id_of(index: usize) -> String {
    (index + 1).to_string()
}

/// Starts a server on a free port of the loopback, which runs until the process ends. Returns the
/// URL.
async fn start_server(seen: Arc<Seen>) -> io::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}/events", listener.local_addr()?);
    let router = Router::new().route("/events", get(serve)).with_state(Arc::clone(&seen));
    let listener = listener.tap_io(move |_| {
        seen.connections.fetch_add(1, Ordering::Relaxed);
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

/// Sends the events after the last event ID. The first response breaks in the middle of an event.
/// The others stay open after the last event.
async fn serve(State(seen): State<Arc<Seen>>, headers: HeaderMap) -> impl IntoResponse {
    let id = headers.get("last-event-id");
    let id = id.map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    let known = (0..SCRIPT.len()).find(|index| id.as_ref() == Some(&id_of(*index)));
    let is_first = {
        let mut requests = seen.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.push(id);
        requests.len() == 1
    };

    let mut chunks = vec![Ok("retry: 1000\n\n".into())];
    for index in known.map_or(0, |index| index + 1)..SCRIPT.len() {
        let mut event = encode(index).into_bytes();
        if is_first && index == BREAKS_IN {
            event.truncate(event.len() / 2);
            chunks.push(Ok(event));
            chunks.push(Err(io::Error::other("broken on purpose")));
            break;
        }
        chunks.push(Ok(event));
    }
    let body = stream::iter(chunks).then(|chunk| async {
        sleep(PACE).await;
        chunk
    });
    let body = body.chain(stream::pending());
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(body))
}

/// Encodes an event.
fn encode(index: usize) -> String {
    let (event, data) = SCRIPT[index];
    let mut block = Encoder::new(String::new());
    // Only a line break in the type or the ID is an error, and the script has none.
    let _ = block.event(event).id(&id_of(index)).data(data);
    block.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<MessageEvent> {
        let events = SCRIPT.iter().enumerate();
        events.map(|(i, (event, data))| MessageEvent::new(event, data, &id_of(i))).collect()
    }

    fn resumed() -> Vec<Option<String>> {
        vec![None, Some("6".to_owned())]
    }

    #[test]
    fn twelve_events_over_two_connections_are_as_it_should_be() {
        assert_eq!(differences(&all(), 2, &resumed()), [""; 0]);
    }

    #[test]
    fn no_difference_goes_unnoticed() {
        let mut lost = all();
        lost.remove(6);
        assert_eq!(differences(&lost, 2, &resumed()).len(), 6, "each from the seventh on");
        let mut twice = all();
        twice.push(twice[11].clone());
        assert_eq!(differences(&twice, 2, &resumed()).len(), 1);
        let mut swapped = all();
        swapped.swap(2, 3);
        assert_eq!(differences(&swapped, 2, &resumed()).len(), 2);
        for wrong in [
            MessageEvent::new("message", SCRIPT[1].1, "2"),
            MessageEvent::new(SCRIPT[1].0, "", "2"),
            MessageEvent::new(SCRIPT[1].0, SCRIPT[1].1, "1"),
        ] {
            let mut changed = all();
            changed[1] = wrong;
            assert_eq!(differences(&changed, 2, &resumed()).len(), 1);
        }
        assert_eq!(differences(&all(), 3, &resumed()).len(), 1);
        assert_eq!(differences(&all(), 2, &[None]).len(), 1);
        assert_eq!(differences(&all(), 2, &[None, None]).len(), 1);
        assert_eq!(differences(&all(), 2, &[None, Some("7".to_owned())]).len(), 1);
    }
}
