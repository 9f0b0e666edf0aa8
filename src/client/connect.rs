//! A connection over HTTP: a request out, a response that is an event stream in.

use super::error::needs_tls;
use super::platform::{self, BoxBody, BoxFuture, Home};
use super::request::{self, Source};
use super::response::{self, RetryStatus};
use super::{Error, Failure, Head, Reconnection, RequestAttempt};
use crate::reconnect::{Connect, Connection, Refusal};
use alloc::boxed::Box;
use alloc::sync::Arc;
use bytes::Bytes;
use core::future::{Future, ready};
use core::mem;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll};
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
        let home = match Home::here() {
            Ok(home) => home,
            Err(error) => return platform::boxed(ready(Err(Refusal::Fatal(error)))),
        };
        let was_open = attempt.was_open;
        let last_event_id = attempt.last_event_id.cloned();
        let next = self.source.next(attempt);
        let retry_status = Arc::clone(&self.retry_status);
        let reconnection = self.reconnection;
        // As long as nothing is sent, there is nothing to repeat.
        self.was_safe.store(true, Ordering::Relaxed);
        let was_safe = Arc::clone(&self.was_safe);
        platform::boxed(async move {
            let (client, mut request) = next.get().await.map_err(Refusal::Fatal)?;
            let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
            was_safe.store(is_safe, Ordering::Relaxed);
            let may_repeat = reconnection.allows(is_safe);
            request::prepare(&client, &mut request, last_event_id.as_deref());
            let sent = Driven { home, inner: pin!(client.execute(request)) };
            let response = match sent.await {
                Ok(response) => response,
                Err(Failure::Transport(error)) if error.is_builder() || needs_tls(&error) => {
                    return Err(Refusal::Fatal(Error::Request(Arc::new(error))));
                }
                Err(error) => return Err(Refusal::Retry { error, retry_after: None }),
            };
            let retry = |status| may_repeat && retry_status(status, was_open);
            let response = response::check(response, retry)?;
            Ok(connection(response, home))
        })
    }

    fn may_reconnect(&self) -> bool {
        self.reconnection.allows(self.was_safe.load(Ordering::Relaxed))
    }
}

fn connection(mut response: Response, home: Home) -> Connection<Head, Body> {
    let head = Head {
        status: response.status(),
        headers: mem::take(response.headers_mut()),
        url: response.url().clone(),
    };
    Connection { head, body: Driven { home, inner: Box::pin(response.bytes_stream()) } }
}

/// The bytes of a response.
pub(super) type Body = Driven<BoxBody>;

/// What is only to be polled in the runtime that drives it.
pub(super) struct Driven<T> {
    home: Home,
    inner: T,
}

impl<F> Future for Driven<Pin<&mut F>>
where
    F: Future<Output = reqwest::Result<Response>>,
{
    type Output = Result<Response, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.home.is_here() {
            return Poll::Ready(Err(Failure::OtherRuntime));
        }
        self.inner.as_mut().poll(cx).map_err(Failure::Transport)
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Failure>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.home.is_here() {
            return Poll::Ready(Some(Err(Failure::OtherRuntime)));
        }
        self.inner.as_mut().poll_next(cx).map_err(Failure::Transport)
    }
}
