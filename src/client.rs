//! The reconnecting `EventSource` over reqwest: a thin shell that gives
//! [`Reconnect`] its requests and its responses.
//!
//! Invariants:
//! - This is the only floor that names an HTTP type, and `platform` the only file
//!   of it that knows what it is compiled for.
//! - An `Err` is the last item; what can be tried again never is one.

mod builder;
mod connect;
mod error;
mod platform;
mod request;
mod response;
mod timer;

pub use builder::{EventSourceBuilder, Reconnection};
pub use error::{Cause, Error, Failure};

use crate::reconnect::{self, Attempt, Handle, ReadyState, Reconnect, Stats};
use alloc::sync::Arc;
use connect::HttpConnect;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::Stream;
use futures_core::stream::FusedStream;
use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, StatusCode, Url};
use timer::AnyTimer;

/// An item of an [`EventSource`].
pub type Event = reconnect::ReconnectEvent<Head, Failure>;

/// A connection of an [`EventSource`] that stands.
pub type Opened = reconnect::ReconnectOpened<Head>;

/// What is known when a request is to be made.
pub type RequestAttempt = Attempt<Failure>;

/// What the response of a connection says before its body.
///
/// ```
/// fn request_id(opened: &everstream::Opened) -> Option<&str> {
///     opened.headers().get("x-request-id")?.to_str().ok()
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Head {
    status: StatusCode,
    headers: HeaderMap,
    url: Url,
}

impl Opened {
    /// The status of the response, which is 200.
    /// See [`Head`] for an example of its neighbour.
    pub fn status(&self) -> StatusCode {
        self.head().status
    }

    /// The headers of the response. See [`Head`] for an example.
    pub fn headers(&self) -> &HeaderMap {
        &self.head().headers
    }

    /// The URL of the response, after redirects. Its origin is that of the events.
    ///
    /// ```
    /// fn origin(opened: &everstream::Opened) -> String {
    ///     opened.url().origin().ascii_serialization()
    /// }
    /// ```
    pub fn url(&self) -> &Url {
        &self.head().url
    }
}

/// A stream of server-sent events over HTTP that reconnects by itself.
///
/// It sends nothing before it is first polled, and must be polled inside a tokio
/// runtime or, with the feature `smol`, under any executor at all; in the
/// [browser](#in-the-browser), anywhere. It yields [`Event`]s: each connection that
/// stands, each event, each loss with the wait that follows. It ends with `None` when
/// it is [closed](EventSource::close) or when the server answers 204; any `Err` is the
/// last item.
///
/// Delivery is at least once as far as the server honours `Last-Event-ID`; what a
/// server does not replay is lost with the connection, of which
/// [`Event::Reconnecting`] tells.
///
/// Polling loses nothing when it is cancelled: a `next()` that is dropped, in a
/// `select!` say, and made again goes on where the first one was. Dropping the
/// stream closes its connection.
///
/// How to use it, what can go wrong and what can be tuned is on the
/// [page of the crate](crate). Without HTTP, it is [`Reconnect`].
///
/// # In the browser
///
/// On `wasm32-unknown-unknown` it runs on `fetch` and `setTimeout`, in windows and
/// in workers. It is not `Send` there, and needs no runtime but the browser's: poll
/// it in `wasm_bindgen_futures::spawn_local`, for one. Closing or dropping it aborts
/// the fetch. As to what `fetch` can do:
///
/// - It is told to use no cache by its cache mode `no-store`, as the
///   [standard](https://html.spec.whatwg.org/multipage/server-sent-events.html#the-eventsource-interface)
///   has it, not by a `Cache-Control` header. So a first GET to another origin needs
///   no CORS preflight, unless headers of your own do. One that resumes does, for its
///   `Last-Event-ID`: the server must allow that header.
/// - Of the headers of an answer from another origin, a page sees those that
///   `Access-Control-Expose-Headers` names, `Retry-After` among them.
/// - A last event ID with other characters than ASCII is left out of the request,
///   since reqwest has no way to hand it to `fetch`.
/// - Firefox shows the headers of an answer only with the first byte of its body. A
///   server does well to begin with a comment, or [`Event::Open`] comes late, and an
///   [open timeout](EventSourceBuilder::open_timeout) runs out.
/// - Why a connection did not come about, the browser does not say: a server that is
///   gone and one that CORS forbids to read look alike.
/// - Over HTTP/1.1, a browser has six connections for a server, in all of its tabs
///   together. HTTP/2 has no such limit.
///
/// ```no_run
/// # async fn run() -> Result<(), everstream::Error> {
/// use everstream::{Event, RequestBuilderExt};
/// use futures_util::TryStreamExt;
///
/// let mut events = reqwest::Client::new().get("http://localhost/events").into_event_source();
/// while let Some(event) = events.try_next().await? {
///     match event {
///         Event::Message(message) => println!("{}: {}", message.event(), message.data()),
///         Event::Reconnecting { reason, delay, .. } => eprintln!("{reason}; again in {delay:?}"),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct EventSource {
    inner: Reconnect<HttpConnect, AnyTimer>,
}

