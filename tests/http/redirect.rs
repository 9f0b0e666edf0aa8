//! Tests of redirects to an event stream: rows C of the HTTP cases. reqwest follows them, so these
//! tests also fix its behaviour.

use std::convert::Infallible;
use std::time::Duration;

use crate::support::client::*;
use crate::support::server::{Gate, Reply, Request, Server};
use everstream::{
    Disconnect, Error, EventSource, ManualTimer, ReadyState, Reconnection, RequestBuilderExt,
    TransportErrorKind,
};
use futures_util::stream;
use reqwest::redirect::Policy;
use reqwest::{Body, Client, RequestBuilder};

const SEC: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// The statuses that the Fetch standard calls redirects.
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// The number of redirects that reqwest follows. The next one is an error.
const LIMIT: usize = 10;

/// Returns a stream in virtual time with a delay of a second.
fn source(request: RequestBuilder) -> (EventSource, ManualTimer) {
    let timer = ManualTimer::new();
    let builder = request.into_event_source_builder().retry_policy(steady(SEC));
    (builder.timer(timer.clone()).build(), timer)
}

/// Starts a server that sends `reply` to the first path, and an event and silence to the redirected
/// one.
fn redirecting(reply: Reply) -> Server {
    Server::scripted([reply, Reply::events("data: a\n\n").hold()])
}

/// Returns a redirect with this `Location`, which may be invalid or missing.
fn redirect_to(code: u16, location: Option<&[u8]>) -> Reply {
    let reply = Reply::redirect(code, "").without_header("location");
    location.into_iter().fold(reply, |reply, location| reply.header("Location", location))
}

fn paths(requests: &[Request]) -> Vec<&str> {
    requests.iter().map(|request| &*request.path).collect()
}

fn ids(requests: &[Request]) -> Vec<Vec<&[u8]>> {
    requests.iter().map(|request| request.header("last-event-id")).collect()
}

// ------------------------------------------------------------------------------------- Followed

/// C1 and C13
#[tokio::test]
async fn a_redirect_is_followed_and_the_final_url_is_reported() {
    for code in REDIRECTS {
        let target = Server::scripted([Reply::events("data: a\n\n").hold()]);
        let url = target.url_at("/there?x=y");
        let server = Server::scripted([Reply::redirect(code, &url)]);
        let mut events = get(server.url_at("/here")).into_event_source();
        let opened = opened(&mut events).await;
        assert_eq!(opened.url(), Some(&*url), "{code}");
        assert!(opened.url().unwrap().starts_with(&target.origin()));
        assert!(!opened.is_reconnect());
        assert_eq!(data(&mut events).await, "a");

        assert_eq!(paths(&server.requests()), ["/here"]);
        let [request] = &target.requests()[..] else { panic!("{:?}", target.requests()) };
        assert_eq!((&*request.method, &*request.path), ("GET", "/there?x=y"));
        assert_eq!(request.header("host"), [target.address().to_string().as_bytes()]);
        assert_eq!(request.header("accept"), [b"text/event-stream"]);
        assert_eq!(request.header("cache-control"), [b"no-cache"]);
    }
}

/// C1
#[tokio::test]
async fn nothing_is_open_before_the_last_redirect_was_followed() {
    let gate = Gate::new();
    let server = Server::scripted([
        Reply::redirect(302, "/2"),
        Reply::redirect(307, "/3"),
        Reply::raw("")
            .wait_for(&gate)
            .send_raw("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\n"),
    ]);
    let mut events = quickly(get(server.url_at("/1")));
    silent_until(&mut events, gate.until_reached()).await;
    assert_eq!(events.ready_state(), ReadyState::Connecting);
    gate.open();
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");
    assert_eq!(paths(&server.requests()), ["/1", "/2", "/3"]);
}

