//! The settings of an `EventSource`.

use super::connect::HttpConnect;
use super::platform::{MaybeSend, MaybeSync};
use super::request::Source;
use super::response::{self, RetryStatus};
use super::timer::AnyTimer;
use super::{EventSource, RequestAttempt};
use crate::parser::Parser;
use crate::reconnect::{OnOversize, Reconnect, Timeouts};
use crate::retry::{Backoff, RetryPolicy};
use crate::timer::Timer;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::future::Future;
use core::time::Duration;
use reqwest::{RequestBuilder, StatusCode};
use std::error::Error as StdError;

/// After which requests a lost connection is made again.
///
/// ```
/// assert_eq!(everstream::Reconnection::default(), everstream::Reconnection::SafeMethods);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reconnection {
    /// After any.
    Always,
    /// After GET and HEAD. Others, such as the POST of an LLM's API, are sent
    /// once: a clean end is the end, and a broken connection an error.
    #[default]
    SafeMethods,
    /// After none.
    Never,
}

impl Reconnection {
    /// Whether a request may be repeated, by whether its method is a safe one.
    pub(super) fn allows(self, is_safe: bool) -> bool {
        match self {
            Reconnection::Always => true,
            Reconnection::SafeMethods => is_safe,
            Reconnection::Never => false,
        }
    }
}

/// Builds an [`EventSource`] with other settings than the defaults.
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
    source: Source,
    last_event_id: Option<String>,
    policy: Box<dyn RetryPolicy + Send + Sync>,
    reconnection: Reconnection,
    retry_status: Arc<dyn RetryStatus>,
    timeouts: Timeouts,
    max_event_size: usize,
    on_oversize: OnOversize,
    comments: bool,
    timer: AnyTimer,
}

impl EventSourceBuilder {
    pub(super) fn new(request: RequestBuilder) -> Self {
        let (source, last_event_id) = Source::given(request);
        EventSourceBuilder {
            source,
            last_event_id,
            policy: Box::new(Backoff::new()),
            reconnection: Reconnection::default(),
            retry_status: Arc::new(response::retry_by_default),
            timeouts: Timeouts::default(),
            max_event_size: Parser::DEFAULT_MAX_EVENT_SIZE,
            on_oversize: OnOversize::default(),
            comments: false,
            timer: AnyTimer::Default,
        }
    }

    /// The last event ID to start from; an empty one sends none. It replaces what
    /// a `Last-Event-ID` header of the request says, which otherwise is where the
    /// stream starts. See [`EventSourceBuilder`] for an example.
    pub fn last_event_id(mut self, id: impl Into<String>) -> Self {
        self.last_event_id = Some(id.into());
        self
    }

    /// When to connect again, and when to give up; a [`Backoff`] by default.
    /// See [`EventSourceBuilder`] for an example.
    pub fn retry_policy(mut self, policy: impl RetryPolicy + Send + Sync + 'static) -> Self {
        self.policy = Box::new(policy);
        self
    }

    /// After which requests a lost connection is made again; after GET and HEAD
    /// by default, so that nobody pays twice for a POST.
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

    /// Which statuses other than 200 and 204 are worth another try, by the status
    /// and by whether a connection of this source was open before.
    ///
    /// By default these are 408, 425, 429 and 5xx except 501 and 505, once a
    /// connection was open. A `Retry-After` header of the response is a floor for
    /// the wait.
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
        self.retry_status = Arc::new(retry);
        self
    }

    /// How long it may take until the headers of a response have arrived; in Firefox,
    /// the first byte of its body too. No limit by default. See
    /// [`EventSourceBuilder`] for an example.
    pub fn open_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.open = Some(timeout);
        self
    }

    /// How long an open connection may be without a byte; comments count. No limit
    /// by default. See [`EventSourceBuilder`] for an example.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.idle = Some(timeout);
        self
    }

    /// How long an open connection may be without an event; comments do not count.
    /// No limit by default.
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

    /// Bounds the bytes that are kept for one event, as
    /// [`Parser::with_max_event_size`] does; 16 MiB by default, 512 MiB at the most.
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

    /// What to do when an event grows beyond the limit; drop and report it by
    /// default. See [`max_event_size`](Self::max_event_size) for an example.
    pub fn on_oversize(mut self, on_oversize: OnOversize) -> Self {
        self.on_oversize = on_oversize;
        self
    }

    /// Whether comments are reported, as [`Event::Comment`](crate::Event::Comment).
    /// They are not by default, but count as a sign of life all the same.
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

    /// Makes the request of each attempt: for fresh tokens, a method that changes,
    /// or a body that cannot be cloned. It replaces the request that the builder
    /// was made from, and an error of it ends the stream. The headers that the
    /// standard asks for are added to what it makes.
    ///
    /// A 401 calls it once more at once, for a fresh token: the attempt's
    /// [`reason`](RequestAttempt::reason) is then the answer, and
    /// [`Event::Reconnecting`](crate::Event::Reconnecting) tells of it. So is a POST
    /// repeated, which a 401 did not carry out, unless
    /// [`Reconnection::Never`] says otherwise. A second 401 in a row is like any other
    /// status.
    ///
    /// ```
    /// # use everstream::{EventSource, RequestBuilderExt};
    /// # async fn fresh_token() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// # fn build(client: reqwest::Client, url: &'static str) -> EventSource {
    /// client
    ///     .get(url)
    ///     .into_event_source_builder()
    ///     .request_fn(move |attempt| {
    ///         println!("attempt {}", attempt.number);
    ///         let client = client.clone();
    ///         async move { Ok::<_, std::io::Error>(client.get(url).bearer_auth(fresh_token().await?)) }
    ///     })
    ///     .build()
    /// # }
    /// ```
    pub fn request_fn<F, Fut, E>(mut self, make: F) -> Self
    where
        F: FnMut(RequestAttempt) -> Fut + MaybeSend + 'static,
        Fut: Future<Output = Result<RequestBuilder, E>> + MaybeSend + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.source = Source::made(make);
        self
    }

    /// Measures the time; by default a [`DefaultTimer`](crate::DefaultTimer).
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

    /// The stream. Nothing is sent before it is polled.
    /// See [`EventSourceBuilder`] for an example.
    pub fn build(self) -> EventSource {
        let connect = HttpConnect {
            source: self.source,
            reconnection: self.reconnection,
            retry_status: self.retry_status,
            last: Arc::default(),
        };
        let inner = Reconnect::new(connect, self.timer)
            .with_boxed_retry_policy(self.policy)
            .with_timeouts(self.timeouts)
            .with_max_event_size(self.max_event_size)
            .with_on_oversize(self.on_oversize)
            .with_comments(self.comments)
            .with_last_event_id(&self.last_event_id.unwrap_or_default());
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
            .finish_non_exhaustive()
    }
}
