//! The interface between the rules of HTTP and the HTTP clients: a transport returns the response
//! of each attempt.

#[cfg(feature = "reqwest")]
mod clients;
mod first;
mod function;
#[cfg(feature = "reqwest")]
mod request;
#[cfg(feature = "reqwest")]
mod reqwest;

#[cfg(feature = "reqwest")]
pub(super) use clients::BoxedClientFn;
pub(super) use first::{First, NoRequest};
pub(super) use function::ResponseFn;
#[cfg(feature = "reqwest")]
pub(super) use reqwest::ReqwestTransport;

use super::attempt::RequestAttempt;
use super::attempt_error::AttemptError;
use super::disconnect::Disconnect;
use super::error::Error;
use super::platform::{self, BoxFuture, MaybeSend, MaybeSync};
use super::response::{Body, Head, frames};
use super::runtime::{Driven, Elsewhere, Home};
#[cfg(feature = "reqwest")]
use crate::trace::Span;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use std::error::Error as StdError;

/// Sends the request of each attempt.
pub(super) trait Transport: MaybeSend {
    /// Begins an attempt.
    fn send(&mut self, attempt: RequestAttempt, reporter: Reporter) -> Sending;

    /// Returns whether a function recreates the request for each attempt, so a 401 can be answered
    /// with a new token.
    fn can_renew(&self) -> bool {
        false
    }

    /// Returns whether every request is known to be safe to repeat, before the first is sent.
    fn is_safe(&self) -> bool {
        false
    }

    /// Drops the first response, if it is in hand.
    fn drop_first(&mut self) {}

    /// Sets the function that creates a client for an attempt that must not use the connection of
    /// an earlier one. Transports without reqwest clients ignore it.
    #[cfg(feature = "reqwest")]
    fn set_client_fn(&mut self, make: BoxedClientFn) {
        let _ = make;
    }
}

/// A transport that can be stored in a `Sync` stream.
pub(super) trait SyncTransport: Transport + MaybeSync {}
impl<T: Transport + MaybeSync> SyncTransport for T {}

/// The future of a response.
pub(super) type Sending = BoxFuture<Result<RawResponse, SendError>>;

/// A response that is not judged yet.
pub(super) struct RawResponse {
    pub(super) head: Box<Head>,
    pub(super) body: Body,
}

impl RawResponse {
    /// Converts the user's response.
    pub(super) fn of<B>(response: http::Response<B>) -> Self
    where
        B: http_body::Body + MaybeSend + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let (parts, body) = response.into_parts();
        let body = platform::boxed_stream(Driven::new(Home::for_user_code(), frames(body)));
        RawResponse { head: Box::new(Head::new(parts, None)), body }
    }
}

pub(super) enum SendError {
    /// Another attempt may succeed.
    Retry(Disconnect),
    /// No attempt can succeed.
    Fatal(Error),
}

impl SendError {
    /// Converts the error of a user's function. `reason` makes the reason for a retry.
    fn of_user(
        error: AttemptError,
        reason: impl FnOnce(Box<dyn StdError + Send + Sync>) -> Disconnect,
    ) -> Self {
        let AttemptError { error, is_fatal } = error;
        match is_fatal {
            true => SendError::Fatal(Error::Fatal(error)),
            false => SendError::Retry(reason(error)),
        }
    }
}

impl From<Elsewhere> for SendError {
    fn from(elsewhere: Elsewhere) -> Self {
        SendError::Retry(Disconnect::Transport(elsewhere.into()))
    }
}

/// The receiver of the facts that a transport reports about its attempt.
#[derive(Clone)]
pub(super) struct Reporter {
    pub(super) sent: Arc<Sent>,
    /// Logs the attempt.
    #[cfg(feature = "reqwest")]
    pub(super) span: Span,
}

impl Reporter {
    /// Reports whether the request that is about to be sent is safe to repeat.
    fn sends(&self, is_safe: bool) {
        self.sent.is_safe.store(is_safe, Ordering::Relaxed);
    }
}

/// The facts about the last request, shared with its attempt.
#[derive(Default)]
pub(super) struct Sent {
    /// Set if the request is safe to repeat, or nothing was sent.
    pub(super) is_safe: AtomicBool,
    /// Set once a connection has been open.
    pub(super) was_open: AtomicBool,
    /// Set if the last request has a response.
    pub(super) has_response: AtomicBool,
}
