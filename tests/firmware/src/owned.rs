//! Tests of owned events over a wire that delivers one byte at a time.

use alloc::vec;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::pin::Pin;
use core::slice;
use core::task::{Context, Poll};
use everstream::{EventStream, OwnedFrame};
use futures_util::{Stream, StreamExt};

pub(crate) struct Wire<'a> {
    rest: slice::Iter<'a, u8>,
}

impl<'a> Wire<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Wire { rest: bytes.iter() }
    }
}

impl Stream for Wire<'_> {
    type Item = Result<Vec<u8>, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.rest.next().map(|&byte| Ok(vec![byte])))
    }
}

/// Passes each frame to `take` until the wire ends.
pub(crate) fn read_to_the_end(
    events: &mut EventStream<Wire<'_>>,
    mut take: impl FnMut(OwnedFrame),
) {
    crate::clock::block_on(async {
        while let Some(Ok(frame)) = events.next().await {
            take(frame);
        }
    });
}
