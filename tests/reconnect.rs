//! The reconnecting engine by virtual time: no network, no runtime, no waiting.

mod support {
    pub(crate) mod transport;
}

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use bytes::Bytes;
use everstream::reconnect::{
    Attempt, Connect, ConnectError, Connection, Reason, Reconnect, ReconnectEvent, Timeouts,
    connect_fn,
};
use everstream::timer::TimerError;
use everstream::{
    Backoff, DisconnectKind, Handle, ManualTimer, OnOversize, ReadyState, RetryContext,
    RetryPolicy, Stats, Timer,
};
use futures_util::stream::FusedStream;
use futures_util::{FutureExt, Stream, StreamExt};

use support::transport::{
    Asked, BROKEN, Client, Events, HOPELESS, REFUSED, Script, Seen, Server, Wakes, after, again,
    broken, ended, exact, fails, finishes, gave_up, hangs, message, message_with_id, ms, open,
    opens, reconnecting, refused, refuses, refuses_for, reopen, reopen_from, secs,
};

const HOUR: Duration = secs(3600);

/// One event of one line.
fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

fn event_with_id(id: &str, data: &str) -> String {
    format!("id: {id}\ndata: {data}\n\n")
}

fn id(id: &str) -> Option<String> {
    Some(id.to_owned())
}

fn idle(timeout: Duration) -> Timeouts {
    Timeouts::new().with_idle(timeout)
}

fn no_event(timeout: Duration) -> Timeouts {
    Timeouts::new().with_event(timeout)
}

fn opening(timeout: Duration) -> Timeouts {
    Timeouts::new().with_open(timeout)
}

/// Delays of 1 s, and what was seen of each loss.
#[derive(Clone, Default)]
struct Spy {
    losses: Arc<Mutex<Vec<RetryContext>>>,
    seeds: Arc<Mutex<Vec<u64>>>,
}

impl Spy {
    fn losses(&self) -> Vec<RetryContext> {
        self.losses.lock().unwrap().clone()
    }

    fn kinds(&self) -> Vec<DisconnectKind> {
        self.losses().iter().map(|loss| loss.kind).collect()
    }

    fn seeds(&self) -> usize {
        self.seeds.lock().unwrap().len()
    }
}

impl RetryPolicy for Spy {
    fn next_delay(&mut self, loss: &RetryContext) -> Option<Duration> {
        self.losses.lock().unwrap().push(loss.clone());
        Some(secs(1))
    }

    fn seed(&mut self, seed: u64) {
        assert!(self.losses().is_empty(), "seeded after it was used");
        self.seeds.lock().unwrap().push(seed);
    }
}

// ---------------------------------------------------------- every place in life

/// Where a client is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Unpolled,
    Connecting,
    /// Open, and all was read.
    Open,
    /// Open, proved by an event; two more were received and not given.
    Buffered,
    /// Between the first connection and the second.
    Waiting,
    /// The second connection is being made.
    ConnectingAgain,
    /// The second connection is open and has not proved itself.
    OpenAgain,
    Closed,
    Finished,
    Failed,
    GaveUp,
}

const PLACES: [Place; 11] = [
    Place::Unpolled,
    Place::Connecting,
    Place::Open,
    Place::Buffered,
    Place::Waiting,
    Place::ConnectingAgain,
    Place::OpenAgain,
    Place::Closed,
    Place::Finished,
    Place::Failed,
    Place::GaveUp,
];

impl Place {
    fn is_end(self) -> bool {
        matches!(self, Place::Closed | Place::Finished | Place::Failed | Place::GaveUp)
    }

    fn ready_state(self) -> ReadyState {
        match self {
            Place::Open | Place::Buffered | Place::OpenAgain => ReadyState::Open,
            place if place.is_end() => ReadyState::Closed,
            _ => ReadyState::Connecting,
        }
    }
}

/// A client there, with every timer in use, whose last event ID is 7. Connections
/// beyond those that led there open and stay silent.
fn client_at(place: Place) -> Client {
    let scripts = match place {
        Place::Unpolled => vec![],
        Place::Connecting => vec![hangs()],
        Place::Open => vec![opens()],
        Place::Buffered => {
            let events = ["7", "8", "9"].map(|id| event_with_id(id, id)).concat();
            vec![opens().sends(events).sends(event_with_id("10", "10"))]
        }
        Place::Waiting => vec![refuses()],
        Place::ConnectingAgain => vec![opens().ends(), hangs()],
        Place::OpenAgain => vec![opens().breaks(), opens()],
        Place::Closed => vec![opens()],
        Place::Finished => vec![finishes()],
        Place::Failed => vec![fails()],
        Place::GaveUp => vec![refuses(), refuses(), refuses()],
    };
    let mut client = Server::then(scripts, opens()).client_with(|events| {
        events
            .with_retry_policy(exact().with_max_retries(2).with_max_elapsed(HOUR * 2))
            .with_timeouts(Timeouts::new().with_open(HOUR).with_idle(HOUR).with_event(HOUR))
            .with_last_event_id("7")
    });
    match place {
        Place::Unpolled => {}
        Place::Buffered => {
            client.next();
            assert_eq!(client.next(), message_with_id("7", "7"));
        }
        Place::Closed => {
            client.drain();
            client.events.close();
        }
        Place::Waiting => {
            client.drain();
            client.run_for(secs(1));
        }
        _ => {
            client.run_for(secs(10));
        }
    }
    assert_eq!(client.events.ready_state(), place.ready_state(), "{place:?}");
    assert_eq!(client.events.is_terminated(), place.is_end(), "{place:?}");
    assert_eq!(client.timer.pending() == 0, place == Place::Unpolled || place.is_end());
    assert_eq!(client.last_event_id(), Some("7"), "{place:?}");
    client
}

// ------------------------------------------------------------ items, in order

#[test]
fn nothing_happens_before_the_first_poll() {
    let client = Server::always(opens()).client_with(|events| events.with_timeouts(idle(HOUR)));
    client.timer.advance(HOUR);
    assert_eq!(client.server.attempts(), 0);
    assert_eq!(client.timer.pending(), 0);
    assert_eq!(client.events.ready_state(), ReadyState::Connecting);
    assert!(!client.events.is_terminated());
    assert_eq!(client.last_event_id(), None);
}

#[test]
fn the_first_poll_connects() {
    let mut client = Server::new([hangs()]).client();
    client.timer.advance(secs(5));
    client.rests();
    let asked =
        Asked { at: secs(5), number: 0, was_open: false, last_event_id: None, reason: None };
    assert_eq!(client.server.asked(), [asked]);
    assert_eq!(client.server.live(), 1);
}

#[test]
fn a_connection_that_is_never_answered_is_waited_for_without_a_timeout() {
    let mut client = Server::new([hangs()]).client();
    assert_eq!(client.run_for(24 * HOUR), []);
    assert_eq!(client.server.attempts(), 1);
    assert_eq!(client.timer.pending(), 0);
}

#[test]
fn events_then_the_loss_then_the_next_open_then_its_events() {
    let server = Server::new([
        opens().after(ms(100)).sends(event("a")).after(ms(100)).sends(event("b")).ends(),
        after(ms(50)).opens().sends(event("c")),
    ]);
    assert_eq!(
        server.client().run_until(HOUR),
        [
            (ms(0), open()),
            (ms(100), message("a")),
            (ms(200), message("b")),
            (ms(200), ended(secs(3), 1)),
            (ms(3250), reopen()),
            (ms(3250), message("c")),
        ]
    );
}

#[test]
fn what_arrives_together_is_given_one_by_one() {
    let chunk = ["a", "b", "c"].map(event).concat();
    let mut client = Server::new([opens().sends(chunk).ends()]).client();
    let expected = [open(), message("a"), message("b"), message("c"), ended(secs(3), 1)];
    assert_eq!(client.drain(), expected);
}

#[test]
fn an_event_is_given_as_soon_as_its_blank_line_is_there() {
    let mut client =
        Server::new([opens().sends("data: a\r\r").after(secs(1)).sends("data: b\r\n\r")]).client();
    let items = client.run_for(secs(2));
    assert_eq!(items, [(ms(0), open()), (ms(0), message("a")), (secs(1), message("b"))]);
}

#[test]
fn a_message_has_its_type_and_its_data() {
    let mut client = Server::new([opens().sends("event: tick\ndata: 1\ndata: 2\n\n")]).client();
    client.next();
    let (event, data, id) = ("tick".to_owned(), "1\n2".to_owned(), String::new());
    assert_eq!(client.next(), Seen::Message { event, data, id });
}

#[test]
fn a_loss_is_told_before_the_wait_for_the_next_connection() {
    let mut client = Server::then([opens().sends(event("a")).ends()], opens()).client();
    assert_eq!(client.drain(), [open(), message("a"), ended(secs(3), 1)]);
    assert_eq!(client.now(), ms(0));
    assert_eq!(client.server.attempts(), 1);
    assert_eq!(client.events.ready_state(), ReadyState::Connecting);
}

#[test]
fn the_lost_connection_is_gone_before_the_loss_is_told() {
    for script in [opens().ends(), opens().breaks(), refuses()] {
        let mut client = Server::new([script]).client();
        while client.next().delay().is_none() {}
        assert_eq!(client.server.live(), 0);
    }
}

#[test]
fn nothing_is_requested_before_the_delay_is_over() {
    let mut client = Server::then([opens().ends()], opens()).client();
    client.drain();
    client.timer.advance(ms(2999));
    client.rests();
    assert_eq!(client.server.attempts(), 1);
    assert_eq!(client.server.live(), 0);
    client.timer.advance(ms(1));
    assert_eq!(client.next(), reopen());
    assert_eq!(client.server.times(), [ms(0), ms(3000)]);
}

#[test]
fn the_delay_runs_while_nobody_polls() {
    let mut client = Server::then([opens().ends()], opens()).client();
    assert_eq!(client.next(), open());
    assert_eq!(client.next(), ended(secs(3), 1));
    client.timer.advance(secs(3));
    assert_eq!(client.next(), reopen());
}

#[test]
fn polling_in_vain_delays_nothing() {
    let mut client = Server::then([opens().ends()], opens()).client();
    client.drain();
    for _ in 0..30 {
        client.rests();
        client.timer.advance(ms(100));
    }
    assert_eq!(client.next(), reopen());
}

#[test]
fn each_cause_of_a_loss_is_told() {
    let mut client = Server::new([opens().ends(), opens().breaks(), refuses()]).client();
    assert_eq!(
        client.items_for(HOUR),
        [open(), ended(secs(3), 1), reopen(), broken(secs(6), 2), refused(secs(12), 3)]
    );
}

#[test]
fn the_very_first_connection_is_tried_again_like_any_other() {
    let server = Server::then([refuses(), refuses()], opens());
    assert_eq!(
        server.client().run_for(HOUR),
        [(secs(0), refused(secs(3), 1)), (secs(3), refused(secs(6), 2)), (secs(9), open())]
    );
}

#[test]
fn every_attempt_knows_what_was_before_it() {
    let server = Server::then(
        [refuses(), opens().sends(event_with_id("4", "x")).ends(), opens().breaks()],
        hangs(),
    );
    server.client().run_for(HOUR);
    let asked = |at, number, was_open, last_event_id: Option<&str>, reason| Asked {
        at: secs(at),
        number,
        was_open,
        last_event_id: last_event_id.map(str::to_owned),
        reason,
    };
    assert_eq!(
        server.asked(),
        [
            asked(0, 0, false, None, None),
            asked(3, 1, false, None, Some(Reason::Failed(REFUSED))),
            asked(6, 1, true, Some("4"), Some(Reason::Ended)),
            asked(12, 2, true, Some("4"), Some(Reason::Failed(BROKEN))),
        ]
    );
}

#[test]
fn every_open_tells_whether_it_is_a_reconnection_and_what_id_was_sent() {
    let mut client = Server::new([
        refuses(),
        opens().sends(event_with_id("1", "a")).ends(),
        opens().sends(event_with_id("2", "b")).ends(),
        opens().sends(event_with_id("", "c")).ends(),
        opens(),
    ])
    .client_with(|events| events.with_last_event_id("0"));
    let opens: Vec<Seen> = client
        .items_for(HOUR)
        .into_iter()
        .filter(|seen| matches!(seen, Seen::Open { .. }))
        .collect();
    let first = Seen::Open { is_reconnect: false, last_event_id: id("0") };
    assert_eq!(opens, [first, reopen_from("1"), reopen_from("2"), reopen()]);
}

#[test]
fn a_thousand_connections_of_one_event_each_lose_none_and_leak_none() {
    let server = Server::answering(|nth| {
        let id = nth.to_string();
        opens().sends(event_with_id(&id, &id)).ends()
    });
    let mut client = server.client();
    for nth in 0..1000 {
        assert!(matches!(client.next(), Seen::Open { .. }));
        assert_eq!(server.live(), 1);
        let id = nth.to_string();
        assert_eq!(client.next(), message_with_id(&id, &id));
        assert_eq!(client.next(), ended(secs(3), 1));
        client.rests();
        assert_eq!((server.live(), client.timer.pending()), (0, 1));
        client.timer.advance_to_next();
    }
    assert_eq!(server.attempts(), 1000);
    assert!(
        server.asked()[1..]
            .iter()
            .zip(0..)
            .all(|(asked, nth)| { asked.last_event_id == id(&nth.to_string()) })
    );
}

#[test]
fn the_combinators_of_streams_work_on_it() {
    let server = Server::always(opens().sends(event("a") + &event("b")));
    let mut client = server.client();
    let first = client.events.next().now_or_never();
    assert!(matches!(first, Some(Some(Ok(everstream::reconnect::ReconnectEvent::Open(_))))));
    let two = client.events.by_ref().take(2).collect::<Vec<_>>().now_or_never();
    assert_eq!(two.map(|two| two.len()), Some(2));
    assert!(client.events.next().now_or_never().is_none());
    client.events.close();
    assert!(client.events.next().now_or_never().unwrap().is_none());
}

#[test]
fn debugging_shows_the_state() {
    let shown = format!("{:?}", client_at(Place::Waiting).events);
    assert!(shown.contains("Waiting") && shown.contains("\"7\""), "{shown}");
}

// ---------------------------------------------------------------------- delays

#[test]
fn delays_grow_while_connections_are_refused() {
    let server = Server::always(refuses());
    server.client().run_until(secs(300));
    let expected = [0, 3, 9, 21, 45, 93, 153, 213, 273].map(secs);
    assert_eq!(server.times(), expected);
}

#[test]
fn a_mere_open_does_not_reset_delays() {
    for script in [opens().ends(), opens().breaks(), opens().sends("hello\n: x\n\n").ends()] {
        let server = Server::always(script);
        server.client().run_until(secs(50));
        assert_eq!(server.times(), [0, 3, 9, 21, 45].map(secs));
    }
}

#[test]
fn an_event_resets_delays() {
    let mut scripts = vec![refuses(); 4];
    scripts.push(opens().sends(event("a")).ends());
    let server = Server::then(scripts, refuses());
    server.client().run_until(secs(60));
    assert_eq!(server.times(), [0, 3, 9, 21, 45, 48, 54].map(secs));
}

#[test]
fn an_uptime_of_five_seconds_without_an_event_resets_delays() {
    for (uptime, next) in [(ms(4999), secs(12)), (ms(5001), secs(3))] {
        let server = Server::then([refuses(), refuses(), opens().after(uptime).ends()], hangs());
        server.client().run_until(secs(100));
        assert_eq!(server.times()[3], secs(9) + uptime + next, "{uptime:?}");
    }
}

#[test]
fn the_uptime_is_that_of_the_policy() {
    let policy = exact().with_min_uptime(secs(60));
    for (uptime, next) in [(secs(59), secs(6)), (secs(61), secs(3))] {
        let server = Server::then([refuses(), opens().after(uptime).ends()], hangs());
        let mut client = server.client_with(|events| events.with_retry_policy(policy.clone()));
        client.run_until(secs(100));
        assert_eq!(server.times()[2], secs(3) + uptime + next, "{uptime:?}");
    }
}

