//! The items of a stream, in order.

use super::*;

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
fn frames_that_arrive_together_are_yielded_one_by_one() {
    let chunk = ["a", "b", "c"].map(event).concat();
    let mut client = Server::new([opens().sends(chunk).ends()]).client();
    let expected = [open(), message("a"), message("b"), message("c"), ended(secs(3), 1)];
    assert_eq!(client.drain(), expected);
}

#[test]
fn an_event_is_yielded_as_soon_as_its_blank_line_is_there() {
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
fn a_loss_is_reported_before_the_delay() {
    let mut client = Server::then([opens().sends(event("a")).ends()], opens()).client();
    assert_eq!(client.drain(), [open(), message("a"), ended(secs(3), 1)]);
    assert_eq!(client.now(), ms(0));
    assert_eq!(client.server.attempts(), 1);
    assert_eq!(client.events.ready_state(), ReadyState::Connecting);
}

#[test]
fn the_lost_connection_is_dropped_before_the_loss_is_reported() {
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
fn the_delay_runs_while_the_stream_is_not_polled() {
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
fn each_reason_of_a_loss_is_logged() {
    let mut client = Server::new([opens().ends(), opens().breaks(), refuses()]).client();
    assert_eq!(
        client.items_for(HOUR),
        [open(), ended(secs(3), 1), reopen(), broken(secs(6), 2), refused(secs(12), 3)]
    );
}

#[test]
fn the_first_connection_is_retried_like_any_other() {
    let server = Server::then([refuses(), refuses()], opens());
    assert_eq!(
        server.client().run_for(HOUR),
        [(secs(0), refused(secs(3), 1)), (secs(3), refused(secs(6), 2)), (secs(9), open())]
    );
}

#[test]
fn every_attempt_knows_the_state_before_it() {
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
fn every_open_item_reports_if_it_is_a_reconnection_and_its_id() {
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
