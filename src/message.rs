//! An event that owns its text, and the batch of text that it shares with its
//! neighbours.
//!
//! Invariants:
//! - A batch is not written to any more once an event refers to it.
//! - It holds the complete lines of one piece of a chunk, and beside them what
//!   events say that began in earlier ones. Where the events are but a small part of
//!   the lines, it holds what they say and nothing else.
//! - The lines of a large chunk are not copied but shared with whoever else holds the
//!   chunk; those of a small one are, into memory that is used over again.

use crate::encoder;
use crate::frame::{Discarded, MESSAGE};
use crate::parser::{Taken, utf8};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::{Buf, Bytes};
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Range;

/// From so many bytes on, sharing a chunk is cheaper than copying its lines.
const WORTH_SHARING: usize = 8 * 1024;

/// What an idle batch may keep of its buffers, in bytes and in records.
const IDLE_TEXT: usize = 1024;
const IDLE_RECORDS: usize = 16;

pub(crate) type Text<'a> = &'a str;

self_cell::self_cell!(
    /// A part of a chunk, and the proof that it is text.
    pub(crate) struct ChunkText {
        owner: Bytes,
        #[covariant]
        dependent: Text,
    }
);

/// The complete lines of a piece.
pub(crate) enum Lines {
    Copied(String),
    Shared(ChunkText),
}

impl Lines {
    #[inline(always)]
    pub(crate) fn text(&self) -> &str {
        match self {
            Lines::Copied(text) => text,
            Lines::Shared(text) => text.borrow_dependent(),
        }
    }

    /// Takes the lines at this place of `piece`, which may be shared if it is all of a
    /// chunk, and decodes them.
    pub(crate) fn set(&mut self, piece: &Bytes, lines: Range<usize>, is_chunk: bool) {
        if is_chunk && lines.len() >= WORTH_SHARING {
            if let Ok(shared) = Lines::shared(piece.slice(lines.clone())) {
                *self = shared;
                return;
            }
        }
        self.clear();
        if let Lines::Copied(text) = self {
            utf8::decode_onto(text, &piece[lines]);
            if text.capacity() > IDLE_TEXT && text.capacity() / 4 > text.len() {
                text.shrink_to_fit();
            }
        }
    }

    /// The lines as they are, or given back if they are not text.
    fn shared(lines: Bytes) -> Result<Self, Bytes> {
        let text = ChunkText::try_new_or_recover(lines, |bytes| utf8::valid(bytes).ok_or(()));
        text.map(Lines::Shared).map_err(|(lines, ())| lines)
    }

    fn clear(&mut self) {
        match self {
            Lines::Copied(text) => text.clear(),
            Lines::Shared(_) => *self = Lines::default(),
        }
    }
}

impl Default for Lines {
    fn default() -> Self {
        Lines::Copied(String::new())
    }
}

/// The text of some events, and where in it they are.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) lines: Lines,
    /// What began in earlier pieces.
    pub(crate) carried: String,
    /// Texts that outlive the batch: names of the stream's table, long ids.
    pub(crate) shared: Vec<Arc<str>>,
    pub(crate) records: Vec<Record>,
}

impl Batch {
    /// Empties it.
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        self.lines.clear();
        self.carried.clear();
        if !self.shared.is_empty() {
            self.shared.clear();
        }
        self.records.clear();
    }

    /// Appends what began in an earlier piece.
    pub(crate) fn carry(&mut self, text: &str) -> Part {
        carry(&mut self.carried, text)
    }

    /// Whether it holds on to more than an idle stream should.
    pub(crate) fn is_burden(&self) -> bool {
        let lines = match &self.lines {
            Lines::Copied(text) => text.capacity(),
            Lines::Shared(_) => usize::MAX,
        };
        lines > IDLE_TEXT
            || self.carried.capacity() > IDLE_TEXT
            || self.records.capacity() > IDLE_RECORDS
    }

    /// Lets go of the lines if hardly any of them are events', such as comments: an event
    /// that is kept is to keep little beside itself.
    pub(crate) fn compact(&mut self) {
        let lines = self.lines.text();
        if lines.len() < IDLE_TEXT {
            return;
        }
        let mut used = self.carried.len();
        let is_used = |record: &Record| {
            used += record.in_lines();
            used >= lines.len() / 16 // as a rule by the first one
        };
        if !self.records.iter().any(is_used) {
            for record in &mut self.records {
                for part in [&mut record.data, &mut record.event, &mut record.id] {
                    if part.is_in_lines() {
                        *part = carry(&mut self.carried, part.of_text(lines));
                    }
                }
            }
            self.lines = Lines::default();
        }
        if self.records.capacity() > IDLE_RECORDS
            && self.records.capacity() / 4 > self.records.len()
        {
            self.records.shrink_to_fit();
        }
    }
}

/// Whether a buffer that an event takes along has much room that it has no use for.
fn is_half_empty(length: usize, capacity: usize) -> bool {
    capacity / 8 * 7 > length
}

/// Appends `text` to what a batch carries.
pub(crate) fn carry(carried: &mut String, text: &str) -> Part {
    let start = carried.len();
    carried.push_str(text);
    Part { start: Part::CARRIED | start as u32, end: carried.len() as u32 }
}

/// How many bytes a batch can carry.
pub(crate) const MAX_CARRIED: usize = Part::CARRIED as usize - 1;

/// Where a batch has a part of an event. The start tells in what: in the lines it is
/// where the part starts, in what is carried it has [`CARRIED`](Part::CARRIED) added,
/// and otherwise it is none. An enum would take three words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    start: u32,
    end: u32,
}

impl Part {
    const CARRIED: u32 = 1 << 31;
    const SHARED: u32 = u32::MAX;

