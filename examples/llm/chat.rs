//! The client: it asks one question by OpenAI's or Anthropic's protocol.

use everstream::{Error, EventSource, EventStreamExt, JsonError, RequestBuilderExt};
use futures_util::TryStreamExt;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;
use tokio::time::sleep;

/// The maximum number of requests for one question, and the longest delay between two.
const REQUESTS: usize = 3;
const LONGEST_DELAY: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    OpenAi,
    Anthropic,
}

pub(crate) struct Chat {
    pub(crate) client: Client,
    pub(crate) api: Api,
    pub(crate) base_url: String,
    pub(crate) key: Option<String>,
    pub(crate) model: String,
}

impl Chat {
    /// Passes each token of the answer to `on_token`. Returns `Ok` if the answer is complete.
    pub(crate) async fn ask(
        &self,
        question: &str,
        mut on_token: impl FnMut(&str),
    ) -> Result<(), Failure> {
        for _ in 1..REQUESTS {
            match self.ask_once(question, &mut on_token).await {
                Err(Failure::Refused { status, reason, retry_after: Some(delay) })
                    if delay <= LONGEST_DELAY =>
                {
                    eprintln!("-- {status}: {reason}; again in {delay:?}");
                    sleep(delay).await;
                }
                done => return done,
            }
        }
        self.ask_once(question, &mut on_token).await
    }

    async fn ask_once(&self, question: &str, on_token: impl FnMut(&str)) -> Result<(), Failure> {
        let mut body = json!({
            "model": self.model,
            "stream": true,
            "messages": [{ "role": "user", "content": question }],
        });
        let path = match self.api {
            Api::OpenAi => "chat/completions",
            Api::Anthropic => {
                body["max_tokens"] = 1024.into(); // required
                "messages"
            }
        };
        let url = format!("{}/{path}", self.base_url.trim_end_matches('/'));
        let request = self.client.post(url).header(CONTENT_TYPE, "application/json");
        let mut request = request.body(body.to_string());
        if let Some(key) = &self.key {
            request = match self.api {
                Api::OpenAi => request.bearer_auth(key),
                Api::Anthropic => request.header("x-api-key", key),
            };
        }
        match self.api {
            Api::OpenAi => openai(request.into_event_source(), on_token).await,
            Api::Anthropic => {
                let request = request.header("anthropic-version", "2023-06-01");
                anthropic(request.into_event_source(), on_token).await
            }
        }
    }
}

// ------------------------------------------------------------------------------ OpenAI's protocol

/// An event of the answer. An error in the middle of the answer has no choices.
#[derive(Deserialize)]
struct Chunk {
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

async fn openai(events: EventSource, mut on_token: impl FnMut(&str)) -> Result<(), Failure> {
    let mut chunks = events.terminated_by("[DONE]").json::<Chunk>();
    loop {
        match chunks.try_next().await {
            Ok(Some(Chunk { error: Some(error), .. })) => return Err(Failure::in_answer(&error)),
            Ok(Some(chunk)) => {
                let tokens = chunk.choices.into_iter().filter_map(|choice| choice.delta.content);
                tokens.for_each(|token| on_token(&token));
            }
            Ok(None) => return Ok(()),
            Err(error) => return Err(Failure::of(error).await),
        }
    }
}

// --------------------------------------------------------------------------- Anthropic's protocol

/// The data of an event. It repeats the event's type.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum AnthropicEvent {
    ContentBlockDelta {
        delta: TextDelta,
    },
    Error {
        error: Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct TextDelta {
    text: Option<String>,
}

async fn anthropic(events: EventSource, mut on_token: impl FnMut(&str)) -> Result<(), Failure> {
    let events = events.through(|message| message.event() == "message_stop");
    let mut events = events.json::<AnthropicEvent>();
    loop {
        match events.try_next().await {
            Ok(Some(AnthropicEvent::ContentBlockDelta { delta })) => {
                delta.text.iter().for_each(|token| on_token(token));
            }
            Ok(Some(AnthropicEvent::Error { error })) => return Err(Failure::in_answer(&error)),
            Ok(Some(AnthropicEvent::Other)) => {}
            Ok(None) => return Ok(()),
            Err(error) => return Err(Failure::of(error).await),
        }
    }
}

// --------------------------------------------------------------------------------------- Failures

/// The reason why there is no answer, or only a part of it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server refused before it generated anything.
    Refused { status: StatusCode, reason: String, retry_after: Option<Duration> },
    /// The server reported an error in the middle of the answer.
    InAnswer(String),
    /// The answer ended without its last event.
    CutOff,
    /// The connection broke or could not be opened, or an event has the wrong form.
    Stream(JsonError<Error>),
}

impl Failure {
    fn in_answer(error: &Value) -> Failure {
        Failure::InAnswer(reason(error))
    }

    async fn of(error: JsonError<Error>) -> Failure {
        let error = match error {
            JsonError::EndedEarly => return Failure::CutOff,
            JsonError::Stream(error) => error,
            error => return Failure::Stream(error),
        };
        // A refusal has another status than 200, or another content type than an event stream.
        let retry_after = error.retry_after();
        if !matches!(error, Error::Status(_) | Error::ContentType(_)) {
            return Failure::Stream(JsonError::Stream(error));
        }
        let status = error.status().unwrap_or_default();
        let body = match error.into_response() {
            Some(response) => response.text().await.unwrap_or_default(),
            None => String::new(),
        };
        let reason = match serde_json::from_str::<Value>(&body) {
            Ok(body) => reason(body.get("error").unwrap_or(&body)),
            Err(_) => body,
        };
        Failure::Refused { status, reason, retry_after }
    }
}

/// Returns the text of an error object, or of an error that is a mere string.
fn reason(error: &Value) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let message = error.get("message").and_then(text);
    match (error.get("type").and_then(text), message) {
        (Some(kind), Some(message)) => format!("{kind}: {message}"),
        (None, Some(message)) => message,
        _ => text(error).unwrap_or_else(|| error.to_string()),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused { status, reason, .. } => write!(f, "refused, {status}: {reason}"),
            Failure::InAnswer(reason) => write!(f, "the answer is cut off by an error: {reason}"),
            Failure::CutOff => f.write_str("the answer is cut off"),
            Failure::Stream(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}
