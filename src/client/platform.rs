//! What differs between native targets and the browser: whether futures are
//! `Send`, and who can drive a request.
//!
//! Natively the stream is to be `Send` and `Sync`, so what is boxed in it is
//! `Send`, and wrapped so as to be `Sync` too (nothing is ever shared: all of it
//! is polled through `&mut`).

use super::Error;
use alloc::boxed::Box;
use bytes::Bytes;
use core::future::Future;
use core::pin::Pin;
use core::time::Duration;
use futures_core::Stream;
use sync_wrapper::{SyncFuture, SyncWrapper};

/// `Send` where the stream is.
pub trait MaybeSend: Send {}
impl<T: Send + ?Sized> MaybeSend for T {}

/// `Send` and `Sync` where the stream is.
pub trait MaybeSync: Send + Sync {}
impl<T: Send + Sync + ?Sized> MaybeSync for T {}

pub(super) type BoxFuture<T> = SyncFuture<Pin<Box<dyn Future<Output = T> + Send>>>;
pub(super) type BoxBody = Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send + Sync>>;
pub(super) type Exclusive<T> = SyncWrapper<T>;

pub(super) fn boxed<T>(future: impl Future<Output = T> + MaybeSend + 'static) -> BoxFuture<T> {
    SyncFuture::new(Box::pin(future))
}

/// The runtime that drives a request. reqwest needs a tokio runtime; without one it
/// panics, and so it does where a timeout of its own is polled after its runtime
/// is gone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Home(tokio::runtime::Id);

impl Home {
    /// The runtime around this call.
    pub(super) fn here() -> Result<Home, Error> {
        match tokio::runtime::Handle::try_current() {
            Ok(handle) => Ok(Home(handle.id())),
            Err(_) => Err(Error::NoRuntime),
        }
    }

    /// Whether this is the runtime around this call.
    pub(super) fn is_here(self) -> bool {
        Home::here().is_ok_and(|here| here.0 == self.0)
    }
}

/// Keeps a client's total timeout, which counts until the end of the body, from
/// cutting a stream that is meant to have none. A timeout of the request's own
/// stays: someone asked for it.
///
/// The other timeout never ends, but it is a timer, which keeps a paused tokio
/// clock from standing still. So it is only set against one that is there, and
/// that a client shows in its `Debug` output alone. Should a later reqwest not
/// show it, streams are cut by it, and the cause says so.
pub(super) fn lift_total_timeout(request: &mut reqwest::Request, client: &reqwest::Client) {
    if request.timeout().is_none() && alloc::format!("{client:?}").contains("TotalTimeout: ") {
        *request.timeout_mut() = Some(Duration::MAX);
    }
}

/// The time that has passed since the beginning of 1970.
pub(super) fn unix_time() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}
