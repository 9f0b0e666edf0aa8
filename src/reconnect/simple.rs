//! Connectors for common cases: a closure, and a single body.

use super::connect::{Attempt, Connect, ConnectError, Connection};
use crate::retry::DisconnectKind;
use bytes::Bytes;
use core::convert::Infallible;
use core::fmt;
use core::future::{Future, Ready, ready};
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::Stream;

/// Creates a [`Connect`] from a closure that returns the future of a body.
/// See [`Reconnect`](super::Reconnect) for an example.
#[doc(alias = "mock")]
pub fn connect_fn<F, Fut, B, K, E, X>(connect: F) -> ConnectFn<F, E>
where
    F: FnMut(Attempt<E>) -> Fut,
    Fut: Future<Output = Result<B, ConnectError<E, X>>>,
    B: Stream<Item = Result<K, E>>,
    K: Into<Bytes>,
{
    ConnectFn { connect, may_reconnect: |_| true, error: PhantomData }
}

/// A connector over a closure, created by [`connect_fn`].
pub struct ConnectFn<F, E> {
    connect: F,
    may_reconnect: fn(DisconnectKind) -> bool,
    error: PhantomData<fn(E)>,
}

impl<F, E> ConnectFn<F, E> {
    /// Sets the function that [`Connect::may_reconnect`](super::Connect::may_reconnect) calls.
    /// Default: always true.
    ///
    /// ```
    /// use everstream::DisconnectKind;
    /// use everstream::reconnect::{Attempt, Connect, ConnectError, connect_fn};
    /// use futures_util::stream;
    ///
    /// type Never = std::convert::Infallible;
    /// let connect = connect_fn(|_: Attempt<Never>| async {
    ///     Ok::<_, ConnectError<_, Never>>(stream::iter([Ok("data: hello\n\n")]))
    /// });
    /// let connect = connect.with_may_reconnect(|lost| lost == DisconnectKind::Broken);
    /// assert!(!connect.may_reconnect(DisconnectKind::Ended));
    /// ```
    #[must_use]
    pub fn with_may_reconnect(mut self, may_reconnect: fn(DisconnectKind) -> bool) -> Self {
        self.may_reconnect = may_reconnect;
        self
    }
}

impl<F, Fut, B, K, E, X> Connect for ConnectFn<F, E>
where
    F: FnMut(Attempt<E>) -> Fut,
    Fut: Future<Output = Result<B, ConnectError<E, X>>>,
    B: Stream<Item = Result<K, E>>,
    K: Into<Bytes>,
{
    type Head = ();
    type Chunk = K;
    type Body = B;
    type Error = E;
    type Fatal = X;
    type Connecting = ConnectFnFuture<Fut>;

    fn connect(&mut self, attempt: Attempt<E>) -> Self::Connecting {
        ConnectFnFuture { future: (self.connect)(attempt) }
    }

    fn may_reconnect(&self, lost: DisconnectKind) -> bool {
        (self.may_reconnect)(lost)
    }
}

impl<F, E> fmt::Debug for ConnectFn<F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectFn").finish_non_exhaustive()
    }
}

pin_project_lite::pin_project! {
    /// The future of a connection of a [`ConnectFn`].
    #[derive(Debug)]
    pub struct ConnectFnFuture<Fut> {
        #[pin]
        future: Fut,
    }
}

impl<Fut, B, E> Future for ConnectFnFuture<Fut>
where
    Fut: Future<Output = Result<B, E>>,
{
    type Output = Result<Connection<(), B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(cx).map_ok(Connection::from)
    }
}

/// The connector of a body that is never reconnected, created by
/// [`Reconnect::once`](super::Reconnect::once). Its attempts return [`ConnectError::Finished`].
pub struct Once<B> {
    body: PhantomData<fn() -> B>,
}

impl<B> fmt::Debug for Once<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once")
    }
}

impl<B> Once<B> {
    pub(super) fn new() -> Self {
        Once { body: PhantomData }
    }
}

impl<B, K, E> Connect for Once<B>
where
    B: Stream<Item = Result<K, E>>,
    K: Into<Bytes>,
{
    type Head = ();
    type Chunk = K;
    type Body = B;
    type Error = E;
    type Fatal = Infallible;
    type Connecting = Ready<Result<Connection<(), B>, ConnectError<E, Infallible>>>;

    fn connect(&mut self, _: Attempt<E>) -> Self::Connecting {
        ready(Err(ConnectError::Finished))
    }

    fn may_reconnect(&self, _: DisconnectKind) -> bool {
        false
    }
}
