//! The engine of a reconnecting stream. It polls the futures of its phase, reports each result to
//! the [machine](Machine), and carries out the action that the machine returns.
//!
//! Invariants:
//! - The phase is the only record of the state. There is at most one connection, and it is
//!   dropped before the delay of the next one begins.
//! - Connections and sleeps are only created inside `poll_next`, so they are in the context of the
//!   executor.
//! - The last event ID is that of the last item that was yielded. Events received after it are
//!   requested again, so none is lost silently.
//! - An `Err` is the last item. After any end, and after a panic of user code,
//!   polling yields `None`.

use super::alarm::{Alarm, Clock};
use super::connect::{Attempt, Connect, ConnectError, Connection};
use super::event::{Reason, ReconnectError, ReconnectEvent, ReconnectOpened};
use super::machine::{Action, Input, Loss, Machine, ReadyState, State};
use super::phase::{Open, Phase};
use super::policy::Policy;
use super::progress::Progress;
use super::settings::{Limits, OnOversize};
use super::shared::Shared;
use super::start::Start;
use super::stats::Stats;
use crate::owned::{Decoder, OwnedFrame};
use crate::parser::Remainder;
use crate::retry::{DisconnectKind, RetryPolicy};
use crate::sync::Once;
use crate::timer::Timer;
use crate::trace::Span;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use bytes::Bytes;
use core::future::Future;
use core::mem;
use core::ops::Deref;
use core::task::{Context, Poll, Waker};
use futures_core::Stream;

/// Chunks without an item after which a poll yields to other tasks, so that a server
/// that floods its client with comments does not starve them.
const CHUNKS_PER_POLL: usize = 64;

/// An item of a reconnecting stream.
pub(super) type Item<C> = Result<
    ReconnectEvent<<C as Connect>::Head, <C as Connect>::Error>,
    ReconnectError<<C as Connect>::Fatal, <C as Connect>::Error>,
>;

pub(super) struct Engine<C: Connect, T: Timer> {
    connect: C,
    pub(super) policy: Policy,
    pub(super) on_oversize: OnOversize,
    pub(super) limits: Limits,
    clock: Clock<T>,

    pub(super) machine: Machine,
    phase: Phase<C, T>,
    pub(super) decoder: Decoder,
    /// Logs the connection.
    span: Span,
    /// The ID from which the current connection resumes.
    sent_id: Option<Arc<str>>,
    /// `Some` from the first lost connection until a connection is healthy.
    outage: Option<Outage<C, T>>,
    /// The decoder's last event ID, cached.
    last_event_id: Once<Option<Arc<str>>>,
    handles: Handles<C>,
    pub(super) stats: Stats,
    /// The number of events before this connection.
    events_before: u64,
    progress: Progress,
    /// The first bytes of this connection.
    start: Start,
}

enum Handles<C: Connect> {
    /// There is none yet. An order of the first one wakes the task of the last pending poll.
    None(Waker),
    Some(Box<Sharing<C>>),
}

/// The state shared with handles.
struct Sharing<C: Connect> {
    shared: Arc<Shared>,
    /// Prints the reason for a loss. A program without handles does not link this code, which adds
    /// 3 KB with gzip to a web page.
    describe: fn(&C, &Reason<C::Error>) -> Option<String>,
}

impl<C: Connect> Deref for Sharing<C> {
    type Target = Shared;

    #[inline]
    fn deref(&self) -> &Shared {
        &self.shared
    }
}

struct Outage<C: Connect, T: Timer> {
    /// The reason for the last loss.
    reason: Arc<Reason<C::Error>>,
    /// Rings at the maximum duration of the outage.
    timeout: Alarm<T>,
}

/// The result of polling a phase.
enum Step<C: Connect> {
    /// Boxed because it is rare. Moving a result of its size takes 10 ns for each step.
    Yield(Box<Item<C>>),
    End,
    /// Poll the current phase again.
    Continue,
    Pending,
}

