//! The error of a transport, of any HTTP client.
//!
//! Invariants:
//! - `Display` and `Debug` show no header, and of a URL only the host and port.
//! - Errors of other crates are classified by their types. Their texts are printed, never parsed.

#[cfg(all(feature = "reqwest", not(all(target_arch = "wasm32", target_os = "unknown"))))]
mod native;
#[cfg(all(feature = "reqwest", not(all(target_arch = "wasm32", target_os = "unknown"))))]
use native as reqwests;

#[cfg(all(feature = "reqwest", target_arch = "wasm32", target_os = "unknown"))]
mod web;
#[cfg(all(feature = "reqwest", target_arch = "wasm32", target_os = "unknown"))]
use web as reqwests;

#[cfg(feature = "reqwest")]
use super::disconnect::Status;
use super::runtime::Elsewhere;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::fmt;
use core::ops::Deref;
use std::error::Error as StdError;
use std::io;

type BoxError = Box<dyn StdError + Send + Sync>;

/// An error that a transport reported: a connection broke or could not be opened.
///
/// `Display` prints one line, with the host and the port but without the rest of the URL.
/// [`get_ref`](TransportError::get_ref) returns the client's own error. The text of that error may
/// contain the whole URL, with secrets in its query.
///
/// ```
/// use everstream::{TransportError, TransportErrorKind};
/// use std::io;
///
/// let error = TransportError::new(io::Error::from(io::ErrorKind::ConnectionReset));
/// assert_eq!(error.to_string(), "the request failed: connection reset");
/// assert_eq!(error.kind(), TransportErrorKind::Request);
/// assert!(error.find::<io::Error>().is_some());
/// ```
#[derive(Clone)]
pub struct TransportError {
    inner: Arc<Inner>,
}

struct Inner {
    facts: Facts,
    error: Cause,
}

/// The facts that the type of an error shows.
struct Facts {
    kind: TransportErrorKind,
    /// Set if no retry can fix it.
    is_permanent: bool,
    /// The host and port of the server.
    peer: Option<Box<str>>,
}

/// The error of a client. In the browser, a reqwest error is not a trait object: a page that prints
/// no error would still load the code that prints it.
enum Cause {
    #[cfg(all(feature = "reqwest", target_arch = "wasm32", target_os = "unknown"))]
    Reqwest(reqwest::Error),
    Other(BoxError),
}

impl Deref for Cause {
    type Target = dyn StdError + Send + Sync;

    fn deref(&self) -> &Self::Target {
        match self {
            #[cfg(all(feature = "reqwest", target_arch = "wasm32", target_os = "unknown"))]
            Cause::Reqwest(error) => error,
            Cause::Other(error) => &**error,
        }
    }
}

/// The kind of a [`TransportError`]. See [`TransportError`] for an example.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransportErrorKind {
    /// The request could not be built.
    Invalid,
    /// The connection could not be opened, so nothing was sent.
    Connect,
    /// A timeout of the client ran out.
    Timeout,
    /// A redirect could not be followed.
    Redirect,
    /// The connection broke while the body was read.
    Body,
    /// The request failed in another way.
    Request,
    /// The connection was polled outside of the runtime that opened it.
    OtherRuntime,
    /// The body could not be decoded.
    Decode,
}

impl TransportError {
    /// Creates the error of a request. An error of this crate's version of reqwest gets its own
    /// [kind](Self::kind). See [`TransportError`] for an example.
    pub fn new(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        TransportError::classified(TransportErrorKind::Request, error.into())
    }

    /// Creates the error of a connection that could not be opened, so nothing was sent.
    ///
    /// ```
    /// # use everstream::{TransportError, TransportErrorKind};
    /// let error = TransportError::connect("no route to host");
    /// assert_eq!(error.to_string(), "could not connect: no route to host");
    /// ```
    pub fn connect(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        TransportError::classified(TransportErrorKind::Connect, error.into())
    }

    /// Creates the error of a connection that broke while its body was read.
    ///
    /// ```
    /// # use everstream::TransportError;
    /// let error = TransportError::body("connection reset");
    /// assert_eq!(error.to_string(), "the connection broke: connection reset");
    /// ```
    pub fn body(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        TransportError::classified(TransportErrorKind::Body, error.into())
    }

    #[cfg(feature = "json")]
    pub(super) fn decode(error: serde_json::Error) -> Self {
        TransportError::classified(TransportErrorKind::Decode, error.into())
    }

    fn classified(kind: TransportErrorKind, error: BoxError) -> Self {
        let error = match error.downcast::<TransportError>() {
            Ok(error) => return *error,
            Err(error) => error,
        };
        let facts = Facts::of(kind, &*error);
        TransportError { inner: Arc::new(Inner { facts, error: Cause::Other(error) }) }
    }

    /// Creates the error of a request or of its body.
    #[cfg(feature = "reqwest")]
    pub(super) fn of_reqwest(error: reqwest::Error) -> Self {
        reqwests::of(error)
    }

    /// Returns the kind. See [`TransportError`] for an example.
    pub fn kind(&self) -> TransportErrorKind {
        self.inner.facts.kind
    }

    /// Returns whether the connection could not be opened, so nothing was sent.
    ///
    /// ```
    /// # use everstream::TransportError;
    /// assert!(TransportError::connect("no route to host").is_connect());
    /// ```
    pub fn is_connect(&self) -> bool {
        self.kind() == TransportErrorKind::Connect
    }

    /// Returns whether a timeout of the client ran out. See [`is_connect`](Self::is_connect) for a
    /// similar example.
    pub fn is_timeout(&self) -> bool {
        self.kind() == TransportErrorKind::Timeout
    }

