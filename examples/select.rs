//! The event loop of a service, with `tokio::select!`: events, a periodic report, and the signal to
//! shut down. Another thread has a [`Handle`], by which it reconnects or closes the stream.
//!
//! ```sh
//! cargo run --example select                       # a demo with a server of its own
//! cargo run --example select -- http://localhost:8080/events
//! ```
//!
//! With a URL it reads orders from standard input, one per line: `reconnect`, `close`, `state`.
//!
//! `select!` cancels `next()` each time that another branch wins. The demo checks that this loses
//! no event.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use everstream::{Encoder, Event, EventSource, Handle, RequestBuilderExt};
use futures_util::{StreamExt, stream};
use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, pending};
use std::net::Ipv4Addr;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{interval, sleep, timeout};

#[tokio::main]
async fn main() -> ExitCode {
    let done = match std::env::args().nth(1) {
        Some(url) => follow(&url).await,
        None => match timeout(PATIENCE, demo()).await {
            Ok(done) => done,
            Err(_) => Err("the demo took too long".into()),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("select: {error}");
            ExitCode::FAILURE
        }
    }
}

// -------------------------------------------------------------------------------------- The service

/// The counts of the service, over all of its connections.
#[derive(Default)]
struct Done {
    received: Vec<String>,
    connections: usize,
    reports: usize,
}

/// The reason for an end without an error.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The stream was closed by its handle, or the server ended it with 204.
    Closed,
    Shutdown,
}

/// Processes events until the stream ends or the shutdown signal arrives.
async fn serve(
    events: &mut EventSource,
    report_every: Duration,
    shutdown: impl Future<Output = ()>,
    done: &mut Done,
) -> Result<End, everstream::Error> {
    let mut shutdown = pin!(shutdown);
    let mut report = interval(report_every);
    loop {
        tokio::select! {
            event = events.next() => match event.transpose()? {
                Some(Event::Open(opened)) => {
                    done.connections += 1;
                    match opened.last_event_id() {
                        Some(id) => println!("-- connected, resuming after {id:?}"),
                        None => println!("-- connected"),
                    }
                }
                Some(Event::Message(message)) => {
                    println!("{:>2} {:?}", message.id(), message.data());
                    done.received.push(message.into_data());
                }
                Some(Event::Reconnecting { reason, delay, .. }) => {
                    println!("-- {reason}; again in {delay:?}");
                }
                Some(_) => {}
                None => return Ok(End::Closed),
            },
            _ = report.tick() => {
                done.reports += 1;
                println!("-- {:?}, {} events so far", events.ready_state(), done.received.len());
            }
            () = &mut shutdown => return Ok(End::Shutdown),
        }
    }
}

async fn follow(url: &str) -> Result<(), Box<dyn Error>> {
    let mut events = reqwest::Client::new().get(url).into_event_source();
    take_orders(events.handle());
    let mut done = Done::default();
    let end = serve(&mut events, Duration::from_secs(10), signal(), &mut done).await?;
    let (received, connections) = (done.received.len(), done.connections);
    println!("{end:?}: {received} events, {connections} connections");
    Ok(())
}

/// Waits for the signal that stops a service: SIGTERM, or Ctrl-C in a terminal.
async fn signal() {
    let terminate = async {
        #[cfg(unix)]
        if let Ok(mut signal) =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        {
            signal.recv().await;
            return;
        }
        pending().await
    };
    tokio::select! {
        () = terminate => {}
        Ok(()) = tokio::signal::ctrl_c() => {}
    }
}

/// Starts a thread that reads orders. It may block, because a handle works from any thread.
fn take_orders(handle: Handle) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            match line.trim() {
                "reconnect" => handle.reconnect_now(),
                "close" => handle.close(),
                "state" => println!("-- {:?} {:?}", handle.ready_state(), handle.last_event_id()),
                _ => println!("-- orders are `reconnect`, `close` and `state`"),
            }
        }
    });
}

// ----------------------------------------------------------------------------------------- The demo

const PATIENCE: Duration = Duration::from_secs(60);
const PACE: Duration = Duration::from_millis(20);
/// The number of events per connection of the demo. The connection then stays open without events.
const EVENTS_PER_CONNECTION: usize = 10;

/// The `Last-Event-ID` of each request.
type Asked = Arc<Mutex<Vec<String>>>;

async fn demo() -> Result<(), Box<dyn Error>> {
    let asked = Asked::default();
    let url = start_server(Arc::clone(&asked)).await?;
    // The server is on this machine, so no proxy is used.
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut events = client.get(url).into_event_source();
    let mut done = Done::default();

    // A task forces a new connection, and later closes the stream.
    let handle = events.handle();
    tokio::spawn(async move {
        arrival(&handle, "10").await;
        println!("-- from another task: reconnect");
        handle.reconnect_now();
        arrival(&handle, "20").await;
        println!("-- from another task: close");
        handle.close();
    });
    let ends_first = serve(&mut events, 5 * PACE, pending(), &mut done).await?;
    println!("-- closed");

    // The same stream resumes where it was closed. This time a signal ends it.
    let handle = events.handle();
    let (send_signal, signal) = oneshot::channel();
    tokio::spawn(async move {
        arrival(&handle, "30").await;
        println!("-- the signal to shut down");
        let _ = send_signal.send(());
    });
    events.force_reconnect();
    let shutdown = async { drop(signal.await) };
    let ends_then = serve(&mut events, 5 * PACE, shutdown, &mut done).await?;

    let ends = [ends_first, ends_then];
    let asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
    let sent: Vec<_> = (1..=3 * EVENTS_PER_CONNECTION).map(data).collect();
    if done.received != sent || *asked != ["", "10", "20"] || ends != [End::Closed, End::Shutdown] {
        return Err(format!("got {:?}, after {asked:?}, and {ends:?}", done.received).into());
    }
    if done.connections != 3 || done.reports < 2 {
        return Err(format!("{} connections, {} reports", done.connections, done.reports).into());
    }
    println!("30 events in order, 3 connections; ended by a handle, then by a signal");
    Ok(())
}

/// Waits until the service has received the event with this ID.
async fn arrival(handle: &Handle, id: &str) {
    while handle.last_event_id().as_deref() != Some(id) {
        sleep(PACE).await;
    }
}

fn data(number: usize) -> String {
    format!("event {number}")
}

async fn start_server(asked: Asked) -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}/events", listener.local_addr()?);
    let app = Router::new().route("/events", get(answer)).with_state(asked);
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(url)
}

/// Sends some events after the last event ID, and stays open.
async fn answer(State(asked): State<Asked>, headers: HeaderMap) -> impl IntoResponse {
    let id = headers.get("last-event-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(id.to_owned());
    let sent: usize = id.parse().unwrap_or(0);
    let events = stream::iter(sent + 1..=sent + EVENTS_PER_CONNECTION).then(|number| async move {
        sleep(PACE).await;
        let mut event = Encoder::new(String::new());
        let _ = event.id(&number.to_string()).data(&data(number));
        Ok::<_, Infallible>(event.into_inner())
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(events.chain(stream::pending())))
}
