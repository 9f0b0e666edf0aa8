//! End to end: whole clients over HTTP from a server in another process, and what
//! their idle connections weigh.
//!
//! The program starts itself anew for every part: one `server`, and one `worker` for
//! each client, so that what is measured of a process is that client's alone. `race`
//! and `idle` give the orders, `process` carries them, `report` tells how it went.

mod client;
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

/// What any part of this can fail with: it is only ever shown.
type Failure = Box<dyn Error + Send + Sync>;

/// How much time it all takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// How many turns each client has in a race.
    pub(crate) rounds: usize,
    /// How many processes hold idle connections, for each client.
    pub(crate) idle_rounds: usize,
    /// How many events a turn has: in large writes, and each in its own.
    pub(crate) events: [usize; 2],
}

impl Plan {
    pub(crate) const FULL: Plan = Plan { rounds: 21, idle_rounds: 3, events: [200_000, 30_000] };
    pub(crate) const QUICK: Plan = Plan { rounds: 7, idle_rounds: 1, events: [60_000, 10_000] };
}

/// The names of the scenarios that take part: their events each end where a blank
/// line does, so that a server can send them one by one.
pub(crate) const SCENARIOS: [&str; 2] = ["llm", "tiny"];

/// Runs it all and prints the tables.
pub(crate) fn run(scenarios: &[&'static Scenario], plan: &Plan) -> Result<(), Failure> {
    let clients = client::all();
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

/// Is a part of another run, a server or a worker, if that is what the arguments say;
/// `None` if they do not.
pub(crate) fn take_part(args: &[String]) -> Option<Result<(), Failure>> {
    match args {
        [role] if role == process::SERVER => Some(server::serve()),
        [role, name] if role == process::WORKER => Some(worker::work(name)),
        _ => None,
    }
}
