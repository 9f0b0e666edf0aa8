//! The report of the races: a table for each, and then lines for programs.

use crate::contestant::{Entry, Face, Role};
use crate::measure::{Outcome, Plan, Race, Standing};
use crate::scenario::Chunking;
use std::fs;

const LEGEND: &str = "\
ns/event    time for one event of the stream: best round, median round
GiB/s       bytes of the stream per second: best round, median round
allocs      heap allocations per event
x best      speed, as a multiple of the best peer's: 2.50 is 2.5 times as fast
of floor    speed, as a part of the floor's: 0.90 is 90 % of it
Both ratios compare best rounds. The floor is the faster of two ways to find all line
ends and validate all bytes as UTF-8, without parsing anything. A parser that gives
other events than the reference, or is too slow to be timed, is no peer.";

/// Prints the versions, the method and the meaning of the columns.
pub(crate) fn preamble(entries: &[Entry], plan: &Plan) {
    let names: Vec<&str> = entries.iter().map(|entry| entry.name).collect();
    println!("{}", names.join(", "));
    println!(
        "{} rounds of {} ms each, interleaved; too slow is more than {} ms for one pass; {}\n",
        plan.rounds,
        plan.turn.as_millis(),
        plan.cap.as_millis(),
        processor(),
    );
    println!("{LEGEND}");
}

/// Prints the table of a race.
pub(crate) fn race(race: &Race) {
    let best = race.best_peer().map(|standing| standing.entry.name);
    println!(
        "\n{} ({}), chunks of {}: {} events, {} B each",
        race.scenario.name,
        race.scenario.about,
        chunks(race.chunking),
        race.units,
        race.bytes / race.units,
    );
    println!(
        "{:28}{:>12}{:>12}{:>9}{:>9}{:>9}{:>9}{:>10}",
        "", "ns/event", "median", "GiB/s", "median", "allocs", "x best", "of floor"
    );
    for standing in &race.standings {
        let Standing { entry, outcome } = standing;
        let name = match best {
            Some(best) if best == entry.name => format!("{best} (best peer)"),
            _ => entry.name.to_owned(),
        };
        match outcome {
            Outcome::Measured(figures) => println!(
                "{name:28}{:>12}{:>12}{:>9.2}{:>9.2}{:>9}{:>9}{:>10}",
                short(race.per_event(figures.min)),
                short(race.per_event(figures.median)),
                race.gib_per_second(figures.min),
                race.gib_per_second(figures.median),
                short(figures.allocations as f64 / race.units as f64),
                ratio(of_best_peer(race, standing)),
                ratio(of_floor(race, standing)),
            ),
            Outcome::Differs { events, expected } => {
                println!("{name:28}{:>12}  ({events} events for {expected})", "differs");
            }
            Outcome::TooSlow => println!("{name:28}{:>12}", "too slow"),
        }
    }
}

/// Prints `RATIO <scenario> <chunk> <face> <ours/best peer> <ours/floor>`, as ratios of speed. `-`
/// means that there is nothing to compare with.
pub(crate) fn ratios(races: &[Race]) {
    println!();
    for race in races {
        for face in [Face::Lending, Face::Owned] {
            if !race.standings.iter().any(|standing| standing.entry.role == Role::Ours(face)) {
                continue;
            }
            let standing = race.ours(face);
            println!(
                "RATIO {} {} {} {} {}",
                race.scenario.name,
                race.chunking,
                face.name(),
                ratio(standing.and_then(|standing| of_best_peer(race, standing))),
                ratio(standing.and_then(|standing| of_floor(race, standing))),
            );
        }
    }
}

/// Returns the speed of a contestant relative to the best peer.
fn of_best_peer(race: &Race, standing: &Standing) -> Option<f64> {
    Some(race.best_peer()?.figures()?.min / standing.figures()?.min)
}

/// Returns the speed of a contestant relative to the floor.
pub(crate) fn of_floor(race: &Race, standing: &Standing) -> Option<f64> {
    Some(race.floor()? / standing.figures()?.min)
}

pub(crate) fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"))
}

fn chunks(chunking: Chunking) -> String {
    match chunking {
        Chunking::Bytes(size) => format!("{size} B"),
        Chunking::Event => "one event".to_owned(),
    }
}

/// Formats a figure with three digits.
fn short(figure: f64) -> String {
    match figure {
        0.0..10.0 => format!("{figure:.2}"),
        10.0..1000.0 => format!("{figure:.1}"),
        _ => format!("{figure:.0}"),
    }
}

/// Returns the footnote of the chart, with the origin of its figures.
pub(crate) fn footnote(plan: &Plan) -> String {
    format!("Best of {} rounds, one core, {}.", plan.rounds, processor())
}

pub(crate) fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or("unknown processor", |(_, name)| name.trim()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let figures = [0.0, 2.714, 42.42, 123_456.7].map(short);
        assert_eq!(figures, ["0.00", "2.71", "42.4", "123457"]);
        assert_eq!(ratio(Some(2.5)), "2.50");
        assert_eq!(ratio(None), "-");
    }
}