#[test]
fn the_uptime_begins_when_the_connection_stands() {
    let slow = after(secs(10)).opens().after(secs(4)).ends();
    let server = Server::then([refuses(), slow], hangs());
    server.client().run_until(secs(100));
    assert_eq!(server.times(), [0, 3, 3 + 14 + 6].map(secs));
}

#[test]
fn comments_ids_and_discarded_events_are_no_progress() {
    for sent in
        [": hi\n\n", "id: 1\n\n", "retry: 3000\n\n", "event: x\n\n", "data: far too long\n\n"]
    {
        let server = Server::always(opens().sends(sent).ends());
        let mut client =
            server.client_with(|events| events.with_comments(true).with_max_event_size(8));
        client.run_until(secs(20));
        assert_eq!(server.times(), [0, 3, 9].map(secs), "{sent:?}");
    }
}

#[test]
fn an_event_without_data_text_is_progress() {
    let server = Server::always(opens().sends("data\n\n").ends());
    server.client().run_until(secs(8));
    assert_eq!(server.times(), [0, 3, 6].map(secs));
}

/// No second, wherever it begins, has more than ten attempts.
#[track_caller]
fn assert_at_most_ten_per_second(times: &[Duration]) {
    for ten in times.windows(11) {
        assert!(ten[10] - ten[0] >= secs(1), "eleven attempts in less than a second: {ten:?}");
    }
}

#[test]
fn retry_0_and_a_server_that_closes_after_a_new_event_is_ten_attempts_a_second_at_most() {
    let server =
        Server::answering(|nth| opens().sends(format!("retry: 0\nid: {nth}\ndata: x\n\n")).ends());
    for mut client in [server.client(), server.default_client()] {
        let before = server.attempts();
        client.run_for(HOUR);
        let times = &server.times()[before..];
        assert_at_most_ten_per_second(times);
        assert!(times.len() > 5 * 3600, "{}", times.len());
    }
}

