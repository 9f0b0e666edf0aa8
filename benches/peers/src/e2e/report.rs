//! The report of the races: a table for each, and then lines for programs.

use super::Plan;
use super::clients::Entry;
use super::idle::{CONNECTIONS, Weight, over_bare};
use super::race::{Figures, Race};
use super::task::Writes;
use crate::report::{processor, ratio};

const LEGEND: &str = "\
CPU s/M     seconds of CPU time, user and system, for a million events: best round, median
events/s    events per second of wall time: best round, median
/ peer      CPU time, as a multiple of the best peer's: 0.50 is half of it
/ bare      CPU time, as a multiple of bare reqwest's, which reads and parses nothing
Both ratios compare best rounds. A client that gives other events than the reference,
or fails, is no peer.";

pub(super) fn preamble(clients: &[Entry], plan: &Plan) {
    let names: Vec<&str> = clients.iter().map(|entry| entry.name).collect();
    println!("{}", names.join(", "));
    println!("{} rounds, interleaved, a process each; {}\n", plan.rounds, processor());
    println!("{LEGEND}");
}

pub(super) fn race(race: &Race) {
    let writes = match race.task.writes {
        Writes::Large => "writes of 16 to 64 KiB",
        Writes::Event => "a write for each event",
    };
    let size = race.bytes / race.events;
    println!("\n{}, {writes}: {} events, {size} B each", race.task.scenario, race.events);
    println!(
        "{:32}{:>9}{:>9}{:>12}{:>12}{:>8}{:>8}",
        "", "CPU s/M", "median", "events/s", "median", "/ peer", "/ bare"
    );
    let best = race.best_peer().map(|standing| standing.entry.name);
    for standing in &race.standings {
        let name = match best {
            Some(best) if best == standing.entry.name => format!("{best} (best peer)"),
            _ => standing.entry.name.to_owned(),
        };
        match &standing.outcome {
            // Nanoseconds for one event are milliseconds for a million.
            Ok(figures) => println!(
                "{name:32}{:>9.3}{:>9.3}{:>12.0}{:>12.0}{:>8}{:>8}",
                figures.cpu[0] / 1e3,
                figures.cpu[1] / 1e3,
                1e9 / figures.wall[0],
                1e9 / figures.wall[1],
                ratio(of_best_peer(race, *figures)),
                ratio(of_bare(race, *figures)),
            ),
            Err(reason) => println!("{name:32}{reason}"),
        }
    }
}

pub(super) fn idle(weights: &[Weight]) {
    println!("\n{CONNECTIONS} idle connections, each after its first event: resident bytes of one");
    println!("{:32}{:>9}{:>9}{:>12}", "", "bytes", "median", "over bare");
    for weight in weights {
        let name = weight.entry.name;
        match &weight.outcome {
            Ok([least, median]) => {
                let over = bytes(over_bare(weights, weight));
                println!("{name:32}{least:>9.0}{median:>9.0}{over:>12}");
            }
            Err(reason) => println!("{name:32}{reason}"),
        }
    }
}

/// Prints `E2E <scenario> <writes> <ours / best peer> <ours / bare reqwest>`, as ratios of CPU
/// time. `-` means that there is nothing to compare with.
pub(super) fn ratios(races: &[Race]) {
    println!();
    for race in races {
        println!(
            "E2E {} {} {} {}",
            race.task.scenario,
            race.task.writes.name(),
            ratio(race.ours().and_then(|ours| of_best_peer(race, ours))),
            ratio(race.ours().and_then(|ours| of_bare(race, ours))),
        );
    }
}

/// Prints `IDLE <client> <bytes per connection> <over bare reqwest>`. Spaces of a name become
/// hyphens.
pub(super) fn weights(weights: &[Weight]) {
    for weight in weights {
        let name = weight.entry.name.replace(' ', "-");
        let least = weight.outcome.as_ref().ok().map(|[least, _]| *least);
        println!("IDLE {name} {} {}", bytes(least), bytes(over_bare(weights, weight)));
    }
}

fn of_best_peer(race: &Race, figures: Figures) -> Option<f64> {
    Some(figures.cpu[0] / race.best_peer()?.outcome.as_ref().ok()?.cpu[0])
}

fn of_bare(race: &Race, figures: Figures) -> Option<f64> {
    Some(figures.cpu[0] / race.bare()?.cpu[0])
}

fn bytes(bytes: Option<f64>) -> String {
    bytes.map_or("-".to_owned(), |bytes| format!("{bytes:.0}"))
}
