//! A relay: one upstream stream, and any number of browsers and `EventSource`s downstream. Use it
//! if an upstream connection per client is too much.
//!
//! ```sh
//! cargo run --release --example relay                   # a demo: its own upstream, 1,000 readers
//! cargo run --release --example relay -- http://localhost:8080/events [127.0.0.1:8081]
//! ```
//!
//! - One `EventSource` reads the upstream. It loses no event that the server can replay.
//! - `log.rs` keeps the last events, encoded once. A reader downstream is a position in the log, so
//!   a slow reader costs no more than a fast one, and delays no other.
//! - A reader that reconnects gets the events after its `Last-Event-ID`. If the log has dropped
//!   some of them, an event of the type `gap` comes first.
//! - Comments are sent while there are no events, so that no proxy closes the connection.
//! - `patience.rs` drops a connection whose reader accepts no byte for a while.
//! - When the upstream ends the stream by 204, the relay does too.
//!
//! `load.rs` is the demo.

mod load;
mod log;
mod patience;
mod serve;

use everstream::{Event, EventSource, RequestBuilderExt};
use futures_util::TryStreamExt;
use log::Log;
use serve::{Relay, Settings};
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;

type AnyError = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let done = match args.next() {
        Some(url) => {
            let address = args.next().unwrap_or_else(|| "127.0.0.1:8081".to_owned());
            relay(&url, &address).await
        }
        None => load::run().await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("relay: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Relays `url` at `address` until the upstream fails for good. After a clean end, it still serves
/// the events in the log.
async fn relay(url: &str, address: &str) -> Result<(), AnyError> {
    let relay = Arc::new(Relay::new(Settings::default()));
    let listener = TcpListener::bind(address).await?;
    println!("serving http://{}/events, and a page at /", listener.local_addr()?);
    let server = tokio::spawn(serve::serve(listener, Arc::clone(&relay)));
    follow(reqwest::Client::new().get(url).into_event_source(), &relay.log).await?;
    println!("the upstream has ended");
    server.await??;
    Ok(())
}

/// Reads the upstream into the log, until it ends.
async fn follow(mut upstream: EventSource, log: &Log) -> Result<(), everstream::Error> {
    while let Some(event) = upstream.try_next().await? {
        match event {
            Event::Message(message) => log.push(&message),
            Event::Open(opened) => {
                println!("-- upstream {} is open", opened.url().unwrap_or_default())
            }
            Event::Reconnecting { reason, delay, .. } => {
                println!("-- upstream: {reason}; again in {delay:?}");
            }
            Event::Discarded(discarded) => println!("-- upstream: {discarded}"),
            _ => {}
        }
    }
    log.close();
    Ok(())
}
