//! The health of a stream that its handles show.

use super::*;
use everstream::Health;

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
    // The clock cannot represent the end of this delay.
    let server = Server::always(refuses());
    let for_ever = everstream::retry::policy_fn(|_| Some(Duration::MAX));
    let mut client = server.client_with(|events| events.with_retry_policy(for_ever));
    let handle = client.events.handle();
    client.drain();
    assert_eq!(handle.health().next_attempt.unwrap().at, None);
}

#[test]
fn a_watch_that_a_loss_wakes_sees_the_reason_and_the_next_attempt() {
    struct Reader {
        handle: Handle,
        seen: Mutex<Vec<Health>>,
    }

    impl Wake for Reader {
        fn wake(self: Arc<Self>) {
            self.seen.lock().unwrap().push(self.handle.health());
        }
    }

    let server = Server::always(opens().after(secs(1)).ends());
    let mut client = server.client();
    let handle = client.events.handle();
    client.drain();
    let mut states = handle.watch();
    assert_eq!(states.next().now_or_never(), Some(Some(ReadyState::Open)));
    let reader = Arc::new(Reader { handle, seen: Mutex::default() });
    let waker = Waker::from(Arc::clone(&reader));
    assert!(states.poll_next_unpin(&mut Context::from_waker(&waker)).is_pending());
    client.run_until(secs(1));
    let seen = reader.seen.lock().unwrap();
    assert_eq!(seen[0].state, ReadyState::Connecting);
    assert_eq!(seen[0].last_reason.as_deref(), Some("the server ended the stream"));
    assert_eq!(seen[0].next_attempt.as_ref().map(|next| next.number), Some(1));
}
