//! The log of a reconnecting stream by way of `tracing`: a span for each attempt to connect,
//! which lasts as long as the connection, and in it the events of the connection.
//!
//! Invariants:
//! - Connections that end or break, delays and closing are normal, and logged at `DEBUG`. Only the failure of the stream is a `WARN`.
//! - Nothing that may be a secret is logged: no header, no query, no user or password of a
//!   URL, no id, nothing that a server sent but its status.
//! - Without the feature `tracing`, `trace/off.rs` takes its place and does nothing.

use crate::retry::DisconnectKind;
use core::fmt;
use core::time::Duration;
use tracing::field::{Empty, display};
use tracing::{Level, debug, warn};

/// One attempt to connect, and the connection that comes of it.
#[derive(Clone)]
pub(crate) struct Span(tracing::Span);

/// A guard: while it lives, logs belong to its span.
pub(crate) struct Inside<'a>(#[expect(dead_code, reason = "it is to be dropped")] Entered<'a>);
type Entered<'a> = tracing::span::Entered<'a>;

impl Span {
    /// No connection, and none being made.
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

    pub(crate) fn enter(&self) -> Inside<'_> {
        Inside(self.0.enter())
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

    /// Before the attempt of this number.
    pub(crate) fn wait(&self, delay: Duration, attempt: u32) {
        self.0.in_scope(|| debug!(target: "everstream", ?delay, attempt, "waiting"));
    }

    /// Logs that this side dropped the connection.
    pub(crate) fn dropped(&self) {
        self.0.in_scope(|| debug!(target: "everstream", "dropped on request"));
    }

    /// The stream ended as it should.
    pub(crate) fn ended(&self) {
        self.0.in_scope(|| debug!(target: "everstream", "the stream is over"));
    }

    /// The stream ended as it should not.
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

/// The logs of a transport.
#[allow(dead_code, reason = "there may be none of our own")]
impl Span {
    /// Records the URL of the request, which is only computed if the span is enabled.
    pub(crate) fn url<T: fmt::Display>(&self, public: impl FnOnce() -> T) {
        if !self.0.is_disabled() {
            self.0.record("url", display(public()));
        }
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
