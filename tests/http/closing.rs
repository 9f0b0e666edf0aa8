//! Tests of `close`, `drop` and `force_reconnect` of an `EventSource` in each state: rows G of the
//! HTTP cases, over real sockets and in virtual time.

use std::future::{Future, pending};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use crate::support::client::*;
use crate::support::server::{Closed, Gate, Reply, Request, Server};
use everstream::{
    Backoff, Error, Event, EventSource, EventSourceBuilder, Handle, Jitter, ManualTimer,
    ReadyState, RequestBuilderExt,
};
use futures_util::{FutureExt, StreamExt};
use reqwest::Client;
use reqwest::dns::{Name, Resolve, Resolving};

/// Returns the default policy without jitter: 3 s, doubled up to 60 s.
fn exact() -> Backoff {
    Backoff::new().with_jitter(Jitter::none())
}

fn builder(url: impl reqwest::IntoUrl, timer: &ManualTimer) -> EventSourceBuilder {
    get(url).into_event_source_builder().retry_policy(exact()).timer(timer.clone())
}

/// Returns the values of the header on the k-th request.
fn last_event_id(requests: &[Request], k: usize) -> Vec<&[u8]> {
    requests[k].header("last-event-id")
}

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// Waits until the dropped tasks have ended.
#[track_caller]
fn no_tasks() -> impl Future<Output = ()> {
    within(async {
        while tasks() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
}

/// Polls the stream, which must be pending, until a future ends.
async fn pending_until<T>(events: &mut EventSource, until: impl Future<Output = T>) -> T {
    let mut until = pin!(until);
    within(std::future::poll_fn(|cx| match until.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(done),
        Poll::Pending => match events.poll_next_unpin(cx) {
            Poll::Pending => Poll::Pending,
            item => panic!("not pending: {item:?}"),
        },
    }))
    .await
}

/// The states of a stream in which something can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Unpolled,
    /// The host name is being resolved.
    Resolving,
    /// The request is sent, and no response has arrived.
    Asking,
    /// One event was read, and half of another has arrived.
    InTheBody,
    /// Three events have arrived at once, and one was read.
    Buffered,
    Waiting,
}

use Place::*;

const PLACES: [Place; 6] = [Unpolled, Resolving, Asking, InTheBody, Buffered, Waiting];

/// A stream in that state, with its server and its clock. The server's next reply is the event
/// `new`, and stays open.
struct Scene {
    server: Server,
    timer: ManualTimer,
    events: EventSource,
    /// The number of requests so far.
    requests: usize,
    /// Has a second reference while the host name is being resolved.
    lookup: Arc<()>,
}

/// A resolver that never ends.
struct Lost(Arc<()>);

impl Resolve for Lost {
    fn resolve(&self, _: Name) -> Resolving {
        let lookup = Arc::clone(&self.0);
        Box::pin(async move {
            pending::<()>().await;
            drop(lookup);
            Err(io::Error::other("unreachable").into())
        })
    }
}

impl Scene {
    async fn at(place: Place) -> Scene {
        let first = match place {
            Unpolled | Resolving => None,
            Asking => Some(Reply::silence()),
            InTheBody => Some(Reply::events("id: 1\ndata: a\n\nid: 2\ndata: half").hold()),
            Buffered => {
                let stream = "id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n";
                Some(Reply::events(stream).hold())
            }
            Waiting => Some(Reply::events("id: 1\ndata: a\n\n")),
        };
        let requests = usize::from(first.is_some());
        let new = Reply::events("data: new\n\n").hold();
        let server = Server::scripted_then(first.into_iter().chain([new]), Reply::silence());
        let timer = ManualTimer::new();
        let lookup = Arc::new(());
        let mut events = match place {
            Resolving => {
                let resolver = Arc::new(Lost(Arc::clone(&lookup)));
                let http = Client::builder().no_proxy().dns_resolver(resolver).build().unwrap();
                let mut events = http
                    .get("http://events.invalid/")
                    .into_event_source_builder()
                    .timer(timer.clone())
                    .build();
                within(async {
                    while Arc::strong_count(&lookup) < 3 {
                        assert_pending(&mut events);
                        tokio::task::yield_now().await;
                    }
                })
                .await;
                events
            }
            _ => builder(server.url(), &timer).build(),
        };
        match place {
            Unpolled | Resolving => {}
            Asking => drop(pending_until(&mut events, server.until_requests(1)).await),
            InTheBody | Buffered | Waiting => {
                opened(&mut events).await;
                assert_eq!(data(&mut events).await, "a");
            }
        }
        if place == InTheBody {
            assert_pending(&mut events);
        }
        if place == Waiting {
            reconnecting(&mut events).await;
            assert_pending(&mut events);
            assert_eq!(timer.pending(), 1);
        }
        Scene { server, timer, events, requests, lookup }
    }

