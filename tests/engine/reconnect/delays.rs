//! Delays between attempts, and many clients of one lost server.

use super::*;

// -------------------------------------------------------------------- delays

#[test]
fn delays_grow_while_connections_are_refused() {
    let server = Server::always(refuses());
    server.client().run_until(secs(300));
    let expected = [0, 3, 9, 21, 45, 93, 153, 213, 273].map(secs);
    assert_eq!(server.times(), expected);
}

#[test]
fn an_open_connection_alone_does_not_reset_delays() {
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
fn the_uptime_begins_when_the_connection_is_open() {
    let slow = after(secs(10)).opens().after(secs(4)).ends();
    let server = Server::then([refuses(), slow], hangs());
    server.client().run_until(secs(100));
    assert_eq!(server.times(), [0, 3, 3 + 14 + 6].map(secs));
}

#[test]
fn comments_ids_and_discarded_events_are_not_progress() {
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

/// Asserts that no period of a second has more than ten attempts.
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

/// Returns servers that send the same events to each connection and close it.
fn greeters() -> [(&'static str, Server); 3] {
    let greeting = "retry: 10\ndata: welcome\n\n";
    let replay = "retry: 10\nid: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n";
    let latest = "retry: 10\nid: latest\ndata: a\n\n";
    [("greeting", greeting), ("replay", replay), ("one id", latest)]
        .map(|(name, body)| (name, Server::always(opens().sends(body).ends())))
}

/// H5
#[test]
fn a_server_that_greets_and_closes_is_polled_with_growing_delays() {
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
fn a_server_that_greets_and_closes_uses_up_the_retries() {
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
    // One event per connection: with a new ID, at once or later, or without an ID after the minimum
    // uptime.
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
fn the_servers_retry_is_the_delay_at_any_place_in_the_stream() {
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
fn the_servers_retry_is_the_delay_that_grows() {
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
fn an_endless_delay_ends_at_close() {
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
fn a_retry_after_that_is_over_does_not_shorten_the_delay() {
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
fn the_reported_delay_is_the_real_one() {
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
fn a_policy_with_a_user_seed_keeps_its_delays() {
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

// ----------------------------------------------------------- the lost server

/// Returns the time at which each of many clients with the default policy reconnects, after all
/// lost one server at once.
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

// ------------------------------------------------------------ attempts at once

#[test]
fn a_connector_can_ask_for_another_attempt_at_once() {
    let server = Server::new([again(), opens()]);
    server.set_may_reconnect(|_| false);
    let mut client =
        server.client_with(|events| events.with_retry_policy(exact().with_max_retries(0)));
    assert_eq!(client.drain(), [refused(Duration::ZERO, 1), open()]);
    assert_eq!(client.server.times(), [Duration::ZERO; 2]);
    assert_eq!(client.server.last_asked().reason, Some(Reason::Failed(REFUSED)));
}

#[test]
fn a_second_attempt_at_once_in_a_row_waits_as_usual() {
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
