//! Handles: commands from other tasks and threads.

use super::*;

/// Runs `work` on another thread.
fn elsewhere<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join().unwrap())
}

#[test]
fn a_handle_closes_the_stream_wherever_it_is() {
    for place in PLACES {
        let mut client = client_at(place);
        let handle = client.handle();
        let attempts = client.server.attempts();
        assert_eq!(handle.ready_state(), place.ready_state(), "{place:?}");
        assert_eq!(handle.last_event_id().as_deref(), Some("7"), "{place:?}");
        elsewhere(|| handle.close());
        assert_eq!(handle.ready_state(), ReadyState::Closed, "{place:?}");
        assert_eq!(client.next(), Seen::End, "{place:?}");
        assert_eq!(client.events.ready_state(), ReadyState::Closed, "{place:?}");
        assert_eq!(handle.ready_state(), ReadyState::Closed, "{place:?}");
        assert_eq!((client.server.live(), client.timer.pending()), (0, 0), "{place:?}");
        assert_eq!(client.items_for(HOUR), [Seen::End], "{place:?}");
        assert_eq!(client.server.attempts(), attempts, "{place:?}");
        assert_eq!(handle.last_event_id().as_deref(), Some("7"), "{place:?}");
    }
}

#[test]
fn a_handle_reconnects_the_stream_wherever_it_is() {
    for place in PLACES {
        let mut client = client_at(place);
        let handle = client.handle();
        let attempts = client.server.attempts();
        elsewhere(|| handle.reconnect_now());
        assert_eq!(handle.ready_state(), ReadyState::Connecting, "{place:?}");
        let Seen::Open { last_event_id, .. } = client.next() else { panic!("{place:?}") };
        client.rests();
        assert_eq!(last_event_id, id("7"), "{place:?}");
        assert_eq!(handle.ready_state(), ReadyState::Open, "{place:?}");
        let asked = client.server.last_asked();
        assert_eq!((asked.at, asked.number, asked.reason), (client.now(), 0, None), "{place:?}");
        assert_eq!(client.server.attempts(), attempts + 1, "{place:?}");
    }
}

#[test]
fn an_order_wakes_the_task_that_awaits_an_item() {
    let orders: [fn(&Handle); 2] = [Handle::close, Handle::reconnect_now];
    for place in PLACES {
        for order in orders {
            if place.is_end() {
                continue;
            }
            let mut client = client_at(place);
            let handle = client.handle();
            client.drain();
            client.wakes.take();
            elsewhere(|| order(&handle));
            assert!(client.wakes.take() > 0, "{place:?}");
            assert!(client.poll().is_ready(), "{place:?}");
        }
    }
}

#[test]
fn an_order_wakes_the_task_that_polled_last() {
    let mut client = client_at(Place::Open);
    let handle = client.handle();
    let (wakes, waker) = Wakes::new();
    let (later_wakes, later_waker) = Wakes::new();
    assert!(client.poll_with(&waker).is_pending());
    assert!(client.poll_with(&later_waker).is_pending());
    handle.close();
    assert_eq!((wakes.count(), later_wakes.count()), (0, 1));
}

/// A set of streams such as `SelectAll` polls a stream only after its waker was called.
#[test]
fn an_order_of_a_handle_that_was_taken_after_the_poll_wakes_the_task() {
    for place in PLACES {
        if place.is_end() {
            continue;
        }
        let mut client = client_at(place);
        client.drain();
        client.wakes.take();
        client.handle().close();
        assert!(client.wakes.take() > 0, "{place:?}");
    }
}

#[test]
fn an_order_that_was_given_before_the_poll_is_carried_out_by_it() {
    let mut client = Server::always(opens()).client();
    let handle = client.handle();
    handle.close();
    assert_eq!(client.next(), Seen::End);
    assert_eq!(client.server.attempts(), 0);
}

#[test]
fn an_order_during_a_poll_is_carried_out_by_it() {
    for (order, outcome) in
        [(Handle::close as fn(&Handle), Seen::End), (Handle::reconnect_now, reopen())]
    {
        let handle: Arc<OnceLock<Handle>> = Arc::default();
        let given = Arc::clone(&handle);
        let script = opens().after(secs(1)).does(move || order(given.get().unwrap()));
        let mut client = Server::then([script], opens()).client();
        handle.set(client.handle()).unwrap();
        client.drain();
        client.timer.advance(secs(1));
        assert_eq!(client.next(), outcome);
    }
}

