//! A client, a server that replays, and a proxy between them that breaks connections in many ways.
//! Each event must arrive once and in order.
//!
//! The stream has a given number of events and of faults. The faults are spread over the whole
//! stream, and most cut an event. A seed decides the places and kinds of the faults, and the
//! events. It does not decide the order of the bytes of both sides, so a seed repeats the plan and
//! not the run.
//!
//! ```ignore
//! chaos::run("tokio", tokio::time::sleep).await;
//! ```
//!
//! `EVERSTREAM_CHAOS_EVENTS=100000`, `EVERSTREAM_CHAOS_FAULTS=1000` and `EVERSTREAM_CHAOS_SEED=7`
//! change the plan.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use everstream::{Backoff, Event, RequestBuilderExt};
use fastrand::Rng;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use socket2::SockRef;

use super::server::{PATIENCE, Reply, Server};

/// The real time of each stall and each silence.
const IDLE_TIMEOUT: Duration = Duration::from_millis(50);
const OPEN_TIMEOUT: Duration = Duration::from_millis(100);

// -------------------------------------------------------------------------------------------- Plan

#[derive(Clone, Copy, Debug)]
struct Plan {
    events: usize,
    faults: usize,
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// A RST in response to a request.
    Refused,
    /// A FIN in response to a request.
    HungUp,
    /// No byte in response to a request.
    Silent,
    /// No HTTP in response to a request.
    Garbage,
    /// The first half of a TLS handshake in response to a request.
    HalfHandshake,
    /// A FIN in the middle of the head of the response.
    HalfHead,
    /// 502, 503 or 504, as of a proxy whose server is down.
    BadGateway,
    /// RST in the body.
    Reset,
    /// FIN in the body.
    CutOff,
    /// No more bytes of the body.
    Stalled,
    /// An invalid chunk in the body.
    BadChunk,
    /// One byte per write, for a while.
    Trickle,
    /// Chunks of other sizes from then on.
    OtherChunks,
}

const FAULTS: [Fault; 13] = [
    Fault::Refused,
    Fault::HungUp,
    Fault::Silent,
    Fault::Garbage,
    Fault::HalfHandshake,
    Fault::HalfHead,
    Fault::BadGateway,
    Fault::Reset,
    Fault::CutOff,
    Fault::Stalled,
    Fault::BadChunk,
    Fault::Trickle,
    Fault::OtherChunks,
];

impl Fault {
    /// Returns whether it strikes before the response.
    fn is_at_the_door(self) -> bool {
        self < Fault::Reset
    }
}

impl Plan {
    fn from_env() -> Plan {
        let variable = |name: &str| env::var(name).ok().map(|value| value.parse().expect(name));
        Plan {
            events: variable("EVERSTREAM_CHAOS_EVENTS").unwrap_or(2_000) as usize,
            faults: variable("EVERSTREAM_CHAOS_FAULTS").unwrap_or(26) as usize,
            seed: variable("EVERSTREAM_CHAOS_SEED").unwrap_or(0),
        }
    }

    /// Returns the kind of the k-th fault, and the number of events before it. The kinds take
    /// turns.
    fn fault(&self, k: usize) -> (Fault, usize) {
        let mut kinds = FAULTS;
        self.rng(k / FAULTS.len(), 1).shuffle(&mut kinds);
        let events_of = |k: usize| k * self.events / self.faults;
        let after = self.rng(k, 2).usize(events_of(k)..events_of(k + 1)) + 1;
        (kinds[k % FAULTS.len()], after)
    }

