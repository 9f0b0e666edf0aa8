//! What is asked of nearly every stream of events, as adapters: only its messages, only
//! those of one type, its end at a sentinel, its data decoded.
//!
//! Invariants:
//! - An error of the stream passes through each of them, and ends none.
//! - They hold nothing back and read nothing ahead: cancelling a poll of an adapter loses
//!   nothing that cancelling one of its stream would not.

#[cfg(feature = "json")]
mod json;
mod messages;
mod named;
mod until;

#[cfg(feature = "json")]
pub use json::{Json, JsonError};
pub use messages::Messages;
pub use named::Named;
pub use until::Until;

use crate::message::{MessageEvent, OwnedFrame};
use alloc::string::String;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_core::stream::TryStream;

/// After so many items that nobody wants a poll makes room for others.
const ITEMS_PER_POLL: usize = 256;

/// What a stream of events gives, which may be a message.
///
/// It is there for [`OwnedFrame`], for [`reconnect::ReconnectEvent`](crate::reconnect::ReconnectEvent),
/// which is what an `EventSource` gives, and for [`MessageEvent`] itself. Implement it for
/// an item of your own, and the adapters of [`EventStreamExt`] are there for its streams.
///
/// ```
/// use everstream::{EventItem, MessageEvent, OwnedFrame};
///
/// let frame = OwnedFrame::Message(MessageEvent::new("", "hi", ""));
/// assert_eq!(frame.into_message().unwrap().data(), "hi");
/// assert_eq!(OwnedFrame::Comment("hi".to_string()).into_message(), None);
/// ```
pub trait EventItem {
    /// The message, if it is one. See [`EventItem`] for an example.
    fn into_message(self) -> Option<MessageEvent>;
}

impl EventItem for MessageEvent {
    #[inline]
    fn into_message(self) -> Option<MessageEvent> {
        Some(self)
    }
}

impl EventItem for OwnedFrame {
    #[inline]
    fn into_message(self) -> Option<MessageEvent> {
        match self {
            OwnedFrame::Message(message) => Some(message),
            OwnedFrame::Comment(_) | OwnedFrame::Discarded(_) => None,
        }
    }
}

/// Adapters of every stream of events: of an `EventSource`, a
/// [`Reconnect`](crate::reconnect::Reconnect), an [`EventStream`](crate::EventStream), an
/// `EventReader`, of each other, and of what the combinators of futures or futures-lite
/// make of these.
///
/// They are [fused](futures_core::stream::FusedStream), `Send`, `Sync` and `Unpin` where
/// the stream is. An error of the stream passes through, and does not end them. The
/// stream itself stays in reach: `get_ref`, `get_mut`, `into_inner`.
///
/// ```
/// # futures_util::FutureExt::now_or_never(async {
/// use everstream::{EventStream, EventStreamExt};
/// use futures_util::TryStreamExt;
///
/// let body = futures_util::stream::iter([Ok::<_, std::io::Error>(
///     "event: price\ndata: 12\n\ndata: noise\n\nevent: price\ndata: 13\n\ndata: [DONE]\n\n",
/// )]);
/// let prices: Vec<_> = EventStream::new(body)
///     .until(|frame| matches!(frame, everstream::OwnedFrame::Message(m) if m.data() == "[DONE]"))
///     .named("price")
///     .map_ok(|message| message.into_data())
///     .try_collect()
///     .await?;
/// assert_eq!(prices, ["12", "13"]);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap().unwrap();
/// ```
pub trait EventStreamExt: TryStream<Ok: EventItem> + Sized {
    /// Only the messages. What else the stream tells is dropped: connections that stand,
    /// losses and waits, comments, and also events beyond the limit. To see it go by,
    /// look at the items before (`inspect_ok` of futures); to have an event beyond the
    /// limit as an error, see
    /// [`on_oversize`](crate::reconnect::Reconnect::with_on_oversize).
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// use everstream::{EventStream, EventStreamExt, MessageEvent};
    /// use futures_util::TryStreamExt;
    ///
    /// let body = futures_util::stream::iter([Ok::<_, std::io::Error>(": hi\ndata: a\n\n")]);
    /// let events = EventStream::new(body).with_comments(true);
    /// let messages: Vec<MessageEvent> = events.messages().try_collect().await?;
    /// assert_eq!(messages, [MessageEvent::new("", "a", "")]);
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap().unwrap();
    /// ```
    fn messages(self) -> Messages<Self> {
        Messages::new(self)
    }

