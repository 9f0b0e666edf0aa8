//! Tests of `EventSource` under executors other than tokio's.
//!
//! [`tests_under`] generates a test of each function here, for one executor.
//!
//! Delays are real and short, because async-io's clock cannot be paused.

use std::future::{Future, poll_fn};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use everstream::{
    Backoff, Disconnect, Error, Event, EventSource, Jitter, ManualTimer, ReadyState,
    RequestBuilderExt, TransportErrorKind,
};
use futures_util::{FutureExt, StreamExt};
use reqwest::{Client, ClientBuilder, RequestBuilder};

use crate::support::client::{
    data, failed, http, next, opened, poll, quickly, reconnecting, silent_until, steady, within,
};
use crate::support::server::{Closed, ClosedPort, Feed, Gate, PATIENCE, Reply, Server};
use crate::support::threads;

/// An executor that the tests run under.
pub(crate) trait Executor {
    fn block_on<F: Future>(future: F) -> F::Output;
}

/// Generates a test of each function of this module, under the executor `$executor`.
macro_rules! tests_under {
    ($executor:ty) => {
        $crate::outside_tokio::tests_under! {
            $executor:
            a_stream_opens_and_yields_its_events
            a_name_is_resolved
            a_post_is_sent_once_with_its_body
            a_cancelled_next_loses_nothing
            many_streams_share_one_thread_of_ours
            a_stream_can_go_from_thread_to_thread
            a_connection_that_breaks_in_mid_event_resumes_from_the_last_event_id
            the_reported_delay_passes_before_a_reconnection
            a_server_that_refuses_connections_is_retried_until_it_is_up
            a_policy_that_gives_up_is_logged
            virtual_time_works_here_too
            a_request_fn_can_send_a_request_for_a_token
            closing_a_stream_cancels_its_connection_at_once
            dropping_a_stream_cancels_its_connection_whatever_timeouts_reqwest_has
            values_of_a_request_are_dropped_inside_a_runtime
            a_stream_can_be_dropped_or_polled_at_the_end_of_its_thread
            a_handle_closes_and_reconnects_from_another_thread
            our_timeouts_run_out
            reqwests_own_timeouts_may_be_set
            reqwests_own_timeouts_run_out
            a_total_timeout_of_the_client_does_not_end_a_stream
            the_body_of_a_refused_response_can_be_read_whatever_timeouts_reqwest_has
            the_body_of_a_refused_response_breaks_with_reqwests_error
            a_stream_that_began_outside_continues_in_tokio_and_back_on_one_connection
            a_request_that_began_outside_continues_in_tokio
            a_stream_that_began_in_tokio_reconnects_outside_after_its_runtime_ended
            a_post_that_began_in_tokio_fails_outside_with_a_typed_error
            a_delay_that_began_in_tokio_ends_outside_and_vice_versa
            a_tokio_runtime_that_is_entered_is_used_and_none_of_ours
        }
    };
    ($executor:ty: $($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                $crate::outside_tokio::$name::<$executor>();
            }
        )*
    };
}
pub(crate) use tests_under;

const MOMENT: Duration = Duration::from_millis(30);
/// A time longer than any test.
const LONG: Duration = Duration::from_secs(3600);

fn client() -> ClientBuilder {
    Client::builder().no_proxy()
}

pub(crate) fn get(server: &Server) -> RequestBuilder {
    http().get(server.url())
}

/// Creates a client with each of reqwest's timeouts set, none of which runs out.
fn get_with_timeouts(server: &Server) -> RequestBuilder {
    let client = client().connect_timeout(LONG).read_timeout(LONG).timeout(LONG);
    client.build().unwrap().get(server.url()).timeout(LONG)
}

// ------------------------------------------------------------------------------- Opening and reading

pub(crate) fn a_stream_opens_and_yields_its_events<E: Executor>() {
    let server = Server::scripted([Reply::sse().byte_by_byte("id: 1\ndata: a\n\ndata: b\n\n")]);
    E::block_on(async {
        let mut events = quickly(get(&server));
        assert_eq!(events.ready_state(), ReadyState::Connecting);
        let opened = opened(&mut events).await;
        assert_eq!((opened.status().as_u16(), opened.is_reconnect()), (200, false));
        assert_eq!(events.ready_state(), ReadyState::Open);
        assert_eq!(data(&mut events).await, "a");
        assert_eq!(data(&mut events).await, "b");
        reconnecting(&mut events).await;
        assert!(next(&mut events).await.is_none(), "the server answers 204 now");
        assert_eq!(events.ready_state(), ReadyState::Closed);
    });
}

