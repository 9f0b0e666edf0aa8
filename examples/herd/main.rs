//! Simulates a million clients that lose their server at the same moment.
//!
//! ```sh
//! cargo run --release --example herd                          # prints a table
//! cargo run --release --example herd -- examples/herd/herd.svg  # and draws the chart
//! ```
//!
//! The simulation has no sockets and no clock. It computes the delays of each client's policy, and
//! a server that accepts a limited number of clients per second. Each run gives the same figures.
//! `policies.rs` holds the policies of the clients, and `simulation.rs` the server.

mod chart;
mod policies;
mod simulation;
mod svg;

use chart::{Chart, Panel, Scale};
use simulation::{Course, Scenario};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const SCENARIO: Scenario = Scenario {
    clients: 1_000_000,
    outage: Duration::from_secs(10),
    accepted_per_second: 5_000,
    network: Duration::from_millis(100),
    patience: Duration::from_secs(1200),
};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let (picture, rest) = (args.next().map(PathBuf::from), args.next());
    let help =
        picture.as_ref().is_some_and(|arg| arg.as_os_str().as_encoded_bytes().starts_with(b"-"));
    if help || rest.is_some() {
        eprintln!("Usage: herd [CHART.svg]");
        return ExitCode::from(2);
    }

    let courses: Vec<(&str, Course)> = policies::all()
        .into_iter()
        .map(|(name, mut policy)| (name, simulation::run(&SCENARIO, &mut *policy)))
        .collect();
    if let Some(path) = picture {
        if let Err(error) = std::fs::write(&path, draw(&courses)) {
            eprintln!("cannot write {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    print!("{}", table(&courses));
    ExitCode::SUCCESS
}

/// Formats the results as a Markdown table.
fn table(courses: &[(&str, Course)]) -> String {
    let mut table = String::from(
        "| client | busiest 0.1 s | busiest second | attempts per client | 99 % are back after | gave up |\n\
         |---|--:|--:|--:|--:|--:|\n",
    );
    for (name, course) in courses {
        let back = match course.mostly_back() {
            Some(after) => format!("{:.0} s", after.as_secs_f64()),
            None => "never".into(),
        };
        table += &format!(
            "| {name} | {} | {} | {:.1} | {back} | {} |\n",
            thousands(course.busiest_tenth.into()),
            thousands(course.busiest_second().into()),
            course.attempts() as f64 / f64::from(SCENARIO.clients),
            thousands(course.gave_up.into()),
        );
    }
    table
}

fn draw(courses: &[(&str, Course)]) -> String {
    let panels = courses.iter().map(|(name, course)| Panel {
        name: (*name).to_owned(),
        values: course.per_second.iter().map(|count| f64::from(*count)).collect(),
        scale: Scale { log_from: Some(10.0), top: 1e6 },
        line: Some(f64::from(SCENARIO.accepted_per_second)),
        mark: course.mostly_back().map(|after| {
            let after = after.as_secs_f64();
            (after, format!("99 % back: {after:.0} s"))
        }),
    });
    let footnote = format!(
        "{} clients lose their server at once. It is gone for {} s, then lets in {} a second (the \
         line) and refuses the rest.",
        thousands(SCENARIO.clients.into()),
        SCENARIO.outage.as_secs(),
        thousands(SCENARIO.accepted_per_second.into()),
    );
    Chart { title: "Attempts to connect per second", footnote: &footnote, seconds: 660 }
        .svg(&panels.collect::<Vec<_>>())
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three() {
        let grouped = [0, 12, 999, 1000, 45_678, 1_000_000].map(thousands);
        assert_eq!(grouped, ["0", "12", "999", "1,000", "45,678", "1,000,000"]);
    }
}
