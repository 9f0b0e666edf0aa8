//! The history of the connections, second by second.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The counts of one second.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Second {
    /// Connections that were opened.
    pub(crate) opened: usize,
    /// Connections that were lost.
    pub(crate) lost: usize,
    /// Attempts that failed.
    pub(crate) refused: usize,
    /// The time of the last opened connection.
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

    /// Returns the time since the start.
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

    /// Returns the number of open connections.
    pub(crate) fn connected(&self) -> usize {
        connected(&self.seconds()).last().copied().unwrap_or_default()
    }

    /// Returns all seconds up to now.
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

/// Returns the number of open connections at the end of each second.
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
