//! A stream of byte chunks as a stream of events, for one body without reconnection.

use crate::owned::Decoder;
use crate::owned::OwnedFrame;
use crate::parser::Sizes;
use bytes::Bytes;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

/// Maximum chunks without a frame that one poll takes. A source that floods the stream with
/// comments must not keep other tasks from running.
const CHUNKS_PER_POLL: usize = 64;

pin_project! {
    /// The events of one body: a stream over any stream of byte chunks.
    ///
    /// The layer below is the [`Parser`](crate::Parser), whose events borrow their text. The layer
    /// above is [`Reconnect`](crate::reconnect::Reconnect), which resumes with another body.
    ///
    /// A chunk is [`Bytes`], `Vec<u8>`, `String` or any other type that is `Into<Bytes>`. The
    /// stream ends when the source ends; an event without its blank line is dropped then, as the
    /// standard demands. An error of the source is yielded and does not end the stream.
    ///
    /// It is cancel-safe: dropping a `next()` future loses nothing.
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// use everstream::{EventStream, OwnedFrame};
    /// use futures_util::TryStreamExt;
    ///
    /// let body = futures_util::stream::iter([
    ///     Ok::<_, std::io::Error>("data: hel"),
    ///     Ok("lo\n\ndata: unfinished"),
    /// ]);
    /// let frames: Vec<OwnedFrame> = EventStream::new(body).try_collect().await?;
    /// assert!(matches!(&frames[..], [OwnedFrame::Message(event)] if event.data() == "hello"));
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap().unwrap();
    /// ```
    pub struct EventStream<S> {
        #[pin]
        source: S,
        decoder: Decoder,
        ended: bool,
    }
}

impl<S> EventStream<S> {
    /// Returns the events of `source`, with the settings of a [new parser](crate::Parser::new).
    /// See [`EventStream`] for an example.
    pub fn new(source: S) -> Self {
        EventStream { source, decoder: Decoder::new(), ended: false }
    }

    /// Sets the maximum size of an event, as
    /// [`Parser::with_max_event_size`](crate::Parser::with_max_event_size) does. A limit over
    /// 512 MiB counts as 512 MiB.
    ///
    /// ```
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let events = everstream::EventStream::new(body).with_max_event_size(64 * 1024);
    /// ```
    #[must_use]
    pub fn with_max_event_size(mut self, bytes: usize) -> Self {
        self.decoder.set_max_event_size(bytes);
        self
    }

    /// Sets whether comments are reported, as
    /// [`Parser::with_comments`](crate::Parser::with_comments) does. Default: false.
    ///
    /// ```
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let events = everstream::EventStream::new(body).with_comments(true);
    /// ```
    #[must_use]
    pub fn with_comments(mut self, report: bool) -> Self {
        self.decoder.set_comments(report);
        self
    }

    /// Sets whether a block without data that set the last event ID or the reconnection time is
    /// reported, as [`Parser::with_updates`](crate::Parser::with_updates) does. Default: false.
    ///
    /// ```
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let events = everstream::EventStream::new(body).with_updates(true);
    /// ```
    #[must_use]
    pub fn with_updates(mut self, report: bool) -> Self {
        self.decoder.set_updates(report);
        self
    }

    /// Sets the internal sizes, for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn with_sizes(mut self, sizes: &'static Sizes) -> Self {
        self.decoder.set_sizes(sizes);
        self
    }

    /// Sets the last event ID to start from, as
    /// [`Parser::with_last_event_id`](crate::Parser::with_last_event_id) does.
    ///
    /// ```
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let events = everstream::EventStream::new(body).with_last_event_id("41");
    /// assert_eq!(events.last_event_id(), "41");
    /// ```
    #[must_use]
    pub fn with_last_event_id(mut self, id: &str) -> Self {
        self.decoder.set_last_event_id(id);
        self
    }

    /// Returns the last event ID string as of the last frame that was taken. It is empty if there
    /// is none.
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// # use futures_util::StreamExt;
    /// let body = futures_util::stream::iter([Ok::<_, ()>("id: 1\ndata: a\n\nid: 2\ndata:
    /// b\n\n")]); let mut events = everstream::EventStream::new(body);
    /// events.next().await;
    /// assert_eq!(events.last_event_id(), "1");
    /// # }).unwrap();
    /// ```
    pub fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    /// Returns the reconnection time that the server's last `retry` field asks for. The field may
    /// come after the last frame that was taken, because the stream is parsed in advance.
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// # use futures_util::StreamExt;
    /// let body = futures_util::stream::iter([Ok::<_, ()>("retry: 250\n\n")]);
    /// let mut events = everstream::EventStream::new(body);
    /// events.next().await;
    /// assert_eq!(events.retry(), Some(std::time::Duration::from_millis(250)));
    /// # }).unwrap();
    /// ```
    pub fn retry(&self) -> Option<Duration> {
        self.decoder.retry()
    }

    /// Returns whether the stream is in the middle of an event, as
    /// [`Parser::is_mid_event`](crate::Parser::is_mid_event) does. If the source has ended, the
    /// event is lost.
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// # use futures_util::StreamExt;
    /// let body = futures_util::stream::iter([Ok::<_, ()>("data: a\n\ndata: cut o")]);
    /// let mut events = everstream::EventStream::new(body);
    /// while events.next().await.is_some() {}
    /// assert!(events.is_mid_event());
    /// # }).unwrap();
    /// ```
    pub fn is_mid_event(&self) -> bool {
        self.decoder.is_mid_event()
    }

    /// Returns the source.
    ///
    /// ```
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let events = everstream::EventStream::new(body);
    /// let body = events.get_ref();
    /// ```
    pub fn get_ref(&self) -> &S {
        &self.source
    }

    /// Returns the source. Chunks that the caller takes from it are missing from the events.
    ///
    /// ```
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let mut events = everstream::EventStream::new(body);
    /// let body = events.get_mut();
    /// ```
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.source
    }

    /// Returns the source. The chunks that the stream has read are gone.
    ///
    /// ```
    /// # let body = futures_util::stream::empty::<Result<&[u8], std::io::Error>>();
    /// let events = everstream::EventStream::new(body);
    /// let body = events.into_inner();
    /// ```
    pub fn into_inner(self) -> S {
        self.source
    }
}

impl<S, B, E> Stream for EventStream<S>
where
    S: Stream<Item = Result<B, E>>,
    B: Into<Bytes>,
{
    type Item = Result<OwnedFrame, E>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        for _ in 0..CHUNKS_PER_POLL {
            match this.decoder.next() {
                // One arm for all frames would copy a message through memory. Alone it stays in registers.
                Some(OwnedFrame::Message(message)) => {
                    return Poll::Ready(Some(Ok(OwnedFrame::Message(message))));
                }
                Some(frame) => return Poll::Ready(Some(Ok(frame))),
                None => {}
            }
            if *this.ended {
                return Poll::Ready(None);
            }
            let Poll::Ready(chunk) = this.source.as_mut().poll_next(cx) else {
                this.decoder.rest();
                return Poll::Pending;
            };
            match chunk {
                Some(Ok(chunk)) => this.decoder.feed(chunk.into()),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => *this.ended = true,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S, B, E> FusedStream for EventStream<S>
where
    S: Stream<Item = Result<B, E>>,
    B: Into<Bytes>,
{
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<S: fmt::Debug> fmt::Debug for EventStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("source", &self.source)
            .field("last_event_id", &self.last_event_id())
            .field("retry", &self.retry())
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