    /// Asserts that the connection or the delay has ended, and nothing has replaced it.
    async fn is_left_behind(&self) {
        if self.requests > 0 {
            self.server.until_closed(0).await;
        }
        self.server.until_live(0).await;
        assert_eq!(self.server.connections(), self.requests);
        assert_eq!(self.server.requests().len(), self.requests);
        assert_eq!(self.timer.pending(), 0);
    }
}

// ------------------------------------------------------------------------------------------- Close

/// G1
#[tokio::test]
async fn a_stream_that_is_closed_before_its_first_poll_sends_nothing() {
    let server = Server::scripted([]);
    let timer = ManualTimer::new();
    let mut events = builder(server.url(), &timer).last_event_id("41").build();
    assert_eq!(events.ready_state(), ReadyState::Connecting);
    events.close();
    assert_over(&mut events);
    ended(&mut events).await;
    assert_eq!(events.last_event_id().map(|id| &**id), Some("41"));
    assert_quiet(&mut events, &timer, &server, 0).await;
    assert_eq!((server.connections(), tasks()), (0, 0));
}

/// G1 G2 G3 G4
#[tokio::test]
async fn close_drops_the_connection_at_once_and_ends_the_stream() {
    for place in PLACES {
        let mut scene = Scene::at(place).await;
        let id = scene.events.last_event_id().cloned();
        scene.events.close();
        assert_eq!(scene.events.ready_state(), ReadyState::Closed, "{place:?}");
        assert_eq!(scene.timer.pending(), 0, "{place:?}: at once, not at the next poll");
        scene.is_left_behind().await;
        ended(&mut scene.events).await;
        assert_quiet(&mut scene.events, &scene.timer, &scene.server, scene.requests).await;
        assert_eq!(scene.events.last_event_id(), id.as_ref(), "{place:?}");
        if place == Resolving {
            within(async {
                while Arc::strong_count(&scene.lookup) > 2 {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        }
        drop(scene.events);
        no_tasks().await;
    }
}

/// G2
#[tokio::test]
async fn close_drops_a_pending_request_fn() {
    let making = Arc::new(());
    let mut events = {
        let making = Arc::clone(&making);
        get("http://127.0.0.1/")
            .into_event_source_builder()
            .request_fn(move |_| {
                let making = Arc::clone(&making);
                async move {
                    pending::<()>().await;
                    drop(making);
                    Err("unreachable".into())
                }
            })
            .build()
    };
    assert_pending(&mut events);
    assert_eq!(Arc::strong_count(&making), 3);
    events.close();
    assert_eq!(Arc::strong_count(&making), 2);
    ended(&mut events).await;
}

/// G3
#[tokio::test]
async fn close_ends_a_connection_on_which_the_server_keeps_sending() {
    let server =
        Server::scripted([Reply::sse().send_each(|i| Some(format!("data: {i}\n\n").into_bytes()))]);
    let timer = ManualTimer::new();
    let mut events = builder(server.url(), &timer).build();
    opened(&mut events).await;
    for i in 0..1_000 {
        assert_eq!(data(&mut events).await, i.to_string());
    }
    events.close();
    ended(&mut events).await;
    server.until_closed(0).await;
    assert_quiet(&mut events, &timer, &server, 1).await;
}

/// G4
#[tokio::test]
async fn close_on_a_loss_cancels_the_delay() {
    let server = Server::scripted([Reply::events("data: a\n\n")]);
    let timer = ManualTimer::new();
    let mut events = builder(server.url(), &timer).build();
    opened(&mut events).await;
    data(&mut events).await;
    let lost = reconnecting(&mut events).await;
    events.close();
    assert_eq!(timer.pending(), 0);
    timer.advance(2 * lost.delay);
    ended(&mut events).await;
    assert_quiet(&mut events, &timer, &server, 1).await;
}

/// G5
#[tokio::test]
async fn close_does_nothing_to_a_stream_that_is_over() {
    for (reply, fatal) in [
        (Reply::empty(404, "Not Found"), true),
        (Reply::with_body(200, "OK", "text/html", "<p>"), true),
        (Reply::no_content(), false),
        (Reply::sse().hold(), false),
    ] {
        let server = Server::scripted([reply]);
        let timer = ManualTimer::new();
        let mut events = builder(server.url(), &timer).build();
        let handle = events.handle();
        match next(&mut events).await {
            Some(Err(_)) => assert!(fatal),
            Some(Ok(Event::Open(_))) => events.close(),
            item => assert!(item.is_none(), "{item:?}"),
        }
        for _ in 0..3 {
            assert_over(&mut events);
            events.close();
            assert_over(&mut events);
            handle.close();
            assert_eq!(handle.ready_state(), ReadyState::Closed);
        }
        ended(&mut events).await;
        assert_quiet(&mut events, &timer, &server, 1).await;
        assert_eq!(handle.ready_state(), ReadyState::Closed);
    }
}

/// G6
#[tokio::test]
async fn a_loop_that_closes_its_stream_gets_no_buffered_event() {
    let body = "data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n";
    let server = Server::repeating(Reply::events(body).hold());
    let mut seen = Vec::new();

    let mut events = get(server.url()).into_event_source();
    while let Some(item) = next(&mut events).await {
        if let Event::Message(message) = item.unwrap() {
            seen.push(message.data().to_owned());
            if message.data() == "2" {
                events.close();
            }
        }
    }
    assert_eq!(seen, ["1", "2"]);

    // where a combinator owns the stream
    seen.clear();
    let mut events = get(server.url()).into_event_source();
    let handle = events.handle();
    let all = events.for_each(|item| {
        if let Event::Message(message) = item.unwrap() {
            seen.push(message.data().to_owned());
            if message.data() == "2" {
                handle.close();
            }
        }
        std::future::ready(())
    });
    within(all).await;
    assert_eq!(seen, ["1", "2"]);

    // at an open connection, and at a lost one
    for place in ["open", "reconnecting"] {
        let server = Server::repeating(Reply::events(body));
        let mut events = get(server.url()).into_event_source();
        let mut last = "";
        while let Some(item) = next(&mut events).await {
            last = match item.unwrap() {
                Event::Open(_) => "open",
                Event::Reconnecting { .. } => "reconnecting",
                _ => "message",
            };
            if last == place {
                events.close();
            }
        }
        assert_eq!(last, place);
        server.until_live(0).await;
        assert_eq!(server.requests().len(), 1);
    }
    server.until_live(0).await;
}

// -------------------------------------------------------------------------------------------- Drop

/// G7
#[tokio::test]
async fn a_dropped_stream_leaves_nothing_in_any_state() {
    for place in PLACES {
        let mut scene = Scene::at(place).await;
        let handle = scene.events.handle();
        let Scene { server, timer, events, requests, lookup } = scene;
        drop(events);
        assert_eq!(timer.pending(), 0, "{place:?}");
        assert_eq!(handle.ready_state(), ReadyState::Closed);
        no_tasks().await;
        server.until_live(0).await;
        assert_eq!((server.connections(), server.requests().len()), (requests, requests));
        assert_eq!(Arc::strong_count(&lookup), 1, "{place:?}: the client is gone too");
    }
}

fn runtime_with_one_worker() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

/// G7
#[test]
fn a_runtime_shuts_down_after_its_stream_was_dropped() {
    for place in PLACES {
        let runtime = runtime_with_one_worker();
        let server = runtime.block_on(async {
            let Scene { server, events, .. } = Scene::at(place).await;
            drop(events);
            server
        });
        let (done, is_done) = std::sync::mpsc::channel();
        thread::spawn(move || {
            drop(runtime);
            done.send(()).unwrap();
        });
        let waited = is_done.recv_timeout(crate::support::server::PATIENCE);
        assert!(waited.is_ok(), "{place:?}: the runtime does not shut down");
        server.wait_for_live(0, crate::support::server::PATIENCE);
    }
}

/// G7
#[tokio::test]
async fn a_handle_of_a_dropped_stream_is_closed_after_any_order() {
    for order in [Handle::close, Handle::reconnect_now] {
        let mut events = get("http://127.0.0.1/").into_event_source();
        let handle = events.handle();
        drop(events);
        assert_eq!(handle.ready_state(), ReadyState::Closed);
        order(&handle);
        assert_eq!(handle.ready_state(), ReadyState::Closed);

        let mut events = get("http://127.0.0.1/").into_event_source();
        let handle = events.handle();
        order(&handle);
        drop(events);
        assert_eq!(handle.ready_state(), ReadyState::Closed);
    }
}

/// G8
#[test]
fn a_stream_that_outlives_its_runtime_can_be_closed_or_revived_in_another() {
    for place in PLACES {
        let runtime =
            || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let first = runtime();
        let Scene { server, mut events, .. } = first.block_on(Scene::at(place));
        drop(first);
        server.wait_for_live(0, crate::support::server::PATIENCE);

        events.close();
        assert_over(&mut events);
        if cfg!(not(feature = "smol")) {
            events.force_reconnect();
            let polled = poll(&mut events);
            assert!(matches!(polled, Poll::Ready(Some(Err(Error::NoRuntime)))), "{polled:?}");
            assert_over(&mut events);
        }
        events.force_reconnect();
        if place != Resolving {
            runtime().block_on(async {
                assert_eq!(
                    opened(&mut events).await.is_reconnect(),
                    events.last_event_id().is_some()
                );
                assert_eq!(data(&mut events).await, "new");
            });
        }
        drop(events);
        server.wait_for_live(0, crate::support::server::PATIENCE);
    }
}

/// G8
#[test]
fn a_runtime_can_shut_down_while_its_task_awaits_the_stream() {
    for place in PLACES {
        let runtime = runtime_with_one_worker();
        let (server, handle) = runtime.block_on(async {
            let Scene { server, mut events, .. } = Scene::at(place).await;
            let handle = events.handle();
            tokio::spawn(async move { while let Some(Ok(_)) = events.next().await {} });
            tokio::task::yield_now().await;
            (server, handle)
        });
        drop(runtime);
        server.wait_for_live(0, crate::support::server::PATIENCE);
        assert_eq!(handle.ready_state(), ReadyState::Closed, "{place:?}: it is dropped");
    }
}

// ----------------------------------------------------------------------------------------- Reconnect

/// G9
#[tokio::test]
async fn a_reconnection_that_is_forced_while_connecting_replaces_the_attempt_silently() {
    let Scene { server, mut events, timer, .. } = Scene::at(Asking).await;
    events.force_reconnect();
    assert_eq!(events.ready_state(), ReadyState::Connecting);
    assert_eq!(server.until_closed(0).await, Closed::Fin);
    assert_eq!(server.requests().len(), 1, "the request is sent when it is polled");
    assert!(!opened(&mut events).await.is_reconnect(), "none was open before");
    assert_eq!(data(&mut events).await, "new");
    assert_pending(&mut events);
    server.until_live(1).await;
    assert_eq!((server.connections(), server.requests().len()), (2, 2));
    assert_eq!(timer.now(), Duration::ZERO);
}

/// G10
#[tokio::test]
async fn a_reconnection_that_is_forced_in_mid_event_resumes_after_the_last_item() {
    for place in [InTheBody, Buffered] {
        let Scene { server, mut events, timer, .. } = Scene::at(place).await;
        events.force_reconnect();
        assert_eq!(events.ready_state(), ReadyState::Connecting);
        server.until_closed(0).await;
        let again = opened(&mut events).await;
        assert!(again.is_reconnect());
        assert_eq!(again.last_event_id().map(|id| &**id), Some("1"));
        let new = message(&mut events).await;
        assert_eq!((new.event(), new.data(), new.id()), ("message", "new", "1"));
        assert_pending(&mut events);
        server.until_live(1).await;
        let requests = server.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(last_event_id(&requests, 1), [b"1"], "{place:?}");
        assert_eq!(timer.now(), Duration::ZERO);
    }
}

/// G11
#[tokio::test]
async fn a_forced_reconnection_skips_the_delay_and_resets_the_count() {
    let timer = ManualTimer::new();
    let server = Server::repeating(Reply::raw("").fin());
    let mut events = builder(server.url(), &timer).build();
    for (k, how) in ["", "by the stream", "by its handle", "with an id"].into_iter().enumerate() {
        let before = timer.now();
        match how {
            "by the stream" => events.force_reconnect(),
            "by its handle" => events.handle().reconnect_now(),
            "with an id" => events.force_reconnect_with_id(Some("7".into())),
            _ => {}
        }
        for (attempt, delay) in [(1, 3), (2, 6), (3, 12)] {
            let lost = reconnecting(&mut events).await;
            assert_eq!((lost.attempt, lost.delay.as_secs()), (attempt, delay), "{how}");
            assert_pending(&mut events);
            if attempt == 1 {
                assert_eq!(timer.now(), before, "{how}: at once");
            }
            if attempt < 3 {
                timer.advance_to_next();
            }
        }
        assert_eq!(timer.pending(), 1, "it waits once, however often it was forced");
        assert_eq!(server.requests().len(), 3 * (k + 1), "{how}");
    }
    let requests = server.requests();
    assert!(last_event_id(&requests, 8).is_empty());
    assert!((9..12).all(|k| last_event_id(&requests, k) == [b"7"]));
}

/// G12
#[tokio::test]
async fn a_stream_that_is_over_can_be_revived() {
    for end in ["close", "handle", "204", "404", "gave up"] {
        for revive in ["by the stream", "by its handle", "with an id"] {
            let over = match end {
                "204" => Reply::no_content(),
                "404" => Reply::empty(404, "Not Found"),
                "gave up" => Reply::sse(),
                _ => Reply::sse().hold(),
            };
            let server = Server::scripted([
                Reply::events("id: 1\ndata: a\n\n"),
                over,
                Reply::events("data: b\n\n"),
            ]);
            let timer = ManualTimer::new();
            let policy = exact().with_max_retries(0);
            let mut events = builder(server.url(), &timer).retry_policy(policy).build();
            let handle = events.handle();
            messages(&mut events, 1).await;
            reconnecting(&mut events).await;
            timer.advance_to_next();
            if !matches!(end, "204" | "404") {
                opened(&mut events).await;
            }
            match end {
                "close" => events.close(),
                "handle" => handle.close(),
                "204" => {}
                _ => {
                    let error = failed(&mut events).await;
                    assert_eq!(matches!(error, Error::Status(_)), end == "404", "{error:?}");
                    assert_eq!(matches!(error, Error::GaveUp { .. }), end == "gave up");
                }
            }
            ended(&mut events).await;
            assert_quiet(&mut events, &timer, &server, 2).await;

            let id = match revive {
                "by the stream" => {
                    events.force_reconnect();
                    "1"
                }
                "by its handle" => {
                    handle.reconnect_now();
                    "1"
                }
                _ => {
                    events.force_reconnect_with_id(Some("7".into()));
                    "7"
                }
            };
            assert_eq!(handle.ready_state(), ReadyState::Connecting, "{end}, {revive}");
            assert!(opened(&mut events).await.is_reconnect());
            let b = message(&mut events).await;
            assert_eq!((b.data(), b.id()), ("b", id), "{end}, {revive}");
            assert_eq!(reconnecting(&mut events).await.attempt, 1);
            timer.advance_to_next();
            ended(&mut events).await;
            assert_eq!(last_event_id(&server.requests(), 2), [id.as_bytes()]);
        }
    }
}

/// G13
#[tokio::test]
async fn a_thousand_forced_reconnections_open_one_connection_at_a_time() {
    // never polled in between
    let server = Server::repeating(Reply::events("data: a\n\n").hold());
    let timer = ManualTimer::new();
    let mut events = builder(server.url(), &timer).build();
    for _ in 0..1_000 {
        events.force_reconnect();
        events.handle().reconnect_now();
    }
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
    assert_eq!((server.connections(), server.requests().len()), (1, 1));

    // polled in between, which gets some of them as far as the server
    for i in 0..1_000 {
        events.force_reconnect();
        for _ in 0..i % 5 {
            let _ = poll(&mut events);
            tokio::task::yield_now().await;
        }
    }
    events.force_reconnect();
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
    server.until_live(1).await;
    assert_eq!(timer.pending(), 0, "an event has proved the connection");

    // opened in between; the ids tell these from what of the others is on its way
    for id in 0..100 {
        events.force_reconnect_with_id(Some(id.to_string().into()));
        opened(&mut events).await;
    }
    server.until_live(1).await;
    let requests = server.requests();
    assert!(requests.len() <= 1_102, "{}", requests.len());
    for id in 0..100 {
        let sent = requests
            .iter()
            .filter(|request| request.header("last-event-id") == [id.to_string().as_bytes()]);
        assert_eq!(sent.count(), 1, "{id}");
    }
    assert!(tasks() <= 5, "{}", tasks());
    drop(events);
    server.until_live(0).await;
    no_tasks().await;
}

/// G14
#[tokio::test]
async fn a_forced_reconnection_sends_the_id_that_it_was_given_or_none() {
    let server = Server::repeating(Reply::events("id: server\ndata: a\n\ndata: b\n\n").hold());
    let timer = ManualTimer::new();
    let request = get(server.url()).header("Last-Event-ID", "user");
    let mut events = request.into_event_source_builder().timer(timer.clone()).build();
    let handle = events.handle();
    let given = [Some("7"), None, Some(""), Some("…"), Some("\u{1}"), Some("8")];
    let sent: [&[&[u8]]; 6] = [&[b"7"], &[], &[], &["…".as_bytes()], &[], &[b"8"]];

    opened(&mut events).await;
    data(&mut events).await;
    for (k, (given, sent)) in given.into_iter().zip(sent).enumerate() {
        events.force_reconnect_with_id(given.map(Into::into));
        let given = given.filter(|id| !id.is_empty());
        assert_eq!(events.last_event_id().map(|id| &**id), given);
        assert_eq!(handle.last_event_id().as_deref(), given);
        let again = opened(&mut events).await;
        assert_eq!(again.last_event_id().map(|id| &**id), given);
        assert_eq!(last_event_id(&server.requests(), k + 1), sent, "{given:?}");
        assert_eq!(message(&mut events).await.id(), "server");
        assert_eq!(handle.last_event_id().as_deref(), Some("server"));
    }
    assert_eq!(last_event_id(&server.requests(), 0), [b"user"]);
    events.force_reconnect();
    opened(&mut events).await;
    assert_eq!(last_event_id(&server.requests(), 7), [b"server"]);

    // Revived from another point
    events.close();
    events.force_reconnect_with_id(Some("9".into()));
    opened(&mut events).await;
    assert_eq!(last_event_id(&server.requests(), 8), [b"9"]);
    server.until_live(1).await;
}

// ---------------------------------------------------------------------------------- From elsewhere

/// Returns the pending states, each with a stream in it.
async fn scenes_that_wait() -> Vec<(Place, Scene)> {
    let mut scenes = Vec::new();
    for place in [Resolving, Asking, InTheBody, Buffered, Waiting] {
        let mut scene = Scene::at(place).await;
        if place == Buffered {
            assert_eq!(data(&mut scene.events).await, "b");
            assert_eq!(data(&mut scene.events).await, "c");
        }
        assert_pending(&mut scene.events);
        scenes.push((place, scene));
    }
    scenes
}

/// G15
#[tokio::test]
async fn close_wakes_a_pending_stream_in_any_state() {
    for (place, scene) in scenes_that_wait().await {
        let Scene { server, timer, mut events, requests, .. } = scene;
        let handle = events.handle();
        let waiting = tokio::spawn(async move {
            ended(&mut events).await;
            events
        });
        tokio::task::yield_now().await;
        thread::spawn({
            let handle = handle.clone();
            move || handle.close()
        });
        let mut events = within(waiting).await.unwrap();
        assert_eq!(handle.ready_state(), ReadyState::Closed, "{place:?}");
        server.until_live(0).await;
        assert_quiet(&mut events, &timer, &server, requests).await;
    }
}

/// G15
#[tokio::test]
async fn a_forced_reconnection_wakes_a_pending_stream_in_any_state() {
    for (place, scene) in scenes_that_wait().await {
        if place == Resolving {
            continue; // it never gets anywhere
        }
        let Scene { server, timer, mut events, .. } = scene;
        let handle = events.handle();
        let waiting = tokio::spawn(async move {
            let again = opened(&mut events).await;
            (again, data(&mut events).await, events)
        });
        tokio::task::yield_now().await;
        thread::spawn({
            let handle = handle.clone();
            move || handle.reconnect_now()
        });
        let (again, new, events) = within(waiting).await.unwrap();
        assert_eq!((again.is_reconnect(), new.as_str()), (place != Asking, "new"));
        assert_eq!(handle.ready_state(), ReadyState::Open);
        server.until_closed(0).await;
        server.until_live(1).await;
        assert_eq!(server.requests().len(), 2, "{place:?}");
        assert_eq!(timer.now(), Duration::ZERO, "{place:?}");
        drop(events);
        assert_eq!(handle.ready_state(), ReadyState::Closed);
    }
}

/// G15
#[tokio::test]
async fn of_two_orders_of_handles_the_later_counts() {
    let server = Server::repeating(Reply::events("data: a\n\n").hold());
    let timer = ManualTimer::new();
    let mut events = builder(server.url(), &timer).build();
    let (one, other) = (events.handle(), events.handle());

    opened(&mut events).await;
    one.close();
    other.reconnect_now();
    assert_eq!(one.ready_state(), ReadyState::Connecting);
    assert!(opened(&mut events).await.is_reconnect());

    one.reconnect_now();
    other.close();
    assert_eq!(one.ready_state(), ReadyState::Closed);
    ended(&mut events).await;
    assert_quiet(&mut events, &timer, &server, 2).await;
}

/// G15
#[tokio::test]
async fn a_reconnection_that_the_owner_forces_counts_though_a_handle_had_closed_the_stream() {
    let server = Server::repeating(Reply::events("data: a\n\n").hold());
    let mut events = get(server.url()).into_event_source();
    let handle = events.handle();
    opened(&mut events).await;
    handle.close();
    events.force_reconnect();
    assert_eq!(events.ready_state(), ReadyState::Connecting);
    assert_eq!(handle.ready_state(), ReadyState::Connecting);
    assert!(opened(&mut events).await.is_reconnect());
    assert_eq!(data(&mut events).await, "a");

    handle.close();
    events.force_reconnect_with_id(Some("7".into()));
    assert_eq!(opened(&mut events).await.last_event_id().map(|id| &**id), Some("7"));
}

/// G15
#[tokio::test]
async fn the_owner_closes_a_stream_for_good_though_a_handle_had_asked_to_reconnect() {
    let server = Server::repeating(Reply::events("data: a\n\n").hold());
    let timer = ManualTimer::new();
    let mut events = builder(server.url(), &timer).build();
    let handle = events.handle();
    opened(&mut events).await;
    handle.reconnect_now();
    events.close();
    assert_eq!(events.ready_state(), ReadyState::Closed);
    assert_eq!(handle.ready_state(), ReadyState::Closed);
    ended(&mut events).await;
    assert_quiet(&mut events, &timer, &server, 1).await;
}

/// G16
#[tokio::test]
async fn a_cancelled_next_loses_nothing() {
    const MANY: usize = 60;
    let stream: String = (0..MANY).map(|i| format!("id: {i}\ndata: {i}…\n\n")).collect();
    let server = Server::scripted([
        Reply::sse().send_head_byte_by_byte().byte_by_byte(&stream).fin(),
        Reply::sse().byte_by_byte(stream.replace('…', "")),
    ]);
    let mut events = quickly(get(server.url()));
    let (mut seen, mut dropped) = (Vec::new(), 0);
    within(async {
        loop {
            let item = tokio::select! {
                biased;
                item = events.next() => item,
                () = tokio::task::yield_now() => {
                    dropped += 1;
                    continue;
                }
            };
            match item {
                Some(Ok(Event::Open(_))) => seen.push("open".to_owned()),
                Some(Ok(Event::Message(message))) => seen.push(message.data().to_owned()),
                Some(Ok(Event::Reconnecting { .. })) => seen.push("lost".into()),
                Some(item) => panic!("{item:?}"),
                None => break,
            }
        }
    })
    .await;
    let mut expected = vec!["open".to_owned()];
    expected.extend((0..MANY).map(|i| format!("{i}…")));
    expected.extend(["lost".into(), "open".into()]);
    expected.extend((0..MANY).map(|i| i.to_string()));
    expected.push("lost".into());
    assert_eq!(seen, expected);
    assert!(dropped > 20, "it was dropped {dropped} times only");
}

/// G16
#[tokio::test]
async fn a_cancelled_next_does_not_restart_the_delay() {
    let server = Server::scripted([Reply::events("data: a\n\n"), Reply::sse().hold()]);
    let timer = ManualTimer::new();
    let mut events = builder(server.url(), &timer).build();
    messages(&mut events, 1).await;
    assert_eq!(reconnecting(&mut events).await.delay, Duration::from_secs(3));
    for _ in 0..30 {
        assert!(events.next().now_or_never().is_none());
        timer.advance(Duration::from_millis(100));
    }
    assert!(opened(&mut events).await.is_reconnect());
}

// ------------------------------------------------------------------------------------ What is told

/// G17
#[tokio::test]
async fn the_ready_state_goes_from_connecting_to_open_and_back_and_ends_closed() {
    let (head, end) = (Gate::new(), Gate::new());
    let server = Server::scripted([
        Reply::sse().wait_for(&head).send("data: a\n\n").wait_for(&end),
        Reply::events("data: b\n\n").hold(),
    ]);
    let timer = ManualTimer::new();
    let mut events = builder(server.url(), &timer).build();
    let handle = events.handle();
    let both = |events: &EventSource| {
        assert_eq!(events.ready_state(), handle.ready_state());
        events.ready_state()
    };
    assert_eq!(both(&events), ReadyState::Connecting, "before the first poll");
    assert_pending(&mut events);
    assert_eq!(both(&events), ReadyState::Connecting, "after it");
    opened(&mut events).await;
    assert_eq!(both(&events), ReadyState::Open);
    head.open();
    data(&mut events).await;
    assert_pending(&mut events);
    assert_eq!(both(&events), ReadyState::Open);
    end.open();
    let lost = reconnecting(&mut events).await;
    assert_eq!(both(&events), ReadyState::Connecting, "when the loss is told");
    assert_pending(&mut events);
    assert_eq!(both(&events), ReadyState::Connecting, "in the wait");
    timer.advance(lost.delay);
    assert_pending(&mut events);
    assert_eq!(both(&events), ReadyState::Connecting, "after the wait");
    opened(&mut events).await;
    assert_eq!(both(&events), ReadyState::Open);
    data(&mut events).await;
    assert_eq!(both(&events), ReadyState::Open);
    events.close();
    assert_eq!(both(&events), ReadyState::Closed);
    assert_eq!(
        [ReadyState::Connecting as u8, ReadyState::Open as u8, ReadyState::Closed as u8],
        [0, 1, 2]
    );
}

/// G17
#[tokio::test]
async fn a_stream_is_closed_before_it_yields_its_error() {
    let server = Server::scripted([Reply::empty(404, "Not Found")]);
    let mut events = get(server.url()).into_event_source();
    let handle = events.handle();
    let error = failed(&mut events).await;
    assert_eq!(error.status().map(|status| status.as_u16()), Some(404));
    assert_eq!(handle.ready_state(), ReadyState::Closed);
}

/// G18
#[tokio::test]
async fn events_a_loss_the_next_connection_and_its_events_come_in_order() {
    let server = Server::scripted([
        Reply::events("data: a\n\ndata: b\n\n"),
        Reply::raw("").fin(),
        Reply::events("data: c\n\n").fin(),
        Reply::sse(),
    ]);
    let mut events = quickly(get(server.url()));
    let told = story(&mut events).await;
    let kinds: Vec<_> = told.iter().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "open",
            "message",
            "message",
            "reconnecting",
            "reconnecting",
            "reopen",
            "message",
            "reconnecting",
            "reopen",
            "reconnecting",
        ],
        "{told:#?}"
    );
}

/// G18
#[tokio::test]
async fn a_loss_is_reported_before_the_delay_and_a_connection_with_its_headers() {
    let gate = Gate::new();
    let server = Server::scripted([Reply::events("data: a\n\n"), Reply::sse().wait_for(&gate)]);
    let timer = ManualTimer::new();
    let mut events = builder(server.url(), &timer).build();
    messages(&mut events, 1).await;
    let lost = reconnecting(&mut events).await;
    assert_eq!(timer.now(), Duration::ZERO, "told at once");
    assert_eq!(timer.next_deadline(), Some(lost.delay), "and then it waits");
    timer.advance_to_next();
    // The body has nothing yet.
    opened(&mut events).await;
    assert_pending(&mut events);
    gate.open();
    reconnecting(&mut events).await;
}