#[test]
fn of_two_orders_the_later_one_counts() {
    let mut client = client_at(Place::Open);
    let (handle, other) = (client.handle(), client.handle());
    handle.close();
    other.reconnect_now();
    assert_eq!(handle.ready_state(), ReadyState::Connecting);
    assert!(matches!(client.next(), Seen::Open { .. }));

    handle.reconnect_now();
    other.close();
    assert_eq!(handle.ready_state(), ReadyState::Closed);
    assert_eq!(client.next(), Seen::End);

    handle.reconnect_now();
    handle.reconnect_now();
    assert!(matches!(client.next(), Seen::Open { .. }));
    client.rests();
}

#[test]
fn a_close_of_the_stream_itself_counts_over_an_earlier_order() {
    for place in PLACES {
        let mut client = client_at(place);
        let handle = client.handle();
        let attempts = client.server.attempts();
        handle.reconnect_now();
        client.events.close();
        assert_eq!(handle.ready_state(), ReadyState::Closed, "{place:?}");
        assert_eq!(client.items_for(HOUR), [Seen::End], "{place:?}");
        assert_eq!(client.server.attempts(), attempts, "{place:?}");
    }
}

#[test]
fn a_forced_reconnection_of_the_stream_itself_counts_over_an_earlier_order() {
    let forces: [fn(&mut Events); 2] =
        [Events::force_reconnect, |events| events.force_reconnect_with_id(Some("3".into()))];
    for place in PLACES {
        for force in forces {
            let mut client = client_at(place);
            let handle = client.handle();
            handle.close();
            force(&mut client.events);
            assert_eq!(handle.ready_state(), ReadyState::Connecting, "{place:?}");
            assert!(matches!(client.next(), Seen::Open { .. }), "{place:?}");
        }
    }
}

#[test]
fn an_order_replaces_an_earlier_call_of_the_owner() {
    let mut client = client_at(Place::Open);
    let handle = client.handle();
    client.events.close();
    handle.reconnect_now();
    assert!(matches!(client.next(), Seen::Open { .. }));
    client.events.force_reconnect();
    handle.close();
    assert_eq!(client.next(), Seen::End);
}

#[test]
fn the_state_that_an_order_leads_to_is_seen_while_it_is_carried_out() {
    for (order, expected) in [
        (Handle::close as fn(&Handle), ReadyState::Closed),
        (Handle::reconnect_now, ReadyState::Connecting),
    ] {
        let mut client = client_at(Place::Open);
        let handle = client.handle();
        let seen: Arc<Mutex<Vec<ReadyState>>> = Arc::default();
        let (observer, observed) = (handle.clone(), Arc::clone(&seen));
        // The connection is dropped in the middle of the call.
        client.server.when_dropped(move || observed.lock().unwrap().push(observer.ready_state()));
        order(&handle);
        let _ = client.poll();
        assert_eq!(*seen.lock().unwrap(), [expected]);
    }
}

#[test]
fn the_state_is_connecting_open_connecting_open_closed_over_a_life() {
    let server = Server::new([opens().ends(), opens().sends(event("x"))]);
    let mut client = server.client();
    let handle = client.handle();
    let mut states = vec![client.events.ready_state()];
    assert_eq!(handle.ready_state(), ReadyState::Connecting);
    let mut look = |client: &Client, seen: Seen| {
        assert_eq!(client.events.ready_state(), handle.ready_state(), "{seen:?}");
        states.push(handle.ready_state());
    };
    let first = client.next();
    look(&client, first);
    let lost = client.next();
    look(&client, lost);
    client.rests();
    client.timer.advance(secs(3));
    let second = client.next();
    look(&client, second);
    let message = client.next();
    look(&client, message);
    client.events.close();
    look(&client, Seen::End);
    let [connecting, open, closed] = [ReadyState::Connecting, ReadyState::Open, ReadyState::Closed];
    assert_eq!(states, [connecting, open, connecting, open, open, closed]);
    assert_eq!([connecting as u8, open as u8, closed as u8], [0, 1, 2]);
}

