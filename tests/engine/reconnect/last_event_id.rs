//! The last event ID that each attempt sends.

use super::*;

/// Returns the IDs of the attempts if their connections send these bodies in order, and end.
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
fn the_last_id_outlives_connections_without_ids() {
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
        // It does not appear later either.
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
fn events_received_but_not_yielded_are_requested_again() {
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
fn an_id_without_data_after_the_last_item_does_not_count_before_it_is_passed() {
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
fn the_last_event_id_in_a_large_chunk_is_that_of_the_last_yielded_event() {
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
        // A frame that was not yielded is not yielded on the next connection either.
        assert_eq!(client.drain(), [reopen_from(&taken.to_string())]);
        assert_eq!(client.last_event_id(), Some(&*taken.to_string()));
    }
}
