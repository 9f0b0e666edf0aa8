//! What a thread has allocated, as far as it is the client's.

#[path = "../counting.rs"]
mod counting;

use std::cell::Cell;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    // A thread that ends has no use for the count any more.
    let _ = LIVE.try_with(|live| live.set(live.get() + change));
}

/// By how much this leaves more on the heap.
pub(crate) fn measured<R>(work: impl FnOnce() -> R) -> (R, isize) {
    let before = LIVE.get();
    let result = work();
    (result, LIVE.get() - before)
}

/// Keeps this out of what is measured around it.
pub(crate) fn unmeasured<R>(work: impl FnOnce() -> R) -> R {
    let before = LIVE.get();
    let result = work();
    LIVE.set(before);
    result
}
