//! `close`, `force_reconnect`, and streams that are dropped.

use super::*;

// --------------------------------------------------------------------- close

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
fn received_events_are_not_yielded_after_close() {
    let mut client = client_at(Place::Buffered);
    client.events.close();
    assert_eq!(client.next(), Seen::End);
    // It is not yielded after a revival either.
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

// ----------------------------------------------------------- force_reconnect

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

        // No item reports the dropped connection.
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
fn force_resets_the_failures() {
    for place in PLACES {
        let mut client = client_at(place);
        client.events.force_reconnect();
        assert!(matches!(client.next(), Seen::Open { .. }));
        let items = client.run_for(2 * HOUR);
        // An hour without a byte makes the connection healthy.
        let timeout = reconnecting(Reason::IdleTimeout(HOUR), secs(3), 1);
        assert_eq!(items[0].1, timeout, "{place:?}");
    }
    // It also resets failures in a row.
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
            // The server panics at a second connection.
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

// ---------------------------------------------------------------------- drop

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
