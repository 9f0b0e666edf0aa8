//! Control over a reconnecting stream from elsewhere: another task or thread,
//! while someone is waiting for its next item.
//!
//! Invariants:
//! - A handle gives orders and reads what is published; the stream carries them
//!   out and publishes when it is polled. The handle wakes it for that.
//! - A lock is held for the time of one pointer copy, and never across a call into
//!   anything else.

use super::machine::State;
use super::stats::{SharedStats, Stats};
use super::watch::{StateWatch, Watchers};
use alloc::sync::Arc;
use atomic_waker::AtomicWaker;
use core::fmt;
use core::sync::atomic::{AtomicU8, Ordering};
use core::task::Waker;
use spin::Mutex;

/// The state of a reconnecting stream as the standard numbers it.
///
/// ```
/// assert_eq!(everstream::ReadyState::Open as u8, 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadyState {
    /// No connection stands, but one is being made, or will be.
    Connecting = 0,
    /// A connection stands.
    Open = 1,
    /// No connection stands, and none will be made.
    Closed = 2,
}

impl From<State> for ReadyState {
    fn from(state: State) -> Self {
        match state {
            State::Idle | State::Connecting | State::Waiting => ReadyState::Connecting,
            State::Open => ReadyState::Open,
            State::Closed => ReadyState::Closed,
        }
    }
}

/// What a handle asks of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Close,
    Reconnect,
}

/// The two low bits of a [`Shared::word`] are the ready state.
const STATE: u8 = 0b0_0011;
/// These are the order that was given last and not taken; at most one is set.
const CLOSE: u8 = 0b0_0100;
const RECONNECT: u8 = 0b0_1000;
const ORDER: u8 = CLOSE | RECONNECT;
/// The stream was dropped: nothing changes any more.
const DROPPED: u8 = 0b1_0000;

#[derive(Debug)]
pub(super) struct Shared {
    /// State and order are one word, so that nobody sees the state from before an
    /// order that is being carried out.
    word: AtomicU8,
    waker: AtomicWaker,
    last_event_id: Mutex<Option<Arc<str>>>,
    pub(super) stats: SharedStats,
    pub(super) watchers: Watchers,
}

impl Shared {
    pub(super) fn new(state: State, last_event_id: Option<Arc<str>>, stats: Stats) -> Self {
        Shared {
            word: AtomicU8::new(ReadyState::from(state) as u8),
            waker: AtomicWaker::new(),
            last_event_id: Mutex::new(last_event_id),
            stats: SharedStats::new(stats),
            watchers: Watchers::default(),
        }
    }

    /// Changes the word and gives what it was. Whoever watches the state is woken if
    /// that changes.
    fn update(&self, change: impl Fn(u8) -> u8) -> u8 {
        let changed =
            self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| Some(change(word)));
        let before = changed.unwrap_or_else(|word| word);
        if ready_state(before) != ready_state(change(before)) {
            self.watchers.wake();
        }
        before
    }

    /// The state as others are to see it, and whether the stream was dropped.
    pub(super) fn look(&self) -> (ReadyState, bool) {
        let word = self.word.load(Ordering::Acquire);
        let state = match ready_state(word) {
            0 => ReadyState::Connecting,
            1 => ReadyState::Open,
            _ => ReadyState::Closed,
        };
        (state, word & DROPPED != 0)
    }

    /// Whether the order that was given last is to reconnect.
    pub(super) fn is_to_reconnect(&self) -> bool {
        self.word.load(Ordering::Acquire) & RECONNECT != 0
    }

    /// The last order that was given since this was last asked. From here on the
    /// state is the one that it leads to.
    #[inline]
    pub(super) fn take_order(&self) -> Option<Order> {
        if self.word.load(Ordering::Acquire) & ORDER == 0 {
            return None;
        }
        match self.update(ready_state) & ORDER {
            CLOSE => Some(Order::Close),
            RECONNECT => Some(Order::Reconnect),
            _ => None,
        }
    }

    /// Whom to wake when an order is given.
    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    pub(super) fn publish_state(&self, state: State) {
        self.update(|word| word & ORDER | ReadyState::from(state) as u8);
    }

    pub(super) fn publish_last_event_id(&self, id: Option<Arc<str>>) {
        let before = core::mem::replace(&mut *self.last_event_id.lock(), id);
        drop(before);
    }

    /// The stream is no more.
    pub(super) fn retire(&self) {
        self.word.store(DROPPED | ReadyState::Closed as u8, Ordering::Release);
        drop(self.waker.take());
        self.watchers.wake();
    }

    fn give(&self, order: u8) {
        self.update(|word| if word & DROPPED == 0 { word & STATE | order } else { word });
        self.waker.wake();
    }
}

