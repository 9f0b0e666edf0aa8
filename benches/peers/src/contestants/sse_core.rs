//! sse-core: the bare decoder over the chunk's bytes; its `SseStream` has the same speed within 5
//! %. The size limit is everstream's, so that the huge scenario passes.

use crate::consumer::{Consumer, Event};
use crate::contestant::{Contestant, Role};
use bytes::Bytes;
use sse_core::{SseDecoder, SseEvent};
use std::num::NonZeroUsize;

const LIMIT: NonZeroUsize = NonZeroUsize::new(everstream::Parser::DEFAULT_MAX_EVENT_SIZE).unwrap();

pub(super) struct SseCore;

impl Contestant for SseCore {
    const NAME: &'static str = "sse-core";
    const ROLE: Role = Role::Peer;

    fn run(chunks: impl Iterator<Item = Bytes>, consumer: &mut impl Consumer) {
        let mut decoder = SseDecoder::with_limit(LIMIT);
        for chunk in chunks {
            let mut rest = &chunk[..];
            while let Some(event) = decoder.next(&mut rest) {
                let Ok(SseEvent::Message(event)) = event else { return };
                consumer.event(Event {
                    event: &event.event,
                    data: event.data.as_bytes(),
                    id: event.last_event_id.as_deref().unwrap_or_default(),
                });
            }
        }
    }
}
