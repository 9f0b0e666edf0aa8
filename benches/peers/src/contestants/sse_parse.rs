//! sse-parse: the bare `SseParser` over the chunk's bytes. It has no size limit by default.

use crate::consumer::{Consumer, Event};
use crate::contestant::{Contestant, Role};
use bytes::Bytes;
use sse_parse::SseParser;

pub(super) struct SseParse;

impl Contestant for SseParse {
    const NAME: &'static str = "sse-parse";
    const ROLE: Role = Role::Peer;

    fn run(chunks: impl Iterator<Item = Bytes>, consumer: &mut impl Consumer) {
        let mut parser = SseParser::new();
        for chunk in chunks {
            parser.feed(&chunk);
            while let Some(event) = parser.next_event() {
                consumer.event(Event {
                    event: &event.event,
                    data: event.data.as_bytes(),
                    id: &event.id,
                });
            }
        }
    }
}
