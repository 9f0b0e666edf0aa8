//! Runs ten thousand clients in one process, and kills and restarts their server.
//!
//! ```sh
//! cargo run --release --example fleet                        # takes half a minute
//! cargo run --release --example fleet -- --clients 500 --svg fleet.svg
//! ```
//!
//! Each client is an `EventSource` that must receive each event once and in order, although the
//! server is killed and restarted. It prints the memory per connection and the time to reconnect.
//! It fails if an event is lost. `clients.rs` is the fleet. `server.rs` is the server, which runs
//! in another process of this program.

mod args;
#[path = "../herd/chart.rs"]
mod chart;
mod clients;
mod history;
mod memory;
mod report;
mod server;
#[path = "../herd/svg.rs"]
mod svg;

use args::Command;
use std::error::Error;
use std::process::ExitCode;

/// An error that is only printed.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let command = match Command::parse(std::env::args_os().skip(1)) {
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
