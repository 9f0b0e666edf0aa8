//! The adapters of streams of events: messages, messages of one type, an end at a terminator,
//! decoded data.
//!
//! Invariants:
//! - An error of the stream passes through each adapter and ends none.
//! - An event over the size limit is an error of each adapter that drops items, unless the
//!   caller opts out.
//! - Adapters read nothing ahead and keep no item between polls, so a dropped `next()` loses
//!   nothing.
//! - A poll looks at a bounded number of items.

mod encoded;
mod error;
#[cfg(feature = "json")]
mod json;
mod messages;
mod router;
mod terminated;
mod until;

pub use encoded::{Encoded, EncodedError};
pub use error::MessageError;
#[cfg(feature = "json")]
pub use json::{Json, JsonError};
pub use messages::Messages;
pub use router::Router;
pub use terminated::{Predicate, Sentinel, Terminated};
pub use until::Until;

use crate::frame::Discarded;
use crate::owned::{MessageEvent, OwnedFrame};
use alloc::string::String;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_core::stream::TryStream;

/// Maximum items that one poll skips before it lets other tasks run.
const ITEMS_PER_POLL: usize = 256;

/// An item of a stream of events, which may be a message.
///
/// It is implemented for [`OwnedFrame`], [`MessageEvent`],
/// [`reconnect::ReconnectEvent`](crate::reconnect::ReconnectEvent) and the item of an
/// `EventSource`. Implement it for your own item type to use the adapters of
/// [`EventStreamExt`] on its streams.
///
/// ```
/// use everstream::{EventItem, MessageEvent, OwnedFrame};
///
/// let frame = OwnedFrame::Message(MessageEvent::new("", "hi", ""));
/// assert_eq!(frame.into_message().unwrap().data(), "hi");
/// assert_eq!(OwnedFrame::Comment("hi".to_string()).into_message(), None);
/// ```
pub trait EventItem {
    /// Returns the message, or the report of an event over the size limit. `None` for any other
    /// item.
    ///
    /// ```
    /// use everstream::{EventItem, MessageEvent, OwnedFrame};
    ///
    /// let frame = OwnedFrame::Message(MessageEvent::new("", "hi", ""));
    /// assert_eq!(frame.into_event().unwrap().unwrap().data(), "hi");
    /// ```
    fn into_event(self) -> Option<Result<MessageEvent, Discarded>>;

    /// Returns the message, if the item is one. See [`EventItem`] for an example.
    #[inline]
    fn into_message(self) -> Option<MessageEvent>
    where
        Self: Sized,
    {
        self.into_event()?.ok()
    }
}

impl EventItem for MessageEvent {
    #[inline]
    fn into_event(self) -> Option<Result<MessageEvent, Discarded>> {
        Some(Ok(self))
    }
}

impl EventItem for OwnedFrame {
    #[inline]
    fn into_event(self) -> Option<Result<MessageEvent, Discarded>> {
        match self {
            OwnedFrame::Message(message) => Some(Ok(message)),
            OwnedFrame::Discarded(report) => Some(Err(report)),
            OwnedFrame::Comment(_) | OwnedFrame::Update(_) => None,
        }
    }
}

/// Adapters of streams of events: an `EventSource`, a [`Reconnect`](crate::reconnect::Reconnect),
/// an [`EventStream`](crate::EventStream), an `EventReader`, and streams that combinators of
/// futures make of these.
///
/// The adapters are [fused](futures_core::stream::FusedStream), `Send`, `Sync` and `Unpin`
/// where the stream is. They keep no item between polls, so a `next()` that is dropped in a
/// `select!` or a timeout loses nothing. `get_ref`, `get_mut` and `into_inner` return the
/// stream itself.
///
/// `messages`, `named`, `terminated_by` and `through` can be chained, and end in `json` or
/// `encoded`. The chain has one error type, such as [`MessageError`] or `JsonError`, around the
/// error of the stream.
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
///     .terminated_by("[DONE]")
///     .named("price")
///     .map_ok(|message| message.into_data())
///     .try_collect()
///     .await?;
/// assert_eq!(prices, ["12", "13"]);
/// # Ok::<_, everstream::MessageError<std::io::Error>>(())
/// # }).unwrap().unwrap();
/// ```
pub trait EventStreamExt: TryStream<Ok: EventItem> + Sized {
    /// Yields the messages. An event over the size limit is a [`MessageError::Discarded`],
    /// unless [`skip_discarded`](Messages::skip_discarded) is called; the stream continues after
    /// it. Connections, reconnections and comments are dropped. To see them, call `inspect_ok`
    /// of futures before this adapter. The stream ends when the stream of events ends.
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
    /// # Ok::<_, everstream::MessageError<std::io::Error>>(())
    /// # }).unwrap().unwrap();
    /// ```
    #[doc(alias = "onmessage")]
    fn messages(self) -> Messages<Self> {
        Messages::new(self)
    }