#[test]
fn a_handle_knows_the_last_id() {
    let server = Server::new([opens()
        .sends("id: 1\ndata: a\n\n")
        .sends("data: b\n\n")
        .sends("id: 2\n\n")
        .after(secs(1))
        .sends("id: 3\ndata: c\n\n")
        .sends("id\ndata: d\n\n")]);
    let mut client = server.client();
    let handle = client.handle();
    assert_eq!(handle.last_event_id(), None);
    client.next();
    assert_eq!(handle.last_event_id(), None);
    assert_eq!(client.next(), message_with_id("1", "a"));
    assert_eq!(handle.last_event_id().as_deref(), Some("1"));
    assert_eq!(client.next(), message_with_id("1", "b"));
    assert_eq!(handle.last_event_id().as_deref(), Some("1"));
    client.rests();
    assert_eq!(handle.last_event_id().as_deref(), Some("2"), "a block without data");
    client.timer.advance(secs(1));
    client.next();
    assert_eq!(handle.last_event_id().as_deref(), Some("3"));
    client.next();
    assert_eq!(handle.last_event_id(), None);
    client.events.force_reconnect_with_id(Some("4".into()));
    assert_eq!(client.handle().last_event_id().as_deref(), Some("4"));
    assert_eq!(handle.last_event_id().as_deref(), Some("4"));
    drop(client);
    assert_eq!(handle.last_event_id().as_deref(), Some("4"), "it outlives the stream");
}

#[test]
fn a_handle_that_is_taken_late_has_the_current_values() {
    let mut client = Server::new([opens().sends("id: 1\ndata: a\n\n")]).client();
    client.drain();
    let handle = client.handle();
    assert_eq!(handle.ready_state(), ReadyState::Open);
    assert_eq!(handle.last_event_id().as_deref(), Some("1"));
}

#[test]
fn a_handle_that_was_taken_before_the_start_was_set_knows_it() {
    let mut handle = None;
    let mut client = Server::new([hangs()]).client_with(|mut events| {
        handle = Some(events.handle());
        events.with_last_event_id("41")
    });
    let handle = handle.unwrap();
    assert_eq!(handle.last_event_id().as_deref(), Some("41"));
    client.rests();
    assert_eq!(handle.last_event_id().as_deref(), Some("41"));
    assert_eq!(client.server.ids(), [id("41")]);
}

fn counts(stats: Stats) -> [u64; 4] {
    [stats.attempts, stats.opens, stats.events, stats.bytes]
}

#[test]
fn a_stream_and_its_handle_count_attempts_opens_events_and_bytes() {
    let body = opens().sends(":\n\n").sends("data: a\n\ndata: b\n\n");
    let mut client = Server::new([refuses(), body.ends(), opens()]).client();
    let handle = client.handle();
    assert_eq!(counts(handle.stats()), [0; 4]);
    assert_eq!(client.drain(), [refused(secs(3), 1)]);
    assert_eq!(counts(elsewhere(|| handle.stats())), [1, 0, 0, 0]);
    client.timer.advance(secs(3));
    for (seen, expected) in
        [(open(), [2, 1, 0, 0]), (message("a"), [2, 1, 1, 21]), (message("b"), [2, 1, 2, 21])]
    {
        assert_eq!(client.next(), seen);
        assert_eq!(counts(handle.stats()), expected);
        assert_eq!(counts(client.events.stats()), expected);
    }
    client.items_for(secs(3));
    assert_eq!(counts(handle.stats()), [3, 2, 2, 21]);
    client.events.close();
    client.events.force_reconnect();
    client.drain();
    assert_eq!(counts(handle.stats()), [4, 2, 2, 21], "they outlive all of that");
    assert_eq!(handle.stats(), client.handle().stats());
    drop(client);
    assert_eq!(counts(handle.stats()), [4, 2, 2, 21]);
}

#[test]
fn a_handle_that_is_taken_late_has_the_earlier_counts() {
    let mut client = Server::new([opens().sends(event("a"))]).client();
    client.drain();
    assert_eq!(counts(client.handle().stats()), [1, 1, 1, 9]);
}

#[test]
fn a_watch_yields_the_current_state_and_then_each_new_one() {
    use ReadyState::{Closed, Connecting, Open};
    let mut client = Server::new([after(secs(1)).opens().after(secs(1)).ends(), opens()]).client();
    let mut states = client.handle().watch();
    let (wakes, waker) = Wakes::new();
    let mut next = |expected: Poll<Option<ReadyState>>| {
        assert_eq!(Pin::new(&mut states).poll_next(&mut Context::from_waker(&waker)), expected);
        wakes.take();
    };
    next(Poll::Ready(Some(Connecting)));
    next(Poll::Pending);
    client.rests();
    assert_eq!(wakes.count(), 0, "connecting is connecting");
    client.run_for(secs(1));
    assert_eq!(wakes.count(), 1);
    next(Poll::Ready(Some(Open)));
    next(Poll::Pending);
    client.run_for(secs(1));
    assert_eq!(wakes.count(), 1);
    next(Poll::Ready(Some(Connecting)));
    client.run_for(secs(3));
    client.events.close();
    next(Poll::Ready(Some(Closed)));
    next(Poll::Pending);
    client.events.force_reconnect();
    assert_eq!(wakes.count(), 1, "a closed stream may be revived");
    next(Poll::Ready(Some(Connecting)));
    next(Poll::Pending);
    drop(client);
    assert_eq!(wakes.count(), 1);
    next(Poll::Ready(Some(Closed)));
    next(Poll::Ready(None));
    next(Poll::Ready(None));
}

