//! A server without a network, and a client of it. A script decides about each connection, on a
//! [`ManualTimer`]. The client is polled by hand, as on an executor that only polls woken tasks.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use everstream::reconnect::{
    Attempt, Connect, ConnectError, Connection, Reason, Reconnect, ReconnectError, ReconnectEvent,
};
use everstream::timer::ManualSleep;
use everstream::{Backoff, DisconnectKind, Handle, Jitter, ManualTimer, Timer};
use futures_util::Stream;

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The error of a scripted connection that is refused, breaks or fails for good.
pub(crate) const REFUSED: &str = "refused";
pub(crate) const BROKEN: &str = "broken";
pub(crate) const HOPELESS: &str = "hopeless";

/// Returns the default delays without jitter: 3 s, 6 s, 12 s, 24 s, 48 s, then 60 s each.
pub(crate) const fn exact() -> Backoff {
    Backoff::new().with_jitter(Jitter::none())
}

/// A waker that counts.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn new() -> (Arc<Wakes>, Waker) {
        let wakes = Arc::new(Wakes::default());
        (Arc::clone(&wakes), Waker::from(wakes))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Returns the number of wake-ups since the last call.
    pub(crate) fn take(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

// --------------------------------------------------------------------- scripts

/// The script of a connection. Times count from the attempt, even if the client does not read. A
/// script without a response leaves the client waiting, and a body without an end stays open.
#[derive(Clone)]
pub(crate) struct Script {
    answer: Option<(Duration, Answer)>,
    steps: Vec<(Duration, Step)>,
    /// The time of the next step.
    at: Duration,
}

#[derive(Clone)]
enum Answer {
    Open,
    Refuse { retry_after: Option<Duration> },
    Again,
    Fatal,
    Finished,
}

#[derive(Clone)]
enum Step {
    Send(Vec<u8>),
    Do(Hook),
    End,
    Break,
}

type Hook = Arc<dyn Fn() + Send + Sync>;

/// Returns a script of a server that never responds.
pub(crate) fn hangs() -> Script {
    Script { answer: None, steps: Vec::new(), at: Duration::ZERO }
}

/// Delays the next step by this time.
pub(crate) fn after(time: Duration) -> Script {
    hangs().after(time)
}

pub(crate) fn opens() -> Script {
    hangs().opens()
}

/// Returns a script that refuses the connection. Another attempt may succeed.
pub(crate) fn refuses() -> Script {
    hangs().refuses()
}

/// Returns a script that refuses the connection with a `Retry-After` of this time.
pub(crate) fn refuses_for(retry_after: Duration) -> Script {
    hangs().answers(Answer::Refuse { retry_after: Some(retry_after) })
}

/// Returns a script that asks for another attempt at once.
pub(crate) fn again() -> Script {
    hangs().answers(Answer::Again)
}

/// Returns a script that ends the stream with an error.
pub(crate) fn fails() -> Script {
    hangs().answers(Answer::Fatal)
}

/// Returns a script that ends the stream.
pub(crate) fn finishes() -> Script {
    hangs().answers(Answer::Finished)
}

impl Script {
    pub(crate) fn after(mut self, time: Duration) -> Script {
        self.at += time;
        self
    }

    fn answers(mut self, answer: Answer) -> Script {
        assert!(self.answer.is_none(), "a server answers once");
        self.answer = Some((self.at, answer));
        self
    }

    pub(crate) fn opens(self) -> Script {
        self.answers(Answer::Open)
    }

    pub(crate) fn refuses(self) -> Script {
        self.answers(Answer::Refuse { retry_after: None })
    }

    fn then(mut self, step: Step) -> Script {
        self.steps.push((self.at, step));
        self
    }

    /// Adds a chunk of the body.
    pub(crate) fn sends(self, bytes: impl AsRef<[u8]>) -> Script {
        self.then(Step::Send(bytes.as_ref().to_vec()))
    }

    /// Calls `hook` while the body is polled.
    pub(crate) fn does(self, hook: impl Fn() + Send + Sync + 'static) -> Script {
        self.then(Step::Do(Arc::new(hook)))
    }

    pub(crate) fn ends(self) -> Script {
        self.then(Step::End)
    }

    pub(crate) fn breaks(self) -> Script {
        self.then(Step::Break)
    }
}

// ---------------------------------------------------------------------- server

/// A call of [`Connect::connect`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) at: Duration,
    pub(crate) number: u32,
    pub(crate) was_open: bool,
    pub(crate) last_event_id: Option<String>,
    pub(crate) reason: Option<Reason<&'static str>>,
}

