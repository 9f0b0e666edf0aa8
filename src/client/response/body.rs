//! The bytes of a response.

use crate::client::platform::BoxStream;
use crate::client::transport_error::TransportError;
use alloc::boxed::Box;
use bytes::{Buf, Bytes};
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::Stream;
use std::error::Error as StdError;

/// The chunks of a body. Dropping it closes the connection.
pub(in crate::client) type Body = BoxStream<Result<Bytes, TransportError>>;

pin_project_lite::pin_project! {
    /// The data frames of a body of the `http_body` crate.
    pub(in crate::client) struct Frames<B> {
        #[pin]
        body: B,
    }
}

/// Creates a stream of the data of a body, without its trailers.
pub(in crate::client) fn frames<B>(body: B) -> Frames<B> {
    Frames { body }
}

impl<B> Stream for Frames<B>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    type Item = Result<Bytes, TransportError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut body = self.project().body;
        loop {
            return match body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(mut data) => Poll::Ready(Some(Ok(data.copy_to_bytes(data.remaining())))),
                    Err(_trailers) => continue,
                },
                Poll::Ready(Some(Err(error))) => {
                    Poll::Ready(Some(Err(TransportError::body(error))))
                }
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            };
        }
    }
}
