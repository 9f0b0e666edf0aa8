//! The texts of all errors and reasons: each fact once in the chain, and no secret.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use crate::support::client::*;
use crate::support::server::{ClosedPort, Reply, Server};
use everstream::reconnect::{Reason, ReconnectError};
use everstream::timer::TimerError;
use everstream::{
    AttemptError, Discarded, Disconnect, EncodeError, EncodedError, Encoder, Error, Event,
    EventSource, EventSourceBuilder, Fatal, JsonError, MessageError, MessageEvent, Opened,
    RequestAttempt, RequestBuilderExt, Response, ResponseStart, TransportError,
};

const SECRET: &str = "s3cr3t";

/// An error whose text does not include its source, and whose `Debug` output is a secret.
struct Chained(&'static str, Option<&'static Chained>);

static ROOT: Chained = Chained("no route to host", None);

fn no_token() -> Box<dyn StdError + Send + Sync> {
    Box::new(Chained("no token", Some(&ROOT)))
}

impl fmt::Display for Chained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Chained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SECRET)
    }
}

impl StdError for Chained {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.1.map(|error| error as _)
    }
}

/// A response with secrets in a header.
fn response(status: u16, header: (&str, &str)) -> http::Response<&'static str> {
    let response = http::Response::builder().status(status).header("set-cookie", SECRET);
    response.header(header.0, header.1).body("body").unwrap()
}

/// The `Debug` output of a variant with a response.
fn debug_of(variant: &str, status: u16, header: &str) -> String {
    let headers = format!("[\"set-cookie\", \"{header}\"]");
    format!("{variant}(Response {{ status: {status}, headers: {headers}, url: None, .. }})")
}

/// An error of reqwest, which prints the URL.
async fn of_reqwest() -> reqwest::Error {
    let port = ClosedPort::new().address().port();
    let url = format!("http://me:{SECRET}@127.0.0.1:{port}/?token={SECRET}");
    let error = get(&url).send().await.unwrap_err();
    assert!(error.to_string().contains(SECRET));
    error
}

/// Compares the whole chain of sources and the `Debug` output.
#[track_caller]
fn check(error: impl StdError + Send + Sync + 'static, chain: &str, debug: &str) {
    assert_eq!(format!("{error:?}"), debug);
    assert_eq!(format!("{:#}", anyhow::Error::from(error)), chain);
}

/// Checks the reasons, alone and as the reason of an error.
#[test]
fn each_reason_says_each_fact_once() {
    let reset = TransportError::body(io::Error::from(io::ErrorKind::ConnectionReset));
    let named = |header| ResponseStart::from(response(200, header));
    for (reason, chain, debug) in [
        (Disconnect::Ended, "the server ended the stream", "Ended"),
        (
            Disconnect::not_an_event_stream("busy"),
            "the server ended the stream, which held no event: \"busy\"",
            "NotAnEventStream { start: \"busy\" }",
        ),
        (
            Disconnect::ended_mid_event("data: ha"),
            "the server ended the stream in the middle of an event: \"data: ha\"",
            "EndedMidEvent { remainder: \"data: ha\" }",
        ),
        (
            Disconnect::ended_with_text("busy"),
            "the server ended the stream with text that is not an event: \"busy\"",
            "EndedWithText { remainder: \"busy\" }",
        ),
        (
            Disconnect::Transport(reset),
            "the connection broke: connection reset",
            "TransportError(Body, \"the connection broke: connection reset\")",
        ),
        (
            Disconnect::Status(response(503, ("retry-after", "9")).into()),
            "the server answered 503 Service Unavailable",
            &debug_of("Status", 503, "retry-after"),
        ),
        (
            Disconnect::ContentType(named(("content-type", "text/html"))),
            "the server answered with \"text/html\", not \"text/event-stream\"",
            &debug_of("ContentType", 200, "content-type"),
        ),
        (
            Disconnect::ContentType(named(("server", "x"))),
            "the server answered without a content type, not with \"text/event-stream\"",
            &debug_of("ContentType", 200, "server"),
        ),
        (
            Disconnect::RequestFn(Arc::from(no_token())),
            "could not create the request: no token: no route to host",
            "RequestFn(\"no token\")",
        ),
        (
            Disconnect::OpenTimeout(Duration::from_secs(10)),
            "could not connect within 10s; a shared HTTP/2 connection may be dead or have no free \
             stream",
            "OpenTimeout(10s)",
        ),
        (
            Disconnect::IdleTimeout(Duration::from_secs(45)),
            "no byte arrived for 45s",
            "IdleTimeout(45s)",
        ),
        (
            Disconnect::EventTimeout(Duration::from_millis(1500)),
            "no event arrived for 1.5s",
            "EventTimeout(1.5s)",
        ),
    ] {
        check(reason.clone(), chain, debug);
        check(Error::Lost(reason.clone()), chain, &format!("Lost({debug})"));
        check(
            Error::gave_up(7, reason.clone()),
            &format!("gave up after 7 reconnections: {chain}"),
            &format!("GaveUp {{ attempts: 7, reason: {debug} }}"),
        );
        let item = Event::reconnecting(reason, Duration::ZERO, 1);
        let debug = format!("Reconnecting {{ reason: {debug}, delay: 0ns, attempt: 1 }}");
        assert_eq!(format!("{item:?}"), debug);
    }
}

