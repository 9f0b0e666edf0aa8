//! The error that ends an `EventSource`.

use super::attempt_error::UserError;
use super::disconnect::{Disconnect, Status, write_content_type};
use super::response::Response;
use super::transport_error::TransportError;
use crate::frame::Discarded;
use crate::reconnect::ReconnectError;
use crate::timer::TimerError;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use http::StatusCode;
use http::header::CONTENT_ENCODING;
use std::error::Error as StdError;

/// The error that ends an [`EventSource`](crate::EventSource). The stream closes before it yields
/// the error, and yields `None` afterwards.
///
/// ```no_run
/// # async fn run() {
/// use everstream::{Error, RequestBuilderExt};
/// use futures_util::TryStreamExt;
///
/// let mut events = reqwest::Client::new().get("http://localhost/events").into_event_source();
/// while let Some(event) = events.try_next().await.transpose() {
///     match event {
///         Ok(event) => println!("{event:?}"),
///         Err(Error::Status(response)) => {
///             eprintln!("{}: {}", response.status(), response.text().await.unwrap_or_default())
///         }
///         Err(error) => eprintln!("{error}"),
///     }
/// }
/// # }
/// ```
#[non_exhaustive]
pub enum Error {
    /// The request could not be built or can never be sent: a bad URL, a bad header, or https with
    /// a client that was built without TLS. Or the first connection failed in a way that [no retry
    /// can fix](TransportError::is_permanent).
    Request(TransportError),
    /// The request or response function returned [`Fatal`](crate::Fatal).
    Fatal(Box<dyn StdError + Send + Sync>),
    /// The request cannot be sent again, because its body is a stream or the `EventSource` was
    /// created from a [response](crate::EventSource::from_response) alone. Use a [request
    /// function](crate::EventSource::from_request_fn) to recreate it.
    NotRepeatable,
    /// The stream was polled outside of a tokio runtime, and the feature `smol` is off or could not
    /// start its thread. Does not occur in the browser.
    NoRuntime,
    /// The server answered with a status other than 200. The response can be read.
    Status(Box<Response>),
    /// The server answered with a content type other than `text/event-stream`.
    /// The response can be read.
    ContentType(Box<Response>),
    /// The server answered with a content coding that the client does not decode, such as gzip
    /// without that feature of reqwest. The response can be read.
    ContentEncoding(Box<Response>),
    /// The connection was lost or could not be opened, and the request is [not to be
    /// repeated](crate::EventSourceBuilder::reconnect).
    Lost(Disconnect),
    /// The retry policy gave up. Created by [`gave_up`](Self::gave_up).
    #[non_exhaustive]
    GaveUp {
        /// The number of reconnections since a connection was last [healthy](crate::RetryContext).
        attempts: u32,
        /// The reason for the last failure.
        reason: Disconnect,
    },
    /// An event was over the size limit, and
    /// [`on_oversize`](crate::EventSourceBuilder::on_oversize) is set to fail.
    TooLarge(Discarded),
    /// The timer cannot measure time, for example in a tokio runtime without `enable_time`.
    Timer(TimerError),
}

impl Error {
    /// Creates a [`GaveUp`](Self::GaveUp), for tests.
    ///
    /// ```
    /// # use everstream::{Disconnect, Error};
    /// let error = Error::gave_up(1, Disconnect::Ended);
    /// assert_eq!(error.to_string(), "gave up after 1 reconnection: the server ended the stream");
    /// ```
    pub fn gave_up(attempts: u32, reason: Disconnect) -> Self {
        Error::GaveUp { attempts, reason }
    }

    /// Returns the response that ended the stream, with its whole body.
    ///
    /// ```
    /// fn server(error: &everstream::Error) -> Option<&str> {
    ///     error.response()?.headers().get("server")?.to_str().ok()
    /// }
    /// ```
    pub fn response(&self) -> Option<&Response> {
        match self {
            Error::Status(response)
            | Error::ContentType(response)
            | Error::ContentEncoding(response) => Some(response),
            _ => None,
        }
    }

    /// Returns the response that ended the stream, to read its body.
    ///
    /// ```
    /// async fn body(error: everstream::Error) -> Option<String> {
    ///     error.into_response()?.text().await.ok()
    /// }
    /// ```
    pub fn into_response(self) -> Option<Response> {
        match self {
            Error::Status(response)
            | Error::ContentType(response)
            | Error::ContentEncoding(response) => Some(*response),
            _ => None,
        }
    }

