//! Errors that end a stream, and bodies that end.

use super::*;

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
        // The stream is closed before it yields the error.
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
fn may_reconnect_is_asked_at_each_loss() {
    let server = Server::always(opens().sends(event("x")).ends());
    let mut client = server.client();
    assert_eq!(client.drain(), [open(), message("x"), ended(secs(3), 1)]);
    server.set_may_reconnect(|_| false);
    assert_eq!(client.items_for(HOUR), [reopen(), message("x"), Seen::End]);
    assert_eq!(server.attempts(), 2);
}

#[test]
fn force_repeats_a_request_that_may_not_reconnect() {
    let server = Server::always(opens().ends());
    server.set_may_reconnect(|_| false);
    let mut client = server.client();
    assert_eq!(client.drain(), [open(), Seen::End]);
    client.events.force_reconnect();
    assert_eq!(client.drain(), [reopen(), Seen::End]);
}

/// Returns the reason for the end of a body of these chunks.
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
fn the_start_of_a_body_that_is_not_an_event_stream_is_reported_at_its_end() {
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
fn each_body_is_judged_by_its_own_start() {
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
fn a_body_that_is_not_an_event_stream_is_the_error_of_a_stream_that_may_not_reconnect() {
    let server = Server::new([opens().sends("{}").ends()]);
    server.set_may_reconnect(|_| false);
    let items = server.client().drain();
    assert_eq!(items, [open(), Seen::Lost(not_an_event_stream("{}")), Seen::End]);
}
