//! The text that the events of a section share.
//!
//! Invariants:
//! - A batch is not written to while an event refers to it.
//! - It holds the lines of one section, or only the values of its events.
//! - The lines of a large chunk are shared with the chunk. Those of a small one are copied into a
//!   buffer that is used again. A large block that was assembled is kept in its buffer, which is
//!   used again, too.

use crate::parser::{Buffer, utf8};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::mem;
use core::ops::Deref;

/// Capacity that an idle batch may keep, in bytes of text and in records.
const IDLE_TEXT: usize = 1024;
const IDLE_RECORDS: usize = 16;

/// Capacity that a buffer may keep for a batch that is much smaller, in bytes of text.
const KEEP_TEXT: usize = 4 * 1024;

/// Capacity over which a buffer is not used again, in bytes of text.
const LARGE_TEXT: usize = 128 * 1024;

/// The owner of lines that were not copied.
pub(super) enum Owner {
    /// The lines are in a chunk.
    Chunk(Bytes),
    /// The lines were assembled.
    Block(Buffer),
}

impl Deref for Owner {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Owner::Chunk(bytes) => bytes,
            Owner::Block(bytes) => bytes,
        }
    }
}

type Text<'a> = &'a str;

self_cell::self_cell!(
    /// Bytes with their text: proof that they are valid UTF-8.
    pub(super) struct KeptText {
        owner: Owner,
        #[covariant]
        dependent: Text,
    }
);

/// The lines of a section.
pub(super) enum Lines {
    Copied(String),
    Kept(KeptText),
}

impl Lines {
    #[inline(always)]
    pub(super) fn text(&self) -> &str {
        match self {
            Lines::Copied(text) => text,
            Lines::Kept(text) => text.borrow_dependent(),
        }
    }

    /// Copies `text`. The lines must be empty before.
    #[inline]
    pub(super) fn copy(&mut self, text: &str) {
        if let Lines::Copied(lines) = self {
            lines.push_str(text);
        }
    }

    /// Keeps the bytes of `owner`. Ill-formed ones are decoded and returned.
    pub(super) fn keep(&mut self, owner: Owner) -> Option<Owner> {
        let kept = KeptText::try_new_or_recover(owner, |bytes| utf8::valid(bytes).ok_or(()));
        match kept {
            Ok(kept) => {
                *self = Lines::Kept(kept);
                None
            }
            Err((bytes, ())) => {
                *self = Lines::Copied(String::from_utf8_lossy(&bytes).into_owned());
                Some(bytes)
            }
        }
    }

    /// Drops the lines. Returns the buffer of the block that they were in.
    pub(super) fn release(&mut self) -> Option<Buffer> {
        match mem::take(self) {
            Lines::Kept(text) => match text.into_owner() {
                Owner::Block(block) => Some(block),
                Owner::Chunk(_) => None,
            },
            Lines::Copied(_) => None,
        }
    }

    #[inline(always)]
    fn clear(&mut self) {
        match self {
            Lines::Copied(text) => clear(text),
            Lines::Kept(_) => drop(self.release()),
        }
    }
}

impl Default for Lines {
    fn default() -> Self {
        Lines::Copied(String::new())
    }
}

/// Empties a text. Frees a buffer that is large or was less than a quarter full.
#[inline(always)]
fn clear(text: &mut String) {
    let capacity = text.capacity();
    if capacity > KEEP_TEXT && (capacity / 4 > text.len() || capacity > LARGE_TEXT) {
        *text = String::new();
    }
    text.clear();
}

/// The text of some events, and the places of their values in it.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) lines: Lines,
    /// Values that are not in the lines: joined data, an earlier id, the values of a small block.
    pub(super) values: String,
    /// Texts that more than one batch needs, or that no [`Part`] can address.
    pub(super) shared: Vec<Arc<str>>,
    pub(super) records: Vec<Record>,
}

impl Batch {
    #[inline(always)]
    pub(super) fn clear(&mut self) {
        self.lines.clear();
        clear(&mut self.values);
        if !self.shared.is_empty() {
            self.shared.clear();
        }
        self.records.clear();
    }

    pub(super) fn push_shared(&mut self, text: Arc<str>) -> Part {
        self.shared.push(text);
        Part::new(Part::SHARED, (self.shared.len() - 1) as u32)
    }

    /// Returns whether the batch holds more memory than an idle stream should.
    pub(super) fn is_burden(&self) -> bool {
        let lines = match &self.lines {
            Lines::Copied(text) => text.capacity(),
            Lines::Kept(_) => usize::MAX,
        };
        lines > IDLE_TEXT
            || self.values.capacity() > IDLE_TEXT
            || self.records.capacity() > IDLE_RECORDS
    }

