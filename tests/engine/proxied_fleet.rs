//! A fleet of sources behind an HTTP/2 proxy, in virtual time. The proxy limits the streams of a
//! connection, ends streams, and lets connections fall silent. In each history:
//!
//! - no attempt waits longer than the open timeout, and each source reports each timeout;
//! - each source gets every event once and in order;
//! - the proxy sees no more attempts than the delays allow, and no stream of a dropped source;
//! - with one shared connection, each source over the limit gets its turn;
//! - with another connection after a timeout, all sources are open in the end.
//!
//! By default 3 histories are played. `EVERSTREAM_FLEETS=1000` plays more, from the seed
//! `EVERSTREAM_SEED` on.

use std::collections::{BTreeMap, VecDeque};
use std::env;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use everstream::{
    Backoff, Disconnect, Error, Event, EventSource, EventSourceBuilder, ManualTimer, ReadyState,
    Reconnection, RequestAttempt,
};
use fastrand::Rng;
use futures_util::Stream;
use http_body::{Body, Frame};

const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(45);
/// The time between two events of the server.
const EVENT: Duration = Duration::from_secs(10);
/// The maximum time that the server keeps a stream.
const LIFETIME: Duration = Duration::from_secs(120);
/// The time after which TCP gives up on a silent connection.
const TCP: Duration = Duration::from_secs(900);

// -------------------------------------------------------------------------------------------- Proxy

#[derive(Default)]
struct Connection {
    is_silent: bool,
    is_closed: bool,
    closes_at: Option<Duration>,
    /// The open streams, and when they end.
    open: BTreeMap<u64, Duration>,
    /// The requests that wait for a stream.
    queue: VecDeque<u64>,
}

struct Proxy {
    timer: ManualTimer,
    rng: Rng,
    limit: usize,
    connections: Vec<Connection>,
    /// The number of the last event.
    events: u64,
    next_event: Duration,
    next_id: u64,
    attempts: u64,
    wakers: BTreeMap<u64, Waker>,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Proxy>>);

impl Shared {
    fn new(timer: &ManualTimer, rng: Rng, limit: usize) -> Shared {
        Shared(Arc::new(Mutex::new(Proxy {
            timer: timer.clone(),
            rng,
            limit,
            connections: Vec::new(),
            events: 0,
            next_event: EVENT,
            next_id: 0,
            attempts: 0,
            wakers: BTreeMap::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Proxy> {
        self.0.lock().unwrap()
    }

    fn request(&self, connection: usize, last_event_id: u64) -> Request {
        let mut proxy = self.lock();
        proxy.attempts += 1;
        proxy.next_id += 1;
        let id = proxy.next_id;
        proxy.connections[connection].queue.push_back(id);
        drop(proxy);
        Request { stream: Some(OpenStream { proxy: self.clone(), connection, id, last_event_id }) }
    }
}

impl Proxy {
    fn connect(&mut self) -> usize {
        self.connections.push(Connection::default());
        self.connections.len() - 1
    }

    /// Returns the connection that a client with a pool uses.
    fn pooled(&mut self) -> usize {
        let open = self.connections.iter().position(|connection| !connection.is_closed);
        open.unwrap_or_else(|| self.connect())
    }

    fn wake(&mut self) {
        std::mem::take(&mut self.wakers).into_values().for_each(Waker::wake);
    }

    fn next_time(&self) -> Duration {
        let ends = |connection: &Connection| connection.open.values().min().copied();
        let live = self.connections.iter().filter(|connection| !connection.is_closed);
        let times = live.flat_map(|connection| {
            let ends = ends(connection).filter(|_| !connection.is_silent);
            [ends, connection.closes_at].into_iter().flatten()
        });
        times.chain([self.next_event]).min().unwrap()
    }

    /// Carries out what is due. With `is_kind`, no connection falls silent.
    fn pass(&mut self, is_kind: bool) {
        let now = self.timer.now();
        if now >= self.next_event {
            self.events += 1;
            self.next_event = now + EVENT;
            if !is_kind && self.rng.u8(..) < 3 {
                let victim = self.rng.usize(..self.connections.len());
                let connection = &mut self.connections[victim];
                if !connection.is_closed && !connection.is_silent {
                    connection.is_silent = true;
                    connection.closes_at = Some(now + TCP);
                }
            }
        }
        for connection in &mut self.connections {
            if connection.closes_at.is_some_and(|at| now >= at) {
                connection.is_closed = true;
                connection.closes_at = None;
            }
            if !connection.is_silent {
                connection.open.retain(|_, end| now < *end);
            }
        }
        self.wake();
    }
}

/// A stream of the proxy; it is cancelled when it is dropped.
struct OpenStream {
    proxy: Shared,
    connection: usize,
    id: u64,
    last_event_id: u64,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut proxy = self.proxy.lock();
        proxy.wakers.remove(&self.id);
        let connection = &mut proxy.connections[self.connection];
        connection.open.remove(&self.id);
        connection.queue.retain(|id| *id != self.id);
        proxy.wake();
    }
}

/// A request that has no response yet.
struct Request {
    stream: Option<OpenStream>,
}

impl Future for Request {
    type Output = Result<http::Response<EventBody>, io::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let stream = self.stream.take().expect("it is not ready yet");
        let mut proxy = stream.proxy.lock();
        let (now, limit) = (proxy.timer.now(), proxy.limit);
        let end = now + LIFETIME.mul_f64(0.25 + 0.75 * proxy.rng.f64());
        let connection = &mut proxy.connections[stream.connection];
        if connection.is_closed {
            drop(proxy);
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let is_next = connection.queue.front() == Some(&stream.id);
        if connection.is_silent || !is_next || connection.open.len() == limit {
            proxy.wakers.insert(stream.id, cx.waker().clone());
            drop(proxy);
            self.stream = Some(stream);
            return Poll::Pending;
        }
        connection.queue.pop_front();
        connection.open.insert(stream.id, end);
        proxy.wake();
        drop(proxy);
        let head = http::Response::builder().header("content-type", "text/event-stream");
        Poll::Ready(Ok(head.body(EventBody(stream)).unwrap()))
    }
}

struct EventBody(OpenStream);

impl Body for EventBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let stream = &mut self.0;
        let mut proxy = stream.proxy.lock();
        let (connection, events) = (&proxy.connections[stream.connection], proxy.events);
        if connection.is_closed {
            return Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())));
        }
        if !connection.is_silent {
            if !connection.open.contains_key(&stream.id) {
                return Poll::Ready(None);
            }
            if stream.last_event_id < events {
                stream.last_event_id += 1;
                let id = stream.last_event_id;
                let event = Bytes::from(format!("id: {id}\ndata: {id}\n\n"));
                return Poll::Ready(Some(Ok(Frame::data(event))));
            }
        }
        proxy.wakers.insert(stream.id, cx.waker().clone());
        Poll::Pending
    }
}

