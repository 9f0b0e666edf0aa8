//! Retry policies of the caller.

use super::*;

#[test]
fn a_policy_gets_the_facts_of_every_loss() {
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
fn without_a_minimum_uptime_a_connection_that_ends_at_once_was_healthy() {
    for body in [opens().ends(), opens().breaks(), opens().sends(":\n").ends()] {
        let server = Server::then([body.clone(), body], opens());
        let policy = exact().with_min_uptime(Duration::ZERO).with_max_retries(0);
        let mut client = server.client_with(|events| events.with_retry_policy(policy));
        let items = client.run_for(HOUR);
        assert_eq!(items.last(), Some(&(secs(6), reopen())), "{items:?}");
    }
}

#[test]
fn a_late_poll_of_a_connection_that_has_ended_counts_its_uptime() {
    let spy = Spy::default();
    let server = Server::new([opens().after(secs(9)).ends()]);
    let mut client = server.client_with(|events| events.with_retry_policy(spy.clone()));
    client.drain();
    client.timer.advance(secs(10));
    client.drain();
    assert!(spy.losses()[0].healthy);
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
fn a_policy_is_not_asked_after_the_user_closed() {
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
