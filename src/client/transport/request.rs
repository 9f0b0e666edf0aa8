//! The request of each attempt: the user's own, sent again where that is possible, or one that
//! the user's function makes.

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
use core::future::Future;
use core::time::Duration;
use reqwest::{Client, Request, RequestBuilder};
use std::error::Error as StdError;

type BuildFuture = BoxFuture<Result<RequestBuilder, AttemptError>>;

/// A request function whose future is boxed.
pub(super) trait RequestFn: FnMut(RequestAttempt) -> BuildFuture + MaybeSend {}
impl<F: FnMut(RequestAttempt) -> BuildFuture + MaybeSend> RequestFn for F {}

/// The origin of requests.
pub(super) enum Source {
    /// The request to send, again and again if it can be cloned.
    Given { client: Client, request: Option<Box<Request>> },
    /// The request could not be built, which is reported when it is needed.
    Invalid(TransportError),
    /// The user makes each.
    Made(Exclusive<Box<dyn RequestFn>>),
}

impl Source {
    /// Takes the user's request, and the last event ID that it names in a header: it
    /// becomes the stream's own, so that there are never two.
    pub(super) fn given(builder: RequestBuilder) -> (Self, Option<String>) {
        match builder.build_split() {
            (client, Ok(mut request)) => {
                let id = request.headers_mut().remove(LAST_EVENT_ID);
                let id = id.map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
                (Source::Given { client, request: Some(Box::new(request)) }, id)
            }
            (_, Err(error)) => (Source::Invalid(TransportError::new(error)), None),
        }
    }

    pub(super) fn made<F, Fut>(mut make: F) -> Self
    where
        F: FnMut(RequestAttempt) -> Fut + MaybeSend + 'static,
        Fut: Future<Output = Result<RequestBuilder, AttemptError>> + MaybeSend + 'static,
    {
        let boxed = move |attempt: RequestAttempt| platform::boxed(make(attempt));
        Source::Made(Exclusive::new(Box::new(boxed)))
    }

    /// Returns whether the user makes each request.
    pub(super) fn is_made(&self) -> bool {
        matches!(self, Source::Made(_))
    }

    /// Begins the request of the next attempt.
    pub(super) fn next(&mut self, attempt: RequestAttempt) -> Next {
        match self {
            Source::Given { client, request } => {
                let again = request.as_ref().and_then(|request| request.try_clone());
                match again.or_else(|| request.take().map(|request| *request)) {
                    Some(request) => Next::Ready(Box::new((client.clone(), request))),
                    None => Next::Failed(Error::NotRepeatable),
                }
            }
            Source::Invalid(error) => Next::Failed(Error::Request(error.clone())),
            Source::Made(make) => Next::Making(make.get_mut()(attempt)),
        }
    }
}

/// A request on its way.
pub(super) enum Next {
    Ready(Box<(Client, Request)>),
    Making(BuildFuture),
    Failed(Error),
}

impl Next {
    pub(super) async fn get(self) -> Result<(Client, Request), SendError> {
        match self {
            Next::Ready(ready) => Ok(*ready),
            Next::Making(making) => {
                let builder = making.await.map_err(failed)?;
                let (client, request) = builder.build_split();
                let fatal = |error| SendError::Fatal(Error::Request(TransportError::new(error)));
                Ok((client, request.map_err(fatal)?))
            }
            Next::Failed(error) => Err(SendError::Fatal(error)),
        }
    }
}

/// Sorts the error of a request function.
fn failed(error: AttemptError) -> SendError {
    let AttemptError { error, is_fatal } = error;
    match is_fatal {
        true => SendError::Fatal(Error::Fatal(error)),
        false => SendError::Retry(Disconnect::RequestFn(without_url(error))),
    }
}

/// Replaces an error of reqwest, which prints its URL, by one that does not.
fn without_url(error: Box<dyn StdError + Send + Sync>) -> Arc<dyn StdError + Send + Sync> {
    match error.is::<reqwest::Error>() {
        true => Arc::new(TransportError::new(error)),
        false => Arc::from(error),
    }
}

/// Adds what the standard asks for, and what reqwest needs to hold a stream.
pub(super) fn prepare(client: &Client, mut request: Request, id: Option<&str>) -> Request {
    rules::add_defaults(request.headers_mut());
    rules::set_last_event_id(request.headers_mut(), id);
    adapt(client, request)
}

/// Keeps a client's total timeout, which counts until the end of the body, from cutting a stream
/// that is meant to have none. A timeout of the request's own stays.
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
fn adapt(_: &Client, mut request: Request) -> Request {
    request.timeout_mut().get_or_insert(Duration::MAX);
    request
}

/// Sets the cache mode, and removes a timeout that is longer than `setTimeout` can take, which is
/// 24 days: reqwest panics on it.
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
fn adapt(client: &Client, mut request: Request) -> Request {
    let longest = Duration::from_millis(i32::MAX as u64);
    *request.timeout_mut() = request.timeout().copied().filter(|timeout| *timeout <= longest);
    let uncached = RequestBuilder::from_parts(client.clone(), request).fetch_cache_no_store();
    uncached.build().expect("a request that was built before")
}
