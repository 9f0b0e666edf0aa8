//! A loopback HTTP/1.1 server. The test scripts each byte, pause and close.
//!
//! It uses raw sockets, so it can send what no HTTP library would: wrong chunk sizes, half lines, a
//! RST in the middle of an event, headers with bytes above 0x7F. Its port can refuse connections
//! for a while. It runs on std threads and the real clock, so it works under any runtime of the
//! client. Dropping it closes every connection and ends its threads. The drop fails the test if a
//! script panicked or a request was invalid.
//!
//! ```ignore
//! use crate::support::server::{Reply, Server};
//!
//! let server = Server::scripted([
//!     Reply::events("id: 1\ndata: a\n\n").reset(),
//!     Reply::events("data: b\n\n").hold(),
//! ]);
//! let mut events = client.get(server.url()).into_event_source();
//! // ... a, Reconnecting, b
//! let requests = server.until_requests(2).await;
//! assert_eq!(requests[1].header("last-event-id"), [b"1"]);
//! drop(events);
//! server.until_closed(1).await;
//! ```
//!
//! - The k-th request of the server gets the k-th reply, on any connection. Later requests get a
//!   204, which stops an SSE client. [`Server::scripted_then`] and [`Server::start`] decide
//!   otherwise.
//! - A reply is a head, steps of the body, and an ending. By default it ends properly and closes.
//! - A reply stops as soon as the client closes, so no thread outlives its test.
//! - `wait_…(timeout)` blocks the thread. `until_…` is a future, for a client that runs on this
//!   thread; its limit is a minute. After the limit both panic with the state of the server.
//! - Under tokio's paused clock an idle runtime jumps to its next timer, even while bytes of this
//!   server are in transit. A running `spawn_blocking` task prevents that.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// The time after which the `until_…` futures panic. A busy machine takes seconds over the largest
/// replies, and only a test that fails waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

// ------------------------------------------------------------------------------------------ Server

pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    listening: Mutex<Listening>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The end of a connection, as the server saw it.
///
/// If the client closes while the server sends, FIN or RST is random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The client closed it: FIN.
    Fin,
    /// The client closed it: RST. A kernel also sends RST for a socket that is closed with unread
    /// bytes in it.
    Reset,
    /// The script reset it, or the server was dropped.
    ByServer,
}

enum Listening {
    Yes {
        acceptor: JoinHandle<()>,
        stop: Arc<AtomicBool>,
    },
    /// A bound socket that does not listen: it reserves the port and refuses every connection.
    No {
        reserved: Socket,
    },
    Dropped,
}

type Respond = Box<dyn FnMut(&Request) -> Reply + Send>;

struct Shared {
    respond: Mutex<Respond>,
    requests: Mutex<Vec<Request>>,
    lines: Mutex<Vec<Arc<Line>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    stopping: AtomicBool,
    /// The faults that the drop of the server reports.
    trouble: Mutex<Vec<String>>,
}

impl Server {
    /// Starts a server that calls `respond` for the reply to each request. `request.index` counts
    /// them.
    pub fn start(respond: impl FnMut(&Request) -> Reply + Send + 'static) -> Server {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on the loopback");
        let address = listener.local_addr().expect("the address of a bound socket");
        let shared = Arc::new(Shared {
            respond: Mutex::new(Box::new(respond)),
            requests: Mutex::default(),
            lines: Mutex::default(),
            threads: Mutex::default(),
            stopping: AtomicBool::new(false),
            trouble: Mutex::default(),
        });
        let listening = Mutex::new(listen(&shared, listener));
        Server { shared, address, listening }
    }

    /// Starts a server whose k-th request gets the k-th reply. Later requests get a 204.
    pub fn scripted(replies: impl IntoIterator<Item = Reply>) -> Server {
        Server::scripted_then(replies, Reply::no_content())
    }

    /// Starts a server whose k-th request gets the k-th reply. Later requests get `afterwards`.
    pub fn scripted_then(replies: impl IntoIterator<Item = Reply>, afterwards: Reply) -> Server {
        let mut replies = VecDeque::from_iter(replies);
        Server::start(move |_| replies.pop_front().unwrap_or_else(|| afterwards.clone()))
    }

    /// Starts a server that sends this reply to every request.
    pub fn repeating(reply: Reply) -> Server {
        Server::scripted_then([], reply)
    }

    /// `http://127.0.0.1:port/`
    pub fn url(&self) -> String {
        self.url_at("/")
    }

