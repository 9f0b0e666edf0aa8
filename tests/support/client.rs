//! Helpers for the tests of `EventSource`: requests on the loopback, fast policies, and one
//! function for each kind of item.
//!
//! It is used with the test server:
//!
//! ```ignore
//! use crate::support::client::*;
//! use crate::support::server::{Reply, Server};
//!
//! let server = Server::scripted([Reply::events("data: a\n\n")]); // and then a 204
//! let mut events = get(server.url()).into_event_source_builder().retry_policy(quick()).build();
//! assert!(!opened(&mut events).await.is_reconnect());
//! assert_eq!(data(&mut events).await, "a");
//! assert_eq!(reconnecting(&mut events).await.cause, "the server ended the stream");
//! ended(&mut events).await;
//! ```
//!
//! Each function that waits panics after a minute, with the line of the test.

use std::fmt::Debug;
use std::future::Future;
use std::panic::Location;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use everstream::{
    Backoff, DefaultTimer, Disconnect, Error, Event, EventSource, Jitter, ManualTimer,
    MessageEvent, Opened, ReadyState, RequestBuilderExt, Timer,
};
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FusedStream;
use reqwest::{Client, IntoUrl, Method, RequestBuilder};

use super::server::{PATIENCE, Server};

pub type Item = Option<Result<Event, Error>>;

// ---------------------------------------------------------------------------------------- Requests

/// Creates a client that ignores the proxies of the environment.
pub fn http() -> Client {
    Client::builder().no_proxy().build().expect("a client without TLS")
}

pub fn get(url: impl IntoUrl) -> RequestBuilder {
    http().get(url)
}

pub fn post(url: impl IntoUrl) -> RequestBuilder {
    http().post(url)
}

pub fn request(method: &str, url: impl IntoUrl) -> RequestBuilder {
    http().request(Method::from_bytes(method.as_bytes()).expect("a method"), url)
}

// ---------------------------------------------------------------------------------------- Policies

/// Returns a policy with this constant delay.
pub fn steady(delay: Duration) -> Backoff {
    doubling(delay).with_factor(1)
}

/// Returns a policy with a delay of a millisecond, for tests in real time.
pub fn quick() -> Backoff {
    steady(Duration::from_millis(1))
}

/// Returns a policy without jitter whose delays start with this one and double. The rest is the
/// default.
pub fn doubling(base: Duration) -> Backoff {
    Backoff::new()
        .with_initial_delay(base)
        .with_min_delay(Duration::ZERO)
        .with_jitter(Jitter::none())
}

/// Creates a stream that reconnects after a millisecond.
pub fn quickly(request: RequestBuilder) -> EventSource {
    request.into_event_source_builder().retry_policy(quick()).build()
}

// ------------------------------------------------------------------------------------ What is next

/// Waits for a future, for at most a minute.
#[track_caller]
pub fn within<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let at = Location::caller();
    async move {
        let output = in_time(future).await;
        output.unwrap_or_else(|| panic!("{at}: nothing came within {PATIENCE:?}"))
    }
}

