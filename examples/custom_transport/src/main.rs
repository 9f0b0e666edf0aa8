//! Uses [`Reconnect`] over a custom transport: hyper on smol, without a tokio runtime.
//!
//! ```sh
//! cargo run                                      # a demo with a server of its own
//! cargo run -- http://localhost:8080/events
//! ```
//!
//! `transport.rs` implements the [`Connect`](everstream::reconnect::Connect) trait. It can be
//! written for any HTTP client, or for any other source of bytes. The crate does the rest: parsing,
//! delays, the last event ID. `demo.rs` holds a server that breaks its first connection, and the
//! check that no event is lost.
//!
//! hyper itself uses tokio's channels (its feature `sync`), which need no runtime.
//! `tests/no_tokio.rs` checks that no other feature of tokio is on.

mod demo;
mod transport;

use everstream::SmolTimer;
use everstream::reconnect::{Reconnect, ReconnectEvent};
use futures_lite::StreamExt;
use hyper::Uri;
use std::error::Error;
use std::process::ExitCode;
use transport::Hyper;

fn main() -> ExitCode {
    let done = smol::block_on(async {
        match std::env::args().nth(1) {
            Some(url) => tail(url.parse()?).await.map(drop),
            None => demo::run().await,
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the items until the stream ends, and returns the data of its events.
async fn tail(url: Uri) -> Result<Vec<String>, Box<dyn Error>> {
    let mut events = Reconnect::new(Hyper::new(url)?, SmolTimer);
    let mut received = Vec::new();
    while let Some(event) = events.try_next().await? {
        match event {
            ReconnectEvent::Open(opened) => match opened.last_event_id() {
                Some(id) => println!("-- {}, resuming after {id:?}", opened.head().status),
                None => println!("-- {}", opened.head().status),
            },
            ReconnectEvent::Message(message) => {
                println!("{:>2} {}", message.id(), message.data());
                received.push(message.into_data());
            }
            ReconnectEvent::Reconnecting { reason, delay, .. } => {
                println!("-- {reason}; again in {delay:?}")
            }
            _ => {}
        }
    }
    Ok(received)
}
