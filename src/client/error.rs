//! Why an `EventSource` ended, or why a connection of it did.

use super::platform::{Home, is_connect, words};
use crate::frame::Discarded;
use crate::reconnect::{self, ReconnectError};
use crate::timer::TimerError;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::mem;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use reqwest::{Response, StatusCode};
use std::error::Error as StdError;

/// Why a connection of an [`EventSource`](crate::EventSource) was lost or did not
/// come about, though another may.
pub type Cause = reconnect::Reason<Failure>;

/// What went wrong with a connection, though another may succeed.
///
/// ```
/// use everstream::Failure;
///
/// fn status(failure: &Failure) -> Option<u16> {
///     match failure {
///         Failure::Status { status, .. } => Some(status.as_u16()),
///         _ => None,
///     }
/// }
/// ```
#[non_exhaustive]
#[derive(Debug)]
pub enum Failure {
    /// The connection broke or did not come about.
    Transport(reqwest::Error),
    /// The server answered with a status that is worth another try.
    Status {
        /// The status.
        status: StatusCode,
        /// The headers of the answer.
        headers: HeaderMap,
    },
    /// The connection belongs to another runtime than the one that polls, and
    /// went down with it if that is gone.
    OtherRuntime,
}

impl Failure {
    /// The status of this response, which is dropped.
    pub(super) fn status(mut response: Response) -> Self {
        let headers = mem::take(response.headers_mut());
        Failure::Status { status: response.status(), headers }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Transport(error) => write!(f, "{}", Transport(error)),
            Failure::Status { status, .. } => write!(f, "the server answered {}", Status(*status)),
            Failure::OtherRuntime => {
                f.write_str("the connection was left behind in another runtime")
            }
        }
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Failure::Transport(error) => Some(error),
            Failure::Status { .. } | Failure::OtherRuntime => None,
        }
    }
}

/// Why an [`EventSource`](crate::EventSource) ended. It is closed before this is
/// yielded, and yields `None` after it.
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
#[derive(Debug)]
pub enum Error {
    /// The request could not be built or could never be sent: a bad URL, a bad
    /// header, https with a reqwest that was built without TLS.
    Request(Arc<reqwest::Error>),
    /// The user's [`request_fn`](crate::EventSourceBuilder::request_fn) failed.
    RequestFn(Box<dyn StdError + Send + Sync>),
    /// A second request is due, but the first one's body was a stream and is gone.
    /// A [`request_fn`](crate::EventSourceBuilder::request_fn) can make it anew.
    NotRepeatable,
    /// The stream was polled where nothing can drive a request: outside a tokio
    /// runtime, and without the feature `smol` (or with it, but no thread could be
    /// started). Never in the browser.
    NoRuntime,
    /// The server answered with a status other than 200. The response is here to
    /// be read.
    Status(Box<Response>),
    /// The server answered with a content type other than `text/event-stream`.
    /// The response is here to be read.
    ContentType(Box<Response>),
    /// The server answered with a content coding that nothing undoes: with gzip,
    /// say, where reqwest was built without that feature. The response is here to
    /// be read.
    ContentEncoding(Box<Response>),
    /// The connection broke or did not come about, and the request is [not to be
    /// repeated](crate::EventSourceBuilder::reconnect).
    Lost(Arc<Cause>),
    /// The retry policy gave up.
    GaveUp {
        /// How many reconnections were made since a connection last proved
        /// itself.
        attempts: u32,
        /// Why the last connection was lost.
        cause: Arc<Cause>,
    },
    /// An event grew beyond the limit, and
    /// [`on_oversize`](crate::EventSourceBuilder::on_oversize) says to fail then.
    TooLarge(Discarded),
    /// The timer cannot measure time: a tokio runtime without `enable_time`, say.
    Timer(TimerError),
}

impl Error {
    /// The response that was refused, for its status and headers.
    ///
    /// ```
    /// fn is_unauthorized(error: &everstream::Error) -> bool {
    ///     error.response().is_some_and(|response| response.status().as_u16() == 401)
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

    /// The response that was refused, to read its body.
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

    /// The same error, with a response that can be read outside of its runtime too.
    pub(super) fn let_go(self, home: Home) -> Self {
        match self {
            Error::Status(response) => Error::Status(Box::new(home.let_go(*response))),
            Error::ContentType(response) => Error::ContentType(Box::new(home.let_go(*response))),
            Error::ContentEncoding(response) => {
                Error::ContentEncoding(Box::new(home.let_go(*response)))
            }
            error => error,
        }
    }