impl EventSource {
    /// A stream over this request, with the defaults of the
    /// [builder](EventSource::builder). A request that could not be built is the
    /// stream's first and last item. See [`EventSource`] for an example.
    pub fn new(request: RequestBuilder) -> Self {
        EventSource::builder(request).build()
    }

    /// A builder over this request. See [`EventSourceBuilder`] for an example.
    pub fn builder(request: RequestBuilder) -> EventSourceBuilder {
        EventSourceBuilder::new(request)
    }

    /// Closes the stream: drops the request, the body and the timers at once. It
    /// yields `None` from here on, even if events had been received already. The
    /// last event ID stays, and [`force_reconnect`](EventSource::force_reconnect)
    /// revives the stream. Does nothing if it is closed.
    ///
    /// ```
    /// # use everstream::RequestBuilderExt;
    /// use everstream::ReadyState;
    ///
    /// let mut events = reqwest::Client::new().get("http://localhost/").into_event_source();
    /// events.close();
    /// assert_eq!(events.ready_state(), ReadyState::Closed);
    /// ```
    pub fn close(&mut self) {
        self.inner.close();
    }

    /// The state, as the standard numbers it.
    /// See [`close`](EventSource::close) for an example.
    pub fn ready_state(&self) -> ReadyState {
        self.inner.ready_state()
    }

    /// The last event ID as of the last item; `None` if it is empty.
    ///
    /// ```
    /// # use everstream::RequestBuilderExt;
    /// let events = reqwest::Client::new().get("http://localhost/").into_event_source();
    /// assert_eq!(events.last_event_id(), None);
    /// ```
    pub fn last_event_id(&self) -> Option<&Arc<str>> {
        self.inner.last_event_id()
    }

    /// Connects anew, from any state, without a delay and as if nothing had failed
    /// before. What there is of a connection is dropped at once; events received
    /// behind the last item are asked for again by the last event ID. The request
    /// is sent when the stream is polled next. Also revives a closed stream. The
    /// caller asks for it, so it also repeats a POST.
    ///
    /// ```
    /// # use everstream::{ReadyState, RequestBuilderExt};
    /// let mut events = reqwest::Client::new().get("http://localhost/").into_event_source();
    /// events.close();
    /// events.force_reconnect();
    /// assert_eq!(events.ready_state(), ReadyState::Connecting);
    /// ```
    pub fn force_reconnect(&mut self) {
        self.inner.force_reconnect();
    }

    /// The same, from another id on; `None` or an empty one sends none.
    ///
    /// ```
    /// # use everstream::RequestBuilderExt;
    /// let mut events = reqwest::Client::new().get("http://localhost/").into_event_source();
    /// events.force_reconnect_with_id(Some("41".into()));
    /// assert_eq!(events.last_event_id().map(|id| &**id), Some("41"));
    /// ```
    pub fn force_reconnect_with_id(&mut self, id: Option<Arc<str>>) {
        self.inner.force_reconnect_with_id(id);
    }

    /// A handle to control and observe the stream from another task or thread,
    /// while someone is waiting for its next item.
    ///
    /// ```
    /// # use everstream::{ReadyState, RequestBuilderExt};
    /// let mut events = reqwest::Client::new().get("http://localhost/").into_event_source();
    /// let handle = events.handle();
    /// std::thread::spawn(move || handle.close());
    /// ```
    pub fn handle(&mut self) -> Handle {
        self.inner.handle()
    }

    /// What happened on the stream so far, in numbers.
    ///
    /// ```
    /// # use everstream::RequestBuilderExt;
    /// let events = reqwest::Client::new().get("http://localhost/").into_event_source();
    /// assert_eq!(events.stats().attempts, 0);
    /// ```
    pub fn stats(&self) -> Stats {
        self.inner.stats()
    }
}

impl Stream for EventSource {
    type Item = Result<Event, Error>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.inner).poll_next(cx).map_err(Error::from)
    }
}

impl FusedStream for EventSource {
    fn is_terminated(&self) -> bool {
        self.inner.is_terminated()
    }
}

impl fmt::Debug for EventSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSource").field("inner", &self.inner).finish()
    }
}

/// Makes an [`EventSource`] of a request.
///
/// ```
/// use everstream::RequestBuilderExt;
///
/// let events = reqwest::Client::new().get("http://localhost/events").into_event_source();
/// ```
pub trait RequestBuilderExt {
    /// As [`EventSource::new`]. See [`RequestBuilderExt`] for an example.
    fn into_event_source(self) -> EventSource;

    /// As [`EventSource::builder`]. See [`EventSourceBuilder`] for an example.
    fn into_event_source_builder(self) -> EventSourceBuilder;
}

impl RequestBuilderExt for RequestBuilder {
    fn into_event_source(self) -> EventSource {
        EventSource::new(self)
    }

    fn into_event_source_builder(self) -> EventSourceBuilder {
        EventSource::builder(self)
    }
}