    /// Returns the URL of a path, which starts with a slash and may have a query.
    pub fn url_at(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// `http://127.0.0.1:port`
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns all requests so far, in the order of the replies.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.requests).clone()
    }

    /// Returns the number of accepted connections.
    pub fn connections(&self) -> usize {
        lock(&self.shared.lines).len()
    }

    /// Returns the bytes that the kernel accepted on the k-th connection, to observe backpressure.
    pub fn bytes_written(&self, connection: usize) -> u64 {
        lock(&self.shared.lines).get(connection).map_or(0, |line| line.written.load(SeqCst))
    }

    /// Waits until `n` requests have arrived, and returns all requests.
    pub fn until_requests(&self, n: usize) -> Until<Vec<Request>> {
        let shared = self.shared.clone();
        Condition::new(format!("{n} requests"), move || {
            let requests = lock(&shared.requests);
            if requests.len() >= n {
                Ok(requests.clone())
            } else {
                Err(format!("there were {requests:#?}"))
            }
        })
        .future()
    }

    /// Blocks until the k-th connection (from 0) has been accepted and closed.
    #[track_caller]
    pub fn wait_until_closed(&self, connection: usize, timeout: Duration) -> Closed {
        self.has_closed(connection).block(timeout)
    }

    /// Returns a future for the blocking method of similar name.
    pub fn until_closed(&self, connection: usize) -> Until<Closed> {
        self.has_closed(connection).future()
    }

    /// Blocks until exactly `n` connections are open.
    #[track_caller]
    pub fn wait_for_live(&self, n: usize, timeout: Duration) {
        self.has_live(n).block(timeout);
    }

    /// Returns a future for the blocking method of similar name.
    pub fn until_live(&self, n: usize) -> Until<()> {
        self.has_live(n).future()
    }

    /// Refuses further connections. Open connections stay open, and the port stays reserved.
    pub fn stop_listening(&self) {
        let mut listening = lock(&self.listening);
        if let Listening::Yes { .. } = *listening {
            std::mem::replace(&mut *listening, Listening::Dropped).end(self.address);
            *listening = Listening::No { reserved: reserve(self.address) };
        }
    }

    /// Accepts connections again, on the same port.
    pub fn listen_again(&self) {
        let mut listening = lock(&self.listening);
        if let Listening::No { reserved } = std::mem::replace(&mut *listening, Listening::Dropped) {
            reserved.listen(128).expect("listening on a port that we kept");
            *listening = listen(&self.shared, reserved.into());
        } else {
            panic!("listen_again without stop_listening");
        }
    }

    fn has_closed(&self, connection: usize) -> Condition<Closed> {
        let shared = self.shared.clone();
        Condition::new(format!("the end of connection {connection}"), move || {
            let lines = lock(&shared.lines);
            let line =
                lines.get(connection).ok_or_else(|| format!("only {} were made", lines.len()))?;
            (*lock(&line.closed)).ok_or_else(|| "it is open".into())
        })
    }

    fn has_live(&self, n: usize) -> Condition<()> {
        let shared = self.shared.clone();
        Condition::new(format!("{n} live connections"), move || {
            let live = shared.live();
            if live == n { Ok(()) } else { Err(format!("there were {live}")) }
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        std::mem::replace(&mut *lock(&self.listening), Listening::Dropped).end(self.address);
        self.shared.stopping.store(true, SeqCst);
        ring();
        for line in &*lock(&self.shared.lines) {
            if let Some(socket) = &*lock(&line.socket) {
                let _ = socket.shutdown(Shutdown::Both); // wakes its reader and its writer
            }
        }
        let threads = std::mem::take(&mut *lock(&self.shared.threads));
        for thread in threads {
            thread.join().expect("the threads do not panic: they note their trouble");
        }
        let trouble = lock(&self.shared.trouble);
        if !trouble.is_empty() && !thread::panicking() {
            panic!("the test server had trouble: {}", trouble.join("; "));
        }
    }
}

impl Shared {
    fn live(&self) -> usize {
        lock(&self.lines).iter().filter(|line| lock(&line.closed).is_none()).count()
    }
}

impl Listening {
    fn end(self, address: SocketAddr) {
        if let Listening::Yes { acceptor, stop } = self {
            stop.store(true, SeqCst);
            // std cannot interrupt `accept`, but a connection can. If it is refused, the acceptor
            // has already gone.
            let _ = TcpStream::connect_timeout(&address, Duration::from_secs(1));
            acceptor.join().expect("the acceptor does not panic");
        }
    }
}

fn listen(shared: &Arc<Shared>, listener: TcpListener) -> Listening {
    let stop = Arc::new(AtomicBool::new(false));
    let shared = shared.clone();
    let stopped = stop.clone();
    let acceptor =
        spawn(&listener.local_addr().expect("the address of a bound socket"), move || {
            loop {
                let accepted = listener.accept();
                if stopped.load(SeqCst) {
                    return;
                }
                if let Ok((socket, _)) = accepted {
                    welcome(&shared, socket);
                } else {
                    // No file handle is left, or the connection was reset while it waited.
                    thread::sleep(Duration::from_millis(1));
                }
            }
        });
    Listening::Yes { acceptor, stop }
}

fn welcome(shared: &Arc<Shared>, socket: TcpStream) {
    let _ = socket.set_nodelay(true); // one write, one segment
    let local = socket.local_addr().unwrap_or_else(|_| (Ipv4Addr::LOCALHOST, 0).into());
    let socket = Arc::new(socket);
    let line = Arc::new(Line {
        socket: Mutex::new(Some(socket.clone())),
        inbox: Mutex::default(),
        closed: Mutex::default(),
        leaving: AtomicBool::new(false),
        finished: AtomicBool::new(false),
        written: AtomicU64::new(0),
    });
    let index = {
        let mut lines = lock(&shared.lines);
        lines.push(line.clone());
        lines.len() - 1
    };
    ring();
    let thread = spawn(&local, {
        let shared = shared.clone();
        move || serve(&shared, &line, index, socket)
    });
    let mut threads = lock(&shared.threads);
    threads.retain(|thread| !thread.is_finished());
    threads.push(thread);
}

/// The names of the threads contain the port, which identifies the server.
fn spawn(address: &SocketAddr, run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    thread::Builder::new().name(format!("sse:{}", address.port())).spawn(run).expect("a thread")
}

/// Reserves a port of the loopback that refuses connections while this value lives.
#[derive(Debug)]
pub struct ClosedPort {
    address: SocketAddr,
    _reserved: Socket,
}

impl Default for ClosedPort {
    fn default() -> ClosedPort {
        ClosedPort::new()
    }
}

impl ClosedPort {
    pub fn new() -> ClosedPort {
        let reserved = reserve((Ipv4Addr::LOCALHOST, 0).into());
        let address = reserved.local_addr().expect("the address of a bound socket");
        ClosedPort { address: address.as_socket().expect("an IP address"), _reserved: reserved }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

/// Binds without listening, so the port is reserved and refuses connections.
fn reserve(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).expect("a socket");
    #[cfg(unix)] // as std does it: connections of the former listener may still be about
    socket.set_reuse_address(true).expect("SO_REUSEADDR");
    // A connection may have taken the port after the listener closed. It ends soon.
    let patience = Instant::now() + PATIENCE;
    while let Err(error) = socket.bind(&address.into()) {
        assert!(Instant::now() < patience, "binding the port: {error}");
        thread::sleep(Duration::from_millis(1));
    }
    socket
}

// ------------------------------------------------------------------------------------- Connections

/// An accepted connection. It has two threads: one reads, so it notices at once that the client
/// closes; the other sends replies.
struct Line {
    /// `None` after the end: the last reference closes the socket.
    socket: Mutex<Option<Arc<TcpStream>>>,
    inbox: Mutex<VecDeque<Request>>,
    closed: Mutex<Option<Closed>>,
    /// The server closes the connection, so the reader ignores later errors.
    leaving: AtomicBool,
    /// The server has sent its FIN after successful writes.
    finished: AtomicBool,
    written: AtomicU64,
}

impl Line {
    fn close(&self, how: Closed) {
        lock(&self.closed).get_or_insert(how);
        ring();
    }
}

fn serve(shared: &Arc<Shared>, line: &Arc<Line>, index: usize, socket: Arc<TcpStream>) {
    let local = socket.local_addr().unwrap_or_else(|_| (Ipv4Addr::LOCALHOST, 0).into());
    let reader = spawn(&local, {
        let (shared, line, socket) = (shared.clone(), line.clone(), socket.clone());
        move || read_requests(&shared, &line, index, &socket)
    });
    let stage = Stage { shared, line, socket: &socket };
    let farewell = catch_unwind(AssertUnwindSafe(|| stage.converse())).unwrap_or_else(|_| {
        lock(&shared.trouble).push("a script panicked".into());
        Ok(Farewell::Fin)
    });
    match farewell {
        Ok(Farewell::Fin) => {
            // The reader then waits until the client closes too, because closing now could turn the
            // FIN into a RST.
            line.finished.store(true, SeqCst);
            let _ = socket.shutdown(Shutdown::Write);
        }
        Ok(Farewell::Reset) => {
            line.leaving.store(true, SeqCst);
            SockRef::from(&*socket).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
            // This wakes the reader, and sends nothing.
            let _ = socket.shutdown(Shutdown::Read);
        }
        Err(Gone) => {}
    }
    reader.join().expect("the reader does not panic");
    lock(&line.socket).take();
    drop(Arc::into_inner(socket).expect("the last reference: this close is the real one"));
    line.close(Closed::ByServer); // unless the reader knows better
}

fn read_requests(shared: &Shared, line: &Line, connection: usize, mut socket: &TcpStream) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    let closed = 'reading: loop {
        loop {
            match take_request(&mut bytes, connection) {
                Ok(Some(request)) => {
                    lock(&line.inbox).push_back(request);
                    ring();
                }
                Ok(None) => break,
                Err(complaint) => {
                    lock(&shared.trouble).push(complaint);
                    break 'reading Closed::ByServer;
                }
            }
        }
        match socket.read(&mut buffer) {
            Ok(0) => {
                // A RST is reported once, as an error. If a write got the error, the reader sees an
                // end. The socket has no peer then. After a FIN it has one until the server closes
                // too.
                let dead = socket.peer_addr().is_err();
                let ours = line.finished.load(SeqCst);
                break if dead && !ours { Closed::Reset } else { Closed::Fin };
            }
            Ok(n) => bytes.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break Closed::Reset,
        }
    };
    if !line.leaving.load(SeqCst) && !shared.stopping.load(SeqCst) {
        line.close(closed);
    }
}

