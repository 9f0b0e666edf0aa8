//! A history: a client with random settings, a user with random actions, and a server with random
//! behaviour, which is correct at the end.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use everstream::reconnect::Reconnect;
use everstream::{Handle, ReadyState, StateWatch};
use futures_util::Stream;
use futures_util::stream::FusedStream;

use super::heap::measured;
use super::settings::{FAR, ms};
use super::world::{Events, Item, Phase, Server, Tally, World};

/// Maximum bytes that the client holds besides three times the largest event. They cover its state,
/// the alarms, and a block's lines without effect. These are dropped after 16 KiB, and their buffer
/// may have twice the size.
const MEMORY: isize = (16 + 3 * 16) * 1024;

/// The maximum number of steps. A longer history makes no progress.
const STEPS: usize = 20_000;

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A watch on the state of the stream, polled when it is woken.
struct Watch {
    states: StateWatch,
    wakes: Arc<Wakes>,
    seen: Option<ReadyState>,
}

impl Watch {
    fn new(handle: &Handle) -> Watch {
        let wakes = Arc::new(Wakes::default());
        wakes.0.store(1, Ordering::Relaxed);
        Watch { states: handle.watch(), wakes, seen: None }
    }

    /// Returns its next state, if it was woken.
    fn next(&mut self) -> Poll<Option<ReadyState>> {
        if self.wakes.0.swap(0, Ordering::Relaxed) == 0 {
            return Poll::Pending;
        }
        let waker = Waker::from(Arc::clone(&self.wakes));
        let polled = Pin::new(&mut self.states).poll_next(&mut Context::from_waker(&waker));
        if let Poll::Ready(Some(state)) = polled {
            assert_ne!(self.seen, Some(state), "a state that did not change");
            self.seen = Some(state);
            wake(&self.wakes);
        }
        polled
    }
}

fn wake(wakes: &Arc<Wakes>) {
    wakes.0.fetch_add(1, Ordering::Relaxed);
}

struct History {
    world: Rc<RefCell<World>>,
    events: Events,
    handle: Option<Handle>,
    watch: Option<Watch>,
    wakes: Arc<Wakes>,
    waker: Waker,
    /// True if the stream was woken.
    is_woken: bool,
    /// True if the last poll was pending.
    is_pending: bool,
    /// True if an order of the handle was not carried out yet.
    is_ordered: bool,
    heap: isize,
}

/// Runs the history of this seed. Panics if a rule is broken.
pub(crate) fn play(seed: u64) -> Tally {
    let world = World::new(seed, false);
    play_in(Rc::new(RefCell::new(world)))
}

/// Runs the history of this seed, and returns a log of it.
pub(crate) fn trace(seed: u64) -> Vec<String> {
    let world = Rc::new(RefCell::new(World::new(seed, true)));
    let played = std::panic::AssertUnwindSafe(|| play_in(Rc::clone(&world)));
    let _ = std::panic::catch_unwind(played);
    world.borrow_mut().trace.take().unwrap_or_default()
}

fn play_in(world: Rc<RefCell<World>>) -> Tally {
    let mut history = History::new(world);
    let steps = history.any(2, 80);
    for _ in 0..steps {
        history.step();
    }
    history.come_to_an_end();
    history.drop_all()
}

impl History {
    fn new(world: Rc<RefCell<World>>) -> History {
        let (settings, timer, position, has_handle) = {
            let mut world = world.borrow_mut();
            let has_handle = world.rng.bool();
            (world.settings.clone(), world.timer.clone(), world.position, has_handle)
        };
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let server = Server(Rc::clone(&world));
        let ((events, handle), heap) = measured(|| {
            let mut events = Reconnect::new(server, timer)
                .with_retry_policy(settings.policy())
                .with_timeouts(settings.timeouts)
                .with_on_oversize(settings.on_oversize)
                .with_comments(settings.comments);
            if let Some(limit) = settings.limit {
                events = events.with_max_event_size(limit);
            }
            if position != 0 {
                events = events.with_last_event_id(&position.to_string());
            }
            let handle = has_handle.then(|| events.handle());
            (events, handle)
        });
        let watch = handle.as_ref().map(Watch::new);
        History {
            world,
            events,
            handle,
            watch,
            wakes,
            waker,
            is_woken: true,
            is_pending: false,
            is_ordered: false,
            heap,
        }
    }

