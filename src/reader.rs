//! An `AsyncRead` as a stream of events: for a socket, a file or a pipe, on smol or any other
//! runtime with the traits of `futures-io`.
//!
//! Invariants:
//! - It behaves as an [`EventStream`] over the bytes that are read.
//! - A chunk is as large as the bytes that were read, so no event keeps the buffer alive.

use crate::owned::OwnedFrame;
use crate::stream::EventStream;
use alloc::boxed::Box;
use alloc::vec;
use bytes::Bytes;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use futures_core::stream::{FusedStream, Stream};
use futures_io::AsyncRead;
use pin_project_lite::pin_project;
use std::io::{self, ErrorKind};

/// Bytes that are read at once: the size of a TLS record, and more than most events have.
const BUFFER: usize = 16 * 1024;

pin_project! {
    /// The events of one reader: a stream over any
    /// [`AsyncRead`](futures_io::AsyncRead), such as smol's sockets and files. A reader of tokio is
    /// adapted by `compat` of the crate `tokio-util`.
    ///
    /// It ends when the reader ends; an event without its blank line is dropped then, as the
    /// standard demands. An error of the reader is yielded and does not end the stream: the next
    /// poll reads again. So stop at the first error, as `?` does, unless it is known to be
    /// temporary. A read that is [`Interrupted`](ErrorKind::Interrupted) is repeated.
    ///
    /// It is cancel-safe: dropping a `next()` future loses nothing.
    ///
    /// It has a buffer of 16 KiB, which is allocated at the first poll. No event keeps it alive;
    /// [`MessageEvent`](crate::MessageEvent) says how much an event keeps.
    ///
    /// ```
    /// # smol::block_on(async {
    /// use everstream::{EventReader, OwnedFrame};
    /// use futures_util::TryStreamExt;
    /// use smol::{io::AsyncWriteExt, net::TcpListener, net::TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let mut client = TcpStream::connect(listener.local_addr()?).await?;
    /// client.write_all(b"data: hello\n\ndata: unfinished").await?;
    /// drop(client);
    ///
    /// let (socket, _) = listener.accept().await?;
    /// let frames: Vec<OwnedFrame> = EventReader::new(socket).try_collect().await?;
    /// assert!(matches!(&frames[..], [OwnedFrame::Message(event)] if event.data() == "hello"));
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub struct EventReader<R> {
        #[pin]
        events: EventStream<Chunks<R>>,
    }
}

impl<R> EventReader<R> {
    /// Returns the events of `reader`, with the settings of a [new
    /// parser](crate::Parser::new). See [`EventReader`] for an example.
    pub fn new(reader: R) -> Self {
        EventReader { events: EventStream::new(Chunks { reader, buffer: Box::default() }) }
    }

    /// Sets the maximum size of an event, as
    /// [`Parser::with_max_event_size`](crate::Parser::with_max_event_size) does. A limit over
    /// 512 MiB counts as 512 MiB.
    ///
    /// ```
    /// let events = everstream::EventReader::new(&b""[..]).with_max_event_size(64 * 1024);
    /// ```
    #[must_use]
    pub fn with_max_event_size(mut self, bytes: usize) -> Self {
        self.events = self.events.with_max_event_size(bytes);
        self
    }

    /// Sets whether comments are reported, as
    /// [`Parser::with_comments`](crate::Parser::with_comments) does. Default: false.
    ///
    /// ```
    /// let events = everstream::EventReader::new(&b""[..]).with_comments(true);
    /// ```
    #[must_use]
    pub fn with_comments(mut self, report: bool) -> Self {
        self.events = self.events.with_comments(report);
        self
    }

    /// Sets whether a block without data that set the last event ID or the reconnection time is
    /// reported, as [`Parser::with_updates`](crate::Parser::with_updates) does. Default: false.
    ///
    /// ```
    /// let events = everstream::EventReader::new(&b""[..]).with_updates(true);
    /// ```
    #[must_use]
    pub fn with_updates(mut self, report: bool) -> Self {
        self.events = self.events.with_updates(report);
        self
    }

