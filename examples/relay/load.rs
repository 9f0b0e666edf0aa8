//! The demo: an upstream that breaks once, a thousand readers, and a check that no reader lost an
//! event.
//!
//! Most readers keep their connection. Some reconnect again and again. Some stop reading for a
//! while: the relay must drop these, and the other readers must not notice.

use crate::figures::Figures;
use crate::log::Ids;
use crate::serve::{Relay, Settings, serve};
use crate::{AnyError, follow};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use everstream::{Encoder, Event, RequestBuilderExt};
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Client;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, sleep_until, timeout};

const READERS: usize = 1000;
/// Among this many readers, one is restless, and one is on a slow line.
const ONE_IN: usize = 20;
const SLOW: usize = READERS / ONE_IN;
/// The number of events after which a restless reader reconnects.
const RESTLESS_AFTER: usize = 20;

const EVENTS: usize = 80;
const EVENT_SIZE: usize = 2048;
/// The number of events that the upstream sends at once, before a pause.
const BURST: usize = 4;
const PACE: Duration = Duration::from_millis(150);
/// The event after which the upstream breaks its first connection.
const BREAKS_AFTER: usize = 35;

/// The maximum time of the demo. It takes a tenth of this on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run() -> Result<(), AnyError> {
    allow_open_files()?;
    let done = timeout(PATIENCE, demo()).await;
    done.map_err(|_| "the demo took too long")??;
    Ok(())
}

/// Raises the limit of open files. Each reader needs two, and a reader on the slow line four.
fn allow_open_files() -> Result<(), AnyError> {
    let files = (2 * READERS + 2 * SLOW + 100) as u64;
    match rlimit::increase_nofile_limit(files)? {
        limit if limit < files => {
            Err(format!("{READERS} readers take {files} open files, and the limit is {limit}")
                .into())
        }
        _ => Ok(()),
    }
}

async fn demo() -> Result<(), AnyError> {
    // Times and buffers are small, so that the effects show soon.
    let relay = Arc::new(Relay::new(
        Ids::Any,
        Settings {
            keep_alive: Duration::from_millis(500),
            patience: Duration::from_secs(1),
            send_buffer: 16 * 1024,
            retry: Duration::from_millis(100),
            ..Settings::default()
        },
    ));
    let figures = Arc::clone(&relay.figures);
    let (listener, address) = listen().await?;
    tokio::spawn(serve(listener, Arc::clone(&relay)));
    let (listener, slow_address) = listen().await?;
    tokio::spawn(slow_line(listener, address, Arc::clone(&figures)));
    let (listener, upstream_address) = listen().await?;
    let upstream = Upstream { begun: Instant::now(), figures: Arc::clone(&figures) };
    let begun = upstream.begun;
    let app = Router::new().route("/events", get(answer)).with_state(upstream);
    tokio::spawn(async { axum::serve(listener, app).await });

    // The relay is on this machine, so no proxy is used.
    let client = Client::builder().no_proxy().build()?;
    let readers: Vec<_> = (0..READERS)
        .map(|number| {
            let kind = Kind::of(number);
            let address = if kind == Kind::Slow { slow_address } else { address };
            tokio::spawn(read(client.clone(), address, kind, begun))
        })
        .collect();
    println!("{READERS} readers connect, {SLOW} of them over a slow line");
    let upstream = client.get(url(upstream_address)).into_event_source();
    follow(upstream, &relay.log).await?;
    let sent_for = begun.elapsed();

    let mut delays = Vec::new();
    for (number, received) in try_join_all(readers).await?.into_iter().enumerate() {
        let received = received?;
        if !received.numbers.iter().copied().eq(1..=EVENTS) {
            let (kind, numbers) = (Kind::of(number), received.numbers);
            return Err(format!("reader {number}, {kind:?}, got {numbers:?}").into());
        }
        if Kind::of(number) == Kind::Steady {
            delays.extend(received.delays);
        }
    }
    let figures = &*figures;
    println!("{:>8} events sent upstream in {sent_for:.1?}", EVENTS);
    println!("{:>8} events sent downstream", figures.events.get());
    println!("{:>8} connections downstream", figures.connections.get());
    println!("{:>8} of these resumed after an event", figures.resumed.get());
    println!("{:>8} dropped because they accepted no byte", figures.stalled.get());
    println!("{:>8} dropped because they fell out of the replay buffer", figures.outrun.get());
    println!("{:>8} resumed too late, with a gap", figures.gaps.get());
    println!("{:>8} keep-alive comments", figures.keep_alives.get());
    delays.sort_unstable();
    let percentile = |percent| delays[(delays.len() - 1) * percent / 100];
    println!(
        "{:>8.1?} from upstream to a steady reader in the median, {:.1?} for 99%",
        percentile(50),
        percentile(99),
    );

    if figures.stalled.get() < SLOW as u64 || figures.gaps.get() != 0 || figures.readers.get() != 0
    {
        return Err("not all of these are as they should be".into());
    }
    println!("{READERS} readers with {EVENTS} events each, nothing lost; slow ones were dropped");
    Ok(())
}

