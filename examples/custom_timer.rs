//! A custom [`Timer`], for a program with a main loop and without a runtime: a game, a GUI, a
//! device. The loop advances the clock after each frame, and polls the stream once per frame. It
//! needs no thread and no runtime.
//!
//! ```sh
//! cargo run --example custom_timer
//! ```
//!
//! The builder of `EventSource` takes such a timer too. It must be `Send` and `Sync`, so use `Arc`
//! and `Mutex` in place of `Rc` and the cells.

use everstream::reconnect::{
    Attempt, Connect, ConnectError, Connection, Reconnect, ReconnectEvent,
};
use everstream::{Backoff, Jitter, Timer};
use futures_util::{FutureExt, StreamExt, stream};
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

// ----------------------------------------------------------------------------------------- The timer

/// A clock that advances frame by frame.
#[derive(Clone, Default)]
struct FrameClock(Rc<Frames>);

#[derive(Default)]
struct Frames {
    now: Cell<Duration>,
    /// The wakers of all sleeps. Each frame wakes all of them, and each sleep checks the clock
    /// itself.
    sleepers: RefCell<Vec<Waker>>,
}

impl FrameClock {
    /// Advances the clock by the duration of a frame.
    fn advance(&self, by: Duration) {
        self.0.now.set(self.0.now.get().saturating_add(by));
        // The list is taken out of the cell first, because a woken task may sleep again.
        for sleeper in self.0.sleepers.take() {
            sleeper.wake();
        }
    }
}

impl Timer for FrameClock {
    type Sleep = FrameSleep;

    fn sleep(&self, duration: Duration) -> FrameSleep {
        // `Duration::MAX` is allowed, and must not overflow.
        FrameSleep { until: self.0.now.get().saturating_add(duration), clock: self.clone() }
    }
}

struct FrameSleep {
    until: Duration,
    clock: FrameClock,
}

impl Future for FrameSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.clock.0.now.get() >= self.until {
            return Poll::Ready(());
        }
        self.clock.0.sleepers.borrow_mut().push(cx.waker().clone());
        Poll::Pending
    }
}

// ------------------------------------------------------------------------------------- The transport

/// A transport whose connections break after one event. It offers three connections.
struct Flaky {
    connections: usize,
}

impl Connect for Flaky {
    type Head = ();
    type Chunk = String;
    type Body = stream::Iter<std::array::IntoIter<io::Result<String>, 2>>;
    type Error = io::Error;
    type Fatal = Infallible;
    type Connecting =
        Ready<Result<Connection<(), Self::Body>, ConnectError<io::Error, Infallible>>>;

    fn connect(&mut self, attempt: Attempt<io::Error>) -> Self::Connecting {
        if self.connections == 3 {
            return ready(Err(ConnectError::Finished));
        }
        self.connections += 1;
        let after = attempt.last_event_id.as_deref().unwrap_or("nothing");
        let event = format!("id: {}\ndata: after {after}\n\n", self.connections);
        let body = stream::iter([Ok(event), Err(io::ErrorKind::ConnectionReset.into())]);
        ready(Ok(Connection { head: (), body }))
    }
}

// ------------------------------------------------------------------------------------- The main loop

fn main() -> Result<(), String> {
    let clock = FrameClock::default();
    let delay = Duration::from_millis(100);
    let policy =
        Backoff::new().with_initial_delay(delay).with_factor(1).with_jitter(Jitter::none());
    let mut events =
        Reconnect::new(Flaky { connections: 0 }, clock.clone()).with_retry_policy(policy);

    let mut received = Vec::new();
    let mut frame = 0;
    let mut last = Instant::now();
    'running: loop {
        frame += 1;
        // Takes all items that are ready. A real loop would keep the waker, and only poll after a
        // wake-up.
        while let Some(item) = events.next().now_or_never() {
            match item {
                None => break 'running,
                Some(Ok(ReconnectEvent::Message(message))) => {
                    println!("frame {frame:>3}: event {}: {}", message.id(), message.data());
                    received.push(message.into_data());
                }
                Some(Ok(ReconnectEvent::Reconnecting { reason, delay, .. })) => {
                    println!("frame {frame:>3}: {reason}; again in {delay:?}");
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.to_string()),
            }
        }
        // A real loop would draw a frame here.
        thread::sleep(Duration::from_millis(10));
        clock.advance(last.elapsed());
        last = Instant::now();
    }
    if received != ["after nothing", "after 1", "after 2"] || clock.0.now.get() < 3 * delay {
        return Err(format!("got {received:?} by {:?}", clock.0.now.get()));
    }
    println!("{} events, 3 delays, timed by frames", received.len());
    Ok(())
}
