//! The demo of `--redis`: two relays in processes of their own serve one stream to 1,000 readers.
//! One relay is killed, and Redis is restarted. Each reader must get each event once and in order,
//! and a reader whose events were dropped must be told.

use crate::AnyError;
use crate::load::{listen, url};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use everstream::{
    Backoff, Encoder, Event, EventSourceBuilder, EventStreamExt, Jitter, RequestBuilderExt,
};
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Client;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

const READERS: usize = 1000;
const EVENTS: usize = 150;
/// Events that Redis keeps. The last reader asks for one that is not kept. Each other reader has read
/// more than ten events before its connection is lost, so it never does.
const KEPT: usize = EVENTS - 10;
const PACE: Duration = Duration::from_millis(35);
const RELAY_IS_KILLED_AFTER: usize = 40;
const REDIS_RESTARTS_AFTER: usize = 80;
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run() -> Result<(), AnyError> {
    rlimit::increase_nofile_limit(2 * READERS as u64 + 200)?;
    timeout(PATIENCE, demo()).await.map_err(|_| "the demo took too long")?
}

async fn demo() -> Result<(), AnyError> {
    let directory = Directory::create()?;
    let mut redis = start_redis(&directory.path).await?;
    let (sent, mut progress) = watch::channel(0);
    let (start, started) = watch::channel(false);
    let upstream = serve_upstream(Upstream { started, sent: Arc::new(sent) }).await?;
    let url = format!("redis+unix://{}", socket(&directory.path).display());
    let (_writer, first) = start_relay(&url, Some(&upstream)).await?;
    let (mut killed, second) = start_relay(&url, None).await?;

    let client = Client::builder().no_proxy().build()?;
    let relays = [first.clone(), second];
    let open = Arc::new(AtomicUsize::new(0));
    let readers: Vec<_> = (0..READERS)
        .map(|number| tokio::spawn(read(client.clone(), relays.clone(), number, Arc::clone(&open))))
        .collect();
    println!("{READERS} readers connect to two relays");
    while open.load(Ordering::Relaxed) < READERS {
        sleep(PACE).await;
    }
    start.send_replace(true);

    progress.wait_for(|sent| *sent >= RELAY_IS_KILLED_AFTER).await?;
    killed.kill().await?;
    println!("one relay is killed");
    progress.wait_for(|sent| *sent >= REDIS_RESTARTS_AFTER).await?;
    redis.kill().await?;
    redis.wait().await?;
    redis = start_redis(&directory.path).await?;
    println!("Redis is killed and started again");

    for (number, received) in try_join_all(readers).await?.into_iter().enumerate() {
        let received = received?;
        if !received.iter().copied().eq(1..=EVENTS) {
            return Err(format!("reader {number} got {received:?}").into());
        }
    }
    println!("{:>8} connections", open.load(Ordering::Relaxed));

    // The stream has ended, but its last events can still be read.
    let late = client.get(&first).header("last-event-id", "1-0").into_event_source();
    let late: Vec<_> = late.messages().take(2).try_collect().await?;
    if late.first().map(|message| message.event()) != Some("gap") {
        return Err(format!("a reader that is too late got {late:?}").into());
    }
    println!("a reader that resumes too late gets a gap event");
    redis.kill().await?;
    println!("{READERS} readers with {EVENTS} events each, nothing lost over two relays and Redis");
    Ok(())
}

