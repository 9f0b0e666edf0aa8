//! A stream of events that outlives its connections, whatever they are made of:
//! the [`Connect`] trait makes them, a [`Timer`] measures the time, the
//! [machine](Machine) decides, and this file polls.
//!
//! `EventSource` is this floor with reqwest below it. Use it by itself to reconnect what
//! is made by another HTTP client or comes over no HTTP at all: implement [`Connect`],
//! give it and a [`Timer`] to [`Reconnect::new`], and poll. When to connect again is for
//! the [`retry`](crate::retry) floor to say. For a body that is never reconnected there
//! is [`EventStream`](crate::EventStream).
//!
//! Invariants:
//! - There is one connection at the most. It is dropped before the wait for the
//!   next one begins, and when the stream is closed, forced or dropped.
//! - Connections and sleeps are made inside `poll_next` and nowhere else, so
//!   whatever context the executor provides is there.
//! - The last event ID is that of the last item given. What was received behind
//!   it and not given is asked for again, or its loss would be silent.
//! - An `Err` is the last item. Whatever ended the stream, polling it again gives
//!   `None`.

mod alarm;
mod connect;
mod event;
mod handle;
mod machine;
mod start;
mod stats;
mod watch;

pub use connect::{Attempt, Connect, ConnectError, Connection};
pub use event::{Reason, ReconnectError, ReconnectEvent, ReconnectOpened};
pub use handle::{Handle, ReadyState};
pub use machine::{Action, Input, Machine, State};
pub use stats::Stats;
pub use watch::StateWatch;

use crate::decoder::Decoder;
use crate::entropy;
use crate::message::OwnedFrame;
use crate::parser::Parser;
use crate::retry::{Backoff, DisconnectKind, RetryPolicy};
use crate::timer::Timer;
use crate::trace::Span;
use alarm::Alarm;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use futures_core::Stream;
use futures_core::stream::FusedStream;
use handle::{Order, Shared};
use spin::Once;
use start::Start;

/// After so many chunks without an item a poll makes room for others: a server that
/// floods its client with comments must not keep it from anything else.
const CHUNKS_PER_POLL: usize = 64;

/// What a [`Reconnect`] yields.
type Item<C> = Result<
    ReconnectEvent<<C as Connect>::Head, <C as Connect>::Error>,
    ReconnectError<<C as Connect>::Fatal, <C as Connect>::Error>,
>;

/// A policy as a stream keeps it.
pub(crate) type BoxedPolicy = Box<dyn RetryPolicy + Send + Sync>;

/// What to do when an event grows beyond the limit.
///
/// ```
/// assert_eq!(everstream::OnOversize::default(), everstream::OnOversize::Discard);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnOversize {
    /// Drop the event, report it and go on with the next one.
    #[default]
    Discard,
    /// End the stream with an error.
    Fail,
}

/// The time limits of a connection; `None` is no limit.
/// See [`Reconnect::with_timeouts`] for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timeouts {
    /// How long it may take until a connection stands.
    pub open: Option<Duration>,
    /// How long an open connection may be without a byte; comments count.
    pub idle: Option<Duration>,
    /// How long an open connection may be without an event; comments do not
    /// count.
    pub event: Option<Duration>,
}

