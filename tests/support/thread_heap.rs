//! The allocations of a thread, so of a test, and their bytes. Other tests do not affect them.

#[path = "counting.rs"]
mod counting;

use std::cell::Cell;

thread_local! {
    pub(crate) static LIVE: Cell<isize> = const { Cell::new(0) };
    pub(crate) static PEAK: Cell<isize> = const { Cell::new(0) };
    pub(crate) static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count(change: isize) {
    // A thread that is ending may have destroyed its counters.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + change);
        let _ = ALLOCATIONS.try_with(|all| all.set(all.get() + usize::from(change > 0)));
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}
