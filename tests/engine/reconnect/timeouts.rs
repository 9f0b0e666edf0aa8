//! Timeouts of connecting, of idle connections and of events.

use super::*;

#[test]
fn a_connection_that_is_not_open_in_time_is_lost() {
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
fn a_refusal_before_the_open_timeout_is_a_refusal() {
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
fn the_idle_timeout_begins_when_the_connection_is_open() {
    let server = Server::then([after(secs(60)).opens()], hangs());
    let mut client = server.client_with(|events| events.with_timeouts(idle(secs(5))));
    let timeout = reconnecting(Reason::IdleTimeout(secs(5)), secs(3), 1);
    assert_eq!(client.run_for(HOUR), [(secs(60), open()), (secs(65), timeout)]);
}

/// Returns a script that sends a chunk at an interval, and then nothing.
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
fn the_idle_timeout_does_not_run_while_connecting_or_waiting() {
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
fn a_late_poll_yields_no_timeout_while_bytes_are_buffered() {
    let script = || opens().sends(event("a")).after(secs(10)).sends(event("b"));
    for timeouts in [idle(secs(5)), no_event(secs(5))] {
        let server = Server::then([script()], hangs());
        let mut client = server.client_with(|events| events.with_timeouts(timeouts));
        assert_eq!(client.drain(), [open(), message("a")]);
        client.timer.advance(secs(20));
        assert_eq!(client.drain(), [message("b")]);
        // The time counts from the next poll of the reader.
        let items = client.run_for(HOUR);
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].0, secs(25));
    }
}

#[test]
fn a_slow_reader_sees_no_timeout_while_bytes_are_buffered() {
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

/// The bytes may still be on their way, through a task that waited for space in a channel.
#[test]
fn after_a_late_poll_the_timeout_restarts() {
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
fn a_late_poll_of_a_live_connection_yields_no_timeout() {
    let server = Server::then([after(secs(4)).opens().sends(event("a"))], hangs());
    let mut client = server.client_with(|events| events.with_timeouts(opening(secs(5))));
    client.rests();
    client.timer.advance(secs(60));
    assert_eq!(client.drain(), [open(), message("a")]);
}

#[test]
fn a_late_poll_yields_the_end_before_a_timeout() {
    let server = Server::then([opens().after(secs(10)).ends()], hangs());
    let mut client = server.client_with(|events| events.with_timeouts(idle(secs(5))));
    client.drain();
    client.timer.advance(secs(20));
    assert!(matches!(client.next(), Seen::Reconnecting { reason: Reason::Ended, .. }));
}

#[test]
fn a_late_poll_yields_no_timeout_while_an_event_in_many_chunks_is_read() {
    let bytes = event(&"x".repeat(1000));
    let pieces = bytes.bytes().fold(opens(), |script, byte| script.sends([byte]));
    let server = Server::new([pieces]);
    let mut client = server.client_with(|events| events.with_timeouts(no_event(secs(10))));
    assert_eq!(client.next(), open());
    client.timer.advance(secs(25));
    assert_eq!(client.items_for(secs(9)), [message(&"x".repeat(1000))]);
}

#[test]
fn an_event_in_the_last_chunk_that_a_poll_takes_is_yielded_before_any_timeout() {
    let script = (0..63).fold(opens(), |script, _| script.sends(":\n")).sends(event("a"));
    let server = Server::new([script]);
    let mut client = server.client_with(|events| events.with_timeouts(no_event(secs(10))));
    assert_eq!(client.next(), open());
    client.timer.advance(secs(25));
    assert_eq!(client.next(), message("a"));
}

#[test]
fn a_flood_of_comments_extends_the_event_timeout_once() {
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
    // The end of the script, idle and event timeout; the connection is healthy.
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
