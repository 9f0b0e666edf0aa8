//! async-sse: `decode` over a buffered reader, its only interface. The reader here exposes the
//! chunks without a copy.

use crate::consumer::{Consumer, Event};
use crate::contestant::{Contestant, Role, drain};
use bytes::{Buf, Bytes};
use futures_io::{AsyncBufRead, AsyncRead};
use std::io;
use std::ops::ControlFlow::{Break, Continue};
use std::pin::Pin;
use std::task::{Context, Poll};

pub(super) struct AsyncSse;

impl Contestant for AsyncSse {
    const NAME: &'static str = "async-sse";
    const ROLE: Role = Role::Peer;

    fn run(chunks: impl Iterator<Item = Bytes>, consumer: &mut impl Consumer) {
        // The decoder needs an `Unpin` reader, and a reference to the iterator is `Unpin`.
        let mut chunks = chunks;
        let reader = ChunkReader { chunks: &mut chunks, chunk: Bytes::new() };
        drain(async_sse::decode(reader), |event| {
            let Ok(async_sse::Event::Message(message)) = event else { return Break(()) };
            consumer.event(Event {
                event: message.name(),
                data: message.data(),
                id: message.id().as_deref().unwrap_or_default(),
            });
            Continue(())
        });
    }
}

struct ChunkReader<'a, I> {
    chunks: &'a mut I,
    chunk: Bytes,
}

impl<I: Iterator<Item = Bytes>> AsyncBufRead for ChunkReader<'_, I> {
    #[inline]
    fn poll_fill_buf(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.chunk.is_empty() {
            this.chunk = this.chunks.next().unwrap_or_default();
        }
        Poll::Ready(Ok(&this.chunk))
    }

    #[inline]
    fn consume(self: Pin<&mut Self>, amount: usize) {
        self.get_mut().chunk.advance(amount);
    }
}

impl<I: Iterator<Item = Bytes>> AsyncRead for ChunkReader<'_, I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(chunk) = self.as_mut().poll_fill_buf(context)? else {
            return Poll::Pending;
        };
        let amount = chunk.len().min(buffer.len());
        buffer[..amount].copy_from_slice(&chunk[..amount]);
        self.consume(amount);
        Poll::Ready(Ok(amount))
    }
}