    fn any(&self, from: usize, to: usize) -> usize {
        self.world.borrow_mut().rng.usize(from..to)
    }

    fn note(&self, what: impl FnOnce() -> String) {
        self.world.borrow_mut().note(what);
    }

    /// Runs a random action.
    fn step(&mut self) {
        let is_prompt = self.world.borrow().settings.is_prompt;
        match self.any(0, 128) {
            0 => self.close(),
            1 => self.force(None),
            2 => {
                let position = self.world.borrow().position;
                let position = self.any(0, position + 1);
                self.force(Some(position));
            }
            3 => self.order(true),
            4 => self.order(false),
            5..10 => {
                self.world.borrow_mut().tally.in_vain += 1;
                self.poll();
            }
            10..18 if !is_prompt => {
                let time = ms(self.any(1, 40_000) as u64);
                self.note(|| format!("nobody polls for {time:?}"));
                self.world.borrow_mut().tally.late += 1;
                self.pass(time);
            }
            _ => self.go_on(),
        }
    }

    /// Acts as an executor: polls the stream if it was woken, and otherwise advances the time.
    fn go_on(&mut self) {
        if self.is_woken {
            self.poll();
            return;
        }
        let next = {
            let world = self.world.borrow();
            let times = [world.timer.next_deadline(), world.next_time()];
            let next = times.into_iter().flatten().min();
            next.map(|next| next.saturating_sub(world.now()))
        };
        match (next, self.world.borrow().phase) {
            (Some(_), _) | (None, Phase::Closed) => {}
            (None, phase) => panic!("it hangs: {phase:?}, and nothing will ever wake it"),
        }
        if let Some(time) = next {
            self.pass(time);
        }
    }

    fn pass(&mut self, time: std::time::Duration) {
        let timer = self.world.borrow().timer.clone();
        let ((), grown) = measured(|| timer.advance(time));
        self.heap += grown;
        let due = self.world.borrow_mut().due();
        if let Some(waker) = due {
            waker.wake();
        }
        self.take_wakes();
    }

    fn take_wakes(&mut self) -> bool {
        let woken = self.wakes.0.swap(0, Ordering::Relaxed) > 0;
        self.is_woken |= woken;
        woken
    }

    fn poll(&mut self) {
        self.take_wakes();
        self.world.borrow_mut().before_poll();
        let (waker, events) = (&self.waker, &mut self.events);
        let mut polled: Poll<Item> = Poll::Pending;
        let poll = || polled = Pin::new(events).poll_next(&mut Context::from_waker(waker));
        let ((), grown) = measured(poll);
        self.heap += grown;
        self.is_ordered = false;
        self.is_woken = false;
        self.take_wakes();
        self.is_pending = polled.is_pending();
        match polled {
            Poll::Ready(item) => {
                self.note(|| format!("{item:?}"));
                self.world.borrow_mut().see(&item);
                self.is_woken = item.is_some();
                let ((), freed) = measured(|| drop(item));
                self.heap += freed;
            }
            Poll::Pending => self.world.borrow_mut().see_nothing(),
        }
        self.check();
    }

    fn close(&mut self) {
        self.note(|| "close".to_owned());
        self.own(|events| events.close());
        self.world.borrow_mut().closed();
        self.check_own();
    }

    fn force(&mut self, position: Option<usize>) {
        self.note(|| format!("force_reconnect {position:?}"));
        match position {
            None => self.own(|events| events.force_reconnect()),
            Some(position) => {
                let id = (position != 0).then(|| Arc::from(position.to_string()));
                self.own(|events| events.force_reconnect_with_id(id));
            }
        }
        self.world.borrow_mut().forced(position);
        self.check_own();
    }

    /// Runs an action of the owner, after which the stream is polled again.
    fn own(&mut self, work: impl FnOnce(&mut Events)) {
        let ((), grown) = measured(|| work(&mut self.events));
        self.heap += grown;
        self.is_woken = true;
        self.is_ordered = false;
    }

    fn check_own(&mut self) {
        let world = self.world.borrow();
        assert_eq!(world.connections(), 0, "a connection outlives its end");
        assert_eq!(world.timer.pending(), 0, "a timer outlives its end");
        drop(world);
        self.check();
    }

