//! A stream of events that reconnects, over any transport.
//!
//! The [`Connect`] trait opens connections, a [`Timer`] measures time, and a [`RetryPolicy`]
//! decides about the next attempt. `EventSource` is this layer over HTTP. Use it directly to
//! reconnect over another transport: implement [`Connect`], pass it and a [`Timer`] to
//! [`Reconnect::new`], and poll. A body that is never reconnected is an
//! [`EventStream`](crate::EventStream).
//!
//! This file is the public API. `engine.rs` polls, `phase.rs` holds the connection, and `machine.rs`
//! decides.

mod alarm;
mod connect;
mod engine;
mod event;
mod handle;
mod health;
mod machine;
#[cfg(all(test, everstream_loom))]
mod models;
mod phase;
mod policy;
mod progress;
mod quote;
mod settings;
mod shared;
mod simple;
mod start;
mod stats;

pub use connect::{Attempt, Connect, ConnectError, Connection};
pub use event::{Reason, ReconnectError, ReconnectEvent, ReconnectOpened};
pub use handle::{Handle, StateWatch};
pub use health::{Health, NextAttempt};
pub use machine::ReadyState;
#[doc(hidden)]
pub use machine::{Action, Input, Loss, Machine, State};
#[cfg(feature = "http")]
pub(crate) use policy::BoxedPolicy;
pub use settings::{OnOversize, Timeouts};
pub use simple::{ConnectFn, ConnectFnFuture, Once, connect_fn};
pub use stats::Stats;

use crate::retry::RetryPolicy;
use crate::timer::Timer;
use alloc::boxed::Box;
use alloc::sync::Arc;
use bytes::Bytes;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use engine::{Engine, Item};
use futures_core::Stream;
use futures_core::stream::FusedStream;
use settings::Limits;

/// A stream of events that reconnects, over any [`Connect`] and any [`Timer`].
///
/// It yields [`ReconnectEvent`]s. The stream ends with `None` when it is closed or when the server
/// ends it for good. An `Err` is always the last item. Nothing is sent before the first poll.
///
/// It is cancel-safe: dropping a `next()` future loses nothing.
///
/// ```
/// use everstream::ManualTimer;
/// use everstream::reconnect::{Attempt, ConnectError, Reconnect, ReconnectEvent, connect_fn};
/// use futures_util::{FutureExt, StreamExt, stream};
/// use std::io;
///
/// let connect = connect_fn(|attempt: Attempt<io::Error>| async move {
///     if attempt.number > 3 {
///         return Err(ConnectError::Fatal("still down"));
///     }
///     Ok(stream::iter([Ok("data: hello\n\n")]))
/// });
/// let timer = ManualTimer::new();
/// let mut events = Reconnect::new(connect, timer.clone());
/// let mut next = || events.next().now_or_never();
/// assert!(matches!(next(), Some(Some(Ok(ReconnectEvent::Open(_))))));
/// assert!(matches!(next(), Some(Some(Ok(ReconnectEvent::Message(m)))) if m.data() == "hello"));
/// assert!(matches!(next(), Some(Some(Ok(ReconnectEvent::Reconnecting { .. })))));
/// assert!(next().is_none(), "it waits");
/// timer.advance_to_next();
/// assert!(matches!(next(), Some(Some(Ok(ReconnectEvent::Open(_))))));
/// ```
pub struct Reconnect<C: Connect, T: Timer> {
    engine: Engine<C, T>,
}

impl<B, K, E, T> Reconnect<Once<B>, T>
where
    B: Stream<Item = Result<K, E>>,
    K: Into<Bytes>,
    T: Timer,
{
    /// Creates a stream over one body that is never reconnected, for code that has sent a request
    /// and checked the response by itself. It has the timeouts and limits of a reconnecting stream,
    /// and the check for a body that is not an event stream. A clean end ends the stream with `None`,
    /// anything else with [`ReconnectError::Lost`]. Use [`EventStream`](crate::EventStream) if none
    /// of this is needed.
    ///
    /// ```
    /// use everstream::ManualTimer;
    /// use everstream::reconnect::{Reason, Reconnect, ReconnectError, Timeouts};
    /// use futures_util::{FutureExt, StreamExt, stream};
    /// use std::time::Duration;
    ///
    /// let timer = ManualTimer::new();
    /// let body = stream::iter([Ok::<_, ()>("data: hello\n\n")]).chain(stream::pending());
    /// let limits = Timeouts::new().with_idle(Duration::from_secs(30));
    /// let mut events = Reconnect::once(body, timer.clone()).with_timeouts(limits);
    /// while let Some(Some(event)) = events.next().now_or_never() {
    ///     println!("{:?}", event.unwrap()); // opened, and one message
    /// }
    /// timer.advance(Duration::from_secs(30));
    /// let Some(Some(Err(ReconnectError::Lost(reason)))) = events.next().now_or_never() else {
    ///     panic!("it is lost")
    /// };
    /// assert_eq!(*reason, Reason::IdleTimeout(Duration::from_secs(30)));
    /// ```
    pub fn once(body: B, timer: T) -> Self {
        Reconnect::resuming(body, Once::new(), timer)
    }
}

