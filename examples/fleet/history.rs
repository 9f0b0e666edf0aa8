//! What happened to the clients, second by second.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What happened in a second.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Second {
    /// Connections that came about.
    pub(crate) opened: usize,
    /// Connections that were lost.
    pub(crate) lost: usize,
    /// Attempts that came to nothing.
    pub(crate) refused: usize,
    /// When the last connection came about.
    pub(crate) last_opened: Option<Duration>,
}

#[derive(Debug)]
pub(crate) struct History {
    start: Instant,
    seconds: Mutex<Vec<Second>>,
}

impl History {
    pub(crate) fn begin() -> History {
        History { start: Instant::now(), seconds: Mutex::default() }
    }

    /// The time since the beginning.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn opened(&self) {
        let now = self.now();
        self.note(now, |second| {
            second.opened += 1;
            second.last_opened = second.last_opened.max(Some(now));
        });
    }

    pub(crate) fn lost(&self) {
        self.note(self.now(), |second| second.lost += 1);
    }

    pub(crate) fn refused(&self) {
        self.note(self.now(), |second| second.refused += 1);
    }

    /// How many connections are open now.
    pub(crate) fn connected(&self) -> usize {
        connected(&self.seconds()).last().copied().unwrap_or_default()
    }

    /// All of them up to now.
    pub(crate) fn seconds(&self) -> Vec<Second> {
        self.note(self.now(), |_| {});
        self.seconds.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, now: Duration, note: impl FnOnce(&mut Second)) {
        let index = now.as_secs() as usize;
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        if seconds.len() <= index {
            seconds.resize_with(index + 1, Second::default);
        }
        note(&mut seconds[index]);
    }
}

/// How many connections are open at the end of each second.
pub(crate) fn connected(seconds: &[Second]) -> Vec<usize> {
    let mut open = 0_usize;
    let after = |second: &Second| {
        open = (open + second.opened).saturating_sub(second.lost);
        open
    };
    seconds.iter().map(after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_opened_and_not_lost_is_connected() {
        let history = History::begin();
        assert_eq!(history.connected(), 0);
        history.opened();
        history.opened();
        history.lost();
        history.refused();
        assert_eq!(history.connected(), 1);
    }
}
