//! Ten thousand clients in one process, whose server is killed and comes back.
//!
//! ```sh
//! cargo run --release --example fleet                        # takes half a minute
//! cargo run --release --example fleet -- --clients 500 --svg fleet.svg
//! ```
//!
//! Each client is an `EventSource` that must get each event once and in order, over the death of
//! the server and the start of another in its place. It prints what a connection weighs and how
//! fast the clients come back, and fails unless nothing is lost. `clients.rs` is the fleet,
//! `server.rs` the server, which is this program again in a process of its own.

mod args;
#[path = "../herd/chart.rs"]
mod chart;
mod clients;
mod history;
mod memory;
mod report;
mod server;

use args::Command;
use std::error::Error;
use std::process::ExitCode;

/// What can go wrong is for people to read.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let command = match Command::parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(complaint) => {
            eprintln!("{complaint}\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    let done = tokio::runtime::Runtime::new().map_err(Failure::from).and_then(|runtime| {
        runtime.block_on(async {
            match command {
                Command::Help => {
                    println!("{}", args::USAGE);
                    Ok(())
                }
                Command::Serve(plan) => server::run(&plan).await,
                Command::Fleet { clients, svg } => clients::run(clients, svg.as_deref()).await,
            }
        })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("fleet: {failure}");
            ExitCode::FAILURE
        }
    }
}
