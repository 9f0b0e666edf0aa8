//! The server: a separate process that sends the response of a path with little CPU time.

use super::process::allow_connections;
use super::task::{self, Task};
use super::{Failure, idle};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::{process, thread};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\
    content-type: text/event-stream\r\n\
    cache-control: no-cache\r\n\
    transfer-encoding: chunked\r\n\
    connection: close\r\n\r\n";

const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Prints its address, and serves until its standard input ends.
pub(super) fn serve() -> Result<(), Failure> {
    // If the limit is too low, the worker reports an error.
    let _ = allow_connections(idle::CONNECTIONS);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?);
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    });
    let mut idle = Vec::new();
    loop {
        let (mut connection, _) = listener.accept()?;
        connection.set_nodelay(true)?;
        let path = path(&connection)?;
        if path == task::IDLE {
            connection.write_all(HEAD)?;
            connection.write_all(&task::chunk(b"data: hello\n\n"))?;
            idle.push(connection);
        } else if let Some(task) = Task::parse(&path) {
            // A client closes the connection when it has enough. That is no failure.
            thread::spawn(move || send(connection, &task));
        }
    }
}

fn send(mut connection: TcpStream, task: &Task) -> io::Result<()> {
    let (writes, passes) = task.writes();
    connection.write_all(HEAD)?;
    for _ in 0..passes {
        for write in &writes {
            connection.write_all(write)?;
        }
    }
    connection.write_all(LAST_CHUNK)
}

/// Reads a request and returns its path.
fn path(connection: &TcpStream) -> io::Result<String> {
    let mut lines = BufReader::new(connection).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    Ok(first.split(' ').nth(1).unwrap_or_default().to_owned())
}
