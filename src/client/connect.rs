//! A connection over HTTP: a request out, a response that is an event stream in.

use super::platform::{self, BoxBody, BoxFuture};
use super::request::{self, Source};
use super::response::{self, RetryStatus};
use super::{Error, Failure, Head, Reconnection, RequestAttempt};
use crate::reconnect::{Connect, Connection, Refusal};
use alloc::boxed::Box;
use alloc::sync::Arc;
use bytes::Bytes;
use core::mem;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, ready};
use futures_core::Stream;
use reqwest::{Method, Response};

pub(super) struct HttpConnect {
    pub(super) source: Source,
    pub(super) reconnection: Reconnection,
    pub(super) retry_status: Arc<dyn RetryStatus>,
    /// Whether the last request was of a method that is safe to repeat. Shared
    /// with the attempt, which knows only once the request is made.
    pub(super) was_safe: Arc<AtomicBool>,
}

impl Connect for HttpConnect {
    type Head = Head;
    type Chunk = Bytes;
    type Body = Body;
    type Error = Failure;
    type Fatal = Error;
    type Connecting = BoxFuture<Result<Connection<Head, Body>, Refusal<Failure, Error>>>;

    fn connect(&mut self, attempt: RequestAttempt<'_>) -> Self::Connecting {
        let was_open = attempt.was_open;
        let last_event_id = attempt.last_event_id.cloned();
        let next = self.source.next(attempt);
        let retry_status = Arc::clone(&self.retry_status);
        let was_safe = Arc::clone(&self.was_safe);
        platform::boxed(async move {
            platform::check_runtime().map_err(Refusal::Fatal)?;
            let (client, mut request) = next.get().await.map_err(Refusal::Fatal)?;
            let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
            was_safe.store(is_safe, Ordering::Relaxed);
            request::prepare(&mut request, last_event_id.as_deref());
            let response = match client.execute(request).await {
                Ok(response) => response,
                Err(error) if error.is_builder() => {
                    return Err(Refusal::Fatal(Error::Request(error)));
                }
                Err(error) => {
                    let error = Failure::Transport(error);
                    return Err(Refusal::Retry { error, retry_after: None });
                }
            };
            response::check(response, was_open, &*retry_status).map(connection)
        })
    }

    fn may_reconnect(&self) -> bool {
        match self.reconnection {
            Reconnection::Always => true,
            Reconnection::SafeMethods => self.was_safe.load(Ordering::Relaxed),
            Reconnection::Never => false,
        }
    }
}

fn connection(mut response: Response) -> Connection<Head, Body> {
    let head = Head {
        status: response.status(),
        headers: mem::take(response.headers_mut()),
        url: response.url().clone(),
    };
    Connection { head, body: Body(Box::pin(response.bytes_stream())) }
}

/// The bytes of a response.
pub(super) struct Body(BoxBody);

impl Stream for Body {
    type Item = Result<Bytes, Failure>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = ready!(self.0.as_mut().poll_next(cx));
        Poll::Ready(chunk.map(|chunk| chunk.map_err(Failure::Transport)))
    }
}