/// A stream of events that reconnects, over any [`Connect`] and any [`Timer`].
///
/// It yields [`ReconnectEvent`]s. The stream ends with `None` when it is closed or when
/// the server says that there is no more; any `Err` is the last item. Nothing
/// happens before it is first polled.
///
/// Polling loses nothing when it is cancelled: a `next()` that is dropped and made
/// again goes on where the first one was.
///
/// ```
/// # use everstream::reconnect::{Attempt, Connect, Connection, ConnectError};
/// # use futures_util::stream::{self, Iter};
/// # use std::convert::Infallible;
/// # use std::future::{Ready, ready};
/// # struct Greeter;
/// # impl Connect for Greeter {
/// #     type Head = ();
/// #     type Chunk = &'static str;
/// #     type Body = Iter<std::array::IntoIter<Result<&'static str, Infallible>, 1>>;
/// #     type Error = Infallible;
/// #     type Fatal = Infallible;
/// #     type Connecting =
/// #         Ready<Result<Connection<(), Self::Body>, ConnectError<Infallible, Infallible>>>;
/// #     fn connect(&mut self, _: Attempt<Infallible>) -> Self::Connecting {
/// #         ready(Ok(Connection { head: (), body: stream::iter([Ok("data: hello\n\n")]) }))
/// #     }
/// # }
/// use everstream::ManualTimer;
/// use everstream::reconnect::{ReconnectEvent, Reconnect};
/// use futures_util::{FutureExt, StreamExt};
///
/// let timer = ManualTimer::new();
/// let mut events = Reconnect::new(Greeter, timer.clone());
/// let mut next = || events.next().now_or_never();
/// assert!(matches!(next(), Some(Some(Ok(ReconnectEvent::Open(_))))));
/// assert!(matches!(next(), Some(Some(Ok(ReconnectEvent::Message(m)))) if m.data() == "hello"));
/// assert!(matches!(next(), Some(Some(Ok(ReconnectEvent::Reconnecting { .. })))));
/// assert!(next().is_none(), "it waits");
/// timer.advance_to_next();
/// assert!(matches!(next(), Some(Some(Ok(ReconnectEvent::Open(_))))));
/// ```
pub struct Reconnect<C: Connect, T: Timer> {
    connect: C,
    timer: T,
    policy: BoxedPolicy,
    on_oversize: OnOversize,
    timeouts: Timeouts,

    machine: Machine,
    decoder: Decoder,
    link: Link<C>,
    /// Tells of the link.
    span: Span,
    /// The id that the current connection was asked to go on from.
    sent_id: Option<Arc<str>>,
    /// Why the last connection was lost.
    reason: Option<Arc<Reason<C::Error>>>,
    /// The decoder's last event ID, once someone has asked for it.
    last_event_id: Once<Option<Arc<str>>>,
    shared: Option<Arc<Shared>>,
    stats: Stats,
    /// The events that there were before this connection.
    events_before: u64,
    /// What this connection began with.
    start: Start,

    /// Ends the wait or the opening, or proves the connection, as the state has it.
    stage: Alarm<T>,
    idle: Alarm<T>,
    no_event: Alarm<T>,
    /// Whether that alarm rang, and was set again.
    is_overdue: bool,
    /// Rings when an outage has become too long.
    outage: Alarm<T>,
}

/// What there is of a connection. Boxed, so that the stream can be moved.
enum Link<C: Connect> {
    None,
    Connecting(Pin<Box<C::Connecting>>),
    Open(Pin<Box<C::Body>>),
}

impl<C: Connect, T: Timer> Reconnect<C, T> {
    /// A stream over connections made by `connect`, with the defaults: a
    /// [`Backoff`], no timeouts, the limits of a [new parser](Parser::new).
    /// See [`Reconnect`] for an example.
    pub fn new(connect: C, timer: T) -> Self {
        let stream = Reconnect {
            connect,
            timer,
            policy: Box::new(Backoff::new()),
            on_oversize: OnOversize::default(),
            timeouts: Timeouts::default(),
            machine: Machine::new(),
            decoder: Decoder::new(Parser::new()),
            link: Link::None,
            span: Span::none(),
            sent_id: None,
            reason: None,
            last_event_id: Once::new(),
            shared: None,
            stats: Stats::default(),
            events_before: 0,
            start: Start::default(),
            stage: Alarm::new(),
            idle: Alarm::new(),
            no_event: Alarm::new(),
            is_overdue: false,
            outage: Alarm::new(),
        };
        stream.with_retry_policy(Backoff::new())
    }

    /// When to connect again, and when to give up. With the feature `std` the
    /// policy is seeded from the operating system, and in the browser with the
    /// feature `wasm` from `Math.random`, unless its user did it.
    ///
    /// ```
    /// # use everstream::reconnect::{Connect, Reconnect};
    /// # use everstream::{Backoff, Timer};
    /// fn patient<C: Connect, T: Timer>(events: Reconnect<C, T>) -> Reconnect<C, T> {
    ///     events.with_retry_policy(Backoff::new().with_max_retries(10))
    /// }
    /// ```
    #[must_use]
    pub fn with_retry_policy(self, policy: impl RetryPolicy + Send + Sync + 'static) -> Self {
        self.with_boxed_retry_policy(Box::new(policy))
    }