    /// The event with that number, from 1.
    fn event(&self, number: usize) -> Sent {
        let rng = &mut self.rng(number, 3);
        let line = |rng: &mut Rng| {
            let len = if rng.u8(..) == 0 { rng.usize(..20_000) } else { rng.usize(..60) };
            let letters = ['a', ' ', ':', 'é', '…', '😀'];
            (0..len).map(|_| letters[rng.usize(..letters.len())]).collect::<String>()
        };
        let end = ["\n", "\r\n", "\r"][rng.usize(..3)];
        let mut bytes = format!("id: {number}{end}");
        let mut name = "message";
        if rng.bool() {
            name = "tick";
            write!(bytes, "event: {name}{end}").unwrap();
        }
        if rng.u8(..8) == 0 {
            write!(bytes, ": {}{end}retry: {}{end}", line(rng), rng.u8(..5)).unwrap();
        }
        let mut data = number.to_string();
        write!(bytes, "data: {data}{end}").unwrap();
        for _ in 0..rng.u8(..3) {
            let line = line(rng);
            write!(bytes, "data: {line}{end}").unwrap();
            data = data + "\n" + &line;
        }
        bytes += end;
        Sent { bytes, name, data }
    }

    /// Returns random numbers for one purpose.
    fn rng(&self, index: usize, purpose: u64) -> Rng {
        let mut rng = Rng::with_seed(self.seed ^ (purpose << 60) ^ ((index as u64) << 20));
        Rng::with_seed(rng.u64(..))
    }

    /// Starts a server that replays the events after the last event ID, a few hundred per response.
    fn server(self) -> Server {
        let batch = 4 * self.events / self.faults;
        Server::start(move |request| {
            let from = match request.header("last-event-id")[..] {
                [] => 0,
                [id] => number(id),
                _ => panic!("several ids"),
            };
            if from == self.events {
                return Reply::no_content();
            }
            let until = (from + batch).min(self.events);
            Reply::sse().http_1_0().send_each(move |i| {
                let next = from + 1 + i;
                (next <= until).then(|| self.event(next).bytes.into())
            })
        })
    }
}

struct Sent {
    bytes: String,
    name: &'static str,
    data: String,
}

fn number(id: &[u8]) -> usize {
    let number = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
    number.unwrap_or_else(|| panic!("no id of ours: {}", id.escape_ascii()))
}

// ------------------------------------------------------------------------------------------- Proxy

/// A proxy that forwards requests and responses until the next fault.
struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    plan: Plan,
    server: SocketAddr,
    stopping: AtomicBool,
    connections: AtomicUsize,
    /// The number of faults so far.
    done: Mutex<usize>,
}

impl Proxy {
    fn start(plan: Plan, server: SocketAddr) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("the address of a bound socket");
        let shared = Arc::new(Shared {
            plan,
            server,
            stopping: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            done: Mutex::default(),
        });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.accept(&listener)
        });
        Proxy { shared, address, acceptor: Some(acceptor) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopping.store(true, SeqCst);
        // std cannot interrupt `accept`, but a connection can.
        drop(TcpStream::connect(self.address));
        let ended = self.acceptor.take().map(JoinHandle::join);
        if let (Some(Err(_)), false) = (ended, thread::panicking()) {
            panic!("the proxy had trouble, see above");
        }
    }
}

impl Shared {
    fn accept(&self, listener: &TcpListener) {
        thread::scope(|scope| {
            while let Ok((client, _)) = listener.accept() {
                if self.stopping.load(SeqCst) {
                    return;
                }
                let connection = self.connections.fetch_add(1, SeqCst);
                // A client or a server that disconnects only ends this conversation.
                scope.spawn(move || self.converse(client, connection));
            }
        });
    }

    /// Returns the next fault, and the number of events before it.
    fn next_fault(&self, done: usize) -> Option<(Fault, usize)> {
        (done < self.plan.faults).then(|| self.plan.fault(done))
    }

