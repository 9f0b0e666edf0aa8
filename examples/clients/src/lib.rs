//! The parts that the programs share: a server that breaks its first connection, and a loop that
//! prints the events and checks that none is lost.

use everstream::{Error, Event, EventSource};
use futures_util::TryStreamExt;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const SCRIPT: [&str; 6] = ["one", "two", "three", "four", "five", "six"];
/// The index of the event in which the first stream breaks.
const BREAKS_IN: usize = 3;
const PACE: Duration = Duration::from_millis(50);

/// A reply of the [`Server`] to one request.
#[derive(Debug, Clone, Copy)]
pub enum Reply {
    /// 503.
    Unavailable,
    /// The first three events, and a connection that is cut in the fourth.
    Cut,
    /// The events after the last event ID.
    Rest,
    /// 204: there are no more events.
    NoContent,
}

/// The headers of a request, with names in lower case.
pub type Headers = HashMap<String, String>;

/// A server on a free port of the loopback, on a thread of its own.
#[derive(Debug)]
pub struct Server {
    /// The URL of the event stream.
    pub url: String,
    thread: JoinHandle<io::Result<Vec<Headers>>>,
}

impl Server {
    /// Starts a server that answers one request with each reply.
    pub fn start(replies: &'static [Reply]) -> io::Result<Server> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/events", listener.local_addr()?);
        let thread = thread::spawn(move || {
            replies.iter().map(|reply| answer(listener.accept()?.0, *reply)).collect()
        });
        Ok(Server { url, thread })
    }

    /// Returns the headers of the requests, once all are answered.
    pub fn requests(self) -> io::Result<Vec<Headers>> {
        self.thread.join().map_err(|_| io::Error::other("the server panicked"))?
    }
}

fn answer(mut socket: TcpStream, reply: Reply) -> io::Result<Headers> {
    let headers = read_headers(&socket)?;
    let asked_after = headers.get("last-event-id").and_then(|id| id.parse().ok()).unwrap_or(0);
    match reply {
        Reply::Unavailable => write_head(&mut socket, "503 Service Unavailable")?,
        Reply::NoContent => write_head(&mut socket, "204 No Content")?,
        Reply::Cut => {
            write_events(&mut socket, asked_after..BREAKS_IN)?;
            socket.write_all(b"5\r\ndata:")?;
        }
        Reply::Rest => {
            write_events(&mut socket, asked_after..SCRIPT.len())?;
            socket.write_all(b"0\r\n\r\n")?;
        }
    }
    Ok(headers)
}

fn read_headers(socket: &TcpStream) -> io::Result<Headers> {
    let mut headers = Headers::new();
    for line in BufReader::new(socket).lines() {
        let line = line?;
        match line.split_once(':') {
            _ if line.is_empty() => break,
            Some((name, value)) => headers.insert(name.to_lowercase(), value.trim().to_owned()),
            None => None,
        };
    }
    Ok(headers)
}

fn write_head(socket: &mut TcpStream, status: &str) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    socket.write_all(head.as_bytes())
}

fn write_events(socket: &mut TcpStream, indices: std::ops::Range<usize>) -> io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
        Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    socket.write_all(head.as_bytes())?;
    for index in indices {
        let event = format!("retry: 200\nid: {}\ndata: {}\n\n", index + 1, SCRIPT[index]);
        socket.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())?;
        thread::sleep(PACE);
    }
    Ok(())
}

/// Prints the items until the stream ends, and returns the number of events if none was lost.
pub async fn follow(mut events: EventSource) -> Result<usize, Error> {
    let mut received = Vec::new();
    while let Some(event) = events.try_next().await? {
        match event {
            Event::Open(opened) => match opened.last_event_id() {
                Some(id) => println!("-- {}, resumed after {id:?}", opened.status()),
                None => println!("-- {}", opened.status()),
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
    assert_eq!(received, SCRIPT, "an event was lost or repeated");
    Ok(received.len())
}
