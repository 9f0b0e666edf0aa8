//! Tests that a dropped `next` loses nothing.

use super::*;

/// Returns clients that wait, each for another thing.
fn waits() -> Vec<(&'static str, Client)> {
    let with = |script: Script, timeouts: Timeouts| {
        let policy = exact().with_max_elapsed(ms(3500));
        Server::then([script], hangs())
            .client_with(|events| events.with_timeouts(timeouts).with_retry_policy(policy))
    };
    let none = Timeouts::default();
    let proven = || opens().sends(event("x"));
    vec![
        ("the answer", with(after(secs(1)).opens(), none)),
        ("the open timeout", with(hangs(), opening(secs(1)))),
        ("a chunk", with(proven().after(secs(1)).sends(event("a")), none)),
        ("the end", with(proven().after(secs(1)).ends(), none)),
        ("the idle timeout", with(proven(), idle(secs(1)))),
        ("the event timeout", with(proven(), no_event(secs(1)))),
        ("the delay", with(refuses(), none)),
    ]
}

#[test]
fn the_task_that_polled_last_is_woken() {
    for (what, mut client) in waits() {
        client.drain();
        let (first, first_waker) = Wakes::new();
        let (last, last_waker) = Wakes::new();
        assert!(client.poll_with(&first_waker).is_pending(), "{what}");
        assert!(client.poll_with(&last_waker).is_pending(), "{what}");
        client.timer.advance_to_next();
        assert_eq!((first.count(), last.count()), (0, 1), "{what}");
    }
}

#[test]
fn the_task_that_polled_last_is_woken_when_the_outage_is_too_long() {
    let mut client = client_at(Place::ConnectingAgain);
    client.events = Server::new([refuses(), hangs()])
        .on_clock_of(&client.server)
        .client_with(sits_through(secs(4)))
        .events;
    client.run_for(ms(3500));
    let (wakes, waker) = Wakes::new();
    assert!(client.poll_with(&waker).is_pending());
    client.timer.advance(ms(500));
    assert_eq!(wakes.count(), 1);
    assert_eq!(client.next(), gave_up(1, Reason::Failed(REFUSED)));
}

#[test]
fn cancelled_polls_lose_nothing() {
    let script = || {
        let text = "id: 1\ndata: some\ndata: lines\n\n: c\n\nid: 2\ndata: x\n\nretry: 700\n";
        let script = after(secs(1)).opens();
        text.bytes().fold(script, |script, byte| script.after(ms(10)).sends([byte])).ends()
    };
    let server = Server::then([refuses(), script()], hangs());
    let undisturbed = server.client().run_for(HOUR);
    assert_eq!(undisturbed.len(), 5);

    let server = Server::then([refuses(), script()], hangs());
    let mut client = server.client();
    let mut seen = Vec::new();
    while client.now() < HOUR {
        // Each waker belongs to a task that ends after it.
        let (_, waker) = Wakes::new();
        match client.poll_with(&waker) {
            Poll::Ready(item) => seen.push((client.now(), item)),
            Poll::Pending if client.timer.next_deadline().is_none() => break,
            Poll::Pending => client.timer.advance(ms(1)),
        }
    }
    assert_eq!(seen, undisturbed);
}
