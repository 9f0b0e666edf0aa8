//! The demo: a server that forgets the first session and ends each stream after three messages.

use crate::AnyError;
use crate::client::Session;
use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use everstream::Encoder;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;

const STEPS: usize = 10;
const STEPS_PER_STREAM: usize = 3;

/// The requests that the server received.
#[derive(Default)]
struct Seen {
    sessions: usize,
    calls: usize,
    resumed_from: Vec<usize>,
    deleted: Vec<String>,
    /// The JSON-RPC ID of the call.
    request: Value,
}

type Shared = Arc<Mutex<Seen>>;

pub(crate) async fn run() -> Result<(), AnyError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}/mcp", listener.local_addr()?);
    let seen = Shared::default();
    let route = post(answer_post).get(answer_get).delete(answer_delete);
    let app = Router::new().route("/mcp", route).with_state(Arc::clone(&seen));
    tokio::spawn(async { axum::serve(listener, app).await });

    let mut session = Session::open(&url).await?;
    let mut steps = Vec::new();
    let answer = session
        .call_tool("count", json!({ "steps": STEPS }), |message| {
            println!("{message}");
            steps.push(message["params"]["progress"].as_u64().unwrap_or_default() as usize);
        })
        .await?;
    session.delete().await?;

    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let is_exact = steps.iter().copied().eq(1..=STEPS) && answer.result["counted"] == STEPS;
    let is_expected = (seen.sessions, seen.calls) == (2, 1)
        && seen.resumed_from == [3, 6, 9]
        && seen.deleted == ["session-2"];
    if !is_exact || !is_expected {
        let (sessions, calls) = (seen.sessions, seen.calls);
        return Err(format!("{steps:?}, {sessions} sessions, {calls} calls").into());
    }
    let connections = answer.connections;
    println!("{STEPS} messages and the result, {connections} connections, 2 sessions, 1 call");
    Ok(())
}

async fn answer_post(State(shared): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
    match body["method"].as_str() {
        Some("initialize") => {
            seen.sessions += 1;
            let id = format!("session-{}", seen.sessions);
            let result = json!({
                "protocolVersion": "2025-11-25",
                "capabilities": { "tools": {} },
                "serverInfo": { "name": "demo", "version": "1" },
            });
            let answer = json!({ "jsonrpc": "2.0", "id": body["id"], "result": result });
            let headers = [("mcp-session-id", id), ("content-type", "application/json".to_owned())];
            (headers, answer.to_string()).into_response()
        }
        Some("tools/call") if !is_session(&headers, "session-2") => {
            StatusCode::NOT_FOUND.into_response()
        }
        Some("tools/call") => {
            seen.calls += 1;
            seen.request = body["id"].clone();
            steps_after(0, &seen.request)
        }
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

async fn answer_get(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let id = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let Some(id) = id else { return StatusCode::METHOD_NOT_ALLOWED.into_response() };
    let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
    seen.resumed_from.push(id);
    steps_after(id, &seen.request)
}

async fn answer_delete(State(shared): State<Shared>, headers: HeaderMap) -> StatusCode {
    let id = headers.get("mcp-session-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    shared.lock().unwrap_or_else(PoisonError::into_inner).deleted.push(id.to_owned());
    StatusCode::NO_CONTENT
}

fn is_session(headers: &HeaderMap, id: &str) -> bool {
    headers.get("mcp-session-id").is_some_and(|found| found == id)
}

/// Returns a stream with a priming event, the next steps and, after the last one, the result.
fn steps_after(id: usize, request: &Value) -> Response {
    let mut body = format!("retry: 50\nid: {id}\ndata:\n\n");
    for step in (id + 1..=STEPS).take(STEPS_PER_STREAM) {
        let params = json!({ "progressToken": 1, "progress": step, "total": STEPS });
        let message =
            json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params });
        body += &encode(step, &message);
        if step == STEPS {
            let result = json!({ "counted": STEPS });
            let message = json!({ "jsonrpc": "2.0", "id": request, "result": result });
            body += &encode(step + 1, &message);
        }
    }
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}

fn encode(id: usize, message: &Value) -> String {
    let mut event = Encoder::new(String::new());
    // An `Encoder` refuses only line breaks in the ID, and a number has none.
    let _ = event.id(&id.to_string()).data(&message.to_string());
    event.into_inner()
}
