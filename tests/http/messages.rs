//! The ways in which reqwest and hyper fail, and the line that a user reads for each. Rows H of the
//! HTTP cases.

use std::time::Duration;

use crate::support::client::*;
use crate::support::server::{ClosedPort, Reply, Server};
use everstream::{Error, EventSource, Reconnection, RequestBuilderExt};
use reqwest::{Client, RequestBuilder};

fn source(request: RequestBuilder) -> EventSource {
    request.into_event_source_builder().reconnect(Reconnection::Never).build()
}

/// Returns the text of the error that ends the stream.
async fn text(mut events: EventSource) -> String {
    let error = loop {
        match next(&mut events).await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error,
            None => return "no error".to_string(),
        }
    };
    assert!(std::error::Error::source(&error).is_none(), "it prints its chain");
    let text = error.to_string();
    assert_one_line(&text);
    assert!(text.len() < 400 && !text.contains("s3cr3t"), "{text}");
    text
}

/// Returns the text of a request to a server that answers so, without the server's address.
async fn text_of(reply: Reply) -> String {
    let server = Server::scripted([reply]);
    let text = text(source(get(server.url_at("/?token=s3cr3t")))).await;
    text.replace(&server.address().to_string(), "PEER")
}

/// H10
#[tokio::test]
async fn a_refused_connection_names_the_host_the_port_and_the_cause() {
    let closed = ClosedPort::new();
    let cause = std::net::TcpStream::connect(closed.address()).unwrap_err();
    let expected = format!("could not connect to {}: {cause}", closed.address());
    assert_eq!(text(source(get(closed.url()))).await, expected);
}

/// H10
#[tokio::test]
async fn an_answer_that_is_not_http_names_the_likely_cause() {
    let tls_alert = b"\x15\x03\x03\x00\x02\x02\x46";
    let http2_settings = b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x40\x00";
    let ssh = b"SSH-2.0-OpenSSH_9.2\r\n";
    for bytes in [&tls_alert[..], http2_settings, ssh, b"<html>", b"\x01\0\xff\xfe\r\n\r\n"] {
        assert_eq!(
            text_of(Reply::raw(bytes)).await,
            "the request to PEER failed: the response is not valid HTTP/1.1 (invalid HTTP version \
             parsed), the port may expect https or HTTP/2"
        );
    }
}

/// H10
#[tokio::test]
async fn a_head_that_is_cut_or_malformed_says_so() {
    let malformed = |words| {
        format!(
            "the request to PEER failed: the response is not valid HTTP/1.1 ({words}), the port \
             may expect https or HTTP/2"
        )
    };
    let incomplete = "the request to PEER failed: the server closed the connection before its \
                      response was complete";
    let many = (0..101).fold(Reply::events(""), |reply, n| reply.header(format!("x-{n}"), "1"));
    let long = Reply::events("").header("x", "y".repeat(1_000_000));
    for (reply, expected) in [
        (Reply::raw("").fin(), incomplete.to_string()),
        (Reply::raw("HTTP/1.1 200 OK\r\ncontent-ty").fin(), incomplete.to_string()),
        (many, malformed("message head is too large")),
        (long, malformed("message head is too large")),
        (Reply::raw("HTTP/1.1 2xx OK\r\n\r\n"), malformed("invalid HTTP status-code parsed")),
        (
            Reply::raw("HTTP/1.1 200 OK\r\nno header\r\n\r\n"),
            malformed("invalid HTTP header parsed"),
        ),
        (
            Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"),
            malformed("invalid content-length parsed"),
        ),
    ] {
        assert_eq!(text_of(reply).await, expected);
    }
}

/// H10
#[tokio::test]
async fn a_body_that_breaks_says_so() {
    let abrupt = "the connection broke: the server closed the connection abruptly";
    for (reply, expected) in [
        (Reply::events("data: a\n\n").fin(), abrupt),
        (Reply::events("data: a\n\n").content_length(100).fin(), abrupt),
        (
            Reply::events("data: a\n\n").send_raw("zz\r\n").fin(),
            "the connection broke: Invalid chunk size line: missing size digit",
        ),
    ] {
        assert_eq!(text_of(reply).await, expected);
    }
}

/// H10
#[tokio::test]
async fn a_url_that_cannot_be_sent_says_what_it_lacks() {
    let no_scheme = "the URL has no scheme such as https";
    for (url, expected) in [
        ("example.com/?s3cr3t", no_scheme),
        ("/events?s3cr3t", no_scheme),
        ("", no_scheme),
        ("localhost:80/?s3cr3t", "the scheme of the URL is \"localhost\", not http or https"),
        ("ws://localhost/?s3cr3t", "the scheme of the URL is \"ws\", not http or https"),
        ("http://", "empty host"),
        ("http://x:99999/?s3cr3t", "invalid port number"),
    ] {
        let expected = format!("the request is invalid: {expected}");
        assert_eq!(text(source(get(url))).await, expected, "{url}");
    }
    let header = get("http://localhost/").header("x", "a\n");
    let expected = "the request is invalid: failed to parse header value";
    assert_eq!(text(source(header)).await, expected);
}

/// H7, H10
#[tokio::test]
async fn https_without_tls_says_so_after_a_redirect_too() {
    let no_tls = "the URL is an https one, and reqwest was built without TLS";
    let direct = text(source(get("https://127.0.0.1:1/?s3cr3t"))).await;
    assert_eq!(direct, format!("could not connect to 127.0.0.1:1: {no_tls}"));
    let redirected = text_of(Reply::redirect(301, "https://127.0.0.1:1/?s3cr3t")).await;
    let no_tls = "it redirects to https, and reqwest was built without TLS";
    assert_eq!(redirected, format!("could not connect to PEER: {no_tls}"));

    let server = Server::scripted([Reply::redirect(301, "https://127.0.0.1:1/")]);
    let error = failed(&mut get(server.url()).into_event_source()).await;
    assert!(matches!(error, Error::Request(_)), "no retry can fix it: {error:?}");
}

/// H10
#[tokio::test]
async fn a_redirect_that_leads_nowhere_says_so() {
    let server = Server::repeating(Reply::redirect(302, "/?s3cr3t"));
    let expected = "could not follow the redirect: too many redirects";
    assert_eq!(text(source(get(server.url()))).await, expected);
    let expected = "the request is invalid: the scheme of the URL is \"ftp\", not http or https";
    assert_eq!(text_of(Reply::redirect(302, "ftp://x/?s3cr3t")).await, expected);
}

/// H10
#[tokio::test]
async fn a_timeout_of_the_client_says_so_once() {
    let short = Duration::from_millis(20);
    let silent = Server::repeating(Reply::silence());
    let held = Server::repeating(Reply::events("data: a\n\n").hold());
    let reading = Client::builder().no_proxy().read_timeout(short).build().unwrap();
    for server in [&silent, &held] {
        for request in [http().get(server.url()).timeout(short), reading.get(server.url())] {
            let expected = "a timeout of the HTTP client ran out";
            assert_eq!(text(source(request)).await, expected);
        }
    }
}