/// The rest of the work after the last reply of a connection.
enum Farewell {
    Fin,
    Reset,
}

/// The client has closed, or the server is being dropped, so no reply is needed.
struct Gone;

struct Stage<'a> {
    shared: &'a Shared,
    line: &'a Line,
    socket: &'a TcpStream,
}

impl Stage<'_> {
    fn converse(&self) -> Result<Farewell, Gone> {
        loop {
            let mut request = self.wait(|| lock(&self.line.inbox).pop_front())?;
            let reply = {
                // Both steps are under one lock, so that the k-th recorded request gets the k-th
                // reply.
                let mut respond = lock(&self.shared.respond);
                {
                    let mut requests = lock(&self.shared.requests);
                    request.index = requests.len();
                    requests.push(request.clone());
                }
                ring();
                respond(&request)
            };
            match self.play(&reply)? {
                Ending::End | Ending::Fin => return Ok(Farewell::Fin),
                Ending::Reset => return Ok(Farewell::Reset),
                Ending::Hold => self.wait(|| None)?,
                Ending::KeepAlive => {}
            }
        }
    }

    fn play(&self, reply: &Reply) -> Result<Ending, Gone> {
        // By default the head is sent in one write with the first bytes of the body.
        let mut head = if reply.head_placed { Vec::new() } else { reply.head() };
        let mut ending = reply.ending.unwrap_or(Ending::End);
        for step in &reply.steps {
            let held_up = matches!(step, Step::Pause(_) | Step::WaitFor(_) | Step::FedBy(_));
            if held_up {
                self.write(&std::mem::take(&mut head))?;
            }
            match step {
                Step::Head => self.write(&reply.head())?,
                Step::HeadByteByByte => {
                    for byte in reply.head() {
                        self.write(&[byte])?;
                    }
                }
                Step::Send(bytes) => {
                    head.extend(reply.framed(bytes));
                    self.write(&std::mem::take(&mut head))?;
                }
                Step::SendRaw(bytes) => {
                    head.extend(bytes);
                    self.write(&std::mem::take(&mut head))?;
                }
                Step::ByteByByte(gap, bytes) => {
                    for byte in bytes {
                        head.extend(reply.framed(&[*byte]));
                        self.write(&std::mem::take(&mut head))?;
                        if !gap.is_zero() {
                            self.pause(*gap)?;
                        }
                    }
                }
                Step::SendEach(make) => {
                    for bytes in (0..).map_while(|i| make(i)) {
                        head.extend(reply.framed(&bytes));
                        self.write(&std::mem::take(&mut head))?;
                    }
                }
                Step::Pause(duration) => self.pause(*duration)?,
                Step::WaitFor(gate) => {
                    gate.0.waiting.fetch_add(1, SeqCst);
                    ring();
                    let opened = self.wait(|| gate.0.open.load(SeqCst).then_some(()));
                    gate.0.waiting.fetch_sub(1, SeqCst);
                    opened?;
                }
                Step::FedBy(feed) => {
                    ending = self.follow(reply, feed)?;
                }
            }
        }
        self.write(&head)?;
        if reply.framing == Framing::Chunked && matches!(ending, Ending::End | Ending::KeepAlive) {
            self.write(b"0\r\n\r\n")?;
        }
        Ok(ending)
    }

    fn follow(&self, reply: &Reply, feed: &Feed) -> Result<Ending, Gone> {
        loop {
            match self.wait(|| lock(&feed.0).pop_front())? {
                Fed::Bytes(bytes) => self.write(&reply.framed(&bytes))?,
                Fed::Ending(ending) => return Ok(ending),
            }
        }
    }

    fn write(&self, mut bytes: &[u8]) -> Result<(), Gone> {
        let mut socket = self.socket;
        while !bytes.is_empty() {
            match socket.write(bytes) {
                Ok(n) => {
                    self.line.written.fetch_add(n as u64, SeqCst);
                    bytes = &bytes[n..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Gone),
            }
        }
        Ok(())
    }

    fn pause(&self, duration: Duration) -> Result<(), Gone> {
        match wait_until(Some(duration), || self.gone().then_some(())) {
            Some(()) => Err(Gone),
            None => Ok(()),
        }
    }

    fn wait<T>(&self, mut ready: impl FnMut() -> Option<T>) -> Result<T, Gone> {
        wait_until(None, || ready().map(Ok).or_else(|| self.gone().then_some(Err(Gone))))
            .expect("no time limit")
    }

    fn gone(&self) -> bool {
        self.shared.stopping.load(SeqCst) || lock(&self.line.closed).is_some()
    }
}