    /// Returns whether no retry can fix the error: no TLS for an https URL, a certificate that is
    /// not trusted, a server that speaks another protocol. An `EventSource` that has not been
    /// open ends with such an error at once.
    ///
    /// ```
    /// # use everstream::TransportError;
    /// use std::io::{Error, ErrorKind};
    ///
    /// let handshake = TransportError::connect(Error::new(ErrorKind::InvalidData, "bad certificate"));
    /// assert!(handshake.is_permanent());
    /// ```
    pub fn is_permanent(&self) -> bool {
        self.inner.facts.is_permanent
    }

    /// Returns the error of the client. Its text may hold secrets of the URL.
    ///
    /// ```
    /// # use everstream::TransportError;
    /// fn is_decode(error: &TransportError) -> bool {
    ///     error.get_ref().downcast_ref::<reqwest::Error>().is_some_and(|error| error.is_decode())
    /// }
    /// ```
    pub fn get_ref(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.inner.error
    }

    /// Returns the outermost error of this type in the chain of sources.
    /// See [`TransportError`] for an example.
    pub fn find<T: StdError + 'static>(&self) -> Option<&T> {
        chain(&*self.inner.error).find_map(|error| error.downcast_ref())
    }
}

impl Facts {
    /// Returns the facts about an error. Its kind is `kind` unless it is a reqwest error.
    fn of(kind: TransportErrorKind, error: &(dyn StdError + 'static)) -> Self {
        #[cfg(feature = "reqwest")]
        if let Some(error) = find_reqwest(error) {
            return reqwests::facts(error);
        }
        Facts { kind, is_permanent: has_invalid_data(error), peer: None }
    }
}

/// Returns the outermost reqwest error in the chain of sources.
#[cfg(feature = "reqwest")]
fn find_reqwest<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a reqwest::Error> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// Returns the text of the reqwest error among the sources of a user's error, without its URL.
pub(super) fn reqwest_source(error: &(dyn StdError + 'static)) -> Option<String> {
    #[cfg(feature = "reqwest")]
    if let Some(error) = error.source().and_then(find_reqwest) {
        let facts = reqwests::facts(error);
        return Some(Text { facts: &facts, error }.to_string());
    }
    let _ = error;
    None
}

/// Returns an error and its sources, from the outermost on.
fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| source(*error))
}

fn source<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    // `io::Error::source` skips the wrapped error and returns the source of that error.
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

/// Returns whether a source has the kind `InvalidData`. TLS implementations report with it that the
/// peer is not trusted or speaks no TLS.
fn has_invalid_data(error: &(dyn StdError + 'static)) -> bool {
    let io =
        |error: &(dyn StdError + 'static)| error.downcast_ref::<io::Error>().map(io::Error::kind);
    chain(error).any(|error| io(error) == Some(io::ErrorKind::InvalidData))
}

/// Returns the text of the innermost error, which has the cause and no URL.
fn root(error: &(dyn StdError + 'static)) -> String {
    let mut text = None;
    for error in chain(error) {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            // An error of rustls with this kind prints a paragraph of advice.
            if io.kind() == io::ErrorKind::UnexpectedEof {
                return "the server closed the connection abruptly".to_string();
            }
        }
        text = Some(error);
    }
    text.map(ToString::to_string).unwrap_or_default()
}

impl From<Elsewhere> for TransportError {
    fn from(elsewhere: Elsewhere) -> Self {
        let kind = TransportErrorKind::OtherRuntime;
        let facts = Facts { kind, is_permanent: false, peer: None };
        let error = Cause::Other(Box::new(elsewhere));
        TransportError { inner: Arc::new(Inner { facts, error }) }
    }
}

/// The text of an error, without its URL.
struct Text<'a> {
    facts: &'a Facts,
    error: &'a (dyn StdError + 'static),
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Facts { kind, peer, .. } = self.facts;
        let what = match kind {
            TransportErrorKind::Invalid => "the request is invalid",
            TransportErrorKind::Connect => "could not connect",
            TransportErrorKind::Timeout => "a timeout of the HTTP client ran out",
            TransportErrorKind::Redirect => "could not follow the redirect",
            TransportErrorKind::Body => "the connection broke",
            TransportErrorKind::Request => "the request failed",
            TransportErrorKind::Decode => "the body could not be decoded",
            TransportErrorKind::OtherRuntime => {
                return f.write_str("the connection belongs to another runtime");
            }
        };
        match (kind, peer) {
            (TransportErrorKind::Connect, Some(peer)) => write!(f, "could not connect to {peer}")?,
            (TransportErrorKind::Request, Some(peer)) => write!(f, "the request to {peer} failed")?,
            _ => f.write_str(what)?,
        }
        if *kind == TransportErrorKind::Timeout {
            return Ok(());
        }
        #[cfg(feature = "reqwest")]
        if let Some(error) = find_reqwest(self.error) {
            // It has no source, and prints its URL.
            if let Some(status) = error.status() {
                return write!(f, ": the server answered {}", Status(status));
            }
            if let Some(text) = reqwests::text(self.error, error) {
                return write!(f, ": {text}");
            }
        }
        write!(f, ": {}", root(self.error))
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Text { facts: &self.inner.facts, error: &*self.inner.error }.fmt(f)
    }
}

impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TransportError").field(&self.kind()).field(&self.to_string()).finish()
    }
}

// `Display` includes the cause. The sources may print a URL, so `source` returns none.
impl StdError for TransportError {}
