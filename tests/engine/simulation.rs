//! Tests of the engine by random histories in virtual time, with random behaviour of the server and
//! the user. These rules hold in each:
//!
//! - with a server that replays, every event arrives once and in order, or is reported as too
//!   large;
//! - there is at most one connection, and none outlives the stream;
//! - no attempt starts before `retry`, `Retry-After` and the minimum delay allow it;
//! - a waiting task is woken, and timeouts are neither early nor missed;
//! - the state changes only along the diagram, and close is final;
//! - the memory stays within the limit of an event.
//!
//! `EVERSTREAM_HISTORIES=1000000` sets the number of histories; the default is a few thousand.
//! `EVERSTREAM_SEED=7` runs and logs the history of that seed. With both, it is the first seed.

use std::collections::BTreeMap;
use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use crate::support::simulation::history::{play, trace};

const HISTORIES: u64 = 4000;

/// The number of histories in which each kind of event must have occurred.
const ENOUGH: u64 = 2000;

#[derive(Default)]
struct Played {
    next: AtomicU64,
    is_over: AtomicBool,
    failed: Mutex<Option<u64>>,
    tally: Mutex<BTreeMap<&'static str, u64>>,
}

impl Played {
    /// Runs histories until none is left or one fails.
    fn play(&self, first: u64, histories: u64) {
        let mut tally = BTreeMap::<_, u64>::new();
        while !self.is_over.load(Ordering::Relaxed) {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            if next >= histories {
                break;
            }
            let seed = first.wrapping_add(next);
            match panic::catch_unwind(AssertUnwindSafe(|| play(seed))) {
                Ok(played) => {
                    for (what, count) in played.counts() {
                        *tally.entry(what).or_default() += count;
                    }
                }
                Err(_) => {
                    self.is_over.store(true, Ordering::Relaxed);
                    self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(seed);
                }
            }
        }
        let mut sum = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        for (what, count) in tally {
            *sum.entry(what).or_default() += count;
        }
    }
}

#[test]
fn no_history_loses_an_event_overloads_the_server_or_hangs() {
    let variable = |name: &str| env::var(name).ok().map(|value| value.parse::<u64>().expect(name));
    let first = variable("EVERSTREAM_SEED");
    let otherwise = if first.is_some() { 1 } else { HISTORIES };
    let histories = variable("EVERSTREAM_HISTORIES").unwrap_or(otherwise);
    let first = first.unwrap_or(0);

    let began = Instant::now();
    let played = Played::default();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| played.play(first, histories));
        }
    });

    let failed = played.failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(seed) = failed {
        println!("\nwhat happened:\n\n{}\n", trace(seed).join("\n"));
        panic!(
            "history {seed} breaks what must hold, see above; again:\n\
             EVERSTREAM_SEED={seed} cargo test --release --test engine simulation::"
        );
    }
    let took = began.elapsed().as_secs_f64();
    let tally = played.tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let per_second = histories as f64 / took;
    println!("{histories} histories in {took:.1} s, {per_second:.0} histories per second");
    for (what, count) in &tally {
        println!("{count:>12} {what}");
        assert!(histories < ENOUGH || *count > 0, "none of them is one of {what:?}");
    }
}