    /// Sets the last event ID to start from, as
    /// [`Parser::with_last_event_id`](crate::Parser::with_last_event_id) does.
    ///
    /// ```
    /// let events = everstream::EventReader::new(&b""[..]).with_last_event_id("41");
    /// assert_eq!(events.last_event_id(), "41");
    /// ```
    #[must_use]
    pub fn with_last_event_id(mut self, id: &str) -> Self {
        self.events = self.events.with_last_event_id(id);
        self
    }

    /// Returns the last event ID string as of the last frame that was taken. It is empty if there
    /// is none.
    ///
    /// ```
    /// # smol::block_on(async {
    /// # use futures_util::StreamExt;
    /// let mut events = everstream::EventReader::new(&b"id: 1\ndata: a\n\nid: 2\ndata: b\n\n"[..]);
    /// events.next().await;
    /// assert_eq!(events.last_event_id(), "1");
    /// # });
    /// ```
    pub fn last_event_id(&self) -> &str {
        self.events.last_event_id()
    }

    /// Returns the reconnection time that the server's last `retry` field asks for. The field may
    /// come after the last frame that was taken, because the stream is parsed in advance.
    ///
    /// ```
    /// # smol::block_on(async {
    /// # use futures_util::StreamExt;
    /// let mut events = everstream::EventReader::new(&b"retry: 250\n\n"[..]);
    /// events.next().await;
    /// assert_eq!(events.retry(), Some(std::time::Duration::from_millis(250)));
    /// # });
    /// ```
    pub fn retry(&self) -> Option<Duration> {
        self.events.retry()
    }

    /// Returns whether the stream is in the middle of an event, as
    /// [`Parser::is_mid_event`](crate::Parser::is_mid_event) does. If the reader has ended, the
    /// event is lost.
    ///
    /// ```
    /// let events = everstream::EventReader::new(&b""[..]);
    /// assert!(!events.is_mid_event());
    /// ```
    pub fn is_mid_event(&self) -> bool {
        self.events.is_mid_event()
    }

    /// Returns the reader.
    ///
    /// ```
    /// let events = everstream::EventReader::new(&b"data: a"[..]);
    /// assert_eq!(events.get_ref(), b"data: a");
    /// ```
    pub fn get_ref(&self) -> &R {
        &self.events.get_ref().reader
    }

    /// Returns the reader. Bytes that the caller reads from it are missing from the events.
    ///
    /// ```
    /// let mut events = everstream::EventReader::new(&b"data: a"[..]);
    /// *events.get_mut() = b"data: b";
    /// ```
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.events.get_mut().reader
    }

    /// Returns the reader. Bytes that the stream has buffered are lost.
    ///
    /// ```
    /// let events = everstream::EventReader::new(&b"data: a"[..]);
    /// assert_eq!(events.into_inner(), b"data: a");
    /// ```
    pub fn into_inner(self) -> R {
        self.events.into_inner().reader
    }
}

impl<R: AsyncRead> Stream for EventReader<R> {
    type Item = io::Result<OwnedFrame>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.project().events.poll_next(cx)
    }
}

impl<R: AsyncRead> FusedStream for EventReader<R> {
    fn is_terminated(&self) -> bool {
        self.events.is_terminated()
    }
}

impl<R: fmt::Debug> fmt::Debug for EventReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventReader")
            .field("reader", self.get_ref())
            .field("last_event_id", &self.last_event_id())
            .field("retry", &self.retry())
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// The bytes of a reader in chunks.
    struct Chunks<R> {
        #[pin]
        reader: R,
        // Empty before the first read.
        buffer: Box<[u8]>,
    }
}

impl<R: AsyncRead> Stream for Chunks<R> {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        if this.buffer.is_empty() {
            *this.buffer = vec![0; BUFFER].into();
        }
        loop {
            match this.reader.as_mut().poll_read(cx, this.buffer) {
                Poll::Ready(Ok(0)) => return Poll::Ready(None),
                Poll::Ready(Ok(count)) => {
                    let read = this.buffer.get(..count).unwrap_or(this.buffer);
                    return Poll::Ready(Some(Ok(Bytes::copy_from_slice(read))));
                }
                Poll::Ready(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
