//! Connections from one body or from a closure.

use super::*;

/// Returns a body of these chunks, after which it ends, breaks or stays silent.
fn body(chunks: &[&str], end: Option<Result<(), &'static str>>) -> Chunks {
    use futures_util::stream;
    let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(chunk.as_bytes().to_vec())).collect();
    let chunks = stream::iter(chunks);
    match end {
        Some(Ok(())) => chunks.boxed(),
        Some(Err(error)) => chunks.chain(stream::iter([Err(error)])).boxed(),
        None => chunks.chain(stream::pending()).boxed(),
    }
}

/// Returns all items of one body until the stream ends, in virtual time.
fn items_of(body: Chunks, set: impl FnOnce(Once<Chunks>) -> Once<Chunks>) -> Vec<String> {
    let timer = ManualTimer::new();
    let mut events = set(Reconnect::once(body, timer.clone()));
    let mut items = Vec::new();
    loop {
        match events.next().now_or_never() {
            Some(Some(Ok(ReconnectEvent::Open(_)))) => items.push("open".to_owned()),
            Some(Some(Ok(ReconnectEvent::Message(message)))) => {
                items.push(message.data().to_owned())
            }
            Some(Some(Ok(other))) => panic!("{other:?}"),
            Some(Some(Err(error))) => items.push(format!("error: {error}")),
            Some(None) => return items,
            None => assert!(timer.advance_to_next().is_some(), "{items:?}: nothing will end it"),
        }
    }
}

type Once<B> = Reconnect<everstream::reconnect::Once<B>, ManualTimer>;

#[test]
fn one_body_ends_cleanly_or_with_an_error_and_is_never_repeated() {
    let ended = || body(&["data: a\n\n"], Some(Ok(())));
    assert_eq!(items_of(ended(), |events| events), ["open", "a"]);
    let broken = || body(&["data: a\n\n"], Some(Err("reset")));
    assert_eq!(items_of(broken(), |events| events), ["open", "a", "error: reset"]);
    let html = body(&["<html>"], Some(Ok(())));
    let [open, error] = &items_of(html, |events| events)[..] else { panic!() };
    assert_eq!(open, "open");
    assert!(error.contains("<html>"), "{error}");
}

#[test]
fn one_body_has_timeouts_and_limits() {
    let idle = items_of(body(&["data: a\n\n"], None), |events| events.with_timeouts(idle(secs(5))));
    assert_eq!(idle, ["open", "a", "error: no byte arrived for 5s"]);
    let silent = items_of(body(&[":\n"], None), |events| events.with_timeouts(no_event(secs(5))));
    assert_eq!(silent, ["open", "error: no event arrived for 5s"]);
    let large = items_of(body(&["data: 123456789\n\n"], None), |events| {
        events.with_max_event_size(8).with_on_oversize(OnOversize::Fail)
    });
    assert_eq!(large.len(), 2, "{large:?}");
}

#[test]
fn a_stream_over_a_body_in_hand_resumes_by_its_connector() {
    let timer = ManualTimer::new();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let connect = connect_fn({
        let asked = asked.clone();
        move |attempt: Attempt<&'static str>| {
            let id = attempt.last_event_id.as_deref().unwrap_or_default().to_owned();
            asked.lock().unwrap().push((attempt.number, attempt.was_open, id));
            async move {
                match attempt.number {
                    1 => Err(ConnectError::retry("busy")),
                    2 => Ok(body(&["id: 2\ndata: b\n\n"], None)),
                    _ => Err(ConnectError::Fatal("hopeless")),
                }
            }
        }
    });
    let first = body(&["id: 1\ndata: a\n\n"], Some(Err("reset")));
    let mut events = Reconnect::resuming(first, connect, timer.clone()).with_retry_policy(exact());
    let mut seen = Vec::new();
    for _ in 0..3 {
        while let Some(Some(item)) = events.next().now_or_never() {
            seen.push(match item.unwrap() {
                ReconnectEvent::Open(opened) => format!("open {}", opened.is_reconnect()),
                ReconnectEvent::Message(message) => message.data().to_owned(),
                ReconnectEvent::Reconnecting { reason, attempt, .. } => {
                    format!("{attempt}: {reason}")
                }
                other => panic!("{other:?}"),
            });
        }
        timer.advance_to_next();
    }
    assert_eq!(seen, ["open false", "a", "1: reset", "2: busy", "open true", "b"]);
    assert_eq!(*asked.lock().unwrap(), [(1, true, "1".to_owned()), (2, true, "1".to_owned())]);
    assert_eq!((events.stats().attempts, events.stats().opens), (3, 2));
}

#[test]
fn a_closure_says_what_may_be_repeated() {
    let connect = connect_fn(|_: Attempt<&'static str>| async {
        Ok::<_, ConnectError<_, &'static str>>(body(&[], Some(Ok(()))))
    });
    let connect = connect.with_may_reconnect(|lost| lost != DisconnectKind::Ended);
    let mut events = Reconnect::new(connect, ManualTimer::new());
    assert!(matches!(events.next().now_or_never(), Some(Some(Ok(ReconnectEvent::Open(_))))));
    assert!(matches!(events.next().now_or_never(), Some(None)));
}