/// Servers that greet each connection with the same events and hang up.
fn greeters() -> [(&'static str, Server); 3] {
    let greeting = "retry: 10\ndata: welcome\n\n";
    let replay = "retry: 10\nid: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n";
    let latest = "retry: 10\nid: latest\ndata: a\n\n";
    [("greeting", greeting), ("replay", replay), ("one id", latest)]
        .map(|(name, body)| (name, Server::always(opens().sends(body).ends())))
}

/// H5
#[test]
fn a_server_that_greets_and_hangs_up_is_called_ever_less_often() {
    for (name, server) in greeters() {
        for mut client in [server.client(), server.default_client()] {
            let before = server.attempts();
            client.run_for(HOUR);
            let attempts = server.attempts() - before;
            // Every 3 s to 6 s, after a second of short delays.
            assert!((600..=1210).contains(&attempts), "{name}: {attempts}");
        }
    }
}

/// H5
#[test]
fn a_server_that_greets_and_hangs_up_uses_up_the_retries() {
    for (name, server) in greeters() {
        let mut client =
            server.client_with(|events| events.with_retry_policy(exact().with_max_retries(5)));
        let items = client.items_for(HOUR);
        assert_eq!(items[items.len() - 2..], [gave_up(5, Reason::Ended), Seen::End], "{name}");
        // The first connection and five more.
        assert_eq!(server.attempts(), 6, "{name}");
    }
}

#[test]
fn long_polls_are_healthy() {
    // One event for each connection, with a new id, at once or after a while; or without an
    // id after the minimum uptime.
    let with_ids = |nth| opens().sends(format!("retry: 100\nid: {nth}\ndata: x\n\n")).ends();
    let slow =
        |nth| opens().after(secs(1)).sends(format!("retry: 100\nid: {nth}\ndata: x\n\n")).ends();
    let held = |_| opens().after(secs(6)).sends("retry: 100\ndata: x\n\n").ends();
    for (server, attempts) in [
        (Server::answering(with_ids), 600),
        (Server::answering(slow), 54),
        (Server::answering(held), 9),
    ] {
        let mut client =
            server.client_with(|events| events.with_retry_policy(exact().with_max_retries(0)));
        client.run_for(secs(60));
        assert!(server.attempts() > attempts, "{}", server.attempts());
        assert!(!client.events.is_terminated());
    }
}

#[test]
fn a_server_that_is_polled_without_ids_keeps_the_pace_of_the_initial_delay() {
    let server = Server::always(opens().sends(event("the time is now")).ends());
    server.client().run_until(secs(31));
    assert_eq!(server.times(), Vec::from_iter((0..=10).map(|nth| secs(3 * nth))));
}

#[test]
fn with_a_minimum_uptime_of_zero_every_open_connection_is_healthy() {
    let server = Server::always(opens().sends("retry: 1000\ndata: x\n\n").after(ms(1)).ends());
    let policy = exact().with_min_uptime(Duration::ZERO).with_max_retries(0);
    let mut client = server.client_with(|events| events.with_retry_policy(policy));
    client.run_for(secs(60));
    assert!(server.attempts() > 55, "{}", server.attempts());
}

#[test]
fn retry_0_and_a_server_that_closes_without_an_event_is_ever_fewer_attempts() {
    let server = Server::always(opens().sends("retry: 0\n\n").ends());
    for mut client in [server.client(), server.default_client()] {
        let before = server.attempts();
        client.run_for(HOUR);
        let times = &server.times()[before..];
        assert_at_most_ten_per_second(times);
        assert!((30..=90).contains(&times.len()), "{}", times.len());
    }
}

#[test]
fn the_servers_retry_is_the_delay_wherever_it_stands() {
    let bodies = [
        "retry: 200\ndata: a\n\n",
        "data: a\nretry: 200\n\n",
        "data: a\n\nretry: 200\n\n",
        "data: a\n\nretry: 200\n",
        "data: a\n\nretry: 200\r",
        "retry: 200\n\ndata: a\n\n",
        "retry: 9000\nretry: 200\ndata: a\n\n",
        "data: a\n\ndata: unfinished\nretry: 200\n",
    ];
    for body in bodies {
        let server = Server::then([opens().sends(body).ends()], opens());
        server.client().run_until(secs(10));
        assert_eq!(server.times(), [ms(0), ms(200)], "{body:?}");
    }
}

#[test]
fn a_bogus_retry_changes_nothing() {
    for bogus in ["1000x", "+1000", "-1", "1_000", "1.5", "", " 1000", "١"] {
        let body = format!("retry: 4000\nretry: {bogus}\ndata: a\n\n");
        let server = Server::then([opens().sends(body).ends()], opens());
        server.client().run_until(secs(10));
        assert_eq!(server.times(), [secs(0), secs(4)], "{bogus:?}");
    }
}

#[test]
fn the_servers_retry_stays_over_connections() {
    let server = Server::answering(|nth| match nth {
        0 => opens().sends("retry: 500\ndata: a\n\n").ends(),
        3 => opens().sends("retry: 700\nid: 3\ndata: a\n\n").ends(),
        _ => opens().sends(event_with_id(&nth.to_string(), "b")).ends(),
    });
    server.client().run_until(ms(3000));
    assert_eq!(server.times(), [0, 500, 1000, 1500, 2200, 2900].map(ms));
}

#[test]
fn the_servers_retry_stays_over_forced_reconnections_and_a_close() {
    let server = Server::answering(|nth| match nth {
        0 => opens().sends("retry: 500\ndata: a\n\n"),
        _ => opens().sends(event("b")).ends(),
    });
    let mut client = server.client();
    client.drain();
    client.events.close();
    client.events.force_reconnect();
    assert_eq!(client.drain(), [reopen(), message("b"), ended(ms(500), 1)]);
}

#[test]
fn the_servers_retry_is_what_grows() {
    let server = Server::then([opens().sends("retry: 500\n\n").breaks()], refuses());
    server.client().run_until(ms(8000));
    assert_eq!(server.times(), [0, 500, 1500, 3500, 7500].map(ms));
}

#[test]
fn a_huge_retry_is_no_longer_than_the_cap() {
    let digits = "9".repeat(10_400);
    for asked in ["60001", "4294967296", "18446744073709551615", "99999999999999999999", &digits] {
        let body = format!("retry: {asked}\ndata: a\n\n");
        let server = Server::then([opens().sends(body).ends()], opens());
        server.client().run_until(HOUR);
        assert_eq!(server.times(), [secs(0), secs(60)], "{} digits", asked.len());
    }
}

#[test]
fn a_wait_for_ever_ends_when_it_is_told_to() {
    let server = Server::then([opens().sends("retry: 18446744073709551615\n").ends()], opens());
    let patient = || exact().with_max_server_delay(Duration::MAX);
    let mut client = server.client_with(|events| events.with_retry_policy(patient()));
    client.run_for(1000 * HOUR);
    assert_eq!((server.attempts(), client.timer.pending()), (1, 1));
    client.events.force_reconnect();
    assert_eq!(client.next(), reopen());
    client.events.close();
    assert_eq!(client.timer.pending(), 0);
}

#[test]
fn retry_after_is_waited_for_once() {
    let server = Server::always(refuses());
    let busy = Server::answering(|nth| if nth == 1 { refuses_for(secs(20)) } else { refuses() });
    let (mut client, mut other) = (server.client(), busy.client());
    client.run_until(secs(50));
    other.run_until(secs(50));
    assert_eq!(server.times(), [0, 3, 9, 21, 45].map(secs));
    assert_eq!(busy.times(), [0, 3, 23, 35].map(secs));
}

#[test]
fn a_retry_after_that_is_over_is_no_reason_to_hurry() {
    let server = Server::then([refuses_for(Duration::ZERO)], opens());
    server.client().run_until(secs(10));
    assert_eq!(server.times(), [secs(0), secs(3)]);
}

#[test]
fn a_retry_after_for_ever_is_no_longer_than_the_cap() {
    let server = Server::then([refuses_for(Duration::MAX)], opens());
    server.client().run_until(HOUR);
    assert_eq!(server.times(), [secs(0), secs(60)]);
}

#[test]
fn delays_are_spread_by_default_from_the_first_on_and_at_the_cap() {
    let server = Server::always(refuses());
    let mut client = server.default_client();
    let delays: Vec<Duration> = client.items_for(2 * HOUR).iter().filter_map(Seen::delay).collect();
    let least = [3, 6, 12, 24, 48].map(secs).into_iter().chain(std::iter::repeat(secs(60)));
    assert!(delays.len() > 40);
    for (delay, least) in delays.iter().zip(least) {
        assert!((least..=2 * least).contains(delay), "{delay:?}, at least {least:?}");
    }
    let mut at_the_cap = delays[5..].to_vec();
    at_the_cap.sort();
    at_the_cap.dedup();
    assert!(at_the_cap.len() > 30, "{at_the_cap:?}");
}

#[test]
fn the_told_delay_is_the_one_that_is_waited() {
    let server = Server::always(refuses());
    let mut client = server.default_client();
    for (at, seen) in client.run_for(HOUR) {
        let next = at + seen.delay().unwrap();
        assert!(next > HOUR || server.times().contains(&next), "{next:?}");
    }
}

#[cfg(feature = "std")]
#[test]
fn two_streams_with_the_default_policy_wait_differently() {
    let server = Server::always(opens().ends());
    let delays = || {
        let mut client = server.default_client();
        client.items_for(HOUR).iter().filter_map(Seen::delay).collect::<Vec<_>>()
    };
    assert_ne!(delays()[0], delays()[0]);
}

#[test]
fn a_policy_that_its_user_seeded_waits_as_it_would_alone() {
    let server = Server::always(refuses());
    let mut policy = Backoff::new().with_seed(7);
    let mut client = server.client_with(|events| events.with_retry_policy(policy.clone()));
    let delays: Vec<_> = client.items_for(HOUR).iter().filter_map(Seen::delay).collect();
    for (attempt, delay) in (1..).zip(delays) {
        assert_eq!(
            policy.next_delay(&RetryContext::new(attempt, DisconnectKind::Refused)),
            Some(delay)
        );
    }
}

// ------------------------------------------------------------- the lost server

/// When each of so many clients with the default policy asks again after all of
/// them lost the same server at once.
#[cfg(feature = "std")]
fn first_reconnections(clients: usize, last_words: &str) -> Vec<Duration> {
    let mut times: Vec<Duration> = (0..clients)
        .map(|_| {
            let server = Server::new([opens().sends(last_words).ends()]);
            server.default_client().run_until(HOUR);
            let [_, again] = server.times()[..] else { panic!("two attempts") };
            again
        })
        .collect();
    times.sort();
    times
}

#[cfg(feature = "std")]
#[test]
fn ten_thousand_clients_with_one_lost_server_do_not_come_back_in_one_instant() {
    const CLIENTS: usize = 10_000;

    for (last_words, base) in [("", secs(3)), ("retry: 1000\ndata: bye\n\n", secs(1))] {
        let times = first_reconnections(CLIENTS, last_words);
        let (first, last) = (times[0], times[CLIENTS - 1]);
        assert!(first >= base, "the first one is early: {first:?}");
        assert!(last <= 2 * base, "the last one is late: {last:?}");
        assert!(last - first >= base / 2, "all between {first:?} and {last:?}");

        // An even spread has 1000 in each tenth of the base.
        for tenth in 10..20 {
            let (from, to) = (base * tenth / 10, base * (tenth + 1) / 10);
            let crowd = times.iter().filter(|time| (from..to).contains(time)).count();
            assert!((800..1200).contains(&crowd), "{crowd} between {from:?} and {to:?}");
        }
    }
}

// ------------------------------------------------------------------- giving up

#[test]
fn so_many_reconnections_in_a_row_are_enough() {
    let server = Server::always(refuses());
    let mut client =
        server.client_with(|events| events.with_retry_policy(exact().with_max_retries(3)));
    assert_eq!(
        client.run_for(HOUR),
        [
            (secs(0), refused(secs(3), 1)),
            (secs(3), refused(secs(6), 2)),
            (secs(9), refused(secs(12), 3)),
            (secs(21), gave_up(3, Reason::Failed(REFUSED))),
            (secs(21), Seen::End),
        ]
    );
    assert_eq!(server.attempts(), 4);
    assert_eq!(client.timer.pending(), 0);
}

#[test]
fn no_retries_is_none() {
    for (script, reason) in [
        (refuses(), Reason::Failed(REFUSED)),
        (opens().ends(), Reason::Ended),
        (opens().breaks(), Reason::Failed(BROKEN)),
    ] {
        let server = Server::always(script);
        let mut client =
            server.client_with(|events| events.with_retry_policy(exact().with_max_retries(0)));
        let items = client.items_for(HOUR);
        assert_eq!(items[items.len() - 2..], [gave_up(0, reason), Seen::End]);
        assert_eq!(server.attempts(), 1);
    }
}

#[test]
fn connections_that_merely_open_count() {
    let server = Server::always(opens().ends());
    let mut client =
        server.client_with(|events| events.with_retry_policy(exact().with_max_retries(3)));
    assert_eq!(client.items_for(HOUR).last(), Some(&Seen::End));
    assert_eq!(server.attempts(), 4);
}

#[test]
fn ends_of_healthy_connections_never_count() {
    let by_event = |nth: usize| opens().sends(event_with_id(&nth.to_string(), "x")).ends();
    let by_uptime = |_| opens().after(secs(6)).ends();
    for server in [Server::answering(by_event), Server::answering(by_uptime)] {
        let mut client =
            server.client_with(|events| events.with_retry_policy(exact().with_max_retries(0)));
        client.run_for(2 * HOUR);
        assert!(server.attempts() > 700);
        assert!(!client.events.is_terminated());
    }
}

#[test]
fn failures_that_progress_interrupts_do_not_add_up() {
    let server = Server::answering(|nth| match nth % 3 {
        0 => opens().sends(event_with_id(&nth.to_string(), "x")).breaks(),
        _ => refuses(),
    });
    let mut client =
        server.client_with(|events| events.with_retry_policy(exact().with_max_retries(2)));
    // The break of a healthy connection is reconnection 1, the refusals are 2 and 3.
    let items = client.items_for(HOUR);
    assert_eq!(items.last(), Some(&Seen::End));
    assert_eq!(server.attempts(), 3);

    let mut client =
        server.client_with(|events| events.with_retry_policy(exact().with_max_retries(3)));
    client.run_for(2 * HOUR);
    assert!(server.attempts() > 500);
    assert!(!client.events.is_terminated());
}

/// Gives up on outages of more than this.
fn sits_through(outage: Duration) -> impl FnOnce(Events) -> Events {
    move |events| events.with_retry_policy(exact().with_max_elapsed(outage))
}

#[test]
fn an_outage_may_become_too_long_while_the_next_connection_is_waited_for() {
    let server = Server::always(refuses());
    let mut client = server.client_with(sits_through(secs(5)));
    assert_eq!(
        client.run_for(HOUR),
        [
            (secs(0), refused(secs(3), 1)),
            (secs(3), refused(secs(6), 2)),
            // One reconnection was made; the second one is what was waited for.
            (secs(5), gave_up(1, Reason::Failed(REFUSED))),
            (secs(5), Seen::End),
        ]
    );
    assert_eq!(server.attempts(), 2);
}

#[test]
fn an_outage_may_become_too_long_before_any_reconnection() {
    let server = Server::always(opens().sends(event("x")).ends());
    let mut client = server.client_with(sits_through(secs(1)));
    client.drain();
    assert_eq!(client.items_for(HOUR), [gave_up(0, Reason::Ended), Seen::End]);
    assert_eq!(server.attempts(), 1);
}

#[test]
fn an_outage_may_become_too_long_while_a_connection_is_made() {
    let server = Server::new([refuses(), hangs()]);
    let mut client = server.client_with(sits_through(secs(5)));
    assert_eq!(
        client.run_for(HOUR),
        [
            (secs(0), refused(secs(3), 1)),
            (secs(5), gave_up(1, Reason::Failed(REFUSED))),
            (secs(5), Seen::End),
        ]
    );
    assert_eq!((server.live(), client.timer.pending()), (0, 0));
}

#[test]
fn an_outage_may_become_too_long_while_a_connection_is_open_and_proves_nothing() {
    let server = Server::new([refuses(), opens().after(secs(1)).sends(":\n")]);
    let mut client = server.client_with(sits_through(secs(5)));
    assert_eq!(
        client.run_for(HOUR),
        [
            (secs(0), refused(secs(3), 1)),
            (secs(3), open()),
            (secs(5), gave_up(1, Reason::Failed(REFUSED))),
            (secs(5), Seen::End),
        ]
    );
    assert_eq!((server.live(), client.timer.pending()), (0, 0));
}

#[test]
fn the_cause_of_giving_up_on_an_outage_is_that_of_the_last_loss() {
    let server = Server::then([opens().sends(event("x")).ends()], refuses());
    let mut client = server.client_with(sits_through(secs(4)));
    let items = client.run_for(HOUR);
    assert_eq!(items[items.len() - 2].1, gave_up(1, Reason::Failed(REFUSED)));
    assert_eq!(items[items.len() - 2].0, secs(4));
}

#[test]
fn an_event_ends_an_outage() {
    let server = Server::then([refuses(), opens().after(secs(1)).sends(event("x"))], hangs());
    let mut client = server.client_with(sits_through(secs(5)));
    assert_eq!(client.items_for(HOUR), [refused(secs(3), 1), open(), message("x")]);
    assert!(!client.events.is_terminated());
    assert_eq!(client.timer.pending(), 0);
}

#[test]
fn an_uptime_of_five_seconds_ends_an_outage() {
    for (outage, ends) in [(ms(7999), false), (ms(8001), true)] {
        let server = Server::new([refuses(), opens()]);
        let mut client = server.client_with(sits_through(outage));
        client.run_for(HOUR);
        assert_eq!(client.events.is_terminated(), !ends, "{outage:?}");
    }
}

#[test]
fn the_next_outage_is_measured_anew() {
    let healthy = opens().sends(event("x")).after(secs(100)).ends();
    let server = Server::then([refuses(), healthy], refuses());
    let mut client = server.client_with(sits_through(secs(5)));
    assert_eq!(
        client.run_for(HOUR),
        [
            (secs(0), refused(secs(3), 1)),
            (secs(3), open()),
            (secs(3), message("x")),
            (secs(103), ended(secs(3), 1)),
            (secs(106), refused(secs(6), 2)),
            (secs(108), gave_up(1, Reason::Failed(REFUSED))),
            (secs(108), Seen::End),
        ]
    );
}

#[test]
fn a_forced_reconnection_ends_an_outage() {
    let server = Server::then([refuses()], hangs());
    let mut client = server.client_with(sits_through(secs(5)));
    client.run_until(secs(4));
    client.events.force_reconnect();
    assert_eq!(client.run_for(HOUR), []);
    assert!(!client.events.is_terminated());
}

#[test]
fn short_losses_of_healthy_connections_are_no_outage() {
    let server =
        Server::answering(|nth| opens().sends(event_with_id(&nth.to_string(), "x")).ends());
    let mut client = server.client_with(sits_through(secs(4)));
    client.run_for(HOUR);
    assert_eq!(server.attempts(), 1200 + 1);
}

// ------------------------------------------------------------------------ ends

#[test]
fn an_error_is_the_last_item() {
    let failing = Server::always(fails());
    let refusing = Server::always(refuses());
    let large = Server::always(opens().sends("data: 123456789\n\n").sends(event("x")));
    let once = Server::always(opens().breaks());
    once.set_may_reconnect(|_| false);
    for (server, error) in [
        (failing, Seen::Fatal(HOPELESS)),
        (refusing, gave_up(0, Reason::Failed(REFUSED))),
        (large, Seen::TooLarge),
        (once, Seen::Lost(Reason::Failed(BROKEN))),
    ] {
        let mut client = server.client_with(|events| {
            events
                .with_retry_policy(exact().with_max_retries(0))
                .with_max_event_size(8)
                .with_on_oversize(OnOversize::Fail)
                .with_timeouts(idle(HOUR))
        });
        let handle = client.handle();
        loop {
            match client.next() {
                Seen::Open { .. } => assert!(!client.events.is_terminated()),
                seen => {
                    assert_eq!(seen, error);
                    break;
                }
            }
        }
        // The stream is closed before the error is given.
        assert!(client.events.is_terminated(), "{error:?}");
        assert_eq!(client.events.ready_state(), ReadyState::Closed);
        assert_eq!(handle.ready_state(), ReadyState::Closed);
        assert_eq!((server.live(), client.timer.pending()), (0, 0), "{error:?}");
        for _ in 0..100 {
            assert_eq!(client.next(), Seen::End);
            client.timer.advance(HOUR);
        }
        assert_eq!(server.attempts(), 1);
    }
}

#[test]
fn a_fatal_refusal_ends_the_stream_on_a_reconnection_too() {
    let mut client = Server::new([opens().sends(event("x")).ends(), fails()]).client();
    let expected = [open(), message("x"), ended(secs(3), 1), Seen::Fatal(HOPELESS), Seen::End];
    assert_eq!(client.items_for(HOUR), expected);
    assert_eq!(client.server.attempts(), 2);
}

#[test]
fn a_finished_stream_ends_without_an_error() {
    let mut client = Server::new([finishes()]).client();
    assert_eq!(client.items_for(HOUR), [Seen::End]);
    assert!(client.events.is_terminated());
    assert_eq!(client.server.attempts(), 1);

    let mut client = Server::new([opens().sends(event("x")).ends(), finishes()]).client();
    let expected = [open(), message("x"), ended(secs(3), 1), Seen::End];
    assert_eq!(client.items_for(HOUR), expected);
    for _ in 0..100 {
        assert_eq!(client.items_for(HOUR), [Seen::End]);
    }
    assert_eq!(client.server.attempts(), 2);
}

#[test]
fn a_connection_that_must_not_be_repeated_ends_the_stream_with_its_end() {
    let server = Server::new([opens().sends(event("x")).ends()]);
    server.set_may_reconnect(|_| false);
    let spy = Spy::default();
    let mut client = server.client_with(|events| events.with_retry_policy(spy.clone()));
    assert_eq!(client.items_for(HOUR), [open(), message("x"), Seen::End]);
    assert_eq!(server.attempts(), 1);
    assert_eq!(spy.losses(), [], "there is nothing to ask the policy");
}

#[test]
fn a_connection_may_be_repeated_after_a_break_and_not_after_a_clean_end() {
    let server = Server::new([opens().breaks(), hangs(), refuses(), opens().ends()]);
    server.set_may_reconnect(|lost| lost != DisconnectKind::Ended);
    let timeouts = Timeouts::new().with_open(secs(1));
    let mut client = server.client_with(|events| events.with_timeouts(timeouts));
    let items = client.items_for(HOUR);
    assert_eq!(server.attempts(), 4);
    assert_eq!(items[items.len() - 2..], [reopen(), Seen::End]);
}

#[test]
fn a_connection_that_must_not_be_repeated_ends_the_stream_with_what_broke_it() {
    let timeouts = Timeouts::new().with_open(secs(1)).with_idle(secs(2)).with_event(secs(3));
    let chatty = opens().after(secs(1)).sends(":\n").after(secs(1)).sends(":\n");
    for (script, reason) in [
        (refuses(), Reason::Failed(REFUSED)),
        (opens().sends("data: unfinished").breaks(), Reason::Failed(BROKEN)),
        (hangs(), Reason::OpenTimeout(secs(1))),
        (opens(), Reason::IdleTimeout(secs(2))),
        (chatty, Reason::EventTimeout(secs(3))),
    ] {
        let server = Server::always(script);
        server.set_may_reconnect(|_| false);
        let mut client = server.client_with(|events| events.with_timeouts(timeouts));
        let items = client.items_for(HOUR);
        assert_eq!(items[items.len() - 2..], [Seen::Lost(reason), Seen::End]);
        assert_eq!((server.attempts(), server.live(), client.timer.pending()), (1, 0, 0));
    }
}

#[test]
fn whether_a_connection_may_follow_is_asked_when_one_is_lost() {
    let server = Server::always(opens().sends(event("x")).ends());
    let mut client = server.client();
    assert_eq!(client.drain(), [open(), message("x"), ended(secs(3), 1)]);
    server.set_may_reconnect(|_| false);
    assert_eq!(client.items_for(HOUR), [reopen(), message("x"), Seen::End]);
    assert_eq!(server.attempts(), 2);
}

#[test]
fn what_must_not_be_repeated_is_repeated_by_force() {
    let server = Server::always(opens().ends());
    server.set_may_reconnect(|_| false);
    let mut client = server.client();
    assert_eq!(client.drain(), [open(), Seen::End]);
    client.events.force_reconnect();
    assert_eq!(client.drain(), [reopen(), Seen::End]);
}

// -------------------------------------------------------------------- timeouts

#[test]
fn a_connection_is_made_again_at_once_if_that_is_what_it_takes() {
    let server = Server::new([again(), opens()]);
    server.set_may_reconnect(|_| false);
    let mut client =
        server.client_with(|events| events.with_retry_policy(exact().with_max_retries(0)));
    assert_eq!(client.drain(), [refused(Duration::ZERO, 1), open()]);
    assert_eq!(client.server.times(), [Duration::ZERO; 2]);
    assert_eq!(client.server.last_asked().reason, Some(Reason::Failed(REFUSED)));
}

#[test]
fn a_connection_that_wants_to_be_made_again_and_again_waits_like_any_other() {
    let mut client = Server::always(again()).client();
    assert_eq!(client.drain(), [refused(Duration::ZERO, 1), refused(secs(6), 2)]);
    assert_eq!(client.items_for(secs(6)), [refused(secs(12), 3)]);

    let opening = [again(), opens().ends(), again(), hangs()];
    let mut client = Server::new(opening).client();
    let expected = [refused(Duration::ZERO, 1), open(), ended(secs(6), 2)];
    assert_eq!(client.drain(), expected, "a mere open is no progress");
    assert_eq!(client.items_for(secs(6)), [refused(secs(12), 3)]);
}

#[test]
fn after_progress_a_connection_may_be_made_again_at_once_again() {
    let mut client =
        Server::new([again(), opens().sends(event("a")).ends(), again(), opens()]).client();
    client.items_for(secs(3));
    assert_eq!(client.server.times(), [Duration::ZERO, Duration::ZERO, secs(3), secs(3)]);
}

/// What a client is told when a body of these chunks ends.
fn end_of(chunks: &[&[u8]]) -> Reason<&'static str> {
    let script = chunks.iter().fold(opens(), |script, chunk| script.sends(chunk)).ends();
    match Server::new([script]).client().drain().pop() {
        Some(Seen::Reconnecting { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

fn not_an_event_stream(start: &str) -> Reason<&'static str> {
    Reason::not_an_event_stream(start)
}

#[test]
fn what_a_body_says_that_is_no_event_stream_is_told_at_its_end() {
    let body = "{\"error\":\n  \"overloaded\"}";
    assert_eq!(end_of(&[body.as_bytes()]), not_an_event_stream(body));
    let bytes: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
    assert_eq!(end_of(&bytes), not_an_event_stream(body));
    let page = format!("<!DOCTYPE html>{}", "<p>".repeat(2000));
    assert_eq!(end_of(&[page.as_bytes()]), not_an_event_stream(&page[..4096]));
    assert_eq!(
        not_an_event_stream("502 Bad\nGateway").to_string(),
        "the server ended the stream, which held no event: \"502 Bad\\nGateway\""
    );
}

#[test]
fn a_body_with_an_event_a_comment_or_a_field_is_an_event_stream() {
    let late = "x".repeat(300) + "\ndata: a\n\n";
    for body in ["", "\n\n", "data: a\n\n", ":\n", "id\n\n", "retry: 1\n", "ret", &late] {
        assert_eq!(end_of(&[body.as_bytes()]), Reason::Ended, "{body:?}");
    }
    for (body, rest) in [("data: a", "data: a"), ("{}\n\nid\n", "{}\nid"), ("da", "da")] {
        assert_eq!(end_of(&[body.as_bytes()]), Reason::ended_mid_event(rest), "{body:?}");
    }
}

#[test]
fn each_body_is_judged_by_what_it_began_with_itself() {
    let scripts = ["data: a\n\n", "oh", "no", ":\n"].map(|body| opens().sends(body).ends());
    let items = Server::new(scripts).client().items_for(secs(60));
    let causes: Vec<_> = items
        .into_iter()
        .filter_map(|item| match item {
            Seen::Reconnecting { reason, .. } => Some(reason),
            _ => None,
        })
        .collect();
    let expected =
        [Reason::Ended, not_an_event_stream("oh"), not_an_event_stream("no"), Reason::Ended];
    assert_eq!(causes, expected);
}

#[test]
fn what_is_no_event_stream_is_the_error_of_a_connection_that_must_not_be_repeated() {
    let server = Server::new([opens().sends("{}").ends()]);
    server.set_may_reconnect(|_| false);
    let items = server.client().drain();
    assert_eq!(items, [open(), Seen::Lost(not_an_event_stream("{}")), Seen::End]);
}

#[test]
fn a_connection_that_does_not_stand_in_time_is_lost() {
    let server = Server::then([hangs(), after(secs(11)).opens(), after(secs(9)).opens()], hangs());
    let mut client = server.client_with(|events| events.with_timeouts(opening(secs(10))));
    let timeout = || Reason::OpenTimeout(secs(10));
    assert_eq!(
        client.run_for(HOUR),
        [
            (secs(10), reconnecting(timeout(), secs(3), 1)),
            (secs(23), reconnecting(timeout(), secs(6), 2)),
            (secs(38), open()),
        ]
    );
    assert_eq!(server.times(), [0, 13, 29].map(secs));
    assert_eq!(server.live(), 1);
}

#[test]
fn a_refusal_in_time_is_a_refusal() {
    let server = Server::new([after(secs(9)).refuses()]);
    let mut client = server.client_with(|events| events.with_timeouts(opening(secs(10))));
    assert_eq!(client.run_for(HOUR)[0], (secs(9), refused(secs(3), 1)));
}

#[test]
fn a_silent_connection_is_lost_after_the_idle_timeout() {
    let server = Server::then([opens().sends(event_with_id("4", "x"))], hangs());
    let mut client = server.client_with(|events| events.with_timeouts(idle(ms(500))));
    assert_eq!(
        client.run_for(HOUR),
        [
            (ms(0), open()),
            (ms(0), message_with_id("4", "x")),
            (ms(500), reconnecting(Reason::IdleTimeout(ms(500)), secs(3), 1)),
        ]
    );
    assert_eq!(server.ids(), [None, id("4")]);
}

#[test]
fn the_idle_timeout_begins_when_the_connection_stands() {
    let server = Server::then([after(secs(60)).opens()], hangs());
    let mut client = server.client_with(|events| events.with_timeouts(idle(secs(5))));
    let timeout = reconnecting(Reason::IdleTimeout(secs(5)), secs(3), 1);
    assert_eq!(client.run_for(HOUR), [(secs(60), open()), (secs(65), timeout)]);
}

/// One chunk every so often, then silence.
fn trickle(every: Duration, chunks: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Script {
    chunks.into_iter().fold(opens(), |script, chunk| script.after(every).sends(chunk))
}

#[test]
fn comments_keep_a_connection_from_being_idle() {
    for reported in [false, true] {
        let server = Server::then([trickle(ms(300), vec![":\n"; 1000])], hangs());
        let mut client = server
            .client_with(|events| events.with_comments(reported).with_timeouts(idle(ms(500))));
        let items = client.run_for(HOUR);
        assert_eq!(items[0].1, open());
        let comments = if reported { 1000 } else { 0 };
        assert_eq!(items.len(), 1 + comments + 1);
        let lost = items.last().unwrap();
        assert_eq!(lost.0, ms(300) * 1000 + ms(500));
    }
}

#[test]
fn each_byte_of_a_long_line_keeps_a_connection_from_being_idle() {
    let line = format!("data: {}\n\n", "x".repeat(1000));
    let server = Server::new([trickle(ms(300), line.as_bytes().chunks(1))]);
    let mut client = server.client_with(|events| events.with_timeouts(idle(ms(500))));
    let items = client.run_until(ms(300) * line.len() as u32);
    let all = ms(300) * line.len() as u32;
    assert_eq!(items, [(ms(0), open()), (all, message(&"x".repeat(1000)))]);
}

#[test]
fn a_connection_is_not_idle_while_it_is_made_or_waited_for() {
    let server = Server::then([after(secs(60)).refuses()], hangs());
    let mut client = server.client_with(|events| events.with_timeouts(idle(secs(1))));
    assert_eq!(client.run_for(HOUR), [(secs(60), refused(secs(3), 1))]);
    assert_eq!(client.timer.pending(), 0);
}

#[test]
fn a_connection_without_events_is_lost_after_the_event_timeout() {
    let chatter = trickle(secs(1), vec![": hi\n\n", "id: 5\n\n", "retry: 9\n\n", "event: x\n\n"]);
    let server = Server::then([chatter.after(secs(1)).sends("data: unfinished\n")], hangs());
    let mut client = server.client_with(|events| events.with_timeouts(no_event(ms(5500))));
    let items = client.run_for(HOUR);
    let timeout = Reason::EventTimeout(ms(5500));
    assert_eq!(items[0], (secs(0), open()));
    assert_eq!(items[1], (ms(5500), reconnecting(timeout, ms(100), 1)));
    assert_eq!(items.len(), 2);
    assert_eq!(server.ids(), [None, id("5")]);
}

#[test]
fn each_event_prolongs_the_event_timeout() {
    let server = Server::then([trickle(secs(4), vec![event("x"); 100])], hangs());
    let mut client = server.client_with(|events| events.with_timeouts(no_event(secs(5))));
    let items = client.run_for(HOUR);
    assert_eq!(items.len(), 1 + 100 + 1);
    let timeout = reconnecting(Reason::EventTimeout(secs(5)), secs(3), 1);
    assert_eq!(items[101], (secs(405), timeout));
}

#[test]
fn events_keep_a_connection_from_being_idle_and_comments_do_not_replace_events() {
    let timeouts = Timeouts::new().with_idle(secs(2)).with_event(secs(10));
    let server = Server::then([trickle(secs(1), vec![":\n"; 100])], hangs());
    let mut client = server.client_with(|events| events.with_timeouts(timeouts));
    let timeout = reconnecting(Reason::EventTimeout(secs(10)), secs(3), 1);
    assert_eq!(client.run_for(HOUR), [(secs(0), open()), (secs(10), timeout)]);
}

#[test]
fn a_reader_who_was_away_sees_no_timeout_while_bytes_are_waiting() {
    let script = || opens().sends(event("a")).after(secs(10)).sends(event("b"));
    for timeouts in [idle(secs(5)), no_event(secs(5))] {
        let server = Server::then([script()], hangs());
        let mut client = server.client_with(|events| events.with_timeouts(timeouts));
        assert_eq!(client.drain(), [open(), message("a")]);
        client.timer.advance(secs(20));
        assert_eq!(client.drain(), [message("b")]);
        // The time runs from the reader's return.
        let items = client.run_for(HOUR);
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].0, secs(25));
    }
}

#[test]
fn a_reader_who_takes_an_event_now_and_then_sees_no_timeout_while_bytes_are_waiting() {
    let chunk = ["a", "b", "c"].map(event).concat();
    let server = Server::new([opens().sends(chunk).after(secs(60)).sends(":\n")]);
    let mut client = server.client_with(|events| events.with_timeouts(idle(secs(5))));
    assert_eq!(client.next(), open());
    for data in ["a", "b", "c"] {
        assert_eq!(client.next(), message(data));
        client.timer.advance(secs(30));
    }
    client.rests();
    assert_eq!(client.events.ready_state(), ReadyState::Open);
}

/// The bytes may be on their way to whoever comes back, through a task that had to wait
/// for it to make room.
#[test]
fn a_reader_who_comes_back_waits_from_then_on() {
    for timeouts in [idle(secs(10)), no_event(secs(10))] {
        let script = opens().sends(event("a")).after(secs(34)).sends(event("b"));
        let mut client = Server::new([script]).client_with(|events| events.with_timeouts(timeouts));
        assert_eq!((client.next(), client.next()), (open(), message("a")));
        client.timer.advance(secs(25));
        assert_eq!(client.items_for(secs(9)), [message("b")]);
        let times = client.run_for(secs(60));
        assert_eq!(times[0].0, secs(44), "from then on it waits as long as ever");
    }
}

#[test]
fn a_reader_who_was_away_sees_no_timeout_if_the_connection_stands() {
    let server = Server::then([after(secs(4)).opens().sends(event("a"))], hangs());
    let mut client = server.client_with(|events| events.with_timeouts(opening(secs(5))));
    client.rests();
    client.timer.advance(secs(60));
    assert_eq!(client.drain(), [open(), message("a")]);
}

#[test]
fn a_reader_who_was_away_sees_the_end_rather_than_a_timeout() {
    let server = Server::then([opens().after(secs(10)).ends()], hangs());
    let mut client = server.client_with(|events| events.with_timeouts(idle(secs(5))));
    client.drain();
    client.timer.advance(secs(20));
    assert!(matches!(client.next(), Seen::Reconnecting { reason: Reason::Ended, .. }));
}

#[test]
fn a_reader_who_was_away_sees_no_timeout_though_its_event_comes_in_many_pieces() {
    let bytes = event(&"x".repeat(1000));
    let pieces = bytes.bytes().fold(opens(), |script, byte| script.sends([byte]));
    let server = Server::new([pieces]);
    let mut client = server.client_with(|events| events.with_timeouts(no_event(secs(10))));
    assert_eq!(client.next(), open());
    client.timer.advance(secs(25));
    assert_eq!(client.items_for(secs(9)), [message(&"x".repeat(1000))]);
}

#[test]
fn an_event_in_the_last_chunk_that_a_poll_takes_is_given_before_any_timeout() {
    let script = (0..63).fold(opens(), |script, _| script.sends(":\n")).sends(event("a"));
    let server = Server::new([script]);
    let mut client = server.client_with(|events| events.with_timeouts(no_event(secs(10))));
    assert_eq!(client.next(), open());
    client.timer.advance(secs(25));
    assert_eq!(client.next(), message("a"));
}

#[test]
fn comments_that_flood_put_the_event_timeout_off_once_and_no_more() {
    let comments = (0..100_000).fold(opens(), |script, _| script.sends(":\n"));
    let server = Server::new([comments]);
    let mut client = server.client_with(|events| events.with_timeouts(no_event(secs(10))));
    assert_eq!(client.next(), open());
    client.rests();
    client.timer.advance(secs(10));
    client.rests();
    client.timer.advance(secs(9));
    client.rests();
    client.timer.advance(secs(1));
    assert_eq!(client.next(), reconnecting(Reason::EventTimeout(secs(10)), secs(3), 1));
}

#[test]
fn timeouts_are_failures_like_others() {
    let server = Server::always(opens());
    let spy = Spy::default();
    let mut client = server
        .client_with(|events| events.with_timeouts(idle(secs(2))).with_retry_policy(spy.clone()));
    client.run_until(secs(10));
    assert_eq!(server.times(), [0, 3, 6, 9].map(secs));
    assert_eq!(spy.kinds(), [DisconnectKind::TimedOut; 3]);
    assert!(spy.losses().iter().all(|loss| !loss.healthy));
    let attempts: Vec<u32> = spy.losses().iter().map(|loss| loss.attempt).collect();
    assert_eq!(attempts, [1, 2, 3]);
}

#[test]
fn there_are_no_more_timers_than_needed() {
    let all = Timeouts::new().with_open(HOUR).with_idle(HOUR).with_event(HOUR);
    let server = Server::then([opens().sends(event("x")).after(secs(1)).ends()], hangs());
    let mut client = server.client_with(|events| events.with_timeouts(all));
    client.drain();
    // The end of the script, idle and event; the connection is proved.
    assert_eq!(client.timer.pending(), 1 + 2);
    client.run_until(secs(2));
    assert_eq!(client.timer.pending(), 1, "the delay");
    client.run_until(secs(5));
    assert_eq!(client.timer.pending(), 1, "the open timeout");

    let mut client = Server::new([opens()]).client();
    client.drain();
    assert_eq!(client.timer.pending(), 1, "the proof by uptime");
    client.run_for(secs(6));
    assert_eq!(client.timer.pending(), 0);
}

// --------------------------------------------------------------- last event id

/// The ids that the attempts send if their connections bring these bodies, one
/// after the other, and end.
fn ids_of(bodies: &[&str]) -> Vec<Option<String>> {
    let server = Server::new(bodies.iter().map(|body| opens().sends(body).ends()));
    server.client().run_for(HOUR);
    let ids = server.ids();
    assert_eq!(ids.len(), bodies.len() + 1);
    ids
}

#[test]
fn the_last_id_is_sent_with_the_next_attempt() {
    let body = "id: 1\ndata: a\n\nid: 2\ndata: b\n\n";
    assert_eq!(ids_of(&[body]), [None, id("2")]);
}

#[test]
fn the_last_id_stays_over_connections_that_bring_none() {
    let bodies = ["id: 1\ndata: a\n\n", "data: b\n\n", "", "data: c\n\n", "id: 2\ndata: d\n\n"];
    assert_eq!(ids_of(&bodies), [None, id("1"), id("1"), id("1"), id("1"), id("2")]);
}

#[test]
fn events_without_an_id_carry_the_one_of_an_earlier_connection() {
    let server =
        Server::new([opens().sends("id: 1\ndata: a\n\n").ends(), opens().sends("data: b\n\n")]);
    assert_eq!(
        server.client().items_for(HOUR),
        [
            open(),
            message_with_id("1", "a"),
            ended(secs(3), 1),
            reopen_from("1"),
            message_with_id("1", "b"),
        ]
    );
}

#[test]
fn the_id_of_a_truncated_event_is_not_used() {
    for truncated in ["id: 2", "id: 2\n", "id: 2\ndata: b", "id: 2\ndata: b\n", "id: 2\r\n"] {
        let body = format!("id: 1\ndata: a\n\n{truncated}");
        assert_eq!(ids_of(&[&body]), [None, id("1")], "{truncated:?}");
        assert_eq!(ids_of(&[truncated]), [None, None], "{truncated:?}");
        // Nor does it turn up later.
        assert_eq!(ids_of(&[truncated, "\ndata: x\n\n"]), [None, None, None], "{truncated:?}");
    }
}

#[test]
fn an_id_in_a_block_without_data_counts() {
    assert_eq!(ids_of(&["id: 1\n\n"]), [None, id("1")]);
    assert_eq!(ids_of(&["id: 1\ndata: a\n\nid: 2\n\n"]), [None, id("2")]);
    assert_eq!(ids_of(&["id: 1\n\n", "data: a\n\n"]), [None, id("1"), id("1")]);
}

#[test]
fn an_empty_id_means_that_none_is_sent() {
    for reset in ["id\n\n", "id:\n\n", "id: \n\n", "id\ndata: b\n\n", "id:\ndata: b\n\n"] {
        let body = format!("id: 1\ndata: a\n\n{reset}");
        assert_eq!(ids_of(&[&body]), [None, None], "{reset:?}");
        assert_eq!(ids_of(&["id: 1\ndata: a\n\n", reset]), [None, id("1"), None], "{reset:?}");
    }
}

#[test]
fn an_id_with_nul_is_ignored() {
    assert_eq!(ids_of(&["id: 1\ndata: a\n\nid: 2\0x\ndata: b\n\n"]), [None, id("1")]);
}

#[test]
fn any_other_id_is_sent_as_it_is() {
    let long = "x".repeat(8000);
    for text in
        ["0", "null", "undefined", "-1", "é", "…", "😀", "a b", "a:b", " x ", "\u{1}", &long]
    {
        assert_eq!(ids_of(&[&format!("id: {text}\ndata: a\n\n")]), [None, id(text)]);
        let mut again = ids_of(&[&format!("id: {text}\n\n"), "data: a\n\n", "data: b\n\n"]);
        assert_eq!(again.split_off(1), [id(text), id(text), id(text)]);
    }
}

#[test]
fn the_id_of_a_discarded_event_is_not_used() {
    let body = "id: 1\ndata: a\n\nid: 2\ndata: far too long\n\n";
    for (on_oversize, last) in
        [(OnOversize::Discard, ended(secs(3), 1)), (OnOversize::Fail, Seen::End)]
    {
        let server = Server::then([opens().sends(body).ends()], opens());
        let mut client = server
            .client_with(|events| events.with_max_event_size(12).with_on_oversize(on_oversize));
        assert_eq!(client.drain().last(), Some(&last));
        assert_eq!(client.last_event_id(), Some("1"));
        client.events.force_reconnect();
        assert_eq!(client.next(), reopen_from("1"));
    }
}

#[test]
fn the_first_attempt_sends_the_id_to_start_from() {
    for (start, sent) in [("41", id("41")), ("", None)] {
        let server = Server::new([hangs()]);
        let mut client = server.client_with(|events| events.with_last_event_id(start));
        assert_eq!(client.last_event_id(), sent.as_deref());
        client.rests();
        assert_eq!(server.ids(), [sent]);
    }
}

#[test]
fn the_last_start_to_be_set_counts() {
    let server = Server::new([hangs()]);
    let mut client = server.client_with(|events| {
        assert_eq!(events.last_event_id(), None);
        let events = events.with_last_event_id("1");
        assert_eq!(events.last_event_id().map(|id| &**id), Some("1"));
        events.with_last_event_id("2")
    });
    assert_eq!(client.last_event_id(), Some("2"));
    client.rests();
    assert_eq!(server.ids(), [id("2")]);
}

#[test]
fn a_start_is_kept_by_events_that_have_no_id() {
    let server = Server::then([opens().sends(event("x")).ends()], hangs());
    let mut client = server.client_with(|events| events.with_last_event_id("41"));
    assert!(client.items_for(HOUR).contains(&message_with_id("41", "x")));
    assert_eq!(server.ids(), [id("41"), id("41")]);
}

#[test]
fn the_last_id_is_that_of_the_last_item() {
    let chunk = (1..=10).map(|n| event_with_id(&n.to_string(), "x")).collect::<String>();
    let server = Server::then([opens().sends(chunk)], opens());
    let mut client = server.client();
    let handle = client.handle();
    client.next();
    assert_eq!(client.last_event_id(), None);
    for n in 1..=10 {
        let n = n.to_string();
        assert_eq!(client.next(), message_with_id(&n, "x"));
        assert_eq!(client.last_event_id(), Some(&*n));
        assert_eq!(handle.last_event_id().as_deref(), Some(&*n));
    }
}

#[test]
fn what_was_received_and_not_given_is_asked_for_again() {
    let chunk = (1..=10).map(|n| event_with_id(&n.to_string(), "x")).collect::<String>();
    let server = Server::then([opens().sends(chunk)], opens().sends(event("y")));
    let mut client = server.client();
    client.next();
    for _ in 0..3 {
        client.next();
    }
    client.events.force_reconnect();
    assert_eq!(client.last_event_id(), Some("3"));
    assert_eq!(client.drain(), [reopen_from("3"), message_with_id("3", "y")]);
    assert_eq!(server.ids(), [None, id("3")]);
}

#[test]
fn an_id_without_data_behind_the_last_item_does_not_count_before_it_is_passed() {
    let chunk = "id: 1\ndata: a\n\nid: 2\n\ndata: b\n\n";
    for (taken, expected) in [(1, "1"), (2, "2")] {
        let server = Server::then([opens().sends(chunk)], opens());
        let mut client = server.client();
        client.next();
        for _ in 0..taken {
            client.next();
        }
        client.events.force_reconnect();
        assert_eq!(client.next(), reopen_from(expected));
    }
}

#[test]
fn what_was_given_of_a_large_chunk_counts_to_the_very_event() {
    const EVENTS: usize = 10_000;
    let chunk =
        (1..=EVENTS).map(|n| event_with_id(&n.to_string(), "some text")).collect::<String>();
    assert!(chunk.len() > 200_000);
    for taken in [1, 2, 999, 2500, 5000, 7777, EVENTS - 1, EVENTS] {
        let server = Server::then([opens().sends(&chunk)], opens());
        let mut client = server.client();
        client.next();
        for _ in 0..taken {
            client.next();
        }
        client.events.force_reconnect();
        // What was not given is not given on the next connection either.
        assert_eq!(client.drain(), [reopen_from(&taken.to_string())]);
        assert_eq!(client.last_event_id(), Some(&*taken.to_string()));
    }
}

// ----------------------------------------------------------------------- close

#[test]
fn close_drops_everything_at_once_wherever_the_stream_is() {
    for place in PLACES {
        let mut client = client_at(place);
        let attempts = client.server.attempts();
        // The second call does nothing.
        for _ in 0..2 {
            client.events.close();
            assert_eq!(client.server.live(), 0, "{place:?}");
            assert_eq!(client.timer.pending(), 0, "{place:?}");
            assert_eq!(client.events.ready_state(), ReadyState::Closed, "{place:?}");
            assert!(client.events.is_terminated(), "{place:?}");
            assert_eq!(client.last_event_id(), Some("7"), "{place:?}");
        }
        for _ in 0..10 {
            assert_eq!(client.items_for(HOUR), [Seen::End], "{place:?}");
        }
        assert_eq!(client.server.attempts(), attempts, "{place:?}");
        assert_eq!(client.timer.pending(), 0, "{place:?}");
    }
}

#[test]
fn a_stream_that_is_closed_before_its_first_poll_never_connects() {
    let mut client = Server::always(opens()).client();
    client.events.close();
    assert_eq!(client.items_for(HOUR), [Seen::End]);
    assert_eq!(client.server.attempts(), 0);
}

#[test]
fn events_that_were_received_are_not_given_after_close() {
    let mut client = client_at(Place::Buffered);
    client.events.close();
    assert_eq!(client.next(), Seen::End);
    // Nor when the stream is revived.
    client.events.force_reconnect();
    assert_eq!(client.drain(), [reopen_from("7")]);
}

#[test]
fn close_ends_a_loop_over_the_stream() {
    let chunk = ["a", "stop", "b"].map(event).concat();
    let mut client = Server::always(opens().sends(chunk)).client();
    let mut seen = Vec::new();
    loop {
        let item = client.next();
        if item == Seen::End {
            break;
        }
        if item == message("stop") {
            client.events.close();
        }
        seen.push(item);
    }
    assert_eq!(seen, [open(), message("a"), message("stop")]);
}

// ------------------------------------------------------------- force_reconnect

#[test]
fn force_connects_at_once_wherever_the_stream_is() {
    for place in PLACES {
        let mut client = client_at(place);
        let (attempts, was_open) = (client.server.attempts(), client.server.attempts() > 0);
        client.events.force_reconnect();
        assert_eq!(client.server.live(), 0, "{place:?}");
        assert_eq!(client.timer.pending(), 0, "{place:?}");
        assert_eq!(client.events.ready_state(), ReadyState::Connecting, "{place:?}");
        assert!(!client.events.is_terminated(), "{place:?}");
        assert_eq!(client.server.attempts(), attempts, "not before the next poll: {place:?}");

        // No item tells of the connection that was given up.
        let Seen::Open { is_reconnect, last_event_id } = client.next() else { panic!("{place:?}") };
        client.rests();
        assert_eq!(last_event_id, id("7"), "{place:?}");
        assert_eq!(client.server.attempts(), attempts + 1, "{place:?}");
        assert_eq!(client.server.live(), 1, "{place:?}");
        let asked = client.server.last_asked();
        assert_eq!(asked.at, client.now(), "{place:?}");
        assert_eq!((asked.number, asked.reason), (0, None), "{place:?}");
        assert_eq!(asked.was_open, is_reconnect, "{place:?}");
        assert!(was_open || !is_reconnect);
    }
}

#[test]
fn force_makes_as_if_nothing_had_failed_before() {
    for place in PLACES {
        let mut client = client_at(place);
        client.events.force_reconnect();
        assert!(matches!(client.next(), Seen::Open { .. }));
        let items = client.run_for(2 * HOUR);
        // An hour without a byte, which is healthy.
        let timeout = reconnecting(Reason::IdleTimeout(HOUR), secs(3), 1);
        assert_eq!(items[0].1, timeout, "{place:?}");
    }
    // And for failures in a row:
    let server = Server::always(refuses());
    let mut client =
        server.client_with(|events| events.with_retry_policy(exact().with_max_retries(3)));
    for _ in 0..10 {
        let items = client.items_for(secs(10));
        assert_eq!(items, [refused(secs(3), 1), refused(secs(6), 2), refused(secs(12), 3)]);
        client.events.force_reconnect();
    }
}

#[test]
fn force_drops_the_event_under_way_and_its_id() {
    let server = Server::then(
        [opens().sends("id: 1\ndata: a\n\nid: 2\ndata: b\n")],
        opens().sends("\ndata: c\n\n"),
    );
    let mut client = server.client();
    client.drain();
    client.events.force_reconnect();
    assert_eq!(client.drain(), [reopen_from("1"), message_with_id("1", "c")]);
}

#[test]
fn force_again_and_again_leaves_one_connection() {
    for script in [hangs(), opens(), opens().sends(event("x")), opens().ends(), refuses()] {
        let server = Server::always(script);
        let mut client = server.client_with(|events| {
            events.with_timeouts(Timeouts::new().with_open(HOUR).with_idle(HOUR).with_event(HOUR))
        });
        for _ in 0..1000 {
            client.events.force_reconnect();
        }
        assert_eq!(server.attempts(), 0);
        for nth in 0..1000 {
            // The server refuses to have two connections.
            client.events.force_reconnect();
            let _ = client.poll();
            assert_eq!(server.attempts(), nth + 1);
            assert!(server.live() <= 1);
            assert!(client.timer.pending() <= 3);
        }
        client.events.close();
        assert_eq!((server.live(), client.timer.pending()), (0, 0));
    }
}

#[test]
fn force_with_an_id_asks_for_that_one_wherever_the_stream_is() {
    let long = "9".repeat(8000);
    for place in PLACES {
        for new in [Some("41"), Some("é…😀"), Some(&*long), Some(""), None] {
            let mut client = client_at(place);
            let handle = client.handle();
            client.events.force_reconnect_with_id(new.map(Arc::from));
            let new = new.filter(|id| !id.is_empty());
            assert_eq!(client.last_event_id(), new, "{place:?}");
            assert_eq!(handle.last_event_id().as_deref(), new, "{place:?}");
            assert_eq!(client.server.live(), 0, "{place:?}");
            assert!(matches!(client.next(), Seen::Open { .. }), "{place:?}");
            client.rests();
            assert_eq!(client.server.last_asked().last_event_id.as_deref(), new, "{place:?}");
        }
    }
}

#[test]
fn events_without_an_id_carry_the_one_that_was_forced() {
    let server = Server::then([opens().sends(event_with_id("7", "a"))], opens().sends(event("b")));
    let mut client = server.client();
    client.drain();
    client.events.force_reconnect_with_id(Some("3".into()));
    assert_eq!(client.drain(), [reopen_from("3"), message_with_id("3", "b")]);
    client.events.force_reconnect_with_id(None);
    assert_eq!(client.drain(), [reopen(), message("b")]);
}

#[test]
fn an_id_that_was_forced_is_asked_for_until_another_comes() {
    let server = Server::then(
        [opens(), opens().ends(), refuses(), opens().sends(event_with_id("5", "x")).ends()],
        hangs(),
    );
    let mut client = server.client();
    client.drain();
    client.events.force_reconnect_with_id(Some("3".into()));
    client.run_for(HOUR);
    assert_eq!(server.ids(), [None, id("3"), id("3"), id("3"), id("5")]);
}

// ------------------------------------------------------------------------ drop

#[test]
fn drop_frees_everything_wherever_the_stream_is() {
    for place in PLACES {
        let mut client = client_at(place);
        let handle = client.handle();
        let _ = client.poll();
        let (server, timer, attempts) =
            (client.server.clone(), client.timer.clone(), client.server.attempts());
        drop(client);
        assert_eq!(server.live(), 0, "{place:?}");
        assert_eq!(timer.pending(), 0, "{place:?}");
        assert_eq!(handle.ready_state(), ReadyState::Closed, "{place:?}");
        timer.advance(HOUR);
        assert_eq!(server.attempts(), attempts, "{place:?}");
    }
}

#[test]
fn a_dropped_stream_keeps_no_waker() {
    let mut client = Server::new([opens()]).client();
    let handle = client.handle();
    let (wakes, waker) = Wakes::new();
    assert!(client.poll_with(&waker).is_ready());
    assert!(client.poll_with(&waker).is_pending());
    drop((client, waker));
    assert_eq!(Arc::strong_count(&wakes), 1, "the handle keeps a task alive");
    assert_eq!(handle.ready_state(), ReadyState::Closed);
}

// --------------------------------------------------------------------- handles

/// Another thread does this.
fn elsewhere<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join().unwrap())
}

