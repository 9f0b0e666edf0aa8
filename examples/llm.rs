//! A streamed chat with an LLM: it prints the answer token by token.
//!
//! ```sh
//! cargo run --example llm --features json               # a demo with a server of its own
//! export OPENAI_API_KEY=… OPENAI_BASE_URL=https://api.openai.com/v1 OPENAI_MODEL=gpt-4o-mini
//! cargo run --example llm --features json,reqwest/rustls -- Why is the sky blue?
//! ```
//!
//! With a question, it asks a server that speaks OpenAI's protocol. A server on this machine needs
//! no key and no TLS: `OPENAI_BASE_URL=http://localhost:11434/v1`.
//!
//! The request is a POST, so the crate sends it once: a broken answer is not billed twice. The
//! example handles these failures:
//!
//! - The server refuses the request, with the reason as JSON. Nothing was generated, so the request
//!   is repeated after the delay of `Retry-After`.
//! - An event in the middle of the answer reports an error.
//! - The answer ends without `[DONE]`, or its connection breaks, so the answer is incomplete.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use everstream::{EventStreamExt, JsonError, RequestBuilderExt};
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Client;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde::Deserialize;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

#[tokio::main]
async fn main() -> ExitCode {
    let question = env::args().skip(1).collect::<Vec<_>>().join(" ");
    let done = if question.is_empty() {
        match timeout(PATIENCE, demo()).await {
            Ok(done) => done,
            Err(_) => Err("the demo took too long".into()),
        }
    } else {
        let mut chat = Chat::from_env();
        chat.ask(&question).await.map(drop).map_err(|error| error.failure.into())
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("llm: {error}");
            ExitCode::FAILURE
        }
    }
}

// ----------------------------------------------------------------------------------------- The chat

/// The maximum number of requests for one answer, and the maximum delay between two.
const TRIES: usize = 3;
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Maximum bytes read of the body of a refusal.
const BODY_BYTES: usize = 64 * 1024;

struct Chat {
    client: Client,
    base_url: String,
    key: Option<String>,
    model: String,
    /// The number of repeated requests.
    waits: usize,
}

/// The fields of an event that the example needs.
#[derive(Deserialize)]
struct Chunk {
    /// It may be empty in the last event, which reports the usage.
    #[serde(default)]
    choices: Vec<Choice>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Delta,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
}

/// The error of an answer that is missing or incomplete.
struct NoAnswer {
    failure: Failure,
    /// The tokens before the error.
    tokens: Vec<String>,
}

#[derive(Debug)]
enum Failure {
    /// The server refused before it generated anything.
    Refused { status: StatusCode, reason: String, retry_after: Option<Duration> },
    /// The server failed in the middle of the answer.
    Failed(String),
    /// The answer ended without `[DONE]`.
    CutOff,
    /// The connection broke, could not be opened, or sent no event stream.
    Stream(JsonError<everstream::Error>),
}

impl Chat {
    fn from_env() -> Chat {
        let var = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let base_url = var("OPENAI_BASE_URL").unwrap_or("https://api.openai.com/v1".to_owned());
        let model = var("OPENAI_MODEL").unwrap_or("gpt-4o-mini".to_owned());
        Chat { client: Client::new(), base_url, key: var("OPENAI_API_KEY"), model, waits: 0 }
    }

    /// Prints the answer token by token. Repeats a request that the server refused, after the delay
    /// that it asks for.
    async fn ask(&mut self, question: &str) -> Result<Vec<String>, NoAnswer> {
        for _ in 1..TRIES {
            match self.try_to_ask(question).await {
                Err(NoAnswer {
                    failure: failure @ Failure::Refused { retry_after: Some(wait), .. },
                    ..
                }) if wait <= LONGEST_WAIT => {
                    println!("-- {failure}; again in {wait:?}");
                    self.waits += 1;
                    sleep(wait).await;
                }
                done => return done,
            }
        }
        self.try_to_ask(question).await
    }