// ------------------------------------------------------------------------------------------- Source

#[derive(Debug, Clone, Copy, PartialEq)]
enum Client {
    /// All sources share one client, whatever happens.
    Shared,
    /// A source leaves a connection after a timeout.
    Leaves,
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

struct Source {
    events: EventSource,
    is_woken: Arc<Flag>,
    /// The last event.
    last: u64,
    opens: u64,
    timeouts: u64,
    /// The time of the last item, or of the last poll that found it open.
    last_sign: Duration,
    connecting_since: Option<Duration>,
    error: Option<Error>,
}

impl Source {
    fn new(proxy: &Shared, client: Client, policy: Backoff, timer: &ManualTimer) -> Source {
        let proxy = proxy.clone();
        let mut own = None;
        let send = move |attempt: RequestAttempt| {
            if client == Client::Leaves && attempt.needs_new_connection() {
                own = Some(proxy.lock().connect());
            }
            let connection = {
                let mut proxy = proxy.lock();
                match own.filter(|own| !proxy.connections[*own].is_closed) {
                    Some(own) => own,
                    None => proxy.pooled(),
                }
            };
            let id = attempt.last_event_id().map_or(0, |id| id.parse().unwrap());
            proxy.request(connection, id)
        };
        let events = EventSourceBuilder::from_response_fn(send)
            .reconnect(Reconnection::Always)
            .retry_policy(policy)
            .open_timeout(OPEN_TIMEOUT)
            .idle_timeout(IDLE_TIMEOUT)
            .timer(timer.clone())
            .build();
        let is_woken = Arc::new(Flag(true.into()));
        Source {
            events,
            is_woken,
            last: 0,
            opens: 0,
            timeouts: 0,
            last_sign: Duration::ZERO,
            connecting_since: None,
            error: None,
        }
    }

    fn run(&mut self, now: Duration) {
        while self.is_woken.0.swap(false, SeqCst) {
            let waker = Waker::from(Arc::clone(&self.is_woken));
            let polled = Pin::new(&mut self.events).poll_next(&mut Context::from_waker(&waker));
            if let Poll::Ready(Some(item)) = polled {
                self.see(item, now);
                self.is_woken.0.store(true, SeqCst);
            }
        }
        self.check(now);
    }

