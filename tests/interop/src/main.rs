//! Prints each item of one or more event sources as a line of JSON. `drive.py` starts it and checks
//! the lines.
//!
//! ```sh
//! probe URL [--json] [--post BODY] [--header 'NAME: VALUE'].. [--ca FILE] [--http2]
//!           [--sources N] [--idle-timeout MS] [--open-timeout MS]
//! ```
//!
//! All sources share one `reqwest::Client`. The process ends when every source has ended.

use everstream::{Event, EventSource, RequestBuilderExt};
use futures_util::StreamExt;
use futures_util::future::join_all;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client};
use serde_json::{Value, json};
use std::error::Error;
use std::io::Write;
use std::time::Duration;

type AnyError = Box<dyn Error + Send + Sync>;

#[derive(Default)]
struct Options {
    url: String,
    post: Option<String>,
    headers: HeaderMap,
    ca: Option<String>,
    http2: bool,
    sources: usize,
    idle_timeout: Option<Duration>,
    open_timeout: Option<Duration>,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, AnyError> {
        let mut options = Options { sources: 1, ..Options::default() };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value"));
            match arg.as_str() {
                "--json" => {} // the only format
                "--http2" => options.http2 = true,
                "--post" => options.post = Some(value()?),
                "--ca" => options.ca = Some(value()?),
                "--sources" => options.sources = value()?.parse()?,
                "--idle-timeout" => options.idle_timeout = Some(millis(&value()?)?),
                "--open-timeout" => options.open_timeout = Some(millis(&value()?)?),
                "--header" => {
                    let line = value()?;
                    let (name, value) =
                        line.split_once(':').ok_or("--header takes 'NAME: VALUE'")?;
                    let name: HeaderName = name.trim().parse()?;
                    options.headers.append(name, HeaderValue::from_str(value.trim())?);
                }
                _ if arg.starts_with('-') => return Err(format!("unknown option {arg}").into()),
                _ => options.url = arg,
            }
        }
        if options.url.is_empty() { Err("a URL is missing".into()) } else { Ok(options) }
    }

    fn client(&self) -> Result<Client, AnyError> {
        let mut client = Client::builder().no_proxy();
        if let Some(path) = &self.ca {
            client = client.tls_certs_only([Certificate::from_pem(&std::fs::read(path)?)?]);
        }
        if !self.http2 {
            client = client.http1_only();
        }
        Ok(client.build()?)
    }

    fn source(&self, client: &Client) -> EventSource {
        let request = match &self.post {
            Some(body) => {
                client.post(&self.url).header(CONTENT_TYPE, "application/json").body(body.clone())
            }
            None => client.get(&self.url),
        };
        let request = request.headers(self.headers.clone());
        let mut builder = request.into_event_source_builder().comments(true);
        if let Some(timeout) = self.idle_timeout {
            builder = builder.idle_timeout(timeout);
        }
        if let Some(timeout) = self.open_timeout {
            builder = builder.open_timeout(timeout);
        }
        builder.build()
    }
}

fn millis(text: &str) -> Result<Duration, AnyError> {
    Ok(Duration::from_millis(text.parse()?))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), AnyError> {
    // Fails only if a provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = Options::parse(std::env::args().skip(1))?;
    let client = options.client()?;
    let sources = (0..options.sources).map(|number| run(number, options.source(&client)));
    for result in join_all(sources).await {
        result?;
    }
    Ok(())
}

/// Prints the items of one source until it ends.
async fn run(source: usize, mut events: EventSource) -> Result<(), AnyError> {
    while let Some(item) = events.next().await {
        let item = match item {
            Ok(event) => describe(&event),
            Err(error) => describe_error(error).await,
        };
        print(source, item)?;
    }
    print(source, json!({ "type": "end" }))
}

fn describe(event: &Event) -> Value {
    match event {
        Event::Open(opened) => json!({
            "type": "open",
            "id": opened.last_event_id().map(|id| id.to_string()),
            "reconnect": opened.is_reconnect(),
        }),
        Event::Message(message) => json!({
            "type": "message",
            "id": message.id(),
            "event": message.event(),
            "data": message.data(),
        }),
        Event::Comment(comment) => json!({ "type": "comment", "comment": comment }),
        Event::Reconnecting { reason, delay, attempt, .. } => json!({
            "type": "reconnecting",
            "reason": reason.to_string(),
            "delay_ms": delay.as_millis() as u64,
            "attempt": attempt,
        }),
        other => json!({ "type": "other", "debug": format!("{other:?}") }),
    }
}

async fn describe_error(error: everstream::Error) -> Value {
    let text = error.to_string();
    let status = error.status().map(|status| status.as_u16());
    let body = match error.into_response() {
        Some(response) => response.text().await.ok(),
        None => None,
    };
    json!({ "type": "error", "error": text, "status": status, "body": body })
}

fn print(source: usize, mut item: Value) -> Result<(), AnyError> {
    item["source"] = source.into();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{item}")?;
    Ok(out.flush()?)
}