    pub(crate) const EMPTY: Part = Part { start: Self::CARRIED, end: 0 };
    /// In a record that stands for something else than an event.
    pub(crate) const NONE: Part = Part { start: u32::MAX, end: u32::MAX };

    #[inline(always)]
    pub(crate) fn lines(start: usize, end: usize) -> Self {
        Part { start: start as u32, end: end as u32 }
    }

    pub(crate) fn shared(index: usize) -> Self {
        Part { start: Self::SHARED, end: index as u32 }
    }

    #[inline(always)]
    pub(crate) fn of(self, batch: &Batch) -> &str {
        if self.is_in_lines() { self.of_text(batch.lines.text()) } else { self.of_others(batch) }
    }

    #[inline]
    fn of_others(self, batch: &Batch) -> &str {
        match self.start {
            Self::SHARED => batch.shared.get(self.end as usize).map_or("", |text| text),
            start => &batch.carried[(start ^ Self::CARRIED) as usize..self.end as usize],
        }
    }

    #[inline(always)]
    fn of_text(self, text: &str) -> &str {
        &text[self.start as usize..self.end as usize]
    }

    #[inline(always)]
    fn is_in_lines(self) -> bool {
        self.start < Self::CARRIED
    }

    /// How many bytes of the lines it is.
    fn in_lines(self) -> usize {
        if self.is_in_lines() { (self.end - self.start) as usize } else { 0 }
    }
}

/// Where a batch has the parts of one event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    pub(crate) data: Part,
    pub(crate) event: Part,
    pub(crate) id: Part,
}

impl Record {
    /// How many bytes of the lines its parts are.
    fn in_lines(&self) -> usize {
        self.data.in_lines() + self.event.in_lines() + self.id.in_lines()
    }
}

/// An event that owns its text: `Clone`, `Send`, `Sync` and `'static`.
///
/// Events that came in one chunk share its text, which makes them cheap (a reference
/// count each). It lives as long as any of them: a kept event pins up to 64 KiB beside
/// its own data. The text of a chunk of 8 to 64 KiB is not copied but shared as it
/// is, with whatever else its [`Bytes`] is a part of. To keep a few events out of
/// many for long, keep [detached](MessageEvent::detach) ones.
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
    index: usize,
}

impl MessageEvent {
    /// An event of this type (empty means `message`), data and id, for tests and
    /// for those who send events on.
    ///
    /// # Panics
    ///
    /// If the three have 2 GiB or more together.
    ///
    /// ```
    /// let event = everstream::MessageEvent::new("", "hi", "");
    /// assert_eq!(event.event(), "message");
    /// ```
    pub fn new(event: &str, data: &str, id: &str) -> Self {
        let mut batch = Batch::default();
        let size = data.len() + event.len() + id.len();
        assert!(size <= MAX_CARRIED, "an event of {size} bytes, more than {MAX_CARRIED}");
        batch.carried.reserve_exact(size);
        let data = batch.carry(data);
        let event = batch.carry(event);
        let id = batch.carry(id);
        batch.records.push(Record { data, event, id });
        MessageEvent::of(Arc::new(batch), 0)
    }

    /// An event of data that is too large to be copied without need.
    pub(crate) fn of_large(data: Taken, event: &str, id: &str) -> Self {
        let lines = match data {
            Taken::Text(mut text) => {
                if is_half_empty(text.len(), text.capacity()) {
                    text.shrink_to_fit();
                }
                Lines::Copied(text)
            }
            Taken::Line { mut line, value } => {
                if is_half_empty(line.len(), line.capacity()) {
                    line.shrink_to_fit();
                }
                let mut line = Bytes::from(line);
                line.advance(value);
                Lines::shared(line).unwrap_or_else(|line| {
                    Lines::Copied(String::from_utf8_lossy(&line).into_owned())
                })
            }
        };
        let mut batch = Batch { lines, ..Batch::default() };
        let data = Part::lines(0, batch.lines.text().len());
        let [event, id] = [event, id].map(|text| match text {
            "" => Part::EMPTY,
            text => batch.carry(text),
        });
        batch.records.push(Record { data, event, id });
        MessageEvent::of(Arc::new(batch), 0)
    }

    /// The event of a batch's record at `index`.
    #[inline(always)]
    pub(crate) fn of(batch: Arc<Batch>, index: usize) -> Self {
        MessageEvent { batch, index }
    }

    #[inline(always)]
    fn record(&self) -> &Record {
        &self.batch.records[self.index]
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
        self.record().data.of(&self.batch)
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

    /// The data as a string of its own; not copied if the event is a large one of
    /// several lines and this is its only clone.
    ///
    /// ```
    /// let event = everstream::MessageEvent::new("", "hi", "");
    /// assert_eq!(event.into_data(), "hi".to_string());
    /// ```
    pub fn into_data(self) -> String {
        let data = self.record().data;
        match Arc::try_unwrap(self.batch) {
            Ok(Batch { lines: Lines::Copied(text), .. }) if data == Part::lines(0, text.len()) => {
                text
            }
            Ok(batch) => data.of(&batch).to_owned(),
            Err(batch) => data.of(&batch).to_owned(),
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

/// The block of the event stream that a new reader reads as this event.
///
/// Line breaks in a type or an id, which only [`MessageEvent::new`] lets in, do not
/// survive it.
///
/// ```
/// let event = everstream::MessageEvent::new("tick", "a\nb", "1");
/// assert_eq!(event.to_string(), "id: 1\nevent: tick\ndata: a\ndata: b\n\n");
/// ```
impl fmt::Display for MessageEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        encoder::display(f, self.event(), self.data(), self.id())
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
