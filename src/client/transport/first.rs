//! A transport whose first response is one that the user already has.

#[cfg(feature = "reqwest")]
use super::BoxedClientFn;
use super::{RawResponse, Reporter, SendError, Sending, SyncTransport, Transport};
use crate::client::attempt::RequestAttempt;
use crate::client::error::Error;
use crate::client::platform::{self, MaybeSend};
use alloc::boxed::Box;
use core::future::ready;
use std::error::Error as StdError;

/// Returns the user's response for the first attempt, and uses another transport for later ones.
pub(in crate::client) struct First {
    /// The response. The first attempt takes it.
    response: Option<RawResponse>,
    /// The transport of the other attempts; `None` if there is no request to send.
    then: Option<Box<dyn SyncTransport>>,
}

impl First {
    pub(in crate::client) fn new<B>(
        response: http::Response<B>,
        then: Option<Box<dyn SyncTransport>>,
    ) -> Self
    where
        B: http_body::Body + MaybeSend + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        First { response: Some(RawResponse::of(response)), then }
    }
}

impl Transport for First {
    fn send(&mut self, attempt: RequestAttempt, reporter: Reporter) -> Sending {
        match (self.response.take(), &mut self.then) {
            (Some(response), _) => {
                reporter.sends(self.is_safe());
                platform::boxed(ready(Ok(response)))
            }
            (None, Some(then)) => then.send(attempt, reporter),
            (None, None) => platform::boxed(ready(Err(SendError::Fatal(Error::NotRepeatable)))),
        }
    }

    fn can_renew(&self) -> bool {
        self.then.as_ref().is_some_and(|then| then.can_renew())
    }

    fn is_safe(&self) -> bool {
        self.then.as_ref().is_some_and(|then| then.is_safe())
    }

    #[cfg(feature = "reqwest")]
    fn set_client_fn(&mut self, make: BoxedClientFn) {
        if let Some(then) = &mut self.then {
            then.set_client_fn(make);
        }
    }
}