pub(crate) async fn listen() -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

pub(crate) fn url(address: SocketAddr) -> String {
    format!("http://{address}/events")
}

// -------------------------------------------------------------------------------------- The readers

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Steady,
    Restless,
    Slow,
}

impl Kind {
    fn of(number: usize) -> Kind {
        match number % ONE_IN {
            0 => Kind::Slow,
            1 => Kind::Restless,
            _ => Kind::Steady,
        }
    }
}

#[derive(Default)]
struct Received {
    numbers: Vec<usize>,
    /// The time of each event from the upstream to the reader.
    delays: Vec<Duration>,
}

async fn read(
    client: Client,
    address: SocketAddr,
    kind: Kind,
    begun: Instant,
) -> Result<Received, AnyError> {
    let mut events = client.get(url(address)).into_event_source();
    let mut received = Received::default();
    while let Some(event) = events.try_next().await? {
        let Event::Message(message) = event else { continue };
        let mut words = message.data().split(' ');
        let mut number = || words.next().unwrap_or_default().parse();
        received.numbers.push(number()? as usize);
        received.delays.push(begun.elapsed().saturating_sub(Duration::from_micros(number()?)));
        if kind == Kind::Restless && received.numbers.len() % RESTLESS_AFTER == 0 {
            events.force_reconnect();
        }
    }
    Ok(received)
}

// ------------------------------------------------------------------------------------ The slow line

/// Forwards connections of readers to the relay. It stops reading from a first connection, until
/// the relay drops it. A connection that resumes is forwarded normally.
async fn slow_line(listener: TcpListener, relay: SocketAddr, figures: Arc<Figures>) {
    while let Ok((reader, _)) = listener.accept().await {
        let figures = Arc::clone(&figures);
        // These connections are meant to break.
        tokio::spawn(async move { drop(slowly(reader, relay, &figures).await) });
    }
}

async fn slowly(mut reader: TcpStream, relay: SocketAddr, figures: &Figures) -> io::Result<()> {
    const TAKEN: usize = 3 * EVENT_SIZE;

    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        reader.read_buf(&mut request).await?;
    }
    let resumes = request.to_ascii_lowercase().windows(13).any(|name| name == b"last-event-id");
    let socket = TcpSocket::new_v4()?;
    if !resumes {
        socket.set_recv_buffer_size(4 * 1024)?;
    }
    let mut relay = socket.connect(relay).await?;
    relay.write_all(&request).await?;
    if !resumes {
        let mut taken = vec![0; TAKEN];
        relay.read_exact(&mut taken).await?;
        reader.write_all(&taken).await?;
        while figures.stalled.get() < SLOW as u64 {
            sleep(PACE).await;
        }
    }
    tokio::io::copy_bidirectional(&mut relay, &mut reader).await?;
    Ok(())
}

// ------------------------------------------------------------------------------------- The upstream

#[derive(Clone)]
struct Upstream {
    begun: Instant,
    figures: Arc<Figures>,
}

/// Sends the events after the last event ID, or 204 if there are none. The first response waits for
/// all readers, and breaks.
async fn answer(State(upstream): State<Upstream>, headers: HeaderMap) -> Response {
    let id = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let sent: usize = id.unwrap_or(0);
    if sent == EVENTS {
        return StatusCode::NO_CONTENT.into_response();
    }
    let end = if sent == 0 { BREAKS_AFTER } else { EVENTS };
    let start = stream::once(async move {
        while sent == 0 && upstream.figures.readers.get() < READERS as u64 {
            sleep(PACE).await;
        }
        Ok("retry: 100\n\n".to_owned())
    });
    let mut next_burst = Instant::now();
    let events = stream::iter(sent + 1..=end).then(move |number| {
        if number % BURST == 1 {
            next_burst = Instant::now().max(next_burst + PACE);
        }
        let at = next_burst;
        async move {
            sleep_until(at).await;
            Ok(event(number, upstream.begun.elapsed()))
        }
    });
    let broken = stream::iter((end < EVENTS).then(|| Err(io::Error::other("a break"))));
    let body = Body::from_stream(start.chain(events).chain(broken));
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}

/// Encodes an event with its number, its time and padding.
fn event(number: usize, time: Duration) -> String {
    let data = format!("{number} {} {}", time.as_micros(), ".".repeat(EVENT_SIZE));
    let mut event = Encoder::new(String::new());
    let _ = event.id(&number.to_string()).data(&data);
    event.into_inner()
}