#[test]
fn a_handle_closes_the_stream_wherever_it_is() {
    for place in PLACES {
        let mut client = client_at(place);
        let handle = client.handle();
        let attempts = client.server.attempts();
        assert_eq!(handle.ready_state(), place.ready_state(), "{place:?}");
        assert_eq!(handle.last_event_id().as_deref(), Some("7"), "{place:?}");
        elsewhere(|| handle.close());
        assert_eq!(handle.ready_state(), ReadyState::Closed, "{place:?}");
        assert_eq!(client.next(), Seen::End, "{place:?}");
        assert_eq!(client.events.ready_state(), ReadyState::Closed, "{place:?}");
        assert_eq!(handle.ready_state(), ReadyState::Closed, "{place:?}");
        assert_eq!((client.server.live(), client.timer.pending()), (0, 0), "{place:?}");
        assert_eq!(client.items_for(HOUR), [Seen::End], "{place:?}");
        assert_eq!(client.server.attempts(), attempts, "{place:?}");
        assert_eq!(handle.last_event_id().as_deref(), Some("7"), "{place:?}");
    }
}

#[test]
fn a_handle_reconnects_the_stream_wherever_it_is() {
    for place in PLACES {
        let mut client = client_at(place);
        let handle = client.handle();
        let attempts = client.server.attempts();
        elsewhere(|| handle.reconnect_now());
        assert_eq!(handle.ready_state(), ReadyState::Connecting, "{place:?}");
        let Seen::Open { last_event_id, .. } = client.next() else { panic!("{place:?}") };
        client.rests();
        assert_eq!(last_event_id, id("7"), "{place:?}");
        assert_eq!(handle.ready_state(), ReadyState::Open, "{place:?}");
        let asked = client.server.last_asked();
        assert_eq!((asked.at, asked.number, asked.reason), (client.now(), 0, None), "{place:?}");
        assert_eq!(client.server.attempts(), attempts + 1, "{place:?}");
    }
}

