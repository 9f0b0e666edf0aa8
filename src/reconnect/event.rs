//! What a reconnecting stream tells: its items, and how it ends.

use crate::ext::EventItem;
use crate::frame::Discarded;
use crate::message::MessageEvent;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::error::Error;
use core::fmt;
use core::time::Duration;

/// An item of a reconnecting stream. `H` says what is known of a connection that
/// stands, `E` why one was lost.
///
/// ```
/// use everstream::reconnect::Event;
///
/// fn show<H, E: std::fmt::Display>(event: Event<H, E>) -> String {
///     match event {
///         Event::Open(_) => "open".to_string(),
///         Event::Message(message) => message.data().to_string(),
///         Event::Reconnecting { cause, delay, .. } => format!("{cause}; again in {delay:?}"),
///         _ => String::new(),
///     }
/// }
/// ```
#[non_exhaustive]
#[derive(Debug)]
pub enum Event<H, E> {
    /// A connection stands. Comes once for each, before what it brings.
    Open(Opened<H>),
    /// An event was dispatched.
    Message(MessageEvent),
    /// A comment, without its colon and one space after it. Only reported if
    /// asked for.
    Comment(String),
    /// An event grew beyond the limit and was dropped.
    Discarded(Discarded),
    /// The connection was lost or did not come about. Comes before the wait.
    Reconnecting {
        /// Why.
        cause: Arc<Cause<E>>,
        /// How long the wait is.
        delay: Duration,
        /// The number of the reconnection that follows, from 1, since a
        /// connection last proved itself.
        attempt: u32,
    },
}

impl<H, E> EventItem for Event<H, E> {
    #[inline]
    fn into_message(self) -> Option<MessageEvent> {
        match self {
            Event::Message(message) => Some(message),
            _ => None,
        }
    }
}

/// A connection that stands.
///
/// ```
/// # use everstream::reconnect::Opened;
/// fn may_have_missed_events<H>(opened: &Opened<H>) -> bool {
///     opened.is_reconnect() && opened.last_event_id().is_none()
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Opened<H> {
    /// Boxed because it is rare, and large, and what it shares an enum with is not.
    inner: Box<Inner<H>>,
}

#[derive(Debug, Clone)]
struct Inner<H> {
    head: H,
    is_reconnect: bool,
    last_event_id: Option<Arc<str>>,
}

impl<H> Opened<H> {
    pub(super) fn new(head: H, is_reconnect: bool, last_event_id: Option<Arc<str>>) -> Self {
        Opened { inner: Box::new(Inner { head, is_reconnect, last_event_id }) }
    }

    /// What the transport says about the connection.
    /// See [`Opened`] for an example of its neighbours.
    pub fn head(&self) -> &H {
        &self.inner.head
    }

    /// Whether an earlier connection of this stream was open.
    /// See [`Opened`] for an example.
    pub fn is_reconnect(&self) -> bool {
        self.inner.is_reconnect
    }

    /// The id that the connection was asked to go on from. See [`Opened`] for an
    /// example.
    pub fn last_event_id(&self) -> Option<&Arc<str>> {
        self.inner.last_event_id.as_ref()
    }
}

/// Why a connection was lost or did not come about, though another may.
///
/// ```
/// use everstream::reconnect::Cause;
/// use std::time::Duration;
///
/// let cause: Cause<std::io::Error> = Cause::IdleTimeout(Duration::from_secs(30));
/// assert_eq!(cause.to_string(), "no byte arrived for 30s");
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause<E> {
    /// The server ended the stream.
    Ended,
    /// The server ended the stream, which was none: in it was no event, no comment and
    /// no field. So a server or a proxy in trouble may have said what is the matter.
    NotAnEventStream {
        /// What it began with: at most 256 bytes, as text.
        start: Box<str>,
    },
    /// The connection broke or did not come about.
    Failed(E),
    /// The connection did not stand within this time.
    OpenTimeout(Duration),
    /// No byte arrived for this time.
    IdleTimeout(Duration),
    /// No event arrived for this time.
    EventTimeout(Duration),
}

impl<E: fmt::Display> fmt::Display for Cause<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Ended => f.write_str("the server ended the stream"),
            Cause::NotAnEventStream { start } => {
                write!(f, "the server ended the stream, which held no event: {start:?}")
            }
            Cause::Failed(error) => error.fmt(f),
            Cause::OpenTimeout(time) => write!(f, "the connection did not stand within {time:?}"),
            Cause::IdleTimeout(time) => write!(f, "no byte arrived for {time:?}"),
            Cause::EventTimeout(time) => write!(f, "no event arrived for {time:?}"),
        }
    }
}

impl<E: Error + 'static> Error for Cause<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Cause::Failed(error) => error.source(),
            _ => None,
        }
    }
}

/// How a reconnecting stream ends other than by a clean end. It is closed before
/// this is yielded, and yields nothing after it.
///
/// ```
/// use everstream::reconnect::{Cause, ReconnectError};
///
/// let error: ReconnectError<std::io::Error, std::io::Error> =
///     ReconnectError::GaveUp { attempts: 3, cause: Cause::Ended.into() };
/// assert_eq!(error.to_string(), "gave up after 3 reconnections: the server ended the stream");
/// ```
#[non_exhaustive]
#[derive(Debug)]
pub enum ReconnectError<F, E> {
    /// The transport says that no other connection is worth a try.
    Fatal(F),
    /// The connection was lost, and this one [must not be
    /// repeated](super::Connect::may_reconnect).
    Lost(Arc<Cause<E>>),
    /// The connection was lost, and the retry policy gave up.
    GaveUp {
        /// How many reconnections were made since a connection last proved
        /// itself.
        attempts: u32,
        /// Why the last one was lost.
        cause: Arc<Cause<E>>,
    },
    /// An event grew beyond the limit, and the stream was set to fail then.
    TooLarge(Discarded),
}

impl<F: fmt::Display, E: fmt::Display> fmt::Display for ReconnectError<F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReconnectError::Fatal(error) => error.fmt(f),
            ReconnectError::Lost(cause) => cause.fmt(f),
            ReconnectError::GaveUp { attempts, cause } => {
                let s = if *attempts == 1 { "" } else { "s" };
                write!(f, "gave up after {attempts} reconnection{s}: {cause}")
            }
            ReconnectError::TooLarge(discarded) => discarded.fmt(f),
        }
    }
}

impl<F: Error + 'static, E: Error + 'static> Error for ReconnectError<F, E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ReconnectError::Fatal(error) => error.source(),
            ReconnectError::Lost(cause) => cause.source(),
            ReconnectError::GaveUp { cause, .. } => Some(&**cause),
            ReconnectError::TooLarge(_) => None,
        }
    }
}
