//! A transport over a user's function that returns a response.

use super::{RawResponse, Reporter, SendError, Sending, Transport};
use crate::client::attempt::RequestAttempt;
use crate::client::attempt_error::AttemptError;
use crate::client::disconnect::Disconnect;
use crate::client::platform::{self, BoxFuture, Exclusive, MaybeSend};
use crate::client::runtime::{Driven, Home};
use crate::client::transport_error::TransportError;
use alloc::boxed::Box;
use core::future::Future;
use std::error::Error as StdError;

type Response = BoxFuture<Result<RawResponse, AttemptError>>;

/// A response function whose future, body and error are boxed.
trait Make: FnMut(RequestAttempt) -> Response + MaybeSend {}
impl<F: FnMut(RequestAttempt) -> Response + MaybeSend> Make for F {}

pub(in crate::client) struct ResponseFn {
    make: Exclusive<Box<dyn Make>>,
}

impl ResponseFn {
    pub(in crate::client) fn new<F, Fut, R, B, E>(mut make: F) -> Self
    where
        F: FnMut(RequestAttempt) -> Fut + MaybeSend + 'static,
        Fut: Future<Output = Result<R, E>> + MaybeSend + 'static,
        R: Into<http::Response<B>>,
        B: http_body::Body + MaybeSend + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
        E: Into<AttemptError>,
    {
        let make = move |attempt: RequestAttempt| {
            let response = make(attempt);
            platform::boxed(
                async move { Ok(RawResponse::of(response.await.map_err(E::into)?.into())) },
            )
        };
        ResponseFn { make: Exclusive::new(Box::new(make)) }
    }
}

impl Transport for ResponseFn {
    fn send(&mut self, attempt: RequestAttempt, reporter: Reporter) -> Sending {
        // The method is unknown, so it may be a POST.
        reporter.sends(false);
        let home = Home::for_user_code();
        let response = {
            let _inside = home.enter();
            self.make.get_mut()(attempt)
        };
        let reason = |error| Disconnect::Transport(TransportError::new(error));
        let sending =
            async move { response.await.map_err(|error| SendError::of_user(error, reason)) };
        platform::boxed(Driven::new(home, sending))
    }

    fn can_renew(&self) -> bool {
        true
    }
}
