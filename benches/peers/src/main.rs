//! Compares the SSE parsers for Rust: one process, short interleaved rounds, checked results.
//!
//! `scenario` generates the streams, and `contestants` has the parsers that run over them and the
//! floors, which do the minimum work. `measure` times them, and `report` and `chart` present the
//! results. `e2e` compares whole clients over HTTP. README.md explains the figures and how the
//! comparison is kept fair.

mod allocations;
mod chart;
mod consumer;
mod contestant;
mod contestants;
mod e2e;
mod environment;
mod measure;
mod options;
mod reference;
mod report;
mod scenario;
#[path = "../../../examples/herd/svg.rs"]
mod svg;
#[cfg(test)]
mod versions;

use contestant::{Entry, Role};
use measure::Race;
use options::{Options, USAGE};
use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    environment::settle();

    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(done) = e2e::take_part(&args) {
        return exit_code(done);
    }
    let options = match Options::parse(std::env::args_os().skip(1)) {
        Ok(options) => options,
        Err(complaint) => {
            eprintln!("{complaint}\n\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    if options.help {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    if let Some(plan) = &options.e2e {
        return exit_code(e2e::run(&options.scenarios, plan));
    }

    let entries: Vec<Entry> = contestants::all()
        .into_iter()
        .filter(|entry| match (entry.role, options.face) {
            (Role::Ours(face), Some(wanted)) => face == wanted,
            _ => true,
        })
        .collect();

    report::preamble(&entries, &options.plan);
    let mut races: Vec<Race> = Vec::new();
    for scenario in &options.scenarios {
        let stream = scenario.stream();
        for chunking in &options.chunkings {
            let race = measure::race(&stream, *chunking, &entries, &options.plan);
            report::race(&race);
            races.push(race);
        }
    }

    if let Some(path) = &options.svg {
        let chart = chart::svg(&races, &report::footnote(&options.plan));
        if let Err(error) = std::fs::write(path, chart) {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    report::ratios(&races);
    ExitCode::SUCCESS
}

fn exit_code(done: Result<(), impl std::fmt::Display>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
