//! The items of a reconnecting stream, and its errors.

use super::quote::Quote;
use crate::ext::EventItem;
use crate::frame::Discarded;
use crate::owned::{MessageEvent, OwnedUpdate};
use crate::timer::TimerError;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::error::Error;
use core::fmt;
use core::time::Duration;

/// An item of a reconnecting stream. `H` is the head of an open connection, `E` the error
/// of one that was lost.
///
/// ```
/// use everstream::reconnect::ReconnectEvent;
///
/// fn show<H, E: std::fmt::Display>(event: ReconnectEvent<H, E>) -> String {
///     match event {
///         ReconnectEvent::Open(_) => "open".to_string(),
///         ReconnectEvent::Message(message) => message.data().to_string(),
///         ReconnectEvent::Reconnecting { reason, delay, .. } => format!("{reason}; again in {delay:?}"),
///         _ => String::new(),
///     }
/// }
/// ```
#[non_exhaustive]
#[derive(Debug)]
pub enum ReconnectEvent<H, E> {
    /// A connection is open. Yielded once per connection, before its events.
    Open(ReconnectOpened<H>),
    /// An event was dispatched.
    Message(MessageEvent),
    /// A comment, without its colon and one space after it. Only reported if
    /// asked for.
    Comment(String),
    /// An event was over the size limit and was dropped.
    Discarded(Discarded),
    /// A block without data set the last event ID or the reconnection time. Only reported
    /// [if asked for](super::Reconnect::with_updates).
    Update(OwnedUpdate),
    /// The connection was lost or could not be opened. Yielded before the delay. Created by
    /// [`reconnecting`](Self::reconnecting).
    #[non_exhaustive]
    Reconnecting {
        /// The reason for the loss.
        reason: Arc<Reason<E>>,
        /// The delay before the next attempt.
        delay: Duration,
        /// The number of the attempt that follows: 1 after a connection that was
        /// [healthy](crate::RetryContext), and one more for each failure in a row.
        attempt: u32,
    },
}

impl<H, E> ReconnectEvent<H, E> {
    /// Creates a [`Reconnecting`](Self::Reconnecting), for tests.
    ///
    /// ```
    /// # use everstream::reconnect::{Reason, ReconnectEvent};
    /// # use std::time::Duration;
    /// let lost = ReconnectEvent::<(), ()>::reconnecting(Reason::Ended, Duration::ZERO, 1);
    /// assert!(matches!(lost, ReconnectEvent::Reconnecting { attempt: 1, .. }));
    /// ```
    pub fn reconnecting(reason: impl Into<Arc<Reason<E>>>, delay: Duration, attempt: u32) -> Self {
        ReconnectEvent::Reconnecting { reason: reason.into(), delay, attempt }
    }
}

impl<H, E> EventItem for ReconnectEvent<H, E> {
    #[inline]
    fn into_event(self) -> Option<Result<MessageEvent, Discarded>> {
        match self {
            ReconnectEvent::Message(message) => Some(Ok(message)),
            ReconnectEvent::Discarded(report) => Some(Err(report)),
            _ => None,
        }
    }
}

/// An open connection.
///
/// ```
/// # use everstream::reconnect::ReconnectOpened;
/// fn may_have_missed_events<H>(opened: &ReconnectOpened<H>) -> bool {
///     opened.is_reconnect() && opened.last_event_id().is_none()
/// }
/// ```
#[derive(Debug, Clone)]
pub struct ReconnectOpened<H> {
    /// Boxed because it is rare and large, and shares an enum with events.
    inner: Box<Inner<H>>,
}

#[derive(Debug, Clone)]
struct Inner<H> {
    head: H,
    is_reconnect: bool,
    last_event_id: Option<Arc<str>>,
}

