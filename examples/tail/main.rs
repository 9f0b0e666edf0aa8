//! Tails a stream of server-sent events, as `tail -f` does a file.
//!
//! ```sh
//! cargo run --example tail                            # a demo with a server of its own
//! cargo run --example tail http://localhost:8080/events
//! cargo run --example tail -- --help
//! ```
//!
//! `follow.rs` is where the crate is used in earnest; `demo.rs` holds the server that
//! breaks its connection, and the check that nothing is lost by it.

mod args;
mod demo;
mod follow;
mod output;

use args::Command;
use std::io;
use std::process::ExitCode;

/// Why the example did not do what it was asked to do.
enum Failure {
    /// Standard output is gone or full.
    Output(io::Error),
    /// What there is to say about it, in one line.
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
        // Who was reading has seen enough, as in `tail URL | head`.
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