/// The server, and the [`Connect`] to it. Clones share one server.
///
/// It panics if two connections are open or in progress at a time.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) timer: ManualTimer,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    script: Box<dyn FnMut(usize) -> Script + Send>,
    asked: Vec<Asked>,
    live: usize,
    may_reconnect: fn(DisconnectKind) -> bool,
    when_dropped: Option<Hook>,
}

impl Server {
    /// Creates a server whose connections follow the scripts in order. Further connections get no
    /// response.
    pub(crate) fn new(scripts: impl IntoIterator<Item = Script>) -> Server {
        Server::then(scripts, hangs())
    }

    /// Creates a server whose connections follow the scripts in order, and further ones follow
    /// `last`.
    pub(crate) fn then(scripts: impl IntoIterator<Item = Script>, last: Script) -> Server {
        let scripts: Vec<Script> = scripts.into_iter().collect();
        Server::answering(move |nth| scripts.get(nth).unwrap_or(&last).clone())
    }

    /// Creates a server whose connections all follow this script.
    pub(crate) fn always(script: Script) -> Server {
        Server::then([], script)
    }

    /// Creates a server whose k-th connection, from 0, follows the script that the function
    /// returns.
    pub(crate) fn answering(script: impl FnMut(usize) -> Script + Send + 'static) -> Server {
        let inner = Inner {
            script: Box::new(script),
            asked: Vec::new(),
            live: 0,
            may_reconnect: |_| true,
            when_dropped: None,
        };
        Server { timer: ManualTimer::new(), inner: Arc::new(Mutex::new(inner)) }
    }

    /// Puts the server on the clock of another one.
    pub(crate) fn on_clock_of(mut self, other: &Server) -> Server {
        self.timer = other.timer.clone();
        self
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the function that decides if the client may reconnect.
    pub(crate) fn set_may_reconnect(&self, may: fn(DisconnectKind) -> bool) {
        self.inner().may_reconnect = may;
    }

    /// Calls `hook` whenever a connection is dropped.
    pub(crate) fn when_dropped(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.inner().when_dropped = Some(Arc::new(hook));
    }

    pub(crate) fn timer(&self) -> ManualTimer {
        self.timer.clone()
    }

    /// Returns all attempts so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.inner().asked.clone()
    }

    pub(crate) fn attempts(&self) -> usize {
        self.inner().asked.len()
    }

    /// Returns the time of each attempt.
    pub(crate) fn times(&self) -> Vec<Duration> {
        self.inner().asked.iter().map(|asked| asked.at).collect()
    }

    /// Returns the last event ID of each attempt.
    pub(crate) fn ids(&self) -> Vec<Option<String>> {
        self.inner().asked.iter().map(|asked| asked.last_event_id.clone()).collect()
    }

    #[track_caller]
    pub(crate) fn last_asked(&self) -> Asked {
        self.inner().asked.last().expect("there was an attempt").clone()
    }

    /// Returns the number of connections that are open or in progress.
    pub(crate) fn live(&self) -> usize {
        self.inner().live
    }

    /// Creates a client with the defaults.
    pub(crate) fn default_client(&self) -> Client {
        Client::new(self.clone(), Reconnect::new(self.clone(), self.timer()))
    }

