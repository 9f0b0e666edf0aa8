//! The interface to the server: its scripts and its records.

use everstream::{Backoff, Event, EventSource, EventSourceBuilder, RequestBuilderExt};
use everstream::{Timer, WebTimer};
use futures_util::StreamExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::time::Duration;

/// The address of the server, which was started before this was compiled.
const ADDRESS: &str = env!("EVERSTREAM_TEST_SERVER");

pub(crate) fn url(path: &str) -> String {
    format!("{ADDRESS}{path}")
}

pub(crate) async fn json<T: DeserializeOwned>(path: &str) -> T {
    let response = reqwest::get(url(path)).await.expect("the server is there");
    let text = response.text().await.expect("it answers");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
}

pub(crate) async fn sleep(millis: u64) {
    WebTimer.sleep(Duration::from_millis(millis)).await;
}

/// The script of the server for one test.
pub(crate) struct Play {
    key: String,
    script: String,
}

/// The server's records of a test.
#[derive(Debug, Deserialize)]
pub(crate) struct Seen {
    pub(crate) requests: Vec<Seek>,
    pub(crate) preflights: usize,
    /// The number of open connections.
    pub(crate) open: usize,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Seek {
    pub(crate) headers: HashMap<String, String>,
    /// The milliseconds since the last connection ended.
    pub(crate) pause: Option<u64>,
}

impl Seen {
    /// Returns the `Last-Event-ID` of each request.
    pub(crate) fn ids(&self) -> Vec<Option<&str>> {
        let ids = self.requests.iter().map(|seek| seek.headers.get("last-event-id"));
        ids.map(|id| id.map(String::as_str)).collect()
    }
}

impl Play {
    /// Creates a play with one script per connection, between slashes. The server documents the
    /// steps.
    pub(crate) fn new(script: &str) -> Self {
        let key = (js_sys::Math::random() * 9e15) as u64;
        Play { key: format!("{key:x}"), script: script.to_owned() }
    }

    pub(crate) fn url(&self) -> String {
        url(&format!("/play/{}/{}", self.key, self.script))
    }

    pub(crate) fn request(&self) -> reqwest::RequestBuilder {
        reqwest::Client::new().get(self.url())
    }

    /// Returns a builder of an event source with short delays.
    pub(crate) fn builder(&self) -> EventSourceBuilder {
        let prompt = Backoff::new().with_initial_delay(Duration::from_millis(20));
        self.request()
            .into_event_source_builder()
            .retry_policy(prompt.with_min_delay(Duration::ZERO))
    }

    pub(crate) fn events(&self) -> EventSource {
        self.builder().build()
    }

    pub(crate) async fn seen(&self) -> Seen {
        json(&format!("/seen/{}", self.key)).await
    }

    /// Opens a gate of the script.
    pub(crate) async fn open_gate(&self) {
        json::<()>(&format!("/open/{}", self.key)).await;
    }

    /// Waits until the server's records satisfy `is_so`, for at most a minute.
    pub(crate) async fn sees(&self, what: &str, is_so: impl Fn(&Seen) -> bool) -> Seen {
        for _ in 0..3000 {
            let seen = self.seen().await;
            if is_so(&seen) {
                return seen;
            }
            sleep(20).await;
        }
        panic!("not {what} within a minute: {:?}", self.seen().await);
    }
}

/// Returns the next item, which must not be an error.
pub(crate) async fn next(events: &mut EventSource) -> Event {
    events.next().await.expect("the stream has not ended").expect("nothing went wrong")
}

/// Returns the data of the next message.
pub(crate) async fn message(events: &mut EventSource) -> String {
    loop {
        if let Event::Message(message) = next(events).await {
            return message.data().to_owned();
        }
    }
}
