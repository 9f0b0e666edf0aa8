//! The frames of the borrowing parser: an event, a comment, the report of an event over the limit,
//! or an update of the last event ID or the reconnection time.

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

/// The type of an event whose stream set none.
pub(crate) const MESSAGE: &str = "message";

/// An item of an event stream, borrowed from the parser and its chunk.
///
/// ```
/// use everstream::{Frame, Parser};
///
/// let mut parser = Parser::new();
/// let mut frames = parser.feed(b"event: tick\ndata: 1\n\n");
/// match frames.next() {
///     Some(Frame::Message(event)) => assert_eq!(event.event(), "tick"),
///     other => panic!("{other:?}"),
/// }
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame<'a> {
    /// An event was dispatched.
    Message(EventView<'a>),
    /// A comment, without its colon and one space after it. Only reported
    /// [if asked for](crate::Parser::with_comments).
    Comment(&'a str),
    /// An event was over the limit and was dropped.
    Discarded(Discarded),
    /// A block without data set the last event ID or the reconnection time. Only reported
    /// [if asked for](crate::Parser::with_updates).
    Update(Update<'a>),
}

/// The last event ID and the reconnection time after a block that set one of them and had no data.
///
/// ```
/// use everstream::{Frame, Parser};
/// use std::time::Duration;
///
/// let mut parser = Parser::new().with_updates(true);
/// let mut frames = parser.feed(b"id: 1\nretry: 250\n\n");
/// let Some(Frame::Update(update)) = frames.next() else { panic!() };
/// assert_eq!(update.last_event_id(), "1");
/// assert_eq!(update.retry(), Some(Duration::from_millis(250)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Update<'a> {
    last_event_id: &'a str,
    retry: Option<Duration>,
}

impl<'a> Update<'a> {
    pub(crate) fn new(last_event_id: &'a str, retry: Option<Duration>) -> Self {
        Update { last_event_id, retry }
    }

    /// Returns the last event ID string, which is empty if there is none. See [`Update`] for an
    /// example.
    pub fn last_event_id(&self) -> &'a str {
        self.last_event_id
    }

    /// Returns the reconnection time, which is `None` if the server has not set any. See [`Update`]
    /// for an example.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }
}

/// An event, borrowed from the parser and its chunk.
///
/// ```
/// use everstream::{Frame, Parser};
///
/// let mut parser = Parser::new();
/// let mut frames = parser.feed(b"id: 1\ndata: a\ndata: b\n\n");
/// let Some(Frame::Message(event)) = frames.next() else { panic!() };
/// assert_eq!(event.event(), "message");
/// assert_eq!(event.data(), "a\nb");
/// assert_eq!(event.id(), "1");
/// ```
#[derive(Clone, Copy)]
pub struct EventView<'a> {
    pub(crate) event: &'a str,
    pub(crate) data: &'a str,
    pub(crate) id: &'a str,
}

impl<'a> EventView<'a> {
    /// Returns the type: the value of the block's last `event` field, or `message`. See
    /// [`EventView`] for an example.
    #[inline]
    pub fn event(&self) -> &'a str {
        if self.event.is_empty() { MESSAGE } else { self.event }
    }

    /// Returns the values of the block's `data` fields, joined by LF. See [`EventView`] for an
    /// example.
    #[inline]
    pub fn data(&self) -> &'a str {
        self.data
    }

    /// Returns the last event ID string at the time of the event: the value of its own `id` field
    /// or of an earlier one. It is empty if there is none. See [`EventView`] for an example.
    #[inline]
    pub fn id(&self) -> &'a str {
        self.id
    }
}

impl PartialEq for EventView<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.event() == other.event() && self.data == other.data && self.id == other.id
    }
}

impl Eq for EventView<'_> {}

impl fmt::Debug for EventView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventView")
            .field("event", &self.event())
            .field("data", &self.data)
            .field("id", &self.id)
            .finish()
    }
}

/// The report of an event that was over the limit and was dropped.
///
/// ```
/// use everstream::{Frame, Parser};
///
/// let mut parser = Parser::new().with_max_event_size(20);
/// let mut frames = parser.feed(b"id: 1\nevent: e\ndata: far too long\n\n");
/// let Some(Frame::Discarded(report)) = frames.next() else { panic!() };
/// assert_eq!((report.id(), report.event()), (Some("1"), Some("e")));
/// assert_eq!((report.size(), report.limit()), (31, 20));
/// assert_eq!(report.to_string(), "event discarded: at least 31 bytes, the limit is 20");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Discarded {
    /// Boxed because it is rare, and the enum that it is in is moved with each event.
    report: Box<Report>,
}

#[derive(Clone, PartialEq, Eq)]
struct Report {
    size: usize,
    limit: usize,
    id: Option<Box<str>>,
    event: Option<Box<str>>,
}

impl Discarded {
    /// Creates a report of this size and limit in bytes, to test code that takes one.
    ///
    /// ```
    /// # use everstream::Discarded;
    /// let report = Discarded::new(31, 20).with_id("1").with_event("price");
    /// assert_eq!((report.size(), report.limit()), (31, 20));
    /// assert_eq!((report.id(), report.event()), (Some("1"), Some("price")));
    /// ```
    #[must_use]
    pub fn new(size: usize, limit: usize) -> Self {
        Discarded::of(size, limit, None, None)
    }

    pub(crate) fn of(
        size: usize,
        limit: usize,
        id: Option<Box<str>>,
        event: Option<Box<str>>,
    ) -> Self {
        Discarded { report: Box::new(Report { size, limit, id, event }) }
    }

    /// Sets [`id`](Self::id). See [`new`](Self::new) for an example.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<Box<str>>) -> Self {
        self.report.id = Some(id.into());
        self
    }

    /// Sets [`event`](Self::event). See [`new`](Self::new) for an example.
    #[must_use]
    pub fn with_event(mut self, event: impl Into<Box<str>>) -> Self {
        self.report.event = Some(event.into());
        self
    }

    /// Returns the bytes of the event when it was dropped. More may have followed. See
    /// [`Discarded`] for an example.
    pub fn size(&self) -> usize {
        self.report.size
    }

    /// Returns the limit in bytes. See [`Discarded`] for an example.
    pub fn limit(&self) -> usize {
        self.report.limit
    }

    /// Returns the ID that the event had set before it passed the limit. It did not become the last
    /// event ID. See [`Discarded`] for an example.
    pub fn id(&self) -> Option<&str> {
        self.report.id.as_deref()
    }

    /// Returns the type that the event had set before it passed the limit.
    /// See [`Discarded`] for an example.
    pub fn event(&self) -> Option<&str> {
        self.report.event.as_deref()
    }
}

impl fmt::Debug for Discarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discarded")
            .field("size", &self.size())
            .field("limit", &self.limit())
            .field("id", &self.id())
            .field("event", &self.event())
            .finish()
    }
}

impl core::error::Error for Discarded {}

impl fmt::Display for Discarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "event discarded: at least {} bytes, the limit is {}",
            self.report.size, self.report.limit
        )
    }
}