#[test]
fn an_order_wakes_whoever_waits_for_an_item() {
    let orders: [fn(&Handle); 2] = [Handle::close, Handle::reconnect_now];
    for place in PLACES {
        for order in orders {
            if place.is_end() {
                continue;
            }
            let mut client = client_at(place);
            let handle = client.handle();
            client.drain();
            client.wakes.take();
            elsewhere(|| order(&handle));
            assert!(client.wakes.take() > 0, "{place:?}");
            assert!(client.poll().is_ready(), "{place:?}");
        }
    }
}

#[test]
fn an_order_wakes_the_last_who_polled() {
    let mut client = client_at(Place::Open);
    let handle = client.handle();
    let (wakes, waker) = Wakes::new();
    let (later_wakes, later_waker) = Wakes::new();
    assert!(client.poll_with(&waker).is_pending());
    assert!(client.poll_with(&later_waker).is_pending());
    handle.close();
    assert_eq!((wakes.count(), later_wakes.count()), (0, 1));
}

#[test]
fn an_order_that_was_given_before_the_poll_is_carried_out_by_it() {
    let mut client = Server::always(opens()).client();
    let handle = client.handle();
    handle.close();
    assert_eq!(client.next(), Seen::End);
    assert_eq!(client.server.attempts(), 0);
}

#[test]
fn an_order_that_is_given_during_a_poll_is_carried_out_by_it() {
    for (order, outcome) in
        [(Handle::close as fn(&Handle), Seen::End), (Handle::reconnect_now, reopen())]
    {
        let handle: Arc<OnceLock<Handle>> = Arc::default();
        let given = Arc::clone(&handle);
        let script = opens().after(secs(1)).does(move || order(given.get().unwrap()));
        let mut client = Server::then([script], opens()).client();
        handle.set(client.handle()).unwrap();
        client.drain();
        client.timer.advance(secs(1));
        assert_eq!(client.next(), outcome);
    }
}