impl<C: Connect, T: Timer> Reconnect<C, T> {
    /// Creates a stream that begins with an open connection and reconnects by `connect`.
    /// The connection is a [`Connection`], or a body if there is no head. It counts as the
    /// first attempt.
    ///
    /// ```
    /// use everstream::ManualTimer;
    /// use everstream::reconnect::{Attempt, ConnectError, Reconnect, connect_fn};
    /// use futures_util::{FutureExt, StreamExt, future, stream};
    ///
    /// type Never = std::convert::Infallible;
    /// type Body = stream::Iter<std::array::IntoIter<Result<&'static str, Never>, 1>>;
    ///
    /// let timer = ManualTimer::new();
    /// let first = stream::iter([Ok("id: 1\ndata: hello\n\n")]);
    /// let connect = connect_fn(|attempt: Attempt<Never>| {
    ///     assert_eq!(attempt.last_event_id.as_deref(), Some("1"));
    ///     future::ready(Err::<Body, _>(ConnectError::<_, Never>::Finished))
    /// });
    /// let mut events = Reconnect::resuming(first, connect, timer.clone());
    /// while let Some(Some(event)) = events.next().now_or_never() {
    ///     println!("{:?}", event.unwrap()); // opened, one message, and reconnecting
    /// }
    /// timer.advance_to_next();
    /// assert!(events.next().now_or_never().unwrap().is_none());
    /// ```
    pub fn resuming(first: impl Into<Connection<C::Head, C::Body>>, connect: C, timer: T) -> Self {
        Reconnect { engine: Engine::new(Some(first.into()), connect, timer) }
    }

    /// Creates a stream over the connections of `connect`, with the defaults: a
    /// [`Backoff`](crate::Backoff), no timeouts, the limits of a [new parser](crate::Parser::new).
    ///
    /// ```
    /// use everstream::reconnect::{Connect, Reconnect, Timeouts};
    /// use everstream::{Backoff, OnOversize, Timer};
    /// use std::time::Duration;
    ///
    /// fn events<C: Connect, T: Timer>(connect: C, timer: T) -> Reconnect<C, T> {
    ///     Reconnect::new(connect, timer)
    ///         .with_retry_policy(Backoff::new().with_max_retries(10))
    ///         .with_timeouts(Timeouts::new().with_idle(Duration::from_secs(45)))
    ///         .with_max_event_size(64 * 1024)
    ///         .with_on_oversize(OnOversize::Fail)
    ///         .with_comments(true)
    ///         .with_updates(true)
    ///         .with_last_event_id("41")
    /// }
    /// ```
    pub fn new(connect: C, timer: T) -> Self {
        Reconnect { engine: Engine::new(None, connect, timer) }
    }

    /// Sets the policy that decides about the next attempt. Unless the user seeded the policy, it
    /// is seeded from the operating system with the feature `std`, and from `Math.random` in the
    /// browser with the feature `wasm`.
    /// See [`new`](Self::new) for an example.
    #[must_use]
    pub fn with_retry_policy(mut self, policy: impl RetryPolicy + Send + Sync + 'static) -> Self {
        self.engine.policy.set(Box::new(policy));
        self
    }

    #[cfg(feature = "http")]
    pub(crate) fn set_boxed_retry_policy(&mut self, policy: BoxedPolicy) {
        self.engine.policy.set(policy);
    }