#[test]
fn each_error_says_each_fact_once() {
    let response = |status, header| Box::new(Response::from(response(status, header)));
    for (error, chain, debug) in [
        (
            Error::Request(TransportError::connect("no route to host")),
            "could not connect: no route to host",
            "Request(TransportError(Connect, \"could not connect: no route to host\"))",
        ),
        (Error::Fatal(no_token()), "no token: no route to host", "Fatal(\"no token\")"),
        (Error::NotRepeatable, "the request cannot be sent again", "NotRepeatable"),
        (
            Error::NoRuntime,
            "polled outside a tokio runtime, which needs the feature `smol`",
            "NoRuntime",
        ),
        (
            Error::Status(response(404, ("server", "x"))),
            "the server answered 404 Not Found, not 200 OK",
            &debug_of("Status", 404, "server"),
        ),
        (
            Error::ContentType(response(200, ("content-type", "text/html"))),
            "the server answered with \"text/html\", not \"text/event-stream\"",
            &debug_of("ContentType", 200, "content-type"),
        ),
        (
            Error::ContentEncoding(response(200, ("content-encoding", "gzip"))),
            "the server answered with \"gzip\", a coding that the client does not decode",
            &debug_of("ContentEncoding", 200, "content-encoding"),
        ),
        (
            Error::gave_up(1, Disconnect::Ended),
            "gave up after 1 reconnection: the server ended the stream",
            "GaveUp { attempts: 1, reason: Ended }",
        ),
        (
            Error::TooLarge(Discarded::new(31, 20).with_id("1")),
            "event discarded: at least 31 bytes, the limit is 20",
            "TooLarge(Discarded { size: 31, limit: 20, id: Some(\"1\"), event: None })",
        ),
        (
            Error::Timer(TimerError::new("the clock is off")),
            "the clock is off",
            "Timer(TimerError { text: \"the clock is off\" })",
        ),
    ] {
        check(error, chain, debug);
    }
}

/// Checks the errors of the layers over any transport.
#[test]
fn each_error_of_reconnect_says_each_fact_once() {
    type Failed = ReconnectError<Chained, Chained>;
    let no_token = || Chained("no token", Some(&ROOT));
    let chain = |error: Failed| format!("{:#}", anyhow::Error::from(error));
    let facts = "no token: no route to host";
    assert_eq!(chain(Failed::Fatal(no_token())), facts);
    assert_eq!(chain(Failed::Lost(Reason::Failed(no_token()).into())), facts);
    let gave_up = format!("gave up after 2 reconnections: {facts}");
    assert_eq!(chain(Failed::gave_up(2, Reason::Failed(no_token()))), gave_up);
    let timer = Failed::Timer(TimerError::new("the clock is off"));
    assert_eq!(chain(timer), "the clock is off");
    let discarded = Failed::TooLarge(Discarded::new(31, 20));
    assert_eq!(chain(discarded), "event discarded: at least 31 bytes, the limit is 20");
}

#[test]
fn each_error_of_an_adapter_says_each_fact_once() {
    let stream = || Error::Fatal(no_token());
    let facts = "no token: no route to host";
    check(MessageError::Stream(stream()), facts, "Stream(Fatal(\"no token\"))");
    check(JsonError::Stream(stream()), facts, "Stream(Fatal(\"no token\"))");
    check(EncodedError::Stream(stream()), facts, "Stream(Fatal(\"no token\"))");

    let early = "the stream ended before its terminator";
    check(MessageError::<Error>::EndedEarly, early, "EndedEarly");
    check(JsonError::<Error>::EndedEarly, early, "EndedEarly");
    check(EncodedError::<Error>::EndedEarly, early, "EndedEarly");

    let large = "event discarded: at least 31 bytes, the limit is 20";
    let debug = "Discarded(Discarded { size: 31, limit: 20, id: None, event: None })";
    check(MessageError::<Error>::Discarded(Discarded::new(31, 20)), large, debug);
    check(JsonError::<Error>::Discarded(Discarded::new(31, 20)), large, debug);
    check(EncodedError::<Error>::Discarded(Discarded::new(31, 20)), large, debug);

    let event = MessageEvent::new("price", "12.5", "7");
    let error = serde_json::from_str::<bool>(event.data()).unwrap_err();
    check(
        JsonError::<Error>::Decode { event, error },
        "could not decode an event of type \"price\" with data \"12.5\": \
         invalid type: floating point `12.5`, expected a boolean at line 1 column 4",
        "Decode { event: MessageEvent { event: \"price\", data: \"12.5\", id: \"7\" }, \
         error: Error(\"invalid type: floating point `12.5`, expected a boolean\", \
         line: 1, column: 4) }",
    );

    let error = Encoder::new(String::new()).event("a\nb").data("").unwrap_err();
    check(
        error,
        "the type has a line break at byte 1, which would end its field",
        "LineBreakInEvent { at: 1 }",
    );
    let error = EncodedError::<Error>::Encode(EncodeError::NulInId { at: 2 });
    check(
        error,
        "the id has a NUL at byte 2, and readers would ignore it",
        "Encode(NulInId { at: 2 })",
    );
}