    /// Drops the lines if the events need less than a sixteenth of them: a kept event should keep
    /// little besides itself.
    #[inline(always)]
    pub(super) fn compact(&mut self) {
        if self.lines.text().len() >= IDLE_TEXT || self.records.capacity() > IDLE_RECORDS {
            self.compact_large();
        }
    }

    #[inline(never)]
    fn compact_large(&mut self) {
        let lines = self.lines.text();
        if lines.len() >= IDLE_TEXT {
            let mut used = 0;
            let is_used = |record: &Record| {
                used += record.bytes_in_lines();
                used >= lines.len() / 16 // most often at the first record
            };
            if !self.records.iter().any(is_used) {
                for record in &mut self.records {
                    for part in [&mut record.data, &mut record.event, &mut record.id] {
                        if part.is_in_lines() {
                            *part = push_value(&mut self.values, part.of_text(lines));
                        }
                    }
                }
                self.lines = Lines::default();
            }
        }
        let (length, capacity) = (self.records.len(), self.records.capacity());
        if capacity > IDLE_RECORDS && capacity / 4 > length {
            self.records.shrink_to_fit();
        }
    }
}

/// Appends `value` to the values of a batch.
#[inline(always)]
pub(super) fn push_value(values: &mut String, value: &str) -> Part {
    let start = values.len();
    values.push_str(value);
    Part::value(start, values.len())
}

/// The place of a value in a [`Batch`].
///
/// A start below [`Part::VALUES`] is an offset in the lines. With [`Part::VALUES`] added it is an
/// offset in the values. [`Part::SHARED`] means that the end is an index in `shared`. An enum would
/// take three words.
///
/// The start is in the upper half of the number, and the end in the lower half. Two fields would be
/// stored one by one and loaded together, which waits for both stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part(u64);

impl Part {
    const VALUES: u32 = 1 << 31;
    const SHARED: u32 = u32::MAX;

    /// Maximum size of the lines and of the values of a batch.
    pub(super) const MAX: usize = Self::VALUES as usize - 1;

    pub(super) const EMPTY: Part = Part::new(Self::VALUES, 0);
    /// The data of a record that is not an event.
    pub(super) const NONE: Part = Part::new(Self::SHARED, u32::MAX);

    #[inline(always)]
    const fn new(start: u32, end: u32) -> Self {
        Part((start as u64) << 32 | end as u64)
    }

    #[inline(always)]
    pub(super) fn line(start: usize, end: usize) -> Self {
        debug_assert!(end <= Self::MAX);
        Part::new(start as u32, end as u32)
    }

    #[inline(always)]
    pub(super) fn value(start: usize, end: usize) -> Self {
        debug_assert!(end <= Self::MAX);
        Part::new(Self::VALUES | start as u32, end as u32)
    }

    #[inline(always)]
    fn start(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline(always)]
    fn end(self) -> usize {
        self.0 as u32 as usize
    }

    #[inline(always)]
    pub(super) fn of(self, batch: &Batch) -> &str {
        if self.is_in_lines() { self.of_text(batch.lines.text()) } else { self.of_others(batch) }
    }

    #[inline]
    fn of_others(self, batch: &Batch) -> &str {
        match self.start() {
            Self::SHARED => batch.shared.get(self.end()).map_or("", |text| text),
            start => &batch.values[(start ^ Self::VALUES) as usize..self.end()],
        }
    }

    #[inline(always)]
    fn of_text(self, text: &str) -> &str {
        &text[self.start() as usize..self.end()]
    }

    #[inline(always)]
    fn is_in_lines(self) -> bool {
        self.start() < Self::VALUES
    }

    pub(super) fn is_shared(self) -> bool {
        self.start() == Self::SHARED
    }

    /// Returns the end of this part if it is the beginning of the values.
    pub(super) fn end_of_first_value(self) -> Option<usize> {
        (self.start() == Self::VALUES).then_some(self.end())
    }

    fn bytes_in_lines(self) -> usize {
        if self.is_in_lines() { self.end() - self.start() as usize } else { 0 }
    }
}

/// The places of the parts of one event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) data: Part,
    pub(super) event: Part,
    pub(super) id: Part,
}

impl Record {
    fn bytes_in_lines(&self) -> usize {
        self.data.bytes_in_lines() + self.event.bytes_in_lines() + self.id.bytes_in_lines()
    }
}
