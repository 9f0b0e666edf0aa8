//! The fleet: clients that receive the same events.

use crate::Failure;
use crate::history::History;
use crate::memory;
use crate::report::Report;
use crate::server::{self, EVENTS, Plan, Server};
use everstream::{Event, EventSource, RequestBuilderExt};
use futures_util::TryStreamExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The number of clients that start per second.
const STARTS_PER_SECOND: u32 = 4_000;

/// The time between the last connection and the kill of the server.
const UPTIME: Duration = Duration::from_secs(4);

/// The time without a server.
const OUTAGE: Duration = Duration::from_secs(2);

/// The time after which the run fails. A run takes far less.
const PATIENCE: Duration = Duration::from_secs(100);

pub(crate) async fn run(wanted: usize, svg: Option<&Path>) -> Result<(), Failure> {
    let clients = server::allowed_connections(wanted)?;
    if clients < wanted {
        println!("The limit of open files allows {clients} clients, not {wanted}.");
    }
    let report = timeout(PATIENCE, measure(clients)).await;
    let report = report.map_err(|_| format!("the run took longer than {PATIENCE:?}"))??;
    if let Some(path) = svg {
        std::fs::write(path, report.draw())
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    print!("{report}");
    Ok(())
}

async fn measure(clients: usize) -> Result<Report, Failure> {
    let mut plan = Plan::from_now(clients)?;
    let server = Server::start(&mut plan).await?;
    // The server is on this machine, so no proxy is used.
    let client = reqwest::Client::builder().no_proxy().build()?;
    let before = [memory::resident(None), memory::resident(server.process_id())];

    let history = Arc::new(History::begin());
    let mut fleet = JoinSet::new();
    for index in 0..clients {
        let start = Duration::from_secs(1) * index as u32 / STARTS_PER_SECOND;
        let source = client.get(plan.url(index)).into_event_source();
        fleet.spawn(follow(start, source, history.clone()));
    }

    until(&mut fleet, || history.connected() == clients).await?;
    sleep(UPTIME).await;
    let after = [memory::resident(None), memory::resident(server.process_id())];
    let killed = history.now();
    server.kill().await?;
    sleep(OUTAGE).await;
    let server = Server::start(&mut plan).await?;

    while let Some(done) = fleet.join_next().await {
        done??;
    }
    server.kill().await?;
    let grown = |index: usize| Some(after[index]?.saturating_sub(before[index]?));
    let weights = [grown(0), grown(1)].map(|grown| grown.map(|bytes| bytes / clients as u64));
    Ok(Report { clients, weights, outage: OUTAGE, killed, seconds: history.seconds() })
}

/// Waits for a condition, and fails as soon as a client fails.
async fn until(
    fleet: &mut JoinSet<Result<(), Failure>>,
    reached: impl Fn() -> bool,
) -> Result<(), Failure> {
    while !reached() {
        if let Some(done) = fleet.try_join_next() {
            done??;
            return Err("a client ended before all were connected; use fewer clients".into());
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Runs one client until it has received all events, each once and in order.
async fn follow(
    start: Duration,
    mut events: EventSource,
    history: Arc<History>,
) -> Result<(), Failure> {
    sleep(start).await;
    let (mut seen, mut open) = (0, false);
    while seen < EVENTS {
        match events.try_next().await? {
            Some(Event::Open(opened)) => {
                let asked_after = opened.last_event_id().map_or("0", |id| id);
                if asked_after != seen.to_string() {
                    return Err(format!("asked after {asked_after}, not after {seen}").into());
                }
                open = true;
                history.opened();
            }
            Some(Event::Message(message)) => {
                seen += 1;
                if message.id() != seen.to_string() || message.data() != server::data(seen) {
                    return Err(format!("wanted event {seen}, got {message:?}").into());
                }
            }
            Some(Event::Reconnecting { .. }) => {
                if std::mem::take(&mut open) {
                    history.lost()
                } else {
                    history.refused()
                }
            }
            Some(other) => return Err(format!("unexpected item: {other:?}").into()),
            None => return Err(format!("the stream ended after event {seen}").into()),
        }
    }
    Ok(())
}
