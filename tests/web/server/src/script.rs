//! The script of a connection, in the path of its URL.
//!
//! `/play/key/retry:100,events:3,break/events:2,hang`: each segment after the key is the script of
//! a connection, and the last one is for all later connections. A script is a list of steps.
//!
//! | step | does |
//! |---|---|
//! | `silent` | never answers |
//! | `status:503`, `type:text|html`, `header:name=value` | shapes the response (`\|` is a slash, `;` a comma) |
//! | `text:hello` | sends this text as it is |
//! | `retry:100` | sends such a field |
//! | `events:3` | sends three events, `event N` with the ID N, after the `Last-Event-ID` |
//! | `comment` | sends one |
//! | `wait:50` | waits, in milliseconds |
//! | `gate` | waits for a request to `/open/{key}`; each opens one gate |
//! | `break` | breaks the connection |
//! | `hang` | sends nothing more, and stays |
//!
//! Without one of the last two the response ends.

use crate::Connection;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderMap};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::time::Duration;
use tokio::time::sleep;

#[derive(Debug)]
pub(crate) struct Script(VecDeque<Step>);

#[derive(Debug)]
enum Step {
    Silent,
    Status(u16),
    Header(String, String),
    Text(String),
    Events(usize),
    Wait(u64),
    Gate,
    Break,
    Hang,
}

impl Script {
    /// Parses the script of the connection with this number, counted from 0.
    pub(crate) fn parse(scripts: &str, number: usize) -> Result<Self, String> {
        let script = scripts.split('/').take(number + 1).last().unwrap_or_default();
        Ok(Script(script.split(',').map(Step::parse).collect::<Result<_, _>>()?))
    }

    pub(crate) async fn play(mut self, headers: &HeaderMap, connection: Connection) -> Response {
        let mut response = Response::builder();
        let mut content_type = "text/event-stream".to_owned();
        loop {
            match self.0.front() {
                Some(Step::Silent) => pending().await,
                Some(Step::Status(status)) => response = response.status(*status),
                Some(Step::Header(name, value)) if name == "content-type" => {
                    content_type.clone_from(value);
                }
                Some(Step::Header(name, value)) => response = response.header(name, value),
                _ => break,
            }
            self.0.pop_front();
        }
        let id = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
        let state = (self.0, id.unwrap_or(0), connection);
        let body = stream::unfold(state, async |(mut steps, mut id, connection)| {
            loop {
                let sent = match steps.pop_front()? {
                    Step::Text(text) => Ok(Bytes::from(text)),
                    Step::Events(count) => {
                        let ids = id + 1..=id + count;
                        id += count;
                        Ok(ids
                            .map(|id| format!("id: {id}\ndata: event {id}\n\n"))
                            .collect::<String>()
                            .into())
                    }
                    Step::Wait(millis) => {
                        sleep(Duration::from_millis(millis)).await;
                        continue;
                    }
                    Step::Gate => {
                        connection.gate().await;
                        continue;
                    }
                    Step::Break => {
                        // The bytes sent before should arrive first. A browser that is busy may drop
                        // them, so a test that depends on them uses a gate.
                        sleep(Duration::from_millis(20)).await;
                        Err(io::Error::other("the script says so"))
                    }
                    Step::Hang => pending().await,
                    Step::Silent | Step::Status(_) | Step::Header(..) => {
                        Err(io::Error::other("too late for this step"))
                    }
                };
                return Some((sent, (steps, id, connection)));
            }
        });
        response
            .header(CONTENT_TYPE, content_type)
            .body(Body::from_stream(body))
            .unwrap_or_else(|error| Response::new(Body::from(error.to_string())))
    }
}

impl Step {
    fn parse(step: &str) -> Result<Self, String> {
        let (name, value) = step.split_once(':').unwrap_or((step, ""));
        let wrong = || format!("no such step: {step:?}");
        Ok(match name {
            "silent" => Step::Silent,
            "status" => Step::Status(value.parse().map_err(|_| wrong())?),
            "type" => Step::Header("content-type".to_owned(), value.replace('|', "/")),
            "header" => {
                let (name, value) = value.split_once('=').ok_or_else(wrong)?;
                Step::Header(name.to_owned(), value.replace(';', ","))
            }
            "text" => Step::Text(value.to_owned()),
            "retry" => Step::Text(format!("retry: {value}\n")),
            "events" => Step::Events(value.parse().map_err(|_| wrong())?),
            "comment" => Step::Text(":\n".to_owned()),
            "wait" => Step::Wait(value.parse().map_err(|_| wrong())?),
            "gate" => Step::Gate,
            "break" => Step::Break,
            "hang" => Step::Hang,
            _ => return Err(wrong()),
        })
    }
}
