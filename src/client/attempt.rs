//! The facts that a request or response function needs.

use super::disconnect::Disconnect;
use super::rules;
use crate::reconnect::Attempt;
use alloc::sync::Arc;
use core::fmt;
use http::{HeaderMap, StatusCode};

/// The facts about one attempt to connect, for the function that makes its request or response.
///
/// It is owned, so it can move into an async block.
///
/// ```
/// use everstream::RequestAttempt;
///
/// let attempt = RequestAttempt::new(0).with_last_event_id("41");
/// assert_eq!(attempt.headers()["last-event-id"], "41");
/// assert_eq!(attempt.headers()["accept"], "text/event-stream");
/// ```
#[derive(Clone)]
pub struct RequestAttempt {
    number: u32,
    was_open: bool,
    last_event_id: Option<Arc<str>>,
    reason: Option<Disconnect>,
    /// Set if `force_reconnect` or a handle asked for this attempt.
    is_forced: bool,
}

impl RequestAttempt {
    /// Creates an attempt with this number, for tests. Its other values are unset. See
    /// [`RequestAttempt`] for an example.
    #[must_use]
    pub fn new(number: u32) -> Self {
        RequestAttempt {
            number,
            was_open: false,
            last_event_id: None,
            reason: None,
            is_forced: false,
        }
    }

    pub(super) fn of(attempt: Attempt<Disconnect>, is_forced: bool) -> Self {
        RequestAttempt {
            number: attempt.number,
            was_open: attempt.was_open,
            last_event_id: attempt.last_event_id,
            reason: attempt.reason.as_deref().map(Disconnect::from),
            is_forced,
        }
    }

    /// Sets [`last_event_id`](Self::last_event_id); an empty ID counts as none.
    /// See [`RequestAttempt`] for an example.
    #[must_use]
    pub fn with_last_event_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.last_event_id = Some(id.into()).filter(|id| !id.is_empty());
        self
    }

    /// Sets [`reason`](Self::reason).
    ///
    /// ```
    /// use everstream::{Disconnect, RequestAttempt, ResponseStart};
    ///
    /// let expired = http::Response::builder().status(401).body("")?;
    /// let attempt = RequestAttempt::new(1).with_reason(Disconnect::Status(expired.into()));
    /// assert_eq!(attempt.status().unwrap(), 401);
    /// # Ok::<_, http::Error>(())
    /// ```
    #[must_use]
    pub fn with_reason(mut self, reason: Disconnect) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Sets [`was_open`](Self::was_open).
    ///
    /// ```
    /// assert!(everstream::RequestAttempt::new(1).with_was_open(true).was_open());
    /// ```
    #[must_use]
    pub fn with_was_open(mut self, was_open: bool) -> Self {
        self.was_open = was_open;
        self
    }

    /// Returns the number of reconnections in a row, this one included: 0 for the first
    /// connection and for a forced one.
    ///
    /// ```
    /// assert_eq!(everstream::RequestAttempt::new(3).number(), 3);
    /// ```
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Returns whether any connection of this source has been open.
    /// See [`with_was_open`](Self::with_was_open) for an example.
    pub fn was_open(&self) -> bool {
        self.was_open
    }

    /// Returns the ID to resume from; never an empty one.
    ///
    /// ```
    /// let attempt = everstream::RequestAttempt::new(1).with_last_event_id("41");
    /// assert_eq!(attempt.last_event_id().map(|id| &**id), Some("41"));
    /// ```
    pub fn last_event_id(&self) -> Option<&Arc<str>> {
        self.last_event_id.as_ref()
    }

    /// Returns the reason for the loss of the last connection, if there was one. See
    /// [`with_reason`](Self::with_reason) for an example.
    pub fn reason(&self) -> Option<&Disconnect> {
        self.reason.as_ref()
    }

    /// Returns the status of the response that refused the last connection. 401 asks for a new
    /// token. See [`with_reason`](Self::with_reason) for an example.
    pub fn status(&self) -> Option<StatusCode> {
        self.reason()?.status()
    }

    /// Returns whether this attempt must not use the connection of an earlier one: a
    /// [timeout](Disconnect::is_timeout) ended that one, or `force_reconnect` asked for this one.
    ///
    /// A connection can be dead without being closed. An HTTP/2 client still sends the next
    /// request over it, so a response function switches to another client:
    ///
    /// ```
    /// # use everstream::{AttemptError, EventSourceBuilder, RequestAttempt};
    /// # fn build(url: &'static str) -> reqwest::Result<EventSourceBuilder> {
    /// let new_client = || reqwest::Client::builder().build();
    /// let mut client = new_client()?;
    /// # Ok(
    /// EventSourceBuilder::from_response_fn(move |attempt: RequestAttempt| {
    ///     if attempt.needs_new_connection() {
    ///         client = new_client().expect("it was built before");
    ///     }
    ///     let request = client.get(url).headers(attempt.headers());
    ///     async move { request.send().await }
    /// })
    /// # )
    /// # }
    /// ```
    pub fn needs_new_connection(&self) -> bool {
        self.is_forced || self.reason().is_some_and(Disconnect::is_timeout)
    }

    /// Returns the headers that the standard asks for: `Accept`, `Cache-Control` and
    /// `Last-Event-ID`. See [`RequestAttempt`] for an example.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        rules::add_defaults(&mut headers);
        rules::set_last_event_id(&mut headers, self.last_event_id.as_deref());
        headers
    }
}

impl fmt::Debug for RequestAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestAttempt")
            .field("number", &self.number)
            .field("was_open", &self.was_open)
            .field("last_event_id", &self.last_event_id)
            .field("reason", &self.reason)
            .field("is_forced", &self.is_forced)
            .finish()
    }
}