pub(crate) fn a_name_is_resolved<E: Executor>() {
    let server = Server::scripted([Reply::events("data: a\n\n").hold()]);
    let url = server.url().replace("127.0.0.1", "localhost");
    E::block_on(async {
        let mut events = quickly(http().get(url));
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
    });
}

pub(crate) fn a_post_is_sent_once_with_its_body<E: Executor>() {
    let server = Server::scripted([Reply::events("data: a\n\n")]);
    E::block_on(async {
        let request = http().post(server.url()).body("prompt");
        let mut events = request.into_event_source();
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        assert!(next(&mut events).await.is_none());
    });
    assert_eq!(server.requests()[0].body, b"prompt");
    assert_eq!(server.requests().len(), 1);
}

pub(crate) fn a_cancelled_next_loses_nothing<E: Executor>() {
    let feed = Feed::new();
    let server = Server::scripted([Reply::sse().fed_by(&feed)]);
    E::block_on(async {
        let mut events = quickly(get(&server));
        opened(&mut events).await;
        for data in ["a", "b", "c"] {
            assert!(events.next().now_or_never().is_none());
            feed.send(format!("data: {data}\n"));
            assert!(events.next().now_or_never().is_none());
            feed.send("\n");
            assert_eq!(self::data(&mut events).await, data);
        }
    });
}

pub(crate) fn many_streams_share_one_thread_of_ours<E: Executor>() {
    let server = Server::repeating(Reply::events("data: a\n\n").hold());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                E::block_on(async {
                    let mut streams: Vec<_> = (0..4).map(|_| quickly(get(&server))).collect();
                    for events in &mut streams {
                        opened(events).await;
                        assert_eq!(data(events).await, "a");
                    }
                });
            });
        }
    });
    assert_eq!(server.requests().len(), 32);
    if cfg!(target_os = "linux") {
        assert_eq!(threads_of_ours(), 1);
    }
}

/// Returns the number of threads of this process that have the crate's name.
pub(crate) fn threads_of_ours() -> usize {
    threads::names().iter().filter(|name| *name == "everstream").count()
}

pub(crate) fn a_stream_can_go_from_thread_to_thread<E: Executor>() {
    let feed = Feed::new();
    let server = Server::scripted([Reply::sse().fed_by(&feed)]);
    let mut events = quickly(get(&server));
    E::block_on(opened(&mut events));
    for data in ["a", "b", "c"] {
        feed.send(format!("data: {data}\n\n"));
        events = thread::spawn(move || {
            E::block_on(async { assert_eq!(self::data(&mut events).await, data) });
            events
        })
        .join()
        .unwrap();
    }
    assert_eq!(server.connections(), 1);
}

// -------------------------------------------------------------------------------------- Reconnection

pub(crate) fn a_connection_that_breaks_in_mid_event_resumes_from_the_last_event_id<E: Executor>() {
    let gate = Gate::new();
    let server = Server::scripted([
        Reply::events("id: 1\ndata: a\n\nid: 2\ndata: bro").wait_for(&gate).reset(),
        Reply::events("id: 2\ndata: whole\n\n").hold(),
    ]);
    E::block_on(async {
        let mut events = quickly(get(&server));
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        gate.open();
        let cause = reconnecting(&mut events).await.why;
        assert!(matches!(&cause, Disconnect::Transport(_)), "{cause}");
        assert!(opened(&mut events).await.is_reconnect());
        assert_eq!(data(&mut events).await, "whole");
    });
    let requests = server.requests();
    assert_eq!(requests[0].header("last-event-id"), [b""; 0]);
    assert_eq!(requests[1].header("last-event-id"), [b"1"]);
}

