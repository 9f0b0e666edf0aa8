//! The race: all clients fetch one response in turns. Each client has one process for all of its
//! turns.

use super::Failure;
use super::client::Role;
use super::clients::Entry;
use super::process::{Answer, Drained, Order, Server, Worker};
use super::task::{Expected, Task};

/// The result of a race.
#[derive(Debug)]
pub(super) struct Race {
    pub(super) task: Task,
    pub(super) events: u64,
    pub(super) bytes: u64,
    pub(super) standings: Vec<Standing>,
}

#[derive(Debug)]
pub(super) struct Standing {
    pub(super) entry: Entry,
    /// The figures, or the reason for its exclusion: wrong events or a failure.
    pub(super) outcome: Result<Figures, String>,
}

/// The nanoseconds per event in the best and in the median round.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    pub(super) cpu: [f64; 2],
    pub(super) wall: [f64; 2],
}

impl Race {
    pub(super) fn ours(&self) -> Option<Figures> {
        self.best(Role::Ours)?.outcome.as_ref().ok().copied()
    }

    pub(super) fn best_peer(&self) -> Option<&Standing> {
        self.best(Role::Peer)
    }

    pub(super) fn bare(&self) -> Option<Figures> {
        self.best(Role::Bare)?.outcome.as_ref().ok().copied()
    }

    /// Returns the client with the least CPU time.
    fn best(&self, role: Role) -> Option<&Standing> {
        let standings = self.standings.iter().filter(|standing| standing.entry.role == role);
        let measured = standings
            .filter_map(|standing| Some((standing, standing.outcome.as_ref().ok()?.cpu[0])));
        measured.min_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(standing, _)| standing)
    }
}

/// Runs a race of `clients` over `task`.
pub(super) fn race(task: &Task, clients: &[Entry], rounds: usize) -> Result<Race, Failure> {
    let server = Server::start()?;
    let url = server.url(task);
    let expected = task.expected();
    let mut runners = Vec::new();
    for entry in clients {
        let mut runner = Runner { worker: Worker::start(entry.name)?, turns: Ok(Vec::new()) };
        // The first turn warms the caches.
        runner.take_turn(entry.role, &url, &expected)?;
        runner.turns = runner.turns.map(|_| Vec::new());
        runners.push(runner);
    }
    let count = runners.len();
    for round in 0..rounds {
        for turn in 0..count {
            let next = (round + turn) % count;
            runners[next].take_turn(clients[next].role, &url, &expected)?;
        }
    }
    let events = expected.tally.events;
    let standings = clients
        .iter()
        .zip(runners)
        .map(|(entry, runner)| Standing {
            entry: *entry,
            outcome: runner.turns.map(|turns| figures(&turns, events)),
        })
        .collect();
    Ok(Race { task: task.clone(), events, bytes: expected.bytes, standings })
}

struct Runner {
    worker: Worker,
    turns: Result<Vec<Drained>, String>,
}

impl Runner {
    fn take_turn(&mut self, role: Role, url: &str, expected: &Expected) -> Result<(), Failure> {
        let Ok(turns) = &mut self.turns else { return Ok(()) };
        let goal = match role {
            Role::Bare => expected.bytes,
            Role::Ours | Role::Peer => expected.tally.events,
        };
        let right = |drained: &Drained| {
            drained.progress == goal && (role == Role::Bare || drained.tally == expected.tally)
        };
        match self.worker.ask(&Order::Drain { url: url.to_owned(), goal })? {
            Answer::Drained(drained) if right(&drained) => turns.push(drained),
            Answer::Drained(_) => self.turns = Err("differs".to_owned()),
            Answer::Failed(reason) => self.turns = Err(reason),
            Answer::Held(_) => return Err("a worker held what it was to drain".into()),
        }
        Ok(())
    }
}

fn figures(turns: &[Drained], events: u64) -> Figures {
    let per_event = |time: fn(&Drained) -> u128| {
        let mut times: Vec<f64> =
            turns.iter().map(|turn| time(turn) as f64 / events as f64).collect();
        times.sort_by(f64::total_cmp);
        [times[0], times[times.len() / 2]]
    };
    Figures {
        cpu: per_event(|turn| turn.cpu.as_nanos()),
        wall: per_event(|turn| turn.wall.as_nanos()),
    }
}
