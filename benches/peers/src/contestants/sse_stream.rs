//! sse-stream: `SseByteStream`, which its documentation prefers to `SseStream` over an HTTP body.
//! It returns raw blocks, so the default type and the last event ID are added here, as its user
//! would have to.

use crate::consumer::{Consumer, Event};
use crate::contestant::{Contestant, Role, body, drain};
use bytes::Bytes;
use sse_stream::SseByteStream;
use std::ops::ControlFlow::{Break, Continue};

pub(super) struct SseStream;

impl Contestant for SseStream {
    const NAME: &'static str = "sse-stream";
    const ROLE: Role = Role::Peer;

    fn run(chunks: impl Iterator<Item = Bytes>, consumer: &mut impl Consumer) {
        let mut last_id = String::new();
        drain(SseByteStream::new(body(chunks)), |block| {
            let Ok(block) = block else { return Break(()) };
            if let Some(id) = block.id {
                last_id = id;
            }
            if let Some(data) = &block.data {
                consumer.event(Event {
                    event: block.event.as_deref().unwrap_or("message"),
                    data: data.as_bytes(),
                    id: &last_id,
                });
            }
            Continue(())
        });
    }
}