#[test]
fn of_two_orders_the_later_one_counts() {
    let mut client = client_at(Place::Open);
    let (handle, other) = (client.handle(), client.handle());
    handle.close();
    other.reconnect_now();
    assert_eq!(handle.ready_state(), ReadyState::Connecting);
    assert!(matches!(client.next(), Seen::Open { .. }));

    handle.reconnect_now();
    other.close();
    assert_eq!(handle.ready_state(), ReadyState::Closed);
    assert_eq!(client.next(), Seen::End);

    handle.reconnect_now();
    handle.reconnect_now();
    assert!(matches!(client.next(), Seen::Open { .. }));
    client.rests();
}

#[test]
fn a_close_of_the_stream_itself_counts_over_an_earlier_order() {
    for place in PLACES {
        let mut client = client_at(place);
        let handle = client.handle();
        let attempts = client.server.attempts();
        handle.reconnect_now();
        client.events.close();
        assert_eq!(handle.ready_state(), ReadyState::Closed, "{place:?}");
        assert_eq!(client.items_for(HOUR), [Seen::End], "{place:?}");
        assert_eq!(client.server.attempts(), attempts, "{place:?}");
    }
}

#[test]
fn a_forced_reconnection_of_the_stream_itself_counts_over_an_earlier_order() {
    let forces: [fn(&mut Events); 2] =
        [Events::force_reconnect, |events| events.force_reconnect_with_id(Some("3".into()))];
    for place in PLACES {
        for force in forces {
            let mut client = client_at(place);
            let handle = client.handle();
            handle.close();
            force(&mut client.events);
            assert_eq!(handle.ready_state(), ReadyState::Connecting, "{place:?}");
            assert!(matches!(client.next(), Seen::Open { .. }), "{place:?}");
        }
    }
}

#[test]
fn an_order_counts_over_what_was_done_to_the_stream_before() {
    let mut client = client_at(Place::Open);
    let handle = client.handle();
    client.events.close();
    handle.reconnect_now();
    assert!(matches!(client.next(), Seen::Open { .. }));
    client.events.force_reconnect();
    handle.close();
    assert_eq!(client.next(), Seen::End);
}

#[test]
fn the_state_that_an_order_leads_to_is_seen_while_it_is_carried_out() {
    for (order, expected) in [
        (Handle::close as fn(&Handle), ReadyState::Closed),
        (Handle::reconnect_now, ReadyState::Connecting),
    ] {
        let mut client = client_at(Place::Open);
        let handle = client.handle();
        let seen: Arc<Mutex<Vec<ReadyState>>> = Arc::default();
        let (observer, observed) = (handle.clone(), Arc::clone(&seen));
        // The moment at which the connection is dropped is in the middle of it.
        client.server.when_dropped(move || observed.lock().unwrap().push(observer.ready_state()));
        order(&handle);
        let _ = client.poll();
        assert_eq!(*seen.lock().unwrap(), [expected]);
    }
}

#[test]
fn the_state_is_connecting_open_connecting_open_closed_over_a_life() {
    let server = Server::new([opens().ends(), opens().sends(event("x"))]);
    let mut client = server.client();
    let handle = client.handle();
    let mut states = vec![client.events.ready_state()];
    assert_eq!(handle.ready_state(), ReadyState::Connecting);
    let mut look = |client: &Client, seen: Seen| {
        assert_eq!(client.events.ready_state(), handle.ready_state(), "{seen:?}");
        states.push(handle.ready_state());
    };
    let first = client.next();
    look(&client, first);
    let lost = client.next();
    look(&client, lost);
    client.rests();
    client.timer.advance(secs(3));
    let second = client.next();
    look(&client, second);
    let message = client.next();
    look(&client, message);
    client.events.close();
    look(&client, Seen::End);
    let [connecting, open, closed] = [ReadyState::Connecting, ReadyState::Open, ReadyState::Closed];
    assert_eq!(states, [connecting, open, connecting, open, open, closed]);
    assert_eq!([connecting as u8, open as u8, closed as u8], [0, 1, 2]);
}

#[test]
fn a_handle_knows_the_last_id() {
    let server = Server::new([opens()
        .sends("id: 1\ndata: a\n\n")
        .sends("data: b\n\n")
        .sends("id: 2\n\n")
        .after(secs(1))
        .sends("id: 3\ndata: c\n\n")
        .sends("id\ndata: d\n\n")]);
    let mut client = server.client();
    let handle = client.handle();
    assert_eq!(handle.last_event_id(), None);
    client.next();
    assert_eq!(handle.last_event_id(), None);
    assert_eq!(client.next(), message_with_id("1", "a"));
    assert_eq!(handle.last_event_id().as_deref(), Some("1"));
    assert_eq!(client.next(), message_with_id("1", "b"));
    assert_eq!(handle.last_event_id().as_deref(), Some("1"));
    client.rests();
    assert_eq!(handle.last_event_id().as_deref(), Some("2"), "a block without data");
    client.timer.advance(secs(1));
    client.next();
    assert_eq!(handle.last_event_id().as_deref(), Some("3"));
    client.next();
    assert_eq!(handle.last_event_id(), None);
    client.events.force_reconnect_with_id(Some("4".into()));
    assert_eq!(client.handle().last_event_id().as_deref(), Some("4"));
    assert_eq!(handle.last_event_id().as_deref(), Some("4"));
    drop(client);
    assert_eq!(handle.last_event_id().as_deref(), Some("4"), "it outlives the stream");
}

#[test]
fn a_handle_that_is_taken_late_knows_all() {
    let mut client = Server::new([opens().sends("id: 1\ndata: a\n\n")]).client();
    client.drain();
    let handle = client.handle();
    assert_eq!(handle.ready_state(), ReadyState::Open);
    assert_eq!(handle.last_event_id().as_deref(), Some("1"));
}

#[test]
fn a_handle_that_was_taken_before_the_start_was_set_knows_it() {
    let mut handle = None;
    let mut client = Server::new([hangs()]).client_with(|mut events| {
        handle = Some(events.handle());
        events.with_last_event_id("41")
    });
    let handle = handle.unwrap();
    assert_eq!(handle.last_event_id().as_deref(), Some("41"));
    client.rests();
    assert_eq!(handle.last_event_id().as_deref(), Some("41"));
    assert_eq!(client.server.ids(), [id("41")]);
}

fn counts(stats: Stats) -> [u64; 4] {
    [stats.attempts, stats.opens, stats.events, stats.bytes]
}

#[test]
fn a_stream_and_its_handle_count_attempts_opens_events_and_bytes() {
    let body = opens().sends(":\n\n").sends("data: a\n\ndata: b\n\n");
    let mut client = Server::new([refuses(), body.ends(), opens()]).client();
    let handle = client.handle();
    assert_eq!(counts(handle.stats()), [0; 4]);
    assert_eq!(client.drain(), [refused(secs(3), 1)]);
    assert_eq!(counts(elsewhere(|| handle.stats())), [1, 0, 0, 0]);
    client.timer.advance(secs(3));
    for (seen, expected) in
        [(open(), [2, 1, 0, 0]), (message("a"), [2, 1, 1, 21]), (message("b"), [2, 1, 2, 21])]
    {
        assert_eq!(client.next(), seen);
        assert_eq!(counts(handle.stats()), expected);
        assert_eq!(counts(client.events.stats()), expected);
    }
    client.items_for(secs(3));
    assert_eq!(counts(handle.stats()), [3, 2, 2, 21]);
    client.events.close();
    client.events.force_reconnect();
    client.drain();
    assert_eq!(counts(handle.stats()), [4, 2, 2, 21], "they outlive all of that");
    assert_eq!(handle.stats(), client.handle().stats());
    drop(client);
    assert_eq!(counts(handle.stats()), [4, 2, 2, 21]);
}

#[test]
fn a_handle_that_is_taken_late_knows_what_was_counted() {
    let mut client = Server::new([opens().sends(event("a"))]).client();
    client.drain();
    assert_eq!(counts(client.handle().stats()), [1, 1, 1, 9]);
}

#[test]
fn a_watch_gives_the_present_state_and_then_each_that_follows() {
    use ReadyState::{Closed, Connecting, Open};
    let mut client = Server::new([after(secs(1)).opens().after(secs(1)).ends(), opens()]).client();
    let mut states = client.handle().watch();
    let (wakes, waker) = Wakes::new();
    let mut next = |expected: Poll<Option<ReadyState>>| {
        assert_eq!(Pin::new(&mut states).poll_next(&mut Context::from_waker(&waker)), expected);
        wakes.take();
    };
    next(Poll::Ready(Some(Connecting)));
    next(Poll::Pending);
    client.rests();
    assert_eq!(wakes.count(), 0, "connecting is connecting");
    client.run_for(secs(1));
    assert_eq!(wakes.count(), 1);
    next(Poll::Ready(Some(Open)));
    next(Poll::Pending);
    client.run_for(secs(1));
    assert_eq!(wakes.count(), 1);
    next(Poll::Ready(Some(Connecting)));
    client.run_for(secs(3));
    client.events.close();
    next(Poll::Ready(Some(Closed)));
    next(Poll::Pending);
    client.events.force_reconnect();
    assert_eq!(wakes.count(), 1, "a closed stream may be revived");
    next(Poll::Ready(Some(Connecting)));
    next(Poll::Pending);
    drop(client);
    assert_eq!(wakes.count(), 1);
    next(Poll::Ready(Some(Closed)));
    next(Poll::Ready(None));
    next(Poll::Ready(None));
}

#[test]
fn a_watch_sees_the_state_that_an_order_leads_to_at_once() {
    let mut client = client_at(Place::Open);
    let handle = client.handle();
    let mut watches = [handle.watch(), handle.watch()];
    for (order, state) in [
        (Handle::close as fn(&Handle), ReadyState::Closed),
        (Handle::reconnect_now, ReadyState::Connecting),
    ] {
        for watch in &mut watches {
            while watch.next().now_or_never().is_some() {}
        }
        order(&handle);
        for watch in &mut watches {
            assert_eq!(watch.next().now_or_never(), Some(Some(state)));
        }
    }
}

#[test]
fn a_watch_that_is_dropped_keeps_no_waker() {
    let mut client = client_at(Place::Open);
    let handle = client.handle();
    let (wakes, waker) = Wakes::new();
    for _ in 0..3 {
        let mut watches = [handle.watch(), handle.watch()];
        for watch in &mut watches {
            while Pin::new(&mut *watch).poll_next(&mut Context::from_waker(&waker)).is_ready() {}
        }
        let [first, second] = watches;
        drop(first);
        client.events.close();
        assert_eq!(wakes.take(), 1, "the other one is woken");
        drop(second);
        client.events.force_reconnect();
        assert_eq!(wakes.take(), 0);
    }
    drop(waker);
    assert_eq!(Arc::strong_count(&wakes), 1);
}

#[test]
fn watches_on_other_threads_see_every_last_state() {
    let mut client = Server::always(opens()).client();
    let handle = client.handle();
    let watchers: Vec<_> = (0..4)
        .map(|_| {
            let mut states = handle.watch();
            thread::spawn(move || {
                let mut last = None;
                while let Some(state) = futures_executor::block_on(states.next()) {
                    assert_ne!(last, Some(state));
                    last = Some(state);
                }
                last
            })
        })
        .collect();
    for _ in 0..1000 {
        client.drain();
        client.events.force_reconnect();
        drop(handle.watch());
    }
    drop(client);
    for watcher in watchers {
        assert_eq!(watcher.join().unwrap(), Some(ReadyState::Closed));
    }
}

#[test]
fn dropping_a_handle_does_nothing() {
    let mut client = client_at(Place::Open);
    drop(client.handle());
    let handle = client.handle();
    drop(handle.clone());
    client.rests();
    assert_eq!(client.events.ready_state(), ReadyState::Open);
    assert_eq!(client.server.live(), 1);
}

#[test]
fn a_dropped_stream_is_closed_whatever_is_ordered() {
    let orders: [fn(&Handle); 3] = [Handle::close, Handle::reconnect_now, |_| ()];
    for place in PLACES {
        for before in orders {
            for afterwards in orders {
                let mut client = client_at(place);
                let handle = client.handle();
                before(&handle);
                drop(client);
                assert_eq!(handle.ready_state(), ReadyState::Closed, "{place:?}");
                afterwards(&handle);
                assert_eq!(handle.ready_state(), ReadyState::Closed, "{place:?}");
            }
        }
    }
}

#[test]
fn debugging_shows_what_a_handle_knows() {
    let shown = format!("{:?}", client_at(Place::Open).handle());
    assert!(shown.contains("Open") && shown.contains("\"7\""), "{shown}");
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for the next item without polling in vain.
fn block_on_next(events: &mut Events) -> Option<<Events as Stream>::Item> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        let polled = Pin::new(&mut *events).poll_next(&mut Context::from_waker(&waker));
        match polled {
            Poll::Ready(item) => return item,
            Poll::Pending => thread::park(),
        }
    }
}

fn wait_for(handle: &Handle, state: ReadyState) {
    while handle.ready_state() != state {
        thread::yield_now();
    }
}

#[test]
fn a_thread_that_waits_for_an_item_is_freed_by_close() {
    let mut client = Server::new([opens()]).client();
    let handle = client.handle();
    let reader = thread::spawn(move || {
        let mut items = 0;
        while block_on_next(&mut client.events).is_some() {
            items += 1;
        }
        items
    });
    wait_for(&handle, ReadyState::Open);
    handle.close();
    assert_eq!(handle.ready_state(), ReadyState::Closed);
    assert_eq!(reader.join().unwrap(), 1);
}

#[test]
fn a_thread_that_waits_for_a_delay_is_freed_by_reconnect_now() {
    let server = Server::then([refuses()], opens());
    let mut client = server.client();
    let handle = client.handle();
    let reader = thread::spawn(move || {
        let mut items = 0;
        while block_on_next(&mut client.events).is_some() {
            items += 1;
        }
        items
    });
    while server.attempts() == 0 || server.live() > 0 {
        thread::yield_now();
    }
    handle.reconnect_now();
    wait_for(&handle, ReadyState::Open);
    assert_eq!(server.attempts(), 2);
    handle.close();
    assert_eq!(reader.join().unwrap(), 2, "a loss and an open connection");
}

#[test]
fn orders_from_many_threads_leave_one_connection_and_a_clear_end() {
    const ORDERS: usize = 2000;

    let server = Server::always(opens().sends(event("x")));
    let mut client = server.client();
    let handle = client.handle();
    let over = Arc::new(AtomicBool::new(false));
    let reader = {
        let over = Arc::clone(&over);
        thread::spawn(move || {
            loop {
                // Two connections at a time would panic here.
                if block_on_next(&mut client.events).is_none() && over.load(Ordering::SeqCst) {
                    return client;
                }
            }
        })
    };
    let threads: Vec<_> = (0..3)
        .map(|n| {
            let handle = handle.clone();
            thread::spawn(move || {
                let mut rng = fastrand::Rng::with_seed(n);
                for _ in 0..ORDERS {
                    if rng.bool() { handle.close() } else { handle.reconnect_now() }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    over.store(true, Ordering::SeqCst);
    handle.close();
    let client = reader.join().unwrap();
    assert_eq!(handle.ready_state(), ReadyState::Closed);
    assert_eq!(client.events.ready_state(), ReadyState::Closed);
    assert_eq!((server.live(), client.timer.pending()), (0, 0));
}

#[test]
fn whoever_gave_an_order_never_sees_the_state_from_before_it() {
    const ROUNDS: usize = 50_000;

    let mut client = Server::always(opens()).client();
    let handle = client.handle();
    let over = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                let _ = client.poll();
            }
        });
        let mut seen = [0; 2];
        for _ in 0..ROUNDS {
            handle.close();
            seen[0] += usize::from(handle.ready_state() != ReadyState::Closed);
            handle.reconnect_now();
            seen[1] += usize::from(handle.ready_state() == ReadyState::Closed);
            // Let it open now and then.
            thread::yield_now();
        }
        over.store(true, Ordering::SeqCst);
        seen
    });
    assert_eq!(seen, [0, 0], "so often not closed after close, closed after reconnect_now");
}