    pub(crate) fn with_boxed_retry_policy(mut self, policy: BoxedPolicy) -> Self {
        self.policy = policy;
        if let Some(seed) = entropy::seed() {
            self.policy.seed(seed);
        }
        self
    }

    /// The time limits of a connection. There are none by default.
    ///
    /// ```
    /// # use everstream::Timer;
    /// # use everstream::reconnect::{Connect, Reconnect, Timeouts};
    /// # use std::time::Duration;
    /// fn impatient<C: Connect, T: Timer>(events: Reconnect<C, T>) -> Reconnect<C, T> {
    ///     events.with_timeouts(Timeouts {
    ///         open: Some(Duration::from_secs(10)),
    ///         idle: Some(Duration::from_secs(45)),
    ///         ..Timeouts::default()
    ///     })
    /// }
    /// ```
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Bounds the bytes that are kept for one event, as
    /// [`EventStream::with_max_event_size`](crate::EventStream::with_max_event_size)
    /// does.
    ///
    /// ```
    /// # use everstream::reconnect::{Connect, Reconnect};
    /// # use everstream::{OnOversize, Timer};
    /// fn strict<C: Connect, T: Timer>(events: Reconnect<C, T>) -> Reconnect<C, T> {
    ///     events.with_max_event_size(64 * 1024).with_on_oversize(OnOversize::Fail)
    /// }
    /// ```
    #[must_use]
    pub fn with_max_event_size(mut self, bytes: usize) -> Self {
        self.decoder.set_max_event_size(bytes);
        self
    }

    /// What to do when an event grows beyond the limit. See
    /// [`with_max_event_size`](Self::with_max_event_size) for an example.
    #[must_use]
    pub fn with_on_oversize(mut self, on_oversize: OnOversize) -> Self {
        self.on_oversize = on_oversize;
        self
    }

    /// Whether comments are reported. They are not by default.
    ///
    /// ```
    /// # use everstream::Timer;
    /// # use everstream::reconnect::{Connect, Reconnect};
    /// fn verbose<C: Connect, T: Timer>(events: Reconnect<C, T>) -> Reconnect<C, T> {
    ///     events.with_comments(true)
    /// }
    /// ```
    #[must_use]
    pub fn with_comments(mut self, report: bool) -> Self {
        self.decoder.set_comments(report);
        self
    }

    /// The last event ID to start from.
    ///
    /// ```
    /// # use everstream::Timer;
    /// # use everstream::reconnect::{Connect, Reconnect};
    /// fn resumed<C: Connect, T: Timer>(events: Reconnect<C, T>) -> Reconnect<C, T> {
    ///     events.with_last_event_id("41")
    /// }
    /// ```
    #[must_use]
    pub fn with_last_event_id(mut self, id: &str) -> Self {
        self.decoder.set_last_event_id(id);
        self.note_last_event_id();
        self
    }

    /// Closes the stream: drops the connection and the timers at once. The stream
    /// yields `None` from here on, even if events had been received already. The
    /// last event ID stays, and [`force_reconnect`](Self::force_reconnect) revives
    /// the stream. Does nothing if it is closed.
    ///
    /// ```
    /// # use everstream::reconnect::{Connect, Reconnect};
    /// # use everstream::{ReadyState, Timer};
    /// fn stop<C: Connect, T: Timer>(events: &mut Reconnect<C, T>) {
    ///     events.close();
    ///     assert_eq!(events.ready_state(), ReadyState::Closed);
    /// }
    /// ```
    pub fn close(&mut self) {
        self.overrule(Input::Close);
    }

    /// The state, as the standard numbers it.
    /// See [`close`](Self::close) for an example.
    pub fn ready_state(&self) -> ReadyState {
        self.machine.state().into()
    }

