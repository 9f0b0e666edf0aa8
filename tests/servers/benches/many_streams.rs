//! Measures what 100 event streams of one server cost over HTTP/2 and TLS, by the client that sends
//! them: connections, time until all are open, memory. It prints the table of docs/many-streams.md.
//!
//! The server is a process of its own, so only the client's memory is counted.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::net::Ipv4Addr;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use bytes::Bytes;
use everstream::{EventSource, EventSourceBuilder, RequestBuilderExt};
use everstream_servers::choose_crypto;
use futures_util::StreamExt;
use reqwest::{Certificate, Client, ClientBuilder};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

type Error = Box<dyn std::error::Error + Send + Sync>;

const STREAMS: usize = 100;
/// The streams that the server allows on a connection, as HAProxy does by default.
const LIMIT: u32 = 100;

#[tokio::main]
async fn main() -> Result<(), Error> {
    choose_crypto();
    match env::args().nth(1).as_deref() {
        Some("--server") => serve().await,
        Some("--roots") => measure_roots(),
        Some("--client") => measure(&env::args().nth(2).ok_or("which client?")?).await,
        _ => {
            println!("| client | connections | open after | memory per stream |");
            println!("|---|---|---|---|");
            // Each client has a process of its own, so its memory holds nothing of the others.
            for client in ["shared", "no pool", "http1", "own"] {
                let status =
                    Command::new(env::current_exe()?).args(["--client", client]).status()?;
                assert!(status.success(), "{status}");
            }
            let status = Command::new(env::current_exe()?).arg("--roots").status()?;
            assert!(status.success(), "{status}");
            Ok(())
        }
    }
}

// ------------------------------------------------------------------------------------------- Client

async fn measure(name: &str) -> Result<(), Error> {
    let mut server = Command::new(env::current_exe()?)
        .arg("--server")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = BufReader::new(server.stdout.take().ok_or("no output")?);
    let url = line(&mut said)?;
    let certificate: Vec<u8> =
        line(&mut said)?.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let certificate = Certificate::from_der(&certificate)?;
    let new_client = || Client::builder().no_proxy().tls_certs_only([certificate.clone()]);
    type Choose = fn(ClientBuilder) -> ClientBuilder;
    let (label, choose): (&str, Choose) = match name {
        "shared" => ("one client", |builder| builder),
        "no pool" => {
            ("one client, `pool_max_idle_per_host(0)`", |builder| builder.pool_max_idle_per_host(0))
        }
        "http1" => ("one client, `http1_only()`", ClientBuilder::http1_only),
        "own" => ("a client for each stream", |builder| builder),
        other => return Err(format!("no client {other}").into()),
    };
    let client = || choose(new_client()).build();
    let shared = client()?;
    // The memory that the first connection allocates is not counted.
    drop(open(shared.get(&url).into_event_source_builder()).await?);

    let (before, begin) = (resident()?, Instant::now());
    let sources = (0..STREAMS).map(|_| async {
        let client = if name == "own" { client()? } else { shared.clone() };
        open(client.get(&url).into_event_source_builder()).await
    });
    let sources = futures_util::future::try_join_all(sources).await?;
    let (took, grown) = (begin.elapsed(), resident()?.saturating_sub(before));
    drop(server.stdin.take());
    // The first connection is not one of the sources'.
    let connections = line(&mut said)?.parse::<usize>()?;
    println!(
        "| {label} | {} | {} ms | {} KiB |",
        if name == "shared" { connections } else { connections - 1 },
        took.as_millis(),
        grown / STREAMS
    );
    drop(sources);
    server.kill()?;
    server.wait()?;
    Ok(())
}

/// Measures clients without a stream that trust the certificates of the system. The others trust one
/// certificate.
fn measure_roots() -> Result<(), Error> {
    let client = || Client::builder().no_proxy().build();
    let _first = client()?;
    let (before, begin) = (resident()?, Instant::now());
    let clients = (0..STREAMS).map(|_| client()).collect::<Result<Vec<_>, _>>()?;
    let (took, grown) = (begin.elapsed(), resident()?.saturating_sub(before));
    println!(
        "| 100 clients that trust the system's certificates, no stream | 0 | {} ms | {} KiB |",
        took.as_millis(),
        grown / clients.len()
    );
    Ok(())
}

async fn open(builder: EventSourceBuilder) -> Result<EventSource, Error> {
    let mut events = builder.open_timeout(Duration::from_secs(30)).build();
    let first = events.next().await.ok_or("no item")??;
    assert!(matches!(first, everstream::Event::Open(_)), "{first:?}");
    let second = events.next().await.ok_or("no item")??;
    assert!(matches!(second, everstream::Event::Message(_)), "{second:?}");
    Ok(events)
}

fn line(said: &mut BufReader<ChildStdout>) -> Result<String, Error> {
    let mut line = String::new();
    said.read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// Returns the memory of this process, in KiB.
fn resident() -> Result<usize, Error> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

// ------------------------------------------------------------------------------------------- Server

/// Answers each request with one event and an open stream. Prints its URL and its certificate, and
/// the number of its connections once its input ends.
async fn serve() -> Result<(), Error> {
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let certificate = signed.cert.der().clone();
    let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der())?;
    let mut tls = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)?;
    tls.alpn_protocols = vec![b"h2".into(), b"http/1.1".into()];
    let tls = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("https://{}/", listener.local_addr()?);
    println!("{}", certificate.iter().map(u8::to_string).collect::<Vec<_>>().join(" "));

    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            count.fetch_add(1, SeqCst);
            tokio::spawn(answer(tls.clone(), socket));
        }
    });
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    println!("{}", connections.load(SeqCst));
    std::future::pending().await
}

async fn answer(tls: TlsAcceptor, socket: TcpStream) -> Result<(), Error> {
    socket.set_nodelay(true)?;
    let mut stream = tls.accept(socket).await?;
    let event = "data: a\n\n";
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        // The client waits for the answer, so the request is not followed by another.
        let _ = stream.read(&mut [0; 4096]).await?;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
        stream.write_all(format!("{head}{event}").as_bytes()).await?;
        stream.flush().await?;
        return std::future::pending().await;
    }
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(LIMIT);
    let mut server = builder.handshake(stream).await?;
    let mut bodies = Vec::new();
    while let Some(request) = server.accept().await {
        let head = http::Response::builder().header("content-type", "text/event-stream");
        let mut body = request?.1.send_response(head.body(())?, false)?;
        body.send_data(Bytes::from(event), false)?;
        bodies.push(body);
    }
    Ok(())
}