#[test]
fn a_watch_sees_the_state_that_an_order_leads_to_at_once() {
    let mut client = client_at(Place::Open);
    let handle = client.handle();
    let mut watches = [handle.watch(), handle.watch()];
    for (order, state) in [
        (Handle::close as fn(&Handle), ReadyState::Closed),
        (Handle::reconnect_now, ReadyState::Connecting),
    ] {
        for watch in &mut watches {
            while watch.next().now_or_never().is_some() {}
        }
        order(&handle);
        for watch in &mut watches {
            assert_eq!(watch.next().now_or_never(), Some(Some(state)));
        }
    }
}

#[test]
fn a_watch_that_is_dropped_keeps_no_waker() {
    let mut client = client_at(Place::Open);
    let handle = client.handle();
    let (wakes, waker) = Wakes::new();
    for _ in 0..3 {
        let mut watches = [handle.watch(), handle.watch()];
        for watch in &mut watches {
            while Pin::new(&mut *watch).poll_next(&mut Context::from_waker(&waker)).is_ready() {}
        }
        let [first, second] = watches;
        drop(first);
        client.events.close();
        assert_eq!(wakes.take(), 1, "the other one is woken");
        drop(second);
        client.events.force_reconnect();
        assert_eq!(wakes.take(), 0);
    }
    drop(waker);
    assert_eq!(Arc::strong_count(&wakes), 1);
}

#[test]
fn watches_on_other_threads_see_every_last_state() {
    let mut client = Server::always(opens()).client();
    let handle = client.handle();
    let watchers: Vec<_> = (0..4)
        .map(|_| {
            let mut states = handle.watch();
            thread::spawn(move || {
                let mut last = None;
                while let Some(state) = futures_executor::block_on(states.next()) {
                    assert_ne!(last, Some(state));
                    last = Some(state);
                }
                last
            })
        })
        .collect();
    for _ in 0..1000 {
        client.drain();
        client.events.force_reconnect();
        drop(handle.watch());
    }
    drop(client);
    for watcher in watchers {
        assert_eq!(watcher.join().unwrap(), Some(ReadyState::Closed));
    }
}

#[test]
fn dropping_a_handle_does_nothing() {
    let mut client = client_at(Place::Open);
    drop(client.handle());
    let handle = client.handle();
    drop(handle.clone());
    client.rests();
    assert_eq!(client.events.ready_state(), ReadyState::Open);
    assert_eq!(client.server.live(), 1);
}

#[test]
fn a_dropped_stream_is_closed_whatever_is_ordered() {
    let orders: [fn(&Handle); 3] = [Handle::close, Handle::reconnect_now, |_| ()];
    for place in PLACES {
        for before in orders {
            for afterwards in orders {
                let mut client = client_at(place);
                let handle = client.handle();
                before(&handle);
                drop(client);
                assert_eq!(handle.ready_state(), ReadyState::Closed, "{place:?}");
                afterwards(&handle);
                assert_eq!(handle.ready_state(), ReadyState::Closed, "{place:?}");
            }
        }
    }
}

#[test]
fn debugging_shows_what_a_handle_knows() {
    let shown = format!("{:?}", client_at(Place::Open).handle());
    assert!(shown.contains("Open") && shown.contains("\"7\""), "{shown}");
}

/// A waker that unparks a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for the next item, and only polls after a wake-up.
fn block_on_next(events: &mut Events) -> Option<<Events as Stream>::Item> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        let polled = Pin::new(&mut *events).poll_next(&mut Context::from_waker(&waker));
        match polled {
            Poll::Ready(item) => return item,
            Poll::Pending => thread::park(),
        }
    }
}

fn wait_for(handle: &Handle, state: ReadyState) {
    while handle.ready_state() != state {
        thread::yield_now();
    }
}

