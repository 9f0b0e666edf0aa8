//! The server: a separate process, which the fleet starts, kills and restarts.
//!
//! The clock alone decides what it sends: event `n` is due `n` times `PACE` after the start. So a
//! restarted server needs no state, and resumes for each client after its last event ID.

use crate::Failure;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::sleep;

/// The option that makes this program the server. Its value is a plan.
pub(crate) const SERVE: &str = "serve";

/// The number of events.
pub(crate) const EVENTS: u64 = 50;

/// The time between two events.
const PACE: Duration = Duration::from_millis(400);

/// The reconnection time that the server sends.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// The maximum number of clients per server address. One address has about 28,000 client ports.
const CLIENTS_PER_ADDRESS: usize = 10_000;

/// The maximum number of connections that wait to be accepted. Linux allows 4096 by default.
const BACKLOG: u32 = 4096;

/// The maximum number of files that a process has open besides its connections.
const OTHER_FILES: u64 = 100;

/// The configuration of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The number of clients. It sets the number of addresses to listen on: 127.0.0.1, 127.0.0.2
    /// and so on.
    pub(crate) clients: usize,
    /// The port; 0 selects a free one.
    pub(crate) port: u16,
    /// The time of event 0, in milliseconds since 1970.
    pub(crate) start: u64,
}

impl Plan {
    pub(crate) fn from_now(clients: usize) -> Result<Plan, Failure> {
        let start = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
        Ok(Plan { clients, port: 0, start })
    }

    pub(crate) fn parse(text: &str) -> Option<Plan> {
        let mut parts = text.split(',');
        let plan = Plan {
            clients: parts.next()?.parse().ok()?,
            port: parts.next()?.parse().ok()?,
            start: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(plan)
    }

    fn text(&self) -> String {
        format!("{},{},{}", self.clients, self.port, self.start)
    }

    fn addresses(&self) -> usize {
        self.clients.div_ceil(CLIENTS_PER_ADDRESS)
    }

    /// Returns the URL for the client with this index.
    pub(crate) fn url(&self, client: usize) -> String {
        format!("http://{}:{}/", address(client % self.addresses()), self.port)
    }

    /// Returns the time until event `n`; zero if it is past.
    fn until(&self, n: u64) -> Duration {
        let due = UNIX_EPOCH + Duration::from_millis(self.start) + PACE * n as u32;
        due.duration_since(SystemTime::now()).unwrap_or_default()
    }
}

fn address(index: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + index as u32)
}

/// Returns the number of connections that this process may open, at most `wanted`.
pub(crate) fn allowed_connections(wanted: usize) -> io::Result<usize> {
    let limit = rlimit::increase_nofile_limit(wanted as u64 + OTHER_FILES)?;
    Ok(wanted.min(limit.saturating_sub(OTHER_FILES) as usize))
}

/// Returns the data of event `n`.
pub(crate) fn data(n: u64) -> String {
    format!("this is event number {n}")
}

// ------------------------------------------------------------------------------- Its owner's side

/// A running server. Dropping it kills the process.
pub(crate) struct Server {
    process: Child,
}

impl Server {
    /// Starts a server, and sets the port in `plan`.
    pub(crate) async fn start(plan: &mut Plan) -> Result<Server, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([format!("--{SERVE}"), plan.text()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let said = process.stdout.take().ok_or("the server has no standard output")?;
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line).await?;
        plan.port = line.trim().parse().map_err(|_| "the server did not start")?;
        Ok(Server { process })
    }

    pub(crate) fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Kills the process at once.
    pub(crate) async fn kill(mut self) -> io::Result<()> {
        self.process.kill().await
    }
}

// ----------------------------------------------------------------------------------- The server's

/// Serves until it is killed or its owner ends.
pub(crate) async fn run(plan: &Plan) -> Result<(), Failure> {
    let allowed = allowed_connections(plan.clients)?;
    if allowed < plan.clients {
        return Err(format!("the server may have but {allowed} connections").into());
    }
    let mut port = plan.port;
    for index in 0..plan.addresses() {
        let listener = listen((address(index), port).into())?;
        port = listener.local_addr()?.port();
        tokio::spawn(accept(listener, plan.clone()));
    }
    println!("{port}");
    // Standard input carries no data. It ends with the owner's process.
    tokio::task::spawn_blocking(|| io::stdin().read_line(&mut String::new())).await??;
    Ok(())
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?; // the killed server's connections still hold it
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener, plan: Plan) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                let plan = plan.clone();
                // A client that disconnects is not an error.
                tokio::spawn(async move { serve(socket, &plan).await.ok() });
            }
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve(mut socket: TcpStream, plan: &Plan) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let seen = last_event_id(&mut socket).await?;
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        chunk(&format!("retry: {}\n\n", RETRY.as_millis()))
    );
    socket.write_all(head.as_bytes()).await?;
    for n in seen + 1..=EVENTS {
        sleep(plan.until(n)).await;
        let event = format!("id: {n}\ndata: {}\n\n", data(n));
        socket.write_all(chunk(&event).as_bytes()).await?;
    }
    socket.read_u8().await.map(drop) // until the client goes away
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// Returns the value of the `Last-Event-ID` header; 0 if there is none.
async fn last_event_id(socket: &mut TcpStream) -> io::Result<u64> {
    let mut id = 0;
    let mut lines = BufReader::with_capacity(512, socket).lines();
    while let Some(line) = lines.next_line().await?.filter(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(':') {
            if name.eq_ignore_ascii_case("last-event-id") {
                id = value.trim().parse().map_err(io::Error::other)?;
            }
        }
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_survives_the_way_through_a_command_line() {
        let plan = Plan { clients: 20_001, port: 80, start: 1_700_000_000_000 };
        assert_eq!(Plan::parse(&plan.text()), Some(plan));
        for wrong in ["", "1,2", "1,2,3,4", "1,70000,3"] {
            assert_eq!(Plan::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn each_ten_thousand_clients_have_an_address() {
        let plan = Plan { clients: 20_001, port: 80, start: 0 };
        let urls = [0, 1, 2, 3].map(|client| plan.url(client));
        assert_eq!(urls[0], "http://127.0.0.1:80/");
        assert_eq!(urls[2], "http://127.0.0.3:80/");
        assert_eq!(urls[3], urls[0]);
    }
}
