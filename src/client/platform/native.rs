//! Native targets, where tokio drives requests.
//!
//! The stream is to be `Send` and `Sync`, so what is boxed in it is `Send`, and
//! wrapped so as to be `Sync` too (nothing is ever shared: all of it is polled
//! through `&mut`).

use super::own;
use crate::client::Error;
use crate::client::connect::Driven;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use bytes::Bytes;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::time::Duration;
use futures_core::Stream;
use reqwest::header::{CACHE_CONTROL, HeaderValue};
use reqwest::{Body, Client, Request, Response, ResponseBuilderExt};
use std::error::Error as StdError;
use sync_wrapper::{SyncFuture, SyncWrapper};
use tokio::runtime::{EnterGuard, Handle, Id};

/// `Send` where the stream is.
pub trait MaybeSend: Send {}
impl<T: Send + ?Sized> MaybeSend for T {}

/// `Send` and `Sync` where the stream is.
pub trait MaybeSync: Send + Sync {}
impl<T: Send + Sync + ?Sized> MaybeSync for T {}

pub(crate) type BoxFuture<T> = SyncFuture<Pin<Box<dyn Future<Output = T> + Send>>>;
pub(crate) type BoxBody = Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send + Sync>>;
pub(crate) type Exclusive<T> = SyncWrapper<T>;

pub(crate) fn boxed<T>(future: impl Future<Output = T> + MaybeSend + 'static) -> BoxFuture<T> {
    SyncFuture::new(Box::pin(future))
}

/// reqwest undoes the content codings that it was built for, and takes their header
/// away.
pub(crate) const UNDOES_EVERY_CODING: bool = false;

/// The runtime that drives a request. reqwest needs a tokio runtime; without one it
/// panics, and so it does where a timeout of its own is polled after its runtime
/// is gone.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Home {
    /// A runtime of the user's.
    Theirs(Id),
    Ours(&'static Handle),
}

/// While this is there, the home that was entered is around.
pub(crate) struct Inside(#[expect(dead_code, reason = "it is to be dropped")] Guard);
type Guard = Option<EnterGuard<'static>>;

impl Home {
    /// The runtime around this call, or else our own, if we have one.
    pub(crate) fn here() -> Result<Home, Error> {
        let ours = || own::handle().map(Home::Ours).ok_or(Error::NoRuntime);
        match Handle::try_current() {
            Ok(around) if own::is(&around) => ours(),
            Ok(around) => Ok(Home::Theirs(around.id())),
            // At the end of its life a thread has no place for a runtime any more.
            Err(error) if error.is_thread_local_destroyed() => Err(Error::NoRuntime),
            Err(_) => ours(),
        }
    }

    /// Sees to it that this runtime is around. A user's must be so already, for it
    /// may be gone or stand still; our own is there for everyone.
    pub(crate) fn enter(self) -> Option<Inside> {
        match (self, Handle::try_current()) {
            (Home::Theirs(id), Ok(around)) => (around.id() == id).then_some(Inside(None)),
            (Home::Theirs(_), Err(_)) => None,
            (Home::Ours(_), Err(error)) if error.is_thread_local_destroyed() => None,
            (Home::Ours(handle), _) => Some(Inside(Some(handle.enter()))),
        }
    }

    /// The bytes of a response that this runtime drives.
    pub(crate) fn body(self, response: Response) -> Driven<BoxBody> {
        Driven::new(self, Box::pin(response.bytes_stream()))
    }

    /// A response that can be read wherever its reader is, if its home is our own:
    /// without a runtime around, reqwest's timeouts would panic.
    pub(crate) fn let_go(self, mut response: Response) -> Response {
        if let Home::Theirs(_) = self {
            return response;
        }
        let empty = http::Response::builder().url(response.url().clone()).body(());
        let Ok(mut empty) = empty else { return response };
        *empty.status_mut() = response.status();
        *empty.version_mut() = response.version();
        *empty.headers_mut() = mem::take(response.headers_mut());
        empty.extensions_mut().extend(mem::take(response.extensions_mut()));
        empty.map(|()| Body::wrap_stream(self.body(response))).into()
    }
}

/// What a request needs to be sent here; the user's own headers win.
pub(crate) fn adapt(client: &Client, mut request: Request) -> Request {
    let no_cache = HeaderValue::from_static("no-cache");
    request.headers_mut().entry(CACHE_CONTROL).or_insert(no_cache);
    lift_total_timeout(&mut request, client);
    request
}

/// Keeps a client's total timeout, which counts until the end of the body, from
/// cutting a stream that is meant to have none. A timeout of the request's own
/// stays: someone asked for it.
///
/// The other timeout never ends, but it is a timer, which keeps a paused tokio
/// clock from standing still. So it is only set against one that is there, and
/// that a client shows in its `Debug` output alone. Should a later reqwest not
/// show it, streams are cut by it, and the cause says so.
fn lift_total_timeout(request: &mut Request, client: &Client) {
    if request.timeout().is_none() && alloc::format!("{client:?}").contains("TotalTimeout: ") {
        *request.timeout_mut() = Some(Duration::MAX);
    }
}

/// A value as the bytes of a header, unless it has control bytes.
pub(crate) fn header_value(value: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(value.as_bytes()).ok()
}

/// Whether nothing was sent, since there was no connection.
pub(crate) fn is_connect(error: &reqwest::Error) -> bool {
    error.is_connect()
}

/// What an error of the transport says of itself, in one line.
pub(crate) fn words(error: &dyn StdError) -> String {
    error.to_string()
}

/// The time that has passed since the beginning of 1970.
pub(crate) fn unix_time() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}
