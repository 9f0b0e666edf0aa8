//! The trait by which [`Reconnect`](super::Reconnect) opens connections, and its arguments and
//! results.

use super::event::Reason;
use crate::retry::DisconnectKind;
use crate::trace::Span;
use alloc::string::String;
use alloc::sync::Arc;
use bytes::Bytes;
use core::fmt;
use core::future::Future;
use core::time::Duration;
use futures_core::Stream;

/// A source of connections to one event stream.
///
/// Implement it for a transport other than HTTP. A future opens a connection, whose body is a
/// stream of byte chunks. Dropping either must close the connection.
///
/// ```
/// use everstream::DisconnectKind;
/// use everstream::reconnect::{Attempt, Connect, Connection, ConnectError};
/// use futures_util::stream::{self, Iter};
/// use std::convert::Infallible;
/// use std::future::{Ready, ready};
///
/// /// Every connection brings one event and ends.
/// struct Greeter;
///
/// impl Connect for Greeter {
///     type Head = ();
///     type Chunk = &'static str;
///     type Body = Iter<std::array::IntoIter<Result<&'static str, Infallible>, 1>>;
///     type Error = Infallible;
///     type Fatal = Infallible;
///     type Connecting =
///         Ready<Result<Connection<(), Self::Body>, ConnectError<Infallible, Infallible>>>;
///
///     fn connect(&mut self, _: Attempt<Infallible>) -> Self::Connecting {
///         let body = stream::iter([Ok("data: hello\n\n")]);
///         ready(Ok(Connection { head: (), body }))
///     }
///
///     fn may_reconnect(&self, lost: DisconnectKind) -> bool {
///         lost != DisconnectKind::Ended // because the response was complete
///     }
///
///     fn describe(&self, error: &Infallible) -> Option<String> {
///         Some(error.to_string())
///     }
/// }
/// ```
pub trait Connect {
    /// The facts about an open connection, such as a response's status and headers.
    type Head;
    /// A chunk of the body.
    type Chunk: Into<Bytes>;
    /// The body. It ends if the server ended it, and yields an error if it broke.
    type Body: Stream<Item = Result<Self::Chunk, Self::Error>>;
    /// The error of a connection that broke or could not be opened. Another attempt may succeed.
    type Error;
    /// The error that ends the stream.
    type Fatal;
    /// The future of a connection.
    type Connecting: Future<
        Output = Result<Connection<Self::Head, Self::Body>, ConnectError<Self::Error, Self::Fatal>>,
    >;

    /// Starts an attempt to connect. It is called inside `poll_next`, and never while another
    /// connection of this stream is open or in progress. See [`Connect`] for an example.
    fn connect(&mut self, attempt: Attempt<Self::Error>) -> Self::Connecting;

    /// Returns whether the stream may reconnect after a loss of this kind. If not, a clean end ends
    /// the stream with `None`, and any other loss with an error. Default: true. See [`Connect`] for
    /// an example.
    fn may_reconnect(&self, lost: DisconnectKind) -> bool {
        let _ = lost;
        true
    }

    /// Returns whether the response to the current attempt has begun. The open timeout applies no
    /// longer then, although the future may still read the body of a refusal. Default: false, so the
    /// timeout applies until the future ends. See [`Connect`] for an example of this trait.
    fn has_response(&self) -> bool {
        false
    }

    /// Drops a connection that is in hand for the next attempt. It is called when the stream is
    /// closed or forced to reconnect.
    #[doc(hidden)]
    fn drop_first(&mut self) {}

    /// Describes an error for [`Health::last_reason`](super::Health::last_reason). The text must
    /// contain no secret. It is called for each lost connection if the stream has a
    /// [`Handle`](super::Handle). Default: `None`. See [`Connect`] for an example.
    fn describe(&self, error: &Self::Error) -> Option<String> {
        let _ = error;
        None
    }
}

/// An open connection. See [`Connect`] for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection<H, B> {
    /// The facts about the connection.
    pub head: H,
    /// The bytes of the event stream.
    pub body: B,
}

/// Creates a connection without a head.
impl<B> From<B> for Connection<(), B> {
    fn from(body: B) -> Self {
        Connection { head: (), body }
    }
}

