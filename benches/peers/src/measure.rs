//! The race: all contestants over the same chunks, in short interleaved rounds, so that other load
//! on the machine affects all of them equally. Times are CPU times of the thread.

use crate::allocations;
use crate::consumer::{Digest, Tally};
use crate::contestant::{Entry, Face, Guarded, Role};
use crate::reference;
use crate::scenario::{Chunking, Scenario, Stream};
use bytes::Bytes;
use cpu_time::ThreadTime;
use std::time::Duration;

/// The duration of a race.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// The duration of a turn, up to one pass more or less.
    pub(crate) turn: Duration,
    /// The maximum time of a pass. A slower contestant is excluded.
    pub(crate) cap: Duration,
}

impl Plan {
    pub(crate) const FULL: Plan =
        Plan { rounds: 61, turn: Duration::from_millis(2), cap: Duration::from_secs(2) };
    pub(crate) const QUICK: Plan =
        Plan { rounds: 11, turn: Duration::from_millis(1), cap: Duration::from_millis(200) };

    /// The minimum number of rounds of a slow contestant.
    const MIN_ROUNDS: usize = 3;

    /// Returns the total time after which a slow contestant needs no more rounds.
    fn patience(&self) -> Duration {
        4 * self.turn * self.rounds as u32
    }
}

/// The result of a race.
#[derive(Debug)]
pub(crate) struct Race {
    pub(crate) scenario: &'static Scenario,
    pub(crate) chunking: Chunking,
    pub(crate) units: usize,
    pub(crate) bytes: usize,
    pub(crate) standings: Vec<Standing>,
}

/// The result of a contestant.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) entry: Entry,
    pub(crate) outcome: Outcome,
}

#[derive(Debug)]
pub(crate) enum Outcome {
    Measured(Figures),
    /// It returned this many events, and they are wrong.
    Differs {
        events: u64,
        expected: u64,
    },
    TooSlow,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// The nanoseconds of a pass in the best round. `median` is that of the median round.
    pub(crate) min: f64,
    pub(crate) median: f64,
    /// The heap allocations of a pass.
    pub(crate) allocations: u64,
}

impl Race {
    /// Returns the fastest peer with the right events.
    pub(crate) fn best_peer(&self) -> Option<&Standing> {
        self.fastest(Role::Peer)
    }

    /// Returns the time of the floor for a pass.
    pub(crate) fn floor(&self) -> Option<f64> {
        Some(self.fastest(Role::Floor)?.figures()?.min)
    }

    pub(crate) fn ours(&self, face: Face) -> Option<&Standing> {
        self.fastest(Role::Ours(face))
    }

    fn fastest(&self, role: Role) -> Option<&Standing> {
        self.standings
            .iter()
            .filter(|standing| standing.entry.role == role)
            .filter_map(|standing| Some((standing, standing.figures()?.min)))
            .min_by(|(_, one), (_, other)| one.total_cmp(other))
            .map(|(standing, _)| standing)
    }

    /// Converts the nanoseconds of a pass to nanoseconds per event.
    pub(crate) fn per_event(&self, pass: f64) -> f64 {
        pass / self.units as f64
    }

    /// Converts the nanoseconds of a pass to GiB per second.
    pub(crate) fn gib_per_second(&self, pass: f64) -> f64 {
        self.bytes as f64 / pass * 1e9 / f64::from(1 << 30)
    }
}

impl Standing {
    pub(crate) fn figures(&self) -> Option<Figures> {
        match self.outcome {
            Outcome::Measured(figures) => Some(figures),
            _ => None,
        }
    }
}

/// Runs a race of `entries` over `stream`.
pub(crate) fn race(stream: &Stream, chunking: Chunking, entries: &[Entry], plan: &Plan) -> Race {
    let mut course = Course::new(stream, chunking);
    let mut runners: Vec<Result<Runner, Outcome>> =
        entries.iter().map(|entry| course.check(entry, plan)).collect();
    let count = runners.len();
    for round in 0..plan.rounds {
        for turn in 0..count {
            if let Ok(runner) = &mut runners[(round + turn) % count] {
                runner.take_turn(&mut course, plan);
            }
        }
    }
    let outcome = |runner: Result<Runner, Outcome>| {
        runner.map_or_else(|outcome| outcome, |runner| Outcome::Measured(runner.figures()))
    };
    let standings = entries
        .iter()
        .zip(runners)
        .map(|(entry, runner)| Standing { entry: *entry, outcome: outcome(runner) })
        .collect();
    Race {
        scenario: stream.scenario,
        chunking,
        units: stream.units(),
        bytes: stream.bytes.len(),
        standings,
    }
}

/// The chunks to parse and the expected events.
struct Course {
    chunks: Vec<Bytes>,
    /// A copy of the list of chunks, which each pass empties.
    list: Vec<Bytes>,
    tally: Tally,
    digest: Digest,
}