    /// The last event ID as of the last item; `None` if it is empty.
    ///
    /// ```
    /// # use everstream::Timer;
    /// # use everstream::reconnect::{Connect, Reconnect};
    /// fn save<C: Connect, T: Timer>(events: &Reconnect<C, T>) {
    ///     if let Some(id) = events.last_event_id() {
    ///         println!("go on from {id}");
    ///     }
    /// }
    /// ```
    pub fn last_event_id(&self) -> Option<&Arc<str>> {
        let shared = self.last_event_id.call_once(|| {
            let id = self.decoder.last_event_id();
            (!id.is_empty()).then(|| Arc::from(id))
        });
        shared.as_ref()
    }

    /// Connects anew, from any state, without a delay and as if nothing had failed
    /// before. What there is of a connection is dropped at once; events received
    /// behind the last item are asked for again by the last event ID. The request
    /// is made when the stream is polled next. Also revives a closed stream.
    ///
    /// ```
    /// # use everstream::reconnect::{Connect, Reconnect};
    /// # use everstream::{ReadyState, Timer};
    /// fn revive<C: Connect, T: Timer>(events: &mut Reconnect<C, T>) {
    ///     events.force_reconnect();
    ///     assert_eq!(events.ready_state(), ReadyState::Connecting);
    /// }
    /// ```
    pub fn force_reconnect(&mut self) {
        self.overrule(Input::Force);
    }

    /// The same, from another id on; `None` or an empty one sends none.
    ///
    /// ```
    /// # use everstream::Timer;
    /// # use everstream::reconnect::{Connect, Reconnect};
    /// fn replay<C: Connect, T: Timer>(events: &mut Reconnect<C, T>) {
    ///     events.force_reconnect_with_id(Some("41".into()));
    ///     assert_eq!(events.last_event_id().map(|id| &**id), Some("41"));
    /// }
    /// ```
    pub fn force_reconnect_with_id(&mut self, id: Option<Arc<str>>) {
        self.overrule(Input::Force);
        self.decoder.set_last_event_id(id.as_deref().unwrap_or_default());
        self.note_last_event_id();
    }

    /// A handle to control and observe the stream from another task or thread.
    /// See [`Handle`] for an example.
    pub fn handle(&mut self) -> Handle {
        let shared = match &self.shared {
            Some(shared) => Arc::clone(shared),
            None => {
                let id = self.last_event_id().cloned();
                let shared = Arc::new(Shared::new(self.machine.state(), id, self.stats));
                self.shared = Some(Arc::clone(&shared));
                shared
            }
        };
        Handle { shared }
    }

    /// What happened on the stream so far. See [`Stats`] for an example.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Hands the machine an input and carries out what is the same wherever it
    /// comes from: a connection that is over is dropped, with its alarms and with
    /// what it brought but was not given.
    fn advance(&mut self, input: Input) -> Action {
        let action = self.machine.on(input, &mut *self.policy);
        self.stats.attempts += u64::from(action == Action::Connect);
        if let Some(shared) = &self.shared {
            shared.stats.set(self.stats);
            shared.publish_state(self.machine.state());
        }
        match action {
            Action::Wait { delay, attempt } => self.span.wait(delay, attempt),
            Action::GiveUp { attempts } => self.span.gave_up(attempts),
            Action::Nothing | Action::Connect | Action::Stop => {}
        }
        if !matches!(action, Action::Nothing | Action::Connect) {
            self.link = Link::None;
            self.span = Span::none();
            self.stage.stop();
            self.idle.stop();
            self.no_event.stop();
            self.decoder.reset();
            self.start = Start::default();
        }
        if matches!(action, Action::Stop | Action::GiveUp { .. }) {
            self.outage.stop();
            self.reason = None;
        }
        action
    }

    /// What the stream itself is told to do counts over what a handle asked for
    /// before.
    fn overrule(&mut self, input: Input) {
        self.take_order();
        self.carry_out(input);
    }

    fn carry_out(&mut self, order: Input) {
        if !matches!(self.link, Link::None) {
            self.span.dropped();
        }
        self.advance(order);
    }

    #[inline]
    fn take_order(&self) -> Option<Order> {
        self.shared.as_ref()?.take_order()
    }

