//! A connection over HTTP: a request out, a response that is an event stream in.

use super::error::needs_tls;
use super::platform::{self, BoxBody, BoxFuture, Home};
use super::request::{self, Source};
use super::response::{self, RetryStatus};
use super::{Error, Failure, Head, Reconnection, RequestAttempt};
use crate::reconnect::{Connect, ConnectError, Connection};
use crate::retry::DisconnectKind;
use crate::trace::Span;
use alloc::sync::Arc;
use bytes::Bytes;
use core::future::{Future, ready};
use core::mem;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll};
use futures_core::Stream;
use reqwest::{Method, Response, StatusCode};

pub(super) struct HttpConnect {
    pub(super) source: Source,
    pub(super) reconnection: Reconnection,
    pub(super) retry_status: Arc<dyn RetryStatus>,
    pub(super) last: Arc<LastRequest>,
}

/// What is remembered of the last request. Shared with the attempt, which knows only once
/// the request is made.
#[derive(Default)]
pub(super) struct LastRequest {
    /// Whether it was of a method that is safe to repeat.
    was_safe: AtomicBool,
    /// Whether the answer was a 401 for which the request is made anew.
    was_renewed: AtomicBool,
}

impl Connect for HttpConnect {
    type Head = Head;
    type Chunk = Bytes;
    type Body = Body;
    type Error = Failure;
    type Fatal = Error;
    type Connecting = Connecting;

    fn connect(&mut self, attempt: RequestAttempt) -> Self::Connecting {
        let home = match Home::here() {
            Ok(home) => home,
            Err(error) => return platform::boxed(ready(Err(ConnectError::Fatal(error)))),
        };
        let was_open = attempt.was_open;
        let last_event_id = attempt.last_event_id.clone();
        let span = attempt.span.clone();
        let next = {
            // The user's `request_fn` may send requests too.
            let _inside = home.enter();
            self.source.next(attempt)
        };
        let retry_status = Arc::clone(&self.retry_status);
        let reconnection = self.reconnection;
        // As long as nothing is sent, there is nothing to repeat.
        self.last.was_safe.store(true, Ordering::Relaxed);
        let last = Arc::clone(&self.last);
        let can_renew = self.source.is_made() && reconnection != Reconnection::Never;
        let connecting = platform::boxed(async move {
            let (client, request) = next.get().await.map_err(ConnectError::Fatal)?;
            let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
            last.was_safe.store(is_safe, Ordering::Relaxed);
            let may_repeat = reconnection.allows(is_safe);
            span.url(|| request::public_url(&request));
            let request = request::prepare(&client, request, last_event_id.as_deref());
            let response = match client.execute(request).await {
                Ok(response) => response,
                Err(error) if error.is_builder() || needs_tls(&error) => {
                    return Err(ConnectError::Fatal(Error::Request(Arc::new(error))));
                }
                Err(error) => {
                    let error = Failure::Transport(error);
                    span.transport_error(&error);
                    return Err(ConnectError::retry(error));
                }
            };
            span.status(response.status().as_u16());
            let is_unauthorized = response.status() == StatusCode::UNAUTHORIZED;
            let renew = is_unauthorized && can_renew && !last.was_renewed.load(Ordering::Relaxed);
            last.was_renewed.store(renew, Ordering::Relaxed);
            if renew {
                return Err(ConnectError::again(Failure::status(response)));
            }
            let retry = |status| may_repeat && retry_status(status, was_open);
            match response::check(response, retry) {
                Ok(response) => Ok(connection(response, home, span)),
                Err(ConnectError::Fatal(error)) => Err(ConnectError::Fatal(error.let_go(home))),
                Err(refusal) => Err(refusal),
            }
        });
        platform::boxed(Driven::new(home, connecting))
    }

    fn may_reconnect(&self, _: DisconnectKind) -> bool {
        self.reconnection.allows(self.last.was_safe.load(Ordering::Relaxed))
    }
}

fn connection(mut response: Response, home: Home, span: Span) -> Connection<Head, Body> {
    let head = Head {
        status: response.status(),
        headers: mem::take(response.headers_mut()),
        url: response.url().clone(),
    };
    Connection { head, body: Body { bytes: home.body(response), span } }
}

/// What is only to be polled, and dropped, in the runtime that drives it.
pub(super) struct Driven<T> {
    home: Home,
    /// There until it is dropped.
    inner: Option<T>,
}

impl<T> Driven<T> {
    pub(super) fn new(home: Home, inner: T) -> Self {
        Driven { home, inner: Some(inner) }
    }

    /// Polls it, unless that cannot be where this is called.
    #[inline]
    fn poll<R>(&mut self, poll: impl FnOnce(&mut T) -> R) -> Result<R, Failure> {
        match (self.home.enter(), &mut self.inner) {
            (Some(_inside), Some(inner)) => Ok(poll(inner)),
            _ => Err(Failure::OtherRuntime),
        }
    }
}

impl<T> Drop for Driven<T> {
    fn drop(&mut self) {
        let _inside = self.home.enter();
        self.inner = None;
    }
}

/// A connection being made.
type Connecting = BoxFuture<Result<Connection<Head, Body>, ConnectError<Failure, Error>>>;

impl Future for Driven<Connecting> {
    type Output = <Connecting as Future>::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = Driven::poll(&mut self, |inner| Pin::new(inner).poll(cx));
        polled.unwrap_or_else(|error| Poll::Ready(Err(ConnectError::retry(error))))
    }
}

impl Stream for Driven<BoxBody> {
    type Item = Result<Bytes, Failure>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match Driven::poll(&mut self, |inner| inner.as_mut().poll_next(cx)) {
            Ok(polled) => polled.map_err(Failure::Transport),
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }
}

/// The bytes of a response that is an event stream.
pub(super) struct Body {
    bytes: Driven<BoxBody>,
    span: Span,
}

impl Stream for Body {
    type Item = Result<Bytes, Failure>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = Pin::new(&mut self.bytes).poll_next(cx);
        if let Poll::Ready(Some(Err(error))) = &polled {
            self.span.transport_error(error);
        }
        polled
    }
}
