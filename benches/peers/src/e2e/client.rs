//! The clients in the race, each behind the same small door: a URL in, its stream out.
//!
//! Each is used as its documentation shows, with its defaults, but for two settings of
//! the HTTP client below: no proxy, and no connection is kept to be used again. What is
//! measured ends before any of them would reconnect.

mod bare;
mod eventsource_client;
mod everstream;
mod reqwest_eventsource;
mod sse_reqwest_client;
mod sseer;

use super::{Failure, worker};
use crate::consumer::Consumer;
use futures_util::Stream;

/// An SSE client, or none.
pub(super) trait Client: Sized {
    const NAME: &'static str;
    const ROLE: Role;

    type Item;

    fn new() -> Result<Self, Failure>;

    async fn open(&self, url: &str) -> Result<impl Stream<Item = Self::Item>, Failure>;

    /// Hands over an item, if it is an event. Gives how far that brings us: one event,
    /// or as many bytes as it has, if nothing is parsed.
    fn hand_over(item: Self::Item, consumer: &mut impl Consumer) -> Result<u64, Failure>;
}

/// In what capacity something takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Ours,
    Peer,
    /// Reads the bytes and parses nothing.
    Bare,
}

/// A client as a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) role: Role,
    /// Carries out the orders on the standard input.
    pub(super) work: fn() -> Result<(), Failure>,
}

impl Entry {
    fn of<C: Client>() -> Self {
        Entry { name: C::NAME, role: C::ROLE, work: worker::work_with::<C> }
    }
}

/// Everything that takes part.
pub(super) fn all() -> Vec<Entry> {
    vec![
        Entry::of::<everstream::Everstream>(),
        Entry::of::<sse_reqwest_client::SseReqwestClient>(),
        Entry::of::<sseer::Sseer>(),
        Entry::of::<eventsource_client::EventsourceClient>(),
        Entry::of::<reqwest_eventsource::ReqwestEventsource>(),
        Entry::of::<bare::Bare>(),
    ]
}

/// The HTTP client of all who use reqwest 0.13.
fn http_client() -> Result<reqwest::Client, Failure> {
    Ok(reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_in_the_readme_are_those_of_the_lock_file() {
        let lock = include_str!("../../Cargo.lock");
        let readme = include_str!("../../README.md");
        for entry in all().iter().filter(|entry| entry.role == Role::Peer) {
            let (_, behind) = lock.split_once(&format!("name = \"{}\"\n", entry.name)).unwrap();
            let version = behind.split('"').nth(1).unwrap();
            assert!(readme.contains(&format!("| {} | {version} |", entry.name)), "{}", entry.name);
        }
    }
}