impl<C: Connect> Step<C> {
    fn yields(item: Item<C>) -> Self {
        Step::Yield(Box::new(item))
    }
}

impl<C: Connect, T: Timer> Engine<C, T> {
    /// Creates an engine, which begins with the first connection if there is one.
    pub(super) fn new(first: Option<Connection<C::Head, C::Body>>, connect: C, timer: T) -> Self {
        let mut decoder = Decoder::new();
        decoder.keep_unknown();
        Engine {
            connect,
            policy: Policy::new(),
            on_oversize: OnOversize::default(),
            limits: Limits::default(),
            clock: Clock::new(timer),
            machine: Machine::new(),
            phase: Phase::Idle(first.map(Box::new)),
            decoder,
            span: Span::none(),
            sent_id: None,
            outage: None,
            last_event_id: Once::new(),
            handles: Handles::None(Waker::noop().clone()),
            stats: Stats::default(),
            events_before: 0,
            progress: Progress::default(),
            start: Start::default(),
        }
    }

    #[inline]
    pub(super) fn state(&self) -> State {
        self.phase.state()
    }

    pub(super) fn is_terminated(&self) -> bool {
        // A handle may have revived the stream.
        let is_seen_closed = |shared: &Sharing<C>| shared.look().0 == ReadyState::Closed;
        self.state() == State::Closed && self.shared().is_none_or(is_seen_closed)
    }

    pub(super) fn last_event_id(&self) -> Option<&Arc<str>> {
        let id = self.last_event_id.get_or_init(|| {
            let id = self.decoder.last_event_id();
            (!id.is_empty()).then(|| Arc::from(id))
        });
        id.as_ref()
    }

    pub(super) fn set_last_event_id(&mut self, id: &str) {
        self.decoder.set_last_event_id(id);
        self.note_last_event_id();
    }

    pub(super) fn share(&mut self) -> Arc<Shared> {
        let id = self.last_event_id().cloned();
        let (state, stats) = (self.state(), self.stats);
        let waker = match &self.handles {
            Handles::Some(sharing) => return Arc::clone(&sharing.shared),
            Handles::None(waker) => waker,
        };
        let shared = Arc::new(Shared::new(state, id, stats));
        shared.register(waker);
        let sharing = Sharing {
            shared: Arc::clone(&shared),
            describe: |connect: &C, reason: &Reason<C::Error>| {
                Some(reason.map(|error| connect.describe(error))?.to_string())
            },
        };
        self.handles = Handles::Some(Box::new(sharing));
        shared
    }

    #[inline]
    fn shared(&self) -> Option<&Sharing<C>> {
        match &self.handles {
            Handles::None(_) => None,
            Handles::Some(sharing) => Some(sharing),
        }
    }

    /// Returns the number of events of this connection.
    fn events(&self) -> u64 {
        self.stats.events - self.events_before
    }

    /// Drops the cached last event ID if it has changed, and publishes the new one.
    #[inline]
    fn note_last_event_id(&mut self) {
        let Some(known) = self.last_event_id.get() else { return };
        let id = self.decoder.last_event_id();
        // An empty string is never compared. Its pointer is dangling, for which glibc's comparison
        // takes as long as ten events on some processors.
        let is_known = match known {
            Some(known) => **known == *id,
            None => id.is_empty(),
        };
        if !is_known {
            self.last_event_id = Once::new();
            if let Some(shared) = self.shared() {
                shared.publish_last_event_id(self.last_event_id().cloned());
            }
        }
    }

    // ------------------------------------------------------------------- transitions

    /// Passes an input to the machine and returns its action. If the action ends a connection, this
    /// drops it with its alarms and its frames that were not yielded.
    fn advance(&mut self, input: Input) -> Action {
        self.advance_from(self.state(), input)
    }

