//! A response that is not an event stream, of any HTTP client.

mod body;
mod public_url;
mod start;

pub(super) use body::{Body, frames};
pub(super) use public_url::public_url;
pub use start::ResponseStart;

use super::transport_error::TransportError;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use futures_core::Stream;
use http::{HeaderMap, HeaderName, StatusCode, response};

/// Maximum bytes kept of a body that is not an event stream. 4 KiB hold any JSON error and the
/// visible part of an error page.
const KEPT: usize = 4096;

/// A response that was not an event stream, with a body that can be read.
///
/// It is in [`Error::Status`](crate::Error::Status), [`Error::ContentType`](crate::Error::ContentType)
/// and [`Error::ContentEncoding`](crate::Error::ContentEncoding).
///
/// ```
/// use everstream::Response;
///
/// # futures_executor::block_on(async {
/// let response = http::Response::builder().status(404).body("no such stream")?;
/// let response = Response::from(response);
/// assert_eq!(response.status(), 404);
/// assert_eq!(response.text().await?, "no such stream");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Response {
    head: Box<Head>,
    /// The chunks that were read before the caller asked for the body.
    first: VecDeque<Result<Bytes, TransportError>>,
    rest: Option<Body>,
}

/// The status, headers and URL of a response.
#[derive(Clone)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) url: Option<Box<str>>,
}

impl Head {
    pub(super) fn new(parts: response::Parts, url: Option<Box<str>>) -> Self {
        let from_extensions =
            || Some(alloc::string::ToString::to_string(parts.extensions.get::<http::Uri>()?));
        let url = url.or_else(|| from_extensions().map(String::into_boxed_str));
        Head { status: parts.status, headers: parts.headers, url }
    }
}

impl Response {
    pub(super) fn new(head: Box<Head>, body: Body) -> Self {
        Response { head, first: VecDeque::new(), rest: Some(body) }
    }

    /// Returns the status. See [`Response`] for an example.
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// Returns the headers.
    ///
    /// ```
    /// fn server(response: &everstream::Response) -> Option<&str> {
    ///     response.headers().get("server")?.to_str().ok()
    /// }
    /// ```
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// Returns the URL after redirects, if the transport knows it. It may hold secrets.
    ///
    /// ```
    /// fn is_login_page(response: &everstream::Response) -> bool {
    ///     response.url().is_some_and(|url| url.ends_with("/login"))
    /// }
    /// ```
    pub fn url(&self) -> Option<&str> {
        self.head.url.as_deref()
    }

    /// Returns the delay that the server asks for.
    ///
    /// ```
    /// use everstream::Response;
    /// use std::time::Duration;
    ///
    /// let response = http::Response::builder().header("retry-after", "6.5").body("")?;
    /// assert_eq!(Response::from(response).retry_after(), Some(Duration::from_secs(7)));
    /// # Ok::<_, http::Error>(())
    /// ```
    pub fn retry_after(&self) -> Option<core::time::Duration> {
        super::rules::retry_after(self.headers())
    }

    /// Reads the next chunk of the body; `None` at its end.
    ///
    /// ```
    /// # async fn run(mut response: everstream::Response) -> Result<(), everstream::TransportError> {
    /// while let Some(chunk) = response.chunk().await? {
    ///     println!("{} bytes", chunk.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, TransportError> {
        match self.first.pop_front() {
            Some(chunk) => chunk.map(Some),
            None => poll_fn(|cx| self.poll_rest(cx)).await.transpose(),
        }
    }

    /// Reads the body.
    ///
    /// ```
    /// # async fn run(response: everstream::Response) -> Result<(), everstream::TransportError> {
    /// println!("{} bytes", response.bytes().await?.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn bytes(mut self) -> Result<Bytes, TransportError> {
        let Some(first) = self.chunk().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.chunk().await? else { return Ok(first) };
        let mut bytes = [first, second].concat();
        while let Some(chunk) = self.chunk().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.into())
    }

    /// Reads the body as UTF-8; other bytes are replaced by U+FFFD.
    /// See [`Response`] for an example.
    pub async fn text(self) -> Result<String, TransportError> {
        Ok(String::from_utf8_lossy(&self.bytes().await?).into_owned())
    }

    /// Reads the body as JSON.
    ///
    /// ```
    /// #[derive(serde::Deserialize)]
    /// struct Problem {
    ///     detail: String,
    /// }
    ///
    /// async fn detail(response: everstream::Response) -> Option<String> {
    ///     Some(response.json::<Problem>().await.ok()?.detail)
    /// }
    /// ```
    #[cfg(feature = "json")]
    pub async fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, TransportError> {
        serde_json::from_slice(&self.bytes().await?).map_err(TransportError::decode)
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, TransportError>>> {
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let polled = Pin::new(rest).poll_next(cx);
        if !matches!(polled, Poll::Pending | Poll::Ready(Some(Ok(_)))) {
            self.rest = None;
        }
        polled
    }

    /// Buffers the bytes that have arrived already, so that a short body can be read outside of its
    /// runtime.
    pub(super) fn buffered(mut self) -> Self {
        let cx = &mut Context::from_waker(Waker::noop());
        let mut length = 0;
        while length < KEPT {
            let Poll::Ready(Some(chunk)) = self.poll_rest(cx) else { break };
            length += chunk.as_ref().map_or(KEPT, counted_length);
            self.first.push_back(chunk);
        }
        self
    }

    /// Reads the first 4 KiB of the body, or less if `limit` ends first.
    pub(super) async fn into_start(mut self, limit: impl Future<Output = ()>) -> ResponseStart {
        let mut body = Vec::new();
        let mut space = KEPT;
        let mut limit = pin!(limit);
        poll_fn(|cx| {
            while space > 0 {
                match self.poll_rest(cx) {
                    Poll::Ready(Some(Ok(chunk))) => {
                        body.extend_from_slice(chunk.get(..space).unwrap_or(&chunk));
                        space = space.saturating_sub(counted_length(&chunk));
                    }
                    Poll::Ready(Some(Err(_)) | None) => break,
                    Poll::Pending => return limit.as_mut().poll(cx),
                }
            }
            Poll::Ready(())
        })
        .await;
        ResponseStart::of(*self.head, body.into())
    }
}

/// Returns the length that a chunk counts towards [`KEPT`]. An empty one counts as a byte, so that
/// endless empty chunks end.
fn counted_length(chunk: &Bytes) -> usize {
    chunk.len().max(1)
}

/// Creates a response for tests.
impl<B: Into<Bytes>> From<http::Response<B>> for Response {
    fn from(response: http::Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        Response {
            head: Box::new(Head::new(parts, None)),
            first: [Ok(body.into())].into(),
            rest: None,
        }
    }
}

/// The names of headers. Their values may be secrets.
struct Names<'a>(&'a HeaderMap);

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys().map(HeaderName::as_str)).finish()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.head, f)
    }
}

/// Omits the values of headers and the query of the URL, which may be secrets.
impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &Names(&self.headers))
            .field("url", &self.url.as_deref().map(public_url))
            .finish_non_exhaustive()
    }
}