    fn order(&mut self, is_close: bool) {
        let Some(handle) = self.handle.clone() else { return };
        self.note(|| format!("the handle orders to {}", if is_close { "close" } else { "force" }));
        if is_close {
            handle.close();
            self.world.borrow_mut().closed();
        } else {
            handle.reconnect_now();
            self.world.borrow_mut().forced(None);
        }
        self.is_ordered = true;
        let woken = self.take_wakes();
        assert!(woken || !self.is_pending, "an order wakes nobody");
        self.is_pending = false;
        self.is_woken = true;
        self.check();
    }

    /// Asserts the rules that hold at any time.
    fn check(&mut self) {
        let world = self.world.borrow();
        let state = world.ready_state();
        let is_closed = state == ReadyState::Closed;
        if !self.is_ordered {
            assert_eq!(self.events.ready_state(), state, "the state of the stream");
            assert!(!is_closed || world.connections() == 0, "a connection of a closed stream");
            assert!(!is_closed || world.timer.pending() == 0, "a timer of a closed stream");
            let id = self.events.last_event_id().map(|id| id.to_string());
            assert_eq!(id, (world.position != 0).then(|| world.position.to_string()));
        }
        assert!(!is_closed || self.is_ordered || self.events.is_terminated());
        if let Some(handle) = &self.handle {
            assert_eq!(handle.ready_state(), state, "the state that the handle tells");
            assert_eq!(handle.stats(), self.events.stats());
            let id = self.events.last_event_id().cloned();
            assert!(self.is_ordered || handle.last_event_id() == id);
        }
        if let Some(watch) = &mut self.watch {
            while watch.next().is_ready() {}
            assert_eq!(watch.seen, Some(state), "the state that the watch tells");
        }
        let (stats, tally) = (self.events.stats(), &world.tally);
        assert_eq!(
            (stats.attempts, stats.opens, stats.events, stats.bytes),
            (tally.attempts, tally.opens, tally.messages, tally.bytes),
            "what the stream counted"
        );
        let limit = world.settings.limit.unwrap_or_default() as isize;
        assert!(self.heap <= MEMORY + 3 * limit, "{} bytes are held", self.heap);
    }

    /// Makes the server behave correctly. Then the client must receive all events, or must have
    /// ended for good.
    fn come_to_an_end(&mut self) {
        self.world.borrow_mut().is_kind = true;
        self.note(|| "from here on the server is kind".to_owned());
        let was_closed = self.world.borrow().phase == Phase::Closed;
        if was_closed {
            self.poll();
            self.pass(FAR);
            self.poll();
            if self.any(0, 2) == 0 {
                self.force(None);
            }
        }
        for _ in 0..STEPS {
            if self.world.borrow().has_all() {
                self.world.borrow().check_nothing_lost();
                return;
            }
            if self.world.borrow().phase == Phase::Closed && !self.is_ordered {
                self.poll();
                return;
            }
            self.go_on();
        }
        panic!("it gets nowhere in {STEPS} steps");
    }

    fn drop_all(self) -> Tally {
        let History { world, events, handle, watch, wakes, waker, heap, .. } = self;
        let ((), freed) = measured(|| {
            drop(events);
            if let Some(handle) = &handle {
                assert_eq!(handle.ready_state(), ReadyState::Closed, "a dropped stream");
            }
            drop(handle);
        });
        if let Some(mut watch) = watch {
            while let Poll::Ready(Some(state)) = watch.next() {
                assert_eq!(state, ReadyState::Closed, "a dropped stream");
            }
            assert!(watch.states.is_terminated(), "a watch outlives its stream");
        }
        let world = world.borrow();
        assert_eq!(world.connections(), 0, "a connection outlives its stream");
        assert_eq!(world.timer.pending(), 0, "a timer outlives its stream");
        drop(waker);
        assert_eq!(Arc::strong_count(&wakes), 1, "a waker outlives its stream");
        // A watch keeps the text of the last reason, which quotes up to 256 characters.
        assert!(heap + freed <= 2048, "{} bytes outlive their stream", heap + freed);
        world.tally.clone()
    }
}