// ---------------------------------------------------------------------------------------- Requests

#[derive(Clone)]
pub struct Request {
    /// The index of the request on the server, from 0.
    pub index: usize,
    /// The index of its connection, from 0.
    pub connection: usize,
    pub method: String,
    /// The path as sent, with the query.
    pub path: String,
    /// `HTTP/1.1`
    pub version: String,
    /// The headers as sent, in order, without white space around the values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, decoded if it was chunked.
    pub body: Vec<u8>,
}

impl Request {
    /// Returns the values of all headers with that name, in order.
    pub fn header(&self, name: &str) -> Vec<&[u8]> {
        let named = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_slice()).collect()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "[{} on {}] {} {} {}",
            self.index, self.connection, self.method, self.path, self.version
        )?;
        for (name, value) in &self.headers {
            write!(f, " | {name}: {}", value.escape_ascii())?;
        }
        write!(f, " | body: {}", self.body.escape_ascii())
    }
}

/// Removes one complete request from the start of the bytes, if there is one.
fn take_request(bytes: &mut Vec<u8>, connection: usize) -> Result<Option<Request>, String> {
    let Some(head_len) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let complain = |what| format!("{what} in a request: {}", bytes[..head_len].escape_ascii());

    let mut lines = bytes[..head_len].split(|byte| *byte == b'\n').map(|line| line.trim_ascii());
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let [method, path, version] = first.split(' ').collect::<Vec<_>>()[..] else {
        return Err(complain("a strange first line"));
    };
    let mut headers = Vec::new();
    for line in lines {
        let colon = line
            .iter()
            .position(|byte| *byte == b':')
            .ok_or_else(|| complain("a header without a colon"))?;
        let name = String::from_utf8(line[..colon].to_vec())
            .map_err(|_| complain("a strange header name"))?;
        headers.push((name, line[colon + 1..].trim_ascii().to_vec()));
    }
    let mut request = Request {
        index: 0,
        connection,
        method: method.into(),
        path: path.into(),
        version: version.into(),
        headers,
        body: Vec::new(),
    };

    let rest = &bytes[head_len + 4..];
    let body_len = if request
        .header("transfer-encoding")
        .iter()
        .any(|value| value.eq_ignore_ascii_case(b"chunked"))
    {
        match unchunk(rest).ok_or_else(|| complain("wrong chunks"))? {
            Some((body, len)) => {
                request.body = body;
                len
            }
            None => return Ok(None),
        }
    } else {
        let len = match request.header("content-length")[..] {
            [] => 0,
            [value] => std::str::from_utf8(value)
                .ok()
                .and_then(|n| n.parse().ok())
                .ok_or_else(|| complain("a strange length"))?,
            _ => return Err(complain("several lengths")),
        };
        match rest.get(..len) {
            Some(body) => request.body = body.to_vec(),
            None => return Ok(None),
        }
        len
    };
    bytes.drain(..head_len + 4 + body_len);
    Ok(Some(request))
}