    async fn try_to_ask(&self, question: &str) -> Result<Vec<String>, NoAnswer> {
        let url = format!("{}/chat/completions", self.base_url.trim_end_matches('/'));
        let body = json!({
            "model": self.model,
            "stream": true,
            "messages": [{ "role": "user", "content": question }],
        });
        let request = self.client.post(url).header(CONTENT_TYPE, "application/json");
        let mut request = request.body(body.to_string());
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }

        let mut chunks = request.into_event_source().terminated_by("[DONE]").json::<Chunk>();
        let mut tokens = Vec::new();
        let ended = loop {
            match chunks.try_next().await {
                Ok(Some(Chunk { error: Some(error), .. })) => {
                    break Err(Failure::Failed(reason(&error)));
                }
                Ok(Some(chunk)) => {
                    for token in chunk.choices.into_iter().filter_map(|choice| choice.delta.content)
                    {
                        print!("{token}");
                        let _ = io::stdout().flush();
                        tokens.push(token);
                    }
                }
                Ok(None) => break Ok(()),
                Err(JsonError::EndedEarly) => break Err(Failure::CutOff),
                Err(error) => break Err(Failure::of(error).await),
            }
        };
        if !tokens.is_empty() {
            println!();
        }
        match ended {
            Ok(()) => Ok(tokens),
            Err(failure) => Err(NoAnswer { failure, tokens }),
        }
    }
}

impl Failure {
    async fn of(error: JsonError<everstream::Error>) -> Failure {
        // Most servers refuse with a status other than 200, some with another content type.
        use everstream::Error::{ContentType, Status};
        let mut response = match error {
            JsonError::Stream(Status(response) | ContentType(response)) => response,
            error => return Failure::Stream(error),
        };
        let status = response.status();
        // A date is possible too, but rare.
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        let mut body = Vec::new();
        while let (true, Ok(Some(chunk))) = (body.len() < BODY_BYTES, response.chunk().await) {
            body.extend_from_slice(&chunk);
        }
        let reason = match serde_json::from_slice::<Value>(&body) {
            Ok(body) => reason(body.get("error").unwrap_or(&body)),
            Err(_) => String::from_utf8_lossy(&body).into_owned(),
        };
        Failure::Refused { status, reason, retry_after: retry_after.map(Duration::from_secs) }
    }
}

/// Returns the message of an error object, or of an error that is a string.
fn reason(error: &Value) -> String {
    match error.get("message").unwrap_or(error) {
        Value::String(message) => message.clone(),
        other => other.to_string(),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused { status, reason, .. } => write!(f, "refused, {status}: {reason:?}"),
            Failure::Failed(reason) => write!(f, "the server failed in mid-answer: {reason:?}"),
            Failure::CutOff => f.write_str("the answer is cut off"),
            Failure::Stream(error) => error.fmt(f),
        }
    }
}

impl Error for Failure {}

// ----------------------------------------------------------------------------------------- The demo

const PATIENCE: Duration = Duration::from_secs(12);
const PACE: Duration = Duration::from_millis(30);

const KEY: &str = "a key that opens nothing";
const ANSWER: [&str; 9] =
    ["", "Because", " blue", " light", " is", " scattered", " the", " most", "."];
/// The number of tokens before the server fails or cuts the answer.
const TOKENS_BEFORE: usize = 4;

const GOOD: &str = "Why is the sky blue?";
const FAILS: &str = "Why is the sky blue? (and the server fails)";
const BREAKS: &str = "Why is the sky blue? (and the connection breaks)";

