//! The browser. Its values never leave their thread.

use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;
use core::time::Duration;
use futures_core::Stream;

/// `Send` on native targets; in the browser no bound.
pub trait MaybeSend {}
impl<T: ?Sized> MaybeSend for T {}

/// `Send` and `Sync` on native targets; in the browser no bound.
pub trait MaybeSync {}
impl<T: ?Sized> MaybeSync for T {}

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;
pub(crate) type BoxStream<T> = Pin<Box<dyn Stream<Item = T>>>;

pub(crate) const IS_BROWSER: bool = true;

pub(crate) fn boxed<T>(future: impl Future<Output = T> + MaybeSend + 'static) -> BoxFuture<T> {
    Box::pin(future)
}

pub(crate) fn boxed_stream<T>(stream: impl Stream<Item = T> + MaybeSend + 'static) -> BoxStream<T> {
    Box::pin(stream)
}

/// A value that is only used through `&mut`.
pub(crate) struct Exclusive<T>(T);

impl<T> Exclusive<T> {
    pub(crate) fn new(value: T) -> Self {
        Exclusive(value)
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// Returns the time since the beginning of 1970.
pub(crate) fn unix_time() -> Duration {
    Duration::from_millis(js_sys::Date::now() as u64)
}
