//! Tests of the reconnecting engine in virtual time, without a network or a runtime.

mod bodies;
mod cancel_safety;
mod clocks;
mod commands;
mod delays;
mod ends;
mod giving_up;
mod handles;
mod health;
mod items;
mod last_event_id;
mod panics;
mod parsing;
mod policies;
mod timeouts;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use bytes::Bytes;
use everstream::reconnect::{
    Attempt, Connect, ConnectError, Connection, Reason, Reconnect, ReconnectEvent, Timeouts,
    connect_fn,
};
use everstream::timer::TimerError;
use everstream::{
    Backoff, DisconnectKind, Handle, ManualTimer, OnOversize, ReadyState, RetryContext,
    RetryPolicy, Stats, Timer,
};
use futures_util::stream::FusedStream;
use futures_util::{FutureExt, Stream, StreamExt};

use crate::support::transport::{
    Asked, BROKEN, Client, Events, HOPELESS, REFUSED, Script, Seen, Server, Wakes, after, again,
    broken, ended, exact, fails, finishes, gave_up, hangs, message, message_with_id, ms, open,
    opens, reconnecting, refused, refuses, refuses_for, reopen, reopen_from, secs,
};

const HOUR: Duration = secs(3600);

/// A body of chunks that a test lists.
type Chunks = futures_util::stream::BoxStream<'static, Result<Vec<u8>, &'static str>>;

/// Returns an event with one line of data.
fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

fn event_with_id(id: &str, data: &str) -> String {
    format!("id: {id}\ndata: {data}\n\n")
}

fn id(id: &str) -> Option<String> {
    Some(id.to_owned())
}

fn idle(timeout: Duration) -> Timeouts {
    Timeouts::new().with_idle(timeout)
}

fn no_event(timeout: Duration) -> Timeouts {
    Timeouts::new().with_event(timeout)
}

fn opening(timeout: Duration) -> Timeouts {
    Timeouts::new().with_open(timeout)
}

/// A policy with delays of 1 s that records its contexts.
#[derive(Clone, Default)]
struct Spy {
    losses: Arc<Mutex<Vec<RetryContext>>>,
    seeds: Arc<Mutex<Vec<u64>>>,
}

impl Spy {
    fn losses(&self) -> Vec<RetryContext> {
        self.losses.lock().unwrap().clone()
    }

    fn kinds(&self) -> Vec<DisconnectKind> {
        self.losses().iter().map(|loss| loss.kind).collect()
    }

    fn seeds(&self) -> usize {
        self.seeds.lock().unwrap().len()
    }
}

impl RetryPolicy for Spy {
    fn next_delay(&mut self, loss: &RetryContext) -> Option<Duration> {
        self.losses.lock().unwrap().push(loss.clone());
        Some(secs(1))
    }

    fn seed(&mut self, seed: u64) {
        assert!(self.losses().is_empty(), "seeded after it was used");
        self.seeds.lock().unwrap().push(seed);
    }
}

/// Returns settings that give up after an outage longer than `outage`.
fn sits_through(outage: Duration) -> impl FnOnce(Events) -> Events {
    move |events| events.with_retry_policy(exact().with_max_elapsed(outage))
}

// ------------------------------------------------------- every place in life

/// The states of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Unpolled,
    Connecting,
    /// Open, and all data was read.
    Open,
    /// Open and healthy by an event. Two more were received and not yielded.
    Buffered,
    /// Waiting between the first connection and the second.
    Waiting,
    /// The second attempt is in progress.
    ConnectingAgain,
    /// The second connection is open and not healthy yet.
    OpenAgain,
    Closed,
    Finished,
    Failed,
    GaveUp,
}

const PLACES: [Place; 11] = [
    Place::Unpolled,
    Place::Connecting,
    Place::Open,
    Place::Buffered,
    Place::Waiting,
    Place::ConnectingAgain,
    Place::OpenAgain,
    Place::Closed,
    Place::Finished,
    Place::Failed,
    Place::GaveUp,
];

impl Place {
    fn is_end(self) -> bool {
        matches!(self, Place::Closed | Place::Finished | Place::Failed | Place::GaveUp)
    }

    fn ready_state(self) -> ReadyState {
        match self {
            Place::Open | Place::Buffered | Place::OpenAgain => ReadyState::Open,
            place if place.is_end() => ReadyState::Closed,
            _ => ReadyState::Connecting,
        }
    }
}

/// Returns a client in this state, with every timer in use and the last event ID 7. Further
/// connections open and stay silent.
fn client_at(place: Place) -> Client {
    let scripts = match place {
        Place::Unpolled => vec![],
        Place::Connecting => vec![hangs()],
        Place::Open => vec![opens()],
        Place::Buffered => {
            let events = ["7", "8", "9"].map(|id| event_with_id(id, id)).concat();
            vec![opens().sends(events).sends(event_with_id("10", "10"))]
        }
        Place::Waiting => vec![refuses()],
        Place::ConnectingAgain => vec![opens().ends(), hangs()],
        Place::OpenAgain => vec![opens().breaks(), opens()],
        Place::Closed => vec![opens()],
        Place::Finished => vec![finishes()],
        Place::Failed => vec![fails()],
        Place::GaveUp => vec![refuses(), refuses(), refuses()],
    };
    let mut client = Server::then(scripts, opens()).client_with(|events| {
        events
            .with_retry_policy(exact().with_max_retries(2).with_max_elapsed(HOUR * 2))
            .with_timeouts(Timeouts::new().with_open(HOUR).with_idle(HOUR).with_event(HOUR))
            .with_last_event_id("7")
    });
    match place {
        Place::Unpolled => {}
        Place::Buffered => {
            client.next();
            assert_eq!(client.next(), message_with_id("7", "7"));
        }
        Place::Closed => {
            client.drain();
            client.events.close();
        }
        Place::Waiting => {
            client.drain();
            client.run_for(secs(1));
        }
        _ => {
            client.run_for(secs(10));
        }
    }
    assert_eq!(client.events.ready_state(), place.ready_state(), "{place:?}");
    assert_eq!(client.events.is_terminated(), place.is_end(), "{place:?}");
    assert_eq!(client.timer.pending() == 0, place == Place::Unpolled || place.is_end());
    assert_eq!(client.last_event_id(), Some("7"), "{place:?}");
    client
}
