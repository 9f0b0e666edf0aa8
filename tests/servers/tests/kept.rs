//! Requests over a kept connection that the server closes: row I4 of the HTTP cases. What was not
//! sent is sent again. What was sent may have been processed, so a POST is not repeated.

#[path = "../../support/client.rs"]
pub mod client;
#[path = "support/http2.rs"]
mod http2_server;
#[path = "../../support/server.rs"]
pub mod server;

use std::future::Future;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use client::{data, failed, opened, quick, reconnecting};
use everstream::{Disconnect, Error, Event, EventSource, RequestBuilderExt};
use everstream_servers::choose_crypto;
use futures_util::StreamExt;
use http2_server::Http2;
use reqwest::{Client, Method};

/// The moment at which the server closes its first connection.
#[derive(Clone, Copy, PartialEq)]
enum Closes {
    /// The first response is complete.
    AfterResponse,
    /// The second request was read, and no response follows.
    AfterRequest,
}

/// A server that answers each request with one event and keeps every connection but the first.
struct Kept {
    address: SocketAddr,
    /// The connection of each request, from 0, and its method.
    requests: Receiver<(usize, String)>,
    closed: Receiver<()>,
}

impl Kept {
    fn start(closes: Closes) -> Kept {
        choose_crypto();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (to_requests, requests) = channel();
        let (to_closed, closed) = channel();
        thread::spawn(move || {
            for (connection, socket) in listener.incoming().enumerate() {
                let closes = (connection == 0).then_some(closes);
                serve(socket.unwrap(), connection, closes, &to_requests);
                let _ = to_closed.send(());
            }
        });
        Kept { address, requests, closed }
    }

    fn source(&self, client: &Client, method: Method) -> EventSource {
        let request = client.request(method, format!("http://{}/", self.address)).body("prompt");
        request.into_event_source_builder().retry_policy(quick()).build()
    }
}

fn serve(
    socket: TcpStream,
    connection: usize,
    closes: Option<Closes>,
    requests: &Sender<(usize, String)>,
) {
    let mut socket = BufReader::new(socket);
    for number in 0.. {
        let mut first = String::new();
        if socket.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            socket.read_line(&mut line).unwrap();
        }
        socket.read_exact(&mut [0; "prompt".len()]).unwrap();
        let method = first.split(' ').next().unwrap().to_owned();
        let _ = requests.send((connection, method));
        if closes == Some(Closes::AfterRequest) && number == 1 {
            return;
        }
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9";
        write!(socket.get_mut(), "{head}\r\n\r\ndata: a\n\n").unwrap();
        if closes == Some(Closes::AfterResponse) {
            return;
        }
    }
}

fn on_both<F: Future<Output = ()>>(test: impl Fn() -> F) {
    tokio::runtime::Runtime::new().unwrap().block_on(test());
    smol::block_on(test());
}

/// Reads a POST to its end.
async fn read_post(events: &mut EventSource) {
    let items: Vec<_> = events.collect().await;
    let is_whole = matches!(items[..], [Ok(Event::Open(_)), Ok(Event::Message(_))]);
    assert!(is_whole, "{items:?}");
}

/// I4
#[test]
fn a_post_is_not_sent_over_a_kept_connection_that_the_server_has_closed() {
    on_both(|| async {
        for _ in 0..10 {
            let server = Kept::start(Closes::AfterResponse);
            let client = client::http();
            read_post(&mut server.source(&client, Method::POST)).await;
            // The thread is blocked meanwhile, so its runtime cannot notice it before the request.
            server.closed.recv().unwrap();
            read_post(&mut server.source(&client, Method::POST)).await;
            let connections: Vec<_> = server.requests.try_iter().map(|seen| seen.0).collect();
            assert_eq!(connections, [0, 1]);
        }
    });
}

/// I4: the server has read the request, and may have processed it.
#[test]
fn a_post_that_was_sent_over_a_kept_connection_is_never_repeated() {
    on_both(|| async {
        let server = Kept::start(Closes::AfterRequest);
        let client = client::http();
        read_post(&mut server.source(&client, Method::POST)).await;
        let mut events = server.source(&client, Method::POST);
        let error = events.next().await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Lost(Disconnect::Transport(_))), "{error:?}");
        assert!(events.next().await.is_none());
        let connections: Vec<_> = server.requests.try_iter().map(|seen| seen.0).collect();
        assert_eq!(connections, [0, 0]);
    });
}

/// I4
#[test]
fn a_get_that_was_sent_over_a_kept_connection_is_repeated() {
    on_both(|| async {
        let server = Kept::start(Closes::AfterRequest);
        let client = client::http();
        let mut events = server.source(&client, Method::GET);
        let mut losses = Vec::new();
        for _ in 0..2 {
            loop {
                match events.next().await.unwrap().unwrap() {
                    Event::Message(_) => break,
                    Event::Reconnecting { reason, .. } => losses.push(reason),
                    _ => {}
                }
            }
        }
        let [Disconnect::Ended, Disconnect::Transport(_)] = losses[..] else {
            panic!("{losses:?}")
        };
        let connections: Vec<_> = server.requests.try_iter().map(|seen| seen.0).collect();
        assert_eq!(connections, [0, 0, 1]);
    });
}

/// I4: a server that refuses a stream says that it has not processed the request.
#[tokio::test]
async fn a_post_that_an_http_2_server_has_not_processed_is_sent_again() {
    let server = Http2::start().await;
    let client = server.client().build().unwrap();
    let post = || client.post(server.url()).body("prompt").into_event_source();
    server.refuse(2);
    let mut events = post();
    let mut exchange = server.open(&mut events).await;
    exchange.send("data: a\n\n").await;
    assert_eq!(data(&mut events).await, "a");
    assert_eq!(server.requests.load(SeqCst), 3);

    // reqwest repeats a request at most twice.
    server.refuse(3);
    let error = failed(&mut post()).await;
    assert!(matches!(error, Error::Lost(Disconnect::Transport(_))), "{error:?}");
    assert_eq!(server.requests.load(SeqCst), 6);

    // The stream repeats a GET.
    server.refuse(3);
    let request = client.get(server.url()).into_event_source_builder();
    let mut events = request.retry_policy(quick()).build();
    let lost = reconnecting(&mut events).await;
    assert!(matches!(lost.why, Disconnect::Transport(_)), "{lost:?}");
    opened(&mut events).await;
    assert_eq!(server.requests.load(SeqCst), 10);
}
