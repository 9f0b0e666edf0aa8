//! Tests of the test server, byte by byte over std sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::server::{Closed, ClosedPort, Feed, Gate, PATIENCE, Reply, Server};
use crate::support::threads;
use pollster::block_on;
use socket2::SockRef;

/// Connects and sends a minimal GET.
fn get(server: &Server) -> TcpStream {
    request(server, b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
}

fn request(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(bytes).unwrap();
    client
}

/// Reads everything up to the FIN.
fn rest(mut client: TcpStream) -> String {
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).unwrap();
    bytes.escape_ascii().to_string().replace("\\r\\n", "\n")
}

/// Reads exactly this many bytes.
fn take(client: &mut TcpStream, len: usize) -> String {
    let mut bytes = vec![0; len];
    client.read_exact(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Reads up to the end of the head.
fn take_head(client: &mut TcpStream) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head += &take(client, 1);
    }
    head
}

fn close_with_rst(client: TcpStream) {
    SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
}

#[test]
fn an_event_stream_is_chunked_and_ends_with_the_last_chunk() {
    let server =
        Server::scripted([Reply::sse().send("data: a\n\n").send("").send("data: 0123456789\n\n")]);
    assert_eq!(
        rest(get(&server)),
        "HTTP/1.1 200 OK\nContent-Type: text/event-stream\n\
         Transfer-Encoding: chunked\nConnection: close\n\n\
         9\ndata: a\\n\\n\n12\ndata: 0123456789\\n\\n\n0\n\n"
    );
}

#[test]
fn heads_may_say_anything_and_bodies_may_be_cut_or_wrong() {
    let server = Server::scripted([
        Reply::with_body(404, "Not Found", "text/plain", "no"),
        Reply::events("abc").content_length(9),
        Reply::events("abc").http_1_0(),
        Reply::events("abc")
            .without_header("connection")
            .content_type(b"text/\xff")
            .header("X", "1")
            .header("X", "2"),
        Reply::sse().without_header("connection").send_raw("ffff\r\nabc").fin(),
        Reply::sse()
            .send_raw("HTTP/1.1 103 Early Hints\r\n\r\n")
            .send_head_byte_by_byte()
            .byte_by_byte("ab")
            .fin(),
        Reply::redirect(307, "/x").without_header("connection"),
        Reply::raw("garbage\r\n"),
        Reply::sse().close_delimited().send_each(|i| (i < 3).then(|| vec![b'0' + i as u8])),
    ]);
    let mut bodies = Vec::new();
    for _ in 0..6 {
        bodies.push(rest(get(&server)));
    }
    let ok = "HTTP/1.1 200 OK\n";
    let head = format!("{ok}Content-Type: text/event-stream\n");
    let close = "Connection: close\n";
    let chunked = "Transfer-Encoding: chunked\n";
    let plain = "Connection: close\nContent-Type: text/plain\nContent-Length: 2\n";
    assert_eq!(
        bodies,
        [
            format!("HTTP/1.1 404 Not Found\n{plain}\nno"),
            format!("{head}Connection: close\nContent-Length: 9\n\nabc"),
            "HTTP/1.0 200 OK\nContent-Type: text/event-stream\n\nabc".into(),
            format!("{ok}{chunked}Content-Type: text/\\xff\nX: 1\nX: 2\n\n3\nabc\n0\n\n"),
            format!("{head}{chunked}\nffff\nabc"),
            format!("HTTP/1.1 103 Early Hints\n\n{head}{chunked}{close}\n1\na\n1\nb\n"),
        ]
    );

    let mut client = get(&server);
    assert_eq!(
        take_head(&mut client),
        "HTTP/1.1 307 Redirect\r\nContent-Length: 0\r\nLocation: /x\r\n\r\n"
    );
    client.write_all(b"GET /x HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(rest(client), "garbage\n");
    assert_eq!(
        block_on(server.until_requests(8))[7].connection,
        6,
        "the redirect's connection was kept"
    );
    assert!(rest(get(&server)).ends_with("\n\n012"));
}

#[test]
fn requests_are_kept_in_order_with_raw_header_bytes_and_decoded_bodies() {
    let server = Server::scripted([Reply::empty(200, "OK"), Reply::empty(200, "OK")]);
    rest(request(
        &server,
        b"POST /a?b=c HTTP/1.1\r\nX: 1\r\nLast-Event-ID:  \xe2\x80\xa6 \r\nx: 2\r\n\
          Content-Length: 4\r\n\r\n\r\n\r\n",
    ));
    rest(request(
        &server,
        b"REPORT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
    ));

    let requests = server.requests();
    assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("POST", "/a?b=c"));
    assert_eq!(requests[0].version, "HTTP/1.1");
    assert_eq!(requests[0].header("x"), [b"1", b"2"]);
    assert_eq!(requests[0].header("last-event-id"), ["…".as_bytes()]);
    assert_eq!(requests[0].headers[1].0, "Last-Event-ID");
    assert!(requests[0].header("accept").is_empty());
    assert_eq!(requests[0].body, b"\r\n\r\n");
    assert_eq!(
        (requests[1].method.as_str(), requests[1].body.as_slice()),
        ("REPORT", b"abcd".as_slice())
    );
}

