//! The state, the counts and the wakers that a stream shares with its handles.
//!
//! Invariants:
//! - A handle gives orders, wakes the stream, and reads published values. The stream carries out
//!   orders and publishes values while it is polled.
//! - A lock is only held to copy its value, and never while other code runs. The list of watches is
//!   copied when it changes, so no waker is called or dropped under the lock.
//! - A watch registers its waker before it reads the state. The stream changes the state before it
//!   wakes. So no change is missed.

use super::health::Health;
use super::machine::{Action, Input, ReadyState, State};
use super::stats::{SharedStats, Stats};
use crate::sync::{AtomicU8, AtomicWaker, Lock};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use core::task::Waker;

/// The two low bits of a [`Shared::word`] are the ready state.
const STATE: u8 = 0b0_0011;
/// The last order that was not carried out yet. At most one of these bits is set.
pub(super) const CLOSE: u8 = 0b0_0100;
pub(super) const RECONNECT: u8 = 0b0_1000;
const ORDER: u8 = CLOSE | RECONNECT;
/// The stream was dropped. The word does not change after that.
const DROPPED: u8 = 0b1_0000;

#[derive(Debug)]
pub(super) struct Shared {
    /// The state and the last order, in one word. So no handle sees the old state while an order is
    /// carried out.
    word: AtomicU8,
    waker: AtomicWaker,
    pub(super) last_event_id: Lock<Option<Arc<str>>>,
    pub(super) stats: SharedStats,
    pub(super) health: Lock<Health>,
    pub(super) watchers: Watchers,
}

impl Shared {
    pub(super) fn new(state: State, last_event_id: Option<Arc<str>>, stats: Stats) -> Self {
        let state = ReadyState::from(state);
        Shared {
            word: AtomicU8::new(state as u8),
            waker: AtomicWaker::new(),
            last_event_id: Lock::new(last_event_id),
            stats: SharedStats::new(stats),
            health: Lock::new(Health::new(state)),
            watchers: Watchers::default(),
        }
    }

    /// Changes the word and returns the previous one. Wakes the watches if the state changes.
    fn update(&self, change: impl Fn(u8) -> u8) -> u8 {
        let changed =
            self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| Some(change(word)));
        let before = changed.unwrap_or_else(|word| word);
        if ready_state(before) != ready_state(change(before)) {
            self.watchers.wake();
        }
        before
    }

    /// Returns the state that handles see, and whether the stream was dropped.
    pub(super) fn look(&self) -> (ReadyState, bool) {
        let word = self.word.load(Ordering::Acquire);
        (ready_state(word), word & DROPPED != 0)
    }

    /// Removes and returns the last order, and sets the state that it leads to.
    #[inline]
    pub(super) fn take_order(&self) -> Option<Input> {
        if self.word.load(Ordering::Acquire) & ORDER == 0 {
            return None;
        }
        match self.update(|word| ready_state(word) as u8) & ORDER {
            CLOSE => Some(Input::Close),
            RECONNECT => Some(Input::Force),
            _ => None,
        }
    }

    /// Registers the waker that an order wakes.
    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Publishes the state that an action led to.
    pub(super) fn publish(&self, action: Action, state: State) {
        let state = ReadyState::from(state);
        self.health.lock().enter(state, action);
        self.update(|word| word & ORDER | state as u8);
    }

    pub(super) fn publish_last_event_id(&self, id: Option<Arc<str>>) {
        let before = core::mem::replace(&mut *self.last_event_id.lock(), id);
        drop(before);
    }

    /// Records that the stream was dropped.
    pub(super) fn retire(&self) {
        self.health.lock().enter(ReadyState::Closed, Action::Close);
        // A store is enough, but loom does not order a store among the updates.
        self.word.swap(DROPPED | ReadyState::Closed as u8, Ordering::AcqRel);
        drop(self.waker.take());
        self.watchers.wake();
    }

    /// Replaces the last order by [`CLOSE`] or [`RECONNECT`].
    pub(super) fn give(&self, order: u8) {
        self.update(|word| if word & DROPPED == 0 { word & STATE | order } else { word });
        self.waker.wake();
    }
}

/// Returns the state of the stream, or the state that its order leads to.
fn ready_state(word: u8) -> ReadyState {
    match word & ORDER {
        CLOSE => ReadyState::Closed,
        RECONNECT => ReadyState::Connecting,
        _ => match word & STATE {
            0 => ReadyState::Connecting,
            1 => ReadyState::Open,
            _ => ReadyState::Closed,
        },
    }
}

/// The wakers of the watches on the state.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    list: Lock<Arc<Vec<Arc<AtomicWaker>>>>,
}

impl Watchers {
    pub(super) fn wake(&self) {
        let list = Arc::clone(&self.list.lock());
        list.iter().for_each(|watcher| watcher.wake());
    }

    pub(super) fn add(&self, watcher: &Arc<AtomicWaker>) {
        self.change(|list| list.push(Arc::clone(watcher)));
    }

    pub(super) fn remove(&self, watcher: &Arc<AtomicWaker>) {
        self.change(|list| list.retain(|other| !Arc::ptr_eq(other, watcher)));
    }

    fn change(&self, change: impl Fn(&mut Vec<Arc<AtomicWaker>>)) {
        loop {
            let before = Arc::clone(&self.list.lock());
            let mut list = Vec::clone(&before);
            change(&mut list);
            let list = Arc::new(list);
            let mut current = self.list.lock();
            if Arc::ptr_eq(&current, &before) {
                *current = list;
                return;
            }
        }
    }
}