/// Returns the decoded body and its encoded length; `Some(None)` if more bytes are needed, `None`
/// if they are invalid.
fn unchunk(bytes: &[u8]) -> Option<Option<(Vec<u8>, usize)>> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let Some(line) = find(&bytes[at..], b"\r\n") else { return Some(None) };
        let size =
            usize::from_str_radix(std::str::from_utf8(&bytes[at..at + line]).ok()?, 16).ok()?;
        at += line + 2;
        let Some(chunk) = bytes.get(at..at + size + 2) else { return Some(None) };
        body.extend_from_slice(chunk[..size].as_ref());
        chunk.ends_with(b"\r\n").then_some(())?;
        at += size + 2;
        if size == 0 {
            return Some(Some((body, at)));
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

// ----------------------------------------------------------------------------------------- Replies

/// The reply to a request: a head, steps, an ending.
#[derive(Clone)]
#[must_use]
pub struct Reply {
    /// `None` sends no head.
    status: Option<String>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    framing: Framing,
    head_placed: bool,
    steps: Vec<Step>,
    ending: Option<Ending>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("status", &self.status).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    Chunked,
    Verbatim,
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    End,
    Fin,
    Reset,
    Hold,
    KeepAlive,
}

#[derive(Clone)]
enum Step {
    Head,
    HeadByteByByte,
    Send(Vec<u8>),
    SendRaw(Vec<u8>),
    ByteByByte(Duration, Vec<u8>),
    SendEach(Arc<dyn Fn(usize) -> Option<Vec<u8>> + Send + Sync>),
    Pause(Duration),
    WaitFor(Gate),
    FedBy(Feed),
}

impl Reply {
    /// `200 OK`, `text/event-stream`, chunked, `Connection: close`.
    pub fn sse() -> Reply {
        Reply {
            status: Some("HTTP/1.1 200 OK".into()),
            headers: Vec::new(),
            framing: Framing::Chunked,
            head_placed: false,
            steps: Vec::new(),
            ending: None,
        }
        .header("Content-Type", "text/event-stream")
        .header("Transfer-Encoding", "chunked")
        .header("Connection", "close")
    }

    /// Creates an event stream that sends this and ends, unless another ending is set.
    pub fn events(stream: impl AsRef<[u8]>) -> Reply {
        Reply::sse().send(stream)
    }

    /// Creates a reply with a status, a content type, a body and its `Content-Length`.
    pub fn with_body(code: u16, reason: &str, content_type: &str, body: impl AsRef<[u8]>) -> Reply {
        let len = body.as_ref().len() as u64;
        Reply::sse().status(code, reason).content_type(content_type).content_length(len).send(body)
    }

    /// Creates a reply with a status, `Content-Length: 0` and no content type.
    pub fn empty(code: u16, reason: &str) -> Reply {
        Reply::sse().status(code, reason).without_header("content-type").content_length(0)
    }

    /// `204 No Content`: stops an SSE client.
    pub fn no_content() -> Reply {
        Reply::empty(204, "No Content").without_header("content-length")
    }

    /// Creates a redirect with an empty body, which keeps the connection open for the next request.
    pub fn redirect(code: u16, location: &str) -> Reply {
        Reply::empty(code, "Redirect").header("Location", location).keep_alive()
    }

    /// Creates a reply of these bytes without a head.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Reply {
        Reply { status: None, headers: Vec::new(), framing: Framing::Verbatim, ..Reply::sse() }
            .send_raw(bytes)
    }

    /// Creates a reply without a byte. The connection stays open.
    pub fn silence() -> Reply {
        Reply::raw("").hold()
    }

    // ---- the head

    pub fn status(mut self, code: u16, reason: &str) -> Reply {
        self.status = Some(format!("HTTP/1.1 {code} {reason}"));
        self
    }

    /// Adds a header line of any bytes, which may repeat a name.
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Reply {
        self.headers.push((name.as_ref().into(), value.as_ref().into()));
        self
    }

    /// Removes all header lines of that name. The framing of the body does not change.
    pub fn without_header(mut self, name: &str) -> Reply {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name.as_bytes()));
        self
    }

    /// Sets another content type than `text/event-stream`.
    pub fn content_type(self, value: impl AsRef<[u8]>) -> Reply {
        self.without_header("content-type").header("Content-Type", value)
    }

    /// Sets a `Content-Length` in place of chunks. The body may be shorter or longer.
    pub fn content_length(self, len: u64) -> Reply {
        self.close_delimited().header("Content-Length", len.to_string())
    }

    /// Sends neither chunks nor a length, so the end of the connection ends the body.
    pub fn close_delimited(self) -> Reply {
        let reply = self.without_header("transfer-encoding").without_header("content-length");
        Reply { framing: Framing::Verbatim, ..reply }
    }

    /// Replies as an HTTP/1.0 server does: close-delimited.
    pub fn http_1_0(self) -> Reply {
        let status = self.status.as_ref().map(|line| line.replacen("HTTP/1.1", "HTTP/1.0", 1));
        Reply { status, ..self.close_delimited().without_header("connection") }
    }

    /// Sends the head here, in a separate write. By default it is sent in one write with the first
    /// bytes of the body. Earlier steps precede the head: `103 Early Hints` by `send_raw`, a late
    /// head by `wait_for`.
    #[track_caller]
    pub fn send_head(mut self) -> Reply {
        self.head_placed = true;
        self.step(Step::Head)
    }

    /// Sends the head here, one byte per write.
    #[track_caller]
    pub fn send_head_byte_by_byte(mut self) -> Reply {
        self.head_placed = true;
        self.step(Step::HeadByteByByte)
    }

    // ---- the body

    /// Sends bytes in one write, and in one chunk if the body is chunked. (No bytes send nothing,
    /// not the last chunk.)
    #[track_caller]
    pub fn send(self, bytes: impl AsRef<[u8]>) -> Reply {
        self.step(Step::Send(bytes.as_ref().into()))
    }

    /// Sends bytes in one write, verbatim.
    #[track_caller]
    pub fn send_raw(self, bytes: impl AsRef<[u8]>) -> Reply {
        self.step(Step::SendRaw(bytes.as_ref().into()))
    }

    /// Sends each byte in a separate write and chunk. A client that reads late may read several at
    /// once.
    #[track_caller]
    pub fn byte_by_byte(self, bytes: impl AsRef<[u8]>) -> Reply {
        self.byte_by_byte_every(Duration::ZERO, bytes)
    }

    /// Sends each byte in a separate write and chunk, with a real pause after each.
    #[track_caller]
    pub fn byte_by_byte_every(self, gap: Duration, bytes: impl AsRef<[u8]>) -> Reply {
        self.step(Step::ByteByByte(gap, bytes.as_ref().into()))
    }

    /// Sends the results of `make` for 0, 1, 2, … until `None`. For bodies too large to keep in
    /// memory.
    #[track_caller]
    pub fn send_each(
        self,
        make: impl Fn(usize) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Reply {
        self.step(Step::SendEach(Arc::new(make)))
    }

    /// Sleeps in real time. In most tests a gate is better.
    #[track_caller]
    pub fn pause(self, duration: Duration) -> Reply {
        self.step(Step::Pause(duration))
    }

    /// Waits until the test opens the gate.
    #[track_caller]
    pub fn wait_for(self, gate: &Gate) -> Reply {
        self.step(Step::WaitFor(gate.clone()))
    }

    /// Sends the bytes that the test feeds, until the test sets the ending.
    #[track_caller]
    pub fn fed_by(self, feed: &Feed) -> Reply {
        self.step(Step::FedBy(feed.clone())).ending(Ending::End)
    }

    // ---- the ending

    /// Ends with the last chunk and a FIN. This is the default.
    #[track_caller]
    pub fn end(self) -> Reply {
        self.ending(Ending::End)
    }

    /// Ends with a FIN without the last chunk: the body is cut off.
    #[track_caller]
    pub fn fin(self) -> Reply {
        self.ending(Ending::Fin)
    }

    /// Ends with a RST. On Linux the client can still read the bytes that have arrived; on other
    /// systems they may be lost. To be sure, wait for a gate that the test opens when the client
    /// has read them.
    #[track_caller]
    pub fn reset(self) -> Reply {
        self.ending(Ending::Reset)
    }

    /// Sends nothing more until the client closes or the server is dropped.
    #[track_caller]
    pub fn hold(self) -> Reply {
        self.ending(Ending::Hold)
    }

    /// Ends with the last chunk, and waits for the next request on this connection.
    #[track_caller]
    pub fn keep_alive(self) -> Reply {
        self.without_header("connection").ending(Ending::KeepAlive)
    }

    #[track_caller]
    fn step(mut self, step: Step) -> Reply {
        assert!(self.ending.is_none(), "a reply goes no further than its ending");
        self.steps.push(step);
        self
    }

    #[track_caller]
    fn ending(mut self, ending: Ending) -> Reply {
        assert!(self.ending.is_none(), "a reply ends once");
        self.ending = Some(ending);
        self
    }

    fn head(&self) -> Vec<u8> {
        let Some(status) = &self.status else { return Vec::new() };
        let mut head = format!("{status}\r\n").into_bytes();
        for (name, value) in &self.headers {
            head.extend([name.as_slice(), b": ", value, b"\r\n"].concat());
        }
        head.extend(b"\r\n");
        head
    }

    fn framed(&self, bytes: &[u8]) -> Vec<u8> {
        match self.framing {
            Framing::Chunked if bytes.is_empty() => Vec::new(),
            Framing::Chunked => {
                [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
            }
            Framing::Verbatim => bytes.into(),
        }
    }
}

/// A gate at which a reply waits until the test opens it. It stays open.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<GateState>);

#[derive(Debug, Default)]
struct GateState {
    open: AtomicBool,
    waiting: AtomicUsize,
}

impl Gate {
    pub fn new() -> Gate {
        Gate::default()
    }

    pub fn open(&self) {
        self.0.open.store(true, SeqCst);
        ring();
    }

    /// Blocks until a reply waits here, so all of its earlier steps are done.
    #[track_caller]
    pub fn wait_until_reached(&self, timeout: Duration) {
        self.has_reply().block(timeout);
    }

    /// Returns a future for the blocking method of similar name.
    pub fn until_reached(&self) -> Until<()> {
        self.has_reply().future()
    }

    fn has_reply(&self) -> Condition<()> {
        let gate = self.clone();
        Condition::new("a reply at the gate".into(), move || match gate.0.waiting.load(SeqCst) {
            0 => Err("none came".into()),
            _ => Ok(()),
        })
    }
}

/// The test's end of a reply. Bytes put in here are sent at once, or as soon as the reply reaches
/// this step.
#[derive(Clone, Debug, Default)]
pub struct Feed(Arc<Mutex<VecDeque<Fed>>>);

#[derive(Debug)]
enum Fed {
    Bytes(Vec<u8>),
    Ending(Ending),
}

impl Feed {
    pub fn new() -> Feed {
        Feed::default()
    }

    /// Sends bytes in one chunk, as `Reply::send` does.
    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        self.put(Fed::Bytes(bytes.as_ref().into()));
    }

    pub fn end(&self) {
        self.put(Fed::Ending(Ending::End));
    }

    pub fn fin(&self) {
        self.put(Fed::Ending(Ending::Fin));
    }

    pub fn reset(&self) {
        self.put(Fed::Ending(Ending::Reset));
    }

    fn put(&self, item: Fed) {
        lock(&self.0).push_back(item);
        ring();
    }
}