impl Course {
    fn new(stream: &Stream, chunking: Chunking) -> Self {
        let (mut tally, mut digest) = (Tally::default(), Digest::default());
        reference::parse(&stream.bytes, &mut tally);
        reference::parse(&stream.bytes, &mut digest);
        let chunks = stream.chunks(chunking);
        Course { list: Vec::with_capacity(chunks.len()), chunks, tally, digest }
    }

    /// Runs a contestant once, and excludes it if it returns wrong events or takes too long.
    fn check(&mut self, entry: &Entry, plan: &Plan) -> Result<Runner, Outcome> {
        self.fill();
        let mut digest = Digest::default();
        let start = ThreadTime::now();
        let allocations = allocations::count(|| {
            (entry.checked)(Guarded::new(self.list.drain(..), plan.cap), &mut digest);
        });
        let time = start.elapsed();
        if time > plan.cap {
            return Err(Outcome::TooSlow);
        }
        if matches!(entry.role, Role::Ours(_) | Role::Peer) && digest != self.digest {
            let (events, expected) = (digest.events, self.digest.events);
            return Err(Outcome::Differs { events, expected });
        }
        Ok(Runner {
            entry: *entry,
            allocations,
            rounds: Vec::new(),
            fastest: time,
            spent: Duration::ZERO,
        })
    }

    /// Times one pass.
    fn pass(&mut self, entry: &Entry) -> Duration {
        self.fill();
        let mut tally = Tally::default();
        let start = ThreadTime::now();
        (entry.timed)(self.list.drain(..), &mut tally);
        let time = start.elapsed();
        assert!(
            matches!(entry.role, Role::Floor | Role::Copy) || tally == self.tally,
            "{} gave other events than before",
            entry.name
        );
        time
    }

    fn fill(&mut self) {
        self.list.clear();
        self.list.extend_from_slice(&self.chunks);
    }
}

/// A contestant during the race.
struct Runner {
    entry: Entry,
    allocations: u64,
    /// The nanoseconds of a pass, per round.
    rounds: Vec<f64>,
    /// The shortest pass so far. The checked pass is the first.
    fastest: Duration,
    spent: Duration,
}

impl Runner {
    fn take_turn(&mut self, course: &mut Course, plan: &Plan) {
        if self.rounds.len() >= Plan::MIN_ROUNDS && self.spent > plan.patience() {
            return;
        }
        let passes = plan.turn.as_nanos().div_ceil(self.fastest.as_nanos().max(1));
        if passes > 1 {
            // A first pass warms the caches and the branch predictor, which other contestants have
            // used.
            course.pass(&self.entry);
        }
        let mut times: Vec<Duration> =
            (0..passes.max(1)).map(|_| course.pass(&self.entry)).collect();
        times.sort();
        self.fastest = self.fastest.min(times[0]);
        self.spent += times.iter().sum();
        // The median of the passes, so that an interrupted pass does not spoil the round.
        self.rounds.push(times[times.len() / 2].as_nanos() as f64);
    }

    fn figures(mut self) -> Figures {
        self.rounds.sort_by(f64::total_cmp);
        Figures {
            min: self.rounds[0],
            median: self.rounds[self.rounds.len() / 2],
            allocations: self.allocations,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contestants;
    use crate::scenario::Chunking::{Bytes, Event};
    use crate::scenario::SCENARIOS;

    const ONCE: Plan = Plan { rounds: 1, turn: Duration::ZERO, cap: Duration::from_secs(1) };

    fn scenario(name: &str) -> &'static Scenario {
        SCENARIOS.iter().find(|scenario| scenario.name == name).unwrap()
    }

    #[test]
    fn everstream_and_a_peer_yield_the_right_events_in_chunks_of_each_size() {
        for name in ["named", "ids", "crlf", "mixed"] {
            let stream = scenario(name).stream();
            for chunk in [Bytes(1), Bytes(7), Bytes(1460), Event] {
                let race = race(&stream, chunk, &contestants::all(), &ONCE);
                assert!(race.ours(Face::Lending).is_some(), "{name} {chunk}");
                assert!(race.ours(Face::Owned).is_some(), "{name} {chunk}");
                assert!(race.best_peer().is_some() && race.floor().is_some(), "{name} {chunk}");
            }
        }
    }

    #[test]
    fn a_parser_with_other_events_is_excluded() {
        // async-sse sees an empty line where a chunk ends between CR and LF.
        let race = race(&scenario("crlf").stream(), Bytes(10), &contestants::all(), &ONCE);
        let standing =
            race.standings.iter().find(|standing| standing.entry.name == "async-sse").unwrap();
        assert!(matches!(standing.outcome, Outcome::Differs { .. }), "{standing:?}");
    }

    #[test]
    fn a_parser_that_is_too_slow_is_stopped() {
        let plan = Plan { cap: Duration::ZERO, ..ONCE };
        let race = race(&scenario("tiny").stream(), Bytes(1460), &contestants::all(), &plan);
        assert!(race.standings.iter().all(|it| matches!(it.outcome, Outcome::TooSlow)));
    }
}
