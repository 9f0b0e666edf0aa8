//! The clients in the race.
//!
//! Each is used as its documentation shows, with its defaults, except for two settings of the HTTP
//! client: no proxy, and no idle connections are kept. The measurement ends before any of them
//! would reconnect.

mod bare;
mod eventsource_client;
mod everstream;
mod reqwest_eventsource;
mod sse_reqwest_client;
mod sseer;

use super::client::{Client, Role};
use super::{Failure, worker};

/// A client as a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) role: Role,
    /// Carries out the orders on standard input.
    pub(super) work: fn() -> Result<(), Failure>,
}

impl Entry {
    fn of<C: Client>() -> Self {
        Entry { name: C::NAME, role: C::ROLE, work: worker::work::<C> }
    }
}

/// Returns all clients.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_in_the_readme_are_those_of_the_lock_file() {
        let peers = all().into_iter().filter(|entry| entry.role == Role::Peer);
        crate::versions::assert_in_readme(peers.map(|entry| entry.name));
    }
}
