//! The parser in the engine: its settings, and its restart with each connection.

use super::*;

// ------------------------------------------------------- limits and comments

#[test]
fn an_event_over_the_limit_is_reported_and_passed_over() {
    let body = ["data: a\n\n", "id: 1\ndata: far too long\n\n", "data: b\n\n"].concat();
    let server = Server::new([opens().sends(body).ends()]);
    let mut client = server.client_with(|events| events.with_max_event_size(8));
    let discarded = Seen::Discarded { id: id("1") };
    assert_eq!(client.drain(), [open(), message("a"), discarded, message("b"), ended(secs(3), 1)]);
}

#[test]
fn an_event_over_the_limit_ends_a_stream_that_is_to_fail() {
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

#[test]
fn comments_that_were_not_taken_are_dropped_with_their_connection() {
    let first = opens().sends(": one\n\ndata: a\n\n: two\n\n");
    let server = Server::then([first], opens().sends(": three\n\n"));
    let mut client = server.client_with(|events| events.with_comments(true));
    assert_eq!(client.next(), open());
    assert_eq!(client.next(), Seen::Comment("one".to_owned()));
    client.events.force_reconnect();
    let mut items = client.drain();
    items.retain(|seen| matches!(seen, Seen::Comment(_) | Seen::Message { .. }));
    assert_eq!(items, [Seen::Comment("three".to_owned())]);
}

// --------------------------------------------------------- a parser restarts

#[test]
fn a_broken_connection_does_not_affect_the_next() {
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
fn data_of_two_connections_is_not_joined() {
    let pairs: [(&[u8], &[u8]); 9] = [
        // Cut in a line, in a name, in a value, in an event.
        (b"da", b"ta: x\n\n"),
        (b"data: a", b"\n\n"),
        (b"data: a\n", b"\n"),
        (b"event: x\n", b"\n"),
        // Cut in a UTF-8 sequence.
        (b"data: \xF0\x9F", b"\x98\x80\n\n"),
        // Cut between a CR and an LF.
        (b"data: a\r", b"\n\n"),
        (b"data: a\r", b"\r"),
        // Cut in a byte order mark.
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