impl<H> ReconnectOpened<H> {
    /// Creates a report of an open connection, for tests.
    ///
    /// ```
    /// use everstream::reconnect::ReconnectOpened;
    ///
    /// let opened = ReconnectOpened::new("head", true, Some("41".into()));
    /// assert!(opened.is_reconnect());
    /// assert_eq!(opened.last_event_id().map(|id| &**id), Some("41"));
    /// ```
    pub fn new(head: H, is_reconnect: bool, last_event_id: Option<Arc<str>>) -> Self {
        ReconnectOpened { inner: Box::new(Inner { head, is_reconnect, last_event_id }) }
    }

    /// Returns the facts that the transport reports about the connection. See [`ReconnectOpened`]
    /// for an example of similar methods.
    pub fn head(&self) -> &H {
        &self.inner.head
    }

    /// Returns the head by value.
    ///
    /// ```
    /// # use everstream::reconnect::ReconnectOpened;
    /// assert_eq!(ReconnectOpened::new(200, false, None).into_head(), 200);
    /// ```
    pub fn into_head(self) -> H {
        self.inner.head
    }

    /// Returns whether an earlier connection of this stream was open.
    /// See [`ReconnectOpened`] for an example.
    pub fn is_reconnect(&self) -> bool {
        self.inner.is_reconnect
    }

    /// Returns the ID from which the connection resumes. See [`ReconnectOpened`] for an example.
    pub fn last_event_id(&self) -> Option<&Arc<str>> {
        self.inner.last_event_id.as_ref()
    }
}

/// The reason why a connection was lost or could not be opened.
///
/// ```
/// use everstream::reconnect::Reason;
/// use std::time::Duration;
///
/// let timeout = Reason::<std::io::Error>::IdleTimeout(Duration::from_secs(30));
/// assert_eq!(timeout.to_string(), "no byte arrived for 30s");
/// let text = Reason::<std::io::Error>::ended_with_text("overloaded");
/// assert_eq!(text.remainder(), Some("overloaded"));
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason<E> {
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
    Failed(E),
    /// The connection was not open within this time.
    OpenTimeout(Duration),
    /// No byte arrived for this time.
    IdleTimeout(Duration),
    /// No event arrived for this time.
    EventTimeout(Duration),
}

impl<E> Reason<E> {
    /// Creates a [`NotAnEventStream`](Self::NotAnEventStream), for tests.
    /// See [`Reason`] for an example of a similar function.
    pub fn not_an_event_stream(start: impl Into<Box<str>>) -> Self {
        Reason::NotAnEventStream { start: start.into() }
    }

    /// Creates an [`EndedMidEvent`](Self::EndedMidEvent), for tests.
    /// See [`Reason`] for an example of a similar function.
    pub fn ended_mid_event(remainder: impl Into<Box<str>>) -> Self {
        Reason::EndedMidEvent { remainder: remainder.into() }
    }

    /// Creates an [`EndedWithText`](Self::EndedWithText), for tests.
    /// See [`Reason`] for an example.
    pub fn ended_with_text(remainder: impl Into<Box<str>>) -> Self {
        Reason::EndedWithText { remainder: remainder.into() }
    }

    /// Returns the text after the last event, up to 4 KiB, if the body ended with text that is no
    /// event.
    /// See [`Reason`] for an example.
    pub fn remainder(&self) -> Option<&str> {
        match self {
            Reason::NotAnEventStream { start: text }
            | Reason::EndedMidEvent { remainder: text }
            | Reason::EndedWithText { remainder: text } => Some(text),
            _ => None,
        }
    }

    /// Converts the transport's error.
    pub(super) fn map<F>(&self, describe: impl FnOnce(&E) -> Option<F>) -> Option<Reason<F>> {
        Some(match self {
            Reason::Failed(error) => Reason::Failed(describe(error)?),
            Reason::Ended => Reason::Ended,
            Reason::NotAnEventStream { start } => Reason::not_an_event_stream(start.clone()),
            Reason::EndedMidEvent { remainder } => Reason::ended_mid_event(remainder.clone()),
            Reason::EndedWithText { remainder } => Reason::ended_with_text(remainder.clone()),
            Reason::OpenTimeout(time) => Reason::OpenTimeout(*time),
            Reason::IdleTimeout(time) => Reason::IdleTimeout(*time),
            Reason::EventTimeout(time) => Reason::EventTimeout(*time),
        })
    }
}

