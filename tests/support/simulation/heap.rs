//! The bytes that the client has allocated on a thread.

#[path = "../counting.rs"]
mod counting;

use std::cell::Cell;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    // A thread that ends no longer has its counter.
    let _ = LIVE.try_with(|live| live.set(live.get() + change));
}

/// Returns the result of `work`, and the growth of the heap by it.
pub(crate) fn measured<R>(work: impl FnOnce() -> R) -> (R, isize) {
    let before = LIVE.get();
    let result = work();
    (result, LIVE.get() - before)
}

/// Runs `work` without counting its allocations.
pub(crate) fn unmeasured<R>(work: impl FnOnce() -> R) -> R {
    let before = LIVE.get();
    let result = work();
    LIVE.set(before);
    result
}
