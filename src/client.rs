//! The reconnecting `EventSource` over any HTTP client: [`Reconnect`] with the rules of HTTP.
//!
//! ```text
//!   EventSource, its builder
//!     connect      a response that is an event stream, or the reason why there is none
//!       rules      the rules of HTTP, on `http` types
//!       transport  the seam: reqwest, or a function that returns a response
//!     error, disconnect, event, attempt, response    the types of users
//!       runtime, platform                            tokio's context; native or browser
//! ```
//!
//! Invariants:
//! - Below `rules` and `response` no client is named. `transport` and `transport_error` are the
//!   places that know reqwest, and no public item but constructors names a type of it.
//! - An `Err` is the last item. A loss that can be retried never is one.

mod attempt;
mod attempt_error;
mod builder;
mod connect;
mod disconnect;
mod error;
mod event;
mod platform;
mod response;
mod rules;
mod runtime;
mod timer;
mod transport;
mod transport_error;

pub use attempt::RequestAttempt;
pub use attempt_error::{AttemptError, Fatal};
pub use builder::EventSourceBuilder;
pub use disconnect::Disconnect;
pub use error::Error;
pub use event::{Event, Opened};
pub use response::{Response, ResponseStart};
pub use rules::Reconnection;
pub use transport_error::{TransportError, TransportErrorKind};