impl<E: fmt::Display> fmt::Display for Reason<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Ended => f.write_str("the server ended the stream"),
            Reason::NotAnEventStream { start } => {
                write!(f, "the server ended the stream, which held no event: {}", Quote(start))
            }
            Reason::EndedMidEvent { remainder } => {
                f.write_str("the server ended the stream in the middle of an event")?;
                if remainder.is_empty() { Ok(()) } else { write!(f, ": {}", Quote(remainder)) }
            }
            Reason::EndedWithText { remainder } => {
                let text = Quote(remainder);
                write!(f, "the server ended the stream with text that is not an event: {text}")
            }
            Reason::Failed(error) => error.fmt(f),
            Reason::OpenTimeout(time) => write!(f, "could not connect within {time:?}"),
            Reason::IdleTimeout(time) => write!(f, "no byte arrived for {time:?}"),
            Reason::EventTimeout(time) => write!(f, "no event arrived for {time:?}"),
        }
    }
}

impl<E: Error + 'static> Error for Reason<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Reason::Failed(error) => error.source(),
            _ => None,
        }
    }
}

/// The error that ends a reconnecting stream. The stream closes before it yields the error, and
/// yields `None` afterwards.
///
/// ```
/// use everstream::reconnect::{Reason, ReconnectError};
///
/// let error: ReconnectError<std::io::Error, std::io::Error> =
///     ReconnectError::gave_up(3, Reason::Ended);
/// assert_eq!(error.to_string(), "gave up after 3 reconnections: the server ended the stream");
/// ```
#[non_exhaustive]
#[derive(Debug)]
pub enum ReconnectError<F, E> {
    /// The transport reports that no attempt can succeed.
    Fatal(F),
    /// The connection was lost, and the stream [may not reconnect](super::Connect::may_reconnect).
    Lost(Arc<Reason<E>>),
    /// The connection was lost, and the retry policy gave up. Created by
    /// [`gave_up`](Self::gave_up).
    #[non_exhaustive]
    GaveUp {
        /// The number of reconnections since a connection was last [healthy](crate::RetryContext).
        attempts: u32,
        /// The reason for the last loss.
        reason: Arc<Reason<E>>,
    },
    /// An event was over the size limit, and the stream is set to fail.
    TooLarge(Discarded),
    /// The timer cannot measure time.
    Timer(TimerError),
}

impl<F, E> ReconnectError<F, E> {
    /// Creates a [`GaveUp`](Self::GaveUp), for tests. See [`ReconnectError`] for an example.
    pub fn gave_up(attempts: u32, reason: impl Into<Arc<Reason<E>>>) -> Self {
        ReconnectError::GaveUp { attempts, reason: reason.into() }
    }
}

impl<F: fmt::Display, E: fmt::Display> fmt::Display for ReconnectError<F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReconnectError::Fatal(error) => error.fmt(f),
            ReconnectError::Lost(reason) => reason.fmt(f),
            ReconnectError::GaveUp { attempts, reason } => {
                let s = if *attempts == 1 { "" } else { "s" };
                write!(f, "gave up after {attempts} reconnection{s}: {reason}")
            }
            ReconnectError::TooLarge(discarded) => discarded.fmt(f),
            ReconnectError::Timer(error) => error.fmt(f),
        }
    }
}

impl<F: Error + 'static, E: Error + 'static> Error for ReconnectError<F, E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ReconnectError::Fatal(error) => error.source(),
            ReconnectError::Lost(reason) => reason.source(),
            ReconnectError::GaveUp { reason, .. } => reason.source(),
            ReconnectError::TooLarge(_) | ReconnectError::Timer(_) => None,
        }
    }
}
