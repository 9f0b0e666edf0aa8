//! An event that owns its text, and the batch of text that it shares with its
//! neighbours.
//!
//! Invariants:
//! - A batch holds what the events of one chunk say (no field names, no
//!   comments) back to back in one string, and is not written to any more once
//!   an event refers to it.
//! - A large event has a batch of its own, so no small event pins its memory, and
//!   a batch's capacity is never far beyond its content.

use crate::frame::{Discarded, MESSAGE};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};

/// The text of some events.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) text: String,
    /// Texts that outlive the batch: names of the stream's table, long ids.
    pub(crate) shared: Vec<Arc<str>>,
    pub(crate) records: Vec<Record>,
}

/// A part of a batch's text, from one byte to another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Span(u32, u32);

impl Span {
    /// The part of `text` from `start` to its end.
    #[inline]
    pub(crate) fn from(start: usize, text: &str) -> Self {
        Span(start as u32, text.len() as u32)
    }

    /// A part of nothing, to mark what is no event.
    pub(crate) const NONE: Span = Span(u32::MAX, 0);

    /// How long the text of a batch may be.
    pub(crate) const MAX: usize = u32::MAX as usize - 1;

    #[inline]
    pub(crate) fn of(self, text: &str) -> &str {
        &text[self.0 as usize..self.1 as usize]
    }
}

/// Where a batch has an event's type or id: in its text, or if it starts where no
/// text does, at the place of its end among the shared texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part(Span);

impl Part {
    pub(crate) const EMPTY: Part = Part(Span(0, 0));
    const SHARED: u32 = u32::MAX;

    #[inline(always)]
    pub(crate) fn text(span: Span) -> Self {
        Part(span)
    }

    pub(crate) fn shared(index: usize) -> Self {
        Part(Span(Self::SHARED, index as u32))
    }

    #[inline(always)]
    pub(crate) fn of(self, batch: &Batch) -> &str {
        match self.0 {
            Span(Self::SHARED, index) => &batch.shared[index as usize],
            span => span.of(&batch.text),
        }
    }
}

/// Where a batch has the parts of one event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    pub(crate) data: Span,
    pub(crate) event: Part,
    pub(crate) id: Part,
}

/// An event that owns its text: `Clone`, `Send`, `Sync` and `'static`.
///
/// Events that came in one chunk share one allocation, which makes them cheap (a
/// reference count each), and which lives as long as any of them: a kept event
/// pins the text of its neighbours, 64 KiB at the most beside its own. An event
/// of 16 KiB or more shares with none. To keep a few events out of many for long,
/// keep [detached](MessageEvent::detach) ones.
///
/// Two events are equal if their type, data and id are.
///
/// ```
/// use everstream::MessageEvent;
///
/// let event = MessageEvent::new("price", "12.5", "7");
/// assert_eq!(event.event(), "price");
/// assert_eq!(event.data(), "12.5");
/// assert_eq!(event.id(), "7");
/// ```
// Two words: a larger value is moved through memory at every step from the decoder
// to its reader, in pieces that do not fit each other, and waits for each.
#[derive(Clone)]
pub struct MessageEvent {
    batch: Arc<Batch>,
    index: u32,
}

impl MessageEvent {
    /// An event of this type (empty means `message`), data and id, for tests and
    /// for those who send events on.
    ///
    /// # Panics
    ///
    /// If the three have more than 4 GiB together.
    ///
    /// ```
    /// let event = everstream::MessageEvent::new("", "hi", "");
    /// assert_eq!(event.event(), "message");
    /// ```
    pub fn new(event: &str, data: &str, id: &str) -> Self {
        let mut batch = Batch::default();
        let size = data.len() + event.len() + id.len();
        assert!(size <= Span::MAX, "an event of {size} bytes, more than {}", Span::MAX);
        batch.text.reserve_exact(size);
        let data = batch.push(data);
        let event = Part::text(batch.push(event));
        let id = Part::text(batch.push(id));
        batch.records.push(Record { data, event, id });
        MessageEvent::of(Arc::new(batch), 0)
    }