/// Waits for the end of the stream and returns the number of items before it.
fn count_items(events: &mut Events) -> usize {
    std::iter::from_fn(|| block_on_next(events)).count()
}

#[test]
fn a_thread_that_waits_for_an_item_is_freed_by_close() {
    let mut client = Server::new([opens()]).client();
    let handle = client.handle();
    let reader = thread::spawn(move || count_items(&mut client.events));
    wait_for(&handle, ReadyState::Open);
    handle.close();
    assert_eq!(handle.ready_state(), ReadyState::Closed);
    assert_eq!(reader.join().unwrap(), 1);
}

#[test]
fn a_thread_that_waits_for_a_delay_is_freed_by_reconnect_now() {
    let server = Server::then([refuses()], opens());
    let mut client = server.client();
    let handle = client.handle();
    let reader = thread::spawn(move || count_items(&mut client.events));
    while server.attempts() == 0 || server.live() > 0 {
        thread::yield_now();
    }
    handle.reconnect_now();
    wait_for(&handle, ReadyState::Open);
    assert_eq!(server.attempts(), 2);
    handle.close();
    assert_eq!(reader.join().unwrap(), 2, "a loss and an open connection");
}

#[test]
fn orders_from_many_threads_leave_one_connection_and_a_clear_end() {
    const ORDERS: usize = 2000;

    let server = Server::always(opens().sends(event("x")));
    let mut client = server.client();
    let handle = client.handle();
    let over = Arc::new(AtomicBool::new(false));
    let reader = {
        let over = Arc::clone(&over);
        thread::spawn(move || {
            loop {
                // Two connections at a time would panic here.
                if block_on_next(&mut client.events).is_none() && over.load(Ordering::SeqCst) {
                    return client;
                }
            }
        })
    };
    let threads: Vec<_> = (0..3)
        .map(|n| {
            let handle = handle.clone();
            thread::spawn(move || {
                let mut rng = fastrand::Rng::with_seed(n);
                for _ in 0..ORDERS {
                    if rng.bool() { handle.close() } else { handle.reconnect_now() }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    over.store(true, Ordering::SeqCst);
    handle.close();
    let client = reader.join().unwrap();
    assert_eq!(handle.ready_state(), ReadyState::Closed);
    assert_eq!(client.events.ready_state(), ReadyState::Closed);
    assert_eq!((server.live(), client.timer.pending()), (0, 0));
}

#[test]
fn a_handle_never_sees_the_state_before_its_order() {
    const ROUNDS: usize = 50_000;

    let mut client = Server::always(opens()).client();
    let handle = client.handle();
    let over = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                let _ = client.poll();
            }
        });
        let mut seen = [0; 2];
        for _ in 0..ROUNDS {
            handle.close();
            seen[0] += usize::from(handle.ready_state() != ReadyState::Closed);
            handle.reconnect_now();
            seen[1] += usize::from(handle.ready_state() == ReadyState::Closed);
            // This lets the connection open sometimes.
            thread::yield_now();
        }
        over.store(true, Ordering::SeqCst);
        seen
    });
    assert_eq!(seen, [0, 0], "so often not closed after close, closed after reconnect_now");
}

#[test]
fn close_gets_through_to_a_stream_that_comments_flood() {
    let handle: Arc<OnceLock<Handle>> = Arc::default();
    let read_all = Arc::new(AtomicBool::new(false));
    let server = {
        let (handle, read_all) = (Arc::clone(&handle), Arc::clone(&read_all));
        Server::answering(move |_| {
            let (handle, read_all) = (Arc::clone(&handle), Arc::clone(&read_all));
            let mut script = opens().does(move || handle.get().unwrap().close());
            for _ in 0..100_000 {
                script = script.sends(":\n");
            }
            script.does(move || read_all.store(true, Ordering::SeqCst))
        })
    };
    let mut client = server.client();
    handle.set(client.handle()).unwrap();
    assert_eq!(client.items_for(secs(1)), [open(), Seen::End]);
    assert!(!read_all.load(Ordering::SeqCst), "there might have been no end to it");
}

#[test]
fn an_event_after_a_flood_of_comments_needs_no_other_wake_up() {
    let flood = (0..100_000).fold(opens(), |script, _| script.sends(":\n"));
    let mut client = Server::new([flood.sends(event("x"))]).client();
    assert_eq!(client.items_for(Duration::ZERO), [open(), message("x")]);
}
