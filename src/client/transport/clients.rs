//! The clients that replace the request's own once its connection must not be used again.

use crate::client::attempt::RequestAttempt;
use crate::client::platform::{Exclusive, MaybeSend};
use alloc::boxed::Box;
use reqwest::Client;

/// A user's function that creates a client.
pub(in crate::client) trait ClientFn:
    FnMut() -> reqwest::Result<Client> + MaybeSend
{
}
impl<F: FnMut() -> reqwest::Result<Client> + MaybeSend> ClientFn for F {}

pub(in crate::client) type BoxedClientFn = Exclusive<Box<dyn ClientFn>>;

/// The client that replaces the request's own.
pub(super) struct Clients {
    make: BoxedClientFn,
    current: Option<Client>,
}

impl Clients {
    pub(super) fn new(make: BoxedClientFn) -> Self {
        Clients { make, current: None }
    }

    /// Returns the client of this attempt, unless it is the request's own.
    pub(super) fn next(&mut self, attempt: &RequestAttempt) -> reqwest::Result<Option<Client>> {
        if attempt.needs_new_connection() {
            // The last client is dropped first, and with it the connections that no other
            // source uses.
            self.current = None;
            self.current = Some(self.make.get_mut()()?);
        }
        Ok(self.current.clone())
    }
}