    /// Creates a client whose delays are [`exact`].
    pub(crate) fn client(&self) -> Client {
        self.client_with(|events| events)
    }

    /// Creates a client whose delays are [`exact`], with other settings.
    pub(crate) fn client_with(&self, set: impl FnOnce(Events) -> Events) -> Client {
        let events = Reconnect::new(self.clone(), self.timer()).with_retry_policy(exact());
        Client::new(self.clone(), set(events))
    }
}

impl Connect for Server {
    type Head = ();
    type Chunk = Vec<u8>;
    type Body = Body;
    type Error = &'static str;
    type Fatal = &'static str;
    type Connecting = Connecting;

    fn connect(&mut self, attempt: Attempt<&'static str>) -> Connecting {
        let mut inner = self.inner();
        let nth = inner.asked.len();
        inner.asked.push(Asked {
            at: self.timer.now(),
            number: attempt.number,
            was_open: attempt.was_open,
            last_event_id: attempt.last_event_id.map(|id| id.to_string()),
            reason: attempt.reason.map(|reason| (*reason).clone()),
        });
        let script = (inner.script)(nth);
        inner.live += 1;
        let live = inner.live;
        drop(inner);
        assert_eq!(live, 1, "connections at a time");
        Connecting {
            answer: script.answer,
            steps: script.steps,
            line: Some(Line {
                began: self.timer.now(),
                timer: self.timer.clone(),
                sleep: None,
                guard: Guard(self.clone()),
            }),
        }
    }

    fn may_reconnect(&self, lost: DisconnectKind) -> bool {
        (self.inner().may_reconnect)(lost)
    }

    fn describe(&self, error: &&'static str) -> Option<String> {
        Some((*error).to_owned())
    }
}

/// A guard that counts a connection as live.
struct Guard(Server);

impl Drop for Guard {
    fn drop(&mut self) {
        let mut inner = self.0.inner();
        inner.live -= 1;
        let hook = inner.when_dropped.clone();
        drop(inner);
        if let Some(hook) = hook {
            hook();
        }
    }
}

/// A connection and its clock.
struct Line {
    began: Duration,
    timer: ManualTimer,
    sleep: Option<ManualSleep>,
    #[allow(dead_code, reason = "what counts is when it is dropped")]
    guard: Guard,
}

impl Line {
    /// Polls until `time` after the attempt.
    fn poll_time(&mut self, time: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let left = (self.began + time).saturating_sub(self.timer.now());
        if left.is_zero() {
            self.sleep = None;
            return Poll::Ready(());
        }
        let sleep = self.sleep.get_or_insert_with(|| self.timer.sleep(left));
        Pin::new(sleep).poll(cx)
    }
}

pub(crate) struct Connecting {
    answer: Option<(Duration, Answer)>,
    steps: Vec<(Duration, Step)>,
    line: Option<Line>,
}

impl Future for Connecting {
    type Output = Result<Connection<(), Body>, ConnectError<&'static str, &'static str>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let line = this.line.as_mut().expect("a future that is ready is not polled again");
        let Some((time, answer)) = &this.answer else {
            return Poll::Pending;
        };
        if line.poll_time(*time, cx).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(match *answer {
            Answer::Open => {
                let body = Body {
                    steps: mem::take(&mut this.steps).into_iter(),
                    next: None,
                    line: this.line.take(),
                };
                Ok(Connection { head: (), body })
            }
            Answer::Refuse { retry_after } => Err(ConnectError::retry_after(REFUSED, retry_after)),
            Answer::Again => Err(ConnectError::again(REFUSED)),
            Answer::Fatal => Err(ConnectError::Fatal(HOPELESS)),
            Answer::Finished => Err(ConnectError::Finished),
        })
    }
}

pub(crate) struct Body {
    steps: std::vec::IntoIter<(Duration, Step)>,
    next: Option<(Duration, Step)>,
    /// `None` at the end.
    line: Option<Line>,
}

