//! The data of messages, decoded from JSON.

use super::{EventItem, poll_chosen};
use crate::message::MessageEvent;
use core::error::Error;
use core::fmt;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_core::stream::{FusedStream, Stream, TryStream};
use pin_project_lite::pin_project;
use serde::de::DeserializeOwned;

pin_project! {
    /// The decoded data of a stream's messages, made by
    /// [`json`](super::EventStreamExt::json), where there is an example.
    #[must_use = "streams do nothing unless polled"]
    pub struct Json<S, T> {
        #[pin]
        events: S,
        decoded: PhantomData<fn() -> T>,
    }
}

impl<S, T> Json<S, T> {
    pub(super) fn new(events: S) -> Self {
        Json { events, decoded: PhantomData }
    }

    /// The stream of events.
    ///
    /// ```
    /// # use everstream::{EventStream, EventStreamExt};
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let numbers = EventStream::new(body).json::<u64>();
    /// assert_eq!(numbers.get_ref().last_event_id(), "");
    /// ```
    pub fn get_ref(&self) -> &S {
        &self.events
    }

    /// The stream of events, to close it, say. What is taken from it here is not decoded.
    ///
    /// ```
    /// # use everstream::{EventStream, EventStreamExt};
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let mut numbers = EventStream::new(body).json::<u64>();
    /// let events: &mut EventStream<_> = numbers.get_mut();
    /// ```
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.events
    }

    /// The stream of events, with what was read of it already gone.
    ///
    /// ```
    /// # use everstream::{EventStream, EventStreamExt};
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let numbers = EventStream::new(body).json::<u64>();
    /// let events: EventStream<_> = numbers.into_inner();
    /// ```
    pub fn into_inner(self) -> S {
        self.events
    }
}

/// The message, unless there is nothing in it to decode.
fn with_data(item: impl EventItem) -> Option<MessageEvent> {
    item.into_message().filter(|message| !message.data().is_empty())
}

impl<S, T> Stream for Json<S, T>
where
    S: TryStream<Ok: EventItem>,
    T: DeserializeOwned,
{
    type Item = Result<T, JsonError<S::Error>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(match ready!(poll_chosen(self.project().events, cx, with_data)) {
            Some(Ok(event)) => Some(match serde_json::from_slice(event.data_bytes()) {
                Ok(decoded) => Ok(decoded),
                Err(error) => Err(JsonError::Decode { event, error }),
            }),
            Some(Err(error)) => Some(Err(JsonError::Stream(error))),
            None => None,
        })
    }
}

impl<S, T> FusedStream for Json<S, T>
where
    S: TryStream<Ok: EventItem> + FusedStream,
    T: DeserializeOwned,
{
    fn is_terminated(&self) -> bool {
        self.events.is_terminated()
    }
}

impl<S: Clone, T> Clone for Json<S, T> {
    fn clone(&self) -> Self {
        Json::new(self.events.clone())
    }
}

impl<S: fmt::Debug, T> fmt::Debug for Json<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Json").field("events", &self.events).finish()
    }
}

/// Why a stream of decoded data gives no data.
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
    /// An error of the stream itself. Whether more follows is as the stream has it.
    Stream(E),
    /// The data of a message is not what was asked for. The stream goes on.
    Decode {
        /// The message.
        event: MessageEvent,
        /// What is wrong with its data.
        error: serde_json::Error,
    },
}

impl<E: fmt::Display> fmt::Display for JsonError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JsonError::Stream(error) => error.fmt(f),
            JsonError::Decode { event, error } => {
                write!(f, "could not decode the data of an event of type {:?}: ", event.event())?;
                error.fmt(f)
            }
        }
    }
}

impl<E: Error + 'static> Error for JsonError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // It prints the error, so what is behind it is what the error has behind it.
            JsonError::Stream(error) => error.source(),
            JsonError::Decode { error, .. } => Some(error),
        }
    }
}
