//! The end of a stream at a sentinel.
//!
//! Invariant: the sentinel drops the stream, which closes its connection.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_core::stream::{FusedStream, Stream, TryStream};
use pin_project_lite::pin_project;

pin_project! {
    /// A stream that ends at a sentinel, created by [`until`](super::EventStreamExt::until),
    /// where there is an example.
    #[derive(Clone)]
    #[must_use = "streams do nothing unless polled"]
    pub struct Until<S, F> {
        // `None` after the sentinel.
        #[pin]
        events: Option<S>,
        is_sentinel: F,
    }
}

impl<S, F> Until<S, F> {
    pub(super) fn new(events: S, is_sentinel: F) -> Self {
        Until { events: Some(events), is_sentinel }
    }

    /// Returns whether the sentinel was received. A stream that ended without it may have been
    /// cut off.
    /// See [`until`](super::EventStreamExt::until) for an example.
    pub fn is_done(&self) -> bool {
        self.events.is_none()
    }

    /// Returns the stream, or `None` after its last item dropped it. A
    /// [`Handle`](crate::Handle) still knows the last event ID then.
    ///
    /// ```
    /// # use everstream::{EventStream, EventStreamExt};
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let events = EventStream::new(body).messages().until(|message| message.data() == "[DONE]");
    /// let id = events.get_ref().map(|messages| messages.get_ref().last_event_id());
    /// assert_eq!(id, Some(""));
    /// ```
    pub fn get_ref(&self) -> Option<&S> {
        self.events.as_ref()
    }

    /// Returns the stream, or `None` after its last item dropped it. The predicate is not called for
    /// items that the caller takes from the stream.
    ///
    /// ```
    /// # #[cfg(feature = "reqwest")] {
    /// use everstream::{EventStreamExt, RequestBuilderExt};
    ///
    /// let request = reqwest::Client::new().post("http://localhost/chat");
    /// let mut events =
    ///     request.into_event_source().messages().until(|message| message.data() == "[DONE]");
    /// let handle = events.get_mut().map(|messages| messages.get_mut().handle());
    /// # }
    /// ```
    pub fn get_mut(&mut self) -> Option<&mut S> {
        self.events.as_mut()
    }

    /// Returns the stream, or `None` after its last item dropped it.
    ///
    /// ```
    /// # use everstream::{EventStream, EventStreamExt};
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let events = EventStream::new(body).until(|_| false);
    /// let events: Option<EventStream<_>> = events.into_inner();
    /// ```
    pub fn into_inner(self) -> Option<S> {
        self.events
    }
}

impl<S, F> Stream for Until<S, F>
where
    S: TryStream,
    F: FnMut(&S::Ok) -> bool,
{
    type Item = Result<S::Ok, S::Error>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        let Some(events) = this.events.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let item = ready!(events.try_poll_next(cx));
        if let Some(Ok(item)) = &item {
            if (this.is_sentinel)(item) {
                this.events.set(None);
                return Poll::Ready(None);
            }
        }
        Poll::Ready(item)
    }
}

impl<S, F> FusedStream for Until<S, F>
where
    S: TryStream + FusedStream,
    F: FnMut(&S::Ok) -> bool,
{
    fn is_terminated(&self) -> bool {
        self.events.as_ref().is_none_or(FusedStream::is_terminated)
    }
}

impl<S: fmt::Debug, F> fmt::Debug for Until<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Until").field("events", &self.events).finish_non_exhaustive()
    }
}