    fn advance_from(&mut self, state: State, input: Input) -> Action {
        let action = self.machine.on(state, input, &mut self.policy);
        self.stats.attempts += u64::from(action == Action::Connect);
        // The state is published even if it stays, because handles see the state that an order
        // leads to.
        self.publish(action);
        match action {
            Action::Stay | Action::Connect | Action::Open => {}
            Action::Restart => self.disconnect(Phase::Idle(None)),
            Action::Close | Action::Fail | Action::GiveUp { .. } => self.disconnect(Phase::Closed),
            Action::Wait { delay, .. } => {
                self.drop_connection(Phase::Idle(None));
                let delay = Alarm::new(Some(delay), &mut self.clock);
                self.phase = Phase::Waiting { delay };
            }
        }
        action
    }

    fn publish(&self, action: Action) {
        if let Some(shared) = self.shared() {
            shared.stats.set(self.stats);
            shared.publish(action, action.next().unwrap_or(self.state()));
        }
    }

    /// Ends the connection and the outage.
    fn disconnect(&mut self, next: Phase<C, T>) {
        self.outage = None;
        self.drop_connection(next);
    }

    /// Ends the connection. The phase is replaced last, because dropping a body may panic.
    fn drop_connection(&mut self, next: Phase<C, T>) {
        // The error is that of an alarm which ends here too.
        self.clock.take_error();
        self.span = Span::none();
        self.decoder.reset();
        self.start = Start::default();
        self.phase = next;
    }

    /// Calls user code. A panic closes the stream.
    fn guarded<R>(&mut self, run: impl FnOnce(&mut Self) -> R) -> R {
        struct Guard<'a, C: Connect, T: Timer>(&'a mut Engine<C, T>);

