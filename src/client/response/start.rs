//! The part of a response that outlives its connection.

use super::Head;
use alloc::string::String;
use alloc::sync::Arc;
use bytes::Bytes;
use core::fmt;
use core::time::Duration;
use http::{HeaderMap, StatusCode};

/// The head of a response that was not an event stream, and the first 4 KiB of its body.
///
/// It is cheap to clone.
///
/// ```
/// use everstream::ResponseStart;
/// use std::time::Duration;
///
/// let response = http::Response::builder().status(503).header("retry-after", "2").body("deploy")?;
/// let start = ResponseStart::from(response);
/// assert_eq!(start.status(), 503);
/// assert_eq!(start.retry_after(), Some(Duration::from_secs(2)));
/// assert_eq!(start.text(), "deploy");
/// # Ok::<_, http::Error>(())
/// ```
#[derive(Clone)]
pub struct ResponseStart {
    inner: Arc<Inner>,
}

struct Inner {
    head: Head,
    body: Bytes,
}

impl ResponseStart {
    pub(super) fn of(head: Head, body: Bytes) -> Self {
        ResponseStart { inner: Arc::new(Inner { head, body }) }
    }

    /// Returns the status. See [`ResponseStart`] for an example.
    pub fn status(&self) -> StatusCode {
        self.inner.head.status
    }

    /// Returns the headers. See [`ResponseStart`] for an example of similar methods.
    pub fn headers(&self) -> &HeaderMap {
        &self.inner.head.headers
    }

    /// Returns the URL after redirects, if the transport knows it. It may hold secrets. See
    /// [`ResponseStart`] for an example of similar methods.
    pub fn url(&self) -> Option<&str> {
        self.inner.head.url.as_deref()
    }

    /// Returns the first bytes of the body: at most 4 KiB that arrived within a second. See
    /// [`text`](Self::text) for an example.
    pub fn body(&self) -> &Bytes {
        &self.inner.body
    }

    /// Returns the first bytes of the body as UTF-8; other bytes are replaced by U+FFFD.
    /// See [`ResponseStart`] for an example.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.inner.body).into_owned()
    }

    /// Returns the delay that the server asks for. See [`ResponseStart`] for an example.
    pub fn retry_after(&self) -> Option<Duration> {
        crate::client::rules::retry_after(self.headers())
    }
}

/// Creates a response for tests.
impl<B: Into<Bytes>> From<http::Response<B>> for ResponseStart {
    fn from(response: http::Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        ResponseStart::of(Head::new(parts, None), body.into())
    }
}

impl fmt::Debug for ResponseStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner.head, f)
    }
}