/// C2
#[tokio::test]
async fn a_relative_location_counts_from_the_current_url() {
    for code in REDIRECTS {
        for (location, expected) in [
            ("/x/y?z", "/x/y?z"),
            ("other", "/a/other"),
            ("./other?q", "/a/other?q"),
            ("../up", "/up"),
            ("?q=1", "/a/b?q=1"),
            ("/x#fragment", "/x"),
            ("/ü", "/%C3%BC"),
        ] {
            let server = redirecting(Reply::redirect(code, location));
            let mut events = get(server.url_at("/a/b?c")).into_event_source();
            opened(&mut events).await;
            assert_eq!(data(&mut events).await, "a");
            assert_eq!(paths(&server.requests()), ["/a/b?c", expected], "{code} {location}");
        }
    }
}

/// C2
#[tokio::test]
async fn a_location_without_a_scheme_leads_to_another_host_by_the_same_one() {
    for code in REDIRECTS {
        let target = Server::scripted([Reply::events("data: a\n\n").hold()]);
        let location = format!("//{}/x", target.address());
        let server = Server::scripted([Reply::redirect(code, &location)]);
        let mut events = get(server.url()).into_event_source();
        let opened = opened(&mut events).await;
        assert_eq!(opened.url(), Some(&*target.url_at("/x")));
        assert_eq!(data(&mut events).await, "a");
    }
}

/// C2
#[tokio::test]
async fn in_a_chain_each_location_counts_from_the_one_before() {
    let last = Server::scripted([Reply::redirect(308, "d"), Reply::events("data: a\n\n").hold()]);
    let server = Server::scripted([
        Reply::redirect(301, "/x/y/a"),
        Reply::redirect(302, "b"),
        Reply::redirect(303, "../c"),
        Reply::redirect(307, &last.url_at("/z/")),
    ]);
    let mut events = get(server.url()).into_event_source();
    let opened = opened(&mut events).await;
    assert_eq!(opened.url(), Some(&*last.url_at("/z/d")));
    assert_eq!(data(&mut events).await, "a");
    assert_eq!(paths(&server.requests()), ["/", "/x/y/a", "/x/y/b", "/x/c"]);
    assert_eq!(paths(&last.requests()), ["/z/", "/z/d"]);
}

// --------------------------------------------------------------------------------- Not followed

/// C3
#[tokio::test]
async fn a_redirect_to_nowhere_ends_the_stream() {
    for code in REDIRECTS {
        for location in [None, Some(&b"http://["[..]), Some(b"http://"), Some(b"\xff\xfe")] {
            let server = redirecting(redirect_to(code, location));
            let (mut events, timer) = source(get(server.url()));
            let error = failed(&mut events).await;
            assert!(matches!(error, Error::Status(_)), "{code} {location:?}: {error:?}");
            assert_eq!(error.status().map(|status| status.as_u16()), Some(code));
            assert_quiet(&mut events, &timer, &server, 1).await;
        }
    }
}

/// C3
#[tokio::test]
async fn a_redirect_to_another_scheme_ends_the_stream() {
    for location in ["ftp://127.0.0.1/x", "data:text/event-stream,data:%20a%0A%0A", "file:///etc"] {
        let server = redirecting(Reply::redirect(302, location));
        let (mut events, timer) = source(get(server.url()));
        let error = failed(&mut events).await;
        assert_one_line(error.to_string());
        assert_quiet(&mut events, &timer, &server, 1).await;
    }
}

/// C4: it leads to where it came from.
#[tokio::test]
async fn a_redirect_with_an_empty_location_is_a_loop() {
    for code in [301, 307] {
        assert_is_a_loop(Server::repeating(Reply::redirect(code, "")), &["/"; LIMIT + 1]).await;
    }
}

/// C5
#[tokio::test]
async fn a_redirect_loop_is_a_failure_that_is_retried_after_the_delay() {
    for code in REDIRECTS {
        let server = Server::repeating(Reply::redirect(code, "/"));
        assert_is_a_loop(server, &["/"; LIMIT + 1]).await;
    }
    let server = Server::start(|request| {
        let other = if request.path == "/a" { "/b" } else { "/a" };
        Reply::redirect(307, other)
    });
    let way = ["/", "/a", "/b", "/a", "/b", "/a", "/b", "/a", "/b", "/a", "/b"];
    assert_is_a_loop(server, &way).await;
}