    /// Sets the time limits of a connection. Default: none. See [`new`](Self::new) for an example.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.engine.limits = Limits::new(timeouts);
        self
    }

    /// Sets the maximum size of an event in bytes, as
    /// [`EventStream::with_max_event_size`](crate::EventStream::with_max_event_size) does.
    /// See [`new`](Self::new) for an example.
    #[must_use]
    pub fn with_max_event_size(mut self, bytes: usize) -> Self {
        self.engine.decoder.set_max_event_size(bytes);
        self
    }

    /// Sets the internal sizes of the parser, for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn with_sizes(mut self, sizes: &'static crate::Sizes) -> Self {
        self.engine.decoder.set_sizes(sizes);
        self
    }

    /// Sets the response to an event over the size limit. See [`new`](Self::new) for an example.
    #[must_use]
    pub fn with_on_oversize(mut self, on_oversize: OnOversize) -> Self {
        self.engine.on_oversize = on_oversize;
        self
    }

    /// Sets whether comments are reported. Default: false. See [`new`](Self::new) for an example.
    #[must_use]
    pub fn with_comments(mut self, report: bool) -> Self {
        self.engine.decoder.set_comments(report);
        self
    }

    /// Sets whether a block without data that set the last event ID or the reconnection time is
    /// reported, as [`ReconnectEvent::Update`]. Default: false.
    /// See [`new`](Self::new) for an example.
    #[must_use]
    pub fn with_updates(mut self, report: bool) -> Self {
        self.engine.decoder.set_updates(report);
        self
    }

    /// Sets the last event ID to resume from. See [`new`](Self::new) for an example.
    #[must_use]
    pub fn with_last_event_id(mut self, id: &str) -> Self {
        self.engine.set_last_event_id(id);
        self
    }

    /// Closes the stream: drops the connection and the timers at once. The stream yields `None`
    /// from then on, even if events had been received already. The last event ID is kept, and
    /// [`force_reconnect`](Self::force_reconnect) revives the stream. Does nothing if it is closed.
    /// See [`force_reconnect_with_id`](Self::force_reconnect_with_id) for an example.
    #[doc(alias = "cancel")]
    #[doc(alias = "stop")]
    pub fn close(&mut self) {
        self.engine.overrule(Input::Close);
    }

    /// Returns the state, as the standard numbers it.
    /// See [`force_reconnect_with_id`](Self::force_reconnect_with_id) for an example.
    pub fn ready_state(&self) -> ReadyState {
        self.engine.state().into()
    }

    /// Returns the last event ID as of the last item; `None` if it is empty.
    /// See [`force_reconnect_with_id`](Self::force_reconnect_with_id) for an example.
    pub fn last_event_id(&self) -> Option<&Arc<str>> {
        self.engine.last_event_id()
    }

    /// Reconnects from any state, without a delay, and resets the backoff. The connection is
    /// dropped at once. Events received after the last item are requested again by the last event
    /// ID. The attempt starts at the next poll. This also revives a closed stream.
    /// See [`force_reconnect_with_id`](Self::force_reconnect_with_id) for an example.
    #[doc(alias = "resume")]
    pub fn force_reconnect(&mut self) {
        self.engine.overrule(Input::Force);
    }

    /// Reconnects as [`force_reconnect`](Self::force_reconnect) does, and resumes from this ID.
    /// `None` or an empty one sends none.
    ///
    /// ```
    /// use everstream::reconnect::{Connect, Reconnect};
    /// use everstream::{ReadyState, Timer};
    ///
    /// fn pause_and_replay<C: Connect, T: Timer>(events: &mut Reconnect<C, T>) {
    ///     events.close();
    ///     assert_eq!(events.ready_state(), ReadyState::Closed);
    ///     events.force_reconnect(); // from the last event
    ///     assert_eq!(events.ready_state(), ReadyState::Connecting);
    ///     events.force_reconnect_with_id(Some("41".into()));
    ///     assert_eq!(events.last_event_id().map(|id| &**id), Some("41"));
    /// }
    /// ```
    pub fn force_reconnect_with_id(&mut self, id: Option<Arc<str>>) {
        self.engine.overrule(Input::Force);
        self.engine.set_last_event_id(id.as_deref().unwrap_or_default());
    }

    /// Returns a handle to control and observe the stream from another task or thread.
    /// See [`Handle`] for an example.
    pub fn handle(&mut self) -> Handle {
        Handle { shared: self.engine.share() }
    }

    /// Returns the counts of the stream so far. See [`Stats`] for an example.
    pub fn stats(&self) -> Stats {
        self.engine.stats
    }
}

impl<C: Connect, T: Timer> Unpin for Reconnect<C, T> {}

impl<C: Connect, T: Timer> Stream for Reconnect<C, T> {
    type Item = Item<C>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().engine.poll_next(cx)
    }
}

impl<C: Connect, T: Timer> FusedStream for Reconnect<C, T> {
    fn is_terminated(&self) -> bool {
        self.engine.is_terminated()
    }
}

impl<C: Connect, T: Timer> fmt::Debug for Reconnect<C, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnect")
            .field("state", &self.engine.state())
            .field("last_event_id", &self.engine.decoder.last_event_id())
            .field("retry", &self.engine.decoder.retry())
            .field("attempts", &self.engine.machine.attempts())
            .finish_non_exhaustive()
    }
}
