//! A relay: one upstream stream, any number of browsers and `EventSource`s downstream. This is how
//! a fleet is served that has outgrown one upstream connection for each.
//!
//! ```sh
//! cargo run --release --example relay                   # a demo: its own upstream, 1,000 readers
//! cargo run --release --example relay -- http://localhost:8080/events [127.0.0.1:8081]
//! ```
//!
//! - Upstream there is one `EventSource`, which loses nothing that its server can replay.
//! - `log.rs` keeps the last events, encoded once. A reader downstream is no more than a position
//!   in them, so a slow one costs no more than a fast one, and holds up nobody.
//! - A reader that comes back gets what it missed, by its `Last-Event-ID`. If that is no longer
//!   there, an event of the type `gap` tells it so before the oldest that is.
//! - In silence there are comments, so that nobody on the way takes the connection for dead.
//! - `patience.rs` drops a connection that takes no byte for a while.
//! - When the upstream says that there is no more (204), so does the relay.
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

/// Relays `url` at `address`, until the upstream fails for good. Once it ends, what is left of it
/// is still served.
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
