//! The runtime that a connection belongs to, and futures and bodies that are polled in it.
//!
//! reqwest panics if its futures or bodies are polled outside of tokio. So each is polled inside
//! the runtime in which it was created. If that runtime is absent, it reports an error.

// Native reqwest needs tokio. In other builds there is no runtime to enter.
#[cfg(all(feature = "reqwest", not(all(target_arch = "wasm32", target_os = "unknown"))))]
mod tokio;
#[cfg(all(feature = "reqwest", not(all(target_arch = "wasm32", target_os = "unknown"))))]
use tokio as target;

#[cfg(not(all(feature = "reqwest", not(all(target_arch = "wasm32", target_os = "unknown")))))]
mod anywhere;
#[cfg(not(all(
    feature = "reqwest",
    not(all(target_arch = "wasm32", target_os = "unknown"))
)))]
use anywhere as target;

pub(super) use target::Home;

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::Stream;

/// The error of a poll outside of the runtime of the future or stream.
#[derive(Debug)]
pub(super) struct Elsewhere;

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another runtime")
    }
}

impl core::error::Error for Elsewhere {}

pin_project_lite::pin_project! {
    /// A future or a stream that is polled, and dropped, in the runtime that drives it.
    pub(super) struct Driven<T> {
        home: Home,
        // `None` only while this is dropped.
        #[pin]
        inner: Option<T>,
    }

    impl<T> PinnedDrop for Driven<T> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _inside = this.home.enter();
            this.inner.set(None);
        }
    }
}

impl<T> Driven<T> {
    pub(super) fn new(home: Home, inner: T) -> Self {
        Driven { home, inner: Some(inner) }
    }
}

impl<T, E: From<Elsewhere>, F: Future<Output = Result<T, E>>> Future for Driven<F> {
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let inside = this.home.enter();
        match this.inner.as_pin_mut().filter(|_| inside.is_some()) {
            Some(inner) => inner.poll(cx),
            None => Poll::Ready(Err(Elsewhere.into())),
        }
    }
}

impl<T, E: From<Elsewhere>, S: Stream<Item = Result<T, E>>> Stream for Driven<S> {
    type Item = Result<T, E>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let inside = this.home.enter();
        match this.inner.as_pin_mut().filter(|_| inside.is_some()) {
            Some(inner) => inner.poll_next(cx),
            None => Poll::Ready(Some(Err(Elsewhere.into()))),
        }
    }
}
