//! A server that breaks its first connection, a client, and a check that no event is lost. The
//! server is a thread with blocking sockets.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

const SCRIPT: [&str; 6] = ["one", "two", "three", "four", "five", "six"];
/// The index of the event in which the first connection breaks.
const BREAKS_IN: usize = 3;
const PACE: Duration = Duration::from_millis(50);

pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/events", listener.local_addr()?);
    let server = thread::spawn(move || serve(&listener));

    let received = smol::future::or(crate::tail(url.parse()?), async {
        smol::Timer::after(Duration::from_secs(60)).await;
        Err("the demo took too long".into())
    });
    let received = received.await?;

    let asked_after = server.join().map_err(|_| "the server panicked")??;
    if received != SCRIPT || asked_after != ["", "3", "6"] {
        return Err(format!("got {received:?}, after {asked_after:?}").into());
    }
    println!("{} events, 2 connections, nothing lost, over hyper on smol", received.len());
    Ok(())
}

/// Serves three requests: it breaks the first response, completes the second, and ends the stream
/// with the third. Returns the last event ID of each request.
fn serve(listener: &TcpListener) -> io::Result<Vec<String>> {
    let mut asked_after = Vec::new();
    for number in 0..3 {
        let (mut socket, _) = listener.accept()?;
        let id = last_event_id(&socket)?;
        let sent = id.parse().unwrap_or(0);
        asked_after.push(id);
        match number {
            0 => {
                send(&mut socket, &SCRIPT[sent..BREAKS_IN], sent)?;
                socket.write_all(b"5\r\ndata:")?; // the start of an event
            }
            1 => {
                send(&mut socket, &SCRIPT[sent..], sent)?;
                socket.write_all(b"0\r\n\r\n")?;
            }
            _ => socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?,
        }
    }
    Ok(asked_after)
}

/// Returns the value of the `Last-Event-ID` header; empty if there is none.
fn last_event_id(socket: &TcpStream) -> io::Result<String> {
    let mut id = String::new();
    for line in BufReader::new(socket).lines() {
        let line = line?;
        match line.split_once(':') {
            _ if line.is_empty() => break,
            Some((name, value)) if name.eq_ignore_ascii_case("last-event-id") => {
                id = value.trim().to_owned();
            }
            _ => {}
        }
    }
    Ok(id)
}

/// Sends the head of a response, and these events. `sent` is the number of events before them.
fn send(socket: &mut TcpStream, events: &[&str], sent: usize) -> io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
        Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    socket.write_all(head.as_bytes())?;
    for (index, data) in events.iter().enumerate() {
        let event = format!("retry: 200\nid: {}\ndata: {data}\n\n", sent + index + 1);
        socket.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())?;
        thread::sleep(PACE);
    }
    Ok(())
}