// ----------------------------------------------------------------------------------------- Waiting

/// One condition variable for all. A thread that changes anything notifies it afterwards, without
/// holding a lock that a check takes. Each waiting thread then checks again. A test has a handful
/// of threads, so needless wake-ups cost little.
static BELL: (Mutex<()>, Condvar) = (Mutex::new(()), Condvar::new());

fn ring() {
    drop(lock(&BELL.0));
    BELL.1.notify_all();
}

fn wait_until<T>(timeout: Option<Duration>, mut check: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let mut bell = lock(&BELL.0);
    loop {
        if let Some(found) = check() {
            return Some(found);
        }
        bell = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
            None => BELL.1.wait(bell).unwrap_or_else(PoisonError::into_inner),
            Some(Duration::ZERO) => return None,
            Some(left) => BELL.1.wait_timeout(bell, left).unwrap_or_else(PoisonError::into_inner).0,
        };
    }
}

/// A panic in a script must not end the others.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A condition to wait for, with its description and the current state.
struct Condition<T> {
    wanted: String,
    check: Box<dyn FnMut() -> Result<T, String> + Send>,
}

impl<T: Send + 'static> Condition<T> {
    fn new(wanted: String, check: impl FnMut() -> Result<T, String> + Send + 'static) -> Self {
        Condition { wanted, check: Box::new(check) }
    }

    #[track_caller]
    fn block(self, timeout: Duration) -> T {
        match self.wait(timeout, || false) {
            Ok(found) => found,
            Err(complaint) => panic!("{complaint}"),
        }
    }

    fn wait(mut self, timeout: Duration, given_up: impl Fn() -> bool) -> Result<T, String> {
        let mut instead = String::new();
        let found = wait_until(Some(timeout), || {
            if given_up() {
                return Some(Err("nobody is waiting any more".into()));
            }
            (self.check)().map_err(|seen| instead = seen).ok().map(Ok)
        });
        found.unwrap_or_else(|| {
            Err(format!("waited {timeout:?} for {}, but {instead}", self.wanted))
        })
    }

    fn future(self) -> Until<T> {
        let outcome = Mutex::new(Outcome { found: None, waker: None });
        let slot = Arc::new(Slot { outcome, given_up: AtomicBool::new(false) });
        thread::spawn({
            let slot = slot.clone();
            move || {
                let found = self.wait(PATIENCE, || slot.given_up.load(SeqCst));
                let waker = {
                    let mut outcome = lock(&slot.outcome);
                    outcome.found = Some(found);
                    outcome.waker.take()
                };
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        });
        Until(slot)
    }
}

/// Returns a future for any runtime, in which a separate thread waits. Panics after [`PATIENCE`].
#[must_use = "futures do nothing unless awaited"]
pub struct Until<T>(Arc<Slot<T>>);

impl<T> fmt::Debug for Until<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Until").finish_non_exhaustive()
    }
}

struct Slot<T> {
    outcome: Mutex<Outcome<T>>,
    given_up: AtomicBool,
}

struct Outcome<T> {
    found: Option<Result<T, String>>,
    waker: Option<Waker>,
}

impl<T> Future for Until<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut outcome = lock(&self.0.outcome);
        match outcome.found.take() {
            Some(Ok(found)) => Poll::Ready(found),
            Some(Err(complaint)) => panic!("{complaint}"),
            None => {
                outcome.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Until<T> {
    fn drop(&mut self) {
        self.0.given_up.store(true, SeqCst);
        ring();
    }
}
