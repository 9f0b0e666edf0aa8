//! What idle connections weigh: many of them in a fresh process, which has nothing
//! else.

use super::Failure;
use super::client::{Entry, Role};
use super::process::{Answer, Order, Server, Worker};
use super::task::IDLE;

pub(super) const CONNECTIONS: usize = 2000;

/// What a connection of one client weighs.
#[derive(Debug)]
pub(super) struct Weight {
    pub(super) entry: Entry,
    /// Bytes: the least and the median. Or why there is no figure.
    pub(super) outcome: Result<[f64; 2], String>,
}

/// Weighs each client's connections `rounds` times.
pub(super) fn weigh(clients: &[Entry], rounds: usize) -> Result<Vec<Weight>, Failure> {
    let mut outcomes: Vec<Result<Vec<f64>, String>> = vec![Ok(Vec::new()); clients.len()];
    for _ in 0..rounds {
        for (entry, outcome) in clients.iter().zip(&mut outcomes) {
            let Ok(figures) = outcome else { continue };
            // A fresh server too: the last one still has the other side of it all.
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

/// How much more than bare reqwest's.
pub(super) fn over_bare(weights: &[Weight], weight: &Weight) -> Option<f64> {
    let bare = weights.iter().find(|weight| weight.entry.role == Role::Bare)?;
    Some(weight.outcome.as_ref().ok()?[0] - bare.outcome.as_ref().ok()?[0])
}