    fn converse(&self, client: TcpStream, connection: usize) -> io::Result<()> {
        client.set_nodelay(true)?;
        client.set_read_timeout(Some(PATIENCE))?;
        let request = read_head(&client)?;
        let from = last_event_id(&request);
        // Locked while this connection is open. A client has one connection at a time, but may open
        // the next before the proxy notices that it closed this one.
        let mut done = self.done.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let rng = &mut self.plan.rng(connection, 4);

        let next = self.next_fault(*done).filter(|(fault, after)| {
            fault.is_at_the_door() && *after <= from // else it is not that far yet
        });
        if let Some((fault, _)) = next {
            *done += 1;
            return be_rude(fault, client, rng);
        }

        let mut server = TcpStream::connect(self.server)?;
        server.set_read_timeout(Some(PATIENCE))?;
        server.write_all(&request)?;
        let head = read_head(&server)?;
        if !head.starts_with(b"HTTP/1.0 200 ") {
            return (&client).write_all(&head);
        }
        (&client).write_all(HEAD)?;

        let mut relay = Relay { server, client: &client, chunks: 1..5_000, rng, passed: 0 };
        while let Some((fault, after)) = self.next_fault(*done) {
            let lens = (from + 1..=after).map(|number| self.plan.event(number).bytes.len());
            let mut place = lens.sum::<usize>();
            if !fault.is_at_the_door() && after < self.plan.events {
                place += relay.rng.usize(..self.plan.event(after.max(from) + 1).bytes.len());
            }
            let has_ended = relay.pass_until(place)?;
            if has_ended || fault.is_at_the_door() {
                return relay.end();
            }
            *done += 1;
            match fault {
                Fault::Reset => return reset(client),
                Fault::CutOff => return Ok(()),
                Fault::Stalled => return wait_for_the_end(&client),
                Fault::BadChunk => return (&client).write_all(b"no chunk\r\n"),
                Fault::Trickle => relay.trickle()?,
                _ => relay.chunks = [1..4, 1..300, 1_000..30_000][relay.rng.usize(..3)].clone(),
            }
        }
        relay.pass_until(usize::MAX)?;
        relay.end()
    }
}

/// Applies a fault before the response.
fn be_rude(fault: Fault, client: TcpStream, rng: &mut Rng) -> io::Result<()> {
    let mut socket = &client;
    match fault {
        Fault::Refused => return reset(client),
        Fault::HungUp => {}
        Fault::Silent => wait_for_the_end(socket)?,
        Fault::Garbage => {
            let garbage: Vec<u8> = (0..rng.usize(1..200)).map(|_| rng.u8(..)).collect();
            socket.write_all(&garbage)?;
        }
        // A ServerHello of TLS 1.2 that announces more bytes than are sent.
        Fault::HalfHandshake => {
            socket.write_all(b"\x16\x03\x03\x00\x51\x02\x00\x00\x4D\x03\x03")?
        }
        Fault::HalfHead => socket.write_all(&HEAD[..rng.usize(1..HEAD.len())])?,
        _ => {
            let status = ["502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"];
            let status = status[rng.usize(..3)];
            let head = format!("HTTP/1.1 {status}\r\nRetry-After: 0\r\nConnection: close\r\n");
            let body = "<h1>Later</h1>";
            write!(socket, "{head}Content-Length: {}\r\n\r\n{body}", body.len())?;
        }
    }
    Ok(())
}

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
    Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";

/// A body that the proxy forwards, in its own chunks.
struct Relay<'a> {
    server: TcpStream,
    client: &'a TcpStream,
    chunks: Range<usize>,
    rng: &'a mut Rng,
    /// The number of forwarded bytes.
    passed: usize,
}

