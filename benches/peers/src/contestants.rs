//! The parsers in the race, and the floors.
//!
//! All get their chunks from one source, as `Bytes` by value, like the chunks of an HTTP body. Each
//! is driven by the fastest of its public interfaces, which its module names.

mod async_sse;
mod eventsource_stream;
mod eventsrc;
mod everstream;
mod floor;
mod sse_codec;
mod sse_core;
mod sse_parse;
mod sse_stream;
mod sseer;

use crate::contestant::Entry;

/// Returns all contestants: everstream, the peers, the floors.
pub(crate) fn all() -> Vec<Entry> {
    vec![
        Entry::of::<everstream::Lending>(),
        Entry::of::<everstream::Owned>(),
        Entry::of::<sse_stream::SseStream>(),
        Entry::of::<sse_core::SseCore>(),
        Entry::of::<sse_parse::SseParse>(),
        Entry::of::<sseer::Sseer>(),
        Entry::of::<eventsrc::Eventsrc>(),
        Entry::of::<sse_codec::SseCodec>(),
        Entry::of::<async_sse::AsyncSse>(),
        Entry::of::<eventsource_stream::EventsourceStream>(),
        Entry::of::<floor::Memchr>(),
        Entry::of::<floor::Bitmaps>(),
        Entry::of::<floor::Copy>(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contestant::Role;

    #[test]
    fn the_versions_in_the_readme_are_those_of_the_lock_file() {
        let peers = all().into_iter().filter(|entry| entry.role == Role::Peer);
        crate::versions::assert_in_readme(peers.map(|entry| entry.name));
    }
}