/// H9: the functions of the user may pass on an error of reqwest, which prints its URL.
#[tokio::test]
async fn no_error_prints_the_url_of_a_request() {
    let mut printed = Vec::new();
    let mut print = |error: &(dyn StdError + 'static)| {
        let chain = std::iter::successors(Some(error), |error| (*error).source());
        printed.extend(chain.map(|error| format!("{error} {error:?}")));
    };
    print(&TransportError::new(of_reqwest().await));
    print(&Error::Request(TransportError::connect(of_reqwest().await)));
    print(&Error::Lost(Disconnect::Transport(TransportError::body(of_reqwest().await))));
    for (is_fatal, is_wrapped) in [(false, false), (false, true), (true, false), (true, true)] {
        let error = move || async move {
            let error = of_reqwest().await;
            match is_wrapped {
                true => attempt_error(NoToken(error), is_fatal),
                false => attempt_error(error, is_fatal),
            }
        };
        let request =
            EventSourceBuilder::from_request_fn(move |_| async move { Err(error().await) });
        let response = EventSourceBuilder::from_response_fn(move |_| async move {
            Err::<http::Response<String>, _>(error().await)
        });
        for builder in [request, response] {
            let error = failed(&mut builder.fail_fast(true).build()).await;
            assert_eq!(matches!(error, Error::Fatal(_)), is_fatal, "{error:?}");
            print(&error);
        }
    }
    let context = anyhow::Context::context(Err::<(), _>(of_reqwest().await), "no token");
    for error in [
        attempt_error(of_reqwest().await, true),
        attempt_error(NoToken(of_reqwest().await), true),
        context.unwrap_err().into(),
    ] {
        printed.push(format!("{error} {error:?}"));
    }
    assert!(printed.len() >= 14, "{printed:#?}");
    for text in printed {
        assert!(text.contains("refused"), "{text}");
        assert!(!text.contains(SECRET), "{text}");
    }
}

fn attempt_error(error: impl StdError + Send + Sync + 'static, is_fatal: bool) -> AttemptError {
    if is_fatal { Fatal(error).into() } else { error.into() }
}

/// An error of a user with an error of reqwest as its source.
#[derive(Debug)]
struct NoToken(reqwest::Error);

impl fmt::Display for NoToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no token")
    }
}

impl StdError for NoToken {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

/// H9: `error_for_status` returns an error that has no source and prints the whole URL.
#[tokio::test]
async fn an_error_for_the_status_of_a_response_prints_no_url() {
    let server = Server::repeating(Reply::empty(503, "Service Unavailable"));
    let url = server.url_at(&format!("/?token={SECRET}"));
    let error = get(url).send().await.unwrap().error_for_status().unwrap_err();
    assert!(error.to_string().contains(SECRET), "{error}");
    let error = TransportError::new(error);
    let host = server.address();
    let text = format!("the request to {host} failed: the server answered 503 Service Unavailable");
    assert_eq!(error.to_string(), text);
    assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
}

/// H9: the cause of a user's error is printed in one line, without its URL.
#[tokio::test]
async fn a_user_s_error_over_one_of_reqwest_names_the_cause() {
    let port = ClosedPort::new();
    let error = get(format!("{}?token={SECRET}", port.url())).send().await.unwrap_err();
    let text = format!(
        "could not create the request: no token: could not connect to {}: Connection refused \
         (os error 111)",
        port.address()
    );
    check(Disconnect::RequestFn(Arc::new(NoToken(error))), &text, "RequestFn(\"no token\")");
}

/// H9: no item and no value that a user may log prints a secret of a header.
#[test]
fn no_value_prints_a_header() {
    let opened = Opened::new(response(200, ("server", "x")), true, Some("41".into()));
    let refused = ResponseStart::from(response(401, ("www-authenticate", SECRET)));
    let attempt = RequestAttempt::new(1).with_reason(Disconnect::Status(refused));
    let source = get(format!("http://localhost/?token={SECRET}")).bearer_auth(SECRET);
    let builder = source.into_event_source_builder();
    let mut printed = vec![format!("{builder:?}"), format!("{:?}", builder.build())];
    printed.push(format!("{:?}", Event::Open(opened)));
    printed.push(format!("{attempt:?}"));
    printed.push(format!("{:?}", EventSource::from_response(response_of_text())));
    for text in printed {
        assert!(text.len() > 20 && !text.contains(SECRET), "{text}");
    }
}

fn response_of_text() -> http::Response<String> {
    response(200, ("server", "x")).map(str::to_owned)
}
