//! The server of the tests that run in browsers.
//!
//! It prints its address and serves until its input ends. The tests' pages have another origin, so
//! it allows every origin, and counts the preflights.
//!
//! | path | answers |
//! |---|---|
//! | `/play/{key}/{script}` | as the [`script`] says |
//! | `/seen/{key}` | what it saw under that key |
//! | `/open/{key}` | opens a gate of the script under that key |
//! | `/streams/{number}` | one of the [`streams`] that everyone must read alike |
//! | `/streams/{number}/about` | its bytes and the types of its events |
//! | `/nobody` | a URL where nobody answers |
//! | `/notes/{topic}/{note}` | all notes on that topic, this one being the last |

#[allow(dead_code, reason = "the tests of the crate use the rest")]
#[path = "../../../support"]
mod support {
    pub(crate) mod model;
    pub(crate) mod streams;
}

mod script;
mod streams;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use script::Script;
use serde::Serialize;
use std::collections::HashMap;
use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, process, thread};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// The requests of a test, which has a key.
#[derive(Debug, Serialize)]
struct Seen {
    requests: Vec<Seek>,
    preflights: usize,
    /// The number of open connections.
    open: usize,
    #[serde(skip)]
    ended: Option<Instant>,
    /// The gates that the test has opened and no script has passed.
    #[serde(skip)]
    gates: Arc<Semaphore>,
}

impl Default for Seen {
    fn default() -> Self {
        let gates = Arc::new(Semaphore::new(0));
        Seen { requests: Vec::new(), preflights: 0, open: 0, ended: None, gates }
    }
}

/// A request for events.
#[derive(Debug, Serialize)]
struct Seek {
    headers: HashMap<String, String>,
    /// The milliseconds since the last connection ended.
    pause: Option<u64>,
}

#[derive(Debug, Clone, Default)]
struct Shared {
    seen: Arc<Mutex<HashMap<String, Seen>>>,
    notes: Arc<Mutex<HashMap<String, Vec<String>>>>,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gates(&self, key: &str) -> Arc<Semaphore> {
        Arc::clone(&self.seen().entry(key.to_owned()).or_default().gates)
    }

    /// Records a request, and returns the number of requests before it.
    fn begin(&self, key: &str, headers: &HeaderMap) -> (usize, Connection) {
        let header = |(name, value): (&header::HeaderName, &HeaderValue)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let mut seen = self.seen();
        let seen = seen.entry(key.to_owned()).or_default();
        let pause = seen.ended.map(|ended| millis(ended.elapsed()));
        seen.requests.push(Seek { headers: headers.iter().map(header).collect(), pause });
        seen.open += 1;
        (seen.requests.len() - 1, Connection { shared: self.clone(), key: key.to_owned() })
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

/// A connection that is open until this is dropped.
struct Connection {
    shared: Shared,
    key: String,
}

impl Connection {
    /// Waits until the test opens a gate.
    async fn gate(&self) {
        let gates = self.shared.gates(&self.key);
        if let Ok(gate) = gates.acquire().await {
            gate.forget();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut seen = self.shared.seen();
        let seen = seen.entry(self.key.clone()).or_default();
        seen.open -= 1;
        seen.ended = Some(Instant::now());
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let shared = Shared::default();
    let router = Router::new()
        .route("/play/{key}/{*script}", get(play))
        .route("/seen/{key}", get(seen))
        .route("/open/{key}", get(open))
        .route("/streams/{number}", get(stream))
        .route("/streams/{number}/about", get(about))
        .route("/notes/{topic}/{note}", get(note))
        .route("/nobody", get(nobody))
        .layer(middleware::from_fn_with_state(shared.clone(), allow_everyone))
        .with_state(shared);
    println!("http://{address}");
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        process::exit(0);
    });
    Ok(axum::serve(listener, router).await?)
}

/// Answers preflights, and lets every origin read every response.
async fn allow_everyone(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let mut response = if request.method() == Method::OPTIONS {
        let mut path = request.uri().path().split('/').skip(1);
        if let (Some("play"), Some(key)) = (path.next(), path.next()) {
            shared.seen().entry(key.to_owned()).or_default().preflights += 1;
        }
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "last-event-id, cache-control, x-test"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "retry-after, date"),
        // No preflight is cached, so each is a request.
        (header::ACCESS_CONTROL_MAX_AGE, "0"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn play(
    State(shared): State<Shared>,
    Path((key, script)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let (number, connection) = shared.begin(&key, &headers);
    match Script::parse(&script, number) {
        Ok(script) => script.play(&headers, connection).await,
        Err(error) => (StatusCode::BAD_REQUEST, error).into_response(),
    }
}

async fn seen(State(shared): State<Shared>, Path(key): Path<String>) -> impl IntoResponse {
    Json(serde_json::to_value(shared.seen().entry(key).or_default()).unwrap_or_default())
}

async fn open(State(shared): State<Shared>, Path(key): Path<String>) -> impl IntoResponse {
    shared.gates(&key).add_permits(1);
    Json(())
}

async fn stream(Path(number): Path<usize>) -> Response {
    streams::serve(number)
}

async fn about(Path(number): Path<usize>) -> impl IntoResponse {
    Json(streams::about(number))
}

/// Returns a URL whose port was just released, so no server answers there.
async fn nobody() -> Result<impl IntoResponse, StatusCode> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let address = listener.and_then(|listener| listener.local_addr());
    let address = address.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(Json(format!("http://{address}/")))
}

async fn note(
    State(shared): State<Shared>,
    Path((topic, note)): Path<(String, String)>,
) -> impl IntoResponse {
    let mut notes = shared.notes.lock().unwrap_or_else(PoisonError::into_inner);
    let notes = notes.entry(topic).or_default();
    notes.push(note);
    Json(notes.clone())
}