    /// Carries out what a handle asked for. Gives whether it asked for anything.
    #[inline]
    fn obey(&mut self) -> bool {
        // Not by way of `overrule`, which would drop an order given meanwhile.
        match self.take_order() {
            Some(Order::Close) => self.carry_out(Input::Close),
            Some(Order::Reconnect) => self.carry_out(Input::Force),
            None => return false,
        }
        true
    }

    /// Sees to it that the last event ID that others know of is the decoder's.
    #[inline]
    fn note_last_event_id(&mut self) {
        let Some(known) = self.last_event_id.get() else { return };
        let id = self.decoder.last_event_id();
        // Nothing is compared with an empty string: it points nowhere, and on some
        // processors glibc then takes as long as for ten events.
        let is_known = match known {
            Some(known) => **known == *id,
            None => id.is_empty(),
        };
        if !is_known {
            self.last_event_id = Once::new();
            if let Some(shared) = &self.shared {
                shared.publish_last_event_id(self.last_event_id().cloned());
            }
        }
    }

    fn begin(&mut self) {
        if self.advance(Input::Start) != Action::Connect {
            return;
        }
        self.sent_id = self.last_event_id().cloned();
        self.span = Span::attempt(self.machine.attempts(), self.sent_id.is_some());
        let mut attempt = Attempt::new(self.machine.attempts());
        attempt.was_open = self.machine.was_open();
        attempt.last_event_id = self.sent_id.clone();
        attempt.reason = self.reason.clone();
        attempt.span = self.span.clone();
        self.link = {
            let _inside = self.span.enter();
            Link::Connecting(Box::pin(self.connect.connect(attempt)))
        };
        self.stage.set(self.timeouts.open, &self.timer);
    }

    fn opened(&mut self, Connection { head, body }: Connection<C::Head, C::Body>) -> Item<C> {
        let is_reconnect = self.machine.was_open();
        self.stats.opens += 1;
        self.events_before = self.stats.events;
        self.advance(Input::Opened);
        self.span.open();
        self.link = Link::Open(Box::pin(body));
        self.stage.set(Some(self.policy.proven_after()), &self.timer);
        self.idle.set(self.timeouts.idle, &self.timer);
        self.await_event();
        Ok(ReconnectEvent::Open(ReconnectOpened::new(head, is_reconnect, self.sent_id.clone())))
    }

    fn await_event(&mut self) {
        self.is_overdue = false;
        self.no_event.set(self.timeouts.event, &self.timer);
    }

    /// The connection has proved itself, for the first time.
    #[cold]
    fn proven(&mut self) {
        self.advance(Input::Proven);
        self.stage.stop();
        self.outage.stop();
        self.reason = None;
    }

    /// The connection is over. Gives the item that tells of it; `None` if there
    /// is none and the stream ends.
    fn lost(
        &mut self,
        reason: Reason<C::Error>,
        kind: DisconnectKind,
        retry_after: Option<Duration>,
    ) -> Option<Item<C>> {
        self.span.lost(kind);
        if !self.connect.may_reconnect(kind) {
            let lost = match reason {
                Reason::Ended => {
                    self.span.ended();
                    None
                }
                reason => {
                    self.span.failed("the connection was lost and must not be repeated");
                    Some(Err(ReconnectError::Lost(Arc::new(reason))))
                }
            };
            self.advance(Input::Close);
            return lost;
        }
        let server_retry = self.decoder.retry();
        self.go_on(Input::Lost { kind, server_retry, retry_after }, reason)
    }

    /// The connection is over, and another may follow by what the machine says.
    fn go_on(&mut self, input: Input, reason: Reason<C::Error>) -> Option<Item<C>> {
        let reason = Arc::new(reason);
        match self.advance(input) {
            Action::Wait { delay, attempt } => {
                self.reason = Some(Arc::clone(&reason));
                self.stage.set(Some(delay), &self.timer);
                if !self.outage.is_set() {
                    self.outage.set(self.policy.max_elapsed(), &self.timer);
                }
                Some(Ok(ReconnectEvent::Reconnecting { reason, delay, attempt }))
            }
            Action::GiveUp { attempts } => Some(Err(ReconnectError::GaveUp { attempts, reason })),
            _ => None,
        }
    }

