//! Native targets. The stream is `Send` and `Sync`, so its boxes are `Send`. A wrapper makes them
//! `Sync`, because they are only polled through `&mut`.

use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;
use core::time::Duration;
use futures_core::Stream;
use std::time::{SystemTime, UNIX_EPOCH};
use sync_wrapper::{SyncFuture, SyncStream, SyncWrapper};

/// `Send` on native targets; in the browser no bound.
pub trait MaybeSend: Send {}
impl<T: Send + ?Sized> MaybeSend for T {}

/// `Send` and `Sync` on native targets; in the browser no bound.
pub trait MaybeSync: Send + Sync {}
impl<T: Send + Sync + ?Sized> MaybeSync for T {}

pub(crate) type BoxFuture<T> = SyncFuture<Pin<Box<dyn Future<Output = T> + Send>>>;
pub(crate) type BoxStream<T> = SyncStream<Pin<Box<dyn Stream<Item = T> + Send>>>;
pub(crate) type Exclusive<T> = SyncWrapper<T>;

pub(crate) const IS_BROWSER: bool = false;

pub(crate) fn boxed<T>(future: impl Future<Output = T> + MaybeSend + 'static) -> BoxFuture<T> {
    SyncFuture::new(Box::pin(future))
}

pub(crate) fn boxed_stream<T>(stream: impl Stream<Item = T> + MaybeSend + 'static) -> BoxStream<T> {
    SyncStream::new(Box::pin(stream))
}

/// Returns the time since the beginning of 1970.
pub(crate) fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
