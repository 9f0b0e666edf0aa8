//! The messages of a stream of events, and the selection that other adapters share.

#[cfg(feature = "json")]
use super::Json;
use super::{Encoded, EventItem, MessageError, Predicate, Sentinel, Terminated, poll_chosen};
use crate::frame::{Discarded, MESSAGE};
use crate::owned::MessageEvent;
use alloc::string::String;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::stream::{FusedStream, Stream, TryStream};
use pin_project_lite::pin_project;

/// The rule that says which items of a stream an adapter yields.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    event: Option<String>,
    skips_discarded: bool,
}

impl Selection {
    pub(super) fn set_event(&mut self, event: String) {
        self.event = Some(if event.is_empty() { MESSAGE.into() } else { event });
    }

    pub(super) fn skip_discarded(&mut self) {
        self.skips_discarded = true;
    }

    pub(super) fn selects(&self, message: &MessageEvent) -> bool {
        self.event.as_ref().is_none_or(|event| message.event() == event.as_str())
    }

    /// Returns whether the report is an error. An event that was cut off before its type was
    /// read may be of any type, so it is reported.
    pub(super) fn reports(&self, report: &Discarded) -> bool {
        let is_other = |event: &String| report.event().is_some_and(|found| found != event);
        !self.skips_discarded && !self.event.as_ref().is_some_and(is_other)
    }
}

pin_project! {
    /// A stream of the messages of a stream of events, created by
    /// [`messages`](super::EventStreamExt::messages) or [`named`](super::EventStreamExt::named).
    ///
    /// It ends when the stream of events ends. See [`EventStreamExt`](super::EventStreamExt)
    /// for cancellation.
    #[derive(Debug, Clone)]
    #[must_use = "streams do nothing unless polled"]
    pub struct Messages<S> {
        #[pin]
        events: S,
        selection: Selection,
    }
}

impl<S> Messages<S> {
    pub(super) fn new(events: S) -> Self {
        Messages { events, selection: Selection::default() }
    }

    /// Selects the messages of one type. See
    /// [`EventStreamExt::named`](super::EventStreamExt::named) for an example.
    pub fn named(mut self, event: impl Into<String>) -> Self {
        self.selection.set_event(event.into());
        self
    }

    /// Skips events over the size limit instead of yielding
    /// [`MessageError::Discarded`].
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// use everstream::{EventStream, EventStreamExt};
    /// use futures_util::TryStreamExt;
    ///
    /// let body = futures_util::stream::iter([Ok::<_, std::io::Error>(
    ///     "data: a\n\ndata: much too long for the limit\n\ndata: b\n\n",
    /// )]);
    /// let events = EventStream::new(body).with_max_event_size(16);
    /// let messages: Vec<_> = events.messages().skip_discarded().try_collect().await?;
    /// assert_eq!(messages.len(), 2);
    /// # Ok::<_, everstream::MessageError<std::io::Error>>(())
    /// # }).unwrap().unwrap();
    /// ```
    pub fn skip_discarded(mut self) -> Self {
        self.selection.skip_discarded();
        self
    }

    /// Ends the stream at the first message with this data. See
    /// [`EventStreamExt::terminated_by`](super::EventStreamExt::terminated_by) for an example.
    pub fn terminated_by(self, data: impl Into<String>) -> Terminated<S, Sentinel> {
        Terminated::new(self.events, self.selection, Sentinel::new(data.into()))
    }

    /// Ends the stream after the first message for which `predicate` returns true. See
    /// [`EventStreamExt::through`](super::EventStreamExt::through) for an example.
    pub fn through<F>(self, predicate: F) -> Terminated<S, Predicate<F>>
    where
        F: FnMut(&MessageEvent) -> bool,
    {
        Terminated::new(self.events, self.selection, Predicate::new(predicate))
    }

    /// Decodes the data of each message from JSON. See
    /// [`EventStreamExt::json`](super::EventStreamExt::json) for an example.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(self) -> Json<Self, T> {
        Json::new(self)
    }

    /// Encodes each message as the block of an event stream. See
    /// [`EventStreamExt::encoded`](super::EventStreamExt::encoded) for an example.
    pub fn encoded(self) -> Encoded<Self> {
        Encoded::new(self)
    }

    /// Returns the stream of events.
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// use everstream::{EventStream, EventStreamExt};
    /// use futures_util::StreamExt;
    ///
    /// let body = futures_util::stream::iter([Ok::<_, ()>("id: 1\ndata: a\n\n")]);
    /// let mut messages = EventStream::new(body).messages();
    /// messages.next().await;
    /// assert_eq!(messages.get_ref().last_event_id(), "1");
    /// # }).unwrap();
    /// ```
    pub fn get_ref(&self) -> &S {
        &self.events
    }

    /// Returns the stream of events, for example to close it. Items that the caller takes
    /// from it are missing from the messages.
    ///
    /// ```
    /// # #[cfg(feature = "reqwest")] {
    /// use everstream::{EventStreamExt, RequestBuilderExt};
    ///
    /// let request = reqwest::Client::new().get("http://localhost/events");
    /// let mut messages = request.into_event_source().messages();
    /// let handle = messages.get_mut().handle();
    /// messages.get_mut().close();
    /// # }
    /// ```
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.events
    }

    /// Returns the stream of events, without the items that were read from it.
    ///
    /// ```
    /// # use everstream::{EventStream, EventStreamExt};
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let messages = EventStream::new(body).messages();
    /// let events: EventStream<_> = messages.into_inner();
    /// ```
    pub fn into_inner(self) -> S {
        self.events
    }
}

impl<S: TryStream<Ok: EventItem>> Stream for Messages<S> {
    type Item = Result<MessageEvent, MessageError<S::Error>>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let selection = &*this.selection;
        poll_chosen(this.events, cx, |item| match item {
            Ok(item) => match item.into_event()? {
                Ok(message) => selection.selects(&message).then_some(Ok(message)),
                Err(report) => {
                    selection.reports(&report).then_some(Err(MessageError::Discarded(report)))
                }
            },
            Err(error) => Some(Err(MessageError::Stream(error))),
        })
    }
}

impl<S: TryStream<Ok: EventItem> + FusedStream> FusedStream for Messages<S> {
    fn is_terminated(&self) -> bool {
        self.events.is_terminated()
    }
}