    /// The status that the server answered with, if that is what ended the stream
    /// or the last connection.
    ///
    /// ```
    /// fn is_gone(error: &everstream::Error) -> bool {
    ///     error.status().is_some_and(|status| status.as_u16() == 410)
    /// }
    /// ```
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Error::Lost(cause) | Error::GaveUp { cause, .. } => match &**cause {
                Cause::Failed(Failure::Status { status, .. }) => Some(*status),
                _ => None,
            },
            _ => self.response().map(Response::status),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Request(error) if needs_tls(error) => {
                f.write_str("the URL is an https one, and reqwest was built without TLS")
            }
            Error::Request(error) => write!(f, "the request is invalid: {}", root(error)),
            Error::RequestFn(error) => write!(f, "the request could not be made: {error}"),
            Error::NotRepeatable => {
                f.write_str("the request cannot be sent again: its body was a stream")
            }
            Error::NoRuntime => {
                f.write_str("polled outside a tokio runtime, which needs the feature `smol`")
            }
            Error::Status(response) => {
                write!(f, "the server answered {}, not 200 OK", Status(response.status()))
            }
            Error::ContentType(response) => match response.headers().get(CONTENT_TYPE) {
                Some(found) => {
                    let found = String::from_utf8_lossy(found.as_bytes());
                    write!(f, "the server answered with {found:?}, not \"text/event-stream\"")
                }
                None => f.write_str(
                    "the server answered without a content type, not with \"text/event-stream\"",
                ),
            },
            Error::ContentEncoding(response) => {
                let found = response.headers().get_all(CONTENT_ENCODING).iter();
                let found = found.map(|coding| String::from_utf8_lossy(coding.as_bytes()));
                let found = found.collect::<Vec<_>>().join(", ");
                write!(f, "the server answered with {found:?}, a coding that reqwest does not undo")
            }
            Error::Lost(cause) => cause.fmt(f),
            Error::GaveUp { attempts, cause } => {
                let s = if *attempts == 1 { "" } else { "s" };
                write!(f, "gave up after {attempts} reconnection{s}: {cause}")
            }
            Error::TooLarge(discarded) => discarded.fmt(f),
            Error::Timer(error) => error.fmt(f),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Error::Request(error) => Some(&**error),
            Error::RequestFn(error) => Some(&**error),
            // It prints its cause, so what is behind it is what the cause has behind it.
            Error::Lost(cause) => cause.source(),
            Error::GaveUp { cause, .. } => Some(&**cause),
            _ => None,
        }
    }
}

impl From<ReconnectError<Error, Failure>> for Error {
    fn from(error: ReconnectError<Error, Failure>) -> Self {
        match error {
            ReconnectError::Fatal(error) => error,
            ReconnectError::Lost(reason) => Error::Lost(reason),
            ReconnectError::GaveUp { attempts, reason } => {
                Error::GaveUp { attempts, cause: reason }
            }
            ReconnectError::TooLarge(discarded) => Error::TooLarge(discarded),
            ReconnectError::Timer(error) => Error::Timer(error),
        }
    }
}

/// A status with its usual words, if it has any.
struct Status(StatusCode);

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.canonical_reason() {
            Some(reason) => write!(f, "{} {reason}", self.0.as_str()),
            None => f.write_str(self.0.as_str()),
        }
    }
}

/// Whether no request of this URL can ever be sent, since reqwest was built without
/// TLS. It tries all the same, and says something else.
pub(super) fn needs_tls(error: &reqwest::Error) -> bool {
    let is_https = error.url().is_some_and(|url| url.scheme() == "https");
    is_https && is_connect(error) && root(error).ends_with("scheme is not http")
}

/// A reqwest error in one line that says what happened. The URL, which may hold
/// secrets, is left to who asks the error for it.
struct Transport<'a>(&'a reqwest::Error);

impl fmt::Display for Transport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.0;
        let what = if is_connect(error) {
            "could not connect"
        } else if error.is_timeout() {
            "a timeout of reqwest ran out"
        } else if error.is_redirect() {
            "could not follow the redirect"
        } else if error.is_body() || error.is_decode() {
            "the connection broke"
        } else {
            "the request failed"
        };
        write!(f, "{what}: {}", root(error))
    }
}

/// What the innermost source of an error says.
fn root(error: &reqwest::Error) -> String {
    let mut innermost: Option<&dyn StdError> = error.source();
    while let Some(source) = innermost.and_then(StdError::source) {
        innermost = Some(source);
    }
    match innermost {
        Some(source) => words(source),
        None if error.is_builder() => "it could not be built".to_string(),
        None => "no cause is known".to_string(),
    }
}
