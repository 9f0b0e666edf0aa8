//! The settings of an `EventSource`.

use super::connect::HttpConnect;
#[cfg(feature = "reqwest")]
use super::platform::Exclusive;
use super::platform::{MaybeSend, MaybeSync};
use super::rules::{Reconnection, Rules};
use super::timer::AnyTimer;
#[cfg(feature = "reqwest")]
use super::transport::{BoxedClientFn, ReqwestTransport};
use super::transport::{First, NoRequest, RawResponse, ResponseFn, SyncTransport};
use super::{AttemptError, EventSource, RequestAttempt};
use crate::parser::Parser;
use crate::reconnect::{BoxedPolicy, OnOversize, Reconnect, Timeouts};
use crate::retry::RetryPolicy;
use crate::timer::Timer;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::future::Future;
use core::time::Duration;
use http::StatusCode;
#[cfg(feature = "reqwest")]
use reqwest::{Client, RequestBuilder};
use std::error::Error as StdError;

/// A builder of an [`EventSource`] with other settings than the defaults.
///
/// ```
/// use everstream::{Backoff, RequestBuilderExt};
/// use std::time::Duration;
///
/// let events = reqwest::Client::new()
///     .get("http://localhost/events")
///     .into_event_source_builder()
///     .last_event_id("41")
///     .retry_policy(Backoff::new().with_max_retries(10))
///     .open_timeout(Duration::from_secs(10))
///     .idle_timeout(Duration::from_secs(45))
///     .build();
/// assert_eq!(events.last_event_id().map(|id| &**id), Some("41"));
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct EventSourceBuilder {
    transport: Box<dyn SyncTransport>,
    first_response: Option<RawResponse>,
    #[cfg(feature = "reqwest")]
    client_fn: Option<BoxedClientFn>,
    last_event_id: Option<String>,
    policy: Option<BoxedPolicy>,
    reconnection: Reconnection,
    fails_fast: bool,
    rules: Option<Rules>,
    timeouts: Timeouts,
    max_event_size: usize,
    on_oversize: OnOversize,
    comments: bool,
    updates: bool,
    timer: AnyTimer,
}

impl EventSourceBuilder {
    /// Creates a builder over this request. See [`EventSourceBuilder`] for an example.
    #[cfg(feature = "reqwest")]
    pub fn new(request: RequestBuilder) -> Self {
        let (transport, last_event_id) = ReqwestTransport::given(request);
        EventSourceBuilder { last_event_id, ..EventSourceBuilder::over(transport) }
    }

    /// Creates a builder over a function that returns the request of each attempt. See
    /// [`EventSource::from_request_fn`] for an example.
    #[cfg(feature = "reqwest")]
    pub fn from_request_fn<F, Fut>(make: F) -> Self
    where
        F: FnMut(RequestAttempt) -> Fut + MaybeSend + 'static,
        Fut: Future<Output = Result<RequestBuilder, AttemptError>> + MaybeSend + 'static,
    {
        EventSourceBuilder::over(ReqwestTransport::made(make))
    }

    /// Creates a builder over a function that returns the response of each attempt. See
    /// [`EventSource::from_response_fn`] for an example.
    pub fn from_response_fn<F, Fut, R, B, E>(make: F) -> Self
    where
        F: FnMut(RequestAttempt) -> Fut + MaybeSend + 'static,
        Fut: Future<Output = Result<R, E>> + MaybeSend + 'static,
        R: Into<http::Response<B>>,
        B: http_body::Body + MaybeSend + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
        E: Into<AttemptError>,
    {
        EventSourceBuilder::over(ResponseFn::new(make))
    }