    /// Returns the reason for the loss of the last connection, if that ended the stream.
    ///
    /// ```
    /// fn says(error: &everstream::Error) -> Option<String> {
    ///     Some(error.reason()?.response()?.text())
    /// }
    /// ```
    pub fn reason(&self) -> Option<&Disconnect> {
        match self {
            Error::Lost(reason) | Error::GaveUp { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// Returns the text after the last event, up to 4 KiB, if the body ended with text that is no
    /// event. APIs that fail in the middle of a response send their error in this way.
    ///
    /// ```
    /// # use everstream::{Disconnect, Error};
    /// let error = Error::Lost(Disconnect::ended_with_text(r#"{"error": "overloaded"}"#));
    /// assert_eq!(error.remainder(), Some(r#"{"error": "overloaded"}"#));
    /// ```
    pub fn remainder(&self) -> Option<&str> {
        self.reason()?.remainder()
    }

    /// Returns the status of the response that ended the stream or the last connection.
    ///
    /// ```
    /// fn is_gone(error: &everstream::Error) -> bool {
    ///     error.status().is_some_and(|status| status.as_u16() == 410)
    /// }
    /// ```
    pub fn status(&self) -> Option<StatusCode> {
        let response = self.response().map(Response::status);
        response.or_else(|| self.reason()?.status())
    }

    /// Returns the delay that the server asks for in its `Retry-After`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// fn pause(error: &everstream::Error) -> Duration {
    ///     error.retry_after().unwrap_or(Duration::from_secs(30))
    /// }
    /// ```
    pub fn retry_after(&self) -> Option<Duration> {
        match self.response() {
            Some(response) => response.retry_after(),
            None => self.reason()?.response()?.retry_after(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Request(error) => error.fmt(f),
            Error::Fatal(error) => UserError(&**error).fmt(f),
            Error::NotRepeatable => f.write_str("the request cannot be sent again"),
            Error::NoRuntime => {
                f.write_str("polled outside a tokio runtime, which needs the feature `smol`")
            }
            Error::Status(response) => {
                write!(f, "the server answered {}, not 200 OK", Status(response.status()))
            }
            Error::ContentType(response) => write_content_type(f, response.headers()),
            Error::ContentEncoding(response) => {
                let found = response.headers().get_all(CONTENT_ENCODING).iter();
                let found = found.map(|coding| String::from_utf8_lossy(coding.as_bytes()));
                let found = found.collect::<Vec<_>>().join(", ");
                write!(
                    f,
                    "the server answered with {found:?}, a coding that the client does not decode"
                )
            }
            Error::Lost(reason) => reason.fmt(f),
            Error::GaveUp { attempts, reason } => {
                let s = if *attempts == 1 { "" } else { "s" };
                write!(f, "gave up after {attempts} reconnection{s}: {reason}")
            }
            Error::TooLarge(discarded) => discarded.fmt(f),
            Error::Timer(error) => error.fmt(f),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Request(error) => f.debug_tuple("Request").field(error).finish(),
            // The `Debug` output of an error may hold secrets that its text does not.
            Error::Fatal(error) => f.debug_tuple("Fatal").field(&error.to_string()).finish(),
            Error::NotRepeatable => f.write_str("NotRepeatable"),
            Error::NoRuntime => f.write_str("NoRuntime"),
            Error::Status(response) => f.debug_tuple("Status").field(response).finish(),
            Error::ContentType(response) => f.debug_tuple("ContentType").field(response).finish(),
            Error::ContentEncoding(response) => {
                f.debug_tuple("ContentEncoding").field(response).finish()
            }
            Error::Lost(reason) => f.debug_tuple("Lost").field(reason).finish(),
            Error::GaveUp { attempts, reason } => {
                let mut gave_up = f.debug_struct("GaveUp");
                gave_up.field("attempts", attempts).field("reason", reason).finish()
            }
            Error::TooLarge(discarded) => f.debug_tuple("TooLarge").field(discarded).finish(),
            Error::Timer(error) => f.debug_tuple("Timer").field(error).finish(),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // `Display` includes each inner error, so `source` returns the inner error's own source.
        match self {
            Error::Fatal(error) => UserError(&**error).source(),
            Error::Lost(reason) | Error::GaveUp { reason, .. } => reason.source(),
            _ => None,
        }
    }
}

impl From<ReconnectError<Error, Disconnect>> for Error {
    fn from(error: ReconnectError<Error, Disconnect>) -> Self {
        match error {
            ReconnectError::Fatal(error) => error,
            ReconnectError::Lost(reason) => Error::Lost(Disconnect::from(&*reason)),
            ReconnectError::GaveUp { attempts, reason } => {
                Error::gave_up(attempts, Disconnect::from(&*reason))
            }
            ReconnectError::TooLarge(discarded) => Error::TooLarge(discarded),
            ReconnectError::Timer(error) => Error::Timer(error),
        }
    }
}