/// Asserts that the first attempt takes this way and fails, and that the second one follows after
/// the delay and takes it again.
async fn assert_is_a_loop(server: Server, way: &[&str]) {
    let (mut events, timer) = source(get(server.url()));
    for attempt in 1..=2 {
        let lost = reconnecting(&mut events).await;
        assert_eq!(lost.cause, "could not follow the redirect: too many redirects");
        assert!(
            matches!(&lost.why, Disconnect::Transport(e) if e.kind() == TransportErrorKind::Redirect)
        );
        assert_eq!((lost.delay, lost.attempt), (SEC, attempt));
        timer.advance(SEC - MS);
        assert_pending(&mut events);
        let requests = server.requests();
        assert_eq!(requests.len(), way.len() * attempt as usize, "not one more");
        assert_eq!(paths(&requests[requests.len() - way.len()..]), way);
        timer.advance(MS);
    }
}

/// C5
#[tokio::test]
async fn a_chain_of_redirects_is_followed_up_to_the_limit_of_the_client() {
    let chain = |hops: usize| {
        Server::start(move |request| match request.path[1..].parse::<usize>() {
            Ok(hop) if hop < hops => Reply::redirect(302, &format!("/{}", hop + 1)),
            _ => Reply::events("data: a\n\n").hold(),
        })
    };
    let server = chain(LIMIT);
    let mut events = quickly(get(server.url_at("/0")));
    opened(&mut events).await;
    assert_eq!(data(&mut events).await, "a");

    let server = chain(LIMIT + 1);
    let (mut events, _) = source(get(server.url_at("/0")));
    reconnecting(&mut events).await;
    assert_eq!(server.requests().len(), LIMIT + 1);

    let server = chain(20);
    let client = Client::builder().no_proxy().redirect(Policy::limited(20)).build().unwrap();
    let mut events = quickly(client.get(server.url_at("/0")));
    opened(&mut events).await;
    assert_eq!(server.requests().len(), 21);
}

/// C5
#[tokio::test]
async fn a_redirect_loop_ends_a_stream_that_must_not_be_repeated() {
    let server = Server::repeating(Reply::redirect(307, "/"));
    let (mut events, timer) = source(post(server.url()).body("x"));
    let error = failed(&mut events).await;
    assert!(matches!(error, Error::Lost(_)), "{error:?}");
    assert_eq!(error.to_string(), "could not follow the redirect: too many redirects");
    assert_quiet(&mut events, &timer, &server, LIMIT + 1).await;
}

/// C5 and C12
#[tokio::test]
async fn a_redirect_that_the_client_does_not_follow_ends_the_stream() {
    let server = redirecting(Reply::redirect(302, "/x"));
    let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    let (mut events, timer) = source(client.get(server.url()));
    let error = failed(&mut events).await;
    assert_eq!(error.to_string(), "the server answered 302 Found, not 200 OK");
    assert_eq!(error.response().unwrap().headers()["location"], "/x");
    assert_quiet(&mut events, &timer, &server, 1).await;
}

/// C12
#[tokio::test]
async fn other_3xx_statuses_are_not_followed_whatever_their_location_says() {
    for code in [300, 304, 305, 306, 309, 399] {
        let server = redirecting(Reply::redirect(code, "/x"));
        let (mut events, timer) = source(get(server.url()));
        let error = failed(&mut events).await;
        assert!(matches!(error, Error::Status(_)), "{code}: {error:?}");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(code));
        assert_quiet(&mut events, &timer, &server, 1).await;
    }
}

// ------------------------------------------------------------------------ What it may lead to

/// C6
#[tokio::test]
async fn a_redirect_to_no_content_ends_the_stream_without_an_error() {
    for code in REDIRECTS {
        let server = Server::scripted([Reply::redirect(code, "/x"), Reply::no_content()]);
        let (mut events, timer) = source(get(server.url()));
        ended(&mut events).await;
        assert_quiet(&mut events, &timer, &server, 2).await;
    }
}

