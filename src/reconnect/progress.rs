//! The detection of new event IDs.
//!
//! A server that ignores `Last-Event-ID` replays the same events to each connection. Their IDs
//! differ from the ID that the connection resumes from, although no event is new. Such a connection
//! begins with the same ID as the connection before it.

use alloc::sync::Arc;

#[derive(Default)]
pub(super) struct Progress {
    /// The first ID of this connection that differs from the ID that it resumes from.
    first: Option<Arc<str>>,
    /// The first such ID of the last connection with one.
    previous_first: Option<Arc<str>>,
}

impl Progress {
    /// Starts another connection.
    pub(super) fn begin(&mut self) {
        if let Some(first) = self.first.take() {
            self.previous_first = Some(first);
        }
    }

    /// Returns whether this ID is new to a connection that resumes from `sent`.
    pub(super) fn is_new(&mut self, id: Option<&Arc<str>>, sent: Option<&Arc<str>>) -> bool {
        let Some(id) = id else { return false };
        if sent == Some(id) {
            return false;
        }
        let first = self.first.get_or_insert_with(|| Arc::clone(id));
        self.previous_first.as_ref() != Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns for each connection whether one of its IDs was new. A connection is the ID that it
    /// resumes from and the IDs of its events.
    fn play(connections: &[(&str, &[&str])]) -> alloc::vec::Vec<bool> {
        let id = |id: &str| (!id.is_empty()).then(|| Arc::<str>::from(id));
        let mut progress = Progress::default();
        let has_new = |(sent, ids): &(&str, &[&str])| {
            progress.begin();
            let sent = id(sent);
            ids.iter()
                .fold(false, |new, next| new | progress.is_new(id(next).as_ref(), sent.as_ref()))
        };
        connections.iter().map(has_new).collect()
    }

    #[test]
    fn a_server_that_resumes_has_new_ids() {
        assert_eq!(play(&[("", &["1"]), ("1", &["2", "3"]), ("3", &["4"])]), [true; 3]);
        // The server repeats the event with the last event ID.
        assert_eq!(play(&[("", &["1"]), ("1", &["1", "2"]), ("2", &["2", "3"])]), [true; 3]);
    }

    #[test]
    fn a_server_that_replays_everything_has_none() {
        let replay: &[&str] = &["1", "2", "3"];
        assert_eq!(play(&[("", replay), ("3", replay), ("3", replay)]), [true, false, false]);
        // A connection without an event in between changes nothing.
        assert_eq!(play(&[("", replay), ("3", &[]), ("3", replay)]), [true, false, false]);
    }

    #[test]
    fn an_id_that_never_changes_or_is_absent_is_not_new() {
        assert_eq!(play(&[("", &["a"]), ("a", &["a", "a"])]), [true, false]);
        assert_eq!(play(&[("", &["", ""]), ("", &[""])]), [false, false]);
        assert_eq!(play(&[("7", &[""])]), [false]);
    }
}