        impl<C: Connect, T: Timer> Drop for Guard<'_, C, T> {
            fn drop(&mut self) {
                self.0.advance(Input::Close);
            }
        }

        let guard = Guard(self);
        let result = run(guard.0);
        mem::forget(guard);
        result
    }

    /// Carries out an order of the stream's owner. It replaces an earlier order of a handle.
    pub(super) fn overrule(&mut self, input: Input) {
        self.take_order();
        self.carry_out(input);
    }

    fn carry_out(&mut self, order: Input) {
        if matches!(self.phase, Phase::Connecting { .. } | Phase::Open(_)) {
            self.span.dropped();
        }
        if order == Input::Force {
            self.progress = Progress::default();
        }
        self.guarded(|engine| {
            engine.connect.drop_first();
            engine.advance(order);
        });
    }

    #[inline]
    fn take_order(&self) -> Option<Input> {
        self.shared()?.take_order()
    }

    /// Carries out the order of a handle. Returns whether there was one.
    #[inline]
    fn obey(&mut self) -> bool {
        // `overrule` would drop an order that arrived meanwhile.
        let order = self.take_order();
        if let Some(order) = order {
            self.carry_out(order);
        }
        order.is_some()
    }

    // ----------------------------------------------------------------------- polling

    #[inline]
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item<C>>> {
        let mut chunks = 0;
        loop {
            self.obey();
            if matches!(self.phase, Phase::Open(_)) {
                // Items are yielded from here. A `Step` would copy each item once more, which takes
                // longer than parsing it.
                if let Some(frame) = self.next_frame() {
                    return Poll::Ready(Some(self.give(frame)));
                }
            }
            match self.guarded(|engine| engine.step(&mut chunks, cx)) {
                Step::Yield(item) => return Poll::Ready(Some(*item)),
                Step::End => return Poll::Ready(None),
                Step::Continue => continue,
                Step::Pending => {}
            }
            match &mut self.handles {
                Handles::Some(shared) => shared.register(cx.waker()),
                Handles::None(waker) => waker.clone_from(cx.waker()),
            }
            // A later order wakes the task. An earlier one is carried out now.
            if !self.obey() {
                return Poll::Pending;
            }
        }
    }

    /// Returns the next frame of the bytes that were received.
    #[inline(always)]
    fn next_frame(&mut self) -> Option<OwnedFrame> {
        let frame = self.decoder.next();
        self.note_last_event_id();
        frame
    }

    /// Converts a frame into an item.
    #[inline(always)]
    fn give(&mut self, frame: OwnedFrame) -> Item<C> {
        match frame {
            OwnedFrame::Message(message) => {
                self.stats.events += 1;
                if !self.machine.is_proven() {
                    self.judge_event();
                }
                if self.limits.event.is_some() {
                    self.guarded(Self::await_event);
                }
                if let Some(shared) = self.shared() {
                    shared.stats.set_events(self.stats.events);
                }
                Ok(ReconnectEvent::Message(message))
            }
            OwnedFrame::Comment(text) => Ok(ReconnectEvent::Comment(text)),
            OwnedFrame::Update(update) => Ok(ReconnectEvent::Update(update)),
            OwnedFrame::Discarded(report) => match self.on_oversize {
                OnOversize::Discard => Ok(ReconnectEvent::Discarded(report)),
                OnOversize::Fail => {
                    let error = ReconnectError::TooLarge(report);
                    self.guarded(|engine| engine.fail("an event grew beyond the limit", error))
                }
            },
        }
    }

    fn await_event(&mut self) {
        if let Phase::Open(open) = &mut self.phase {
            open.is_overdue = false;
            open.event_timeout.set(self.limits.event, &mut self.clock);
        }
    }

    /// Reports an event to the machine. It may make the connection healthy.
    #[cold]
    fn judge_event(&mut self) {
        let id = self.last_event_id().cloned();
        let has_new_id = self.progress.is_new(id.as_ref(), self.sent_id.as_ref());
        let number = self.events();
        self.guarded(|engine| engine.judge(Input::Event { number, has_new_id }));
    }

    fn judge(&mut self, input: Input) {
        self.advance(input);
        if self.machine.is_proven() {
            self.outage = None;
            if let Phase::Open(open) = &mut self.phase {
                open.health_timer = Alarm::unset();
            }
        }
    }

    fn step(&mut self, chunks: &mut usize, cx: &mut Context<'_>) -> Step<C> {
        if let Some(error) = self.clock.take_error() {
            return Step::yields(self.fail("the timer failed", ReconnectError::Timer(error)));
        }
        let step = self.poll_phase(chunks, cx);
        if matches!(step, Step::Pending) && self.clock.has_error() {
            // An alarm could not be set, so it would never wake the task.
            return Step::Continue;
        }
        step
    }

    fn poll_phase(&mut self, chunks: &mut usize, cx: &mut Context<'_>) -> Step<C> {
        match &mut self.phase {
            Phase::Closed => return Step::End,
            Phase::Idle(first) => {
                let first = first.take();
                return self.begin(first);
            }
            Phase::Waiting { delay } => {
                // If the outage ends together with the delay, no attempt starts.
                let is_over = delay.rings(cx).is_some();
                return match self.poll_outage(cx) {
                    Step::Pending if is_over => self.begin(None),
                    step => step,
                };
            }
            Phase::Connecting { future, open_timeout } => {
                match self.span.in_scope(|| future.as_mut().poll(cx)) {
                    Poll::Ready(Ok(connection)) => return self.opened(connection),
                    Poll::Ready(Err(error)) => return self.refused(error),
                    Poll::Pending => {}
                }
                if let Some(time) = open_timeout.rings(cx) {
                    if !self.connect.has_response() {
                        return self.lost(DisconnectKind::TimedOut, Reason::OpenTimeout(time));
                    }
                }
            }
            Phase::Open(open) => {
                // Before the body, which may end: its uptime counts even if the poll is late.
                if open.health_timer.rings(cx).is_some() {
                    self.judge(Input::Uptime);
                    return Step::Continue;
                }
                if *chunks == CHUNKS_PER_POLL {
                    cx.waker().wake_by_ref();
                    open.extend_event_timeout(self.limits.event, &mut self.clock, cx);
                } else {
                    *chunks += 1;
                    match self.span.in_scope(|| open.body.as_mut().poll_next(cx)) {
                        Poll::Ready(Some(Ok(chunk))) => {
                            if self.limits.idle.is_some() {
                                open.idle_timeout.set(self.limits.idle, &mut self.clock);
                            }
                            self.feed(chunk.into());
                            return Step::Continue;
                        }
                        Poll::Ready(Some(Err(error))) => {
                            return self.lost(DisconnectKind::Broken, Reason::Failed(error));
                        }
                        Poll::Ready(None) => return self.ended(),
                        Poll::Pending => self.decoder.rest(),
                    }
                }
                if let Some(reason) = open.timed_out(&mut self.clock, cx) {
                    return self.lost(DisconnectKind::TimedOut, reason);
                }
            }
        }
        self.poll_outage(cx)
    }

    fn poll_outage(&mut self, cx: &mut Context<'_>) -> Step<C> {
        let Some(outage) = &mut self.outage else { return Step::Pending };
        if outage.timeout.rings(cx).is_none() {
            return Step::Pending;
        }
        let reason = Arc::clone(&outage.reason);
        self.react(Input::OutageOver, reason)
    }

    #[inline]
    fn feed(&mut self, chunk: Bytes) {
        self.start.take(&chunk);
        self.stats.bytes += chunk.len() as u64;
        if let Some(shared) = self.shared() {
            shared.stats.set(self.stats);
        }
        self.decoder.feed(chunk);
    }

    /// Starts an attempt to connect, or opens the first connection.
    fn begin(&mut self, first: Option<Box<Connection<C::Head, C::Body>>>) -> Step<C> {
        if !self.clock.works() {
            return Step::Continue;
        }
        self.advance(Input::Start);
        self.sent_id = self.last_event_id().cloned();
        self.events_before = self.stats.events;
        self.progress.begin();
        self.span = Span::attempt(self.machine.attempts(), self.sent_id.is_some());
        if let Some(first) = first {
            return self.opened(*first);
        }
        let attempt = Attempt {
            number: self.machine.attempts(),
            was_open: self.machine.was_open(),
            last_event_id: self.sent_id.clone(),
            reason: self.outage.as_ref().map(|outage| Arc::clone(&outage.reason)),
            span: self.span.clone(),
        };
        let future = self.span.in_scope(|| Box::pin(self.connect.connect(attempt)));
        let open_timeout = Alarm::new(self.limits.open, &mut self.clock);
        self.phase = Phase::Connecting { future, open_timeout };
        Step::Continue
    }

    fn opened(&mut self, Connection { head, body }: Connection<C::Head, C::Body>) -> Step<C> {
        let is_reconnect = self.machine.was_open();
        self.stats.opens += 1;
        self.advance_from(State::Connecting, Input::Opened);
        self.span.open();
        let min_uptime = self.policy.min_uptime();
        self.phase = Phase::Open(Open {
            body: Box::pin(body),
            health_timer: Alarm::new(Some(min_uptime), &mut self.clock),
            idle_timeout: Alarm::new(self.limits.idle, &mut self.clock),
            event_timeout: Alarm::new(self.limits.event, &mut self.clock),
            is_overdue: false,
        });
        let opened = ReconnectOpened::new(head, is_reconnect, self.sent_id.clone());
        Step::yields(Ok(ReconnectEvent::Open(opened)))
    }

    fn refused(&mut self, error: ConnectError<C::Error, C::Fatal>) -> Step<C> {
        match error {
            ConnectError::Retry { error, retry_after } => {
                let loss = Loss { retry_after, ..self.loss(DisconnectKind::Refused) };
                self.lost_as(loss, Reason::Failed(error))
            }
            ConnectError::Again { error } => {
                let loss = Loss { retry_now: true, ..self.loss(DisconnectKind::Refused) };
                self.lost_as(loss, Reason::Failed(error))
            }
            ConnectError::Fatal(error) => {
                let error = ReconnectError::Fatal(error);
                Step::yields(self.fail("the connection was refused for good", error))
            }
            ConnectError::Finished => {
                self.span.ended();
                self.advance(Input::Close);
                Step::End
            }
        }
    }

    /// Ends a connection whose body ended.
    fn ended(&mut self) -> Step<C> {
        if self.events() == 0 {
            if let Some(start) = self.start.of_something_else() {
                return self.lost(DisconnectKind::Ended, Reason::not_an_event_stream(start));
            }
        }
        match self.decoder.remainder() {
            Some(Remainder { text, is_mid_event: true }) => {
                self.lost(DisconnectKind::Broken, Reason::ended_mid_event(text))
            }
            Some(Remainder { text, .. }) => {
                self.lost(DisconnectKind::Ended, Reason::ended_with_text(text))
            }
            None => self.lost(DisconnectKind::Ended, Reason::Ended),
        }
    }

    /// Ends a connection that broke, ended or timed out.
    fn lost(&mut self, kind: DisconnectKind, reason: Reason<C::Error>) -> Step<C> {
        let is_clean = matches!(reason, Reason::Ended);
        self.lost_as(Loss { is_clean, ..self.loss(kind) }, reason)
    }

    /// Returns the facts about the connection, which is being lost.
    fn loss(&self, kind: DisconnectKind) -> Loss {
        Loss {
            may_repeat: self.connect.may_reconnect(kind),
            events: self.events(),
            server_retry: self.decoder.retry(),
            ..Loss::new(kind)
        }
    }

    /// Ends the connection, and the stream unless another connection follows.
    fn lost_as(&mut self, loss: Loss, reason: Reason<C::Error>) -> Step<C> {
        self.span.lost(loss.kind);
        if let Some(shared) = self.shared() {
            let text = (shared.describe)(&self.connect, &reason).map(Arc::from);
            let mut health = shared.health.lock();
            health.last_loss = Some(loss.kind);
            health.last_reason = text;
        }
        self.react(Input::Lost(loss), Arc::new(reason))
    }

    /// Passes a loss or the end of an outage to the machine, and reports the action to the user.
    fn react(&mut self, input: Input, reason: Arc<Reason<C::Error>>) -> Step<C> {
        let span = mem::replace(&mut self.span, Span::none());
        match self.advance(input) {
            Action::Wait { delay, attempt } => {
                span.wait(delay, attempt);
                self.note_outage(Arc::clone(&reason));
                Step::yields(Ok(ReconnectEvent::reconnecting(reason, delay, attempt)))
            }
            Action::GiveUp { attempts } => {
                span.gave_up(attempts);
                Step::yields(Err(ReconnectError::gave_up(attempts, reason)))
            }
            Action::Fail => {
                span.failed("the connection was lost and must not be repeated");
                Step::yields(Err(ReconnectError::Lost(reason)))
            }
            _ => {
                span.ended();
                Step::End
            }
        }
    }

    /// Closes the stream with an error.
    #[cold]
    fn fail(&mut self, why: &'static str, error: ReconnectError<C::Fatal, C::Error>) -> Item<C> {
        self.span.failed(why);
        self.advance(Input::Close);
        Err(error)
    }

    fn note_outage(&mut self, reason: Arc<Reason<C::Error>>) {
        let limit = self.policy.max_elapsed();
        let outage = self.outage.get_or_insert_with(|| {
            let reason = Arc::clone(&reason);
            Outage { reason, timeout: Alarm::unset() }
        });
        outage.reason = reason;
        if !outage.timeout.is_set() {
            outage.timeout.set(limit, &mut self.clock);
        }
    }
}

impl<C: Connect, T: Timer> Drop for Engine<C, T> {
    fn drop(&mut self) {
        if let Some(shared) = self.shared() {
            shared.retire();
        }
    }
}
