//! The request of each attempt: the user's own, made anew where that is possible,
//! with the headers that the standard asks for.

use super::platform::{self, BoxFuture, Exclusive, MaybeSend};
use super::{Error, RequestAttempt};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::future::Future;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Request, RequestBuilder, Url};
use std::error::Error as StdError;

pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

type BuildFuture = BoxFuture<Result<RequestBuilder, Error>>;

/// What the user's closure comes to once its future and error are boxed.
pub(super) trait RequestFn: FnMut(RequestAttempt) -> BuildFuture + MaybeSend {}
impl<F: FnMut(RequestAttempt) -> BuildFuture + MaybeSend> RequestFn for F {}

/// Where requests come from.
pub(super) enum Source {
    /// The request to send, again and again if it can be cloned.
    Given { client: Client, request: Option<Box<Request>> },
    /// The request could not be built, which is told when it is needed.
    Invalid(Arc<reqwest::Error>),
    /// The user makes each.
    Made(Exclusive<Box<dyn RequestFn>>),
}

impl Source {
    /// The user's request, and the last event ID that it names in a header: it
    /// becomes the stream's own, so that there are never two.
    pub(super) fn given(builder: RequestBuilder) -> (Self, Option<String>) {
        match builder.build_split() {
            (client, Ok(mut request)) => {
                let id = request.headers_mut().remove(LAST_EVENT_ID);
                let id = id.map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
                (Source::Given { client, request: Some(Box::new(request)) }, id)
            }
            (_, Err(error)) => (Source::Invalid(Arc::new(error)), None),
        }
    }

    pub(super) fn made<F, Fut, E>(mut make: F) -> Self
    where
        F: FnMut(RequestAttempt) -> Fut + MaybeSend + 'static,
        Fut: Future<Output = Result<RequestBuilder, E>> + MaybeSend + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let boxed = move |attempt: RequestAttempt| {
            let made = make(attempt);
            platform::boxed(
                async move { made.await.map_err(|error| Error::RequestFn(error.into())) },
            )
        };
        Source::Made(Exclusive::new(Box::new(boxed)))
    }

    /// Whether the user makes each request.
    pub(super) fn is_made(&self) -> bool {
        matches!(self, Source::Made(_))
    }

    /// The request of the next attempt.
    pub(super) fn next(&mut self, attempt: RequestAttempt) -> Next {
        match self {
            Source::Given { client, request } => {
                let again = request.as_ref().and_then(|request| request.try_clone());
                match again.or_else(|| request.take().map(|request| *request)) {
                    Some(request) => Next::Ready(Box::new((client.clone(), request))),
                    None => Next::Failed(Error::NotRepeatable),
                }
            }
            Source::Invalid(error) => Next::Failed(Error::Request(Arc::clone(error))),
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
    pub(super) async fn get(self) -> Result<(Client, Request), Error> {
        match self {
            Next::Ready(ready) => Ok(*ready),
            Next::Making(making) => {
                let (client, request) = making.await?.build_split();
                Ok((client, request.map_err(|error| Error::Request(Arc::new(error)))?))
            }
            Next::Failed(error) => Err(error),
        }
    }
}

/// Adds what the standard asks for, each header once; the user's own wins.
pub(super) fn prepare(client: &Client, mut request: Request, id: Option<&str>) -> Request {
    let headers = request.headers_mut();
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("text/event-stream"));
    set_last_event_id(headers, id);
    platform::adapt(client, request)
}

/// Where a request goes, without what may be a secret.
pub(super) fn public_url(request: &Request) -> Url {
    let mut url = request.url().clone();
    // A URL that can have neither a user nor a password refuses to have them changed.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// Sets the id as its UTF-8 bytes. One that fits into no header is left out, and
/// the server starts where it would for a new client.
fn set_last_event_id(headers: &mut HeaderMap, id: Option<&str>) {
    let Some(id) = id else { return };
    match platform::header_value(id) {
        Some(value) => headers.insert(LAST_EVENT_ID, value),
        None => headers.remove(LAST_EVENT_ID),
    };
}
