//! A transport whose first response is one that the user already has.

#[cfg(feature = "reqwest")]
use super::BoxedClientFn;
use super::{RawResponse, Reporter, SendError, Sending, SyncTransport, Transport};
use crate::client::attempt::RequestAttempt;
use crate::client::error::Error;
use crate::client::platform;
use alloc::boxed::Box;
use core::future::ready;

/// Returns the user's response for the first attempt, and uses another transport for later ones.
pub(in crate::client) struct First {
    /// The response. The first attempt takes it.
    response: Option<RawResponse>,
    then: Box<dyn SyncTransport>,
}

impl First {
    pub(in crate::client) fn new(response: RawResponse, then: Box<dyn SyncTransport>) -> Self {
        First { response: Some(response), then }
    }
}

impl Transport for First {
    fn send(&mut self, attempt: RequestAttempt, reporter: Reporter) -> Sending {
        let Some(response) = self.response.take() else {
            return self.then.send(attempt, reporter);
        };
        reporter.sends(self.is_safe());
        platform::boxed(ready(Ok(response)))
    }

    fn can_renew(&self) -> bool {
        self.then.can_renew()
    }

    fn is_safe(&self) -> bool {
        self.then.is_safe()
    }

    fn drop_first(&mut self) {
        self.response = None;
    }

    #[cfg(feature = "reqwest")]
    fn set_client_fn(&mut self, make: BoxedClientFn) {
        self.then.set_client_fn(make);
    }
}

/// The transport of a stream without a request.
pub(in crate::client) struct NoRequest;

impl Transport for NoRequest {
    fn send(&mut self, _: RequestAttempt, _: Reporter) -> Sending {
        platform::boxed(ready(Err(SendError::Fatal(Error::NotRepeatable))))
    }
}
