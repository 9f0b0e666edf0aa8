//! Models of handles, watches and counts on several threads. loom runs each in every order of its
//! atomic operations, within a bound of preemptions. `ci/loom` runs them.

use super::{Attempt, ConnectError, ConnectFn, Handle, ReadyState, Reconnect};
use super::{ReconnectEvent, connect_fn};
use crate::timer::Timer;
use futures_util::stream::{self, FusedStream, Pending};
use futures_util::{FutureExt, StreamExt};
use loom::future::block_on;
use loom::thread;
use std::future::{self, Ready, ready};
use std::time::Duration;

type Never = std::convert::Infallible;
type Body = Pending<Result<&'static str, Never>>;
type Opened = Ready<Result<Body, ConnectError<Never, Never>>>;
type Events = Reconnect<ConnectFn<fn(Attempt<Never>) -> Opened, Never>, NoTime>;

/// Time never passes.
struct NoTime;

impl Timer for NoTime {
    type Sleep = future::Pending<()>;

    fn sleep(&self, _: Duration) -> Self::Sleep {
        future::pending()
    }
}

/// A stream whose connections open at once and stay silent.
fn events() -> Events {
    let connect: fn(Attempt<Never>) -> Opened = |_| ready(Ok(stream::pending()));
    Reconnect::new(connect_fn(connect), NoTime)
}

fn open_events() -> (Events, Handle) {
    let mut events = events();
    let handle = events.handle();
    let opened = events.next().now_or_never();
    assert!(matches!(opened, Some(Some(Ok(ReconnectEvent::Open(_))))));
    (events, handle)
}

/// Checks a model with up to three preemptions, which finds nearly all faults.
fn check(model: impl Fn() + Send + Sync + 'static) {
    check_within(3, model);
}

fn check_within(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

#[test]
fn a_close_ends_a_stream_that_is_being_polled() {
    check(|| {
        let (mut events, handle) = open_events();
        let closing = thread::spawn(move || {
            handle.close();
            assert_eq!(handle.ready_state(), ReadyState::Closed);
        });
        assert!(block_on(events.next()).is_none());
        assert!(events.is_terminated());
        closing.join().unwrap();
    });
}

#[test]
fn a_reconnection_is_made_while_the_stream_is_being_polled() {
    check(|| {
        let (mut events, handle) = open_events();
        let ordering = thread::spawn(move || handle.reconnect_now());
        assert!(matches!(block_on(events.next()), Some(Ok(ReconnectEvent::Open(_)))));
        assert_eq!(events.stats().opens, 2);
        ordering.join().unwrap();
    });
}

#[test]
fn the_last_of_two_orders_is_carried_out() {
    check(|| {
        let (mut events, handle) = open_events();
        let other = handle.clone();
        let closing = thread::spawn(move || other.close());
        handle.reconnect_now();
        closing.join().unwrap();
        let last = handle.ready_state();
        let polled = events.next().now_or_never();
        match last {
            ReadyState::Closed => assert!(matches!(polled, Some(None))),
            _ => assert!(matches!(polled, Some(Some(Ok(ReconnectEvent::Open(_)))))),
        }
    });
}

#[test]
fn an_order_that_is_given_while_another_one_is_carried_out_is_not_lost() {
    check(|| {
        let (mut events, handle) = open_events();
        handle.reconnect_now();
        let closing = thread::spawn(move || handle.close());
        block_on(async { while events.next().await.is_some() {} });
        closing.join().unwrap();
    });
}

#[test]
fn an_order_to_a_stream_that_is_dropped_leaves_it_closed() {
    check(|| {
        let (events, handle) = open_events();
        let other = handle.clone();
        let ordering = thread::spawn(move || {
            other.reconnect_now();
            other.ready_state()
        });
        drop(events);
        ordering.join().unwrap();
        assert_eq!(handle.ready_state(), ReadyState::Closed);
        assert_eq!(handle.health().state, ReadyState::Closed);
    });
}

#[test]
fn a_watch_sees_the_last_state_and_the_end() {
    check(|| {
        let (mut events, handle) = open_events();
        let mut states = handle.watch();
        let watching = thread::spawn(move || {
            block_on(async {
                let mut last = None;
                while let Some(state) = states.next().await {
                    assert_ne!(Some(state), last, "a state is reported twice");
                    last = Some(state);
                }
                last
            })
        });
        events.close();
        drop(events);
        assert_eq!(watching.join().unwrap(), Some(ReadyState::Closed));
    });
}

#[test]
fn a_watch_can_be_created_and_dropped_while_the_state_changes() {
    check(|| {
        let (mut events, handle) = open_events();
        let other = handle.clone();
        let watching = thread::spawn(move || {
            let mut states = other.watch();
            assert!(states.next().now_or_never().is_some());
        });
        let mut states = handle.watch();
        events.close();
        assert_eq!(states.next().now_or_never(), Some(Some(ReadyState::Closed)));
        watching.join().unwrap();
    });
}

#[test]
fn counts_and_health_are_never_ahead_of_the_stream() {
    // Four counts that are read and written one by one have too many orders for three preemptions.
    check_within(1, || {
        let (mut events, handle) = open_events();
        let reading = thread::spawn(move || {
            let stats = handle.stats();
            assert!(stats.attempts <= 2 && stats.opens <= 2, "{stats:?}");
            // Opened, forced and opened again.
            let health = handle.health();
            assert!(health.changes <= 3, "{health:?}");
        });
        events.force_reconnect();
        assert!(events.next().now_or_never().is_some());
        reading.join().unwrap();
    });
}
