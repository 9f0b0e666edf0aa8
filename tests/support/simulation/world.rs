//! The simulated server, the [`Connect`] to it, and the judge, which knows the history and panics
//! if a rule is broken.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use everstream::reconnect::{
    Attempt, Connect, ConnectError, Connection, Reason, Reconnect, ReconnectError, ReconnectEvent,
};
use everstream::{DisconnectKind, Frame, ManualTimer, OnOversize, Parser, ReadyState};
use fastrand::Rng;
use futures_util::Stream;

use super::heap::unmeasured;
use super::script::{Answer, Entry, Mark, Script, What};
use super::settings::Settings;

/// The error of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Refused,
    Broken,
    /// Another attempt must follow at once.
    Stale,
    Hopeless,
}

pub(crate) type Events = Reconnect<Server, ManualTimer>;
pub(crate) type Item = Option<<Events as Stream>::Item>;

/// The number of chunks without an item after which a poll yields to other tasks.
const CHUNKS_PER_POLL: usize = 64;

/// The uptime after which a connection is healthy.
const MIN_UPTIME: Duration = Duration::from_secs(5);

/// The counts of what happened.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    pub(crate) attempts: u64,
    pub(crate) opens: u64,
    pub(crate) messages: u64,
    pub(crate) comments: u64,
    pub(crate) discarded: u64,
    pub(crate) bytes: u64,
    pub(crate) ends: u64,
    pub(crate) cuts: u64,
    pub(crate) texts: u64,
    pub(crate) garbage: u64,
    pub(crate) again: u64,
    pub(crate) breaks: u64,
    pub(crate) refusals: u64,
    pub(crate) open_timeouts: u64,
    pub(crate) idle_timeouts: u64,
    pub(crate) event_timeouts: u64,
    pub(crate) ended: u64,
    pub(crate) fatal: u64,
    pub(crate) lost: u64,
    pub(crate) gave_up: u64,
    pub(crate) too_large: u64,
    pub(crate) closes: u64,
    pub(crate) forces: u64,
    pub(crate) rewinds: u64,
    pub(crate) late: u64,
    pub(crate) in_vain: u64,
}

impl Tally {
    pub(crate) fn counts(&self) -> [(&'static str, u64); 26] {
        [
            ("attempts", self.attempts),
            ("opens", self.opens),
            ("messages", self.messages),
            ("comments", self.comments),
            ("discarded", self.discarded),
            ("bytes", self.bytes),
            ("ends", self.ends),
            ("ends in mid-event", self.cuts),
            ("ends with text", self.texts),
            ("ends of something else", self.garbage),
            ("made again at once", self.again),
            ("breaks", self.breaks),
            ("refusals", self.refusals),
            ("open timeouts", self.open_timeouts),
            ("idle timeouts", self.idle_timeouts),
            ("event timeouts", self.event_timeouts),
            ("finished", self.ended),
            ("fatal", self.fatal),
            ("lost for good", self.lost),
            ("gave up", self.gave_up),
            ("too large", self.too_large),
            ("closed", self.closes),
            ("forced", self.forces),
            ("forced with an id", self.rewinds),
            ("polled late", self.late),
            ("polled in vain", self.in_vain),
        ]
    }
}

/// The phase of the client, by its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Idle,
    Connecting,
    Open,
    Waiting,
    Closed,
}

/// The current connection.
struct Live {
    script: Script,
    is_kind: bool,
    began: Duration,
    /// The time at which it opened.
    opened: Duration,
    waker: Option<Waker>,
    next_chunk: usize,
    /// The number of bytes that the client took, and the time of the last of them.
    given: usize,
    given_at: Duration,
    is_over: bool,
    /// The next mark that the client must see.
    next_mark: usize,
    /// The requested position.
    asked: usize,
    /// The last event of the log that was sent before that.
    sent: usize,
    last_message_at: Duration,
    /// The number of events that the client received.
    events: u64,
    /// The first position that differs from the requested one.
    first: Option<usize>,
    is_proven: bool,
}

pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) timer: ManualTimer,
    pub(crate) settings: Settings,
    pub(crate) log: Vec<Entry>,
    /// True once the server behaves correctly.
    pub(crate) is_kind: bool,
    pub(crate) phase: Phase,
    /// The event of the client's last event ID, after which the server resumes.
    pub(crate) position: usize,
    /// The last delivered event. There are no gaps if all events have IDs.
    delivered: usize,
    /// True for each event that was reported as too large.
    reported: Vec<bool>,
    live: Option<Live>,
    count: usize,
    server_retry: Option<Duration>,
    retry_after: Option<Duration>,
    /// The end of the delay, at which the next attempt is due.
    wait_until: Duration,
    /// The number of the last reconnection; 0 once a connection is healthy.
    attempt: u32,
    /// True if an attempt followed at once since then.
    went_again: bool,
    outage_since: Option<Duration>,
    /// The most events of a connection since the last progress by an ID or by uptime.
    most_events: u64,
    /// The first new position of the last connection with one.
    previous_first: Option<usize>,
    chunks_in_poll: usize,
    pub(crate) tally: Tally,
    pub(crate) trace: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(seed: u64, is_traced: bool) -> World {
        let mut rng = Rng::with_seed(seed);
        let settings = Settings::any(&mut rng);
        let log: Vec<Entry> =
            (0..rng.usize(..7)).map(|_| Entry::any(&mut rng, &settings)).collect();
        let position = if rng.u8(..4) == 0 { rng.usize(..=log.len()) } else { 0 };
        World {
            timer: ManualTimer::new(),
            is_kind: false,
            phase: Phase::Idle,
            position,
            delivered: position,
            reported: vec![false; log.len() + 1],
            live: None,
            count: 0,
            server_retry: None,
            retry_after: None,
            wait_until: Duration::ZERO,
            attempt: 0,
            went_again: false,
            outage_since: None,
            most_events: 0,
            previous_first: None,
            chunks_in_poll: 0,
            tally: Tally::default(),
            trace: is_traced.then(|| vec![format!("{settings:?}")]),
            rng,
            settings,
            log,
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.timer.now()
    }

    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        let now = self.now();
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{now:>12?}  {}", what()));
        }
    }

    pub(crate) fn connections(&self) -> usize {
        self.count
    }

    pub(crate) fn ready_state(&self) -> ReadyState {
        match self.phase {
            Phase::Idle | Phase::Connecting | Phase::Waiting => ReadyState::Connecting,
            Phase::Open => ReadyState::Open,
            Phase::Closed => ReadyState::Closed,
        }
    }

    /// Returns the ID of a position.
    fn id(position: usize) -> Option<String> {
        (position != 0).then(|| position.to_string())
    }

    // ------------------------------------------------------------------ the server

    /// Returns the time of the server's next action for which the client waits.
    pub(crate) fn next_time(&self) -> Option<Duration> {
        let live = self.live.as_ref().filter(|live| live.waker.is_some())?;
        Some(live.next_time(self.phase))
    }

    /// Returns the client's waker if the server's next action is due.
    pub(crate) fn due(&mut self) -> Option<Waker> {
        let (now, phase) = (self.now(), self.phase);
        let live = self.live.as_mut()?;
        if live.next_time(phase) > now { None } else { live.waker.take() }
    }

    fn connect(&mut self, attempt: &Attempt<Trouble>) {
        let now = self.now();
        assert_eq!(self.count, 0, "there are two connections");
        assert!(
            matches!(self.phase, Phase::Idle | Phase::Waiting),
            "it connects though it is {:?}",
            self.phase
        );
        if self.phase == Phase::Waiting {
            assert!(now >= self.wait_until, "an attempt is made before its time");
            if self.settings.is_prompt {
                assert_eq!(now, self.wait_until, "an attempt is made late");
            }
            assert_eq!(attempt.number, self.attempt, "the number of the attempt");
            assert_eq!(attempt.was_open, self.tally.opens > 0);
            assert!(attempt.reason.is_some(), "it does not know why it reconnects");
        } else {
            assert_eq!(attempt.number, 0, "nothing had failed before");
            assert!(attempt.reason.is_none(), "nothing had failed before");
        }
        let id = attempt.last_event_id.as_ref().map(|id| id.to_string());
        assert_eq!(id, World::id(self.position), "the id that is sent");

        let (rng, position) = (&mut self.rng, self.position);
        let make = if self.is_kind { Script::kind } else { Script::any };
        let script = make(rng, &self.settings, &self.log, position);
        self.note(|| {
            let text: String = script.bytes.escape_ascii().to_string().chars().take(600).collect();
            let (bytes, chunks) = (script.bytes.len(), script.chunks.len());
            let first: Vec<_> = script.chunks.iter().take(8).collect();
            let (answer, end) = (script.answer, script.end);
            format!(
                "connects from {position}: {answer:?}, {bytes} bytes: {text}\n{:>16}\
                 in {chunks} chunks: {first:?}, the end: {end:?}",
                ""
            )
        });
        self.retry_after = None;
        self.phase = Phase::Connecting;
        self.count += 1;
        self.tally.attempts += 1;
        self.live = Some(Live {
            script,
            is_kind: self.is_kind,
            began: now,
            opened: now,
            waker: None,
            next_chunk: 0,
            given: 0,
            given_at: now,
            is_over: false,
            next_mark: 0,
            asked: position,
            sent: position,
            last_message_at: now,
            events: 0,
            first: None,
            is_proven: false,
        });
    }

    fn poll_answer(&mut self, cx: &Context<'_>) -> Poll<Answer> {
        let now = self.now();
        let live = self.live.as_mut().expect("it is polled, so it is there");
        let (time, answer) = live.script.answer;
        if now < live.began + time {
            live.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if let Answer::Refuse { retry_after } = answer {
            self.retry_after = retry_after;
        }
        Poll::Ready(answer)
    }

    fn poll_chunk(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Bytes, Trouble>>> {
        let (now, phase) = (self.now(), self.phase);
        self.chunks_in_poll += 1;
        if now >= self.live().opened + MIN_UPTIME && !self.live().is_proven {
            self.most_events = 0;
            self.prove_connection();
        }
        let live = self.live.as_mut().expect("it is polled, so it is there");
        assert!(!live.is_over, "a body is polled after its end");
        if now < live.next_time(phase) {
            live.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let Some(&(_, end)) = live.script.chunks.get(live.next_chunk) else {
            live.is_over = true;
            let breaks = live.script.end.1;
            return Poll::Ready(breaks.then_some(Err(Trouble::Broken)));
        };
        live.next_chunk += 1;
        let before = live.given;
        live.given = end;
        live.given_at = now;
        self.tally.bytes += (end - before) as u64;
        let is_new = |mark: &&Mark| mark.at > before && mark.at <= end;
        let retries = live.script.marks.iter().filter(is_new);
        for mark in retries {
            if let What::Retry(retry) = mark.what {
                self.server_retry = Some(retry);
            }
        }
        Poll::Ready(Some(Ok(live.script.bytes.slice(before..end))))
    }

    fn dropped(&mut self) {
        self.count -= 1;
        if let Some(live) = &mut self.live {
            live.waker = None;
        }
    }

    // ------------------------------------------------------------------- the judge

    pub(crate) fn before_poll(&mut self) {
        self.chunks_in_poll = 0;
    }

    /// Records that the user closed the stream or ordered it.
    pub(crate) fn closed(&mut self) {
        self.tally.closes += u64::from(self.phase != Phase::Closed);
        self.stop();
    }

    /// Records that the user forced a reconnection or ordered it, perhaps from another position.
    pub(crate) fn forced(&mut self, from: Option<usize>) {
        self.tally.forces += 1;
        if let Some(position) = from {
            self.tally.rewinds += 1;
            self.position = position;
            self.delivered = position;
        }
        self.stop();
        self.most_events = 0;
        self.previous_first = None;
        self.phase = Phase::Idle;
    }

    /// Records the end of the stream.
    fn end(&mut self) {
        assert_eq!(self.count, 0, "a connection is left behind");
        self.stop();
    }

    fn stop(&mut self) {
        self.live = None;
        self.phase = Phase::Closed;
        self.prove();
    }

    fn prove_connection(&mut self) {
        self.live().is_proven = true;
        self.prove();
    }

    /// Records that a connection is healthy, which resets the failures in a row.
    fn prove(&mut self) {
        self.outage_since = None;
        self.attempt = 0;
        self.went_again = false;
    }

    pub(crate) fn see(&mut self, item: &Item) {
        let now = self.now();
        match item {
            None => {
                if self.phase == Phase::Closed {
                    return;
                }
                let finished = self.live.as_ref().is_some_and(|live| match self.phase {
                    Phase::Connecting => live.script.answer.1 == Answer::Finished,
                    // A clean end of a connection that may not be repeated.
                    _ => live.is_over && !live.script.end.1 && !self.settings.may_reconnect,
                });
                assert!(finished, "the stream ends, and nobody said so");
                if self.phase == Phase::Open {
                    self.check_end(&Reason::Ended);
                }
                self.check_all_given();
                self.tally.ended += 1;
                self.end();
            }
            Some(Ok(ReconnectEvent::Open(opened))) => {
                self.expect(Phase::Connecting, "a connection opens");
                assert_eq!(opened.is_reconnect(), self.tally.opens > 0);
                let id = opened.last_event_id().map(|id| id.to_string());
                assert_eq!(id, World::id(self.position), "the id that was sent");
                self.tally.opens += 1;
                self.phase = Phase::Open;
                let live = self.live();
                assert_eq!(live.script.answer.1, Answer::Open, "it opened");
                (live.opened, live.given_at, live.last_message_at) = (now, now, now);
            }
            Some(Ok(ReconnectEvent::Message(message))) => {
                let number = match self.next_mark() {
                    Some(Mark { what: What::Event(number), .. }) => number,
                    other => panic!("an event comes instead of {other:?}"),
                };
                let entry = &self.log[number - 1];
                assert_eq!(message.event(), entry.kind, "the type of event {number}");
                assert_eq!(message.data(), entry.data, "the data of event {number}");
                if entry.has_id {
                    self.position = number;
                }
                assert_eq!(message.id(), World::id(self.position).unwrap_or_default());
                self.deliver(number);
                let live = self.live();
                live.last_message_at = now;
                live.events += 1;
                let (events, asked, is_proven) = (live.events, live.asked, live.is_proven);
                self.tally.messages += 1;
                // A connection that begins like the one before is a replay: the server reset the
                // ID, so everything was requested again.
                let differs = self.position != 0 && self.position != asked;
                let position = self.position;
                let previous_first = self.previous_first;
                let first = &mut self.live().first;
                if differs && !is_proven {
                    first.get_or_insert(position);
                }
                let has_new_id = differs && *first != previous_first;
                let is_more = events > self.most_events;
                if !is_proven && has_new_id {
                    self.most_events = 0;
                }
                if !is_proven && (has_new_id || is_more) {
                    self.prove_connection();
                }
            }
            Some(Ok(ReconnectEvent::Comment(text))) => {
                match self.next_mark() {
                    Some(Mark { what: What::Comment(expected), .. }) => assert_eq!(*text, expected),
                    other => panic!("a comment comes instead of {other:?}"),
                }
                self.tally.comments += 1;
            }
            Some(Ok(ReconnectEvent::Discarded(report))) => {
                assert_eq!(self.settings.on_oversize, OnOversize::Discard);
                self.discard(report);
                self.tally.discarded += 1;
            }
            Some(Ok(ReconnectEvent::Reconnecting { reason, delay, attempt, .. })) => {
                let may = self.settings.may_reconnect || **reason == Reason::Failed(Trouble::Stale);
                assert!(may, "it reconnects though it must not");
                self.lose(reason, *delay, *attempt);
            }
            Some(Ok(other)) => panic!("nobody knows {other:?}"),
            Some(Err(error)) => {
                assert_ne!(self.phase, Phase::Closed, "an error comes after the end");
                match error {
                    ReconnectError::Fatal(Trouble::Hopeless) => {
                        self.expect(Phase::Connecting, "it is refused for good");
                        assert_eq!(self.live().script.answer.1, Answer::Fatal);
                        self.tally.fatal += 1;
                    }
                    ReconnectError::Lost(reason) => {
                        assert!(!self.settings.may_reconnect);
                        assert_ne!(**reason, Reason::Ended, "a clean end is no error");
                        self.check_cause(reason);
                        self.tally.lost += 1;
                    }
                    ReconnectError::GaveUp { attempts, reason, .. } => {
                        self.give_up(*attempts, reason)
                    }
                    ReconnectError::TooLarge(report) => {
                        assert_eq!(self.settings.on_oversize, OnOversize::Fail);
                        self.discard(report);
                        self.tally.too_large += 1;
                    }
                    other => panic!("nobody knows {other:?}"),
                }
                self.end();
            }
        }
    }

    /// Asserts that a pending client has received all available events, and that no timeout is due.
    pub(crate) fn see_nothing(&mut self) {
        let now = self.now();
        assert_ne!(self.phase, Phase::Closed, "a stream that is over never ends");
        if self.phase == Phase::Open {
            self.check_all_given();
        }
        if !self.settings.is_prompt {
            return;
        }
        let timeouts = self.settings.timeouts;
        let in_time = |since: Duration, timeout: Option<Duration>, what| {
            let over = timeout.is_some_and(|timeout| now >= since + timeout);
            assert!(!over, "the {what} was missed");
        };
        match (self.phase, &self.live) {
            (Phase::Connecting, Some(live)) => in_time(live.began, timeouts.open, "open timeout"),
            (Phase::Open, Some(live)) => {
                in_time(live.given_at, timeouts.idle, "idle timeout");
                in_time(live.last_message_at, timeouts.event, "event timeout");
            }
            (Phase::Waiting, _) => assert!(now < self.wait_until, "an attempt is due"),
            (phase, _) => panic!("nothing comes while it is {phase:?}"),
        }
        if let Some(since) = self.outage_since {
            in_time(since, self.settings.max_elapsed, "end of the outage");
        }
    }

    /// Returns whether the client has received all events.
    pub(crate) fn has_all(&self) -> bool {
        self.phase == Phase::Open
            && self.live.as_ref().is_some_and(|live| {
                let is_given = live.given == live.script.bytes.len();
                live.is_kind && is_given && live.next_mark == live.script.marks.len()
            })
    }

    /// Asserts that a replaying server loses no event: each was delivered or reported.
    pub(crate) fn check_nothing_lost(&self) {
        if self.settings.all_have_ids {
            let missing = |number: &usize| !self.reported[*number];
            let lost: Vec<usize> = (self.delivered + 1..=self.log.len()).filter(missing).collect();
            assert!(lost.is_empty(), "events are lost: {lost:?}");
        }
    }

    #[track_caller]
    fn expect(&self, phase: Phase, what: &str) {
        assert_eq!(self.phase, phase, "{what} out of turn");
    }

    #[track_caller]
    fn live(&mut self) -> &mut Live {
        self.live.as_mut().expect("there is a connection")
    }

    /// Returns the next mark that the client must see, and advances.
    #[track_caller]
    fn next_mark(&mut self) -> Option<Mark> {
        self.expect(Phase::Open, "something comes");
        let given = self.live().given;
        self.pass_ids(given);
        let live = self.live();
        let mark = live.peek().filter(|mark| is_given(mark, given))?;
        live.next_mark += 1;
        match mark.what {
            What::Event(number) | What::Discarded(number) => {
                assert_eq!(number, live.sent + 1, "the server skipped something");
                live.sent = number;
            }
            _ => {}
        }
        Some(mark)
    }

    /// Applies IDs without an event, and marks without an item, up to this byte.
    fn pass_ids(&mut self, received: usize) {
        let comments = self.settings.comments;
        let Some(live) = &mut self.live else { return };
        while let Some(mark) = live.script.marks.get(live.next_mark) {
            match mark.what {
                _ if mark.at > received => break,
                What::Id(id) => self.position = id,
                What::Retry(_) => {}
                What::Comment(_) if !comments => {}
                _ => break,
            }
            live.next_mark += 1;
        }
    }

    /// Records a delivered event. Asserts that it is not repeated, and that only reported events
    /// were left out.
    fn deliver(&mut self, number: usize) {
        if self.settings.all_have_ids {
            assert!(number > self.delivered, "event {number} comes twice");
            for skipped in self.delivered + 1..number {
                assert!(self.reported[skipped], "event {skipped} is lost");
            }
        }
        self.delivered = number;
    }

    fn discard(&mut self, report: &everstream::Discarded) {
        let number = match self.next_mark() {
            Some(Mark { what: What::Discarded(number), .. }) => number,
            other => panic!("an event is discarded instead of {other:?}"),
        };
        assert_eq!(Some(report.limit()), self.settings.limit);
        assert!(report.size() > report.limit(), "it was discarded for no reason");
        self.reported[number] = true;
    }

    /// Asserts that every complete event was delivered.
    fn check_all_given(&mut self) {
        if self.phase != Phase::Open {
            return;
        }
        let given = self.live().given;
        self.pass_ids(given);
        let next = self.live().peek();
        let missed = next.filter(|mark| mark.at <= given);
        assert!(missed.is_none(), "not given, though it was received: {missed:?}");
    }

    /// Asserts that the reason for a loss is correct.
    fn check_cause(&mut self, reason: &Reason<Trouble>) {
        self.check_all_given();
        let (now, phase, timeouts) = (self.now(), self.phase, self.settings.timeouts);
        let is_prompt = self.settings.is_prompt;
        let is_flood = self.chunks_in_poll == CHUNKS_PER_POLL;
        let live = self.live();
        let waiting = live.next_time(phase) <= now;
        let ran_out = |timeout: Option<Duration>, told: Duration, since: Duration| {
            assert_eq!(timeout, Some(told), "nobody asked for this timeout");
            assert!(now >= since + told, "a timeout of {told:?} after {:?}", now - since);
            assert!(!is_prompt || now == since + told, "a timeout is late");
            // Data without an event may extend the event timeout once.
            let enough = is_flood && now >= since + 2 * told;
            assert!(!waiting || enough, "a timeout though something waits to be read");
        };
        match (phase, reason) {
            (Phase::Connecting, Reason::Failed(Trouble::Refused)) => {
                assert!(matches!(live.script.answer.1, Answer::Refuse { .. }));
                self.tally.refusals += 1;
            }
            (Phase::Connecting, Reason::Failed(Trouble::Stale)) => {
                assert_eq!(live.script.answer.1, Answer::Again);
                self.tally.again += 1;
            }
            (Phase::Connecting, Reason::OpenTimeout(told)) => {
                ran_out(timeouts.open, *told, live.began);
                self.tally.open_timeouts += 1;
            }
            (Phase::Open, Reason::IdleTimeout(told)) => {
                ran_out(timeouts.idle, *told, live.given_at);
                self.tally.idle_timeouts += 1;
            }
            (Phase::Open, Reason::EventTimeout(told)) => {
                ran_out(timeouts.event, *told, live.last_message_at);
                self.tally.event_timeouts += 1;
            }
            (Phase::Open, Reason::Failed(Trouble::Broken)) => {
                assert!(live.is_over && live.script.end.1);
                self.tally.breaks += 1;
            }
            (Phase::Open, Reason::Failed(_)) => panic!("{reason:?}"),
            (Phase::Open, Reason::NotAnEventStream { start, .. }) => {
                assert!(live.is_over && !live.script.end.1);
                assert_eq!(live.sent, live.asked, "it was an event stream");
                let text = String::from_utf8_lossy(&live.script.bytes);
                let text = text.trim_start_matches('\u{feff}');
                assert!(!start.is_empty() && text.starts_with(&**start), "{start:?}");
                self.tally.garbage += 1;
            }
            (Phase::Open, Reason::Ended) => {
                assert!(live.is_over && !live.script.end.1);
                assert!(!live.script.is_garbage || live.given == 0, "nobody is told of garbage");
                self.tally.ends += 1;
                self.check_end(reason);
            }
            (Phase::Open, Reason::EndedMidEvent { .. }) => {
                assert!(live.is_over && !live.script.end.1);
                self.tally.cuts += 1;
                self.check_end(reason);
            }
            (Phase::Open, Reason::EndedWithText { .. }) => {
                assert!(live.is_over && !live.script.end.1);
                self.tally.texts += 1;
                self.check_end(reason);
            }
            _ => panic!("{reason:?} while it is {phase:?}"),
        }
    }

    /// Compares the reason of a body's end with the lines after its last event.
    fn check_end(&mut self, reason: &Reason<Trouble>) {
        let limit = self.settings.limit.unwrap_or(Parser::DEFAULT_MAX_EVENT_SIZE);
        let bytes = self.live().script.bytes.clone();
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        let mut parser = Parser::new().with_max_event_size(limit);
        let mut rest = 0;
        for (at, byte) in bytes.iter().enumerate() {
            let byte = [*byte];
            let mut frames = parser.feed(&byte);
            while let Some(frame) = frames.next() {
                if matches!(frame, Frame::Message(_)) {
                    rest = at + 1;
                }
            }
        }
        let rest = &bytes[rest..];
        let is_text = |line: &[u8]| {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            let is_known = [&b""[..], b"data", b"event", b"id", b"retry"].contains(&name);
            !is_known && !line.trim_ascii().is_empty()
        };
        let mut lines: Vec<_> = rest.split(|byte| b"\r\n".contains(byte)).collect();
        if lines.last().is_some_and(|last| b"retry".starts_with(last)) {
            lines.pop();
        }
        let has_text = lines.into_iter().any(is_text);
        match reason {
            Reason::EndedMidEvent { .. } => assert!(parser.is_mid_event(), "{reason:?}"),
            _ if parser.is_mid_event() => panic!("{reason:?} in the middle of an event"),
            Reason::EndedWithText { remainder, .. } => {
                let rest = String::from_utf8_lossy(rest);
                let is_rest = remainder.lines().all(|line| rest.contains(line));
                assert!(has_text && is_rest, "{reason:?} after {rest:?}");
            }
            _ => assert!(!has_text, "{reason:?} after text"),
        }
    }

    fn lose(&mut self, reason: &Reason<Trouble>, delay: Duration, attempt: u32) {
        let now = self.now();
        self.check_cause(reason);
        assert_eq!(self.count, 0, "a lost connection is left behind");

        // Events without a new ID, and no more than before, are no progress.
        if self.phase == Phase::Open {
            self.most_events = self.most_events.max(self.live().events);
            self.previous_first = self.live().first.or(self.previous_first);
        }
        let is_stale = *reason == Reason::Failed(Trouble::Stale);
        let is_at_once = is_stale && !self.went_again;
        self.went_again |= is_at_once;
        let (least, most) = match is_at_once {
            true => (Duration::ZERO, Duration::ZERO),
            false => self.settings.bounds(self.server_retry, self.retry_after),
        };
        assert!(delay >= least, "a wait of {delay:?} where {least:?} were asked for");
        assert!(delay <= most, "a wait of {delay:?}, beyond {most:?}");

        assert_eq!(attempt, self.attempt + 1, "the number of the next attempt");
        if let Some(max) = self.settings.max_retries {
            let may = is_at_once || attempt <= max.max(1);
            assert!(may, "{attempt} retries, and not {max}");
        }
        self.outage_since.get_or_insert(now);
        self.attempt = attempt;
        self.wait_until = now + delay;
        self.phase = Phase::Waiting;
        self.live = None;
    }

    fn give_up(&mut self, attempts: u32, reason: &Reason<Trouble>) {
        self.tally.gave_up += 1;
        let now = self.now();
        let limit = self.settings.max_elapsed;
        let too_long = match (self.outage_since, limit) {
            (Some(since), Some(limit)) => now >= since + limit,
            _ => false,
        };
        if too_long {
            return;
        }
        assert_eq!(attempts, self.attempt, "the reconnections before it gives up");
        let spent = self.settings.max_retries.is_some_and(|max| attempts >= max);
        assert!(spent, "it gives up for no reason");
        self.check_cause(reason);
    }
}

/// Returns whether the client can have seen the mark. An event is reported as soon as it is over
/// the limit.
fn is_given(mark: &Mark, given: usize) -> bool {
    match mark.what {
        What::Discarded(_) => mark.from < given,
        _ => mark.at <= given,
    }
}

impl Live {
    fn next_time(&self, phase: Phase) -> Duration {
        let time = match phase {
            Phase::Connecting => self.script.answer.0,
            _ => self.script.chunks.get(self.next_chunk).map_or(self.script.end.0, |chunk| chunk.0),
        };
        self.began + time
    }

    fn peek(&self) -> Option<Mark> {
        self.script.marks.get(self.next_mark).cloned()
    }
}

// ------------------------------------------------------------------------- Connect

#[derive(Clone)]
pub(crate) struct Server(pub(crate) Rc<RefCell<World>>);

/// A connection that is open or in progress.
pub(crate) struct Line(Server);

impl Drop for Line {
    fn drop(&mut self) {
        unmeasured(|| self.0.0.borrow_mut().dropped());
    }
}

pub(crate) struct Connecting(Option<Line>);
pub(crate) struct Body(Line);

impl Connect for Server {
    type Head = ();
    type Chunk = Bytes;
    type Body = Body;
    type Error = Trouble;
    type Fatal = Trouble;
    type Connecting = Connecting;

    fn connect(&mut self, attempt: Attempt<Trouble>) -> Connecting {
        unmeasured(|| self.0.borrow_mut().connect(&attempt));
        Connecting(Some(Line(self.clone())))
    }

    fn may_reconnect(&self, _: DisconnectKind) -> bool {
        self.0.borrow().settings.may_reconnect
    }
}

impl Future for Connecting {
    type Output = Result<Connection<(), Body>, ConnectError<Trouble, Trouble>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let line = self.0.as_ref().expect("a future that is ready is not polled again");
        let polled = unmeasured(|| line.0.0.borrow_mut().poll_answer(cx));
        polled.map(|answer| match answer {
            Answer::Open => {
                let body = Body(self.0.take().expect("it was there"));
                Ok(Connection { head: (), body })
            }
            Answer::Refuse { retry_after } => {
                Err(ConnectError::retry_after(Trouble::Refused, retry_after))
            }
            Answer::Again => Err(ConnectError::again(Trouble::Stale)),
            Answer::Fatal => Err(ConnectError::Fatal(Trouble::Hopeless)),
            Answer::Finished => Err(ConnectError::Finished),
        })
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Trouble>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        unmeasured(|| self.0.0.0.borrow_mut().poll_chunk(cx))
    }
}