    fn see(&mut self, item: Result<Event, Error>, now: Duration) {
        self.last_sign = now;
        self.connecting_since = None;
        match item {
            Ok(Event::Open(_)) => self.opens += 1,
            Ok(Event::Message(message)) => {
                self.last += 1;
                assert_eq!(message.data(), self.last.to_string(), "an event is lost or doubled");
            }
            Ok(Event::Reconnecting { reason, .. }) => {
                self.timeouts += u64::from(matches!(reason, Disconnect::OpenTimeout(_)));
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => self.error = Some(error),
        }
    }

    fn check(&mut self, now: Duration) {
        match self.events.ready_state() {
            ReadyState::Open => {
                self.last_sign = now;
                self.connecting_since = None;
            }
            ReadyState::Connecting => {
                // An attempt and the longest delay, with its jitter.
                let longest = OPEN_TIMEOUT + 2 * Duration::from_secs(60);
                let silent = now - self.last_sign;
                assert!(silent <= longest, "no item for {silent:?}");
            }
            ReadyState::Closed => assert!(self.error.is_some(), "it ended without an error"),
        }
    }

    fn is_open(&self) -> bool {
        self.events.ready_state() == ReadyState::Open
    }
}

// -------------------------------------------------------------------------------------------- Fleet

struct Fleet {
    timer: ManualTimer,
    proxy: Shared,
    sources: Vec<Source>,
}

impl Fleet {
    fn new(seed: u64, client: Client, sources: usize, limit: usize) -> Fleet {
        Fleet::with_policy(seed, client, sources, limit, Backoff::seeded)
    }

    /// Creates a fleet whose sources have the policy of their seed.
    fn with_policy(
        seed: u64,
        client: Client,
        sources: usize,
        limit: usize,
        policy: impl Fn(u64) -> Backoff,
    ) -> Fleet {
        let timer = ManualTimer::new();
        let mut rng = Rng::with_seed(seed);
        let proxy = Shared::new(&timer, rng.fork(), limit);
        let sources =
            (0..sources).map(|_| Source::new(&proxy, client, policy(rng.u64(..)), &timer));
        Fleet { sources: sources.collect(), timer, proxy }
    }

    /// Lets this time pass.
    fn run(&mut self, time: Duration, is_kind: bool) {
        let end = self.timer.now() + time;
        loop {
            // A source can wake others, so each is polled until all are quiet.
            while self.sources.iter().any(|source| source.is_woken.0.load(SeqCst)) {
                let now = self.timer.now();
                self.sources.iter_mut().for_each(|source| source.run(now));
            }
            self.check();
            let now = self.timer.now();
            let due = [self.timer.next_deadline(), Some(self.proxy.lock().next_time())];
            let next = due.into_iter().flatten().min().unwrap();
            if next > end {
                self.timer.advance(end - now);
                return;
            }
            self.timer.advance(next.saturating_sub(now));
            self.proxy.lock().pass(is_kind);
        }
    }

    fn check(&self) {
        let proxy = self.proxy.lock();
        for connection in &proxy.connections {
            assert!(connection.open.len() <= proxy.limit, "the proxy allows too much");
        }
        // An attempt that was given up leaves no request behind.
        let requests: usize = proxy.connections.iter().map(|one| one.queue.len()).sum();
        let connecting =
            self.sources.iter().filter(|one| one.events.ready_state() == ReadyState::Connecting);
        assert!(requests <= connecting.count(), "{requests} requests wait");
        // Each attempt but the first of a source follows a delay of 3 s at least.
        let each = 2 + self.timer.now().as_secs() / 3;
        assert!(proxy.attempts <= each * self.sources.len() as u64, "{} attempts", proxy.attempts);
    }

    fn open(&self) -> usize {
        self.sources.iter().filter(|source| source.is_open()).count()
    }

    /// Returns the number of sources that have an event of the last minute.
    fn current(&self) -> usize {
        let events = self.proxy.lock().events;
        self.sources.iter().filter(|source| source.last + 6 > events).count()
    }

    fn timeouts(&self) -> u64 {
        self.sources.iter().map(|source| source.timeouts).sum()
    }

