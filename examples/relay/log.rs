//! The last events, encoded, which all readers share.
//!
//! Invariants:
//! - An event is encoded once, and all connections share its bytes.
//! - The log holds no readers, so neither their number nor their speed affects its memory.
//! - Events are numbered without gaps, in order of arrival.

use axum::body::Bytes;
use everstream::{Encoder, MessageEvent};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

pub(crate) struct Log {
    kept: Mutex<Kept>,
    /// True once the log is closed. Each push also notifies its receivers.
    closed: watch::Sender<bool>,
    max_events: usize,
    max_bytes: usize,
}

#[derive(Default)]
struct Kept {
    events: VecDeque<Encoded>,
    /// The number of the first of them.
    oldest: u64,
    bytes: usize,
}

struct Encoded {
    id: Box<str>,
    block: Bytes,
}

/// The result of looking up an event.
pub(crate) enum Lookup {
    Here(Bytes),
    /// It has not arrived yet.
    Coming,
    /// It will not arrive, because the log is closed.
    Never,
    /// It was dropped to make space for later events.
    Gone,
}

/// The position at which a reader begins.
pub(crate) struct Start {
    pub(crate) number: u64,
    /// True if the reader may have missed events that the log has dropped.
    pub(crate) has_gap: bool,
}

impl Log {
    /// Creates a log that drops its oldest events over these limits. The newest event is always
    /// kept.
    pub(crate) fn new(max_events: usize, max_bytes: usize) -> Self {
        let closed = watch::Sender::new(false);
        Log { kept: Mutex::default(), closed, max_events, max_bytes }
    }

    pub(crate) fn push(&self, message: &MessageEvent) {
        let mut block = Encoder::new(String::new());
        let id = message.id();
        if let Err(error) = block.message(message) {
            // A parsed event can always be encoded. Only an event from other code fails.
            eprintln!("an event that cannot be sent on: {error}");
            return;
        }
        let event = Encoded { id: id.into(), block: block.into_inner().into() };

        let mut kept = self.kept();
        kept.bytes += event.block.len();
        kept.events.push_back(event);
        while kept.events.len() > 1
            && (kept.events.len() > self.max_events || kept.bytes > self.max_bytes)
        {
            let forgotten = kept.events.pop_front().map_or(0, |event| event.block.len());
            kept.bytes -= forgotten;
            kept.oldest += 1;
        }
        drop(kept);
        self.closed.send_modify(|_| {});
    }

    /// Closes the log: no more events arrive.
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Returns a receiver that changes with each event and when the log is closed.
    pub(crate) fn changes(&self) -> watch::Receiver<bool> {
        self.closed.subscribe()
    }

    pub(crate) fn get(&self, number: u64) -> Lookup {
        // This is read before the events, because no event is pushed after the log is closed.
        let closed = *self.closed.borrow();
        let kept = self.kept();
        let Some(index) = number.checked_sub(kept.oldest) else { return Lookup::Gone };
        match usize::try_from(index).ok().and_then(|index| kept.events.get(index)) {
            Some(event) => Lookup::Here(event.block.clone()),
            None if closed => Lookup::Never,
            None => Lookup::Coming,
        }
    }

    /// Returns the position for a reader with this last event ID. Without an ID it begins with the
    /// next event. Several events have one ID if the later ones set none. The reader may have
    /// received any of them, so it gets all but the first again.
    pub(crate) fn start(&self, last_event_id: Option<&str>) -> Start {
        let kept = self.kept();
        let end = kept.oldest + kept.events.len() as u64;
        let Some(id) = last_event_id.filter(|id| !id.is_empty()) else {
            return Start { number: end, has_gap: false };
        };
        let mut events = kept.events.iter().rev();
        let Some(from_end) = events.position(|event| *event.id == *id) else {
            return Start { number: kept.oldest, has_gap: true };
        };
        let others = events.take_while(|event| *event.id == *id).count();
        Start { number: end - (from_end + others) as u64, has_gap: false }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(max_events: usize, max_bytes: usize, ids: &[&str]) -> Log {
        let log = Log::new(max_events, max_bytes);
        for id in ids {
            log.push(&MessageEvent::new("", "x", id));
        }
        log
    }

    fn start(log: &Log, id: Option<&str>) -> (u64, bool) {
        let start = log.start(id);
        (start.number, start.has_gap)
    }

    fn block(log: &Log, number: u64) -> String {
        match log.get(number) {
            Lookup::Here(block) => String::from_utf8(block.to_vec()).unwrap(),
            Lookup::Coming => "coming".to_owned(),
            Lookup::Never => "never".to_owned(),
            Lookup::Gone => "gone".to_owned(),
        }
    }

    #[test]
    fn a_reader_goes_on_behind_its_last_event_and_a_new_one_with_the_next() {
        let log = log(9, 999, &["a", "b", "c"]);
        assert_eq!(start(&log, Some("a")), (1, false));
        assert_eq!(start(&log, Some("c")), (3, false));
        assert_eq!(start(&log, Some("")), (3, false));
        assert_eq!(start(&log, None), (3, false));
    }

    #[test]
    fn of_events_that_share_an_id_all_but_the_first_come_again() {
        let log = log(9, 999, &["a", "b", "b", "b", "c"]);
        assert_eq!(start(&log, Some("b")), (2, false));
    }

    #[test]
    fn an_id_that_is_not_there_means_a_gap_and_the_oldest_event() {
        let log = log(2, 999, &["a", "b", "c"]);
        assert_eq!(start(&log, Some("a")), (1, true));
        assert_eq!(start(&log, Some("b")), (2, false));
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many_events_or_bytes_but_never_the_newest() {
        let few = log(2, 999, &["a", "b", "c"]);
        assert_eq!(block(&few, 0), "gone");
        assert_eq!(block(&few, 1), "id: b\ndata: x\n\n");
        let small = log(9, 1, &["a", "b"]);
        assert_eq!(block(&small, 0), "gone");
        assert_eq!(block(&small, 1), "id: b\ndata: x\n\n");
    }

    #[test]
    fn what_has_not_come_is_coming_until_the_log_is_closed() {
        let log = log(9, 999, &["a", ""]);
        assert_eq!(block(&log, 1), "id:\ndata: x\n\n", "it resets the id");
        assert_eq!(block(&log, 2), "coming");
        log.close();
        assert_eq!(block(&log, 1), "id:\ndata: x\n\n");
        assert_eq!(block(&log, 2), "never");
    }
}
