//! The demo: a server that speaks both protocols, and answers as the question demands.

use crate::chat::{Api, Chat, Failure};
use crate::print;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use everstream::Encoder;
use futures_util::{StreamExt, stream};
use reqwest::Client;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::sleep;

const PACE: Duration = Duration::from_millis(30);
const KEY: &str = "a key that opens no account";
const ANSWER: [&str; 9] =
    ["", "Because", " blue", " light", " is", " scattered", " the", " most", "."];
/// The number of tokens before the answer ends early.
const TOKENS_BEFORE: usize = 4;

const WHOLE: &str = "Why is the sky blue?";
const FAILS: &str = "Why is the sky blue? (and the server fails)";
const ENDS: &str = "Why is the sky blue? (and the answer ends early)";
const JSON: &str = "Why is the sky blue? (and streaming is off)";

pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let base_url = format!("http://{}/v1", listener.local_addr()?);
    let requests = Arc::new(AtomicUsize::new(0));
    let app = Router::new()
        .route("/v1/chat/completions", post(openai))
        .route("/v1/messages", post(anthropic))
        .with_state(Arc::clone(&requests));
    tokio::spawn(async { axum::serve(listener, app).await });

    let client = Client::builder().no_proxy().build()?;
    let (key, model) = (Some(KEY.to_owned()), "demo".to_owned());
    let mut chat = Chat { client, api: Api::OpenAi, base_url, key, model };
    for api in [Api::OpenAi, Api::Anthropic] {
        chat.api = api;
        println!("{api:?}");
        for question in [WHOLE, FAILS, ENDS, JSON] {
            let (tokens, done) = ask(&chat, question).await;
            let is_expected = match (question, &done) {
                (WHOLE, Ok(())) => tokens == ANSWER,
                (FAILS, Err(Failure::InAnswer(reason))) => {
                    tokens == ANSWER[..TOKENS_BEFORE] && reason == "overloaded_error: Overloaded"
                }
                (ENDS, Err(Failure::CutOff)) => tokens == ANSWER[..TOKENS_BEFORE],
                (JSON, Err(Failure::Refused { status: StatusCode::OK, .. })) => tokens.is_empty(),
                _ => false,
            };
            if !is_expected {
                return Err(format!("{tokens:?}, {done:?}").into());
            }
        }
    }
    chat.key = None;
    let (_, done) = ask(&chat, WHOLE).await;
    match done {
        Err(Failure::Refused { status: StatusCode::UNAUTHORIZED, .. }) => {}
        done => return Err(format!("a wrong key is not refused: {done:?}").into()),
    }
    // Nine questions, and the first one was asked again after a delay.
    match requests.load(Ordering::Relaxed) {
        10 => {}
        requests => return Err(format!("{requests} requests").into()),
    }
    println!(
        "2 answers whole, one after a delay, 4 cut off, 3 refusals; no POST was repeated unasked"
    );
    Ok(())
}

async fn ask(chat: &Chat, question: &str) -> (Vec<String>, Result<(), Failure>) {
    println!("> {question}");
    let mut tokens = Vec::new();
    let done = chat
        .ask(question, |token| {
            print(token);
            tokens.push(token.to_owned());
        })
        .await;
    println!();
    if let Err(failure) = &done {
        println!("-- {failure}");
    }
    (tokens, done)
}

type Requests = State<Arc<AtomicUsize>>;

/// Refuses the first request of all for a second.
async fn openai(State(requests): Requests, headers: HeaderMap, body: String) -> Response {
    if requests.fetch_add(1, Ordering::Relaxed) == 0 {
        let refusal = refuse(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", "Slow down");
        return ([(RETRY_AFTER, "1")], refusal).into_response();
    }
    let key = format!("Bearer {KEY}");
    let is_known = headers.get(AUTHORIZATION).is_some_and(|value| *value == key);
    let delta = |token: &str| json!({ "choices": [{ "delta": { "content": token } }] });
    let stop = json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] }).to_string();
    answer(is_known, &body, |question, tokens| {
        let mut events: Vec<_> =
            tokens.iter().map(|it| event("", &delta(it).to_string())).collect();
        match question {
            WHOLE => events.extend([event("", &stop), event("", "[DONE]")]),
            FAILS => events.push(event("", &error("overloaded_error", "Overloaded").to_string())),
            _ => {}
        }
        events
    })
}

async fn anthropic(State(requests): Requests, headers: HeaderMap, body: String) -> Response {
    requests.fetch_add(1, Ordering::Relaxed);
    let is_known = headers.get("x-api-key").is_some_and(|value| *value == KEY);
    let named = |data: Value| event(data["type"].as_str().unwrap_or_default(), &data.to_string());
    answer(is_known, &body, |question, tokens| {
        let message = json!({ "id": "msg_1", "role": "assistant", "content": [] });
        let block = json!({ "type": "text", "text": "" });
        let mut events = vec![
            named(json!({ "type": "message_start", "message": message })),
            named(json!({ "type": "content_block_start", "index": 0, "content_block": block })),
            named(json!({ "type": "ping" })),
        ];
        events.extend(tokens.iter().map(|token| {
            let delta = json!({ "type": "text_delta", "text": token });
            named(json!({ "type": "content_block_delta", "index": 0, "delta": delta }))
        }));
        match question {
            WHOLE => {
                let usage = json!({ "output_tokens": tokens.len() });
                let delta = json!({ "stop_reason": "end_turn" });
                events.extend([
                    named(json!({ "type": "content_block_stop", "index": 0 })),
                    named(json!({ "type": "message_delta", "delta": delta, "usage": usage })),
                    named(json!({ "type": "message_stop" })),
                ]);
            }
            FAILS => {
                let mut data = error("overloaded_error", "Overloaded");
                data["type"] = "error".into();
                events.push(named(data));
            }
            _ => {}
        }
        events
    })
}

/// Answers with the events that `events` returns for the question and its tokens.
fn answer(is_known: bool, body: &str, events: impl Fn(&str, &[&str]) -> Vec<String>) -> Response {
    if !is_known {
        return refuse(StatusCode::UNAUTHORIZED, "authentication_error", "invalid key");
    }
    let request: Value = serde_json::from_str(body).unwrap_or_default();
    let question = request["messages"][0]["content"].as_str().unwrap_or_default();
    if question == JSON || request["stream"] != true {
        return refuse(StatusCode::OK, "api_error", "streaming is off");
    }
    let is_whole = question == WHOLE;
    let tokens = if is_whole { &ANSWER[..] } else { &ANSWER[..TOKENS_BEFORE] };
    let events = stream::iter(events(question, tokens)).then(async |event| {
        sleep(PACE).await;
        Ok::<_, Infallible>(event)
    });
    // After a whole answer the connection stays open: the client must not wait for its end.
    let body = match is_whole {
        true => Body::from_stream(events.chain(stream::pending())),
        false => Body::from_stream(events),
    };
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}

fn refuse(status: StatusCode, kind: &str, message: &str) -> Response {
    let body = error(kind, message).to_string();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

fn error(kind: &str, message: &str) -> Value {
    json!({ "error": { "type": kind, "message": message } })
}

fn event(event: &str, data: &str) -> String {
    let mut block = Encoder::new(String::new());
    // Only a line break in the type is an error, and the types are constants.
    let _ = block.event(event).data(data);
    block.into_inner()
}