/// C7
#[tokio::test]
async fn a_redirect_to_a_page_ends_the_stream() {
    for code in REDIRECTS {
        for reply in [
            Reply::with_body(200, "OK", "text/html", "data: a\n\n"),
            Reply::with_body(404, "Not Found", "text/event-stream", "data: a\n\n"),
        ] {
            let server = Server::scripted([Reply::redirect(code, "/x"), reply]);
            let (mut events, timer) = source(get(server.url()));
            let error = failed(&mut events).await;
            let response = error.into_response().unwrap();
            assert_eq!(response.url(), Some(&*server.url_at("/x")));
            assert_eq!(response.text().await.unwrap(), "data: a\n\n");
            assert_quiet(&mut events, &timer, &server, 2).await;
        }
    }
}

// ------------------------------------------------------------------------- Connecting once more

/// C8 and C9
#[tokio::test]
async fn a_reconnection_starts_at_the_original_url_and_takes_the_last_event_id_along() {
    for code in REDIRECTS {
        let target = Server::scripted([
            Reply::events("id: …1\ndata: a\n\n"),
            Reply::events("id: 2\ndata: b\n\n"),
        ]);
        let url = target.url_at("/there");
        let server = Server::repeating(Reply::redirect(code, &url));
        let mut events = quickly(get(server.url_at("/here")));
        let seen = story(&mut events).await;
        assert_eq!(seen.iter().filter(|item| item.contains("open")).count(), 2, "{seen:?}");

        for (requests, path) in [(server.requests(), "/here"), (target.requests(), "/there")] {
            assert_eq!(paths(&requests), [path; 3], "{code}");
            assert_eq!(ids(&requests), [vec![], vec!["…1".as_bytes()], vec![b"2"]], "{code}");
        }
    }
}

/// C8
#[tokio::test]
async fn a_redirect_may_lead_elsewhere_each_time() {
    let server = Server::start(|request| match request.index {
        0 => Reply::redirect(301, "/first"),
        2 => Reply::redirect(301, "/second"),
        4 => Reply::no_content(),
        _ => Reply::events("data: a\n\n"),
    });
    let mut events = quickly(get(server.url()));
    assert!(opened(&mut events).await.url().unwrap().ends_with("/first"));
    messages(&mut events, 1).await;
    reconnecting(&mut events).await;
    assert!(opened(&mut events).await.url().unwrap().ends_with("/second"));
    while next(&mut events).await.is_some() {}
    assert_eq!(paths(&server.requests()), ["/", "/first", "/", "/second", "/"]);
}

// ------------------------------------------------------------------------------- What goes along

/// C10
#[tokio::test]
async fn credentials_stay_with_their_origin() {
    for code in REDIRECTS {
        let other = Server::repeating(Reply::events("data: a\n\n"));
        let away = format!("{}/away", other.origin());
        let server = Server::start(move |request| match (request.index, &*request.path) {
            (4.., _) => Reply::no_content(),
            (_, "/here") => Reply::redirect(code, "/near"),
            _ => Reply::redirect(code, &away),
        });
        let request = get(server.url_at("/here")).bearer_auth("secret").header("Cookie", "k=v");
        let mut events = quickly(request.header("X-A", "1"));
        let seen = story(&mut events).await;
        assert_eq!(seen.len(), 6, "{seen:?}");

        let near = server.requests();
        assert_eq!(paths(&near), ["/here", "/near", "/here", "/near", "/here"]);
        for request in near {
            assert_eq!(request.header("authorization"), [b"Bearer secret"], "{code}");
            assert_eq!(request.header("cookie"), [b"k=v"]);
        }
        let far = other.requests();
        assert_eq!(paths(&far), ["/away", "/away"]);
        for request in far {
            assert!(request.header("authorization").is_empty(), "{code}: {request:?}");
            assert!(request.header("cookie").is_empty(), "{code}: {request:?}");
            assert_eq!(request.header("x-a"), [b"1"], "what is no credential goes along");
        }
    }
}