#[test]
fn after_its_script_a_server_answers_204_and_other_servers_repeat_their_reply() {
    let server = Server::scripted([Reply::empty(200, "OK")]);
    assert!(rest(get(&server)).starts_with("HTTP/1.1 200 OK\n"));
    assert_eq!(rest(get(&server)), "HTTP/1.1 204 No Content\nConnection: close\n\n");
    assert_eq!(rest(get(&server)), "HTTP/1.1 204 No Content\nConnection: close\n\n");

    let server = Server::repeating(Reply::raw("again"));
    assert_eq!((rest(get(&server)), rest(get(&server))), ("again".into(), "again".into()));

    let server = Server::start(|request| Reply::raw(format!("{} {}", request.index, request.path)));
    assert_eq!((rest(get(&server)), rest(get(&server))), ("0 /events".into(), "1 /events".into()));
}

#[test]
fn a_reset_is_a_real_rst_and_a_fin_is_not() {
    let (reset, fin) = (Gate::new(), Gate::new());
    let server = Server::scripted([
        Reply::raw("data: a").wait_for(&reset).reset(),
        Reply::raw("data: a").wait_for(&fin).fin(),
    ]);
    for (gate, expected) in [(reset, Err(ErrorKind::ConnectionReset)), (fin, Ok(0))] {
        let mut client = get(&server);
        assert_eq!(take(&mut client, 7), "data: a");
        gate.open();
        assert_eq!(client.read(&mut [0]).map_err(|error| error.kind()), expected);
    }
    assert_eq!(server.wait_until_closed(0, PATIENCE), Closed::ByServer);
    assert_eq!(server.wait_until_closed(1, PATIENCE), Closed::Fin);
}

#[test]
fn the_server_sees_at_once_that_the_client_closes_and_how() {
    // in silence, in a pause, at a gate, at a feed, before any request
    let server = Server::scripted([
        Reply::events("data: a\n\n").hold(),
        Reply::sse().pause(Duration::from_secs(3600)),
        Reply::sse().wait_for(&Gate::new()),
        Reply::sse().fed_by(&Feed::new()),
    ]);
    for k in 0..5 {
        let mut client = if k < 4 { get(&server) } else { request(&server, b"GET / HT") };
        if k < 4 {
            block_on(server.until_requests(k + 1));
            take_head(&mut client);
        }
        if k == 0 {
            // Closing with unread bytes would send a RST.
            assert_eq!(take(&mut client, 14), "9\r\ndata: a\n\n\r\n");
        }
        server.wait_for_live(1, PATIENCE);
        drop(client);
        assert_eq!(server.wait_until_closed(k, PATIENCE), Closed::Fin);
        server.wait_for_live(0, PATIENCE);
    }
    assert_eq!((server.connections(), server.requests().len()), (5, 4));

    let server = Server::repeating(Reply::silence());
    let client = get(&server);
    block_on(server.until_requests(1));
    close_with_rst(client);
    assert_eq!(server.wait_until_closed(0, PATIENCE), Closed::Reset);
}

#[test]
fn a_gate_holds_the_reply_until_the_test_opens_it() {
    let gate = Gate::new();
    let server = Server::scripted([Reply::raw("before ").wait_for(&gate).send("after")]);
    let mut client = get(&server);
    gate.wait_until_reached(PATIENCE);
    assert_eq!(take(&mut client, 7), "before ");
    client.set_nonblocking(true).unwrap();
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    client.set_nonblocking(false).unwrap();
    gate.open();
    assert_eq!(rest(client), "after");
}

#[test]
fn a_head_can_come_before_the_first_bytes_of_the_body() {
    let gate = Gate::new();
    let reply = Reply::sse().send_head().wait_for(&gate).send("data: a\n\n").end();
    let server = Server::scripted([reply]);
    let mut client = get(&server);
    assert!(take_head(&mut client).starts_with("HTTP/1.1 200 OK\r\n"));
    gate.open();
    assert_eq!(rest(client), "9\ndata: a\\n\\n\n0\n\n");
}

