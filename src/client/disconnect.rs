//! The reason for the loss of a connection.

use super::attempt_error::UserError;
use super::response::ResponseStart;
use super::transport_error::TransportError;
use crate::reconnect::Reason;
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use std::error::Error as StdError;

/// The reason why a connection of an [`EventSource`](crate::EventSource) was lost or could not be
/// opened.
///
/// `Display` prints one line. It includes the start of a body that is not an event stream.
///
/// ```
/// use everstream::Disconnect;
/// use std::time::Duration;
///
/// let timeout = Disconnect::IdleTimeout(Duration::from_secs(30));
/// assert_eq!(timeout.to_string(), "no byte arrived for 30s");
/// let text = Disconnect::ended_with_text("overloaded");
/// assert_eq!(text.remainder(), Some("overloaded"));
/// ```
#[non_exhaustive]
#[derive(Clone)]
pub enum Disconnect {
    /// The server ended the stream.
    Ended,
    /// The server ended a body that held no event, no comment and no field. It may be the error
    /// text of a server or a proxy. Created by [`not_an_event_stream`](Self::not_an_event_stream).
    #[non_exhaustive]
    NotAnEventStream {
        /// The first 4 KiB of the body, as text.
        start: Box<str>,
    },
    /// The server ended the stream in the middle of an event, before its blank line, so the event
    /// is lost. A proxy or server that crashes ends a body without a length in this way. Created by
    /// [`ended_mid_event`](Self::ended_mid_event).
    #[non_exhaustive]
    EndedMidEvent {
        /// The lines after the last event, up to 4 KiB, as text.
        remainder: Box<str>,
    },
    /// The server ended the stream after lines that are neither a field of the standard nor a
    /// comment, such as an error as plain JSON. Created by
    /// [`ended_with_text`](Self::ended_with_text).
    #[non_exhaustive]
    EndedWithText {
        /// The lines after the last event, up to 4 KiB, as text.
        remainder: Box<str>,
    },
    /// The connection broke or could not be opened.
    Transport(TransportError),
    /// The server answered with a status that is retried.
    Status(ResponseStart),
    /// The server answered with a content type other than `text/event-stream`, after an earlier
    /// connection was open.
    ContentType(ResponseStart),
    /// The request function returned an error.
    RequestFn(Arc<dyn StdError + Send + Sync>),
    /// The connection was not open within this time. Over HTTP/2, all streams of a client share a
    /// connection. It can be dead without being closed, or have as many streams as its server
    /// allows. See [`client_fn`](crate::EventSourceBuilder::client_fn).
    OpenTimeout(Duration),
    /// No byte arrived for this time.
    IdleTimeout(Duration),
    /// No event arrived for this time.
    EventTimeout(Duration),
}

impl Disconnect {
    /// Creates a [`NotAnEventStream`](Self::NotAnEventStream), for tests.
    /// See [`Disconnect`] for an example of a similar function.
    pub fn not_an_event_stream(start: impl Into<Box<str>>) -> Self {
        Disconnect::NotAnEventStream { start: start.into() }
    }

    /// Creates an [`EndedMidEvent`](Self::EndedMidEvent), for tests.
    /// See [`Disconnect`] for an example of a similar function.
    pub fn ended_mid_event(remainder: impl Into<Box<str>>) -> Self {
        Disconnect::EndedMidEvent { remainder: remainder.into() }
    }

    /// Creates an [`EndedWithText`](Self::EndedWithText), for tests.
    /// See [`Disconnect`] for an example.
    pub fn ended_with_text(remainder: impl Into<Box<str>>) -> Self {
        Disconnect::EndedWithText { remainder: remainder.into() }
    }

    /// Returns whether a timeout ended the connection: the open, idle or event timeout, or one of
    /// the HTTP client. Such a connection may be dead without being closed.
    ///
    /// ```
    /// # use everstream::Disconnect;
    /// # use std::time::Duration;
    /// assert!(Disconnect::IdleTimeout(Duration::from_secs(30)).is_timeout());
    /// assert!(!Disconnect::Ended.is_timeout());
    /// ```
    pub fn is_timeout(&self) -> bool {
        match self {
            Disconnect::OpenTimeout(_)
            | Disconnect::IdleTimeout(_)
            | Disconnect::EventTimeout(_) => true,
            Disconnect::Transport(error) => error.is_timeout(),
            _ => false,
        }
    }

    /// Returns the text after the last event, up to 4 KiB, if the body ended with text that is no
    /// event. See [`Disconnect`] for an example.
    pub fn remainder(&self) -> Option<&str> {
        match self {
            Disconnect::NotAnEventStream { start: text }
            | Disconnect::EndedMidEvent { remainder: text }
            | Disconnect::EndedWithText { remainder: text } => Some(text),
            _ => None,
        }
    }

    /// Returns the status of the response that refused the connection.
    ///
    /// ```
    /// # use everstream::Disconnect;
    /// fn is_overloaded(reason: &Disconnect) -> bool {
    ///     reason.status().is_some_and(|status| status == 503)
    /// }
    /// ```
    pub fn status(&self) -> Option<StatusCode> {
        self.response().map(ResponseStart::status)
    }