    /// The event of a batch's record at `index`.
    #[inline(always)]
    pub(crate) fn of(batch: Arc<Batch>, index: usize) -> Self {
        MessageEvent { batch, index: index as u32 }
    }

    #[inline(always)]
    fn record(&self) -> &Record {
        &self.batch.records[self.index as usize]
    }

    /// The type: the value of the last `event` field, or `message`.
    /// See [`MessageEvent`] for an example.
    #[inline]
    pub fn event(&self) -> &str {
        match self.record().event.of(&self.batch) {
            "" => MESSAGE,
            event => event,
        }
    }

    /// The values of the `data` fields, joined by LF.
    /// See [`MessageEvent`] for an example.
    #[inline]
    pub fn data(&self) -> &str {
        self.record().data.of(&self.batch.text)
    }

    /// The bytes of [`data`](MessageEvent::data), for parsers that take bytes.
    ///
    /// ```
    /// let event = everstream::MessageEvent::new("", "[1, 2]", "");
    /// assert_eq!(event.data_bytes(), b"[1, 2]");
    /// ```
    #[inline]
    pub fn data_bytes(&self) -> &[u8] {
        self.data().as_bytes()
    }

    /// The last event ID string when the event was dispatched: what its own `id`
    /// field or one before it set, empty if none did.
    /// See [`MessageEvent`] for an example.
    #[inline]
    pub fn id(&self) -> &str {
        self.record().id.of(&self.batch)
    }

    /// The data as a string of its own; not copied if the event is large and this
    /// is its only clone.
    ///
    /// ```
    /// let event = everstream::MessageEvent::new("", "hi", "");
    /// assert_eq!(event.into_data(), "hi".to_string());
    /// ```
    pub fn into_data(self) -> String {
        let data = self.record().data;
        match Arc::try_unwrap(self.batch) {
            Ok(Batch { mut text, .. }) if data.0 == 0 => {
                text.truncate(data.1 as usize);
                text.shrink_to_fit();
                text
            }
            Ok(batch) => data.of(&batch.text).to_owned(),
            Err(batch) => data.of(&batch.text).to_owned(),
        }
    }

    /// A copy that shares its memory with no other event.
    ///
    /// ```
    /// let event = everstream::MessageEvent::new("", "hi", "1");
    /// assert_eq!(event.detach(), event);
    /// ```
    #[must_use]
    pub fn detach(&self) -> Self {
        MessageEvent::new(self.record().event.of(&self.batch), self.data(), self.id())
    }
}

impl Batch {
    /// Appends `text`.
    #[inline(always)]
    pub(crate) fn push(&mut self, text: &str) -> Span {
        let start = self.text.len();
        self.text.push_str(text);
        Span::from(start, &self.text)
    }
}

impl PartialEq for MessageEvent {
    fn eq(&self, other: &Self) -> bool {
        self.event() == other.event() && self.data() == other.data() && self.id() == other.id()
    }
}

impl Eq for MessageEvent {}

impl Hash for MessageEvent {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.event(), self.data(), self.id()).hash(state);
    }
}

impl fmt::Debug for MessageEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageEvent")
            .field("event", &self.event())
            .field("data", &self.data())
            .field("id", &self.id())
            .finish()
    }
}

/// One thing that a stream of events holds: a [`Frame`](crate::Frame) that owns
/// its text.
///
/// ```
/// use everstream::{MessageEvent, OwnedFrame};
///
/// let frame = OwnedFrame::Message(MessageEvent::new("", "hi", ""));
/// assert!(matches!(frame, OwnedFrame::Message(message) if message.data() == "hi"));
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnedFrame {
    /// An event was dispatched.
    Message(MessageEvent),
    /// A comment, without its colon and one space after it. Only reported if
    /// asked for.
    Comment(String),
    /// An event grew beyond the limit and was dropped.
    Discarded(Discarded),
}
