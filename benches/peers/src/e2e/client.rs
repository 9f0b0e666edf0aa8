//! The interface of a client in the race: a URL in, its stream out.

use super::Failure;
use crate::consumer::Consumer;
use futures_util::Stream;

/// An SSE client, or none.
pub(super) trait Client: Sized {
    const NAME: &'static str;
    const ROLE: Role;

    type Item;

    fn new() -> Result<Self, Failure>;

    async fn open(&self, url: &str) -> Result<impl Stream<Item = Self::Item>, Failure>;

    /// Passes an item to the consumer if it is an event. Returns the progress: one event, or the
    /// number of bytes if nothing is parsed.
    fn hand_over(item: Self::Item, consumer: &mut impl Consumer) -> Result<u64, Failure>;
}

/// The role of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Ours,
    Peer,
    /// It reads the bytes and parses nothing.
    Bare,
}

/// Returns the HTTP client for all clients over reqwest 0.13.
pub(super) fn http_client() -> Result<reqwest::Client, Failure> {
    Ok(reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build()?)
}
