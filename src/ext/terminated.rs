//! The messages of a stream of events up to a terminator, whose absence is an error.
//!
//! Invariants:
//! - The terminator drops the stream of events, which closes its connection.
//! - An end without the terminator is reported once, after everything else. It is not reported
//!   after an error of the stream, which already shows that the stream is incomplete.

#[cfg(feature = "json")]
use super::Json;
use super::messages::Selection;
use super::{Encoded, EventItem, MessageError, poll_chosen};
use crate::owned::MessageEvent;
use alloc::string::String;
use core::fmt;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_core::stream::{FusedStream, Stream, TryStream};
use pin_project_lite::pin_project;

mod sealed {
    /// The rule that finds the last message of a stream.
    pub trait Terminator {
        /// True if the stream yields the terminator before it ends.
        const IS_YIELDED: bool;

        /// Returns whether this message is the terminator.
        fn is_terminator(&mut self, message: &super::MessageEvent) -> bool;
    }
}
use sealed::Terminator;

/// The terminator of [`terminated_by`](super::EventStreamExt::terminated_by): a message with
/// this data.
#[derive(Debug, Clone)]
pub struct Sentinel {
    data: String,
}

impl Sentinel {
    pub(super) fn new(data: String) -> Self {
        Sentinel { data }
    }
}

impl Terminator for Sentinel {
    const IS_YIELDED: bool = false;

    fn is_terminator(&mut self, message: &MessageEvent) -> bool {
        message.data_bytes() == self.data.as_bytes()
    }
}

/// The terminator of [`through`](super::EventStreamExt::through): a message for which the
/// predicate returns true.
#[derive(Clone)]
pub struct Predicate<F> {
    predicate: F,
}

impl<F> Predicate<F> {
    pub(super) fn new(predicate: F) -> Self {
        Predicate { predicate }
    }
}

impl<F: FnMut(&MessageEvent) -> bool> Terminator for Predicate<F> {
    const IS_YIELDED: bool = true;

    fn is_terminator(&mut self, message: &MessageEvent) -> bool {
        (self.predicate)(message)
    }
}

impl<F> fmt::Debug for Predicate<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Predicate").finish_non_exhaustive()
    }
}

pin_project! {
    /// A stream of messages that ends at a terminator, created by
    /// [`terminated_by`](super::EventStreamExt::terminated_by) or
    /// [`through`](super::EventStreamExt::through).
    ///
    /// Without the terminator it ends with [`MessageError::EndedEarly`], or with the error of
    /// the stream of events.
    #[derive(Debug, Clone)]
    #[must_use = "streams do nothing unless polled"]
    pub struct Terminated<S, P> {
        // `None` after the terminator.
        #[pin]
        events: Option<S>,
        selection: Selection,
        terminator: P,
        // Set once an item has reported that the stream is incomplete.
        is_reported: bool,
        // Set if that item took the place of the end, which follows.
        owes_end: bool,
    }
}

impl<S, P> Terminated<S, P> {
    pub(super) fn new(events: S, selection: Selection, terminator: P) -> Self {
        let (is_reported, owes_end) = (false, false);
        Terminated { events: Some(events), selection, terminator, is_reported, owes_end }
    }

    /// Selects the messages of one type. The terminator may be of any type; one that is not
    /// selected ends the stream and is not yielded.
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// use everstream::{EventStream, EventStreamExt};
    /// use futures_util::TryStreamExt;
    ///
    /// let body = futures_util::stream::iter([Ok::<_, std::io::Error>(
    ///     "event: ping\ndata: {}\n\nevent: delta\ndata: hi\n\nevent: message_stop\ndata: {}\n\n",
    /// )]);
    /// let deltas = EventStream::new(body)
    ///     .through(|message| message.event() == "message_stop")
    ///     .named("delta");
    /// let deltas: Vec<_> = deltas.map_ok(|message| message.into_data()).try_collect().await?;
    /// assert_eq!(deltas, ["hi"]);
    /// # Ok::<_, everstream::MessageError<std::io::Error>>(())
    /// # }).unwrap().unwrap();
    /// ```
    pub fn named(mut self, event: impl Into<String>) -> Self {
        self.selection.set_event(event.into());
        self
    }