    /// Yields the messages of one type. Events without a type have the type `message`; an
    /// empty `event` selects them too. Types are compared literally. An event over the size
    /// limit is an error if its type is this one or was not read.
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// use everstream::{EventStream, EventStreamExt};
    /// use futures_util::StreamExt;
    ///
    /// let body = futures_util::stream::iter([
    ///     Ok::<_, ()>("data: a\n\nevent: price\ndata: 12\n\n"),
    /// ]);
    /// let mut prices = EventStream::new(body).named("price");
    /// assert_eq!(prices.next().await.unwrap()?.data(), "12");
    /// # Ok::<_, everstream::MessageError<()>>(())
    /// # }).unwrap().unwrap();
    /// ```
    #[doc(alias = "addEventListener")]
    fn named(self, event: impl Into<String>) -> Messages<Self> {
        Messages::new(self).named(event)
    }

    /// Yields the messages before the first one with exactly this data, such as `[DONE]`, and
    /// ends there. The terminator is not yielded. It drops the stream, which closes the
    /// connection.
    ///
    /// If the stream ends first, the last item is an error: the stream's own, or
    /// [`MessageError::EndedEarly`]. A source that reconnects does not end when a connection
    /// does, so the terminator may come on a later connection. Closing the source by hand
    /// counts as an early end. The terminator may be of any type, even after
    /// [`named`](Messages::named).
    ///
    #[cfg_attr(feature = "json", doc = "```")]
    #[cfg_attr(not(feature = "json"), doc = "```ignore")]
    /// # futures_util::FutureExt::now_or_never(async {
    /// use everstream::{EventStream, EventStreamExt, JsonError};
    /// use futures_util::StreamExt;
    ///
    /// let body = futures_util::stream::iter([
    ///     Ok::<_, std::io::Error>("data: 1\n\ndata: [DONE]\n\n"),
    /// ]);
    /// let mut numbers = EventStream::new(body).terminated_by("[DONE]").json::<u64>();
    /// assert_eq!(numbers.next().await.unwrap()?, 1);
    /// assert!(numbers.next().await.is_none());
    ///
    /// let cut = futures_util::stream::iter([Ok::<_, std::io::Error>("data: 1\n\n")]);
    /// let mut numbers = EventStream::new(cut).terminated_by("[DONE]").json::<u64>();
    /// assert_eq!(numbers.next().await.unwrap()?, 1);
    /// assert!(matches!(numbers.next().await, Some(Err(JsonError::EndedEarly))));
    /// # Ok::<_, JsonError<std::io::Error>>(())
    /// # }).unwrap().unwrap();
    /// ```
    fn terminated_by(self, data: impl Into<String>) -> Terminated<Self, Sentinel> {
        Messages::new(self).terminated_by(data)
    }

    /// Yields the messages through the first one for which `predicate` returns true, and ends
    /// after it. Use it where the last message matters, as OpenAI's `response.completed` and
    /// Anthropic's `message_stop` do. The last message drops the stream, which closes the
    /// connection.
    ///
    /// If the stream ends first, the last item is an error: the stream's own, or
    /// [`MessageError::EndedEarly`]. The predicate sees each message of the stream once,
    /// whatever its type, even after [`named`](Messages::named).
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// use everstream::{EventStream, EventStreamExt};
    /// use futures_util::TryStreamExt;
    ///
    /// let body = futures_util::stream::iter([Ok::<_, std::io::Error>(
    ///     "event: delta\ndata: hi\n\nevent: completed\ndata: 1 token\n\n",
    /// )]);
    /// let answer = EventStream::new(body).through(|message| message.event() == "completed");
    /// let answer: Vec<_> = answer.try_collect().await?;
    /// assert_eq!(answer[1].data(), "1 token");
    /// # Ok::<_, everstream::MessageError<std::io::Error>>(())
    /// # }).unwrap().unwrap();
    /// ```
    fn through<F>(self, predicate: F) -> Terminated<Self, Predicate<F>>
    where
        F: FnMut(&MessageEvent) -> bool,
    {
        Messages::new(self).through(predicate)
    }

