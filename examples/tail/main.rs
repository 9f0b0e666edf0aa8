//! Prints the events of a stream as they arrive, as `tail -f` does for a file.
//!
//! ```sh
//! cargo run --example tail                            # a demo with a server of its own
//! cargo run --example tail http://localhost:8080/events
//! cargo run --example tail -- --help
//! ```
//!
//! `follow.rs` uses the crate. `demo.rs` holds a server that breaks its first connection, and the
//! check that no event is lost.

mod args;
mod demo;
mod follow;
mod output;

use args::Command;
use std::io;
use std::process::ExitCode;

/// The reason for a failure.
enum Failure {
    /// Standard output is closed or full.
    Output(io::Error),
    /// Any other reason, in one line.
    Because(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

fn main() -> ExitCode {
    let command = match Command::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(complaint) => {
            output::complain(&format!("{complaint} (see --help)"));
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::complain(&format!("tokio does not start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        match command {
            Command::Help => output::print(args::HELP).map_err(Failure::from),
            Command::Demo => demo::run().await,
            Command::Follow(options) => follow::run(*options).await,
        }
    });
    runtime.shutdown_background(); // does not wait for a name that is being resolved
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // The reader closed the pipe, as in `tail URL | head`.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(Failure::Output(error)) => {
            output::complain(&format!("cannot write to standard output: {error}"));
            ExitCode::FAILURE
        }
        Err(Failure::Because(reason)) => {
            output::complain(&reason);
            ExitCode::FAILURE
        }
    }
}