/// C11
#[tokio::test]
async fn a_post_becomes_a_get_without_a_body_after_301_302_and_303() {
    for code in [301, 302, 303] {
        let server = Server::scripted([Reply::redirect(code, "/x"), Reply::events("data: a\n\n")]);
        let request = post(server.url()).header("Content-Type", "text/plain").body("prompt");
        let mut events = request.into_event_source();
        assert_eq!(story(&mut events).await, ["open", "message: a"]);

        let requests = server.requests();
        assert_eq!(requests.len(), 2, "it was a POST, and is not repeated");
        assert_eq!((&*requests[0].method, &*requests[0].body), ("POST", &b"prompt"[..]));
        assert_eq!((&*requests[1].method, &*requests[1].body), ("GET", &b""[..]));
        for header in ["content-type", "content-length", "transfer-encoding"] {
            assert!(requests[1].header(header).is_empty(), "{:?}", requests[1]);
        }
        assert_eq!(requests[1].header("accept"), [b"text/event-stream"]);
    }
}

/// C11
#[tokio::test]
async fn a_request_keeps_its_method_and_its_body_after_307_and_308() {
    for (method, code) in [("POST", 307), ("POST", 308), ("REPORT", 307), ("REPORT", 302)] {
        let server = Server::scripted([Reply::redirect(code, "/x"), Reply::events("data: a\n\n")]);
        let request =
            request(method, server.url()).header("Content-Type", "text/plain").body("prompt");
        assert_eq!(story(&mut request.into_event_source()).await, ["open", "message: a"]);
        let requests = server.requests();
        assert_eq!(paths(&requests), ["/", "/x"]);
        for request in requests {
            assert_eq!((&*request.method, &*request.body), (method, &b"prompt"[..]), "{code}");
            assert_eq!(request.header("content-type"), [b"text/plain"]);
        }
    }
}

/// C11
#[tokio::test]
async fn a_redirected_post_that_is_repeated_begins_as_a_post_again() {
    for (code, second) in [(303, "GET"), (307, "POST")] {
        let server = Server::start(move |request| match (request.index, &*request.path) {
            (4.., _) => Reply::no_content(),
            (_, "/") => Reply::redirect(code, "/x"),
            _ => Reply::events("id: 1\ndata: a\n\n"),
        });
        let builder = post(server.url()).body("prompt").into_event_source_builder();
        let builder = builder.reconnect(Reconnection::Always).retry_policy(quick());
        assert_eq!(story(&mut builder.build()).await.len(), 6);
        let requests = server.requests();
        let methods: Vec<_> = requests.iter().map(|request| &*request.method).collect();
        assert_eq!(methods, ["POST", second, "POST", second, "POST"]);
        for request in requests {
            let body: &[u8] = if request.method == "POST" { b"prompt" } else { b"" };
            assert_eq!(request.body, body);
        }
    }
}

/// C11: a body that was a stream is gone, and nothing goes out in its place.
#[tokio::test]
async fn a_body_that_is_a_stream_goes_through_no_redirect_that_needs_it_again() {
    let one_shot = || Body::wrap_stream(stream::iter([Ok::<_, Infallible>("prompt")]));
    for code in [307, 308] {
        let server = redirecting(Reply::redirect(code, "/x"));
        let (mut events, timer) = source(post(server.url()).body(one_shot()));
        let error = failed(&mut events).await;
        assert_eq!(error.status().map(|status| status.as_u16()), Some(code), "{error:?}");
        assert_quiet(&mut events, &timer, &server, 1).await;
    }
    for code in [301, 302, 303] {
        let server = redirecting(Reply::redirect(code, "/x"));
        let mut events = post(server.url()).body(one_shot()).into_event_source();
        opened(&mut events).await;
        let requests = server.requests();
        assert_eq!((&*requests[0].method, &*requests[0].body), ("POST", &b"prompt"[..]));
        assert_eq!((&*requests[1].method, &*requests[1].body), ("GET", &b""[..]));
    }
}