/// Returns the output of a future, or `None` after a minute on the clock of the current runtime.
async fn in_time<F: Future>(future: F) -> Option<F::Output> {
    match select(pin!(future), DefaultTimer.sleep(PATIENCE)).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

/// Returns the next item.
#[track_caller]
pub fn next(events: &mut EventSource) -> impl Future<Output = Item> {
    within(events.next())
}

/// Polls the stream once.
pub fn poll(events: &mut EventSource) -> Poll<Item> {
    events.poll_next_unpin(&mut Context::from_waker(Waker::noop()))
}

/// Asserts that the next item is an open connection.
#[track_caller]
pub fn opened(events: &mut EventSource) -> impl Future<Output = Opened> {
    expect(events, "an open connection", |item| match item {
        Some(Ok(Event::Open(opened))) => Ok(opened),
        other => Err(Box::new(other)),
    })
}

/// Asserts that the next item is an event.
#[track_caller]
pub fn message(events: &mut EventSource) -> impl Future<Output = MessageEvent> {
    expect(events, "an event", |item| match item {
        Some(Ok(Event::Message(message))) => Ok(message),
        other => Err(Box::new(other)),
    })
}

/// Asserts that the next item is an event, and returns its data.
#[track_caller]
pub fn data(events: &mut EventSource) -> impl Future<Output = String> {
    let message = message(events);
    async { message.await.data().to_owned() }
}

/// A lost connection that another attempt follows.
#[derive(Debug, Clone)]
pub struct Reconnecting {
    /// The text of the reason.
    pub cause: String,
    pub why: Disconnect,
    pub delay: Duration,
    pub attempt: u32,
}

/// Asserts that the next item is a lost connection that another attempt follows.
#[track_caller]
pub fn reconnecting(events: &mut EventSource) -> impl Future<Output = Reconnecting> {
    expect(events, "a reconnection", |item| match item {
        Some(Ok(Event::Reconnecting { reason: cause, delay, attempt, .. })) => {
            Ok(Reconnecting { cause: cause.to_string(), why: cause, delay, attempt })
        }
        other => Err(Box::new(other)),
    })
}

/// Asserts that the next item is an error and the last one.
#[track_caller]
pub fn failed(events: &mut EventSource) -> impl Future<Output = Error> {
    let at = Location::caller();
    async move {
        let error = expect_at(at, events, "an error", |item| match item {
            Some(Err(error)) => Ok(error),
            other => Err(Box::new(other)),
        });
        let error = error.await;
        assert_over_at(at, events);
        error
    }
}

/// Asserts that the stream ends without an error.
#[track_caller]
pub fn ended(events: &mut EventSource) -> impl Future<Output = ()> {
    let at = Location::caller();
    async move {
        let end = expect_at(at, events, "the end", |item| match item {
            None => Ok(()),
            other => Err(Box::new(other)),
        });
        end.await;
        assert_over_at(at, events);
    }
}

/// Returns the next `n` events, over any number of connections.
#[track_caller]
pub fn messages(events: &mut EventSource, n: usize) -> impl Future<Output = Vec<MessageEvent>> {
    let at = Location::caller();
    async move {
        let mut messages = Vec::new();
        while messages.len() < n {
            let next = expect_at(at, events, "an event, sooner or later", |item| match item {
                Some(Ok(Event::Message(message))) => Ok(Some(message)),
                Some(Ok(Event::Open(_) | Event::Reconnecting { .. })) => Ok(None),
                other => Err(Box::new(other)),
            });
            messages.extend(next.await);
        }
        messages
    }
}

/// Returns all items until the end as text: `open`, `reopen`, `message: a`, `comment: hi`,
/// `discarded`, `reconnecting: why`, `error: why`.
#[track_caller]
pub fn story(events: &mut EventSource) -> impl Future<Output = Vec<String>> {
    within(events.map(|item| tell(&item)).collect())
}

fn tell(item: &Result<Event, Error>) -> String {
    match item {
        Ok(Event::Open(opened)) if opened.is_reconnect() => "reopen".into(),
        Ok(Event::Open(_)) => "open".into(),
        Ok(Event::Message(message)) => format!("message: {}", message.data()),
        Ok(Event::Comment(text)) => format!("comment: {text}"),
        Ok(Event::Discarded(_)) => "discarded".into(),
        Ok(Event::Reconnecting { reason: cause, .. }) => format!("reconnecting: {cause}"),
        Ok(other) => format!("{other:?}"),
        Err(error) => format!("error: {error}"),
    }
}

#[track_caller]
fn expect<T>(
    events: &mut EventSource,
    wanted: &'static str,
    take: impl FnOnce(Item) -> Result<T, Box<Item>>,
) -> impl Future<Output = T> {
    expect_at(Location::caller(), events, wanted, take)
}

async fn expect_at<T>(
    at: &'static Location<'static>,
    events: &mut EventSource,
    wanted: &'static str,
    take: impl FnOnce(Item) -> Result<T, Box<Item>>,
) -> T {
    let Some(item) = in_time(events.next()).await else {
        panic!("{at}: waited {PATIENCE:?} for {wanted}; the stream is {events:?}");
    };
    take(item).unwrap_or_else(|item| panic!("{at}: wanted {wanted}, got {item:?}"))
}

// -------------------------------------------------------------------------------- What must not be

/// Asserts that the stream is over, at every poll.
#[track_caller]
pub fn assert_over(events: &mut EventSource) {
    assert_over_at(Location::caller(), events);
}

fn assert_over_at(at: &Location<'_>, events: &mut EventSource) {
    assert_eq!(events.ready_state(), ReadyState::Closed, "{at}");
    assert!(events.is_terminated(), "{at}");
    for _ in 0..3 {
        let polled = poll(events);
        assert!(matches!(polled, Poll::Ready(None)), "{at}: not over: {polled:?}");
    }
}

/// Polls the stream until a future ends, and asserts that the stream yields nothing before.
#[track_caller]
pub fn silent_until<F: Future>(
    events: &mut EventSource,
    other: F,
) -> impl Future<Output = F::Output> {
    let at = Location::caller();
    within(async move {
        match select(events.next(), pin!(other)).await {
            Either::Left((item, _)) => panic!("{at}: wanted silence, got {item:?}"),
            Either::Right((output, _)) => output,
        }
    })
}

/// Asserts that the stream is pending.
#[track_caller]
pub fn assert_pending(events: &mut EventSource) {
    let polled = poll(events);
    assert!(polled.is_pending(), "not pending: {polled:?}");
}

/// Asserts that the stream is over for good. It keeps no timer. After a day and many polls, the
/// server has seen only these requests and connections.
#[track_caller]
pub fn assert_quiet(
    events: &mut EventSource,
    timer: &ManualTimer,
    server: &Server,
    requests: usize,
) -> impl Future<Output = ()> {
    let at = Location::caller();
    async move {
        assert_eq!(timer.pending(), 0, "{at}: timers are left");
        timer.advance(Duration::from_secs(24 * 60 * 60));
        assert_over_at(at, events);
        // This delay is real, because no event shows that a request is not sent.
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_over_at(at, events);
        let seen = server.requests();
        assert_eq!(seen.len(), requests, "{at}: {seen:#?}");
    }
}

/// Asserts that the text is a line for a log: not empty, no debug output of a struct, no URL.
#[track_caller]
pub fn assert_one_line(text: impl AsRef<str> + Debug) {
    let line = text.as_ref();
    let is_plain = !line.is_empty() && !line.contains(['\n', '\r', '{', '}']);
    assert!(is_plain && !line.contains("://"), "{text:?}");
}