    /// Why a connection is over that the server ended.
    fn end(&self) -> Reason<C::Error> {
        let start = match self.stats.events == self.events_before {
            true => self.start.of_something_else(),
            false => None,
        };
        start.map_or(Reason::Ended, |start| Reason::NotAnEventStream { start })
    }

    /// Gives up if the outage has lasted too long.
    fn outage_is_over(&mut self, cx: &mut Context<'_>) -> Option<Item<C>> {
        self.outage.rings(cx)?;
        let reason = self.reason.take()?;
        match self.advance(Input::OutageOver) {
            Action::GiveUp { attempts } => Some(Err(ReconnectError::GaveUp { attempts, reason })),
            _ => None,
        }
    }

    fn poll_connecting(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item<C>>> {
        let Link::Connecting(connecting) = &mut self.link else {
            return Poll::Ready(None);
        };
        let polled = {
            let _inside = self.span.enter();
            connecting.as_mut().poll(cx)
        };
        Poll::Ready(match polled {
            Poll::Ready(Ok(connection)) => Some(self.opened(connection)),
            Poll::Ready(Err(ConnectError::Retry { error, retry_after })) => {
                self.lost(Reason::Failed(error), DisconnectKind::Refused, retry_after)
            }
            Poll::Ready(Err(ConnectError::Again { error })) if self.machine.may_go_again() => {
                self.span.lost(DisconnectKind::Refused);
                self.go_on(Input::Again, Reason::Failed(error))
            }
            Poll::Ready(Err(ConnectError::Again { error })) => {
                self.lost(Reason::Failed(error), DisconnectKind::Refused, None)
            }
            Poll::Ready(Err(ConnectError::Fatal(error))) => {
                self.span.failed("the connection was refused for good");
                self.advance(Input::Close);
                Some(Err(ReconnectError::Fatal(error)))
            }
            Poll::Ready(Err(ConnectError::Finished)) => {
                self.span.ended();
                self.advance(Input::Close);
                None
            }
            Poll::Pending => match self.stage.rings(cx) {
                Some(timeout) => {
                    self.lost(Reason::OpenTimeout(timeout), DisconnectKind::TimedOut, None)
                }
                None => match self.outage_is_over(cx) {
                    Some(item) => Some(item),
                    None => return Poll::Pending,
                },
            },
        })
    }

    /// The next frame of what has been received.
    #[inline(always)]
    fn next_frame(&mut self) -> Option<OwnedFrame> {
        let frame = self.decoder.next();
        self.note_last_event_id();
        frame
    }

    /// A frame of an open connection as an item.
    #[inline(always)]
    fn give(&mut self, frame: OwnedFrame) -> Item<C> {
        match frame {
            OwnedFrame::Message(message) => {
                if !self.machine.is_proven() {
                    self.proven();
                }
                if self.timeouts.event.is_some() {
                    self.await_event();
                }
                self.stats.events += 1;
                if let Some(shared) = &self.shared {
                    shared.stats.set_events(self.stats.events);
                }
                Ok(ReconnectEvent::Message(message))
            }
            OwnedFrame::Comment(text) => Ok(ReconnectEvent::Comment(text)),
            OwnedFrame::Discarded(report) => match self.on_oversize {
                OnOversize::Discard => Ok(ReconnectEvent::Discarded(report)),
                OnOversize::Fail => {
                    self.span.failed("an event grew beyond the limit");
                    self.advance(Input::Close);
                    Err(ReconnectError::TooLarge(report))
                }
            },
        }
    }

    /// Takes what the connection has to give: `None` if that was a chunk, or else the
    /// item that tells of its end.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Option<Item<C>>>> {
        let Link::Open(body) = &mut self.link else {
            return Poll::Ready(Some(None));
        };
        let polled = {
            let _inside = self.span.enter();
            body.as_mut().poll_next(cx)
        };
        let (reason, kind) = match ready!(polled) {
            Some(Ok(chunk)) => {
                if self.timeouts.idle.is_some() {
                    self.idle.set(self.timeouts.idle, &self.timer);
                }
                let chunk = chunk.into();
                self.start.take(&chunk);
                self.stats.bytes += chunk.len() as u64;
                if let Some(shared) = &self.shared {
                    shared.stats.set(self.stats);
                }
                self.decoder.feed(chunk);
                return Poll::Ready(None);
            }
            Some(Err(error)) => (Reason::Failed(error), DisconnectKind::Broken),
            None => (self.end(), DisconnectKind::Ended),
        };
        Poll::Ready(Some(self.lost(reason, kind, None)))
    }