#[test]
fn close_gets_through_to_a_stream_that_comments_flood() {
    let handle: Arc<OnceLock<Handle>> = Arc::default();
    let read_all = Arc::new(AtomicBool::new(false));
    let server = {
        let (handle, read_all) = (Arc::clone(&handle), Arc::clone(&read_all));
        Server::answering(move |_| {
            let (handle, read_all) = (Arc::clone(&handle), Arc::clone(&read_all));
            let mut script = opens().does(move || handle.get().unwrap().close());
            for _ in 0..100_000 {
                script = script.sends(":\n");
            }
            script.does(move || read_all.store(true, Ordering::SeqCst))
        })
    };
    let mut client = server.client();
    handle.set(client.handle()).unwrap();
    assert_eq!(client.items_for(secs(1)), [open(), Seen::End]);
    assert!(!read_all.load(Ordering::SeqCst), "there might have been no end to it");
}

#[test]
fn an_event_behind_a_flood_of_comments_is_given_without_anything_else_to_wake_its_reader() {
    let flood = (0..100_000).fold(opens(), |script, _| script.sends(":\n"));
    let mut client = Server::new([flood.sends(event("x"))]).client();
    assert_eq!(client.items_for(Duration::ZERO), [open(), message("x")]);
}

// ---------------------------------------------------------- limits and comments

#[test]
fn an_event_beyond_the_limit_is_reported_and_passed_over() {
    let body = ["data: a\n\n", "id: 1\ndata: far too long\n\n", "data: b\n\n"].concat();
    let server = Server::new([opens().sends(body).ends()]);
    let mut client = server.client_with(|events| events.with_max_event_size(8));
    let discarded = Seen::Discarded { id: id("1") };
    assert_eq!(client.drain(), [open(), message("a"), discarded, message("b"), ended(secs(3), 1)]);
}

#[test]
fn an_event_beyond_the_limit_ends_a_stream_that_is_to_fail() {
    let body = ["data: a\n\n", "id: 1\ndata: far too long\n\n", "data: b\n\n"].concat();
    let server = Server::always(opens().sends(body));
    let mut client = server
        .client_with(|events| events.with_max_event_size(8).with_on_oversize(OnOversize::Fail));
    assert_eq!(client.items_for(HOUR), [open(), message("a"), Seen::TooLarge, Seen::End]);
    assert_eq!(server.attempts(), 1);
}

#[test]
fn the_limit_holds_for_every_connection() {
    let server = Server::always(opens().sends("data: far too long\n\n").ends());
    let mut client = server.client_with(|events| events.with_max_event_size(8));
    let items = client.items_for(secs(20));
    assert_eq!(items.iter().filter(|seen| **seen == Seen::Discarded { id: None }).count(), 3);
}

#[test]
fn comments_are_reported_if_asked_for_on_every_connection() {
    let body = ": one\n:two\n\ndata: a\n\n";
    let comments = || ["one", "two"].map(|text| Seen::Comment(text.to_owned()));
    for reported in [false, true] {
        let server = Server::always(opens().sends(body).ends());
        let mut client = server.client_with(|events| events.with_comments(reported));
        let mut items = client.items_for(secs(8));
        items.retain(|seen| matches!(seen, Seen::Comment(_) | Seen::Message { .. }));
        let mut expected = Vec::new();
        for _ in 0..3 {
            expected.extend(comments().into_iter().filter(|_| reported));
            expected.push(message("a"));
        }
        assert_eq!(items, expected);
    }
}

// --------------------------------------------------------------- cancel safety

/// What a stream may be waiting for, one at a time.
fn waits() -> Vec<(&'static str, Client)> {
    let with = |script: Script, timeouts: Timeouts| {
        let policy = exact().with_max_elapsed(ms(3500));
        Server::then([script], hangs())
            .client_with(|events| events.with_timeouts(timeouts).with_retry_policy(policy))
    };
    let none = Timeouts::default();
    let proven = || opens().sends(event("x"));
    vec![
        ("the answer", with(after(secs(1)).opens(), none)),
        ("the open timeout", with(hangs(), opening(secs(1)))),
        ("a chunk", with(proven().after(secs(1)).sends(event("a")), none)),
        ("the end", with(proven().after(secs(1)).ends(), none)),
        ("the idle timeout", with(proven(), idle(secs(1)))),
        ("the event timeout", with(proven(), no_event(secs(1)))),
        ("the delay", with(refuses(), none)),
    ]
}

#[test]
fn whoever_polled_last_is_woken() {
    for (what, mut client) in waits() {
        client.drain();
        let (first, first_waker) = Wakes::new();
        let (last, last_waker) = Wakes::new();
        assert!(client.poll_with(&first_waker).is_pending(), "{what}");
        assert!(client.poll_with(&last_waker).is_pending(), "{what}");
        client.timer.advance_to_next();
        assert_eq!((first.count(), last.count()), (0, 1), "{what}");
    }
}

#[test]
fn whoever_polled_last_is_woken_when_the_outage_is_too_long() {
    let mut client = client_at(Place::ConnectingAgain);
    client.events = Server::new([refuses(), hangs()])
        .on_clock_of(&client.server)
        .client_with(sits_through(secs(4)))
        .events;
    client.run_for(ms(3500));
    let (wakes, waker) = Wakes::new();
    assert!(client.poll_with(&waker).is_pending());
    client.timer.advance(ms(500));
    assert_eq!(wakes.count(), 1);
    assert_eq!(client.next(), gave_up(1, Reason::Failed(REFUSED)));
}

#[test]
fn cancelled_polls_lose_nothing() {
    let script = || {
        let text = "id: 1\ndata: some\ndata: lines\n\n: c\n\nid: 2\ndata: x\n\nretry: 700\n";
        let script = after(secs(1)).opens();
        text.bytes().fold(script, |script, byte| script.after(ms(10)).sends([byte])).ends()
    };
    let server = Server::then([refuses(), script()], hangs());
    let undisturbed = server.client().run_for(HOUR);
    assert_eq!(undisturbed.len(), 5);

    let server = Server::then([refuses(), script()], hangs());
    let mut client = server.client();
    let mut seen = Vec::new();
    while client.now() < HOUR {
        // Each waker is used once, and its task is gone then.
        let (_, waker) = Wakes::new();
        match client.poll_with(&waker) {
            Poll::Ready(item) => seen.push((client.now(), item)),
            Poll::Pending if client.timer.next_deadline().is_none() => break,
            Poll::Pending => client.timer.advance(ms(1)),
        }
    }
    assert_eq!(seen, undisturbed);
}

// ------------------------------------------------------------ a parser restarts

#[test]
fn a_connection_that_dies_anywhere_leaves_nothing_to_the_next() {
    let body = "\u{feff}: comment\r\nid: 1\r\nevent: x\r\ndata: \u{1f600}…\r\n\r\n\
                retry: 500\rid: 2\revent: y\rdata: é\r\r\
                id: 3\nevent: z\ndata: far too long for the limit of this stream\ndata: more\n\n\
                id: 4\n\nunknown: x\ndata\ndata:\nid\0\nid: 5\n\n\u{feff}data: x\n\n";
    for cut in 0..=body.len() {
        for end in [Script::ends, Script::breaks] {
            let dying = end(opens().sends(&body.as_bytes()[..cut]));
            let server = Server::then(
                [dying],
                opens().sends("\u{feff}data: 1\n\n").sends("id: é\nevent: y\ndata: 2\n\n"),
            );
            let mut client = server.client_with(|events| events.with_max_event_size(40));
            let mut before = client.drain();
            let Some(Seen::Reconnecting { .. }) = before.pop() else { panic!("{cut}") };
            let last_event_id = client.last_event_id().unwrap_or_default().to_owned();
            client.timer.advance_to_next();
            let reopened =
                if last_event_id.is_empty() { reopen() } else { reopen_from(&last_event_id) };
            let second =
                Seen::Message { event: "y".to_owned(), data: "2".to_owned(), id: "é".to_owned() };
            let expected = [reopened, message_with_id(&last_event_id, "1"), second];
            assert_eq!(client.drain(), expected, "cut at byte {cut}");
        }
    }
}

#[test]
fn what_two_connections_bring_is_not_glued_together() {
    let pairs: [(&[u8], &[u8]); 9] = [
        // In the middle of a line, of a name, of a value, of an event.
        (b"da", b"ta: x\n\n"),
        (b"data: a", b"\n\n"),
        (b"data: a\n", b"\n"),
        (b"event: x\n", b"\n"),
        // In the middle of a UTF-8 sequence.
        (b"data: \xF0\x9F", b"\x98\x80\n\n"),
        // After a lone CR.
        (b"data: a\r", b"\n\n"),
        (b"data: a\r", b"\r"),
        // In the middle of a byte order mark.
        (b"\xEF\xBB", b"\xBFdata: x\n\n"),
        (b"\xEF", b"\xBB\xBFdata: x\n\n"),
    ];
    for (first, second) in pairs {
        let server = Server::new([
            opens().sends(first).ends(),
            opens().sends(second).sends("event: ok\ndata: b\n\n"),
        ]);
        let mut items = server.client().items_for(HOUR);
        items.retain(|seen| matches!(seen, Seen::Message { .. }));
        let (event, data, id) = ("ok".to_owned(), "b".to_owned(), String::new());
        let second = second.escape_ascii();
        assert_eq!(items, [Seen::Message { event, data, id }], "{second}");
    }
}

#[test]
fn every_connection_may_begin_with_a_byte_order_mark() {
    let server = Server::always(opens().sends("\u{feff}data: x\n\n").ends());
    let items = server.client().items_for(secs(10));
    assert_eq!(items.iter().filter(|seen| **seen == message("x")).count(), 4);
}

#[test]
fn two_streams_share_nothing() {
    let server = Server::new([opens()
        .sends("retry: 200\nid: 1\nevent: x\ndata: a\n\nid: 9\nevent: y\ndata: unfin")
        .ends()]);
    let other = Server::new([opens().sends("ished\ndata: b\n\n").ends()]).on_clock_of(&server);
    let (mut client, mut second) = (server.client(), other.client());
    client.handle().close();
    client.drain();
    client.events.force_reconnect();
    client.drain();
    assert_eq!(second.drain(), [open(), message("b"), ended(secs(3), 1)]);
    assert_eq!(second.last_event_id(), None);
    assert_eq!(client.last_event_id(), Some("1"));
    client.events.close();
    second.rests();
    assert_eq!(second.events.ready_state(), ReadyState::Connecting);
}

// -------------------------------------------------------------------- policies

#[test]
fn a_policy_sees_every_loss_as_it_was() {
    let spy = Spy::default();
    let server = Server::then(
        [
            refuses(),
            opens().sends("retry: 700\ndata: x\n\n").ends(),
            refuses_for(secs(9)),
            opens().sends(":\n").breaks(),
            opens().after(secs(6)).ends(),
            hangs(),
        ],
        opens(),
    );
    let mut client = server.client_with(|events| {
        events.with_retry_policy(spy.clone()).with_timeouts(opening(secs(8)))
    });
    client.run_for(HOUR);
    let words = |loss: RetryContext| loss.with_server_retry(ms(700));
    assert_eq!(
        spy.losses(),
        [
            RetryContext::new(1, DisconnectKind::Refused),
            words(RetryContext::new(1, DisconnectKind::Ended).with_healthy(true).with_events(1)),
            words(RetryContext::new(2, DisconnectKind::Refused).with_retry_after(secs(9))),
            words(RetryContext::new(3, DisconnectKind::Broken)),
            words(RetryContext::new(1, DisconnectKind::Ended).with_healthy(true)),
            words(RetryContext::new(2, DisconnectKind::TimedOut)),
        ]
    );
}

#[test]
fn a_policy_decides_on_the_delay_and_on_giving_up() {
    let policy = everstream::retry::policy_fn(|loss: &RetryContext| {
        (loss.attempt < 4).then(|| Duration::from_secs(u64::from(loss.attempt) * 10))
    });
    let server = Server::always(refuses());
    let mut client = server.client_with(|events| events.with_retry_policy(policy));
    client.run_for(HOUR);
    assert_eq!(server.times(), [0, 10, 30, 60].map(secs));
    assert!(client.events.is_terminated());
}

#[test]
fn a_policy_may_want_no_delay_at_all() {
    let policy = everstream::retry::policy_fn(|_: &RetryContext| Some(Duration::ZERO));
    let server = Server::then([refuses(), opens().ends(), refuses()], opens());
    let mut client = server.client_with(|events| events.with_retry_policy(policy));
    let zero = Duration::ZERO;
    let expected = [refused(zero, 1), open(), ended(zero, 2), refused(zero, 3), reopen()];
    assert_eq!(client.drain(), expected);
}

#[test]
fn a_policy_is_seeded_once_before_its_use_if_there_is_entropy() {
    let (spy, other) = (Spy::default(), Spy::default());
    let server = Server::always(refuses());
    let mut client = server.client_with(|events| events.with_retry_policy(spy.clone()));
    let mut second = server.client_with(|events| events.with_retry_policy(other.clone()));
    client.run_for(secs(10));
    client.events.force_reconnect();
    client.run_for(secs(10));
    second.run_for(secs(10));
    let expected = usize::from(cfg!(feature = "std"));
    assert_eq!((spy.seeds(), other.seeds()), (expected, expected));
    if cfg!(feature = "std") {
        assert_ne!(*spy.seeds.lock().unwrap(), *other.seeds.lock().unwrap());
    }
}

#[test]
fn a_policy_is_not_asked_about_what_the_user_ended() {
    let spy = Spy::default();
    for place in [hangs(), opens(), opens().sends(event("x"))] {
        let server = Server::always(place);
        let mut client = server.client_with(|events| events.with_retry_policy(spy.clone()));
        client.drain();
        client.events.force_reconnect();
        client.drain();
        client.events.close();
        client.drain();
    }
    assert_eq!(spy.losses(), []);
}

// ---------------------------------------------------------------------- panics

/// The callbacks of a user that may panic.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Callback {
    Connect,
    Future,
    MayReconnect,
    Body,
    DropOfBody,
    Chunk,
    NextDelay,
    MinUptime,
    MaxElapsed,
    Sleep,
    SleepPoll,
}

/// Panics in one callback, from its nth call on.
#[derive(Clone)]
struct Panics {
    callback: Callback,
    calls_left: Arc<Mutex<usize>>,
}

impl Panics {
    fn call(&self, callback: Callback) {
        if callback == self.callback {
            let mut calls_left = self.calls_left.lock().unwrap();
            if *calls_left == 0 {
                drop(calls_left);
                panic!("{callback:?} panics");
            }
            *calls_left -= 1;
        }
    }
}

struct PanickingChunk(Panics);

impl From<PanickingChunk> for Bytes {
    fn from(chunk: PanickingChunk) -> Bytes {
        chunk.0.call(Callback::Chunk);
        Bytes::from_static(b"id: 1\ndata: x\n\n")
    }
}

struct PanickingBody {
    panics: Panics,
    polls: usize,
}

impl Stream for PanickingBody {
    type Item = Result<PanickingChunk, &'static str>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.panics.call(Callback::Body);
        self.polls += 1;
        match self.polls {
            1 => Poll::Ready(Some(Ok(PanickingChunk(self.panics.clone())))),
            2 => Poll::Pending,
            _ => Poll::Ready(None),
        }
    }
}

impl Drop for PanickingBody {
    fn drop(&mut self) {
        self.panics.call(Callback::DropOfBody);
    }
}

