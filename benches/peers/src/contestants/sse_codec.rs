//! sse-codec: the codec on a buffer to which the chunks are appended. Its `decode_stream` is
//! slower, because it clears 8 KiB for each read and copies twice.

use crate::consumer::{Consumer, Event};
use crate::contestant::{Contestant, Role};
use bytes::Bytes;
use futures_codec::{BytesMut, Decoder};
use sse_codec::SSECodec;

pub(super) struct SseCodec;

impl Contestant for SseCodec {
    const NAME: &'static str = "sse-codec";
    const ROLE: Role = Role::Peer;

    fn run(chunks: impl Iterator<Item = Bytes>, consumer: &mut impl Consumer) {
        let mut codec = SSECodec::default();
        let mut buffer = BytesMut::new();
        for chunk in chunks {
            buffer.extend_from_slice(&chunk);
            loop {
                match codec.decode(&mut buffer) {
                    Ok(Some(sse_codec::Event::Message { id, event, data })) => {
                        let id = id.as_deref().unwrap_or_default();
                        consumer.event(Event { event: &event, data: data.as_bytes(), id });
                    }
                    Ok(None) => break,
                    _ => return,
                }
            }
        }
    }
}