#[test]
fn a_feed_sends_what_the_test_says_when_it_says_it() {
    let feed = Feed::new();
    let server = Server::repeating(Reply::sse().fed_by(&feed));
    let mut client = get(&server);
    take_head(&mut client);
    feed.send("data: a\n\n");
    assert_eq!(take(&mut client, 14), "9\r\ndata: a\n\n\r\n");
    feed.end();
    assert_eq!(rest(client), "0\n\n");

    let mut client = get(&server);
    take_head(&mut client);
    feed.fin();
    assert_eq!(rest(client), "", "no last chunk");

    let mut client = get(&server);
    take_head(&mut client);
    feed.reset();
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_port_refuses_while_no_socket_listens_and_stays_the_same() {
    let refused =
        |address| TcpStream::connect(address).unwrap_err().kind() == ErrorKind::ConnectionRefused;

    let closed = ClosedPort::new();
    assert!(refused(closed.address()) && refused(closed.address()));
    assert_eq!(closed.url(), format!("http://{}/", closed.address()));

    let server = Server::scripted([Reply::silence(), Reply::raw("here again")]);
    let early = get(&server);
    block_on(server.until_requests(1));
    for _ in 0..3 {
        server.stop_listening();
        server.stop_listening();
        assert!(refused(server.address()) && refused(server.address()));
        server.listen_again();
    }
    assert_eq!(rest(get(&server)), "here again");
    assert_eq!(server.connections(), 2, "nobody else was counted");
    drop(early);
    server.wait_for_live(0, PATIENCE);
}

#[test]
fn dropping_the_server_closes_everything_and_ends_its_threads() {
    let gate = Gate::new();
    let server = Server::scripted([
        Reply::silence(),
        Reply::sse().wait_for(&gate),
        Reply::sse().pause(Duration::from_secs(3600)),
        Reply::sse().send_each(|_| Some(vec![b'x'; 1 << 16])), // and nobody reads it
        Reply::raw("done"),
    ]);
    let mut clients: Vec<_> =
        (1..=5).map(|n| (get(&server), block_on(server.until_requests(n))).0).collect();
    clients.push(request(&server, b"GET / HT"));
    server.wait_for_live(6, PATIENCE);

    let address = server.address();
    let name = format!("sse:{}", address.port());
    if cfg!(target_os = "linux") {
        wait_for_threads(13, &name); // two for each connection, and one that accepts
    }
    drop(server);
    wait_for_threads(0, &name); // /proc shows a thread a moment longer than it can be joined
    for mut client in clients {
        let _ = std::io::copy(&mut client, &mut std::io::sink()); // ends, well or not
    }
    assert!(TcpStream::connect(address).is_err());
}

/// Waits until `n` threads of this process have that name, on Linux.
#[track_caller]
fn wait_for_threads(n: usize, name: &str) {
    let start = Instant::now();
    loop {
        let count = threads::names().iter().filter(|thread| *thread == name).count();
        if count == n {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "there are {count} threads, not {n}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_client_that_does_not_read_holds_the_server_back() {
    let server = Server::repeating(Reply::sse().send_each(|_| Some(vec![b'x'; 1 << 16])));
    let client = get(&server);
    let mut before = 0;
    loop {
        thread::sleep(Duration::from_millis(100));
        let written = server.bytes_written(0);
        if written > 0 && written == before {
            break;
        }
        before = written;
    }
    assert!(before < 64 << 20, "the kernel's buffers are bounded: {before}");
    drop(client);
    assert_eq!(
        server.wait_until_closed(0, PATIENCE),
        Closed::Reset,
        "it had bytes that it never read"
    );
}

#[test]
fn the_waits_are_futures_too_under_any_executor() {
    let gate = Gate::new();
    let server = Server::scripted([Reply::raw("").wait_for(&gate).hold()]);
    let client = get(&server);
    assert_eq!(block_on(server.until_requests(1)).len(), 1);
    block_on(gate.until_reached());
    block_on(server.until_live(1));
    drop(server.until_closed(0)); // given up
    drop(client);
    assert_eq!(block_on(server.until_closed(0)), Closed::Fin);
}

#[test]
#[should_panic(expected = "waited 10ms for 2 live connections, but there were 0")]
fn a_wait_that_takes_too_long_says_what_there_was_instead() {
    Server::scripted([]).wait_for_live(2, Duration::from_millis(10));
}

#[test]
#[should_panic(
    expected = "the test server had trouble: several lengths in a request: GET / HTTP/1.1"
)]
fn an_ambiguous_request_fails_the_test() {
    let server = Server::scripted([]);
    rest(request(&server, b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"));
}

#[test]
#[should_panic(expected = "the test server had trouble: a script panicked")]
fn a_script_that_panics_fails_the_test() {
    let server = Server::start(|_| panic!("on purpose"));
    assert_eq!(rest(get(&server)), "");
}
