//! Limits of attempts and of time.

use super::*;

#[test]
fn the_stream_ends_after_max_retries() {
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
    // The loss of the healthy connection is reconnection 1, and the refusals are 2 and 3.
    let items = client.items_for(HOUR);
    assert_eq!(items.last(), Some(&Seen::End));
    assert_eq!(server.attempts(), 3);

    let mut client =
        server.client_with(|events| events.with_retry_policy(exact().with_max_retries(3)));
    client.run_for(2 * HOUR);
    assert!(server.attempts() > 500);
    assert!(!client.events.is_terminated());
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
            // One reconnection was attempted. The second was waited for.
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
fn an_outage_may_become_too_long_while_a_connection_makes_no_progress() {
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
fn giving_up_on_an_outage_reports_the_last_loss() {
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
fn the_next_outage_is_measured_from_its_own_start() {
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
fn short_losses_of_healthy_connections_are_not_an_outage() {
    let server =
        Server::answering(|nth| opens().sends(event_with_id(&nth.to_string(), "x")).ends());
    let mut client = server.client_with(sits_through(secs(4)));
    client.run_for(HOUR);
    assert_eq!(server.attempts(), 1200 + 1);
}
