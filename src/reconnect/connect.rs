//! What [`Reconnect`](super::Reconnect) reconnects: the trait through which it
//! makes connections, and what passes through it.

use super::event::Cause;
use crate::trace::Span;
use alloc::sync::Arc;
use bytes::Bytes;
use core::fmt;
use core::future::Future;
use futures_core::Stream;

/// Makes connections to one event stream.
///
/// This is where a transport other than reqwest goes. A connection is made by a
/// future and then is a stream of byte chunks; dropping either must cancel it.
///
/// ```
/// use everstream::reconnect::{Attempt, Connect, Connection, Refusal};
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
///         Ready<Result<Connection<(), Self::Body>, Refusal<Infallible, Infallible>>>;
///
///     fn connect(&mut self, _: Attempt<'_, Infallible>) -> Self::Connecting {
///         let body = stream::iter([Ok("data: hello\n\n")]);
///         ready(Ok(Connection { head: (), body }))
///     }
/// }
/// ```
pub trait Connect {
    /// What there is to say about a connection that stands, such as a response's
    /// status and headers.
    type Head;
    /// A piece of the body.
    type Chunk: Into<Bytes>;
    /// The body. It ends where the server ended it, and errs where it broke.
    type Body: Stream<Item = Result<Self::Chunk, Self::Error>>;
    /// Why a connection broke or did not come about, though another may.
    type Error;
    /// Why no other connection is worth a try.
    type Fatal;
    /// A connection being made.
    type Connecting: Future<
        Output = Result<Connection<Self::Head, Self::Body>, Refusal<Self::Error, Self::Fatal>>,
    >;

    /// Begins to make a connection. Called while the stream is polled, and never
    /// while another connection of this stream is being made or open.
    /// See [`Connect`] for an example.
    fn connect(&mut self, attempt: Attempt<'_, Self::Error>) -> Self::Connecting;

    /// Whether a connection may follow the one that was just lost. If not, a
    /// clean end ends the stream, and anything else is its error. By default one
    /// always may.
    ///
    /// ```
    /// # use everstream::reconnect::Connect;
    /// fn is_sent_once(connect: &impl Connect) -> bool {
    ///     !connect.may_reconnect()
    /// }
    /// ```
    fn may_reconnect(&self) -> bool {
        true
    }
}

/// A connection that stands. See [`Connect`] for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection<H, B> {
    /// What there is to say about it.
    pub head: H,
    /// The bytes of the event stream.
    pub body: B,
}

/// Why there is no connection.
///
/// ```
/// use everstream::reconnect::Refusal;
///
/// fn of_status(status: u16) -> Refusal<u16, u16> {
///     match status {
///         204 => Refusal::Finished,
///         503 => Refusal::Retry { error: status, retry_after: None },
///         _ => Refusal::Fatal(status),
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal<E, F> {
    /// Another attempt may succeed.
    Retry {
        /// What went wrong.
        error: E,
        /// How long the server asks to wait.
        retry_after: Option<core::time::Duration>,
    },
    /// Another attempt is to be made at once, say with a new token instead of one that
    /// had run out, whether or not a connection [may follow](Connect::may_reconnect).
    /// Only once until a connection has proved itself; any other is taken as `Retry`.
    Again {
        /// What went wrong.
        error: E,
    },
    /// No other attempt is worth it; the stream ends with this error.
    Fatal(F),
    /// There is nothing more to come; the stream ends.
    Finished,
}

/// What is known when a connection is to be made.
///
/// ```
/// # use everstream::reconnect::Attempt;
/// fn headers<E>(attempt: &Attempt<'_, E>) -> Vec<(&'static str, String)> {
///     let id = attempt.last_event_id.map(|id| ("Last-Event-ID", id.to_string()));
///     id.into_iter().collect()
/// }
/// ```
#[non_exhaustive]
pub struct Attempt<'a, E> {
    /// How many reconnections there were since a connection last proved itself,
    /// this one included: 0 for the first connection and for a forced one.
    pub number: u32,
    /// Whether any connection of this stream has been open.
    pub was_open: bool,
    /// The id to go on from; never empty.
    pub last_event_id: Option<&'a Arc<str>>,
    /// Why the connection before this one was lost, if it was.
    pub cause: Option<&'a Arc<Cause<E>>>,
    /// To tell of it, for transports of our own.
    #[allow(dead_code, reason = "there may be none")]
    pub(crate) span: &'a Span,
}

impl<'a, E> Attempt<'a, E> {
    pub(super) fn new(
        number: u32,
        was_open: bool,
        last_event_id: Option<&'a Arc<str>>,
        cause: Option<&'a Arc<Cause<E>>>,
        span: &'a Span,
    ) -> Self {
        Attempt { number, was_open, last_event_id, cause, span }
    }
}

impl<E: fmt::Debug> fmt::Debug for Attempt<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("number", &self.number)
            .field("was_open", &self.was_open)
            .field("last_event_id", &self.last_event_id)
            .field("cause", &self.cause)
            .finish()
    }
}
