//! The items of an `EventSource`.

use super::disconnect::Disconnect;
use super::response::Head;
use crate::ext::EventItem;
use crate::frame::Discarded;
use crate::owned::{MessageEvent, OwnedUpdate};
use crate::reconnect::{ReconnectEvent, ReconnectOpened};
use alloc::string::String;
use alloc::sync::Arc;
use core::time::Duration;
use http::{HeaderMap, StatusCode};

/// An item of an [`EventSource`](crate::EventSource).
///
/// ```
/// use everstream::Event;
///
/// fn show(event: Event) -> String {
///     match event {
///         Event::Open(opened) => format!("open: {}", opened.status()),
///         Event::Message(message) => message.data().to_string(),
///         Event::Reconnecting { reason, delay, .. } => format!("{reason}; again in {delay:?}"),
///         _ => String::new(),
///     }
/// }
/// ```
#[non_exhaustive]
#[derive(Debug)]
pub enum Event {
    /// A connection is open. Yielded once per connection, before its events.
    Open(Opened),
    /// An event was dispatched.
    Message(MessageEvent),
    /// A comment, without its colon and one space after it. Only reported if
    /// [asked for](crate::EventSourceBuilder::comments).
    Comment(String),
    /// An event was over the size limit and was dropped.
    Discarded(Discarded),
    /// A block without data set the last event ID or the reconnection time. Only reported if
    /// [asked for](crate::EventSourceBuilder::updates).
    Update(OwnedUpdate),
    /// The connection was lost or could not be opened. Yielded before the delay. Created by
    /// [`reconnecting`](Self::reconnecting).
    #[non_exhaustive]
    Reconnecting {
        /// The reason for the loss.
        reason: Disconnect,
        /// The delay before the next attempt.
        delay: Duration,
        /// The number of the attempt that follows: 1 after a connection that was
        /// [healthy](crate::RetryContext), and one more for each failure in a row.
        attempt: u32,
    },
}

impl Event {
    /// Creates a [`Reconnecting`](Self::Reconnecting), for tests.
    ///
    /// ```
    /// # use everstream::{Disconnect, Event};
    /// # use std::time::Duration;
    /// let lost = Event::reconnecting(Disconnect::Ended, Duration::ZERO, 1);
    /// assert!(matches!(lost, Event::Reconnecting { attempt: 1, .. }));
    /// ```
    pub fn reconnecting(reason: Disconnect, delay: Duration, attempt: u32) -> Self {
        Event::Reconnecting { reason, delay, attempt }
    }
}

impl From<ReconnectEvent<Head, Disconnect>> for Event {
    #[inline]
    fn from(event: ReconnectEvent<Head, Disconnect>) -> Self {
        match event {
            ReconnectEvent::Message(message) => Event::Message(message),
            ReconnectEvent::Open(inner) => Event::Open(Opened { inner }),
            ReconnectEvent::Comment(comment) => Event::Comment(comment),
            ReconnectEvent::Discarded(discarded) => Event::Discarded(discarded),
            ReconnectEvent::Update(update) => Event::Update(update),
            ReconnectEvent::Reconnecting { reason, delay, attempt } => {
                Event::reconnecting(Disconnect::from(&*reason), delay, attempt)
            }
        }
    }
}

impl EventItem for Event {
    #[inline]
    fn into_event(self) -> Option<Result<MessageEvent, Discarded>> {
        match self {
            Event::Message(message) => Some(Ok(message)),
            Event::Discarded(report) => Some(Err(report)),
            _ => None,
        }
    }
}

/// An open connection of an [`EventSource`](crate::EventSource).
///
/// ```
/// use everstream::Opened;
///
/// let response = http::Response::builder().header("x-request-id", "7").body(())?;
/// let opened = Opened::new(response, true, Some("41".into()));
/// assert_eq!(opened.headers()["x-request-id"], "7");
/// assert!(opened.is_reconnect());
/// assert_eq!(opened.last_event_id().map(|id| &**id), Some("41"));
/// # Ok::<_, http::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Opened {
    inner: ReconnectOpened<Head>,
}

impl Opened {
    /// Creates a report of an open connection, for tests. An `http::Uri` among the extensions of
    /// the response is its [`url`](Self::url). See [`Opened`] for an example.
    pub fn new<B>(
        response: http::Response<B>,
        is_reconnect: bool,
        last_event_id: Option<Arc<str>>,
    ) -> Self {
        let (parts, _) = response.into_parts();
        let head = Head::new(parts, None);
        Opened { inner: ReconnectOpened::new(head, is_reconnect, last_event_id) }
    }

    /// Returns whether an earlier connection of this stream was open.
    /// See [`Opened`] for an example.
    pub fn is_reconnect(&self) -> bool {
        self.inner.is_reconnect()
    }

    /// Returns the ID that the connection was asked to resume from.
    /// See [`Opened`] for an example.
    pub fn last_event_id(&self) -> Option<&Arc<str>> {
        self.inner.last_event_id()
    }

    /// Returns the status of the response, which is 200. See [`Event`] for an example.
    pub fn status(&self) -> StatusCode {
        self.inner.head().status
    }

    /// Returns the headers of the response. See [`Opened`] for an example.
    pub fn headers(&self) -> &HeaderMap {
        &self.inner.head().headers
    }

    /// Returns the URL of the response after redirects, if the transport knows it. reqwest does; a
    /// response function reports it by an `http::Uri` among the extensions of its response. Its
    /// origin is the origin of the events. It may hold secrets.
    ///
    /// ```
    /// fn is_secure(opened: &everstream::Opened) -> bool {
    ///     opened.url().is_some_and(|url| url.starts_with("https://"))
    /// }
    /// ```
    pub fn url(&self) -> Option<&str> {
        self.inner.head().url.as_deref()
    }
}