/// The state of the stream, or the one that its order will lead to.
fn ready_state(word: u8) -> u8 {
    match word & ORDER {
        CLOSE => ReadyState::Closed as u8,
        RECONNECT => ReadyState::Connecting as u8,
        _ => word & STATE,
    }
}

/// Closes, forces and observes a reconnecting stream from another task or thread.
///
/// Orders are carried out when the stream is next polled, for which it is woken.
/// Of two orders before that the later one counts. Dropping a handle does
/// nothing.
///
/// ```
/// # use everstream::reconnect::{Connect, Reconnect};
/// # use everstream::{ReadyState, Timer};
/// fn stop_on_shutdown<C: Connect, T: Timer>(events: &mut Reconnect<C, T>) {
///     let handle = events.handle();
///     std::thread::spawn(move || {
///         // wait for the signal, then:
///         handle.close();
///         assert_eq!(handle.ready_state(), ReadyState::Closed);
///     });
/// }
/// ```
#[derive(Clone)]
pub struct Handle {
    pub(super) shared: Arc<Shared>,
}

impl Handle {
    /// Closes the stream, as [`Reconnect::close`](super::Reconnect::close) does.
    /// See [`Handle`] for an example.
    pub fn close(&self) {
        self.shared.give(CLOSE);
    }

    /// Connects anew at once, as
    /// [`Reconnect::force_reconnect`](super::Reconnect::force_reconnect) does: for
    /// the moment at which a network comes back or a page becomes visible.
    ///
    /// ```
    /// # use everstream::Handle;
    /// fn on_network_change(handle: &Handle) {
    ///     handle.reconnect_now();
    /// }
    /// ```
    pub fn reconnect_now(&self) {
        self.shared.give(RECONNECT);
    }

    /// The state of the stream, or the one that the last order will lead to; a
    /// stream that was dropped is closed. See [`Handle`] for an example.
    pub fn ready_state(&self) -> ReadyState {
        self.shared.look().0
    }

    /// The states of the stream, from the present one on. See [`StateWatch`] for an
    /// example.
    pub fn watch(&self) -> StateWatch {
        StateWatch::new(Arc::clone(&self.shared))
    }

    /// What happened on the stream so far, as of its last poll. Each number is read by
    /// itself, so they may be of slightly different moments. (Where the target has no
    /// atomics of 64 bits, they start over at 2^32.)
    ///
    /// ```
    /// # use everstream::Handle;
    /// fn export(handle: &Handle) {
    ///     let stats = handle.stats();
    ///     println!("sse_events_total {}", stats.events);
    ///     println!("sse_bytes_total {}", stats.bytes);
    /// }
    /// ```
    pub fn stats(&self) -> Stats {
        self.shared.stats.get()
    }

    /// The last event ID as of the last item that the stream gave.
    ///
    /// ```
    /// # use everstream::Handle;
    /// fn resume_point(handle: &Handle) -> Option<String> {
    ///     handle.last_event_id().map(|id| id.to_string())
    /// }
    /// ```
    pub fn last_event_id(&self) -> Option<Arc<str>> {
        self.shared.last_event_id.lock().clone()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("ready_state", &self.ready_state())
            .field("last_event_id", &self.last_event_id())
            .field("stats", &self.stats())
            .finish()
    }
}
