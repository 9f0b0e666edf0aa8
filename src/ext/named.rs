//! Only the messages of one type.

use super::{EventItem, poll_chosen};
use crate::frame::MESSAGE;
use crate::message::MessageEvent;
use alloc::string::String;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::stream::{FusedStream, Stream, TryStream};
use pin_project_lite::pin_project;

pin_project! {
    /// The messages of one type, made by [`named`](super::EventStreamExt::named), where
    /// there is an example.
    #[derive(Debug, Clone)]
    #[must_use = "streams do nothing unless polled"]
    pub struct Named<S> {
        #[pin]
        events: S,
        event: String,
    }
}

impl<S> Named<S> {
    pub(super) fn new(events: S, event: String) -> Self {
        let event = if event.is_empty() { MESSAGE.into() } else { event };
        Named { events, event }
    }

    /// The stream of events.
    ///
    /// ```
    /// # use everstream::{EventStream, EventStreamExt};
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let prices = EventStream::new(body).named("price");
    /// assert_eq!(prices.get_ref().last_event_id(), "");
    /// ```
    pub fn get_ref(&self) -> &S {
        &self.events
    }

    /// The stream of events, to close it, say. What is taken from it here is missing from
    /// the messages.
    ///
    /// ```
    /// # use everstream::{EventStream, EventStreamExt};
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let mut prices = EventStream::new(body).named("price");
    /// let events: &mut EventStream<_> = prices.get_mut();
    /// ```
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.events
    }

    /// The stream of events, with what was read of it already gone.
    ///
    /// ```
    /// # use everstream::{EventStream, EventStreamExt};
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let prices = EventStream::new(body).named("price");
    /// let events: EventStream<_> = prices.into_inner();
    /// ```
    pub fn into_inner(self) -> S {
        self.events
    }
}

impl<S: TryStream<Ok: EventItem>> Stream for Named<S> {
    type Item = Result<MessageEvent, S::Error>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let wanted = |message: &MessageEvent| message.event() == this.event.as_str();
        poll_chosen(this.events, cx, |item| item.into_message().filter(wanted))
    }
}

impl<S: TryStream<Ok: EventItem> + FusedStream> FusedStream for Named<S> {
    fn is_terminated(&self) -> bool {
        self.events.is_terminated()
    }
}
