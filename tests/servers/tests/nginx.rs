//! Tests of a real nginx between the client and a server that replays: restarts, reloads, its
//! timeout, and its responses while the server is down. Each event must arrive once and in order.
//! These tests run in real time, because nginx does.

#[path = "../../support/client.rs"]
pub mod client;
#[path = "../../support/server.rs"]
pub mod server;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use client::*;
use everstream::{Disconnect, Event, EventSource, RequestBuilderExt};
use everstream_servers::choose_crypto;
use server::{ClosedPort, Gate, PATIENCE, Reply, Server};

const MILLISECOND: Duration = Duration::from_millis(1);

// ------------------------------------------------------------------------------------------- nginx

struct Nginx {
    directory: PathBuf,
    /// Reserves the port while nginx is down. nginx can listen on it, because this socket does not.
    port: ClosedPort,
    running: Option<Child>,
}

impl Nginx {
    /// Starts nginx before this server. It waits a minute for each byte, as it does by default.
    fn start(server: &Server) -> Nginx {
        Nginx::with_read_timeout(server, "60s")
    }

    fn with_read_timeout(server: &Server, timeout: &str) -> Nginx {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("everstream-{}-{}", std::process::id(), COUNT.fetch_add(1, SeqCst));
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory).unwrap();
        let port = ClosedPort::new();
        let here = directory.display();
        let config = format!(
            "daemon off;
            worker_processes 1;
            worker_shutdown_timeout 200ms;
            pid {here}/pid;
            error_log {here}/errors;
            events {{ worker_connections 64; }}
            http {{
                access_log off;
                client_body_temp_path {here}/body;
                proxy_temp_path {here}/proxy;
                fastcgi_temp_path {here}/fastcgi;
                uwsgi_temp_path {here}/uwsgi;
                scgi_temp_path {here}/scgi;
                server {{
                    listen {};
                    location / {{
                        proxy_pass {};
                        proxy_http_version 1.1;
                        proxy_set_header Connection '';
                        proxy_buffering off;
                        proxy_read_timeout {timeout};
                    }}
                }}
            }}",
            port.address(),
            server.origin()
        );
        fs::write(directory.join("config"), config).unwrap();
        let mut nginx = Nginx { directory, port, running: None };
        nginx.start_again();
        nginx
    }

    fn start_again(&mut self) {
        let child = self.command(&[]).stdin(Stdio::null()).spawn();
        self.running = Some(child.expect("nginx, which is to be installed: see ci/chaos"));
        let patience = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(self.port.address()).is_err() {
            assert!(Instant::now() < patience, "nginx does not listen: {}", self.errors());
            thread::sleep(MILLISECOND);
        }
    }

    /// Kills nginx with all of its connections.
    fn stop(&mut self) {
        if let Some(mut child) = self.running.take() {
            self.signal("stop");
            let _ = child.wait();
        }
    }

    /// `nginx -s`
    fn signal(&self, signal: &str) {
        let status = self.command(&["-s", signal]).status().expect("nginx");
        assert!(status.success() || thread::panicking(), "nginx -s {signal}: {}", self.errors());
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("nginx");
        let log = self.directory.join("errors");
        command.arg("-p").arg(&self.directory).arg("-c").arg(self.directory.join("config"));
        command.arg("-e").arg(log).args(arguments);
        command
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.directory.join("errors")).unwrap_or_default()
    }

    fn source(&self) -> EventSource {
        choose_crypto();
        let policy = steady(5 * MILLISECOND);
        get(self.port.url()).into_event_source_builder().retry_policy(policy).build()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

// ------------------------------------------------------------------------------------------ Server

/// Starts a server that sends an event each millisecond, after the last event ID.
fn ticking() -> Server {
    replaying(|from| {
        Reply::sse().send_each(move |i| {
            thread::sleep(MILLISECOND);
            Some(event(from + 1 + i))
        })
    })
}

/// Starts a server that calls `reply` with each last event ID.
fn replaying(reply: impl Fn(usize) -> Reply + Send + 'static) -> Server {
    Server::start(move |request| {
        reply(match request.header("last-event-id")[..] {
            [] => 0,
            [id] => std::str::from_utf8(id).unwrap().parse().unwrap(),
            _ => panic!("several ids"),
        })
    })
}

fn event(number: usize) -> Vec<u8> {
    format!("id: {number}\ndata: {number}\n\n").into()
}

/// Reads up to the event with this number, and asserts that each arrives once and in order. Returns
/// the reasons for lost connections.
async fn read(events: &mut EventSource, until: usize) -> Vec<Reconnecting> {
    let mut losses = Vec::new();
    let mut last = events.last_event_id().map_or(0, |id| id.parse::<usize>().unwrap());
    while last < until {
        match next(events).await {
            Some(Ok(Event::Message(message))) => {
                last += 1;
                assert_eq!(
                    (message.id(), message.data()),
                    (&*last.to_string(), &*last.to_string())
                );
            }
            Some(Ok(Event::Reconnecting { reason: cause, delay, attempt, .. })) => {
                losses.push(Reconnecting { cause: cause.to_string(), why: cause, delay, attempt });
            }
            Some(Ok(Event::Open(_))) => {}
            other => panic!("after {last} events: {other:?}"),
        }
    }
    losses
}

/// Polls the stream until its connection is lost.
async fn lose(events: &mut EventSource) {
    while !matches!(next(events).await, Some(Ok(Event::Reconnecting { .. }))) {}
}

// ------------------------------------------------------------------------------------------- Tests

/// D22
#[tokio::test]
async fn nothing_is_lost_when_nginx_restarts_in_mid_stream() {
    let server = ticking();
    let mut nginx = Nginx::start(&server);
    let mut events = nginx.source();
    for round in 1..=3 {
        assert_eq!(read(&mut events, 50 * (2 * round - 1)).await.len(), 0);
        nginx.stop();
        // The connection is lost, and then attempts are refused.
        let refused = loop {
            let Some(Ok(item)) = next(&mut events).await else { panic!("{events:?}") };
            if let Event::Reconnecting { reason: cause, attempt: 2.., .. } = item {
                break cause;
            }
        };
        let Disconnect::Transport(error) = &refused else { panic!("{refused}") };
        assert!(error.is_connect(), "{error:?}");
        nginx.start_again();
        read(&mut events, 50 * 2 * round).await;
    }
}

/// D4
#[tokio::test]
async fn nothing_is_lost_when_nginx_reloads_in_mid_stream() {
    let server = ticking();
    let nginx = Nginx::start(&server);
    let mut events = nginx.source();
    for _ in 0..3 {
        let before = server.requests().len();
        let read_until = events.last_event_id().map_or(0, |id| id.parse::<usize>().unwrap()) + 50;
        read(&mut events, read_until).await;
        nginx.signal("reload");
        // The old worker has 200 ms to finish.
        let mut until = read_until;
        while server.requests().len() == before.max(1) {
            until += 10;
            read(&mut events, until).await;
        }
        read(&mut events, until + 50).await;
    }
}

/// D4
#[tokio::test]
async fn nothing_is_lost_when_nginx_finds_a_server_too_slow() {
    let server = replaying(|from| {
        let events: Vec<u8> = (from + 1..=from + 20).flat_map(event).collect();
        Reply::events(events).send(format!("id: {}\ndata: half an ev", from + 21)).hold()
    });
    // A busy machine responds within this time.
    let nginx = Nginx::with_read_timeout(&server, "2s");
    let mut events = nginx.source();
    let losses = read(&mut events, 60).await;
    assert_eq!(losses.len(), 2, "{losses:?}");
    for loss in &losses {
        assert!(matches!(&loss.why, Disconnect::Transport(_)), "{loss:?}");
    }
    assert_eq!(server.requests().len(), 3);
}

/// B15
#[tokio::test]
async fn nothing_is_lost_while_nginx_says_502_for_a_server_that_is_down() {
    let gate = Gate::new();
    let down = gate.clone();
    let server = replaying(move |from| {
        let events: Vec<u8> = (from + 1..=from + 20).flat_map(event).collect();
        let reply = Reply::events(events);
        if from == 0 { reply.wait_for(&down).reset() } else { reply.hold() }
    });
    let nginx = Nginx::start(&server);
    let mut events = nginx.source();
    read(&mut events, 20).await;
    server.stop_listening();
    gate.open();
    lose(&mut events).await;
    for _ in 0..3 {
        let lost = reconnecting(&mut events).await;
        let Disconnect::Status(response) = &lost.why else { panic!("{lost:?}") };
        assert_eq!(response.status().as_u16(), 502);
    }
    server.listen_again();
    read(&mut events, 40).await;
}
