//! The replay log: the last events, encoded, for all readers together.
//!
//! Invariants:
//! - An event is encoded once, and all responses share its bytes.
//! - The log knows no reader. Its memory is bounded, whatever the number and speed of readers.
//! - Events are numbered without gaps, in the order in which they came.

use axum::body::Bytes;
use everstream::{Encoder, MessageEvent};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

pub(crate) struct Log {
    kept: Mutex<Kept>,
    /// True once the log is closed. A push marks it as changed, too.
    closed: watch::Sender<bool>,
    ids: Ids,
    max_events: usize,
    max_bytes: usize,
}

/// The kind of IDs in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ids {
    /// Any text: the upstream's.
    Any,
    /// Those of a Redis stream, which only grow.
    Entries,
}

/// The ID of an entry of a Redis stream, such as `1764104400000-7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct EntryId {
    /// Usually the milliseconds since 1970.
    pub(crate) time: u64,
    pub(crate) number: u64,
}

impl EntryId {
    pub(crate) fn parse(text: &str) -> Option<EntryId> {
        let (time, number) = text.split_once('-')?;
        Some(EntryId { time: time.parse().ok()?, number: number.parse().ok()? })
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.time, self.number)
    }
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

/// The answer to a lookup of an event by its number.
pub(crate) enum Lookup {
    Here(Bytes),
    /// It has not arrived yet.
    Coming,
    /// The log is closed before it.
    Never,
    /// It was dropped.
    Gone,
}

/// The first event of a reader.
pub(crate) struct Start {
    pub(crate) number: u64,
    /// True if the reader may have missed events that the log has dropped.
    pub(crate) has_gap: bool,
}

impl Log {
    /// Creates a log that drops its oldest event when it has more events or bytes than this. The
    /// newest is always kept.
    pub(crate) fn new(ids: Ids, max_events: usize, max_bytes: usize) -> Self {
        let closed = watch::Sender::new(false);
        Log { kept: Mutex::default(), closed, ids, max_events, max_bytes }
    }

    pub(crate) fn push(&self, message: &MessageEvent) {
        let mut block = Encoder::new(String::new());
        let id = message.id();
        if let Err(error) = block.message(message) {
            // A parsed event can always be encoded. One from Redis may have a line end in its type.
            eprintln!("cannot send an event: {error}");
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

    /// Closes the log: no more events come.
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Returns a receiver that changes when an event is pushed or the log is closed.
    pub(crate) fn changes(&self) -> watch::Receiver<bool> {
        self.closed.subscribe()
    }

    pub(crate) fn get(&self, number: u64) -> Lookup {
        // Read this before the events: none is pushed after the log is closed.
        let closed = *self.closed.borrow();
        let kept = self.kept();
        let Some(index) = number.checked_sub(kept.oldest) else { return Lookup::Gone };
        match usize::try_from(index).ok().and_then(|index| kept.events.get(index)) {
            Some(event) => Lookup::Here(event.block.clone()),
            None if closed => Lookup::Never,
            None => Lookup::Coming,
        }
    }

    /// Waits until the log has the event of this ID, if it is to come: another relay may have
    /// sent it before this one has read it. Returns false after 5 s.
    pub(crate) async fn wait_for(&self, id: Option<&str>) -> bool {
        let wanted = match self.ids {
            Ids::Any => return true,
            Ids::Entries => id.and_then(EntryId::parse),
        };
        let mut changes = self.changes();
        let newest = || self.kept().events.back().and_then(|event| EntryId::parse(&event.id));
        let caught_up = async {
            while newest() < wanted && !*changes.borrow_and_update() {
                if changes.changed().await.is_err() {
                    break;
                }
            }
        };
        timeout(Duration::from_secs(5), caught_up).await.is_ok()
    }

    /// Returns the start of a reader whose last event has this ID; a reader without one starts with
    /// the next event. Several events can share an ID, because an event without one keeps the last.
    /// The reader may have any of them, so it gets all but the first again.
    pub(crate) fn start(&self, last_event_id: Option<&str>) -> Start {
        let kept = self.kept();
        let end = kept.oldest + kept.events.len() as u64;
        let Some(id) = last_event_id.filter(|id| !id.is_empty()) else {
            return Start { number: end, has_gap: false };
        };
        if let (Ids::Entries, Some(id)) = (self.ids, EntryId::parse(id)) {
            let had = kept.events.partition_point(|event| EntryId::parse(&event.id) <= Some(id));
            return Start { number: kept.oldest + had as u64, has_gap: had == 0 };
        }
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
        let log = Log::new(Ids::Any, max_events, max_bytes);
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
    fn a_reader_resumes_after_its_last_event_and_a_new_one_starts_with_the_next() {
        let log = log(9, 999, &["a", "b", "c"]);
        assert_eq!(start(&log, Some("a")), (1, false));
        assert_eq!(start(&log, Some("c")), (3, false));
        assert_eq!(start(&log, Some("")), (3, false));
        assert_eq!(start(&log, None), (3, false));
    }

    #[test]
    fn all_but_the_first_event_of_a_shared_id_are_sent_again() {
        let log = log(9, 999, &["a", "b", "b", "b", "c"]);
        assert_eq!(start(&log, Some("b")), (2, false));
    }

    #[test]
    fn an_unknown_id_means_a_gap_and_the_oldest_event() {
        let log = log(2, 999, &["a", "b", "c"]);
        assert_eq!(start(&log, Some("a")), (1, true));
        assert_eq!(start(&log, Some("b")), (2, false));
    }

    #[test]
    fn entry_ids_are_compared_as_numbers() {
        let log = Log::new(Ids::Entries, 2, 999);
        for id in ["9-0", "10-0", "10-2"] {
            log.push(&MessageEvent::new("", "x", id));
        }
        assert_eq!(start(&log, Some("9-0")), (1, true), "its successor may be dropped");
        assert_eq!(start(&log, Some("10-0")), (2, false));
        assert_eq!(start(&log, Some("10-1")), (2, false));
        assert_eq!(start(&log, Some("10-2")), (3, false));
        assert_eq!(start(&log, Some("nonsense")), (1, true));
        assert_eq!(start(&log, None), (3, false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_of_another_relay_waits_until_this_one_has_read_its_event() {
        let log = Log::new(Ids::Entries, 9, 999);
        assert!(!log.wait_for(Some("10-1")).await);
        let (caught_up, ()) = tokio::join!(log.wait_for(Some("10-1")), async {
            log.push(&MessageEvent::new("", "x", "10-1"));
        });
        assert!(caught_up);
        assert!(log.wait_for(Some("10-0")).await);
        assert!(log.wait_for(None).await);
        log.close();
        assert!(log.wait_for(Some("11-0")).await);
    }

    #[test]
    fn the_oldest_events_are_dropped_over_the_limits_but_never_the_newest() {
        let few = log(2, 999, &["a", "b", "c"]);
        assert_eq!(block(&few, 0), "gone");
        assert_eq!(block(&few, 1), "id: b\ndata: x\n\n");
        let small = log(9, 1, &["a", "b"]);
        assert_eq!(block(&small, 0), "gone");
        assert_eq!(block(&small, 1), "id: b\ndata: x\n\n");
    }

    #[test]
    fn a_later_event_is_coming_until_the_log_is_closed() {
        let log = log(9, 999, &["a", ""]);
        assert_eq!(block(&log, 1), "id:\ndata: x\n\n", "it resets the id");
        assert_eq!(block(&log, 2), "coming");
        log.close();
        assert_eq!(block(&log, 1), "id:\ndata: x\n\n");
        assert_eq!(block(&log, 2), "never");
    }
}
