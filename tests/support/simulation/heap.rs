//! The bytes that the client allocates, apart from those of the simulation around it.

use crate::support::thread_heap::LIVE;

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