    /// An open connection has nothing worth telling for now: is that too long?
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item<C>>> {
        if let Some(timeout) = self.idle.rings_in_vain(&self.timer, cx) {
            return Poll::Ready(self.lost(
                Reason::IdleTimeout(timeout),
                DisconnectKind::TimedOut,
                None,
            ));
        }
        if let Some(timeout) = self.no_event.rings_in_vain(&self.timer, cx) {
            return Poll::Ready(self.lost(
                Reason::EventTimeout(timeout),
                DisconnectKind::TimedOut,
                None,
            ));
        }
        if self.stage.rings(cx).is_some() {
            self.proven();
        }
        match self.outage_is_over(cx) {
            Some(item) => Poll::Ready(Some(item)),
            None => Poll::Pending,
        }
    }

    /// An open connection has much to say and nothing worth telling. A reader who was
    /// away finds the same: the event that is missed may be a part of what is still to
    /// be read, so it gets as much time again.
    #[cold]
    fn poll_flood(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item<C>>> {
        cx.waker().wake_by_ref();
        if !self.is_overdue && self.no_event.rings(cx).is_some() {
            self.is_overdue = true;
            self.no_event.set(self.timeouts.event, &self.timer);
        }
        self.poll_silence(cx)
    }

    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item<C>>> {
        if let Some(item) = self.outage_is_over(cx) {
            return Poll::Ready(Some(item));
        }
        if self.stage.rings(cx).is_none() {
            return Poll::Pending;
        }
        self.begin();
        self.poll_connecting(cx)
    }
}

impl<C: Connect, T: Timer> Unpin for Reconnect<C, T> {}

impl<C: Connect, T: Timer> Stream for Reconnect<C, T> {
    type Item = Item<C>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let mut chunks = 0;
        loop {
            this.obey();
            let polled = match this.machine.state() {
                State::Open => {
                    // Given from here: an item that came by way of `polled` would be
                    // copied once more, which takes longer than to parse it.
                    if let Some(frame) = this.next_frame() {
                        return Poll::Ready(Some(this.give(frame)));
                    }
                    if chunks == CHUNKS_PER_POLL {
                        this.poll_flood(cx)
                    } else {
                        match this.poll_body(cx) {
                            Poll::Ready(None) => {
                                chunks += 1;
                                continue;
                            }
                            Poll::Ready(Some(end)) => Poll::Ready(end),
                            Poll::Pending => {
                                this.decoder.rest();
                                this.poll_silence(cx)
                            }
                        }
                    }
                }
                State::Closed => return Poll::Ready(None),
                State::Idle => {
                    this.begin();
                    this.poll_connecting(cx)
                }
                State::Connecting => this.poll_connecting(cx),
                State::Waiting => this.poll_waiting(cx),
            };
            if polled.is_ready() {
                return polled;
            }
            if let Some(shared) = &this.shared {
                shared.register(cx.waker());
            }
            // An order that is given from here on wakes the task; one that was
            // given before is carried out now.
            if !this.obey() {
                return Poll::Pending;
            }
        }
    }
}

impl<C: Connect, T: Timer> FusedStream for Reconnect<C, T> {
    fn is_terminated(&self) -> bool {
        let revived = self.shared.as_ref().is_some_and(|shared| shared.is_to_reconnect());
        self.machine.state() == State::Closed && !revived
    }
}

impl<C: Connect, T: Timer> Drop for Reconnect<C, T> {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.retire();
        }
    }
}

impl<C: Connect, T: Timer> fmt::Debug for Reconnect<C, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnect")
            .field("state", &self.machine.state())
            .field("last_event_id", &self.decoder.last_event_id())
            .field("retry", &self.decoder.retry())
            .field("attempts", &self.machine.attempts())
            .finish_non_exhaustive()
    }
}