    /// Creates a builder over a response that the caller already has. No request is sent after it.
    /// See [`EventSource::from_response`] for an example.
    pub fn from_response<R, B>(response: R) -> Self
    where
        R: Into<http::Response<B>>,
        B: http_body::Body + MaybeSend + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        EventSourceBuilder::over(NoRequest).first_response(response)
    }

    fn over(transport: impl SyncTransport + 'static) -> Self {
        EventSourceBuilder {
            transport: Box::new(transport),
            first_response: None,
            #[cfg(feature = "reqwest")]
            client_fn: None,
            last_event_id: None,
            policy: None,
            reconnection: Reconnection::default(),
            fails_fast: false,
            rules: None,
            timeouts: Timeouts::default(),
            max_event_size: Parser::DEFAULT_MAX_EVENT_SIZE,
            on_oversize: OnOversize::default(),
            comments: false,
            updates: false,
            timer: AnyTimer::Default,
        }
    }

    /// Sets the last event ID to start from; an empty one sends none. It replaces a `Last-Event-ID`
    /// header of the request, which is the default. See [`EventSourceBuilder`] for an example.
    #[doc(alias = "resume")]
    pub fn last_event_id(mut self, id: impl Into<String>) -> Self {
        self.last_event_id = Some(id.into());
        self
    }

    /// Sets the policy that decides about the next attempt and its delay. Default: a
    /// [`Backoff`](crate::Backoff). See [`EventSourceBuilder`] for an example.
    pub fn retry_policy(mut self, policy: impl RetryPolicy + Send + Sync + 'static) -> Self {
        self.policy = Some(Box::new(policy));
        self
    }

    /// Sets the requests that are sent again after a lost connection. Default: GET and HEAD, so
    /// that no POST is billed twice. The method of a response function is unknown, so by default
    /// its request is sent once. Set [`Reconnection::Always`] for a GET.
    ///
    /// ```
    /// # use everstream::{EventSource, RequestBuilderExt};
    /// use everstream::Reconnection;
    /// # fn build(request: reqwest::RequestBuilder) -> EventSource {
    /// request.into_event_source_builder().reconnect(Reconnection::Never).build()
    /// # }
    /// ```
    pub fn reconnect(mut self, reconnection: Reconnection) -> Self {
        self.reconnection = reconnection;
        self
    }

    /// Sets a function that decides by the status if a response is retried. Its second argument is
    /// true if a connection of this source was open before. A status of 200 means a response with
    /// another content type than `text/event-stream`, such as the page of a captive portal.
    ///
    /// By default, once a connection was open, 200, 408, 425, 429 and 500 to 599 except 501 and 505
    /// are retried. Before that, each of them ends the stream. A `Retry-After` header of the
    /// response is a minimum for the delay.
    ///
    /// ```
    /// # use everstream::{EventSource, RequestBuilderExt};
    /// # fn build(request: reqwest::RequestBuilder) -> EventSource {
    /// request
    ///     .into_event_source_builder()
    ///     .retry_status(|status, _was_open| status.is_server_error())
    ///     .build()
    /// # }
    /// ```
    pub fn retry_status(
        mut self,
        retry: impl Fn(StatusCode, bool) -> bool + MaybeSync + 'static,
    ) -> Self {
        self.rules.get_or_insert(Rules::DEFAULT).retry_status = Some(Box::new(retry));
        self
    }

    /// Sets a function that accepts content types other than `text/event-stream`. Its argument is
    /// `None` if the response has no content type. By default no other is accepted.
    ///
    /// ```
    /// # use everstream::{EventSource, RequestBuilderExt};
    /// # fn build(request: reqwest::RequestBuilder) -> EventSource {
    /// request
    ///     .into_event_source_builder()
    ///     .accept_content_type(|content_type| content_type.is_none())
    ///     .build()
    /// # }
    /// ```
    pub fn accept_content_type(
        mut self,
        accept: impl Fn(Option<&str>) -> bool + MaybeSync + 'static,
    ) -> Self {
        self.rules.get_or_insert(Rules::DEFAULT).accept_content_type = Some(Box::new(accept));
        self
    }

    /// Sets whether a first connection that cannot be opened ends the stream, with
    /// [`Error::Lost`](crate::Error::Lost). By default it is retried until it succeeds, as the
    /// standard demands, so a service may start before its server. Set this in interactive
    /// programs, where a misspelt host should fail at once.
    ///
    /// ```
    /// # use everstream::{EventSource, RequestBuilderExt};
    /// # fn build(request: reqwest::RequestBuilder) -> EventSource {
    /// request.into_event_source_builder().fail_fast(true).build()
    /// # }
    /// ```
    pub fn fail_fast(mut self, fail_fast: bool) -> Self {
        self.fails_fast = fail_fast;
        self
    }

    /// Sets the maximum time from the start of an attempt to the headers of its response; in
    /// Firefox, to the first byte of its body. Default: no limit. See [`EventSourceBuilder`] for an
    /// example.
    pub fn open_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.open = Some(timeout);
        self
    }

    /// Sets the maximum time between two chunks of an open connection. Comments count. Default: no
    /// limit. See [`EventSourceBuilder`] for an example.
    #[doc(alias = "keepalive")]
    #[doc(alias = "heartbeat")]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.idle = Some(timeout);
        self
    }

    /// Sets the maximum time between two events of an open connection. Comments do not count.
    /// Default: no limit.
    ///
    /// ```
    /// # use everstream::{EventSource, RequestBuilderExt};
    /// # use std::time::Duration;
    /// # fn build(request: reqwest::RequestBuilder) -> EventSource {
    /// request.into_event_source_builder().event_timeout(Duration::from_secs(600)).build()
    /// # }
    /// ```
    pub fn event_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.event = Some(timeout);
        self
    }

    /// Sets the maximum size of an event in bytes, as [`Parser::with_max_event_size`] does.
    /// Default: 16 MiB. Maximum: 512 MiB.
    ///
    /// ```
    /// # use everstream::{EventSource, RequestBuilderExt};
    /// use everstream::OnOversize;
    /// # fn build(request: reqwest::RequestBuilder) -> EventSource {
    /// request
    ///     .into_event_source_builder()
    ///     .max_event_size(64 * 1024)
    ///     .on_oversize(OnOversize::Fail)
    ///     .build()
    /// # }
    /// ```
    pub fn max_event_size(mut self, bytes: usize) -> Self {
        self.max_event_size = bytes;
        self
    }

    /// Sets the response to an event over the size limit. Default: drop and report it. See
    /// [`max_event_size`](Self::max_event_size) for an example.
    pub fn on_oversize(mut self, on_oversize: OnOversize) -> Self {
        self.on_oversize = on_oversize;
        self
    }

    /// Sets whether comments are reported, as [`Event::Comment`](crate::Event::Comment). Default:
    /// false. Unreported comments still count as a sign of life.
    ///
    /// ```
    /// # use everstream::{EventSource, RequestBuilderExt};
    /// # fn build(request: reqwest::RequestBuilder) -> EventSource {
    /// request.into_event_source_builder().comments(true).build()
    /// # }
    /// ```
    pub fn comments(mut self, report: bool) -> Self {
        self.comments = report;
        self
    }

    /// Sets whether a block without data that sets the last event ID or the reconnection time is
    /// reported, as [`Event::Update`](crate::Event::Update). Default: false.
    ///
    /// ```
    /// # use everstream::{EventSource, RequestBuilderExt};
    /// # fn build(request: reqwest::RequestBuilder) -> EventSource {
    /// request.into_event_source_builder().updates(true).build()
    /// # }
    /// ```
    pub fn updates(mut self, report: bool) -> Self {
        self.updates = report;
        self
    }

    /// Sets a function that returns the request of each attempt, for fresh tokens, a method that
    /// changes, or a body that cannot be cloned. It replaces the request of the builder, but not a
    /// [first response](Self::first_response). See [`EventSource::from_request_fn`] for its errors.
    ///
    /// ```
    /// # use everstream::{EventSource, RequestBuilderExt};
    /// # async fn fresh_token() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// # fn build(client: reqwest::Client, url: &'static str) -> EventSource {
    /// client
    ///     .get(url)
    ///     .into_event_source_builder()
    ///     .request_fn(move |attempt| {
    ///         println!("attempt {}", attempt.number());
    ///         let client = client.clone();
    ///         async move { Ok(client.get(url).bearer_auth(fresh_token().await?)) }
    ///     })
    ///     .build()
    /// # }
    /// ```
    #[cfg(feature = "reqwest")]
    #[doc(alias = "bearer")]
    #[doc(alias = "auth")]
    pub fn request_fn<F, Fut>(mut self, make: F) -> Self
    where
        F: FnMut(RequestAttempt) -> Fut + MaybeSend + 'static,
        Fut: Future<Output = Result<RequestBuilder, AttemptError>> + MaybeSend + 'static,
    {
        self.transport = Box::new(ReqwestTransport::made(make));
        self
    }

    /// Sets the first response, for code that sends the first request itself. After a lost
    /// connection the builder's own request is sent, if the builder [repeats](Self::reconnect) it.
    /// The first request counts as one with the method of the builder's request, which is unknown
    /// for a function.
    ///
    /// ```
    /// use everstream::{EventSource, EventSourceBuilder, Reconnection};
    ///
    /// // MCP sends a POST, and resumes its response by a GET.
    /// fn resumed(client: reqwest::Client, url: String, first: reqwest::Response) -> EventSource {
    ///     EventSourceBuilder::from_request_fn(move |_| {
    ///         let request = client.get(&url);
    ///         async move { Ok(request) }
    ///     })
    ///     .first_response(first)
    ///     .reconnect(Reconnection::WhenBroken)
    ///     .build()
    /// }
    /// ```
    pub fn first_response<R, B>(mut self, response: R) -> Self
    where
        R: Into<http::Response<B>>,
        B: http_body::Body + MaybeSend + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.first_response = Some(RawResponse::of(response.into()));
        self
    }

    /// Sets a function that makes a client for attempts that must not use the connection of an
    /// earlier one. It is called after an open, idle or event timeout, after a timeout of the
    /// client, and for `force_reconnect`. All later attempts use the new client.
    ///
    /// Without it, all attempts use the client of the request. Over HTTP/2 that client keeps a
    /// connection that is silent but not closed, and sends each attempt over it. The page
    /// [many streams](https://github.com/everstream-rs/everstream/blob/main/docs/many-streams.md)
    /// compares the remedies.
    ///
    /// The function must build the new client like the first: with the same TLS, proxy, default
    /// headers and cookies. An error of it ends the stream with
    /// [`Error::Request`](crate::Error::Request). A response function switches clients itself:
    /// see [`RequestAttempt::needs_new_connection`].
    ///
    /// ```
    /// # use everstream::{EventSource, RequestBuilderExt};
    /// use std::time::Duration;
    ///
    /// # fn build(url: &str) -> reqwest::Result<EventSource> {
    /// let new_client = || reqwest::Client::builder().build();
    /// let events = new_client()?
    ///     .get(url)
    ///     .into_event_source_builder()
    ///     .client_fn(new_client)
    ///     .open_timeout(Duration::from_secs(10))
    ///     .idle_timeout(Duration::from_secs(45))
    ///     .build();
    /// # Ok(events)
    /// # }
    /// ```
    #[cfg(feature = "reqwest")]
    pub fn client_fn(
        mut self,
        make: impl FnMut() -> reqwest::Result<Client> + MaybeSend + 'static,
    ) -> Self {
        self.client_fn = Some(Exclusive::new(Box::new(make)));
        self
    }

    /// Sets the clock. Default: a [`DefaultTimer`](crate::DefaultTimer).
    ///
    /// ```
    /// # use everstream::{EventSource, RequestBuilderExt};
    /// # fn build(request: reqwest::RequestBuilder) -> EventSource {
    /// let virtual_time = everstream::ManualTimer::new();
    /// request.into_event_source_builder().timer(virtual_time).build()
    /// # }
    /// ```
    pub fn timer<T>(mut self, timer: T) -> Self
    where
        T: Timer + MaybeSync + 'static,
        T::Sleep: MaybeSend + 'static,
    {
        self.timer = AnyTimer::given(timer);
        self
    }

    /// Creates the stream. It sends nothing before it is polled. See [`EventSourceBuilder`] for an
    /// example.
    pub fn build(self) -> EventSource {
        let transport = match self.first_response {
            Some(response) => Box::new(First::new(response, self.transport)),
            None => self.transport,
        };
        let mut connect = HttpConnect::new(transport, self.timer.clone());
        #[cfg(feature = "reqwest")]
        if let Some(make) = self.client_fn {
            connect.transport.set_client_fn(make);
        }
        connect.reconnection = self.reconnection;
        connect.fails_fast = self.fails_fast;
        connect.rules = self.rules.map(Arc::new);
        let mut inner = Reconnect::new(connect, self.timer)
            .with_timeouts(self.timeouts)
            .with_max_event_size(self.max_event_size)
            .with_on_oversize(self.on_oversize)
            .with_comments(self.comments)
            .with_updates(self.updates)
            .with_last_event_id(&self.last_event_id.unwrap_or_default());
        if let Some(policy) = self.policy {
            inner.set_boxed_retry_policy(policy);
        }
        EventSource { inner }
    }
}

impl fmt::Debug for EventSourceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSourceBuilder")
            .field("last_event_id", &self.last_event_id)
            .field("reconnect", &self.reconnection)
            .field("timeouts", &self.timeouts)
            .field("max_event_size", &self.max_event_size)
            .field("on_oversize", &self.on_oversize)
            .field("comments", &self.comments)
            .field("updates", &self.updates)
            .finish_non_exhaustive()
    }
}
