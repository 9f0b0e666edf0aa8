//! The memory that all threads of the process have allocated. Other tests affect it, so a test that
//! measures it runs in a separate process.

#[path = "counting.rs"]
mod counting;

use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};

static LIVE: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);

fn count(change: isize) {
    let live = LIVE.fetch_add(change, Relaxed) + change;
    PEAK.fetch_max(live, Relaxed);
}

/// The heap of the process, measured from a moment on.
pub(crate) struct Heap {
    before: isize,
}

impl Heap {
    pub(crate) fn measure() -> Heap {
        let before = LIVE.load(Relaxed);
        PEAK.store(before, Relaxed);
        Heap { before }
    }

    #[allow(dead_code, reason = "tests/servers measures peaks only")]
    #[track_caller]
    pub(crate) fn assert_live_below(&self, limit: usize) {
        let live = LIVE.load(Relaxed) - self.before;
        assert!(live < limit as isize, "{live} bytes are held, more than {limit}");
    }

    #[track_caller]
    pub(crate) fn assert_peak_below(&self, limit: usize) {
        let peak = PEAK.load(Relaxed) - self.before;
        assert!(peak < limit as isize, "{peak} bytes were held at a time, more than {limit}");
    }
}