pub(crate) fn the_reported_delay_passes_before_a_reconnection<E: Executor>() {
    let server =
        Server::scripted([Reply::events("retry: 40\ndata: a\n\n"), Reply::events("data: b\n\n")]);
    E::block_on(async {
        let policy = Backoff::new().with_min_delay(Duration::ZERO).with_jitter(Jitter::none());
        let mut events = get(&server).into_event_source_builder().retry_policy(policy).build();
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        // The delay begins before the loss is yielded, and after this.
        let before = Instant::now();
        let delay = reconnecting(&mut events).await.delay;
        assert_eq!(delay, Duration::from_millis(40));
        opened(&mut events).await;
        assert!(before.elapsed() >= delay, "never less");
    });
}

pub(crate) fn a_server_that_refuses_connections_is_retried_until_it_is_up<E: Executor>() {
    let server = Server::scripted([Reply::events("data: a\n\n").hold()]);
    server.stop_listening();
    E::block_on(async {
        let mut events = quickly(get(&server));
        let cause = reconnecting(&mut events).await.why;
        assert!(matches!(&cause, Disconnect::Transport(error) if error.is_connect()));
        server.listen_again();
        loop {
            match next(&mut events).await {
                Some(Ok(Event::Message(message))) => break assert_eq!(message.data(), "a"),
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    });
}

pub(crate) fn a_policy_that_gives_up_is_logged<E: Executor>() {
    let port = ClosedPort::new();
    E::block_on(async {
        let policy = steady(Duration::from_millis(1)).with_max_retries(2);
        let request = http().get(port.url());
        let mut events = request.into_event_source_builder().retry_policy(policy).build();
        reconnecting(&mut events).await;
        reconnecting(&mut events).await;
        let error = failed(&mut events).await;
        assert!(matches!(error, Error::GaveUp { attempts: 2, .. }), "{error:?}");
    });
}

pub(crate) fn virtual_time_works_here_too<E: Executor>() {
    let server = Server::scripted([Reply::events("data: a\n\n"), Reply::events("data: b\n\n")]);
    E::block_on(async {
        let timer = ManualTimer::new();
        let builder = get(&server).into_event_source_builder().timer(timer.clone());
        let mut events = builder.retry_policy(steady(LONG)).build();
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        reconnecting(&mut events).await;
        assert!(poll(&mut events).is_pending());
        timer.advance(LONG);
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "b");
    });
}

pub(crate) fn a_request_fn_can_send_a_request_for_a_token<E: Executor>() {
    let tokens = Server::repeating(Reply::with_body(200, "OK", "text/plain", "secret"));
    let server = Server::scripted([Reply::events("data: a\n\n").hold()]);
    let (ask, get) = (get_with_timeouts(&tokens), get(&server));
    E::block_on(async {
        let request_fn = move |_: everstream::RequestAttempt| {
            // reqwest creates its timers when it sends, before the future is polled.
            let token = ask.try_clone().unwrap().send();
            let get = get.try_clone().unwrap();
            async move { Ok(get.bearer_auth(token.await?.text().await?)) }
        };
        let builder = self::get(&server).into_event_source_builder();
        let mut events = builder.request_fn(request_fn).build();
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
    });
    assert_eq!(server.requests()[0].header("authorization"), [b"Bearer secret"]);
}

// -------------------------------------------------------------------------------- Closing and dropping

/// Returns replies that leave a stream in each state with a connection.
fn open_and_asking() -> [Reply; 2] {
    [Reply::events("data: a\n\n").hold(), Reply::silence()]
}

pub(crate) fn closing_a_stream_cancels_its_connection_at_once<E: Executor>() {
    let server = Server::scripted(open_and_asking());
    E::block_on(async {
        let mut events = quickly(get(&server));
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        events.close();
        assert!(next(&mut events).await.is_none());
        assert_eq!(within(server.until_closed(0)).await, Closed::Fin);

        events.force_reconnect();
        silent_until(&mut events, server.until_requests(2)).await;
        events.close();
        assert_eq!(within(server.until_closed(1)).await, Closed::Fin);
        assert!(next(&mut events).await.is_none());
    });
}

pub(crate) fn dropping_a_stream_cancels_its_connection_whatever_timeouts_reqwest_has<
    E: Executor,
>() {
    for request in [get, get_with_timeouts] {
        let server = Server::scripted_then(open_and_asking(), Reply::silence());
        let mut open = quickly(request(&server));
        let mut asking = quickly(request(&server));
        let mut waiting = quickly(request(&server));
        E::block_on(async {
            opened(&mut open).await;
            assert_eq!(data(&mut open).await, "a");
            silent_until(&mut asking, server.until_requests(2)).await;
            assert!(poll(&mut waiting).is_pending());
        });
        // On another thread, outside of any runtime.
        thread::spawn(move || drop((open, asking, waiting))).join().unwrap();
        server.wait_until_closed(0, PATIENCE);
        server.wait_until_closed(1, PATIENCE);
        server.wait_for_live(0, PATIENCE);
    }
}

/// A future of a runtime may panic if it is dropped outside of it.
pub(crate) fn values_of_a_request_are_dropped_inside_a_runtime<E: Executor>() {
    struct Dropped(mpsc::Sender<bool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.send(tokio::runtime::Handle::try_current().is_ok()).unwrap();
        }
    }
    let (dropped, was_around) = mpsc::channel();
    let request_fn = move |_: everstream::RequestAttempt| {
        let held = Dropped(dropped.clone());
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Err::<RequestBuilder, everstream::AttemptError>("never".into())
        }
    };
    let request = http().get("http://127.0.0.1/");
    let mut events = request.into_event_source_builder().request_fn(request_fn).build();
    E::block_on(async {
        assert!(poll(&mut events).is_pending());
        events.close();
        assert!(was_around.try_recv().unwrap());
        events.force_reconnect();
        assert!(poll(&mut events).is_pending());
    });
    drop(events);
    assert!(was_around.try_recv().unwrap());
    assert!(tokio::runtime::Handle::try_current().is_err());
}