    /// Skips events over the size limit instead of yielding [`MessageError::Discarded`]. See
    /// [`Messages::skip_discarded`](super::Messages::skip_discarded) for an example.
    pub fn skip_discarded(mut self) -> Self {
        self.selection.skip_discarded();
        self
    }

    /// Decodes the data of each message from JSON. See
    /// [`EventStreamExt::terminated_by`](super::EventStreamExt::terminated_by) for an example.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(self) -> Json<Self, T> {
        Json::new(self)
    }

    /// Encodes each message as the block of an event stream. See
    /// [`EventStreamExt::encoded`](super::EventStreamExt::encoded) for an example.
    pub fn encoded(self) -> Encoded<Self> {
        Encoded::new(self)
    }

    /// Returns whether the terminator was received.
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// use everstream::{EventStream, EventStreamExt};
    /// use futures_util::StreamExt;
    ///
    /// let body = futures_util::stream::iter([Ok::<_, ()>("data: [DONE]\n\n")]);
    /// let mut messages = EventStream::new(body).terminated_by("[DONE]");
    /// assert!(!messages.is_done());
    /// assert!(messages.next().await.is_none());
    /// assert!(messages.is_done());
    /// # }).unwrap();
    /// ```
    pub fn is_done(&self) -> bool {
        self.events.is_none()
    }

    /// Returns the stream of events, or `None` after the terminator dropped it.
    ///
    /// ```
    /// # use everstream::{EventStream, EventStreamExt};
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let messages = EventStream::new(body).terminated_by("[DONE]");
    /// assert_eq!(messages.get_ref().map(|events| events.last_event_id()), Some(""));
    /// ```
    pub fn get_ref(&self) -> Option<&S> {
        self.events.as_ref()
    }

    /// Returns the stream of events, for example to close it, or `None` after the terminator
    /// dropped it. See [`get_ref`](Self::get_ref) for an example.
    pub fn get_mut(&mut self) -> Option<&mut S> {
        self.owes_end = false; // the caller may revive the stream
        self.events.as_mut()
    }

    /// Returns the stream of events, or `None` after the terminator dropped it. See
    /// [`get_ref`](Self::get_ref) for an example.
    pub fn into_inner(self) -> Option<S> {
        self.events
    }
}

impl<S, P> Stream for Terminated<S, P>
where
    S: TryStream<Ok: EventItem>,
    P: Terminator,
{
    type Item = Result<MessageEvent, MessageError<S::Error>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        let Some(events) = this.events.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        if mem::take(this.owes_end) {
            // The stream may panic if it is polled after its end.
            return Poll::Ready(None);
        }
        let mut is_done = false;
        let item = ready!(poll_chosen(events, cx, |item| match item {
            Ok(item) => match item.into_event()? {
                Ok(message) => {
                    is_done = this.terminator.is_terminator(&message);
                    let is_yielded = this.selection.selects(&message);
                    match is_done {
                        true => Some((P::IS_YIELDED && is_yielded).then_some(Ok(message))),
                        false => is_yielded.then_some(Some(Ok(message))),
                    }
                }
                Err(report) => {
                    let is_reported = this.selection.reports(&report);
                    is_reported.then_some(Some(Err(MessageError::Discarded(report))))
                }
            },
            Err(error) => Some(Some(Err(MessageError::Stream(error)))),
        }));
        if is_done {
            this.events.set(None);
            return Poll::Ready(item.flatten());
        }
        let was_reported = mem::replace(
            this.is_reported,
            matches!(item, None | Some(Some(Err(MessageError::Stream(_))))),
        );
        Poll::Ready(match item {
            Some(item) => item,
            None if was_reported => None,
            None => {
                *this.owes_end = true;
                Some(Err(MessageError::EndedEarly))
            }
        })
    }
}

impl<S, P> FusedStream for Terminated<S, P>
where
    S: TryStream<Ok: EventItem> + FusedStream,
    P: Terminator,
{
    fn is_terminated(&self) -> bool {
        self.events.as_ref().is_none_or(|events| self.is_reported && events.is_terminated())
    }
}
