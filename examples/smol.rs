//! Tails an event stream on smol, without a tokio runtime. With the feature `smol` this works under
//! any executor.
//!
//! ```sh
//! cargo run --example smol --features smol                      # a demo with its own server
//! cargo run --example smol --features smol -- http://localhost:8080/events
//! ```
//!
//! The server of the demo breaks its first connection in the middle of an event. The client resumes
//! after its last event ID, and the demo checks that no event is lost.

use everstream::{Event, EventSource, RequestBuilderExt};
use smol::Timer;
use smol::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use smol::net::{TcpListener, TcpStream};
use smol::stream::StreamExt;
use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let done = smol::block_on(async {
        match std::env::args().nth(1) {
            Some(url) => tail(reqwest::Client::new().get(url).into_event_source()).await.map(drop),
            None => smol::future::or(demo(), give_up()).await,
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the items until the stream ends, and returns the data of its events.
async fn tail(mut events: EventSource) -> Result<Vec<String>, Box<dyn Error>> {
    let mut received = Vec::new();
    while let Some(event) = events.try_next().await? {
        match event {
            Event::Open(opened) => match opened.last_event_id() {
                Some(id) => println!("-- connected, resuming after {id:?}"),
                None => println!("-- connected"),
            },
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

// ------------------------------------------------------------------------------------------ The demo

const SCRIPT: [&str; 6] = ["one", "two", "three", "four", "five", "six"];
/// The index of the event in which the first connection breaks.
const BREAKS_IN: usize = 3;
const PACE: Duration = Duration::from_millis(50);

async fn demo() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/events", listener.local_addr()?);
    let server = smol::spawn(serve(listener));

    // The server is on this machine, so no proxy is used.
    let client = reqwest::Client::builder().no_proxy().build()?;
    let received = tail(client.get(url).into_event_source()).await?;

    let asked_after = server.await?;
    if received != SCRIPT || asked_after != ["", "3", "6"] {
        return Err(format!("got {received:?}, after {asked_after:?}").into());
    }
    println!("{} events, 2 connections, nothing lost, on smol", received.len());
    Ok(())
}

async fn give_up() -> Result<(), Box<dyn Error>> {
    Timer::after(Duration::from_secs(60)).await;
    Err("the demo took too long".into())
}

/// Serves three requests: it breaks the first response, completes the second, and ends the stream
/// with the third. Returns the last event ID of each request.
async fn serve(listener: TcpListener) -> io::Result<Vec<String>> {
    let mut asked_after = Vec::new();
    for number in 0..3 {
        let (mut socket, _) = listener.accept().await?;
        let id = last_event_id(&mut socket).await?;
        let sent = id.parse().unwrap_or(0);
        asked_after.push(id);
        match number {
            0 => {
                send(&mut socket, &SCRIPT[sent..BREAKS_IN], sent).await?;
                socket.write_all(b"5\r\ndata:").await?; // the start of an event
            }
            1 => {
                send(&mut socket, &SCRIPT[sent..], sent).await?;
                socket.write_all(b"0\r\n\r\n").await?;
            }
            _ => socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?,
        }
    }
    Ok(asked_after)
}

/// Returns the value of the `Last-Event-ID` header; empty if there is none.
async fn last_event_id(socket: &mut TcpStream) -> io::Result<String> {
    let mut id = String::new();
    let mut lines = BufReader::new(socket).lines();
    while let Some(line) = lines.next().await.transpose()?.filter(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(':') {
            if name.eq_ignore_ascii_case("last-event-id") {
                id = value.trim().to_owned();
            }
        }
    }
    Ok(id)
}

/// Sends the head of a response, and these events. `sent` is the number of events before them.
async fn send(socket: &mut TcpStream, events: &[&str], sent: usize) -> io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
        Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    socket.write_all(head.as_bytes()).await?;
    for (index, data) in events.iter().enumerate() {
        let event = format!("retry: 200\nid: {}\ndata: {data}\n\n", sent + index + 1);
        socket.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await?;
        Timer::after(PACE).await;
    }
    Ok(())
}
