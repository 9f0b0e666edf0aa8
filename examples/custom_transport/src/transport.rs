//! Connections over HTTP/1.1, by hyper on smol's sockets.

use bytes::Bytes;
use everstream::reconnect::{Attempt, Connect, ConnectError, Connection};
use futures_lite::Stream;
use http_body_util::{BodyDataStream, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, RETRY_AFTER,
};
use hyper::{Request, StatusCode, Uri};
use smol::Task;
use smol::net::TcpStream;
use smol_hyper::rt::FuturesIo;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// A connector for one URL.
pub(crate) struct Hyper {
    url: Uri,
    authority: String,
}

impl Hyper {
    pub(crate) fn new(url: Uri) -> Result<Self, Refused> {
        match (url.scheme_str(), url.authority()) {
            (Some("http"), Some(authority)) => {
                let authority = authority.to_string();
                Ok(Hyper { url, authority })
            }
            _ => Err(Refused::Url(url)),
        }
    }
}

/// The head of a response.
pub(crate) struct Head {
    pub(crate) status: StatusCode,
}

/// The reason for a lost connection. Another attempt follows.
#[derive(Debug)]
pub(crate) enum Lost {
    Socket(io::Error),
    Http(hyper::Error),
    Status(StatusCode),
}

/// The error that ends the stream.
#[derive(Debug)]
pub(crate) enum Refused {
    Url(Uri),
    Status(StatusCode),
    ContentType(Option<HeaderValue>),
}

impl Connect for Hyper {
    type Head = Head;
    type Chunk = Bytes;
    type Body = Body;
    type Error = Lost;
    type Fatal = Refused;
    type Connecting = Pin<Box<dyn Future<Output = Outcome> + Send>>;

    fn connect(&mut self, attempt: Attempt<Lost>) -> Self::Connecting {
        let mut request = Request::new(Empty::new());
        let path = self.url.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Ok(host) = HeaderValue::from_str(&self.authority) {
            headers.insert(HOST, host);
        }
        // No header can hold an ID with control bytes, so it is left out.
        let id = attempt.last_event_id.and_then(|id| HeaderValue::from_bytes(id.as_bytes()).ok());
        if let Some(id) = id {
            headers.insert("last-event-id", id);
        }
        let host = self.url.host().unwrap_or_default().to_owned();
        let port = self.url.port_u16().unwrap_or(80);
        Box::pin(open(host, port, request))
    }
}

type Outcome = Result<Connection<Head, Body>, ConnectError<Lost, Refused>>;

async fn open(host: String, port: u16, request: Request<Empty<Bytes>>) -> Outcome {
    let host = host.trim_start_matches('[').trim_end_matches(']'); // an IPv6 address
    let socket =
        TcpStream::connect((host, port)).await.map_err(|error| again(Lost::Socket(error)))?;
    let (mut sender, connection) =
        http1::handshake(FuturesIo::new(socket)).await.map_err(|error| again(Lost::Http(error)))?;
    // A task drives the connection. Dropping the task closes the socket.
    let driver = smol::spawn(connection);
    let response = sender.send_request(request).await.map_err(|error| again(Lost::Http(error)))?;
    let status = response.status();
    match status.as_u16() {
        200 if is_event_stream(response.headers()) => {
            let chunks = BodyDataStream::new(response.into_body());
            Ok(Connection { head: Head { status }, body: Body { chunks, _driver: driver } })
        }
        200 => {
            let found = response.headers().get(CONTENT_TYPE).cloned();
            Err(ConnectError::Fatal(Refused::ContentType(found)))
        }
        204 => Err(ConnectError::Finished),
        408 | 425 | 429 | 500..=599 => {
            let delay = retry_after(response.headers());
            Err(ConnectError::retry_after(Lost::Status(status), delay))
        }
        _ => Err(ConnectError::Fatal(Refused::Status(status))),
    }
}

fn again(error: Lost) -> ConnectError<Lost, Refused> {
    ConnectError::retry(error)
}

/// Returns the delay that the server asks for, if it is a number of seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("text/event-stream")
}

/// The body of a response, and the task that drives its connection.
pub(crate) struct Body {
    chunks: BodyDataStream<Incoming>,
    _driver: Task<hyper::Result<()>>,
}

impl Stream for Body {
    type Item = Result<Bytes, Lost>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.chunks).poll_next(cx).map_err(Lost::Http)
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lost::Socket(error) => write!(f, "could not connect: {error}"),
            Lost::Http(error) => write!(f, "the connection broke: {error}"),
            Lost::Status(status) => write!(f, "the server answered {status}"),
        }
    }
}

impl std::error::Error for Lost {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Url(url) => write!(f, "{url} is no URL of the form http://host/path"),
            Refused::Status(status) => write!(f, "the server answered {status}, not 200 OK"),
            Refused::ContentType(found) => {
                write!(f, "the server answered with {found:?}, not text/event-stream")
            }
        }
    }
}

impl std::error::Error for Refused {}
