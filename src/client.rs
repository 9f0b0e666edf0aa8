//! The reconnecting `EventSource` over any HTTP client: [`Reconnect`] with the rules of HTTP.
//!
//! ```text
//!   EventSource, its builder, RequestBuilderExt
//!     connect      a response that is an event stream, or the reason why there is none
//!       rules      the rules of HTTP, on `http` types
//!       transport  the seam: reqwest, or a function that returns a response
//!     error, disconnect, event, attempt, response    the public types
//!       runtime, platform                            tokio's context; native or browser
//! ```
//!
//! Invariants:
//! - `rules` and `response` name no client. Only `transport` and `transport_error` know reqwest,
//!   and of the public items only constructors name its types.
//! - An `Err` is the last item. A lost connection that another attempt follows is never an `Err`.

mod attempt;
mod attempt_error;
mod builder;
mod connect;
mod disconnect;
mod error;
mod event;
mod platform;
#[cfg(feature = "reqwest")]
mod request_builder;
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
#[cfg(feature = "reqwest")]
pub use request_builder::RequestBuilderExt;
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
/// It sends nothing before it is first polled. Poll it inside a tokio runtime or, with the feature
/// `smol`, under any executor. In the [browser](#in-the-browser) it needs no runtime. It yields
/// [`Event`]s: each opened connection, each message, and each lost connection with the delay before
/// the next attempt. It ends with `None` when it is [closed](EventSource::close) or when the server
/// answers 204. An `Err` is always the last item.
///
/// Delivery is at least once if the server honours `Last-Event-ID`. Events that the server does not
/// replay are lost with the connection, which [`Event::Reconnecting`] reports.
///
/// It is cancel-safe: a `next()` future that is dropped, for example by `select!`, loses nothing.
/// Dropping the stream closes its connection.
///
/// The [page of the crate](crate) describes its use, its errors and its settings. [`Reconnect`] is
/// the same stream over another transport than HTTP.
///
/// # In the browser
///
/// On `wasm32-unknown-unknown` it runs on `fetch` and `setTimeout`, in windows and in workers. It
/// is not `Send` there. Poll it in `wasm_bindgen_futures::spawn_local`, for example. Closing or
/// dropping it aborts the fetch. `fetch` has these limits:
///
/// - The cache is bypassed by the cache mode `no-store`, as the
///   [standard](https://html.spec.whatwg.org/multipage/server-sent-events.html#the-eventsource-interface)
///   demands, not by a `Cache-Control` header. So a first GET to another origin needs no CORS
///   preflight, unless your own headers need one. A GET that resumes needs one: the server must
///   allow the header `Last-Event-ID`.
/// - A page sees a header of a response from another origin only if `Access-Control-Expose-Headers`
///   names it. This includes `Retry-After`.
/// - A last event ID with non-ASCII characters is left out of the request, because reqwest cannot
///   pass it to `fetch`.
/// - Firefox delivers the headers of a response with the first byte of its body. Let the server
///   begin with a comment. Otherwise [`Event::Open`] comes late, and an [open
///   timeout](EventSourceBuilder::open_timeout) runs out.
/// - The browser gives no reason for a failed connection: a server that is down looks like one that
///   CORS forbids to read.
/// - Over HTTP/1.1, a browser opens at most six connections to a server, over all of its tabs. Over
///   HTTP/2 all tabs share one connection, whose streams the server limits, often to 100. A source
///   over either limit stays `Connecting`, so set an open timeout.
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

    /// Creates a stream over a function that returns the request of each attempt: for fresh tokens,
    /// a method that changes, or a body that cannot be cloned. The headers of the standard are
    /// added to the request. The builder form is [`EventSourceBuilder::from_request_fn`].
    ///
    /// An `Err` of the function is reported as [`Event::Reconnecting`] and retried with backoff.
    /// [`Fatal`] ends the stream. `?` converts any error, and the async block needs no annotation.
    ///
    /// A 401 calls the function once more without a delay, for a fresh token. The attempt holds the
    /// [status](RequestAttempt::status) then. This repeats a POST too, because a server that
    /// answers 401 has not carried it out; [`Reconnection::Never`] prevents it. A second 401 in a
    /// row is treated as any other status.
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

    /// Creates a stream over a function that returns the response of each attempt: by
    /// reqwest-middleware, another version of reqwest, hyper, a tower service, or a mock. The
    /// response is anything that converts into an [`http::Response`] with a body of the crate
    /// `http-body`. The function must send the [headers](RequestAttempt::headers) of the attempt.
    /// The builder form is [`EventSourceBuilder::from_response_fn`].
    ///
    /// Statuses, content types, `Retry-After` and 401 are handled as for reqwest. An `Err` counts
    /// as a connection that could not be opened. [`Fatal`] ends the stream.
    ///
    /// **The request is sent once** unless the builder's
    /// [`reconnect`](EventSourceBuilder::reconnect) says otherwise: the method is unknown, and a
    /// repeated POST may be billed twice. Set [`Reconnection::Always`] for a GET.
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
    /// The error can be of any type that converts into an [`AttemptError`]. Rust infers the type if
    /// the async block ends with the call itself. A block that uses `?` and ends with `Ok` must
    /// name it: `Ok::<_, AttemptError>(response)`.
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

    /// Creates a stream over a response that the caller already has, for code that sends the
    /// request itself. The response is anything that converts into an [`http::Response`] with a
    /// body of the crate `http-body`, such as one of reqwest. Its status and headers are checked,
    /// and its body has the timeouts and limits of the [builder
    /// form](EventSourceBuilder::from_response).
    ///
    /// No request is sent: a clean end ends the stream with `None`, and a loss is an
    /// [`Error::Lost`]. [`EventSourceBuilder::first_response`] resumes after it.
    ///
    /// ```
    /// use everstream::{EventSource, EventSourceBuilder};
    /// use std::time::Duration;
    ///
    /// fn events(response: reqwest::Response) -> EventSource {
    ///     let builder = EventSourceBuilder::from_response(response);
    ///     builder.idle_timeout(Duration::from_secs(45)).max_event_size(64 * 1024).build()
    /// }
    ///
    /// let response = http::Response::builder().header("content-type", "text/event-stream");
    /// let events = EventSource::from_response(response.body("data: hi\n\n".to_string())?);
    /// # Ok::<_, http::Error>(())
    /// ```
    pub fn from_response<R, B>(response: R) -> Self
    where
        R: Into<http::Response<B>>,
        B: http_body::Body + MaybeSend + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        EventSourceBuilder::from_response(response).build()
    }

    /// Closes the stream: drops the request, the body and the timers at once. The stream yields
    /// `None` from then on, even if events had been received already. The last event ID is kept,
    /// and [`force_reconnect`](EventSource::force_reconnect) revives the stream. Does nothing if
    /// the stream is closed.
    ///
    /// ```
    /// # use everstream::RequestBuilderExt;
    /// use everstream::ReadyState;
    ///
    /// let mut events = reqwest::Client::new().get("http://localhost/").into_event_source();
    /// events.close();
    /// assert_eq!(events.ready_state(), ReadyState::Closed);
    /// ```
    #[doc(alias = "cancel")]
    #[doc(alias = "stop")]
    pub fn close(&mut self) {
        self.inner.close();
    }

    /// Returns the state, as the standard numbers it. See [`close`](EventSource::close) for an
    /// example.
    pub fn ready_state(&self) -> ReadyState {
        self.inner.ready_state()
    }

    /// Returns the last event ID as of the last item; `None` if it is empty.
    ///
    /// ```
    /// # use everstream::RequestBuilderExt;
    /// let events = reqwest::Client::new().get("http://localhost/").into_event_source();
    /// assert_eq!(events.last_event_id(), None);
    /// ```
    pub fn last_event_id(&self) -> Option<&Arc<str>> {
        self.inner.last_event_id()
    }

    /// Reconnects from any state, without a delay, and resets the backoff. The connection is
    /// dropped at once. Events received after the last item are requested again by the last event
    /// ID. The request is sent at the next poll. This also revives a closed stream, and repeats a
    /// POST.
    ///
    /// ```
    /// # use everstream::{ReadyState, RequestBuilderExt};
    /// let mut events = reqwest::Client::new().get("http://localhost/").into_event_source();
    /// events.close();
    /// events.force_reconnect();
    /// assert_eq!(events.ready_state(), ReadyState::Connecting);
    /// ```
    #[doc(alias = "resume")]
    pub fn force_reconnect(&mut self) {
        self.inner.force_reconnect();
    }

    /// Reconnects as [`force_reconnect`](Self::force_reconnect) does, and resumes from this ID.
    /// `None` or an empty one sends none.
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

    /// Returns a handle to control and observe the stream from another task or thread.
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

    /// Returns the counts of the stream so far.
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
