//! Reads events over HTTP in a plain `for` loop, without `async` and without a runtime. It only
//! needs the feature `smol`.
//!
//! ```sh
//! cargo run --example blocking --features smol      # a demo with its own server
//! cargo run --example blocking --features smol -- http://localhost:8080/events
//! ```
//!
//! The server of the demo breaks its first connection in the middle of an event. The client resumes
//! after its last event ID, and the demo checks that no event is lost.

use everstream::{Error, Event, EventSource, RequestBuilderExt};
use smol::stream::block_on;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Prints the items until the stream ends, and returns the data of its events.
fn follow(events: EventSource) -> Result<Vec<String>, Error> {
    let mut received = Vec::new();
    for event in block_on(events) {
        match event? {
            Event::Open(_) => println!("-- open"),
            Event::Message(message) => {
                println!("{:>2} {}", message.id(), message.data());
                received.push(message.into_data());
            }
            Event::Reconnecting { reason, delay, .. } => {
                println!("-- {reason}; again in {delay:?}")
            }
            _ => {}
        }
    }
    Ok(received)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(url) = std::env::args().nth(1) {
        follow(reqwest::Client::new().get(url).into_event_source())?;
        return Ok(());
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/events", listener.local_addr()?);
    let server = thread::spawn(move || serve(&listener));

    // The server is on this machine, so no proxy is used.
    let client = reqwest::Client::builder().no_proxy().build()?;
    let received = follow(client.get(url).into_event_source())?;
    let asked_after = server.join().map_err(|_| "the server panicked")??;
    assert_eq!((received.join(" "), asked_after.join(" ")), (SCRIPT.join(" "), " 3 6".to_owned()));
    println!("{} events, 2 connections, nothing lost, in a for loop", received.len());
    Ok(())
}

// ------------------------------------------------------------------------------ The server of the demo

const SCRIPT: [&str; 6] = ["one", "two", "three", "four", "five", "six"];

/// Breaks the first response in its fourth event, completes the second, and ends the stream with the
/// third. Returns the last event ID of each request.
fn serve(listener: &TcpListener) -> io::Result<Vec<String>> {
    let mut asked_after = Vec::new();
    for end in [Some("5\r\ndata:"), Some("0\r\n\r\n"), None] {
        let mut socket = listener.accept()?.0;
        let id = last_event_id(&socket)?;
        let first = id.parse().unwrap_or(0);
        let count = if asked_after.is_empty() { 3 } else { SCRIPT.len() };
        asked_after.push(id);
        let Some(end) = end else {
            socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
            continue;
        };
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")?;
        socket.write_all(b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n")?;
        for (index, data) in SCRIPT.iter().enumerate().take(count).skip(first) {
            let event = format!("retry: 200\nid: {}\ndata: {data}\n\n", index + 1);
            socket.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())?;
        }
        socket.write_all(end.as_bytes())?;
    }
    Ok(asked_after)
}

/// Returns the value of the `Last-Event-ID` header; empty if there is none.
fn last_event_id(socket: &TcpStream) -> io::Result<String> {
    let lines = BufReader::new(socket).lines().map_while(Result::ok);
    let headers = lines.take_while(|line| !line.is_empty());
    let mut values = headers.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("last-event-id").then(|| value.trim().to_owned())
    });
    let id = values.next();
    values.for_each(drop); // reads the rest of the head
    Ok(id.unwrap_or_default())
}