/// Reads a stream to its end. Each attempt after a loss is at the other relay.
async fn read(
    client: Client,
    relays: [String; 2],
    number: usize,
    open: Arc<AtomicUsize>,
) -> Result<Vec<usize>, AnyError> {
    let mut relay = number;
    let builder = EventSourceBuilder::from_request_fn(move |attempt| {
        if attempt.reason().is_some() {
            relay += 1;
        }
        let request = client.get(&relays[relay % 2]);
        async move { Ok(request) }
    });
    let delay = Backoff::new().with_initial_delay(Duration::from_millis(100));
    let delay =
        delay.with_max_server_delay(Duration::from_millis(500)).with_jitter(Jitter::upward(100));
    let mut events = builder.retry_policy(delay).build();
    let mut received = Vec::new();
    while let Some(event) = events.try_next().await? {
        match event {
            Event::Open(_) => drop(open.fetch_add(1, Ordering::Relaxed)),
            Event::Message(message) if message.event() == "gap" => {
                return Err(format!("a gap after {received:?}").into());
            }
            Event::Message(message) => received.push(message.data().parse()?),
            _ => {}
        }
    }
    Ok(received)
}

// --------------------------------------------------------------------------------------- Processes

/// A temporary directory that is removed when the demo ends.
struct Directory {
    path: PathBuf,
}

impl Directory {
    fn create() -> Result<Directory, AnyError> {
        let path = std::env::temp_dir().join(format!("relay-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Directory { path })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn socket(directory: &Path) -> PathBuf {
    directory.join("redis.sock")
}

/// Starts a Redis that answers on a Unix socket alone and writes each command to its file.
async fn start_redis(directory: &Path) -> Result<Child, AnyError> {
    let socket = socket(directory);
    let _ = std::fs::remove_file(&socket);
    let mut redis = Command::new("redis-server");
    redis.args(["--port", "0", "--save", "", "--appendonly", "yes", "--appendfsync", "always"]);
    redis.arg("--unixsocket").arg(&socket).arg("--dir").arg(directory);
    let redis = redis.stdout(Stdio::null()).kill_on_drop(true).spawn();
    let redis = redis.map_err(|error| format!("could not start redis-server: {error}"))?;
    while !socket.exists() {
        sleep(PACE).await;
    }
    Ok(redis)
}

/// Starts a relay, and returns the URL that it prints.
async fn start_relay(redis: &str, upstream: Option<&str>) -> Result<(Child, String), AnyError> {
    let mut relay = Command::new(std::env::current_exe()?);
    relay.args(["--redis", redis, "--listen", "127.0.0.1:0", "--keep", &KEPT.to_string()]);
    relay.args(upstream).env("NO_PROXY", "127.0.0.1");
    let mut relay = relay.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let output = relay.stdout.take().ok_or("the relay has no output")?;
    let mut lines = BufReader::new(output).lines();
    let line = lines.next_line().await?.ok_or("the relay ended at once")?;
    let url = line.split([' ', ',']).nth(1).ok_or("the relay printed no URL")?.to_owned();
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            println!("   {line}");
        }
    });
    Ok((relay, url))
}

// ---------------------------------------------------------------------------------------- Upstream

#[derive(Clone)]
struct Upstream {
    /// True once all readers are connected.
    started: watch::Receiver<bool>,
    /// The number of the last event that was sent.
    sent: Arc<watch::Sender<usize>>,
}

async fn serve_upstream(upstream: Upstream) -> Result<String, AnyError> {
    let (listener, address) = listen().await?;
    let app = Router::new().route("/events", get(answer)).with_state(upstream);
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(url(address))
}

/// Sends the events after the one that the relay has, and 204 after the last.
async fn answer(State(mut upstream): State<Upstream>, headers: HeaderMap) -> Response {
    let id = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let first = id.map_or(1, |id: usize| id + 1);
    if first > EVENTS {
        return StatusCode::NO_CONTENT.into_response();
    }
    let wait = stream::once(async move {
        let _ = upstream.started.wait_for(|started| *started).await;
        Ok::<_, Infallible>("retry: 100\n\n".to_owned())
    });
    let events = stream::iter(first..=EVENTS).then(move |number| {
        let sent = Arc::clone(&upstream.sent);
        async move {
            sleep(PACE).await;
            sent.send_replace(number);
            let mut event = Encoder::new(String::new());
            let _ = event.id(&number.to_string()).data(&number.to_string());
            Ok(event.into_inner())
        }
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(wait.chain(events))).into_response()
}