    /// Only the messages of this type; those of a stream that names none are of the type
    /// `message`, which an empty name stands for too. Types are compared literally.
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// use everstream::{EventStream, EventStreamExt};
    /// use futures_util::StreamExt;
    ///
    /// let body = futures_util::stream::iter([Ok::<_, ()>("data: a\n\nevent: price\ndata: 12\n\n")]);
    /// let mut prices = EventStream::new(body).named("price");
    /// assert_eq!(prices.next().await.unwrap()?.data(), "12");
    /// # Ok::<_, ()>(())
    /// # }).unwrap().unwrap();
    /// ```
    fn named(self, event: impl Into<String>) -> Named<Self> {
        Named::new(self, event.into())
    }

    /// Ends the stream at the first item of which this is true, such as the `[DONE]` of an
    /// LLM's API. That item is not given. The stream that it came from is dropped at once,
    /// which closes its connection: it neither waits for the server to end it nor connects
    /// again.
    ///
    /// A stream that ends by itself, or by an error, ends without a sentinel.
    /// [`is_done`](Until::is_done) tells one end from the other.
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// use everstream::{EventStream, EventStreamExt};
    /// use futures_util::StreamExt;
    ///
    /// let body = futures_util::stream::iter([Ok::<_, ()>("data: a\n\ndata: [DONE]\n\n")]);
    /// // It would wait for ever.
    /// let body = body.chain(futures_util::stream::pending());
    /// let mut events = EventStream::new(body).messages().until(|message| message.data() == "[DONE]");
    /// assert_eq!(events.next().await.unwrap()?.data(), "a");
    /// assert_eq!(events.next().await, None);
    /// assert!(events.is_done());
    /// # Ok::<_, ()>(())
    /// # }).unwrap().unwrap();
    /// ```
    fn until<F>(self, predicate: F) -> Until<Self, F>
    where
        F: FnMut(&Self::Ok) -> bool,
    {
        Until::new(self, predicate)
    }

    /// The data of each message, decoded from JSON. What is not a message is dropped, as
    /// by [`messages`](Self::messages), and so is a message of empty data: servers send
    /// such to set an id, or to show that they live. Data of the wrong shape is a
    /// [`JsonError::Decode`] with the message in it, and does not end the stream.
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// use everstream::{EventStream, EventStreamExt};
    /// use futures_util::StreamExt;
    ///
    /// let body = futures_util::stream::iter([Ok::<_, std::io::Error>("data: [1, 2]\n\ndata: x\n\n")]);
    /// let mut numbers = EventStream::new(body).json::<Vec<u64>>();
    /// assert_eq!(numbers.next().await.unwrap()?, [1, 2]);
    /// assert!(numbers.next().await.unwrap().is_err());
    /// # Ok::<_, everstream::JsonError<std::io::Error>>(())
    /// # }).unwrap().unwrap();
    /// ```
    #[cfg(feature = "json")]
    fn json<T: serde::de::DeserializeOwned>(self) -> Json<Self, T> {
        Json::new(self)
    }
}

impl<S: TryStream<Ok: EventItem>> EventStreamExt for S {}

/// What [`try_poll_next`](TryStream::try_poll_next) of one of these streams gives.
type Polled<T, E> = Poll<Option<Result<T, E>>>;

/// Polls a stream for the first item that `choose` makes something of.
#[inline]
fn poll_chosen<S: TryStream, T>(
    mut stream: Pin<&mut S>,
    cx: &mut Context<'_>,
    mut choose: impl FnMut(S::Ok) -> Option<T>,
) -> Polled<T, S::Error> {
    for _ in 0..ITEMS_PER_POLL {
        match ready!(stream.as_mut().try_poll_next(cx)) {
            Some(Ok(item)) => {
                if let Some(chosen) = choose(item) {
                    return Poll::Ready(Some(Ok(chosen)));
                }
            }
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => return Poll::Ready(None),
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}