async fn demo() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let base_url = format!("http://{}/v1", listener.local_addr()?);
    let requests = Arc::new(AtomicUsize::new(0));
    let app = Router::new().route("/v1/chat/completions", post(answer));
    let app = app.with_state(Arc::clone(&requests));
    tokio::spawn(async { axum::serve(listener, app).await });

    // The server is on this machine, so no proxy is used.
    let client = Client::builder().no_proxy().build()?;
    let (key, model) = (Some(KEY.to_owned()), "demo".to_owned());
    let mut chat = Chat { client, base_url, key, model, waits: 0 };

    println!("> {GOOD}");
    let whole = chat.ask(GOOD).await.map_err(|error| error.failure)?;
    let mut parts = Vec::new();
    let mut failures = Vec::new();
    for question in [FAILS, BREAKS] {
        println!("> {question}");
        match chat.ask(question).await {
            Ok(tokens) => return Err(format!("an answer, though there is none: {tokens:?}").into()),
            Err(NoAnswer { failure, tokens }) => {
                println!("-- {failure}");
                parts.push(tokens);
                failures.push(failure);
            }
        }
    }
    println!("> {GOOD} (with a wrong key)");
    chat.key = None;
    match chat.ask(GOOD).await {
        Err(NoAnswer { failure: failure @ Failure::Refused { .. }, .. }) => {
            println!("-- {failure}")
        }
        _ => return Err("the server did not refuse a wrong key".into()),
    }

    let as_expected = matches!(failures[..], [Failure::Failed(_), Failure::CutOff])
        && whole == ANSWER
        && parts.iter().all(|tokens| *tokens == ANSWER[..TOKENS_BEFORE])
        && (chat.waits, requests.load(Ordering::Relaxed)) == (1, 5);
    if !as_expected {
        return Err(format!("got {whole:?}, {parts:?}, {failures:?}").into());
    }
    println!("1 answer whole after a wait, 2 in part, 1 refusal; no request was repeated unasked");
    Ok(())
}

/// Refuses the first request as overloaded, and then answers according to the question.
async fn answer(
    State(requests): State<Arc<AtomicUsize>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let is_first = requests.fetch_add(1, Ordering::Relaxed) == 0;
    if headers.get(AUTHORIZATION).is_none_or(|value| *value != format!("Bearer {KEY}")) {
        return refuse(StatusCode::UNAUTHORIZED, "Incorrect API key provided.");
    }
    if is_first {
        let refusal = refuse(StatusCode::TOO_MANY_REQUESTS, "Rate limit reached.");
        return ([(RETRY_AFTER, "1")], refusal).into_response();
    }
    let request: Value = serde_json::from_str(&body).unwrap_or_default();
    if request["stream"] != true {
        return refuse(StatusCode::BAD_REQUEST, "This server only streams.");
    }
    let content = |token| json!({ "choices": [{ "index": 0, "delta": { "content": token } }] });
    let mut events = vec![": working on it\n\n".to_owned()];
    let tokens = match request["messages"][0]["content"].as_str() {
        Some(GOOD) => &ANSWER[..],
        _ => &ANSWER[..TOKENS_BEFORE],
    };
    events.extend(tokens.iter().map(|token| data(content(token))));
    let body = match request["messages"][0]["content"].as_str() {
        Some(GOOD) => {
            let end = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] });
            let usage = json!({ "choices": [], "usage": { "completion_tokens": tokens.len() } });
            events.extend([data(end), data(usage), data("[DONE]")]);
            // The connection stays open, so the client must stop at the terminator.
            Body::from_stream(paced(events).chain(stream::pending()))
        }
        Some(FAILS) => {
            events.push(data(json!({ "error": { "message": "The server had an error." } })));
            Body::from_stream(paced(events))
        }
        _ => Body::from_stream(paced(events)),
    };
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}

fn refuse(status: StatusCode, message: &str) -> Response {
    let body = json!({ "error": { "message": message } }).to_string();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

fn data(data: impl fmt::Display) -> String {
    everstream::MessageEvent::new("", &data.to_string(), "").to_string()
}

fn paced(events: Vec<String>) -> impl futures_util::Stream<Item = Result<String, Infallible>> {
    stream::iter(events).then(|event| async {
        sleep(PACE).await;
        Ok(event)
    })
}