impl Connect for Panics {
    type Head = ();
    type Chunk = PanickingChunk;
    type Body = PanickingBody;
    type Error = &'static str;
    type Fatal = &'static str;
    type Connecting = Pin<
        Box<
            dyn Future<
                Output = Result<
                    Connection<(), PanickingBody>,
                    ConnectError<&'static str, &'static str>,
                >,
            >,
        >,
    >;

    fn connect(&mut self, _: Attempt<&'static str>) -> Self::Connecting {
        self.call(Callback::Connect);
        let panics = self.clone();
        Box::pin(async move {
            panics.call(Callback::Future);
            Ok(Connection { head: (), body: PanickingBody { panics, polls: 0 } })
        })
    }

    fn may_reconnect(&self, _: DisconnectKind) -> bool {
        self.call(Callback::MayReconnect);
        true
    }
}

impl RetryPolicy for Panics {
    fn next_delay(&mut self, _: &RetryContext) -> Option<Duration> {
        self.call(Callback::NextDelay);
        Some(secs(1))
    }

    fn min_uptime(&self) -> Duration {
        self.call(Callback::MinUptime);
        secs(5)
    }

    fn max_elapsed(&self) -> Option<Duration> {
        self.call(Callback::MaxElapsed);
        Some(HOUR)
    }
}

struct PanickingTimer(Panics, ManualTimer);

impl Timer for PanickingTimer {
    type Sleep = Pin<Box<dyn Future<Output = ()>>>;

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.call(Callback::Sleep);
        let (panics, mut sleep) = (self.0.clone(), self.1.sleep(duration));
        Box::pin(std::future::poll_fn(move |cx| {
            panics.call(Callback::SleepPoll);
            Pin::new(&mut sleep).poll(cx)
        }))
    }
}

/// Polls a stream until a callback panics. Returns the stream and whether one did.
fn poll_until_panic(callback: Callback, calls: usize) -> (Reconnect<Panics, PanickingTimer>, bool) {
    let panics = Panics { callback, calls_left: Arc::new(Mutex::new(calls)) };
    let time = ManualTimer::new();
    let mut events = Reconnect::new(panics.clone(), PanickingTimer(panics.clone(), time.clone()))
        .with_retry_policy(panics)
        .with_timeouts(Timeouts::new().with_open(HOUR).with_idle(HOUR).with_event(HOUR));
    for _ in 0..30 {
        let polled = catch_unwind(AssertUnwindSafe(|| events.next().now_or_never()));
        match polled {
            Err(_) => return (events, true),
            Ok(None) => time.advance(ms(100)),
            Ok(Some(_)) => {}
        }
    }
    (events, false)
}

#[test]
fn a_panic_of_any_callback_closes_the_stream() {
    use Callback::*;
    for callback in [
        Connect,
        Future,
        MayReconnect,
        Body,
        DropOfBody,
        Chunk,
        NextDelay,
        MinUptime,
        MaxElapsed,
        Sleep,
        SleepPoll,
    ] {
        for calls in 0..2 {
            let (mut events, panicked) = poll_until_panic(callback, calls);
            assert!(panicked, "{callback:?} was not called {calls} times");
            assert!(events.is_terminated(), "{callback:?}");
            assert_eq!(events.ready_state(), ReadyState::Closed, "{callback:?}");
            assert_eq!(events.handle().ready_state(), ReadyState::Closed, "{callback:?}");
            for _ in 0..3 {
                assert!(matches!(events.next().now_or_never(), Some(None)), "{callback:?}");
            }
        }
    }
}

#[test]
fn a_handle_sees_that_a_panic_closed_the_stream() {
    let panics = Panics { callback: Callback::Body, calls_left: Arc::default() };
    let timer = PanickingTimer(panics.clone(), ManualTimer::new());
    let mut events = Reconnect::new(panics, timer);
    let mut states = events.handle().watch();
    assert!(events.next().now_or_never().is_some());
    assert_eq!(states.next().now_or_never(), Some(Some(ReadyState::Open)));
    assert!(catch_unwind(AssertUnwindSafe(|| events.next().now_or_never())).is_err());
    assert_eq!(states.next().now_or_never(), Some(Some(ReadyState::Closed)));
}

#[test]
fn a_stream_that_a_panic_closed_can_be_revived() {
    let panics = Panics { callback: Callback::Future, calls_left: Arc::default() };
    let timer = PanickingTimer(panics.clone(), ManualTimer::new());
    let mut events = Reconnect::new(panics.clone(), timer);
    assert!(catch_unwind(AssertUnwindSafe(|| events.next().now_or_never())).is_err());
    *panics.calls_left.lock().unwrap() = 1;
    events.force_reconnect();
    assert!(matches!(events.next().now_or_never(), Some(Some(Ok(ReconnectEvent::Open(_))))));
}

// ------------------------------------------------------- a timer without a clock

/// Reports an error from its nth sleep on.
struct FailingTimer(ManualTimer, std::cell::Cell<usize>);

impl Timer for FailingTimer {
    type Sleep = everstream::timer::ManualSleep;

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn try_sleep(&self, duration: Duration) -> Result<Self::Sleep, TimerError> {
        let left = self.1.get();
        self.1.set(left.saturating_sub(1));
        if left == 0 { Err(TimerError::new("no clock")) } else { Ok(self.sleep(duration)) }
    }
}

#[test]
fn a_timer_that_fails_ends_the_stream_with_its_error_and_without_a_connection() {
    let mut attempts = Vec::new();
    // Checks before a connection, then the timeouts of the opening and of the open connection,
    // of the next chunk, of the next event, and the delay.
    for sleeps in 0..12 {
        let server = Server::always(opens().sends(event("x")).after(ms(10)).ends());
        let timer = FailingTimer(server.timer.clone(), std::cell::Cell::new(sleeps));
        let all = Timeouts::new().with_open(HOUR).with_idle(HOUR).with_event(HOUR);
        let mut events = Reconnect::new(server.clone(), timer).with_timeouts(all);
        let mut error = None;
        for _ in 0..100 {
            match events.next().now_or_never() {
                Some(Some(Ok(_))) => {}
                Some(Some(Err(failed))) => error = Some(failed),
                Some(None) => break,
                None => _ = server.timer.advance_to_next(),
            }
        }
        assert_eq!(error.expect("it fails").to_string(), "no clock", "{sleeps}");
        assert!(events.is_terminated());
        assert_eq!(server.live(), 0);
        attempts.push(server.attempts());
    }
    assert_eq!(attempts[0], 0, "no connection is made");
    assert!(attempts[11] > 1, "{attempts:?}");
}

// ------------------------------------------------- one body, and a closure

type Chunks = futures_util::stream::BoxStream<'static, Result<Vec<u8>, &'static str>>;

/// A body of these chunks, after which it ends, breaks or stays silent.
fn body(chunks: &[&str], end: Option<Result<(), &'static str>>) -> Chunks {
    use futures_util::stream;
    let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(chunk.as_bytes().to_vec())).collect();
    let chunks = stream::iter(chunks);
    match end {
        Some(Ok(())) => chunks.boxed(),
        Some(Err(error)) => chunks.chain(stream::iter([Err(error)])).boxed(),
        None => chunks.chain(stream::pending()).boxed(),
    }
}

/// Everything that comes of one body until the stream ends, in virtual time.
fn items_of(body: Chunks, set: impl FnOnce(Once<Chunks>) -> Once<Chunks>) -> Vec<String> {
    let timer = ManualTimer::new();
    let mut events = set(Reconnect::once(body, timer.clone()));
    let mut items = Vec::new();
    loop {
        match events.next().now_or_never() {
            Some(Some(Ok(ReconnectEvent::Open(_)))) => items.push("open".to_owned()),
            Some(Some(Ok(ReconnectEvent::Message(message)))) => {
                items.push(message.data().to_owned())
            }
            Some(Some(Ok(other))) => panic!("{other:?}"),
            Some(Some(Err(error))) => items.push(format!("error: {error}")),
            Some(None) => return items,
            None => assert!(timer.advance_to_next().is_some(), "{items:?}: nothing will end it"),
        }
    }
}

type Once<B> = Reconnect<everstream::reconnect::Once<B>, ManualTimer>;

#[test]
fn one_body_ends_cleanly_or_with_an_error_and_is_never_repeated() {
    let ended = || body(&["data: a\n\n"], Some(Ok(())));
    assert_eq!(items_of(ended(), |events| events), ["open", "a"]);
    let broken = || body(&["data: a\n\n"], Some(Err("reset")));
    assert_eq!(items_of(broken(), |events| events), ["open", "a", "error: reset"]);
    let html = body(&["<html>"], Some(Ok(())));
    let [open, error] = &items_of(html, |events| events)[..] else { panic!() };
    assert_eq!(open, "open");
    assert!(error.contains("<html>"), "{error}");
}

#[test]
fn one_body_has_timeouts_and_limits() {
    let idle = items_of(body(&["data: a\n\n"], None), |events| events.with_timeouts(idle(secs(5))));
    assert_eq!(idle, ["open", "a", "error: no byte arrived for 5s"]);
    let silent = items_of(body(&[":\n"], None), |events| events.with_timeouts(no_event(secs(5))));
    assert_eq!(silent, ["open", "error: no event arrived for 5s"]);
    let large = items_of(body(&["data: 123456789\n\n"], None), |events| {
        events.with_max_event_size(8).with_on_oversize(OnOversize::Fail)
    });
    assert_eq!(large.len(), 2, "{large:?}");
}

#[test]
fn one_body_that_is_forced_or_closed_before_it_is_polled_is_dropped() {
    for close in [true, false] {
        let panics = Panics { callback: Callback::Body, calls_left: Arc::default() };
        let body = PanickingBody { panics, polls: 0 };
        let mut events = Reconnect::once(body, ManualTimer::new());
        if close {
            events.close();
        } else {
            events.force_reconnect();
        }
        assert!(matches!(events.next().now_or_never(), Some(None)));
        assert!(events.is_terminated());
    }
}

#[test]
fn a_stream_over_a_body_in_hand_resumes_by_its_connector() {
    let timer = ManualTimer::new();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let connect = connect_fn({
        let asked = asked.clone();
        move |attempt: Attempt<&'static str>| {
            let id = attempt.last_event_id.as_deref().unwrap_or_default().to_owned();
            asked.lock().unwrap().push((attempt.number, attempt.was_open, id));
            async move {
                match attempt.number {
                    1 => Err(ConnectError::retry("busy")),
                    2 => Ok(body(&["id: 2\ndata: b\n\n"], None)),
                    _ => Err(ConnectError::Fatal("hopeless")),
                }
            }
        }
    });
    let first = body(&["id: 1\ndata: a\n\n"], Some(Err("reset")));
    let mut events = Reconnect::resuming(first, connect, timer.clone()).with_retry_policy(exact());
    let mut seen = Vec::new();
    for _ in 0..3 {
        while let Some(Some(item)) = events.next().now_or_never() {
            seen.push(match item.unwrap() {
                ReconnectEvent::Open(opened) => format!("open {}", opened.is_reconnect()),
                ReconnectEvent::Message(message) => message.data().to_owned(),
                ReconnectEvent::Reconnecting { reason, attempt, .. } => {
                    format!("{attempt}: {reason}")
                }
                other => panic!("{other:?}"),
            });
        }
        timer.advance_to_next();
    }
    assert_eq!(seen, ["open false", "a", "1: reset", "2: busy", "open true", "b"]);
    assert_eq!(*asked.lock().unwrap(), [(1, true, "1".to_owned()), (2, true, "1".to_owned())]);
    assert_eq!((events.stats().attempts, events.stats().opens), (3, 2));
}

#[test]
fn a_closure_says_what_may_be_repeated() {
    let connect = connect_fn(|_: Attempt<&'static str>| async {
        Ok::<_, ConnectError<_, &'static str>>(body(&[], Some(Ok(()))))
    });
    let connect = connect.with_may_reconnect(|lost| lost != DisconnectKind::Ended);
    let mut events = Reconnect::new(connect, ManualTimer::new());
    assert!(matches!(events.next().now_or_never(), Some(Some(Ok(ReconnectEvent::Open(_))))));
    assert!(matches!(events.next().now_or_never(), Some(None)));
}

// ---------------------------------------------------------------------- health

#[test]
fn a_handle_shows_the_state_the_last_reason_and_the_next_attempt() {
    let server = Server::new([refuses(), opens().sends(event("x")).after(secs(1)).ends()]);
    let mut client = server.client();
    let handle = client.events.handle();
    let at_first = handle.health();
    assert_eq!((at_first.state, at_first.changes), (ReadyState::Connecting, 0));
    assert_eq!(
        (at_first.last_loss, at_first.last_reason, at_first.next_attempt),
        (None, None, None)
    );

    client.drain();
    let refused = handle.health();
    assert_eq!((refused.state, refused.changes), (ReadyState::Connecting, 0));
    assert_eq!(refused.last_loss, Some(DisconnectKind::Refused));
    assert_eq!(refused.last_reason.as_deref(), Some(REFUSED));
    let next = refused.next_attempt.unwrap();
    assert_eq!((next.number, next.delay), (1, secs(3)));

    client.run_until(secs(3));
    let open = handle.health();
    assert_eq!((open.state, open.changes), (ReadyState::Open, 1));
    assert_eq!(open.next_attempt, None);
    assert_eq!(open.last_reason.as_deref(), Some(REFUSED), "the last one stays");

    client.run_until(secs(5));
    let ended = handle.health();
    assert_eq!((ended.state, ended.changes), (ReadyState::Connecting, 2));
    assert_eq!(ended.last_loss, Some(DisconnectKind::Ended));
    assert_eq!(ended.last_reason.as_deref(), Some("the server ended the stream"));

    handle.close();
    assert_eq!(handle.health().state, ReadyState::Closed, "as the order says");
    client.drain();
    let closed = handle.health();
    assert_eq!((closed.state, closed.changes), (ReadyState::Closed, 3));
    assert_eq!(closed.next_attempt, None);
    drop(client);
    assert_eq!(handle.health().changes, 3);
}

#[test]
fn a_give_up_has_a_reason_and_no_next_attempt() {
    let server = Server::always(refuses());
    let mut client =
        server.client_with(|events| events.with_retry_policy(exact().with_max_retries(0)));
    let handle = client.events.handle();
    client.items_for(HOUR);
    let health = handle.health();
    assert_eq!((health.state, health.next_attempt), (ReadyState::Closed, None));
    assert_eq!(health.last_reason.as_deref(), Some(REFUSED));
}

#[test]
fn an_error_that_the_connector_does_not_describe_has_a_kind_and_no_text() {
    let connect = connect_fn(|_: Attempt<&'static str>| async {
        Err::<Chunks, _>(ConnectError::<_, &'static str>::retry("secret"))
    });
    let mut events = Reconnect::new(connect, ManualTimer::new());
    let handle = events.handle();
    assert!(events.next().now_or_never().is_some());
    let health = handle.health();
    assert_eq!((health.last_loss, health.last_reason), (Some(DisconnectKind::Refused), None));
}

#[cfg(feature = "std")]
#[test]
fn the_times_of_the_health_are_those_of_the_changes() {
    use std::time::Instant;

    let server = Server::always(opens().after(secs(1)).ends());
    let mut client = server.client();
    let handle = client.events.handle();
    let before = Instant::now();
    client.drain();
    let open = handle.health();
    assert!((before..=Instant::now()).contains(&open.since.unwrap()));
    client.run_until(secs(1));
    let waiting = handle.health();
    assert!(waiting.since >= open.since);
    let next = waiting.next_attempt.unwrap();
    assert!((before + next.delay..=Instant::now() + next.delay).contains(&next.at.unwrap()));
    // A delay beyond the clock has no time.
    let server = Server::always(refuses());
    let for_ever = everstream::retry::policy_fn(|_| Some(Duration::MAX));
    let mut client = server.client_with(|events| events.with_retry_policy(for_ever));
    let handle = client.events.handle();
    client.drain();
    assert_eq!(handle.health().next_attempt.unwrap().at, None);
}
