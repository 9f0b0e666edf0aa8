//! Tests of the rules of HTTP over every transport, as a table: a row is a rule, a column is a
//! client.
//!
//! Each client sends the headers of the attempt and its own token. The server and its sockets are
//! real.

#[path = "../../support/client.rs"]
pub mod client;
#[path = "../../support/server.rs"]
pub mod server;

use std::time::Duration;

use bytes::Bytes;
use client::*;
use everstream::{
    Disconnect, Error, Event, EventSource, EventSourceBuilder, Fatal, ManualTimer, Reconnection,
    RequestAttempt,
};
use http_body_util::Empty;
use hyper_util::client::legacy::{Client as Hyper, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use server::{ClosedPort, Reply, Server};
use tower::{Service, ServiceExt, service_fn};

const SEC: Duration = Duration::from_secs(1);

/// A client that sends a GET for each attempt, with a new token for each.
type Transport = fn(String) -> EventSourceBuilder;

const TRANSPORTS: [(&str, Transport); 7] = [
    ("a request function", request_fn),
    ("a response function on reqwest 0.13", reqwest_013),
    ("reqwest 0.12", reqwest_012),
    ("reqwest-middleware", middleware),
    ("hyper", hyper),
    ("a tower service", tower),
    ("a boxed body", boxed_body),
];

fn token(attempt: &RequestAttempt) -> String {
    match attempt.status() {
        Some(status) => format!("Bearer after-{}", status.as_u16()),
        None => "Bearer first".to_owned(),
    }
}

fn request_fn(url: String) -> EventSourceBuilder {
    let client = http();
    EventSourceBuilder::from_request_fn(move |attempt| {
        let request = client.get(&url).header("authorization", token(&attempt));
        async move { Ok(request) }
    })
}

fn reqwest_013(url: String) -> EventSourceBuilder {
    let client = http();
    EventSourceBuilder::from_response_fn(move |attempt: RequestAttempt| {
        let request = client.get(&url).header("authorization", token(&attempt));
        async move { request.headers(attempt.headers()).send().await }
    })
}

fn reqwest_012(url: String) -> EventSourceBuilder {
    let client = reqwest_012::Client::builder().no_proxy().build().unwrap();
    EventSourceBuilder::from_response_fn(move |attempt: RequestAttempt| {
        let request = client.get(&url).header("authorization", token(&attempt));
        async move { request.headers(attempt.headers()).send().await }
    })
}

fn middleware(url: String) -> EventSourceBuilder {
    let client = reqwest_middleware::ClientBuilder::new(http()).build();
    EventSourceBuilder::from_response_fn(move |attempt: RequestAttempt| {
        let request = client.get(&url).header("authorization", token(&attempt));
        async move { request.headers(attempt.headers()).send().await }
    })
}

fn request(url: &str, attempt: &RequestAttempt) -> http::Request<Empty<Bytes>> {
    let mut request = http::Request::get(url).body(Empty::new()).unwrap();
    *request.headers_mut() = attempt.headers();
    request.headers_mut().insert("authorization", token(attempt).parse().unwrap());
    request
}

fn connector() -> Hyper<HttpConnector, Empty<Bytes>> {
    Hyper::builder(TokioExecutor::new()).build_http()
}

fn hyper(url: String) -> EventSourceBuilder {
    let client = connector();
    EventSourceBuilder::from_response_fn(move |attempt: RequestAttempt| {
        client.request(request(&url, &attempt))
    })
}

fn tower(url: String) -> EventSourceBuilder {
    let client = connector();
    let service = service_fn(move |request| client.request(request)).map_err(|error| error);
    over_service(url, service)
}

fn over_service<S>(url: String, service: S) -> EventSourceBuilder
where
    S: Service<http::Request<Empty<Bytes>>, Response = http::Response<hyper::body::Incoming>>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    S::Error: std::error::Error + Send + Sync,
{
    EventSourceBuilder::from_response_fn(move |attempt: RequestAttempt| {
        service.clone().oneshot(request(&url, &attempt))
    })
}

fn boxed_body(url: String) -> EventSourceBuilder {
    let client = connector();
    EventSourceBuilder::from_response_fn(move |attempt: RequestAttempt| {
        use http_body_util::BodyExt;
        let response = client.request(request(&url, &attempt));
        async move { response.await.map(|response| response.map(BodyExt::boxed)) }
    })
}

/// Runs a rule over each transport.
macro_rules! each {
    (|$name:ident, $transport:ident| $body:block) => {
        for ($name, $transport) in TRANSPORTS {
            println!("over {}", $name);
            $body
        }
    };
}

fn always(builder: EventSourceBuilder) -> EventSourceBuilder {
    builder.reconnect(Reconnection::Always).retry_policy(quick())
}

#[tokio::test]
async fn a_cut_stream_resumes_with_the_last_event_id() {
    each!(|name, transport| {
        let server = Server::scripted([
            Reply::events("id: 1\ndata: a\n\nid: 2\ndata: b\n\n"),
            Reply::events("id: 3\ndata: c\n\ndata: half").without_header("content-length").reset(),
            Reply::events("id: 4\ndata: d\n\n"),
        ]);
        let mut events = always(transport(server.url())).build();
        let got = messages(&mut events, 4).await;
        let got: Vec<_> = got.iter().map(|message| message.data().to_owned()).collect();
        assert_eq!(got, ["a", "b", "c", "d"], "{name}");
        while next(&mut events).await.is_some() {}
        let requests = server.requests();
        let ids: Vec<_> = requests.iter().map(|request| request.header("last-event-id")).collect();
        assert_eq!(ids, [vec![], vec![b"2".to_vec()], vec![b"3".to_vec()], vec![b"4".to_vec()]]);
        for request in requests {
            assert_eq!(request.header("accept"), [b"text/event-stream"], "{name}");
            assert_eq!(request.header("cache-control"), [b"no-cache"], "{name}");
        }
    });
}

#[tokio::test]
async fn a_401_calls_the_function_once_more_at_once_with_its_status() {
    each!(|name, transport| {
        let timer = ManualTimer::new();
        let server = Server::scripted([
            Reply::with_body(401, "Unauthorized", "text/plain", "expired"),
            Reply::events("data: a\n\n").hold(),
        ]);
        // A 401 needs no delay, and a response function repeats nothing else by default.
        let mut events = transport(server.url()).timer(timer.clone()).build();
        let lost = reconnecting(&mut events).await;
        assert_eq!((lost.why.status().unwrap().as_u16(), lost.delay), (401, Duration::ZERO));
        assert_eq!(lost.why.response().unwrap().text(), "expired", "{name}");
        opened(&mut events).await;
        let requests = server.requests();
        let tokens: Vec<_> =
            requests.iter().map(|request| request.header("authorization")).collect();
        assert_eq!(tokens, [[b"Bearer first".to_vec()], [b"Bearer after-401".to_vec()]], "{name}");
    });
}

#[tokio::test]
async fn a_second_401_in_a_row_ends_the_stream_with_its_body() {
    each!(|name, transport| {
        let reply = Reply::with_body(401, "Unauthorized", "application/json", "{\"why\": 1}");
        let server = Server::repeating(reply);
        let mut events = always(transport(server.url())).build();
        reconnecting(&mut events).await;
        let error = failed(&mut events).await;
        assert_eq!(error.to_string(), "the server answered 401 Unauthorized, not 200 OK", "{name}");
        let response = error.into_response().unwrap();
        assert_eq!(
            response.json::<std::collections::HashMap<String, u8>>().await.unwrap()["why"],
            1
        );
        assert_eq!(server.requests().len(), 2, "{name}");
    });
}

#[tokio::test]
async fn retry_after_is_the_least_delay_and_the_reason_keeps_the_servers_words() {
    each!(|name, transport| {
        let timer = ManualTimer::new();
        let server = Server::scripted([
            Reply::events("data: a\n\n"),
            Reply::with_body(503, "Unavailable", "text/plain", "deploy in progress")
                .header("Retry-After", "6.5"),
            Reply::events("data: b\n\n").hold(),
        ]);
        let builder = always(transport(server.url())).retry_policy(steady(SEC));
        let mut events = builder.timer(timer.clone()).build();
        messages(&mut events, 1).await;
        reconnecting(&mut events).await;
        timer.advance_to_next();
        let lost = reconnecting(&mut events).await;
        assert_eq!(lost.delay, 7 * SEC, "{name}");
        assert_eq!(lost.cause, "the server answered 503 Service Unavailable", "{name}");
        let Disconnect::Status(response) = &lost.why else { panic!("{name}: {lost:?}") };
        assert_eq!(response.retry_after(), Some(7 * SEC), "{name}");
        assert_eq!(response.text(), "deploy in progress", "{name}");
        timer.advance(7 * SEC);
        opened(&mut events).await;
    });
}

#[tokio::test]
async fn giving_up_after_a_status_keeps_the_head_and_the_start_of_the_body() {
    each!(|name, transport| {
        let page = "x".repeat(10_000);
        let server = Server::scripted_then(
            [Reply::events("data: a\n\n")],
            Reply::with_body(503, "Unavailable", "text/html", page).header("Retry-After", "1"),
        );
        let builder = always(transport(server.url()));
        let timer = ManualTimer::new();
        let builder = builder.retry_policy(quick().with_max_retries(1)).timer(timer.clone());
        let mut events = builder.build();
        messages(&mut events, 1).await;
        reconnecting(&mut events).await;
        timer.advance_to_next();
        let error = failed(&mut events).await;
        assert!(matches!(error, Error::GaveUp { attempts: 1, .. }), "{name}: {error:?}");
        assert_eq!(error.status().unwrap().as_u16(), 503, "{name}");
        assert_eq!(error.retry_after(), Some(SEC), "{name}");
        let response = error.reason().unwrap().response().unwrap();
        assert_eq!(response.body().len(), 4096, "{name}");
        assert_eq!(response.headers()["content-type"], "text/html", "{name}");
    });
}

/// The rest of the body never arrives, so the time to read it is limited.
#[tokio::test]
async fn a_body_that_never_ends_delays_the_reason_by_a_second_at_most() {
    each!(|name, transport| {
        let stuck = Reply::with_body(503, "Unavailable", "text/plain", "stuck").content_length(99);
        let server = Server::scripted([Reply::events("data: a\n\n"), stuck.hold()]);
        let timer = ManualTimer::new();
        let mut events = always(transport(server.url())).timer(timer.clone()).build();
        messages(&mut events, 1).await;
        reconnecting(&mut events).await;
        timer.advance_to_next();
        while timer.pending() == 0 {
            assert_pending(&mut events);
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_pending(&mut events);
        timer.advance(SEC);
        let lost = reconnecting(&mut events).await;
        assert_eq!(lost.why.response().unwrap().text(), "stuck", "{name}");
    });
}

#[tokio::test]
async fn an_open_timeout_does_not_hide_a_refusal_whose_body_never_ends() {
    each!(|name, transport| {
        let stuck = Reply::with_body(503, "Unavailable", "text/plain", "stuck").content_length(99);
        let server = Server::scripted([Reply::events("data: a\n\n"), stuck.hold()]);
        let (timer, limit) = (ManualTimer::new(), Duration::from_millis(400));
        let builder = always(transport(server.url())).timer(timer.clone()).open_timeout(limit);
        let mut events = builder.build();
        messages(&mut events, 1).await;
        reconnecting(&mut events).await;
        timer.advance_to_next();
        // The timeout, and the limit of the time to read the body.
        while timer.pending() < 2 {
            assert_pending(&mut events);
            tokio::task::yield_now().await;
        }
        timer.advance(limit);
        assert_pending(&mut events);
        timer.advance(SEC);
        let lost = reconnecting(&mut events).await;
        let status = lost.why.response().map(|response| response.status().as_u16());
        assert_eq!(status, Some(503), "{name}: {:?}", lost.why);
    });
}

#[tokio::test]
async fn a_204_ends_the_stream() {
    each!(|name, transport| {
        let server = Server::scripted([Reply::events("data: a\n\n"), Reply::no_content()]);
        let story = story(&mut always(transport(server.url())).build()).await;
        assert_eq!(story[..2], ["open", "message: a"], "{name}");
        assert_eq!(story.len(), 3, "{name}: {story:?}");
    });
}

#[tokio::test]
async fn another_status_ends_the_stream_with_a_body_to_read() {
    each!(|name, transport| {
        let reply = Reply::with_body(404, "Not Found", "text/plain", "no such stream");
        let server = Server::repeating(reply.header("X-Request-Id", "7"));
        let error = failed(&mut always(transport(server.url())).build()).await;
        assert!(matches!(error, Error::Status(_)), "{name}: {error:?}");
        let response = error.into_response().unwrap();
        assert_eq!(response.headers()["x-request-id"], "7", "{name}");
        assert_eq!(response.text().await.unwrap(), "no such stream", "{name}");
        assert_eq!(server.requests().len(), 1, "{name}");
    });
}

/// H6: a captive portal or a maintenance page must not end a stream that was open.
#[tokio::test]
async fn html_with_a_200_is_retried_once_the_source_has_been_open() {
    each!(|name, transport| {
        let html = || Reply::with_body(200, "OK", "text/html", "<p>Log in</p>");
        let server = Server::repeating(html());
        let error = failed(&mut always(transport(server.url())).build()).await;
        assert!(matches!(error, Error::ContentType(_)), "{name}: {error:?}");

        let replies = [Reply::events("data: a\n\n"), html(), Reply::events("data: b\n\n")];
        let server = Server::scripted(replies);
        let mut events = always(transport(server.url())).build();
        messages(&mut events, 1).await;
        reconnecting(&mut events).await;
        let lost = reconnecting(&mut events).await;
        let Disconnect::ContentType(response) = &lost.why else { panic!("{name}: {lost:?}") };
        assert_eq!(response.text(), "<p>Log in</p>", "{name}");
        messages(&mut events, 1).await;

        let replies = [Reply::events("data: a\n\n"), html()];
        let server = Server::scripted(replies);
        let builder = always(transport(server.url())).retry_status(|status, _| status != 200);
        let story = story(&mut builder.build()).await;
        assert!(story.last().unwrap().starts_with("error: the server answered with"), "{story:?}");
    });
}

#[tokio::test]
async fn a_content_type_that_the_caller_accepts_is_an_event_stream_and_reconnects() {
    each!(|name, transport| {
        let untyped = |data| Reply::events(data).without_header("content-type");
        let server = Server::scripted([untyped("data: a\n\n"), untyped("data: b\n\n")]);
        let builder = always(transport(server.url())).accept_content_type(|found| found.is_none());
        assert_eq!(messages(&mut builder.build(), 2).await.len(), 2, "{name}");
    });
}

#[tokio::test]
async fn a_coding_that_the_client_does_not_decode_ends_the_stream() {
    each!(|name, transport| {
        let reply = Reply::events("data: a\n\n").header("Content-Encoding", "gzip");
        let server = Server::repeating(reply);
        let error = failed(&mut always(transport(server.url())).build()).await;
        assert!(matches!(error, Error::ContentEncoding(_)), "{name}: {error:?}");
    });
}

#[tokio::test]
async fn a_server_that_is_down_is_retried_unless_fail_fast_is_set() {
    each!(|name, transport| {
        let closed = ClosedPort::new();
        let mut events = always(transport(closed.url())).build();
        for attempt in 1..=2 {
            let lost = reconnecting(&mut events).await;
            assert!(matches!(lost.why, Disconnect::Transport(_)), "{name}: {lost:?}");
            assert_eq!(lost.attempt, attempt, "{name}");
            assert_one_line(&lost.cause);
        }
        let error = failed(&mut always(transport(closed.url())).fail_fast(true).build()).await;
        let Error::Lost(Disconnect::Transport(error)) = error else { panic!("{name}: {error:?}") };
        let refused = error.find::<std::io::Error>().unwrap().kind();
        assert_eq!(refused, std::io::ErrorKind::ConnectionRefused, "{name}");

        // The setting only affects the first connection.
        let server = Server::scripted([Reply::events("data: a\n\n"), Reply::raw("").reset()]);
        let mut events = always(transport(server.url())).fail_fast(true).build();
        messages(&mut events, 1).await;
        reconnecting(&mut events).await;
        reconnecting(&mut events).await;
    });
}

#[tokio::test]
async fn a_fail_fast_source_ends_when_its_first_connection_is_not_open_in_time() {
    each!(|name, transport| {
        let server = Server::repeating(Reply::silence());
        let builder = always(transport(server.url())).fail_fast(true);
        let mut events = builder.open_timeout(Duration::from_millis(50)).build();
        let error = failed(&mut events).await;
        assert!(matches!(error, Error::Lost(Disconnect::OpenTimeout(_))), "{name}: {error:?}");
    });
}

/// The method of a response function is unknown, and a repeated POST may be billed twice.
#[tokio::test]
async fn a_response_function_is_called_once_unless_its_caller_says_otherwise() {
    for (name, transport) in &TRANSPORTS[1..] {
        let server = Server::repeating(Reply::events("data: a\n\n"));
        let story = story(&mut transport(server.url()).retry_policy(quick()).build()).await;
        assert_eq!(story, ["open", "message: a"], "{name}");
        let server = Server::repeating(
            Reply::events("data: a\n\n").without_header("content-length").reset(),
        );
        let mut events = transport(server.url()).retry_policy(quick()).build();
        while let Some(Ok(Event::Open(_) | Event::Message(_))) = next(&mut events).await {}
        assert_eq!(server.requests().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_broken_answer_is_repeated_and_a_whole_one_is_not() {
    each!(|name, transport| {
        let server = Server::scripted([
            Reply::events("id: 1\ndata: a\n\n").without_header("content-length").reset(),
            Reply::events("id: 2\ndata: b\n\n"),
        ]);
        let builder = always(transport(server.url())).reconnect(Reconnection::WhenBroken);
        let story = story(&mut builder.build()).await;
        assert_eq!(story.last().unwrap(), "message: b", "{name}: {story:?}");
        assert_eq!(server.requests().len(), 2, "{name}");
    });
}

#[tokio::test]
async fn a_stream_can_be_closed_and_dropped_in_mid_answer() {
    each!(|name, transport| {
        let server = Server::repeating(Reply::events("data: a\n\n").hold());
        let mut events = always(transport(server.url())).build();
        messages(&mut events, 1).await;
        events.close();
        ended(&mut events).await;
        within(server.until_closed(0)).await;
        events.force_reconnect();
        messages(&mut events, 1).await;
        drop(events);
        within(server.until_closed(1)).await;
        println!("{name}");
    });
}

/// On smol there is no tokio runtime. reqwest and hyper-util's timers need one, so everstream
/// starts one.
#[test]
fn response_functions_on_tokio_clients_run_on_smol() {
    for (name, transport) in &TRANSPORTS[..4] {
        let server = Server::scripted([
            Reply::events("id: 1\ndata: a\n\n"),
            Reply::events("id: 2\ndata: b\n\n"),
        ]);
        smol::block_on(async {
            use futures_util::StreamExt;
            let mut events = always(transport(server.url())).build();
            let mut got = Vec::new();
            while let Some(event) = events.next().await {
                if let Event::Message(message) = event.unwrap() {
                    got.push(message.data().to_owned());
                }
            }
            assert_eq!(got, ["a", "b"], "{name}");
        });
        assert_eq!(server.requests()[1].header("last-event-id"), [b"1"], "{name}");
    }
}

#[tokio::test]
async fn an_error_of_a_response_function_is_retried_and_a_fatal_one_ends_the_stream() {
    let builder = EventSourceBuilder::from_response_fn(|attempt: RequestAttempt| async move {
        match attempt.number() {
            0..2 => Err("the service is not ready".into()),
            2 => Err(everstream::AttemptError::from(Fatal("the service was removed"))),
            _ => Ok(http::Response::new(String::new())),
        }
    });
    let mut events = always(builder).build();
    for _ in 0..2 {
        let lost = reconnecting(&mut events).await;
        assert_eq!(lost.cause, "the request failed: the service is not ready");
    }
    let error = failed(&mut events).await;
    assert!(matches!(error, Error::Fatal(_)), "{error:?}");
    assert_eq!(error.to_string(), "the service was removed");
}

/// The URL, the headers of both directions and the bodies contain secrets.
#[tokio::test]
async fn no_secret_of_a_url_or_a_header_is_printed() {
    const SECRET: &str = "s3cr3t";
    each!(|name, transport| {
        let closed = ClosedPort::new();
        let reply = |code| Reply::empty(code, "No").header("Set-Cookie", SECRET);
        let server = Server::scripted([
            reply(404),
            Reply::events("data: a\n\n").header("Set-Cookie", SECRET),
            reply(503),
            reply(403),
            Reply::with_body(200, "OK", "text/html", "<p>"),
        ]);
        let mut printed = Vec::new();
        for (origin, ends) in [(server.origin(), 2), (closed.url(), 1)] {
            for _ in 0..ends {
                let url = format!("{}/?token={SECRET}", origin.trim_end_matches('/'));
                let builder = always(transport(url)).retry_policy(quick().with_max_retries(2));
                let mut events: EventSource = builder.build();
                while let Some(item) = next(&mut events).await {
                    printed.push(format!("{item:?}"));
                    if let Err(error) = item {
                        let mut chain: Option<&dyn std::error::Error> = Some(&error);
                        while let Some(error) = chain {
                            printed.push(format!("{error} {error:?}"));
                            chain = error.source();
                        }
                    }
                }
                printed.push(format!("{events:?}"));
            }
        }
        let printed = printed.join("\n");
        assert!(!printed.contains(SECRET), "{name}: {printed}");
        assert!(printed.contains("503") && printed.contains("refused"), "{name}: {printed}");
    });
}