/// The error of an attempt to connect.
///
/// ```
/// use everstream::reconnect::ConnectError;
/// use std::time::Duration;
///
/// fn of_status(status: u16, retry_after: Option<Duration>) -> ConnectError<u16, u16> {
///     match status {
///         204 => ConnectError::Finished,
///         401 => ConnectError::again(status),
///         502 => ConnectError::retry(status),
///         503 => ConnectError::retry_after(status, retry_after),
///         _ => ConnectError::Fatal(status),
///     }
/// }
/// assert!(matches!(of_status(502, None), ConnectError::Retry { retry_after: None, .. }));
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectError<E, F> {
    /// Another attempt may succeed. Created by [`retry`](Self::retry) and
    /// [`retry_after`](Self::retry_after).
    #[non_exhaustive]
    Retry {
        /// The error of this attempt.
        error: E,
        /// The delay that the server asked for.
        retry_after: Option<Duration>,
    },
    /// Another attempt should follow at once, for example with a new token. It does not depend on
    /// [`may_reconnect`](Connect::may_reconnect). It follows only once until a connection is
    /// [healthy](crate::RetryContext); after that this counts as [`Retry`](Self::Retry). Created by
    /// [`again`](Self::again).
    #[non_exhaustive]
    Again {
        /// The error of this attempt.
        error: E,
    },
    /// No attempt can succeed; the stream ends with this error.
    Fatal(F),
    /// The server has nothing more to send, so the stream ends.
    Finished,
}

impl<E, F> ConnectError<E, F> {
    /// Creates a [`Retry`](Self::Retry) without a `Retry-After`.
    /// See [`ConnectError`] for an example.
    pub const fn retry(error: E) -> Self {
        ConnectError::Retry { error, retry_after: None }
    }

    /// Creates a [`Retry`](Self::Retry) with the delay that the server asked for.
    /// See [`ConnectError`] for an example.
    pub fn retry_after(error: E, delay: impl Into<Option<Duration>>) -> Self {
        ConnectError::Retry { error, retry_after: delay.into() }
    }

    /// Creates an [`Again`](Self::Again).
    /// See [`ConnectError`] for an example.
    pub const fn again(error: E) -> Self {
        ConnectError::Again { error }
    }
}

/// The facts about one attempt to connect.
///
/// It is owned and `'static`, so it can move into an async block.
///
/// ```
/// use everstream::reconnect::{Attempt, Reason};
///
/// fn headers<E>(attempt: &Attempt<E>) -> Vec<(&'static str, String)> {
///     let id = attempt.last_event_id.as_ref().map(|id| ("Last-Event-ID", id.to_string()));
///     id.into_iter().collect()
/// }
///
/// let attempt = Attempt::<()>::new(1)
///     .with_was_open(true)
///     .with_last_event_id("41")
///     .with_reason(Reason::Ended);
/// assert_eq!(headers(&attempt), [("Last-Event-ID", "41".to_string())]);
/// assert_eq!(attempt.reason.as_deref(), Some(&Reason::Ended));
/// ```
#[non_exhaustive]
pub struct Attempt<E> {
    /// The number of reconnections in a row, this one included: 0 for the first
    /// connection and for a forced one.
    pub number: u32,
    /// True if any connection of this stream has been open.
    pub was_open: bool,
    /// The ID to resume from. It is never empty.
    pub last_event_id: Option<Arc<str>>,
    /// The reason for the loss of the previous connection, if there was one.
    pub reason: Option<Arc<Reason<E>>>,
    /// Logs the attempt, for this crate's own transports.
    #[allow(dead_code, reason = "only the transports of this crate read it")]
    pub(crate) span: Span,
}

impl<E> Attempt<E> {
    /// Creates an attempt with this number, for tests of a connector. Its other values are unset.
    /// See [`Attempt`] for an example.
    #[must_use]
    pub fn new(number: u32) -> Self {
        Attempt { number, was_open: false, last_event_id: None, reason: None, span: Span::none() }
    }

    /// Sets [`was_open`](Self::was_open).
    /// See [`Attempt`] for an example.
    #[must_use]
    pub fn with_was_open(mut self, was_open: bool) -> Self {
        self.was_open = was_open;
        self
    }

    /// Sets [`last_event_id`](Self::last_event_id); an empty ID counts as none.
    /// See [`Attempt`] for an example.
    #[must_use]
    pub fn with_last_event_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.last_event_id = Some(id.into()).filter(|id| !id.is_empty());
        self
    }

    /// Sets [`reason`](Self::reason).
    /// See [`Attempt`] for an example.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<Arc<Reason<E>>>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

impl<E> Clone for Attempt<E> {
    fn clone(&self) -> Self {
        Attempt {
            number: self.number,
            was_open: self.was_open,
            last_event_id: self.last_event_id.clone(),
            reason: self.reason.clone(),
            span: self.span.clone(),
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for Attempt<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("number", &self.number)
            .field("was_open", &self.was_open)
            .field("last_event_id", &self.last_event_id)
            .field("reason", &self.reason)
            .finish()
    }
}
