//! The request of each attempt: a clone of the user's request, or one from the user's function.

use super::SendError;
use crate::client::attempt::RequestAttempt;
use crate::client::attempt_error::AttemptError;
use crate::client::disconnect::Disconnect;
use crate::client::error::Error;
use crate::client::platform::{self, BoxFuture, Exclusive, MaybeSend};
use crate::client::rules::{self, LAST_EVENT_ID};
use crate::client::transport_error::TransportError;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::future::{Future, ready};
use core::time::Duration;
use reqwest::{Client, Request, RequestBuilder};

type Built = Result<(Client, Request), SendError>;

/// A request function whose future is boxed and builds the request.
pub(super) trait RequestFn: FnMut(RequestAttempt) -> BoxFuture<Built> + MaybeSend {}
impl<F: FnMut(RequestAttempt) -> BoxFuture<Built> + MaybeSend> RequestFn for F {}

/// The origin of requests.
pub(super) enum Source {
    /// The request to send. It is cloned for each attempt if its body allows it.
    Given { client: Client, request: Option<Box<Request>> },
    /// The request could not be built. The first attempt reports it.
    Invalid(TransportError),
    /// The user's function returns each request.
    Made(Exclusive<Box<dyn RequestFn>>),
}

impl Source {
    /// Returns the source of a user's request, and the value of its `Last-Event-ID` header. The
    /// header is removed, because the stream sets its own.
    pub(super) fn given(builder: RequestBuilder) -> (Self, Option<String>) {
        match builder.build_split() {
            (client, Ok(mut request)) => {
                let id = request.headers_mut().remove(LAST_EVENT_ID);
                let id = id.map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
                (Source::Given { client, request: Some(Box::new(request)) }, id)
            }
            (_, Err(error)) => (Source::Invalid(TransportError::of_reqwest(error)), None),
        }
    }

    pub(super) fn made<F, Fut>(mut make: F) -> Self
    where
        F: FnMut(RequestAttempt) -> Fut + MaybeSend + 'static,
        Fut: Future<Output = Result<RequestBuilder, AttemptError>> + MaybeSend + 'static,
    {
        let boxed = move |attempt: RequestAttempt| platform::boxed(build(make(attempt)));
        Source::Made(Exclusive::new(Box::new(boxed)))
    }

    /// Returns whether the user's function returns each request.
    pub(super) fn is_made(&self) -> bool {
        matches!(self, Source::Made(_))
    }

    /// Returns whether the request is known, and safe to repeat.
    pub(super) fn is_safe(&self) -> bool {
        match self {
            Source::Given { request: Some(request), .. } => rules::is_safe(request.method()),
            _ => false,
        }
    }

    /// Returns the request of the next attempt.
    pub(super) fn next(&mut self, attempt: RequestAttempt) -> BoxFuture<Built> {
        let built = match self {
            Source::Given { client, request } => {
                let again = request.as_ref().and_then(|request| request.try_clone());
                let request = again.or_else(|| request.take().map(|request| *request));
                request.map(|request| (client.clone(), request)).ok_or(Error::NotRepeatable)
            }
            Source::Invalid(error) => Err(Error::Request(error.clone())),
            Source::Made(make) => return make.get_mut()(attempt),
        };
        platform::boxed(ready(built.map_err(SendError::Fatal)))
    }
}

/// Builds the request that the user's function returns.
async fn build(made: impl Future<Output = Result<RequestBuilder, AttemptError>>) -> Built {
    let reason = |error| Disconnect::RequestFn(Arc::from(error));
    let made = made.await.map_err(|error| SendError::of_user(error, reason));
    let (client, request) = made?.build_split();
    Ok((client, request.map_err(SendError::invalid)?))
}

impl SendError {
    /// Converts the error of a client or request that could not be built.
    pub(super) fn invalid(error: reqwest::Error) -> Self {
        SendError::Fatal(Error::Request(TransportError::of_reqwest(error)))
    }
}

/// Adds the headers of the standard, and the settings that reqwest needs for a long response.
pub(super) fn prepare(client: &Client, mut request: Request, id: Option<&str>) -> Request {
    rules::add_defaults(request.headers_mut());
    rules::set_last_event_id(request.headers_mut(), id);
    adapt(client, request)
}

/// Disables the client's total timeout, which would end an open stream. A timeout of the request is
/// kept.
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
fn adapt(_: &Client, mut request: Request) -> Request {
    request.timeout_mut().get_or_insert(Duration::MAX);
    request
}

/// Sets the cache mode. Removes a timeout over 24 days, the maximum of `setTimeout`, because
/// reqwest panics on it.
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
fn adapt(client: &Client, mut request: Request) -> Request {
    let longest = Duration::from_millis(i32::MAX as u64);
    *request.timeout_mut() = request.timeout().copied().filter(|timeout| *timeout <= longest);
    let uncached = RequestBuilder::from_parts(client.clone(), request).fetch_cache_no_store();
    // `expect` would print the error, so a page would load the code that prints it.
    let Ok(request) = uncached.build() else { unreachable!("it was built before") };
    request
}