pub(crate) fn a_stream_can_be_dropped_or_polled_at_the_end_of_its_thread<E: Executor>() {
    thread_local! {
        static KEPT: std::cell::RefCell<Option<Polled>> = const { std::cell::RefCell::new(None) };
    }
    struct Polled(EventSource, mpsc::Sender<()>);
    impl Drop for Polled {
        fn drop(&mut self) {
            let _ = poll(&mut self.0);
            self.1.send(()).unwrap();
        }
    }
    let server = Server::repeating(Reply::events("data: a\n\n").hold());
    let (done, is_done) = mpsc::channel();
    for is_first in [true, false] {
        let mut events = quickly(get_with_timeouts(&server));
        let done = done.clone();
        thread::spawn(move || {
            // The first value is dropped last.
            if is_first {
                KEPT.with(|_| {});
            }
            E::block_on(async { opened(&mut events).await });
            KEPT.set(Some(Polled(events, done)));
        })
        .join()
        .unwrap();
        is_done.recv_timeout(PATIENCE).unwrap();
    }
    server.wait_for_live(0, PATIENCE);
}

pub(crate) fn a_handle_closes_and_reconnects_from_another_thread<E: Executor>() {
    let server = Server::repeating(Reply::events("data: a\n\n").hold());
    E::block_on(async {
        let mut events = quickly(get(&server));
        let handle = events.handle();
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        let orders = thread::spawn(move || {
            handle.reconnect_now();
            handle
        });
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        let handle = orders.join().unwrap();
        let orders = thread::spawn(move || handle.close());
        assert!(next(&mut events).await.is_none());
        orders.join().unwrap();
        within(server.until_live(0)).await;
    });
}

// ------------------------------------------------------------------------------------------- Timeouts

pub(crate) fn our_timeouts_run_out<E: Executor>() {
    let builder = |server: &Server| {
        let policy = steady(Duration::from_millis(1));
        get(server).into_event_source_builder().retry_policy(policy)
    };
    let silent = Server::repeating(Reply::silence());
    let idle = Server::repeating(Reply::events("data: a\n\n").hold());
    let comments = Reply::sse().byte_by_byte_every(Duration::from_millis(5), ":\n".repeat(1000));
    let busy = Server::repeating(comments);
    E::block_on(async {
        let cause = lost(&mut builder(&silent).open_timeout(MOMENT).build()).await;
        assert!(matches!(&cause, Disconnect::OpenTimeout(_)), "{cause}");
        let cause = lost(&mut builder(&idle).idle_timeout(MOMENT).build()).await;
        assert!(matches!(&cause, Disconnect::IdleTimeout(_)), "{cause}");
        let cause = lost(&mut builder(&busy).event_timeout(MOMENT).build()).await;
        assert!(matches!(&cause, Disconnect::EventTimeout(_)), "{cause}");
    });
}

