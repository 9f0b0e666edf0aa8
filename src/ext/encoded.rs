//! The messages of a stream of events as the bytes of an event stream.

use super::error::ENDED_EARLY;
use super::{MessageError, poll_chosen};
use crate::encoder::{EncodeError, Encoder};
use crate::frame::Discarded;
use crate::owned::MessageEvent;
use alloc::string::String;
use bytes::Bytes;
use core::error::Error;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

pin_project! {
    /// A stream of encoded messages, created by
    /// [`encoded`](super::EventStreamExt::encoded), where there is an example. `M` is the
    /// stream of [`Messages`](super::Messages) or of [`Terminated`](super::Terminated)
    /// messages.
    #[derive(Debug, Clone)]
    #[must_use = "streams do nothing unless polled"]
    pub struct Encoded<M> {
        #[pin]
        messages: M,
        has_id: bool,
    }
}

impl<M> Encoded<M> {
    pub(super) fn new(messages: M) -> Self {
        Encoded { messages, has_id: false }
    }

    /// Returns the stream of messages.
    ///
    /// ```
    /// # use everstream::{EventStream, EventStreamExt};
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let chunks = EventStream::new(body).encoded();
    /// assert_eq!(chunks.get_ref().get_ref().last_event_id(), "");
    /// ```
    pub fn get_ref(&self) -> &M {
        &self.messages
    }

    /// Returns the stream of messages. Items that the caller takes from it are not encoded.
    /// See [`get_ref`](Self::get_ref) for an example.
    pub fn get_mut(&mut self) -> &mut M {
        &mut self.messages
    }

    /// Returns the stream of messages, without the items that were read from it. See
    /// [`get_ref`](Self::get_ref) for an example.
    pub fn into_inner(self) -> M {
        self.messages
    }
}

/// Encodes a message. An empty ID is written only if it resets one that was written before.
fn encode(message: &MessageEvent, has_id: &mut bool) -> Result<Bytes, EncodeError> {
    let mut block = Encoder::new(String::new());
    if message.id().is_empty() && !*has_id {
        block.event(message.event()).data(message.data())?;
    } else {
        block.message(message)?;
        *has_id = !message.id().is_empty();
    }
    Ok(Bytes::from(block.into_inner()))
}

impl<M, E> Stream for Encoded<M>
where
    M: Stream<Item = Result<MessageEvent, MessageError<E>>>,
{
    type Item = Result<Bytes, EncodedError<E>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        poll_chosen(this.messages, cx, |item| {
            Some(match item {
                Ok(message) => encode(&message, this.has_id).map_err(EncodedError::Encode),
                Err(error) => Err(error.into()),
            })
        })
    }
}

impl<M, E> FusedStream for Encoded<M>
where
    M: Stream<Item = Result<MessageEvent, MessageError<E>>> + FusedStream,
{
    fn is_terminated(&self) -> bool {
        self.messages.is_terminated()
    }
}

/// The error of a stream of encoded messages.
///
/// The stream continues after [`Discarded`](Self::Discarded) and [`Encode`](Self::Encode). A
/// server that ends its response at the first error makes its reader reconnect, so a relay
/// that cannot replay should call `skip_discarded` before `encoded`.
///
/// ```
/// # futures_util::FutureExt::now_or_never(async {
/// use everstream::{EncodedError, EventStreamExt, MessageEvent};
/// use futures_util::StreamExt;
///
/// let forged = MessageEvent::new("price\ndata: 99", "12", "");
/// let events = futures_util::stream::iter([Ok::<_, std::io::Error>(forged)]);
/// let chunk = events.encoded().next().await;
/// assert!(matches!(chunk, Some(Err(EncodedError::Encode(_)))));
/// # }).unwrap();
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EncodedError<E> {
    /// The error of the stream of events.
    Stream(E),
    /// The report of an event that was over the size limit. The stream continues after it.
    Discarded(Discarded),
    /// The stream of events ended before its terminator, as in [`MessageError::EndedEarly`].
    EndedEarly,
    /// The error of a message that no event stream can carry. The stream continues after it. A
    /// received message never causes it.
    Encode(EncodeError),
}

impl<E> From<MessageError<E>> for EncodedError<E> {
    fn from(error: MessageError<E>) -> Self {
        match error {
            MessageError::Stream(error) => EncodedError::Stream(error),
            MessageError::Discarded(report) => EncodedError::Discarded(report),
            MessageError::EndedEarly => EncodedError::EndedEarly,
        }
    }
}

impl<E: fmt::Display> fmt::Display for EncodedError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodedError::Stream(error) => error.fmt(f),
            EncodedError::Discarded(report) => report.fmt(f),
            EncodedError::EndedEarly => f.write_str(ENDED_EARLY),
            EncodedError::Encode(error) => error.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for EncodedError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // `Display` prints the error, so the chain continues with its source.
            EncodedError::Stream(error) => error.source(),
            EncodedError::Encode(error) => error.source(),
            EncodedError::Discarded(_) | EncodedError::EndedEarly => None,
        }
    }
}
