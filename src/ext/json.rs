//! The data of messages, decoded from JSON.

use super::error::ENDED_EARLY;
use super::{MessageError, poll_chosen};
use crate::frame::Discarded;
use crate::owned::MessageEvent;
use core::error::Error;
use core::fmt;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;
use serde::de::DeserializeOwned;

pin_project! {
    /// A stream of the decoded data of messages, created by
    /// [`json`](super::EventStreamExt::json), where there is an example. `M` is the stream of
    /// [`Messages`](super::Messages) or of [`Terminated`](super::Terminated) messages.
    #[must_use = "streams do nothing unless polled"]
    pub struct Json<M, T> {
        #[pin]
        messages: M,
        decoded: PhantomData<fn() -> T>,
    }
}

impl<M, T> Json<M, T> {
    pub(super) fn new(messages: M) -> Self {
        Json { messages, decoded: PhantomData }
    }

    /// Returns the stream of messages.
    ///
    /// ```
    /// # use everstream::{EventStream, EventStreamExt};
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let numbers = EventStream::new(body).json::<u64>();
    /// assert_eq!(numbers.get_ref().get_ref().last_event_id(), "");
    /// ```
    pub fn get_ref(&self) -> &M {
        &self.messages
    }

    /// Returns the stream of messages. Items that the caller takes from it are not decoded.
    ///
    /// ```
    /// # use everstream::{EventStream, EventStreamExt};
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let mut numbers = EventStream::new(body).json::<u64>();
    /// let events: &mut EventStream<_> = numbers.get_mut().get_mut();
    /// ```
    pub fn get_mut(&mut self) -> &mut M {
        &mut self.messages
    }

    /// Returns the stream of messages, without the items that were read from it.
    ///
    /// ```
    /// # use everstream::{EventStream, EventStreamExt};
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let numbers = EventStream::new(body).json::<u64>();
    /// let events: EventStream<_> = numbers.into_inner().into_inner();
    /// ```
    pub fn into_inner(self) -> M {
        self.messages
    }
}

/// Returns whether there is nothing to decode: JSON's white space, or nothing at all.
fn is_blank(data: &[u8]) -> bool {
    data.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

impl<M, T, E> Stream for Json<M, T>
where
    M: Stream<Item = Result<MessageEvent, MessageError<E>>>,
    T: DeserializeOwned,
{
    type Item = Result<T, JsonError<E>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        poll_chosen(self.project().messages, cx, |item| match item {
            Ok(event) if is_blank(event.data_bytes()) => None,
            Ok(event) => Some(
                serde_json::from_slice(event.data_bytes())
                    .map_err(|error| JsonError::Decode { event, error }),
            ),
            Err(error) => Some(Err(error.into())),
        })
    }
}

impl<M, T, E> FusedStream for Json<M, T>
where
    M: Stream<Item = Result<MessageEvent, MessageError<E>>> + FusedStream,
    T: DeserializeOwned,
{
    fn is_terminated(&self) -> bool {
        self.messages.is_terminated()
    }
}

impl<M: Clone, T> Clone for Json<M, T> {
    fn clone(&self) -> Self {
        Json::new(self.messages.clone())
    }
}

impl<M: fmt::Debug, T> fmt::Debug for Json<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Json").field("messages", &self.messages).finish()
    }
}

/// Maximum bytes of the data that an error shows. 64 is a recognizable beginning.
const SHOWN: usize = 64;

/// The error of a stream of decoded data.
///
/// The stream continues after [`Decode`](Self::Decode) and [`Discarded`](Self::Discarded). It
/// ends with [`EndedEarly`](Self::EndedEarly). After [`Stream`](Self::Stream) the stream of
/// events decides; an `EventSource` ends with its first error.
///
/// ```
/// # futures_util::FutureExt::now_or_never(async {
/// use everstream::{EventStream, EventStreamExt, JsonError};
/// use futures_util::StreamExt;
///
/// let body = futures_util::stream::iter([Ok::<_, std::io::Error>("data: x\n\ndata: 1\n\n")]);
/// let mut numbers = EventStream::new(body).json::<u64>();
/// match numbers.next().await {
///     Some(Err(JsonError::Decode { event, .. })) => assert_eq!(event.data(), "x"),
///     other => panic!("{other:?}"),
/// }
/// assert_eq!(numbers.next().await.unwrap()?, 1);
/// # Ok::<_, JsonError<std::io::Error>>(())
/// # }).unwrap().unwrap();
/// ```
#[non_exhaustive]
#[derive(Debug)]
pub enum JsonError<E> {
    /// The error of the stream of events.
    Stream(E),
    /// The report of an event that was over the size limit. The stream continues after it.
    Discarded(Discarded),
    /// The stream of events ended before its terminator, as in
    /// [`MessageError::EndedEarly`].
    EndedEarly,
    /// The data of a message is not JSON of the type. The stream continues after it.
    Decode {
        /// The message.
        event: MessageEvent,
        /// The error in its data.
        error: serde_json::Error,
    },
}

impl<E> From<MessageError<E>> for JsonError<E> {
    fn from(error: MessageError<E>) -> Self {
        match error {
            MessageError::Stream(error) => JsonError::Stream(error),
            MessageError::Discarded(report) => JsonError::Discarded(report),
            MessageError::EndedEarly => JsonError::EndedEarly,
        }
    }
}

/// Prints the type of the message and at most 64 bytes of its data, escaped.
impl<E: fmt::Display> fmt::Display for JsonError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JsonError::Stream(error) => error.fmt(f),
            JsonError::Discarded(report) => report.fmt(f),
            JsonError::EndedEarly => f.write_str(ENDED_EARLY),
            JsonError::Decode { event, .. } => {
                let (name, data) = (beginning(event.event()), event.data());
                let shown = beginning(data);
                let more = if shown.len() < data.len() { ".." } else { "" };
                write!(f, "could not decode an event of type {name:?} with data {shown:?}{more}")
            }
        }
    }
}

/// Returns the beginning of the data, cut at a character boundary.
fn beginning(data: &str) -> &str {
    let mut end = data.len().min(SHOWN);
    while !data.is_char_boundary(end) {
        end -= 1;
    }
    &data[..end]
}

impl<E: Error + 'static> Error for JsonError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // `Display` prints the error, so the chain continues with its source.
            JsonError::Stream(error) => error.source(),
            JsonError::Discarded(_) | JsonError::EndedEarly => None,
            JsonError::Decode { error, .. } => Some(error),
        }
    }
}
