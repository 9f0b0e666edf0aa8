//! Tails a URL.

use crate::Failure;
use crate::args::Options;
use crate::output::{Format, Output, Status, one_line};
use everstream::{Error, Event, EventSource, Handle, RequestBuilderExt, Response};
use futures_util::{StreamExt, poll};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder, Url};
use std::io::IsTerminal;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The maximum bytes and the maximum time to read the body of a refusal, and the maximum of it to
/// print.
const BODY_BYTES: usize = 4096;
const BODY_TIME: Duration = Duration::from_secs(2);
const BODY_CHARS: usize = 200;

/// The counts of what was received.
#[derive(Default)]
struct Received {
    events: u64,
    connections: u64,
}

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let format = if options.json { Format::Json } else { Format::Text };
    let mut output = Output::new(format, Status::ToStderr);
    let mut received = Received::default();
    let mut events = event_source(&options)?;
    let interrupted = close_on_ctrl_c(events.handle()).await;

    let end = loop {
        let event = match events.next().await {
            Some(Ok(event)) => event,
            Some(Err(error)) => break Some(explain(error).await),
            None => break None,
        };
        match &event {
            Event::Open(_) => received.connections += 1,
            Event::Message(_) => received.events += 1,
            _ => {}
        }
        output.show(&event)?;
    };

    let summary = received.summary(&events);
    match end {
        Some(reason) => {
            if received.connections > 0 {
                output.tell(&format!("failed: {summary}"))?;
            }
            return Err(Failure::Because(format!("{}: {reason}", without_secrets(&options.url))));
        }
        None if interrupted.load(Ordering::Relaxed) => {
            // The terminal has printed `^C` without a line break.
            let fresh_line = if std::io::stderr().is_terminal() { "\n" } else { "" };
            output.tell(&format!("{fresh_line}closed by Ctrl-C: {summary}"))?;
        }
        None => output.tell(&format!("ended by the server: {summary}"))?,
    }
    Ok(())
}

fn event_source(options: &Options) -> Result<EventSource, Failure> {
    let client = Client::builder()
        .user_agent(concat!("everstream-tail/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .build()
        .map_err(|error| Failure::Because(format!("no HTTP client: {error}")))?;
    let request = match &options.post {
        Some(body) => post(&client, &options.url, body),
        None => client.get(options.url.clone()),
    };
    // The user's headers replace the content type of the line above.
    let request = request.headers(options.headers.clone());

    // A user who has just typed a URL wants to know at once that it cannot be reached.
    let builder = request.into_event_source_builder().fail_fast(true);
    let mut builder = builder.comments(options.comments);
    if let Some(id) = &options.last_event_id {
        builder = builder.last_event_id(id);
    }
    Ok(builder.build())
}

fn post(client: &Client, url: &Url, body: &str) -> RequestBuilder {
    let is_json = serde_json::from_str::<serde_json::Value>(body).is_ok();
    let content_type = if is_json { "application/json" } else { "text/plain; charset=utf-8" };
    client.post(url.clone()).header(CONTENT_TYPE, content_type).body(body.to_owned())
}

/// Closes the stream on Ctrl-C. A second Ctrl-C ends the process, in case its output blocks.
async fn close_on_ctrl_c(handle: Handle) -> Arc<AtomicBool> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&interrupted);
    let mut first = Box::pin(tokio::signal::ctrl_c());
    let _ = poll!(&mut first); // listens from here on
    tokio::spawn(async move {
        if first.await.is_err() {
            return;
        }
        told.store(true, Ordering::Relaxed);
        handle.close();
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    });
    interrupted
}

impl Received {
    fn summary(&self, events: &EventSource) -> String {
        let id = match events.last_event_id() {
            Some(id) => format!("last id {}", one_line(id, BODY_CHARS)),
            None => "no id".to_owned(),
        };
        let (events, connections) = (self.events, self.connections);
        let s = |n| if n == 1 { "" } else { "s" };
        format!("{events} event{}, {connections} connection{}, {id}", s(events), s(connections))
    }
}

/// Describes an error, with the text that the server sent.
async fn explain(error: Error) -> String {
    let what = error.to_string();
    let Some(response) = error.into_response() else { return what };
    match one_line(&beginning(response).await, BODY_CHARS) {
        words if words.is_empty() => what,
        words => format!("{what}; it says: {words}"),
    }
}

/// Returns the first bytes of a body, which may never end.
async fn beginning(mut response: Response) -> String {
    let mut body = Vec::new();
    let read = async {
        while body.len() < BODY_BYTES {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) | Err(_) => break,
            }
        }
    };
    let _ = tokio::time::timeout(BODY_TIME, pin!(read)).await;
    body.truncate(BODY_BYTES);
    String::from_utf8_lossy(&body).into_owned()
}

fn without_secrets(url: &Url) -> Url {
    let mut url = url.clone();
    if url.password().is_some() {
        let _ = url.set_password(Some("***"));
    }
    url
}
