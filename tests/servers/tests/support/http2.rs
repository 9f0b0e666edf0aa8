//! A server of HTTP/2 over TLS: h2 on rustls. A test says what it answers, frame by frame.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file includes this and uses its own part of it"
)]

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use everstream::{EventSource, RequestBuilderExt};
use everstream_servers::choose_crypto;
use futures_util::future::poll_fn;
use h2::{Reason, SendStream};
use reqwest::{Certificate, Client, ClientBuilder};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;

use crate::client::{opened, quick, within};

pub struct Http2 {
    pub address: SocketAddr,
    /// The self-signed certificate.
    certificate: Vec<u8>,
    exchanges: Mutex<UnboundedReceiver<Exchange>>,
    pub connections: Arc<AtomicUsize>,
    pub requests: Arc<AtomicUsize>,
    /// The number of requests that are answered by REFUSED_STREAM.
    refusals: Arc<AtomicUsize>,
}

/// A request with an open event stream as its response.
pub struct Exchange {
    /// The index of its connection, from 0.
    pub connection: usize,
    pub last_event_id: Option<String>,
    body: SendStream<Bytes>,
    orders: UnboundedSender<Order>,
}

/// An order to a whole connection.
pub enum Order {
    /// GOAWAY: no further streams. Open streams continue.
    Leave,
    /// GOAWAY with a reason, and the end of the connection.
    Break(Reason),
    /// Silence: nothing is read or sent any more, but the kernel still acknowledges.
    Freeze,
}

impl Http2 {
    pub async fn start() -> Http2 {
        Http2::with_limit(1000).await
    }

    /// Starts a server that allows this number of streams on a connection.
    pub async fn with_limit(streams: u32) -> Http2 {
        choose_crypto();
        let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let certificate = signed.cert.der().clone();
        let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
        let mut tls = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        tls.alpn_protocols = vec![b"h2".into()];
        let tls = TlsAcceptor::from(Arc::new(tls));

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, exchanges) = unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let (requests, refusals) = (Arc::default(), Arc::default());
        let counts = (Arc::clone(&requests), Arc::clone(&refusals));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let connection = count.fetch_add(1, SeqCst);
                // A connection that fails only ends itself.
                tokio::spawn(serve(
                    tls.clone(),
                    socket,
                    streams,
                    connection,
                    counts.clone(),
                    sender.clone(),
                ));
            }
        });
        let exchanges = Mutex::new(exchanges);
        Http2 {
            address,
            certificate: certificate.to_vec(),
            exchanges,
            connections,
            requests,
            refusals,
        }
    }

    /// Returns a client that trusts this server.
    pub fn client(&self) -> ClientBuilder {
        let certificate = Certificate::from_der(&self.certificate).unwrap();
        Client::builder().no_proxy().tls_certs_only([certificate])
    }

    pub fn source(&self, client: ClientBuilder) -> EventSource {
        let request = client.build().unwrap().get(format!("https://{}/", self.address));
        request.into_event_source_builder().retry_policy(quick()).build()
    }

    /// Waits for the next request, which is answered already.
    pub async fn exchange(&self) -> Exchange {
        self.exchanges.lock().await.recv().await.unwrap()
    }

    /// Refuses the next requests without processing them.
    pub fn refuse(&self, requests: usize) {
        self.refusals.store(requests, SeqCst);
    }

    /// Returns the URL of its event stream.
    pub fn url(&self) -> String {
        format!("https://{}/", self.address)
    }

    /// Waits until a stream is open.
    pub async fn open(&self, events: &mut EventSource) -> Exchange {
        let (_, exchange) = tokio::join!(opened(events), within(self.exchange()));
        exchange
    }
}

async fn serve(
    tls: TlsAcceptor,
    socket: TcpStream,
    streams: u32,
    connection: usize,
    (requests, refusals): (Arc<AtomicUsize>, Arc<AtomicUsize>),
    exchanges: UnboundedSender<Exchange>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    socket.set_nodelay(true)?;
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(streams);
    let mut server = builder.handshake(tls.accept(socket).await?).await?;
    let (sender, mut orders) = unbounded_channel();
    loop {
        tokio::select! {
            request = server.accept() => {
                let Some(request) = request else { return Ok(()) };
                let (request, mut respond) = request?;
                requests.fetch_add(1, SeqCst);
                let is_refused = |left: usize| left.checked_sub(1);
                if refusals.fetch_update(SeqCst, SeqCst, is_refused).is_ok() {
                    respond.send_reset(Reason::REFUSED_STREAM);
                    continue;
                }
                let id = request.headers().get("last-event-id");
                let last_event_id = id.map(|id| id.to_str().unwrap().to_owned());
                let head = http::Response::builder().header("content-type", "text/event-stream");
                // A client may have cancelled the request meanwhile.
                let Ok(body) = respond.send_response(head.body(())?, false) else { continue };
                let orders = sender.clone();
                exchanges.send(Exchange { connection, last_event_id, body, orders })?;
            }
            Some(order) = orders.recv() => match order {
                Order::Leave => server.graceful_shutdown(),
                Order::Break(reason) => server.abrupt_shutdown(reason),
                Order::Freeze => pending().await,
            },
        }
    }
}

impl Exchange {
    /// Sends the text, as the client's windows allow.
    pub async fn send(&mut self, text: impl Into<String>) {
        let mut left = Bytes::from(text.into());
        while !left.is_empty() {
            self.body.reserve_capacity(left.len());
            let granted = poll_fn(|cx| self.body.poll_capacity(cx)).await;
            let granted = granted.expect("the stream is open").expect("and so is the window");
            self.body.send_data(left.split_to(granted.min(left.len())), false).unwrap();
        }
    }

    pub fn end(mut self) {
        self.body.send_data(Bytes::new(), true).unwrap();
    }

    /// RST_STREAM
    pub fn reset(mut self, reason: Reason) {
        self.body.send_reset(reason);
    }

    pub fn order(&self, order: Order) {
        assert!(self.orders.send(order).is_ok(), "the connection is gone");
    }

    /// Waits for the client's RST_STREAM.
    pub async fn cancelled(&mut self) -> Reason {
        within(poll_fn(|cx| self.body.poll_reset(cx))).await.expect("a reset")
    }
}