use crate::reconnect::{Handle, ReadyState, Reconnect, Stats};
use alloc::boxed::Box;
use alloc::sync::Arc;
use connect::HttpConnect;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::Stream;
use futures_core::stream::FusedStream;
use platform::MaybeSend;
#[cfg(feature = "reqwest")]
use reqwest::RequestBuilder;
use std::error::Error as StdError;
use timer::AnyTimer;

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
    /// Creates a stream over this request, with the defaults of the
    /// [builder](EventSource::builder). A request that could not be built is the
    /// stream's first and last item. See [`EventSource`] for an example.
    #[cfg(feature = "reqwest")]
    pub fn new(request: RequestBuilder) -> Self {
        EventSource::builder(request).build()
    }

    /// Creates a builder over this request. See [`EventSourceBuilder`] for an example.
    #[cfg(feature = "reqwest")]
    pub fn builder(request: RequestBuilder) -> EventSourceBuilder {
        EventSourceBuilder::new(request)
    }

    /// Creates a stream over a function that makes the request of each attempt: for fresh tokens,
    /// a method that changes, or a body that cannot be cloned. The headers that the standard asks
    /// for are added to what it returns. The builder form is
    /// [`EventSourceBuilder::from_request_fn`].
    ///
    /// An `Err` of the function is retried with backoff, reported as
    /// [`Event::Reconnecting`]; [`Fatal`] ends the stream. `?` takes any error, and the async
    /// block needs no annotation.
    ///
    /// A 401 calls the function once more at once, for a fresh token, with the
    /// [status](RequestAttempt::status) in the attempt. So is a POST repeated, which a 401 did not
    /// carry out, unless [`Reconnection::Never`] says otherwise. A second 401 in a row is like any
    /// other status.
    ///
    /// ```
    /// use everstream::EventSource;
    ///
    /// # async fn token() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// # fn build(client: reqwest::Client, url: &'static str) -> EventSource {
    /// EventSource::from_request_fn(move |attempt| {
    ///     let client = client.clone();
    ///     async move { Ok(client.get(url).bearer_auth(token().await?)) }
    /// })
    /// # }
    /// ```
    #[cfg(feature = "reqwest")]
    #[doc(alias = "bearer")]
    #[doc(alias = "auth")]
    pub fn from_request_fn<F, Fut>(make: F) -> Self
    where
        F: FnMut(RequestAttempt) -> Fut + MaybeSend + 'static,
        Fut: Future<Output = Result<RequestBuilder, AttemptError>> + MaybeSend + 'static,
    {
        EventSourceBuilder::from_request_fn(make).build()
    }

    /// Creates a stream over a function that makes the response of each attempt: by
    /// reqwest-middleware, another version of reqwest, hyper, a tower service, or a mock. The
    /// response is anything that converts into an [`http::Response`] with a body of the crate
    /// `http-body`. It must send the [headers](RequestAttempt::headers) of the attempt. The builder
    /// form is [`EventSourceBuilder::from_response_fn`].
    ///
    /// The rules of HTTP hold as for reqwest: statuses, content types, `Retry-After`, 401. An `Err`
    /// is a connection that could not be opened, and [`Fatal`] ends the stream.
    ///
    /// **The request is sent once** unless the builder's
    /// [`reconnect`](EventSourceBuilder::reconnect) says otherwise: the method is not known, and a
    /// POST that is repeated may be billed twice. For a GET, say [`Reconnection::Always`].
    ///
    /// ```
    /// use everstream::{EventSource, EventSourceBuilder, Reconnection};
    ///
    /// # fn build(client: reqwest::Client, url: &'static str) -> EventSource {
    /// let send = move |attempt: everstream::RequestAttempt| {
    ///     let client = client.clone();
    ///     async move { client.get(url).headers(attempt.headers()).send().await }
    /// };
    /// EventSourceBuilder::from_response_fn(send).reconnect(Reconnection::Always).build()
    /// # }
    ///
    /// let mock = EventSource::from_response_fn(|_| async {
    ///     let response = http::Response::builder().header("content-type", "text/event-stream");
    ///     response.body("data: hi\n\n".to_string())
    /// });
    /// ```
    ///
    /// The error can be of any type that converts into an [`AttemptError`]. Rust infers it where the
    /// async block ends with the call itself, as above. A block that uses `?` and ends with `Ok`
    /// names it once: `Ok::<_, AttemptError>(response)`.
    #[doc(alias = "middleware")]
    #[doc(alias = "mock")]
    pub fn from_response_fn<F, Fut, R, B, E>(make: F) -> Self
    where
        F: FnMut(RequestAttempt) -> Fut + MaybeSend + 'static,
        Fut: Future<Output = Result<R, E>> + MaybeSend + 'static,
        R: Into<http::Response<B>>,
        B: http_body::Body + MaybeSend + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
        E: Into<AttemptError>,
    {
        EventSourceBuilder::from_response_fn(make).build()
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
        match Pin::new(&mut self.inner).poll_next(cx) {
            Poll::Ready(Some(Ok(event))) => Poll::Ready(Some(Ok(event.into()))),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
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

/// Makes an [`EventSource`] of a reqwest `RequestBuilder`.
///
/// ```
/// use everstream::RequestBuilderExt;
///
/// let events = reqwest::Client::new().get("http://localhost/events").into_event_source();
/// ```
#[cfg(feature = "reqwest")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `RequestBuilder` of the reqwest that everstream uses",
    note = "for another version of reqwest, for reqwest-middleware and for other clients, use \
            `EventSource::from_response_fn`: docs/another-reqwest.md has an example"
)]
pub trait RequestBuilderExt: sealed::Sealed {
    /// Does the same as [`EventSource::new`]. See [`RequestBuilderExt`] for an example.
    fn into_event_source(self) -> EventSource;

    /// Does the same as [`EventSource::builder`]. See [`EventSourceBuilder`] for an example.
    fn into_event_source_builder(self) -> EventSourceBuilder;
}

#[cfg(feature = "reqwest")]
impl RequestBuilderExt for RequestBuilder {
    fn into_event_source(self) -> EventSource {
        EventSource::new(self)
    }

    fn into_event_source_builder(self) -> EventSourceBuilder {
        EventSource::builder(self)
    }
}

#[cfg(feature = "reqwest")]
mod sealed {
    pub trait Sealed {}
    impl Sealed for reqwest::RequestBuilder {}
}
