//! The client: one session with one server.

use crate::AnyError;
use everstream::{Error, Event, EventSourceBuilder, Fatal, Reconnection};
use futures_util::StreamExt;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use std::fmt;
use std::future::ready;

const REVISION: &str = "2025-11-25";
const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

pub(crate) struct Session {
    client: Client,
    url: String,
    /// The headers of each request: the session ID and, after `initialize`, the revision.
    headers: HeaderMap,
    last_request: u64,
}

/// The answer to one request.
pub(crate) struct Answer {
    pub(crate) result: Value,
    /// The number of messages that came before the result.
    pub(crate) messages: usize,
    /// The number of connections that carried the answer.
    pub(crate) connections: usize,
}

#[derive(Debug)]
enum Failure {
    /// The server no longer knows the session, and did not run the request.
    SessionGone,
    /// The connection was lost, for this reason, before the first event ID, so the answer cannot be
    /// resumed. The server may have run the request.
    NotResumable(String),
    /// The stream ended without an answer.
    NoAnswer,
    /// The server answered with an error object.
    Refused(Value),
    /// The stream ended with an error. `body` holds the server's own words.
    Stream { error: String, body: String },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::SessionGone => f.write_str("the session no longer exists"),
            Failure::NotResumable(reason) => {
                write!(f, "the answer cannot be resumed without an event ID: {reason}")
            }
            Failure::NoAnswer => f.write_str("the stream ended without an answer"),
            Failure::Refused(error) => write!(f, "the server answered with the error {error}"),
            Failure::Stream { error, body } if body.is_empty() => f.write_str(error),
            Failure::Stream { error, body } => write!(f, "{error}: {body}"),
        }
    }
}

impl std::error::Error for Failure {}

impl Session {
    /// Opens a session.
    pub(crate) async fn open(url: &str) -> Result<Session, AnyError> {
        let client = Client::builder().no_proxy().build()?;
        let headers = HeaderMap::new();
        let mut session = Session { client, url: url.to_owned(), headers, last_request: 0 };
        session.initialize().await?;
        Ok(session)
    }

    async fn initialize(&mut self) -> Result<(), AnyError> {
        self.headers.clear();
        let params = json!({
            "protocolVersion": REVISION,
            "capabilities": {},
            "clientInfo": { "name": "everstream-mcp", "version": env!("CARGO_PKG_VERSION") },
        });
        let answer = self.request("initialize", params, |_| {}).await?;
        let revision = answer.result["protocolVersion"].as_str().unwrap_or(REVISION);
        self.headers.insert(PROTOCOL_VERSION, revision.parse()?);
        let body = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        self.post(&body).send().await?.error_for_status()?;
        Ok(())
    }

    fn post(&self, body: &Value) -> RequestBuilder {
        let request = self.client.post(&self.url).headers(self.headers.clone());
        let request = request.header(ACCEPT, "application/json, text/event-stream");
        request.header(CONTENT_TYPE, "application/json").body(body.to_string())
    }

    /// Calls a tool. Opens another session if the server has forgotten this one.
    pub(crate) async fn call_tool(
        &mut self,
        name: &str,
        arguments: Value,
        mut on_message: impl FnMut(&Value),
    ) -> Result<Answer, AnyError> {
        let params = json!({
            "name": name,
            "arguments": arguments,
            "_meta": { "progressToken": 1 },
        });
        match self.request("tools/call", params.clone(), &mut on_message).await {
            Err(Failure::SessionGone) => {
                self.initialize().await?;
                Ok(self.request("tools/call", params, on_message).await?)
            }
            done => Ok(done?),
        }
    }

    /// Deletes the session. A server may refuse that by 405.
    pub(crate) async fn delete(self) -> Result<(), AnyError> {
        if self.headers.contains_key(SESSION_ID) {
            let request = self.client.delete(&self.url).headers(self.headers);
            let response = request.send().await?;
            if response.status() != StatusCode::METHOD_NOT_ALLOWED {
                response.error_for_status()?;
            }
        }
        Ok(())
    }

    /// Sends a request by POST, and resumes its answer by GET for as long as it is not complete.
    async fn request(
        &mut self,
        method: &str,
        params: Value,
        mut on_message: impl FnMut(&Value),
    ) -> Result<Answer, Failure> {
        self.last_request += 1;
        let id = self.last_request;
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let mut post = Some(self.post(&body));
        let get = self.client.get(&self.url).headers(self.headers.clone());
        let builder = EventSourceBuilder::from_request_fn(move |attempt| {
            // A POST could run the tool again, so it is sent once; a GET only resumes.
            let request = match attempt.last_event_id() {
                Some(_) => get.try_clone(),
                None => post.take(),
            };
            ready(request.ok_or_else(|| {
                let reason = attempt.reason().map(ToString::to_string);
                Fatal(Failure::NotResumable(reason.unwrap_or_default())).into()
            }))
        });
        let mut events = builder.reconnect(Reconnection::Always).build();

        let (mut messages, mut connections) = (0, 0);
        while let Some(event) = events.next().await {
            let message = match event {
                Ok(Event::Open(opened)) => {
                    connections += 1;
                    self.keep_session_id(opened.headers());
                    continue;
                }
                // A priming event carries an ID to resume from, and no message.
                Ok(Event::Message(event)) if event.data().is_empty() => continue,
                Ok(Event::Message(event)) => {
                    serde_json::from_str::<Value>(event.data()).map_err(|error| {
                        Failure::Stream { error: error.to_string(), body: event.data().to_owned() }
                    })?
                }
                Ok(_) => continue,
                Err(error) => self.whole_answer(error, connections).await?,
            };
            if message["id"] != id {
                messages += 1;
                on_message(&message);
            } else if let Some(error) = message.get("error") {
                return Err(Failure::Refused(error.clone()));
            } else {
                let result = message["result"].clone();
                return Ok(Answer { result, messages, connections: connections.max(1) });
            }
        }
        Err(Failure::NoAnswer)
    }

    /// Returns the message of an answer that is JSON and no stream.
    async fn whole_answer(&mut self, error: Error, connections: usize) -> Result<Value, Failure> {
        let text = error.to_string();
        let Some(response) = error.into_response() else {
            return Err(Failure::Stream { error: text, body: String::new() });
        };
        let is_known = self.headers.contains_key(SESSION_ID);
        if response.status() == StatusCode::NOT_FOUND && connections == 0 && is_known {
            return Err(Failure::SessionGone);
        }
        let is_ok = response.status() == StatusCode::OK;
        self.keep_session_id(response.headers());
        let body = response.text().await.unwrap_or_default();
        match serde_json::from_str(&body) {
            Ok(message) if is_ok => Ok(message),
            _ => Err(Failure::Stream { error: text, body }),
        }
    }

    fn keep_session_id(&mut self, headers: &HeaderMap<HeaderValue>) {
        if let Some(id) = headers.get(SESSION_ID) {
            self.headers.insert(SESSION_ID, id.clone());
        }
    }
}
