//! The task of a client: the events to fetch, and their writes.

use crate::consumer::Tally;
use crate::reference;
use crate::scenario::{SCENARIOS, Scenario};
use fastrand::Rng;
use std::ops::Range;

/// The path of a response with one event that never ends.
pub(super) const IDLE: &str = "/idle";

/// The sizes of large writes.
const LARGE: Range<usize> = 16 * 1024..64 * 1024;

/// The writes of a server. Each write is a chunk of the transfer encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writes {
    /// Large buffers, which may end in the middle of an event.
    Large,
    /// One event per write.
    Event,
}

impl Writes {
    pub(super) const ALL: [Writes; 2] = [Writes::Large, Writes::Event];

    pub(super) fn name(self) -> &'static str {
        match self {
            Writes::Large => "large",
            Writes::Event => "event",
        }
    }
}

/// A response: a scenario's stream, again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) scenario: &'static str,
    pub(super) writes: Writes,
    passes: usize,
}

/// The expected result of a task.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) tally: Tally,
    pub(super) bytes: u64,
}

impl Task {
    /// Creates a task of whole streams with at least `events` events.
    pub(super) fn new(scenario: &'static Scenario, writes: Writes, events: usize) -> Self {
        let passes = events.div_ceil(scenario.stream().units());
        Task { scenario: scenario.name, writes, passes }
    }

    pub(super) fn path(&self) -> String {
        format!("/{}/{}/{}", self.scenario, self.writes.name(), self.passes)
    }

    /// Parses a path.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix('/')?.split('/');
        let (scenario, writes, passes) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Task {
            scenario: SCENARIOS.iter().find(|known| known.name == scenario)?.name,
            writes: Writes::ALL.into_iter().find(|known| known.name() == writes)?,
            passes: passes.parse().ok()?,
        })
    }

    /// Returns the writes of one pass, and the number of passes.
    pub(super) fn writes(&self) -> (Vec<Vec<u8>>, usize) {
        let stream = self.stream();
        let mut writes = Vec::new();
        let mut rest = &stream[..];
        let mut rng = Rng::with_seed(1);
        while !rest.is_empty() {
            let size = match self.writes {
                Writes::Large => rng.usize(LARGE).min(rest.len()),
                Writes::Event => end_of_event(rest),
            };
            let (piece, behind) = rest.split_at(size);
            writes.push(chunk(piece));
            rest = behind;
        }
        (writes, self.passes)
    }

    /// Returns the result of the reference parser.
    pub(super) fn expected(&self) -> Expected {
        let stream = self.stream();
        let mut tally = Tally::default();
        for _ in 0..self.passes {
            reference::parse(&stream, &mut tally);
        }
        Expected { tally, bytes: (stream.len() * self.passes) as u64 }
    }

    fn stream(&self) -> Vec<u8> {
        let scenario = SCENARIOS.iter().find(|known| known.name == self.scenario);
        scenario.map(|scenario| scenario.stream().bytes.to_vec()).unwrap_or_default()
    }
}

/// Returns the end of the first event of `stream`.
fn end_of_event(stream: &[u8]) -> usize {
    let blank = stream.windows(2).position(|pair| pair == b"\n\n");
    blank.map_or(stream.len(), |at| at + 2)
}

/// Returns a chunk of the transfer encoding (RFC 9112, section 7.1).
pub(super) fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e;

    fn tasks() -> impl Iterator<Item = Task> {
        let scenarios = SCENARIOS.iter().filter(|known| e2e::SCENARIOS.contains(&known.name));
        scenarios.flat_map(|scenario| Writes::ALL.map(|writes| Task::new(scenario, writes, 5000)))
    }

    #[test]
    fn a_task_is_found_again_by_its_path() {
        assert_eq!(tasks().count(), 4);
        for task in tasks() {
            assert_eq!(Task::parse(&task.path()), Some(task));
        }
        assert_eq!(Task::parse("/llm/large"), None);
        assert_eq!(Task::parse("/llm/small/1"), None);
        assert_eq!(Task::parse(IDLE), None);
    }

    #[test]
    fn the_writes_of_a_pass_make_up_the_stream_and_those_of_events_are_one_event_each() {
        for task in tasks() {
            let (writes, passes) = task.writes();
            let bytes = writes.iter().flat_map(|write| {
                let start = write.iter().position(|byte| *byte == b'\n').unwrap() + 1;
                &write[start..write.len() - 2]
            });
            assert_eq!(bytes.copied().collect::<Vec<u8>>(), task.stream());
            if task.writes == Writes::Event {
                assert_eq!((writes.len() * passes) as u64, task.expected().tally.events);
            }
        }
    }
}
