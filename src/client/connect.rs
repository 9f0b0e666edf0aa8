//! A connection over HTTP: a response that is an event stream.

use super::attempt::RequestAttempt;
use super::disconnect::Disconnect;
use super::error::Error;
use super::platform::{self, BoxFuture};
use super::response::{Body, Head, Response};
use super::rules::{self, Fault, Reconnection, Rules, Verdict};
use super::timer::AnyTimer;
use super::transport::{RawResponse, Reporter, SendError, Sent, SyncTransport};
use crate::reconnect::{Attempt, Connect, ConnectError, Connection};
use crate::retry::DisconnectKind;
use crate::timer::Timer;
use crate::trace::Span;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use bytes::Bytes;
use core::future::ready;
#[cfg(feature = "tracing")]
use core::future::{Future, poll_fn};
use core::pin::Pin;
#[cfg(feature = "tracing")]
use core::pin::pin;
use core::sync::atomic::Ordering;
use core::task::{Context, Poll};
use core::time::Duration;
use futures_core::Stream;
use http::StatusCode;

/// Maximum time to read the start of a response before a retry. It delays the report of the loss,
/// so it is short.
const READING: Duration = Duration::from_secs(1);

/// The time without a response after which a log line reports it. It is longer than most servers
/// need, and shorter than the patience of a user.
#[cfg(feature = "tracing")]
const LATE: Duration = Duration::from_secs(10);

pub(super) struct HttpConnect {
    pub(super) transport: Box<dyn SyncTransport>,
    pub(super) reconnection: Reconnection,
    /// Set if a first connection that cannot be opened ends the stream.
    pub(super) fails_fast: bool,
    /// The user's rules. `None` means the default rules.
    pub(super) rules: Option<Arc<Rules>>,
    timer: AnyTimer,
    sent: Arc<Sent>,
    /// Set once an attempt has begun.
    has_begun: bool,
}

impl HttpConnect {
    pub(super) fn new(transport: Box<dyn SyncTransport>, timer: AnyTimer) -> Self {
        HttpConnect {
            transport,
            reconnection: Reconnection::default(),
            fails_fast: false,
            rules: None,
            timer,
            sent: Arc::default(),
            has_begun: false,
        }
    }
}

type ConnectResult = Result<Connection<Head, HttpBody>, ConnectError<Disconnect, Error>>;

impl Connect for HttpConnect {
    type Head = Head;
    type Chunk = Bytes;
    type Body = HttpBody;
    type Error = Disconnect;
    type Fatal = Error;
    type Connecting = BoxFuture<ConnectResult>;

    fn connect(&mut self, attempt: Attempt<Disconnect>) -> Self::Connecting {
        // Without a runtime no delay would ever end.
        if !self.timer.has_runtime() {
            return platform::boxed(ready(Err(ConnectError::Fatal(Error::NoRuntime))));
        }
        // An attempt that fails before it sends anything is safe to repeat.
        self.sent.is_safe.store(true, Ordering::Relaxed);
        self.sent.has_response.store(false, Ordering::Relaxed);
        let span = attempt.span.clone();
        let is_forced = self.has_begun && attempt.number == 0;
        self.has_begun = true;
        let attempt = RequestAttempt::of(attempt, is_forced);
        // A second 401 in a row is no question of an expired token.
        let was_renewed = attempt.status() == Some(StatusCode::UNAUTHORIZED);
        let may_renew = self.transport.can_renew() && self.reconnection != Reconnection::Never;
        let judge = Judge {
            rules: self.rules.clone(),
            reconnection: self.reconnection,
            was_open: attempt.was_open(),
            can_renew: may_renew && !was_renewed,
            sent: Arc::clone(&self.sent),
            timer: self.timer.clone(),
            span: span.clone(),
        };
        let reporter = Reporter {
            sent: Arc::clone(&self.sent),
            #[cfg(feature = "reqwest")]
            span,
        };
        let sending = self.transport.send(attempt, reporter);
        platform::boxed(async move {
            #[cfg(feature = "tracing")]
            let sending = logged_if_late(sending, &judge.timer, &judge.span);
            match sending.await {
                Ok(response) => judge.received(response).await,
                Err(error) => Err(judge.failed(error)),
            }
        })
    }

    fn may_reconnect(&self, lost: DisconnectKind) -> bool {
        let fails_now = self.fails_fast && !self.sent.was_open.load(Ordering::Relaxed);
        let is_safe = self.sent.is_safe.load(Ordering::Relaxed);
        !fails_now && self.reconnection.allows(is_safe, lost)
    }