impl Relay<'_> {
    /// Forwards the body up to this place, and returns whether it ended before.
    fn pass_until(&mut self, place: usize) -> io::Result<bool> {
        let mut chunk = Vec::new();
        let mut out = Vec::new();
        while self.passed < place {
            let len = self.rng.usize(self.chunks.clone()).min(place - self.passed);
            chunk.clear();
            (&self.server).take(len as u64).read_to_end(&mut chunk)?;
            self.passed += chunk.len();
            let has_ended = chunk.len() < len;
            self.frame(&chunk, &mut out);
            // Small chunks are sometimes joined.
            if has_ended || self.passed == place || self.rng.u8(..4) == 0 {
                self.client.write_all(&out)?;
                out.clear();
            }
            if has_ended {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn trickle(&mut self) -> io::Result<()> {
        let mut byte = [0];
        for _ in 0..200 {
            if (&self.server).read(&mut byte)? == 0 {
                return Ok(()); // which the next read finds too
            }
            self.passed += 1;
            let mut out = Vec::new();
            self.frame(&byte, &mut out);
            for byte in out {
                self.client.write_all(&[byte])?;
            }
        }
        Ok(())
    }

    fn frame(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        if chunk.is_empty() {
            return; // that would be the last one
        }
        let extension = if self.rng.u8(..8) == 0 { ";of=\"a proxy\"" } else { "" };
        write!(out, "{:x}{extension}\r\n", chunk.len()).expect("a Vec takes it");
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }

    fn end(mut self) -> io::Result<()> {
        self.client.write_all(b"0\r\n\r\n")
    }
}

fn reset(client: TcpStream) -> io::Result<()> {
    SockRef::from(&client).set_linger(Some(Duration::ZERO))
}

fn wait_for_the_end(mut client: &TcpStream) -> io::Result<()> {
    client.read(&mut [0]).map(drop)
}

/// Reads a head, up to its blank line.
fn read_head(mut socket: &TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(head)
}

fn last_event_id(request: &[u8]) -> usize {
    let mut lines = request.split(|byte| *byte == b'\n');
    lines
        .find_map(|line| line.strip_prefix(b"last-event-id: "))
        .map_or(0, |id| number(id.trim_ascii()))
}

// ------------------------------------------------------------------------------------------ Client

/// Reads the whole stream on the current runtime. `sleep` limits the time.
pub async fn run<S: Future>(runtime: &str, sleep: impl Fn(Duration) -> S) {
    let plan = Plan::from_env();
    let start = Instant::now();
    let server = plan.server();
    let proxy = Proxy::start(plan, server.address());

    let client = reqwest::Client::builder().no_proxy().build().expect("a client without TLS");
    let policy = Backoff::new()
        .with_initial_delay(Duration::from_millis(1))
        .with_max_delay(Duration::from_millis(20))
        .with_min_delay(Duration::ZERO)
        .with_seed(plan.seed);
    let mut events = client
        .get(format!("http://{}/", proxy.address))
        .into_event_source_builder()
        .retry_policy(policy)
        .open_timeout(OPEN_TIMEOUT)
        .idle_timeout(IDLE_TIMEOUT)
        .build();

    let (mut read, mut losses) = (0, 0);
    loop {
        let item = match select(events.next(), pin!(sleep(PATIENCE))).await {
            Either::Left((item, _)) => item,
            Either::Right(_) => panic!("{plan:?}: nothing came after {read} events: {events:?}"),
        };
        match item {
            Some(Ok(Event::Message(message))) => {
                read += 1;
                assert_eq!(message.id(), read.to_string(), "{plan:?}");
                let sent = plan.event(read);
                assert_eq!((message.event(), message.data()), (sent.name, &*sent.data), "{plan:?}");
            }
            Some(Ok(Event::Open(_))) => {}
            Some(Ok(Event::Reconnecting { .. })) => losses += 1,
            Some(other) => panic!("{plan:?}: after {read} events: {other:?}"),
            None => break,
        }
    }
    assert_eq!(read, plan.events, "{plan:?}: events are missing");
    drop(events);

    let shared = Arc::clone(&proxy.shared);
    drop(proxy);
    let done = *shared.done.lock().expect("no thread has panicked");
    assert_eq!(done, plan.faults, "{plan:?}: not every fault has struck");
    // A connection without an event would be a retry without a delay.
    let connections = shared.connections.load(SeqCst);
    assert!(connections <= losses + 1, "{plan:?}: {connections} connections, {losses} losses");
    server.until_live(0).await;

    let mut kinds = BTreeMap::<_, usize>::new();
    for k in 0..done {
        *kinds.entry(plan.fault(k).0).or_default() += 1;
    }
    println!("{runtime}: {kinds:?}");
    println!(
        "{runtime}: {read} events, each once and in order, through {done} faults on {connections} \
         connections, seed {}, in {:.1?}",
        plan.seed,
        start.elapsed()
    );
}
