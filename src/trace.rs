//! The logs of a reconnecting stream for `tracing`. Each attempt to connect has a span, which lasts
//! as long as the connection and contains its log events.
//!
//! Invariants:
//! - Lost connections, delays and closing are normal, so they are logged at `DEBUG`. A response that
//!   is late is logged at `INFO`, because no item reports it. The failure of the stream is logged at
//!   `WARN`.
//! - Nothing that may be a secret is logged: no header, no ID, no query, user or password of a URL. A
//!   response is logged by its status.
//! - Without the feature `tracing`, `trace/off.rs` replaces this file and does nothing.

use crate::retry::DisconnectKind;
use core::fmt;
use core::time::Duration;
use tracing::field::{Empty, display};
use tracing::{Level, debug, info, warn};

/// The span of an attempt to connect and of its connection.
#[derive(Clone)]
pub(crate) struct Span(tracing::Span);

impl Span {
    /// Creates a disabled span, for a stream without a connection.
    pub(crate) fn none() -> Self {
        Span(tracing::Span::none())
    }

    /// Creates the span of an attempt, which may resume from a last event ID. It is at
    /// `WARN` so that no log at that level lacks it.
    pub(crate) fn attempt(number: u32, resumes: bool) -> Self {
        Span(tracing::span!(
            target: "everstream",
            Level::WARN,
            "connection",
            attempt = number,
            resumes,
            url = Empty,
            status = Empty,
        ))
    }

    /// Runs code of the transport in the span.
    pub(crate) fn in_scope<R>(&self, run: impl FnOnce() -> R) -> R {
        self.0.in_scope(run)
    }

    pub(crate) fn open(&self) {
        self.0.in_scope(|| debug!(target: "everstream", "open"));
    }

    pub(crate) fn lost(&self, kind: DisconnectKind) {
        let reason = match kind {
            DisconnectKind::Ended => "ended",
            DisconnectKind::Broken => "broken",
            DisconnectKind::Refused => "refused",
            DisconnectKind::TimedOut => "timed out",
        };
        self.0.in_scope(|| debug!(target: "everstream", reason, "disconnected"));
    }

    /// Logs the delay before the attempt with this number.
    pub(crate) fn wait(&self, delay: Duration, attempt: u32) {
        self.0.in_scope(|| debug!(target: "everstream", ?delay, attempt, "waiting"));
    }

    /// Logs that this side dropped the connection.
    pub(crate) fn dropped(&self) {
        self.0.in_scope(|| debug!(target: "everstream", "dropped on request"));
    }

    /// Logs that the stream ended without an error.
    pub(crate) fn ended(&self) {
        self.0.in_scope(|| debug!(target: "everstream", "the stream is over"));
    }

    /// Logs that the stream ended with an error.
    #[cold]
    pub(crate) fn failed(&self, why: &'static str) {
        self.0.in_scope(|| warn!(target: "everstream", why, "the stream failed"));
    }

    #[cold]
    pub(crate) fn gave_up(&self, attempts: u32) {
        let why = "the retry policy gave up";
        self.0.in_scope(|| warn!(target: "everstream", why, attempts, "the stream failed"));
    }
}

/// The logs of transports.
#[allow(dead_code, reason = "only the transports of this crate call these")]
impl Span {
    /// Records the URL of the request, which is only computed if the span is enabled.
    pub(crate) fn url<T: fmt::Display>(&self, public: impl FnOnce() -> T) {
        if self.is_enabled() {
            self.0.record("url", display(public()));
        }
    }

    /// Returns whether the logs of this span go anywhere.
    pub(crate) fn is_enabled(&self) -> bool {
        !self.0.is_disabled()
    }

    /// Logs that no response has arrived for this time.
    #[cold]
    pub(crate) fn no_response(&self, time: Duration) {
        let cause = "the server holds its response, or a shared HTTP/2 connection is dead or has no \
                     free stream";
        self.0.in_scope(|| info!(target: "everstream", after = ?time, cause, "no response yet"));
    }

    /// Records the status of the response.
    pub(crate) fn status(&self, code: u16) {
        self.0.record("status", code);
    }

    /// Logs the error of the transport, which contains no URL and no header.
    pub(crate) fn transport_error(&self, error: &dyn fmt::Display) {
        self.0.in_scope(|| debug!(target: "everstream", %error, "the transport failed"));
    }
}
