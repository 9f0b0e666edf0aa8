//! The texts of errors of TLS and of content codings: rows H of the HTTP cases.

#[path = "../../support/client.rs"]
pub mod client;
#[path = "../../support/server.rs"]
pub mod server;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use client::*;
use everstream::{Error, EventSource, Reconnection, RequestBuilderExt};
use everstream_servers::choose_crypto;
use reqwest::{Certificate, Client, RequestBuilder};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use server::{Reply, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A server over TLS that answers each request with these bytes and closes the socket without
/// TLS's own goodbye.
struct Tls {
    address: SocketAddr,
    certificate: Certificate,
}

impl Tls {
    async fn start(answer: &'static [u8]) -> Tls {
        choose_crypto();
        let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let der = signed.cert.der().clone();
        let certificate = Certificate::from_der(&der).unwrap();
        let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
        let builder = ServerConfig::builder().with_no_client_auth();
        let tls = TlsAcceptor::from(Arc::new(builder.with_single_cert(vec![der], key).unwrap()));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let tls = tls.clone();
                tokio::spawn(async move {
                    let mut stream = tls.accept(socket).await.ok()?;
                    let _ = stream.read(&mut [0; 4096]).await.ok()?;
                    stream.write_all(answer).await.ok()?;
                    stream.flush().await.ok()
                });
            }
        });
        Tls { address, certificate }
    }

    fn client(&self) -> Client {
        let builder = Client::builder().no_proxy();
        builder.tls_certs_only([self.certificate.clone()]).build().unwrap()
    }
}

fn source(request: RequestBuilder) -> EventSource {
    request.into_event_source_builder().reconnect(Reconnection::Never).build()
}

/// Returns the error that ends the stream.
async fn error(mut events: EventSource) -> Error {
    loop {
        match next(&mut events).await {
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                assert_one_line(error.to_string());
                return error;
            }
            None => panic!("there is no error"),
        }
    }
}

/// H10
#[tokio::test]
async fn an_https_url_on_an_http_port_says_so() {
    let tls = Tls::start(b"").await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = socket.read(&mut [0; 4096]).await.unwrap();
            socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        }
    });
    let error = error(source(tls.client().get(format!("https://{address}/")))).await;
    assert_eq!(
        error.to_string(),
        format!(
            "could not connect to {address}: the TLS handshake failed, so the server is not \
             trusted or the port expects http: received corrupt message of type InvalidContentType"
        )
    );
    assert!(matches!(error, Error::Request(_)), "no retry can fix it: {error:?}");
}

/// H10
#[tokio::test]
async fn an_http_url_on_an_https_port_says_so() {
    let tls = Tls::start(b"").await;
    let error = error(source(tls.client().get(format!("http://{}/", tls.address)))).await;
    assert_eq!(
        error.to_string(),
        format!(
            "the request to {} failed: the response is not valid HTTP/1.1 (invalid HTTP version \
             parsed), the port may expect https or HTTP/2",
            tls.address
        )
    );
}

/// H10
#[tokio::test]
async fn tls_that_is_closed_abruptly_says_so_without_a_page_of_advice() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: a\n\n";
    let tls = Tls::start(head).await;
    let in_body = error(source(tls.client().get(format!("https://{}/", tls.address)))).await;
    let text = "the connection broke: the server closed the connection abruptly";
    assert_eq!(in_body.to_string(), text);

    let tls = Tls::start(b"").await;
    let in_head = error(source(tls.client().get(format!("https://{}/", tls.address)))).await;
    let text = "the server closed the connection abruptly";
    assert_eq!(in_head.to_string(), format!("the request to {} failed: {text}", tls.address));
}

/// H7, H10
#[tokio::test]
async fn a_certificate_that_is_not_trusted_says_so() {
    let (tls, other) = (Tls::start(b"").await, Tls::start(b"").await);
    let error = error(source(other.client().get(format!("https://{}/", tls.address)))).await;
    assert!(matches!(error, Error::Request(_)), "no retry can fix it: {error:?}");
    let expected = format!(
        "could not connect to {}: the TLS handshake failed, so the server is not trusted or the \
         port expects http: invalid peer certificate: ",
        tls.address
    );
    assert!(error.to_string().starts_with(&expected), "{error}");
}

/// H10: the error of the proxy has the shape of one of a reqwest without TLS.
#[tokio::test]
async fn a_proxy_that_opens_no_tunnel_says_so_and_is_tried_again() {
    choose_crypto();
    for (status, words) in [
        ("407 Proxy Authentication Required", "proxy authorization required"),
        ("502 Bad Gateway", "unsuccessful"),
    ] {
        let reply = || Reply::raw(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"));
        let server = Server::scripted([reply(), reply()]);
        let proxy = reqwest::Proxy::all(server.origin()).unwrap();
        let client = Client::builder().proxy(proxy).build().unwrap();
        let request = client.get("https://example.com/events");
        let builder = request.into_event_source_builder();
        let mut events = builder.retry_policy(quick().with_max_retries(1)).build();
        let expected = format!("could not connect to example.com:443: tunnel error: {words}");
        assert_eq!(reconnecting(&mut events).await.cause, expected);
        let text = format!("gave up after 1 reconnection: {expected}");
        assert_eq!(error(events).await.to_string(), text);
    }
}

/// H10
#[tokio::test]
async fn a_body_that_is_labelled_gzip_but_plain_says_so() {
    choose_crypto();
    let reply = || Reply::events("data: a\n\n").header("content-encoding", "gzip");
    let server = Server::scripted([reply(), reply()]);
    let error = error(source(get(server.url()))).await;
    assert_eq!(
        error.to_string(),
        "the body could not be decoded: it is not in the coding that its content-encoding names"
    );
}