    /// Returns the head and the start of the response that refused the connection.
    ///
    /// ```
    /// # use everstream::Disconnect;
    /// fn says(reason: &Disconnect) -> Option<String> {
    ///     Some(reason.response()?.text())
    /// }
    /// ```
    pub fn response(&self) -> Option<&ResponseStart> {
        match self {
            Disconnect::Status(response) | Disconnect::ContentType(response) => Some(response),
            _ => None,
        }
    }
}

/// Converts the engine's reason, which holds a `Disconnect` if the HTTP layer reported it.
impl From<&Reason<Disconnect>> for Disconnect {
    fn from(reason: &Reason<Disconnect>) -> Self {
        match reason {
            Reason::Failed(disconnect) => disconnect.clone(),
            Reason::Ended => Disconnect::Ended,
            Reason::NotAnEventStream { start } => Disconnect::not_an_event_stream(start.clone()),
            Reason::EndedMidEvent { remainder } => Disconnect::ended_mid_event(remainder.clone()),
            Reason::EndedWithText { remainder } => Disconnect::ended_with_text(remainder.clone()),
            Reason::OpenTimeout(time) => Disconnect::OpenTimeout(*time),
            Reason::IdleTimeout(time) => Disconnect::IdleTimeout(*time),
            Reason::EventTimeout(time) => Disconnect::EventTimeout(*time),
        }
    }
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason: Reason<core::convert::Infallible> = match self {
            Disconnect::Transport(error) => return error.fmt(f),
            Disconnect::Status(response) => {
                return write!(f, "the server answered {}", Status(response.status()));
            }
            Disconnect::ContentType(response) => {
                return write_content_type(f, response.headers());
            }
            Disconnect::RequestFn(error) => {
                return write!(f, "could not create the request: {}", UserError(&**error));
            }
            Disconnect::Ended => Reason::Ended,
            Disconnect::NotAnEventStream { start } => Reason::not_an_event_stream(start.clone()),
            Disconnect::EndedMidEvent { remainder } => Reason::ended_mid_event(remainder.clone()),
            Disconnect::EndedWithText { remainder } => Reason::ended_with_text(remainder.clone()),
            Disconnect::OpenTimeout(time) => {
                Reason::<core::convert::Infallible>::OpenTimeout(*time).fmt(f)?;
                return f
                    .write_str("; a shared HTTP/2 connection may be dead or have no free stream");
            }
            Disconnect::IdleTimeout(time) => Reason::IdleTimeout(*time),
            Disconnect::EventTimeout(time) => Reason::EventTimeout(*time),
        };
        reason.fmt(f)
    }
}

impl fmt::Debug for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Disconnect::Ended => f.write_str("Ended"),
            Disconnect::NotAnEventStream { start } => {
                f.debug_struct("NotAnEventStream").field("start", start).finish()
            }
            Disconnect::EndedMidEvent { remainder } => {
                f.debug_struct("EndedMidEvent").field("remainder", remainder).finish()
            }
            Disconnect::EndedWithText { remainder } => {
                f.debug_struct("EndedWithText").field("remainder", remainder).finish()
            }
            Disconnect::Transport(error) => error.fmt(f),
            Disconnect::Status(response) => f.debug_tuple("Status").field(response).finish(),
            Disconnect::ContentType(response) => {
                f.debug_tuple("ContentType").field(response).finish()
            }
            // The `Debug` output of an error may hold secrets that its text does not.
            Disconnect::RequestFn(error) => {
                f.debug_tuple("RequestFn").field(&error.to_string()).finish()
            }
            Disconnect::OpenTimeout(time) => f.debug_tuple("OpenTimeout").field(time).finish(),
            Disconnect::IdleTimeout(time) => f.debug_tuple("IdleTimeout").field(time).finish(),
            Disconnect::EventTimeout(time) => f.debug_tuple("EventTimeout").field(time).finish(),
        }
    }
}

impl StdError for Disconnect {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Disconnect::RequestFn(error) => UserError(&**error).source(),
            _ => None,
        }
    }
}

/// A status with its reason phrase, if it has one.
pub(super) struct Status(pub(super) StatusCode);

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.canonical_reason() {
            Some(reason) => write!(f, "{} {reason}", self.0.as_str()),
            None => f.write_str(self.0.as_str()),
        }
    }
}

pub(super) fn write_content_type(
    f: &mut fmt::Formatter<'_>,
    headers: &http::HeaderMap,
) -> fmt::Result {
    match headers.get(CONTENT_TYPE) {
        Some(found) => {
            let found = alloc::string::String::from_utf8_lossy(found.as_bytes());
            write!(f, "the server answered with {found:?}, not \"text/event-stream\"")
        }
        None => f.write_str(
            "the server answered without a content type, not with \"text/event-stream\"",
        ),
    }
}