impl Stream for Body {
    type Item = Result<Vec<u8>, &'static str>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let line = this.line.as_mut().expect("a body that is at its end is not polled again");
        loop {
            if this.next.is_none() {
                this.next = this.steps.next();
            }
            let Some((time, step)) = &this.next else {
                return Poll::Pending;
            };
            if line.poll_time(*time, cx).is_pending() {
                return Poll::Pending;
            }
            let step = step.clone();
            this.next = None;
            return Poll::Ready(match step {
                Step::Send(bytes) => Some(Ok(bytes)),
                Step::Do(hook) => {
                    hook();
                    continue;
                }
                Step::End => {
                    this.line = None;
                    None
                }
                Step::Break => {
                    this.line = None;
                    Some(Err(BROKEN))
                }
            });
        }
    }
}

// ---------------------------------------------------------------------- client

pub(crate) type Events = Reconnect<Server, ManualTimer>;

/// An item that a client sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Open { is_reconnect: bool, last_event_id: Option<String> },
    Message { event: String, data: String, id: String },
    Comment(String),
    Discarded { id: Option<String> },
    Reconnecting { reason: Reason<&'static str>, delay: Duration, attempt: u32 },
    Fatal(&'static str),
    Lost(Reason<&'static str>),
    GaveUp { attempts: u32, reason: Reason<&'static str> },
    TooLarge,
    End,
}

/// Returns the item of the first open connection, without an ID.
pub(crate) fn open() -> Seen {
    Seen::Open { is_reconnect: false, last_event_id: None }
}

/// Returns the item of a later open connection, without an ID.
pub(crate) fn reopen() -> Seen {
    Seen::Open { is_reconnect: true, last_event_id: None }
}

/// Returns the item of a later open connection, with this ID.
pub(crate) fn reopen_from(id: &str) -> Seen {
    Seen::Open { is_reconnect: true, last_event_id: Some(id.to_owned()) }
}

pub(crate) fn message(data: &str) -> Seen {
    message_with_id("", data)
}

pub(crate) fn message_with_id(id: &str, data: &str) -> Seen {
    Seen::Message { event: "message".to_owned(), data: data.to_owned(), id: id.to_owned() }
}

pub(crate) fn reconnecting(reason: Reason<&'static str>, delay: Duration, attempt: u32) -> Seen {
    Seen::Reconnecting { reason, delay, attempt }
}

/// Returns the item of a connection that the server ended.
pub(crate) fn ended(delay: Duration, attempt: u32) -> Seen {
    reconnecting(Reason::Ended, delay, attempt)
}

pub(crate) fn refused(delay: Duration, attempt: u32) -> Seen {
    reconnecting(Reason::Failed(REFUSED), delay, attempt)
}

pub(crate) fn broken(delay: Duration, attempt: u32) -> Seen {
    reconnecting(Reason::Failed(BROKEN), delay, attempt)
}

pub(crate) fn gave_up(attempts: u32, reason: Reason<&'static str>) -> Seen {
    Seen::GaveUp { attempts, reason }
}

impl Seen {
    fn of(item: Option<<Events as Stream>::Item>) -> Seen {
        match item {
            None => Seen::End,
            Some(Ok(ReconnectEvent::Open(opened))) => {
                let &() = opened.head();
                Seen::Open {
                    is_reconnect: opened.is_reconnect(),
                    last_event_id: opened.last_event_id().map(|id| id.to_string()),
                }
            }
            Some(Ok(ReconnectEvent::Message(message))) => Seen::Message {
                event: message.event().to_owned(),
                data: message.data().to_owned(),
                id: message.id().to_owned(),
            },
            Some(Ok(ReconnectEvent::Comment(text))) => Seen::Comment(text),
            Some(Ok(ReconnectEvent::Discarded(report))) => {
                Seen::Discarded { id: report.id().map(str::to_owned) }
            }
            Some(Ok(ReconnectEvent::Reconnecting { reason, delay, attempt, .. })) => {
                Seen::Reconnecting { reason: (*reason).clone(), delay, attempt }
            }
            Some(Err(ReconnectError::Fatal(error))) => Seen::Fatal(error),
            Some(Err(ReconnectError::Lost(reason))) => Seen::Lost((*reason).clone()),
            Some(Err(ReconnectError::GaveUp { attempts, reason, .. })) => {
                Seen::GaveUp { attempts, reason: (*reason).clone() }
            }
            Some(Err(ReconnectError::TooLarge(_))) => Seen::TooLarge,
            Some(other) => panic!("no test knows {other:?}"),
        }
    }

    /// Returns the delay, if the connection was lost.
    pub(crate) fn delay(&self) -> Option<Duration> {
        match self {
            Seen::Reconnecting { delay, .. } => Some(*delay),
            _ => None,
        }
    }
}

pub(crate) struct Client {
    pub(crate) events: Events,
    pub(crate) server: Server,
    pub(crate) timer: ManualTimer,
    pub(crate) wakes: Arc<Wakes>,
    waker: Waker,
}

impl Client {
    fn new(server: Server, events: Events) -> Client {
        let (wakes, waker) = Wakes::new();
        Client { events, timer: server.timer(), server, wakes, waker }
    }

    pub(crate) fn poll_with(&mut self, waker: &Waker) -> Poll<Seen> {
        Pin::new(&mut self.events).poll_next(&mut Context::from_waker(waker)).map(Seen::of)
    }

    pub(crate) fn poll(&mut self) -> Poll<Seen> {
        let waker = self.waker.clone();
        self.poll_with(&waker)
    }

    /// Returns the next item, which must be ready.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Seen {
        match self.poll() {
            Poll::Ready(seen) => seen,
            Poll::Pending => panic!("an item was expected, but there is none at {:?}", self.now()),
        }
    }

    /// Asserts that the stream is pending.
    #[track_caller]
    pub(crate) fn rests(&mut self) {
        assert_eq!(self.poll(), Poll::Pending, "at {:?}", self.now());
    }

    /// Returns the items that are ready. The last one may be the end.
    pub(crate) fn drain(&mut self) -> Vec<Seen> {
        let mut all = Vec::new();
        while let Poll::Ready(seen) = self.poll() {
            all.push(seen);
            if all.last() == Some(&Seen::End) {
                break;
            }
        }
        all
    }

    pub(crate) fn now(&self) -> Duration {
        self.timer.now()
    }

    /// Returns the items until this time, each with its time. The last one may be the end.
    ///
    /// The time stops at each deadline, and a pending stream is only polled after a wake-up.
    pub(crate) fn run_until(&mut self, until: Duration) -> Vec<(Duration, Seen)> {
        let mut all = Vec::new();
        let mut woken = true;
        loop {
            if woken {
                self.wakes.take();
                if let Poll::Ready(seen) = self.poll() {
                    all.push((self.now(), seen));
                    if matches!(all.last(), Some((_, Seen::End))) {
                        return all;
                    }
                    continue;
                }
            } else {
                match self.timer.next_deadline() {
                    Some(deadline) if deadline <= until => self.timer.advance_to_next(),
                    _ => {
                        self.timer.advance(until - self.now());
                        return all;
                    }
                };
            }
            woken = self.wakes.take() > 0;
        }
    }

    pub(crate) fn run_for(&mut self, time: Duration) -> Vec<(Duration, Seen)> {
        self.run_until(self.now() + time)
    }

    /// Returns the items of this duration.
    pub(crate) fn items_for(&mut self, time: Duration) -> Vec<Seen> {
        self.run_for(time).into_iter().map(|(_, seen)| seen).collect()
    }

    pub(crate) fn handle(&mut self) -> Handle {
        self.events.handle()
    }

    pub(crate) fn last_event_id(&self) -> Option<&str> {
        self.events.last_event_id().map(|id| &**id)
    }
}