    fn drop_all(mut self) {
        self.sources.clear();
        let proxy = self.proxy.lock();
        for connection in &proxy.connections {
            assert!(connection.open.is_empty() && connection.queue.is_empty());
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn every_source_is_served_or_says_why_not_in_any_history() {
    let variable = |name: &str| env::var(name).ok().map(|value| value.parse::<u64>().expect(name));
    let fleets = variable("EVERSTREAM_FLEETS").unwrap_or(3);
    let first = variable("EVERSTREAM_SEED").unwrap_or(0);
    let (mut timeouts, mut sources_played) = (0, 0);
    for seed in first..first + fleets {
        println!("history {seed}");
        let mut rng = Rng::with_seed(seed);
        let (sources, limit) = (rng.usize(2..50), rng.usize(1..30));
        for client in [Client::Shared, Client::Leaves] {
            let mut fleet = Fleet::new(seed, client, sources, limit);
            fleet.run(60 * MINUTE, false);
            // The faults end, and the last silent connection is closed.
            fleet.run(TCP + 5 * MINUTE, true);
            let before: Vec<u64> = fleet.sources.iter().map(|source| source.opens).collect();
            let turns = u32::try_from(sources.div_ceil(limit)).unwrap();
            fleet.run(10 * turns * LIFETIME, true);
            for (source, before) in fleet.sources.iter().zip(before) {
                assert!(source.opens > before, "it got no turn");
            }
            timeouts += fleet.timeouts();
            sources_played += sources;
            fleet.drop_all();
        }
    }
    println!("{fleets} fleets with {sources_played} sources and {timeouts} open timeouts");
}

#[test]
fn sources_over_the_limit_report_their_wait_and_are_served_in_turn() {
    let mut fleet = Fleet::new(1, Client::Shared, 30, 10);
    fleet.run(Duration::from_secs(9), true);
    assert_eq!((fleet.open(), fleet.timeouts()), (10, 0));
    fleet.run(Duration::from_secs(1), true);
    assert_eq!((fleet.open(), fleet.timeouts()), (10, 20));
    fleet.run(60 * MINUTE, true);
    assert!(fleet.open() <= 10);
    let least = fleet.sources.iter().map(|source| source.opens).min();
    assert!(least >= Some(8), "a source was open {least:?} times in an hour");
    assert_eq!(fleet.proxy.lock().connections.len(), 1);
    fleet.drop_all();
}

#[test]
fn sources_over_the_limit_leave_for_another_connection_after_one_timeout() {
    let mut fleet = Fleet::new(1, Client::Leaves, 30, 10);
    fleet.run(Duration::from_secs(20), true);
    assert_eq!((fleet.open(), fleet.timeouts()), (30, 20));
    assert_eq!(fleet.proxy.lock().connections.len(), 21);
    fleet.drop_all();
}

#[test]
fn sources_over_the_limit_end_with_an_error_if_the_policy_gives_up() {
    let policy = |seed| Backoff::seeded(seed).with_max_retries(3);
    let mut fleet = Fleet::with_policy(1, Client::Shared, 3, 1, policy);
    // The stream that is open stays so.
    fleet.run(Duration::from_secs(1), true);
    fleet.proxy.lock().connections[0].open.values_mut().for_each(|end| *end = 24 * 60 * MINUTE);
    fleet.run(60 * MINUTE, true);
    assert_eq!((fleet.open(), fleet.timeouts()), (1, 2 * 3));
    let errors: Vec<_> = fleet.sources.iter().filter_map(|source| source.error.as_ref()).collect();
    for error in &errors {
        let Error::GaveUp { attempts: 3, reason: Disconnect::OpenTimeout(_), .. } = error else {
            panic!("{error:?}");
        };
    }
    assert_eq!(errors.len(), 2);
    fleet.drop_all();
}

/// Lets the connection that all sources share fall silent.
fn silence(fleet: &Fleet) {
    let closes_at = fleet.timer.now() + TCP;
    let mut proxy = fleet.proxy.lock();
    proxy.connections[0].is_silent = true;
    proxy.connections[0].closes_at = Some(closes_at);
}

#[test]
fn a_silent_connection_keeps_a_shared_client_until_tcp_gives_up() {
    let mut fleet = Fleet::new(1, Client::Shared, 10, 100);
    fleet.run(Duration::from_secs(5), true);
    assert_eq!(fleet.open(), 10);
    silence(&fleet);
    fleet.run(TCP - MINUTE, true);
    assert_eq!((fleet.open(), fleet.current()), (0, 0));
    assert_eq!(fleet.proxy.lock().connections.len(), 1);
    fleet.run(5 * MINUTE, true);
    assert_eq!(fleet.current(), 10);
    fleet.drop_all();
}

#[test]
fn a_silent_connection_is_left_after_the_idle_timeout() {
    let mut fleet = Fleet::new(1, Client::Leaves, 10, 100);
    fleet.run(Duration::from_secs(5), true);
    silence(&fleet);
    fleet.run(IDLE_TIMEOUT + Duration::from_secs(15), true);
    assert_eq!(fleet.current(), 10);
    assert_eq!((fleet.timeouts(), fleet.proxy.lock().connections.len()), (0, 11));
    fleet.drop_all();
}
