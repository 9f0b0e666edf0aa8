//! A relay: one upstream stream, any number of browsers and `EventSource`s downstream. Use it where
//! the upstream cannot serve a connection for each reader.
//!
//! ```sh
//! cargo run --release --example relay                   # a demo: its own upstream, 1,000 readers
//! cargo run --release --example relay -- http://localhost:8080/events
//! cargo run --release --example relay -- --redis redis://localhost/ http://localhost:8080/events
//! cargo run --release --example relay -- --redis redis://localhost/ --listen 127.0.0.1:8082
//! ```
//!
//! - Upstream there is one `EventSource`, which loses nothing that its server can replay.
//! - `log.rs` keeps the last events, encoded once. A reader is only a position in them, so a slow
//!   reader costs no more than a fast one, and delays no other.
//! - A reader that reconnects gets the events after its `Last-Event-ID`. If they were dropped, an
//!   event of the type `gap` comes before the oldest that is left.
//! - A comment after each silence shows proxies that the connection is alive.
//! - `patience.rs` drops a connection that takes no byte for a while.
//! - When the upstream answers 204 (no more events), so does the relay.
//! - `shared.rs` keeps the log in a Redis stream. Any number of relays serve it, and a reader that
//!   loses one resumes at another.
//!
//! `load.rs` and `redis_demo.rs` are the demos.

mod args;
mod figures;
mod load;
mod log;
mod patience;
mod redis_demo;
mod serve;
mod shared;

use args::{Command, Options, Source};
use everstream::{Event, EventSource, RequestBuilderExt};
use futures_util::TryStreamExt;
use log::{Ids, Log};
use serve::{Relay, Settings};
use shared::{SharedLog, Writer};
use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

type AnyError = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Command::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => {
            print!("{}", args::USAGE);
            Ok(())
        }
        Ok(Command::Demo) => load::run().await,
        Ok(Command::RedisDemo) => redis_demo::run().await,
        Ok(Command::Relay(options)) => relay(options).await,
        Err(error) => Err(format!("{error} (see --help)").into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("relay: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Relays until the upstream, or Redis, fails for good. After the end of the upstream it still
/// serves the log.
async fn relay(options: Options) -> Result<(), AnyError> {
    let mut settings = Settings::default();
    settings.replay_events = options.keep.unwrap_or(settings.replay_events);
    let server = match options.source {
        Source::Upstream(url) => {
            let relay = Arc::new(Relay::new(Ids::Any, settings));
            let server = serve_at(&options.listen, &relay).await?;
            follow(reqwest::Client::new().get(url).into_event_source(), &relay.log).await?;
            server
        }
        Source::Redis { url, key, upstream } => {
            let shared = SharedLog::open(&url, key, settings.replay_events).await?;
            let relay = Arc::new(Relay::new(Ids::Entries, settings));
            let server = serve_at(&options.listen, &relay).await?;
            match upstream {
                None => shared.copy_to(&relay.log).await?,
                Some(url) => {
                    let (writer, last_event_id) = shared.writer().await?;
                    let builder = reqwest::Client::new().get(url).into_event_source_builder();
                    let upstream = builder.last_event_id(last_event_id).build();
                    tokio::try_join!(write(upstream, writer), shared.copy_to(&relay.log))?;
                }
            }
            server
        }
    };
    println!("the upstream has ended");
    server.await??;
    Ok(())
}

/// Serves the relay's log on this address, in another task.
async fn serve_at(address: &str, relay: &Arc<Relay>) -> io::Result<JoinHandle<io::Result<()>>> {
    let listener = TcpListener::bind(address).await?;
    println!("serving http://{}/events, and a page at /", listener.local_addr()?);
    Ok(tokio::spawn(serve::serve(listener, Arc::clone(relay))))
}

/// Reads the upstream into the log, until it ends.
async fn follow(mut upstream: EventSource, log: &Log) -> Result<(), everstream::Error> {
    while let Some(event) = upstream.try_next().await? {
        match event {
            Event::Message(message) => log.push(&message),
            other => report(&other),
        }
    }
    log.close();
    Ok(())
}

/// Reads the upstream into Redis, until it ends.
async fn write(mut upstream: EventSource, mut writer: Writer<'_>) -> Result<(), AnyError> {
    while let Some(event) = upstream.try_next().await? {
        match event {
            Event::Message(message) => writer.write(&message).await?,
            other => report(&other),
        }
    }
    writer.end().await?;
    Ok(())
}

fn report(event: &Event) {
    match event {
        Event::Open(opened) => println!("-- upstream {} is open", opened.url().unwrap_or_default()),
        Event::Reconnecting { reason, delay, .. } => {
            println!("-- upstream: {reason}; again in {delay:?}");
        }
        Event::Discarded(discarded) => println!("-- upstream: {discarded}"),
        _ => {}
    }
}