    fn has_response(&self) -> bool {
        self.sent.has_response.load(Ordering::Relaxed)
    }

    fn drop_first(&mut self) {
        self.transport.drop_first();
    }

    fn describe(&self, error: &Disconnect) -> Option<String> {
        Some(error.to_string())
    }
}

/// The facts that decide about the result of an attempt.
struct Judge {
    rules: Option<Arc<Rules>>,
    reconnection: Reconnection,
    was_open: bool,
    /// Set if the request can be recreated with another token.
    can_renew: bool,
    sent: Arc<Sent>,
    timer: AnyTimer,
    span: Span,
}

impl Judge {
    /// Returns the connection of a response, or the reason why it is not open.
    async fn received(self, RawResponse { head, body }: RawResponse) -> ConnectResult {
        self.sent.has_response.store(true, Ordering::Relaxed);
        self.span.status(head.status.as_u16());
        let rules = self.rules.as_deref().unwrap_or(&Rules::DEFAULT);
        match rules::judge(rules, head.status, &head.headers, self.was_open, self.can_renew) {
            Verdict::Open => {
                self.sent.was_open.store(true, Ordering::Relaxed);
                Ok(Connection { head: *head, body: HttpBody { body, span: self.span } })
            }
            Verdict::Finished => Err(ConnectError::Finished),
            Verdict::Renew => {
                let response = Response::new(head, body).into_start(reading(&self.timer)).await;
                Err(ConnectError::again(Disconnect::Status(response)))
            }
            Verdict::Retry(fault) if self.may_repeat() => {
                let response = Response::new(head, body).into_start(reading(&self.timer)).await;
                let retry_after = response.retry_after();
                let reason = match fault {
                    Fault::Status => Disconnect::Status(response),
                    Fault::ContentType => Disconnect::ContentType(response),
                };
                Err(ConnectError::retry_after(reason, retry_after))
            }
            Verdict::Retry(fault) | Verdict::Refuse(fault) => {
                let response = Box::new(Response::new(head, body).buffered());
                Err(ConnectError::Fatal(match fault {
                    Fault::Status => Error::Status(response),
                    Fault::ContentType => Error::ContentType(response),
                }))
            }
            Verdict::RefuseCoding => {
                let response = Box::new(Response::new(head, body).buffered());
                Err(ConnectError::Fatal(Error::ContentEncoding(response)))
            }
        }
    }

    fn may_repeat(&self) -> bool {
        let is_safe = self.sent.is_safe.load(Ordering::Relaxed);
        self.reconnection.allows(is_safe, DisconnectKind::Refused)
    }

    /// Converts the error of an attempt without a response.
    fn failed(&self, error: SendError) -> ConnectError<Disconnect, Error> {
        match error {
            SendError::Fatal(error) => ConnectError::Fatal(error),
            SendError::Retry(Disconnect::Transport(error)) => {
                self.span.transport_error(&error);
                match error.is_permanent() && !self.was_open {
                    true => ConnectError::Fatal(Error::Request(error)),
                    false => ConnectError::retry(Disconnect::Transport(error)),
                }
            }
            SendError::Retry(reason) => ConnectError::retry(reason),
        }
    }
}

/// Waits for the response, and logs once if it is late. Without a subscriber it sets no timer.
#[cfg(feature = "tracing")]
async fn logged_if_late<T>(sending: impl Future<Output = T>, timer: &AnyTimer, span: &Span) -> T {
    if !span.is_enabled() {
        return sending.await;
    }
    let mut sending = pin!(sending);
    let mut late = pin!(timer.try_sleep(LATE).ok());
    poll_fn(|cx| {
        let polled = sending.as_mut().poll(cx);
        if polled.is_pending()
            && late.as_mut().as_pin_mut().is_some_and(|late| late.poll(cx).is_ready())
        {
            span.no_response(LATE);
            late.set(None);
        }
        polled
    })
    .await
}

/// Ends after the maximum time to read the start of a response.
async fn reading(timer: &AnyTimer) {
    if let Ok(sleep) = timer.try_sleep(READING) {
        sleep.await;
    }
}

/// The bytes of a response that is an event stream.
pub(super) struct HttpBody {
    body: Body,
    span: Span,
}

impl Stream for HttpBody {
    type Item = Result<Bytes, Disconnect>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = Pin::new(&mut self.body).poll_next(cx);
        if let Poll::Ready(Some(Err(error))) = &polled {
            self.span.transport_error(error);
        }
        polled.map_err(Disconnect::Transport)
    }
}
