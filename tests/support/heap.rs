//! The heap of a test, and its limits.

use super::thread_heap::{LIVE, PEAK};

/// The heap of this thread, measured from a moment on.
pub(crate) struct Heap {
    before: isize,
}

impl Heap {
    pub(crate) fn measure() -> Heap {
        let before = LIVE.get();
        PEAK.set(before);
        Heap { before }
    }

    /// Returns the bytes allocated and not freed since then.
    pub(crate) fn live(&self) -> isize {
        LIVE.get() - self.before
    }

    /// Returns the maximum of these bytes at a time.
    pub(crate) fn peak(&self) -> isize {
        PEAK.get() - self.before
    }

    #[track_caller]
    pub(crate) fn assert_live_below(&self, limit: usize) {
        let live = self.live();
        assert!(live < limit as isize, "{live} bytes are held, more than {limit}");
    }

    #[track_caller]
    pub(crate) fn assert_peak_below(&self, limit: usize) {
        let peak = self.peak();
        assert!(peak < limit as isize, "{peak} bytes were held at a time, more than {limit}");
    }
}
