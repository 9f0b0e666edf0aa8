//! The end-to-end benchmark: whole clients over HTTP from a server in another process, and the
//! memory of their idle connections.
//!
//! The program starts itself again for each part: one `server`, and one `worker` per client, so
//! that the figures of a process are those of one client. `race` and `idle` give the orders,
//! `process` transmits them, and `report` prints the results.

mod client;
mod clients;
mod idle;
mod process;
mod race;
mod report;
mod server;
mod task;
mod worker;

use crate::scenario::Scenario;
use std::error::Error;
use task::{Task, Writes};

/// An error that is only printed.
type Failure = Box<dyn Error + Send + Sync>;

/// The size of a benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The number of turns of each client in a race.
    pub(crate) rounds: usize,
    /// The number of processes per client that hold idle connections.
    pub(crate) idle_rounds: usize,
    /// The number of events in a turn: in large writes, and with one write per event.
    pub(crate) events: [usize; 2],
}

impl Plan {
    pub(crate) const FULL: Plan = Plan { rounds: 21, idle_rounds: 3, events: [200_000, 30_000] };
    pub(crate) const QUICK: Plan = Plan { rounds: 7, idle_rounds: 1, events: [60_000, 10_000] };
}

/// The names of the scenarios. Each of their events ends with a blank line, so a server can send
/// them one by one.
pub(crate) const SCENARIOS: [&str; 2] = ["llm", "tiny"];

/// Runs the benchmark and prints the tables.
pub(crate) fn run(scenarios: &[&'static Scenario], plan: &Plan) -> Result<(), Failure> {
    let clients = clients::all();
    report::preamble(&clients, plan);
    let mut races = Vec::new();
    for scenario in scenarios {
        for writes in Writes::ALL {
            let events = plan.events[writes as usize];
            let race = race::race(&Task::new(scenario, writes, events), &clients, plan.rounds)?;
            report::race(&race);
            races.push(race);
        }
    }
    let weights = idle::weigh(&clients, plan.idle_rounds)?;
    report::idle(&weights);
    report::ratios(&races);
    report::weights(&weights);
    Ok(())
}

/// Runs as the server or a worker of another run, if the arguments demand it. Returns `None`
/// otherwise.
pub(crate) fn take_part(args: &[String]) -> Option<Result<(), Failure>> {
    match args {
        [role] if role == process::SERVER => Some(server::serve()),
        [role, name] if role == process::WORKER => Some(work(name)),
        _ => None,
    }
}

/// Runs as the worker of the client of this name.
fn work(name: &str) -> Result<(), Failure> {
    let entry = clients::all().into_iter().find(|entry| entry.name == name);
    (entry.ok_or("no such client")?.work)()
}