/// Returns the reason of the first loss. On a busy machine, the timeout may run out before the
/// event arrives.
async fn lost(events: &mut EventSource) -> Disconnect {
    loop {
        match next(events).await.unwrap().unwrap() {
            Event::Open(_) | Event::Message(_) => {}
            Event::Reconnecting { reason, .. } => return reason,
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn reqwests_own_timeouts_may_be_set<E: Executor>() {
    let server = Server::scripted([Reply::events("data: a\n\n").pause(MOMENT).send("data: b\n\n")]);
    E::block_on(async {
        let mut events = quickly(get_with_timeouts(&server));
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        assert_eq!(data(&mut events).await, "b");
    });
}

pub(crate) fn reqwests_own_timeouts_run_out<E: Executor>() {
    let server = Server::repeating(Reply::events("data: a\n\n").hold());
    let with_read_timeout = client().read_timeout(MOMENT).build().unwrap().get(server.url());
    for request in [with_read_timeout, get(&server).timeout(MOMENT * 10)] {
        E::block_on(async {
            let cause = lost(&mut quickly(request)).await;
            let is_timeout = matches!(&cause, Disconnect::Transport(error) if error.is_timeout());
            assert!(is_timeout, "{cause:?}");
        });
    }
    let silent = Server::repeating(Reply::silence());
    E::block_on(async {
        let mut events = quickly(get(&silent).timeout(MOMENT));
        let cause = reconnecting(&mut events).await.why;
        let Disconnect::Transport(error) = &cause else { panic!("{cause}") };
        assert!(error.is_timeout(), "{error:?}");
    });
}

pub(crate) fn a_total_timeout_of_the_client_does_not_end_a_stream<E: Executor>() {
    let pause = Duration::from_millis(200);
    let server = Server::scripted([Reply::events("data: a\n\n").pause(pause).send("data: b\n\n")]);
    let client = client().timeout(Duration::from_millis(150)).build().unwrap();
    E::block_on(async {
        let mut events = quickly(client.get(server.url()));
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
        assert_eq!(data(&mut events).await, "b");
    });
}

// --------------------------------------------------------------------------------------------- Errors

pub(crate) fn the_body_of_a_refused_response_can_be_read_whatever_timeouts_reqwest_has<
    E: Executor,
>() {
    for request in [get, get_with_timeouts] {
        let reply = Reply::with_body(401, "Unauthorized", "text/plain", "who are you?");
        let page = Reply::with_body(200, "OK", "text/html", "<p>Hello</p>");
        let server = Server::scripted([reply.header("X-Request-Id", "7"), page]);
        E::block_on(async {
            let mut events = quickly(request(&server));
            let error = failed(&mut events).await;
            assert!(matches!(error, Error::Status(_)), "{error:?}");
            let response = error.into_response().unwrap();
            assert_eq!(response.status().as_u16(), 401);
            assert_eq!(response.headers()["x-request-id"], "7");
            assert_eq!(response.url(), Some(&*server.url()));
            assert_eq!(within(response.text()).await.unwrap(), "who are you?");

            let mut events = quickly(request(&server));
            let error = failed(&mut events).await;
            assert!(matches!(error, Error::ContentType(_)), "{error:?}");
            assert!(error.to_string().contains("text/html"), "{error}");
            let mut response = error.into_response().unwrap();
            assert_eq!(within(response.chunk()).await.unwrap().unwrap(), "<p>Hello</p>");
        });
    }
}

pub(crate) fn the_body_of_a_refused_response_breaks_with_reqwests_error<E: Executor>() {
    let reply = Reply::with_body(500, "Oh", "text/plain", "half").without_header("content-length");
    let server = Server::scripted([reply.header("Content-Length", "8").fin()]);
    E::block_on(async {
        let response = failed(&mut quickly(get(&server))).await.into_response().unwrap();
        let error = within(response.text()).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Body, "{error:?}");
    });
    let reply = Reply::with_body(500, "Oh", "text/plain", "").content_length(8);
    let server = Server::repeating(reply.hold());
    let client = client().read_timeout(MOMENT).build().unwrap();
    E::block_on(async {
        let mut events = quickly(client.get(server.url()));
        // The timeout may also run out before the headers are there.
        let error = loop {
            match next(&mut events).await.unwrap() {
                Ok(Event::Reconnecting { .. }) => {}
                other => break other.unwrap_err(),
            }
        };
        let error = within(error.into_response().unwrap().text()).await.unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
    });
}

// ----------------------------------------------------------------------------- From and to tokio

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

pub(crate) fn a_stream_that_began_outside_continues_in_tokio_and_back_on_one_connection<
    E: Executor,
>() {
    let feed = Feed::new();
    let server = Server::scripted([Reply::sse().fed_by(&feed)]);
    let mut events = quickly(get_with_timeouts(&server));
    feed.send("data: a\n\n");
    E::block_on(async {
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
    });
    runtime().block_on(async {
        feed.send("data: b\n\n");
        assert_eq!(data(&mut events).await, "b");
    });
    feed.send("data: c\n\n");
    assert_eq!(E::block_on(data(&mut events)), "c");
    assert_eq!(server.connections(), 1);
    runtime().block_on(async { drop(events) });
    server.wait_for_live(0, PATIENCE);
}

pub(crate) fn a_request_that_began_outside_continues_in_tokio<E: Executor>() {
    let gate = Gate::new();
    let server =
        Server::scripted([Reply::sse().wait_for(&gate).send_head().send("data: a\n\n").hold()]);
    let mut events = quickly(get_with_timeouts(&server));
    E::block_on(silent_until(&mut events, gate.until_reached()));
    runtime().block_on(async {
        gate.open();
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
    });
    assert_eq!(server.connections(), 1);
}

pub(crate) fn a_stream_that_began_in_tokio_reconnects_outside_after_its_runtime_ended<
    E: Executor,
>() {
    for is_gone in [true, false] {
        let server = Server::repeating(Reply::events("id: 1\ndata: a\n\n").hold());
        let mut events = quickly(get_with_timeouts(&server));
        let runtime = runtime();
        runtime.block_on(async {
            opened(&mut events).await;
            assert_eq!(data(&mut events).await, "a");
        });
        let _runtime = (!is_gone).then_some(runtime);
        E::block_on(async {
            let cause = reconnecting(&mut events).await.why;
            assert!(
                matches!(&cause, Disconnect::Transport(e) if e.kind() == TransportErrorKind::OtherRuntime),
                "{cause}"
            );
            assert!(opened(&mut events).await.is_reconnect());
            assert_eq!(data(&mut events).await, "a");
        });
        assert_eq!(server.requests()[1].header("last-event-id"), [b"1"]);
    }
}

pub(crate) fn a_post_that_began_in_tokio_fails_outside_with_a_typed_error<E: Executor>() {
    let server = Server::repeating(Reply::events("data: a\n\n").hold());
    let mut events = http().post(server.url()).into_event_source();
    runtime().block_on(async {
        opened(&mut events).await;
        assert_eq!(data(&mut events).await, "a");
    });
    let Error::Lost(cause) = E::block_on(failed(&mut events)) else { panic!("{events:?}") };
    assert!(
        matches!(&cause, Disconnect::Transport(e) if e.kind() == TransportErrorKind::OtherRuntime),
        "{cause}"
    );
}

pub(crate) fn a_delay_that_began_in_tokio_ends_outside_and_vice_versa<E: Executor>() {
    let server = Server::repeating(Reply::events("data: a\n\n"));
    let mut events = quickly(get(&server));
    let runtime = runtime();
    for _ in 0..2 {
        runtime.block_on(async {
            opened(&mut events).await;
            assert_eq!(data(&mut events).await, "a");
            reconnecting(&mut events).await;
            let _ = poll_fn(|cx| Poll::Ready(events.poll_next_unpin(cx))).await;
        });
        events.force_reconnect();
        E::block_on(async {
            opened(&mut events).await;
            assert_eq!(data(&mut events).await, "a");
            reconnecting(&mut events).await;
        });
    }
}

pub(crate) fn a_tokio_runtime_that_is_entered_is_used_and_none_of_ours<E: Executor>() {
    let server = Server::repeating(Reply::events("data: a\n\n").hold());
    let runtime = runtime();
    let mut events = quickly(get(&server));
    {
        let _inside = runtime.enter();
        E::block_on(async {
            opened(&mut events).await;
            assert_eq!(data(&mut events).await, "a");
        });
    }
    drop(runtime);
    server.wait_for_live(0, PATIENCE);
}
