//! The memory of idle connections: many of them in a new process that holds nothing else.

use super::Failure;
use super::client::Role;
use super::clients::Entry;
use super::process::{Answer, Order, Server, Worker};
use super::task::IDLE;

pub(super) const CONNECTIONS: usize = 2000;

/// The memory of a connection of one client.
#[derive(Debug)]
pub(super) struct Weight {
    pub(super) entry: Entry,
    /// The minimum and the median in bytes, or the reason for a missing figure.
    pub(super) outcome: Result<[f64; 2], String>,
}

/// Measures each client's connections `rounds` times.
pub(super) fn weigh(clients: &[Entry], rounds: usize) -> Result<Vec<Weight>, Failure> {
    let mut outcomes: Vec<Result<Vec<f64>, String>> = vec![Ok(Vec::new()); clients.len()];
    for _ in 0..rounds {
        for (entry, outcome) in clients.iter().zip(&mut outcomes) {
            let Ok(figures) = outcome else { continue };
            // Each run needs a new server, because the previous one still holds its side of the
            // connections.
            let server = Server::start()?;
            let order = Order::Hold { url: server.url_of(IDLE), connections: CONNECTIONS };
            match Worker::start(entry.name)?.ask(&order)? {
                Answer::Held(bytes) => figures.push(bytes as f64 / CONNECTIONS as f64),
                Answer::Failed(reason) => *outcome = Err(reason),
                Answer::Drained(_) => return Err("a worker drained what it was to hold".into()),
            }
        }
    }
    let weight = |(entry, outcome): (&Entry, Result<Vec<f64>, String>)| Weight {
        entry: *entry,
        outcome: outcome.map(|mut figures| {
            figures.sort_by(f64::total_cmp);
            [figures[0], figures[figures.len() / 2]]
        }),
    };
    Ok(clients.iter().zip(outcomes).map(weight).collect())
}

/// Returns the difference to bare reqwest.
pub(super) fn over_bare(weights: &[Weight], weight: &Weight) -> Option<f64> {
    let bare = weights.iter().find(|weight| weight.entry.role == Role::Bare)?;
    Some(weight.outcome.as_ref().ok()?[0] - bare.outcome.as_ref().ok()?[0])
}