    /// Ends the stream at the first item for which `predicate` returns true. That item is not
    /// yielded. The stream is dropped at once, which closes its connection.
    ///
    /// An end without such an item is not an error, but [`is_done`](Until::is_done) returns false.
    /// [`terminated_by`](Self::terminated_by) makes it an error. After `messages`, the error of
    /// a following `json` is nested: `JsonError<MessageError<_>>`.
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// use everstream::{EventStream, EventStreamExt, OwnedFrame};
    /// use futures_util::StreamExt;
    ///
    /// let body = futures_util::stream::iter([Ok::<_, ()>("data: a\n\n: stop\n")]);
    /// // A body that never ends.
    /// let body = body.chain(futures_util::stream::pending());
    /// let mut events = EventStream::new(body)
    ///     .with_comments(true)
    ///     .until(|frame| matches!(frame, OwnedFrame::Comment(text) if text == "stop"));
    /// assert!(matches!(events.next().await, Some(Ok(OwnedFrame::Message(_)))));
    /// assert_eq!(events.next().await, None);
    /// assert!(events.is_done());
    /// # }).unwrap();
    /// ```
    fn until<F>(self, predicate: F) -> Until<Self, F>
    where
        F: FnMut(&Self::Ok) -> bool,
    {
        Until::new(self, predicate)
    }

    /// Decodes the data of each message from JSON. Messages whose data is empty or JSON white
    /// space are skipped: servers send them to set an ID or as a sign of life.
    ///
    /// Data of the wrong shape is a [`JsonError::Decode`] with the message in it, and an event
    /// over the size limit a [`JsonError::Discarded`]; the stream continues after both. It ends
    /// when the stream of events ends.
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// use everstream::{EventStream, EventStreamExt};
    /// use futures_util::StreamExt;
    ///
    /// let body = futures_util::stream::iter([
    ///     Ok::<_, std::io::Error>("data: [1, 2]\n\ndata: x\n\n"),
    /// ]);
    /// let mut numbers = EventStream::new(body).json::<Vec<u64>>();
    /// assert_eq!(numbers.next().await.unwrap()?, [1, 2]);
    /// assert!(numbers.next().await.unwrap().is_err());
    /// # Ok::<_, everstream::JsonError<std::io::Error>>(())
    /// # }).unwrap().unwrap();
    /// ```
    #[cfg(feature = "json")]
    fn json<T: serde::de::DeserializeOwned>(self) -> Json<Messages<Self>, T> {
        Json::new(Messages::new(self))
    }

    /// Encodes each message as the block of an event stream, with its ID, for the body of a
    /// relay's response. Each chunk is one whole event. An empty ID is written only if it
    /// resets one that was written before.
    ///
    /// The stream ends when the stream of events ends. Errors pass through, and an event over
    /// the size limit is one; see [`EncodedError`].
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// use everstream::{EventStream, EventStreamExt};
    /// use futures_util::TryStreamExt;
    ///
    /// let upstream = futures_util::stream::iter([
    ///     Ok::<_, std::io::Error>("id:7\ndata:a\n\ndata:b\n\n"),
    /// ]);
    /// let chunks: Vec<_> = EventStream::new(upstream).encoded().try_collect().await?;
    /// assert_eq!(chunks, ["id: 7\ndata: a\n\n", "id: 7\ndata: b\n\n"]);
    /// # Ok::<_, everstream::EncodedError<std::io::Error>>(())
    /// # }).unwrap().unwrap();
    /// ```
    #[doc(alias = "relay")]
    fn encoded(self) -> Encoded<Messages<Self>> {
        Encoded::new(Messages::new(self))
    }
}

impl<S: TryStream<Ok: EventItem>> EventStreamExt for S {}

/// Polls a stream for the first item for which `choose` returns a value.
#[inline]
fn poll_chosen<S: TryStream, T>(
    mut stream: Pin<&mut S>,
    cx: &mut Context<'_>,
    mut choose: impl FnMut(Result<S::Ok, S::Error>) -> Option<T>,
) -> Poll<Option<T>> {
    for _ in 0..ITEMS_PER_POLL {
        match ready!(stream.as_mut().try_poll_next(cx)) {
            Some(item) => {
                if let Some(chosen) = choose(item) {
                    return Poll::Ready(Some(chosen));
                }
            }
            None => return Poll::Ready(None),
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}
