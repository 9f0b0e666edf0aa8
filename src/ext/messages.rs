//! Only the messages of a stream of events.

use super::{EventItem, poll_chosen};
use crate::message::MessageEvent;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::stream::{FusedStream, Stream, TryStream};
use pin_project_lite::pin_project;

pin_project! {
    /// The messages of a stream of events, made by
    /// [`messages`](super::EventStreamExt::messages), where there is an example.
    #[derive(Debug, Clone)]
    #[must_use = "streams do nothing unless polled"]
    pub struct Messages<S> {
        #[pin]
        events: S,
    }
}

impl<S> Messages<S> {
    pub(super) fn new(events: S) -> Self {
        Messages { events }
    }

    /// The stream of events.
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

    /// The stream of events, to close it, say. What is taken from it here is missing from
    /// the messages.
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

    /// The stream of events, with what was read of it already gone.
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
    type Item = Result<MessageEvent, S::Error>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        poll_chosen(self.project().events, cx, EventItem::into_message)
    }
}

impl<S: TryStream<Ok: EventItem> + FusedStream> FusedStream for Messages<S> {
    fn is_terminated(&self) -> bool {
        self.events.is_terminated()
    }
}
