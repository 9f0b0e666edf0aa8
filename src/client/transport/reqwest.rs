//! The reqwest transport: it sends clones of the user's request, or requests from the user's
//! function.

use super::clients::{BoxedClientFn, Clients};
use super::request::{self, Source};
use super::{RawResponse, Reporter, SendError, Sending, Transport};
use crate::client::attempt::RequestAttempt;
use crate::client::attempt_error::AttemptError;
use crate::client::disconnect::Disconnect;
use crate::client::error::Error;
use crate::client::platform::{self, MaybeSend};
use crate::client::response::{Head, public_url};
use crate::client::rules;
use crate::client::runtime::{Driven, Home};
use crate::client::transport_error::TransportError;
use alloc::boxed::Box;
use alloc::string::String;
use bytes::Bytes;
use core::future::{Future, ready};
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::Stream;
use reqwest::{RequestBuilder, Response};

pub(in crate::client) struct ReqwestTransport {
    source: Source,
    /// `None` unless the user set a function that creates them.
    clients: Option<Box<Clients>>,
}

impl ReqwestTransport {
    /// Returns the transport, and the value of the request's `Last-Event-ID` header.
    pub(in crate::client) fn given(request: RequestBuilder) -> (Self, Option<String>) {
        let (source, last_event_id) = Source::given(request);
        (ReqwestTransport { source, clients: None }, last_event_id)
    }

    pub(in crate::client) fn made<F, Fut>(make: F) -> Self
    where
        F: FnMut(RequestAttempt) -> Fut + MaybeSend + 'static,
        Fut: Future<Output = Result<RequestBuilder, AttemptError>> + MaybeSend + 'static,
    {
        ReqwestTransport { source: Source::made(make), clients: None }
    }
}

impl Transport for ReqwestTransport {
    fn send(&mut self, attempt: RequestAttempt, reporter: Reporter) -> Sending {
        let Some(home) = Home::here() else {
            return platform::boxed(ready(Err(SendError::Fatal(Error::NoRuntime))));
        };
        let last_event_id = attempt.last_event_id().cloned();
        let (replacement, next) = {
            // The user's functions may send requests too.
            let _inside = home.enter();
            let replacement = self.clients.as_mut().map(|clients| clients.next(&attempt));
            let replacement = match replacement.transpose() {
                Ok(replacement) => replacement.flatten(),
                Err(error) => return platform::boxed(ready(Err(SendError::invalid(error)))),
            };
            (replacement, self.source.next(attempt))
        };
        let sending = async move {
            let (client, request) = next.await?;
            let client = replacement.unwrap_or(client);
            reporter.sends(rules::is_safe(request.method()));
            reporter.span.url(|| public_url(request.url().as_str()));
            let request = request::prepare(&client, request, last_event_id.as_deref());
            match client.execute(request).await {
                Ok(response) => Ok(raw(response, home)),
                Err(error) if error.is_builder() => Err(SendError::invalid(error)),
                Err(error) => {
                    Err(SendError::Retry(Disconnect::Transport(TransportError::of_reqwest(error))))
                }
            }
        };
        platform::boxed(Driven::new(home, sending))
    }

    fn can_renew(&self) -> bool {
        self.source.is_made()
    }

    fn is_safe(&self) -> bool {
        self.source.is_safe()
    }

    fn set_client_fn(&mut self, make: BoxedClientFn) {
        self.clients = Some(Box::new(Clients::new(make)));
    }
}

fn raw(mut response: Response, home: Home) -> RawResponse {
    let head = Head {
        status: response.status(),
        headers: mem::take(response.headers_mut()),
        url: Some(response.url().as_str().into()),
    };
    let chunks = Chunks { bytes: response.bytes_stream() };
    RawResponse { head: Box::new(head), body: platform::boxed_stream(Driven::new(home, chunks)) }
}

pin_project_lite::pin_project! {
    /// The body of a reqwest response.
    struct Chunks<S> {
        #[pin]
        bytes: S,
    }
}

impl<S: Stream<Item = reqwest::Result<Bytes>>> Stream for Chunks<S> {
    type Item = Result<Bytes, TransportError>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.project().bytes.poll_next(cx).map_err(TransportError::of_reqwest)
    }
}
