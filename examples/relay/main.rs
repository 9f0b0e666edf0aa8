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
mod load;
mod log;
mod patience;
mod redis_demo;
mod serve;
mod shared;

use args::{Command, Options};
use everstream::{Event, EventSource, RequestBuilderExt};
use futures_util::TryStreamExt;
use log::{Ids, Log};
use serve::{Relay, Settings};
use shared::{SharedLog, Writer};
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;

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
    let shared = match options.redis {
        Some(url) => Some(SharedLog::open(&url, options.key, settings.replay_events).await?),
        None => None,
    };
    let ids = if shared.is_some() { Ids::Entries } else { Ids::Any };
    let relay = Arc::new(Relay::new(ids, settings));
    let listener = TcpListener::bind(options.listen).await?;
    println!("serving http://{}/events, and a page at /", listener.local_addr()?);
    let server = tokio::spawn(serve::serve(listener, Arc::clone(&relay)));

    let upstream = options.upstream.map(|url| reqwest::Client::new().get(url));
    match (&shared, upstream) {
        (None, None) => return Err("there is nothing to relay".into()),
        (None, Some(request)) => follow(request.into_event_source(), &relay.log).await?,
        (Some(shared), None) => shared.copy_to(&relay.log).await?,
        (Some(shared), Some(request)) => {
            let (writer, last_event_id) = shared.writer().await?;
            let builder = request.into_event_source_builder().last_event_id(last_event_id);
            tokio::try_join!(write(builder.build(), writer), shared.copy_to(&relay.log))?;
        }
    }
    println!("the upstream has ended");
    server.await??;
    Ok(())
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
