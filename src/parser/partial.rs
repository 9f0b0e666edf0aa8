//! The block whose blank line has not arrived, as it was received.
//!
//! Invariants:
//! - The bytes begin where a block begins. They contain no blank line.
//! - A line that arrives in a thousand chunks costs the sum of the chunks. Only the final walk
//!   searches a byte again.
//! - Lines without effect (comments, `retry`, unknown fields) are dropped as soon as the block has
//!   grown by some KiB. So the block stays below its limit, its line ends and those KiB. Comments
//!   that are reported are moved out at once.
//! - A dropped line can be replaced by a line with an unknown field U+0000, which shows that a block
//!   has begun.

use super::buffer::Buffer;
use super::field::{Field, may_become_known, milliseconds, recognise};
use super::line_ends::{self, is_line_end};
use super::unknown::{MAX_UNKNOWN, STAND_IN, UnknownLines};
use alloc::string::ToString;
use core::iter;
use core::mem;
use memchr::memchr2;

/// Length from which on a line is likely to fill the next chunk too.
const LONG_LINE: usize = 1024;

#[derive(Debug, Clone)]
pub(crate) struct PartialBlock {
    bytes: Buffer,
    /// Set if one of the bytes may end a line.
    has_line_ends: bool,
    /// Set if one of the bytes after `examined` may end a line.
    has_new_lines: bool,
    /// Offset of the first line that has not been examined: the lines before it are complete and
    /// have an effect.
    examined: usize,
    /// Bytes of the examined lines, without their line ends.
    size: usize,
    /// Length over which the block is examined.
    room: usize,
    /// The value of `room` for a new block.
    first_room: usize,
    /// The reconnection time that dropped lines have set, in milliseconds.
    retry: Option<u64>,
    /// Set if the comments that have begun are not to be reported.
    hides_comments: bool,
    /// The block was over the limit and has been reported: it only waits for its blank line.
    is_discarded: bool,
    /// The unknown lines that were dropped, if they are kept.
    pub(crate) unknown: UnknownLines,
}

/// A block over the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Oversize {
    /// Offset of the line that passes the limit.
    pub(super) line: usize,
    /// Bytes of the `data`, `event` and `id` lines up to and including that line.
    pub(super) size: usize,
}

impl PartialBlock {
    /// Returns an empty block that is examined over that length.
    pub(super) const fn new(room: usize) -> Self {
        PartialBlock {
            bytes: Buffer::new(),
            has_line_ends: false,
            has_new_lines: false,
            examined: 0,
            size: 0,
            room,
            first_room: room,
            retry: None,
            hides_comments: false,
            is_discarded: false,
            unknown: UnknownLines::new(),
        }
    }

    #[inline(always)]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns whether one of the bytes may end a line.
    #[inline(always)]
    pub(super) fn has_line_ends(&self) -> bool {
        self.has_line_ends
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns whether there is nothing but the beginning of a comment.
    #[inline(always)]
    pub(super) fn is_open_comment(&self) -> bool {
        self.bytes.first() == Some(&b':') && !self.has_line_ends
    }

    /// Returns whether there is nothing but the beginning of a long line.
    #[inline(always)]
    pub(super) fn is_long_line(&self) -> bool {
        !self.has_line_ends && self.bytes.len() >= LONG_LINE
    }

    /// Returns whether `bytes` more bytes need no examination.
    #[inline(always)]
    pub(super) fn fits(&self, bytes: usize) -> bool {
        self.bytes.len() + bytes <= self.room
    }

    /// Appends bytes. `ends_lines` is false only if none of them ends a line.
    #[inline(always)]
    pub(super) fn push(&mut self, bytes: &[u8], ends_lines: bool) {
        self.has_line_ends |= ends_lines;
        self.has_new_lines |= ends_lines;
        self.bytes.push(bytes);
    }

    /// Appends the LF of a CRLF whose CR is the last byte. Without it, a later LF would count as
    /// part of that CRLF.
    pub(super) fn push_lf_of_crlf(&mut self) {
        if self.bytes.last() == Some(&b'\r') {
            self.examined += usize::from(self.examined == self.bytes.len());
            self.bytes.push(b"\n");
        }
    }

    /// Returns whether a line starts after the bytes.
    #[inline(always)]
    pub(super) fn is_at_line_start(&self) -> bool {
        self.bytes.last().is_none_or(|last| is_line_end(*last))
    }

    /// Completes the block by its last bytes and moves it to `block`.
    #[inline(always)]
    pub(super) fn complete(&mut self, bytes: &[u8], block: &mut Buffer) {
        self.bytes.push(bytes);
        mem::swap(&mut self.bytes, block);
        self.clear();
    }

    /// Continues the block in `buffer` if that is larger. Its content is dropped.
    pub(crate) fn continue_in(&mut self, mut buffer: Buffer) {
        if buffer.capacity() > self.bytes.capacity() {
            buffer.clear();
            buffer.push(&self.bytes);
            self.bytes = buffer;
        }
    }

    /// Makes room for a block that is likely to have about that length.
    pub(crate) fn make_room(&mut self, length: usize) {
        if self.bytes.capacity() < length / 2 {
            self.continue_in(Buffer::with_capacity(length));
        }
    }

    #[inline(always)]
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.has_line_ends = false;
        self.has_new_lines = false;
        self.examined = 0;
        self.size = 0;
        self.room = self.first_room;
        self.hides_comments = false;
        self.is_discarded = false;
    }

    /// Sets the length over which a block is examined for the first time.
    pub(super) const fn set_first_room(&mut self, room: usize) {
        self.first_room = room;
        self.room = room;
    }

    #[inline(always)]
    pub(super) fn is_discarded(&self) -> bool {
        self.is_discarded
    }

    /// Hides the comments that have begun, before anything is appended.
    pub(super) const fn hide_comments(&mut self) {
        self.hides_comments = true;
        self.room = 0;
    }

    /// Drops the comments that are to be hidden.
    pub(super) fn drop_hidden_comments(&mut self, limit: usize) {
        if mem::take(&mut self.hides_comments) {
            self.examine(None, limit);
        }
    }

    /// Moves the complete comments to `comments`. Returns whether there are any.
    pub(super) fn take_comments(&mut self, comments: &mut Buffer) -> bool {
        comments.clear();
        if mem::take(&mut self.has_new_lines) {
            self.drop_lines(Some(comments));
        }
        !comments.is_empty()
    }

    /// Returns the reconnection time that the complete lines have set, in milliseconds. It applies
    /// from the end of its line on, even if the block is never completed.
    pub(super) fn retry(&self) -> Option<u64> {
        let complete = lines(&self.bytes, 0).filter(|line| line.next.is_some());
        complete.fold(self.retry, |retry, Line { text, .. }| match recognise(text) {
            (Field::Retry, value) => milliseconds(&text[value..]).or(retry),
            _ => retry,
        })
    }

    /// Returns the reconnection time that dropped lines have set, and forgets it.
    #[inline(always)]
    pub(super) fn take_dropped_retry(&mut self) -> Option<u64> {
        self.retry.take()
    }

    /// Returns whether a line has begun that is or may become a part of an event.
    pub(super) fn is_in_event(&self) -> bool {
        self.is_discarded
            || lines(&self.bytes, 0).any(|line| {
                recognise(line.text).0.is_of_event()
                    || line.is_undecided() && !line.may_become_retry()
            })
    }

    /// Adds the lines that are not comments to `unknown`. It is called at the end of a stream.
    pub(super) fn add_remainder(&self, unknown: &mut UnknownLines) {
        unknown.extend(&self.unknown);
        for line in lines(&self.bytes, 0) {
            match recognise(line.text).0 {
                Field::Comment | Field::Retry => {}
                Field::Unknown if line.may_become_retry() => {}
                _ => unknown.push(line.text),
            }
        }
    }

    /// Returns the place where the block passes the limit, if it does.
    pub(super) fn passes(&self, limit: usize) -> Option<Oversize> {
        if self.bytes.len() <= limit {
            return None;
        }
        let mut size = self.size;
        lines(&self.bytes, self.examined).find_map(|line| {
            if !line.is_undecided() && recognise(line.text).0.is_of_event() {
                size += line.text.len();
            }
            (size > limit).then_some(Oversize { line: line.start, size })
        })
    }

    /// Discards the block up to its blank line. Moves its lines before `line` to `lines`.
    pub(super) fn discard(&mut self, line: usize, lines: &mut Buffer) {
        self.is_discarded = true;
        self.room = 0;
        let bytes = mem::take(&mut self.bytes);
        self.bytes.push(&bytes[bytes.len() - 1..]);
        self.forget();
        *lines = bytes;
        lines.truncate(line);
        lines.shrink();
    }

    /// Forgets the bytes of a discarded block, except for its last line end.
    pub(super) fn forget(&mut self) {
        let last = self.bytes.last().copied().filter(|last| is_line_end(*last));
        self.bytes.clear();
        self.bytes.push(&[STAND_IN]);
        if let Some(end) = last {
            self.bytes.push(&[end]);
        }
        (self.examined, self.size) = (0, 0);
    }

    /// Examines the lines since the last examination: drops those without effect. A comment that
    /// has not ended is kept up to `max_comment` bytes.
    pub(super) fn examine(&mut self, max_comment: Option<usize>, limit: usize) {
        if mem::take(&mut self.has_new_lines) {
            self.drop_lines(None);
        }
        self.shorten_open_line(max_comment);
        self.room = (2 * self.bytes.len()).max(self.first_room).min(limit);
        self.bytes.shrink();
    }

    /// Drops the complete lines without effect. Appends the comments to `comments`.
    fn drop_lines(&mut self, mut comments: Option<&mut Buffer>) {
        let (mut at, mut kept) = (self.examined, self.examined);
        while let Some(Line { text, next: Some(next), .. }) = line_at(&self.bytes, at) {
            match recognise(text) {
                (Field::Data | Field::Event | Field::Id, _) => {
                    self.size += text.len();
                    if at > kept {
                        self.bytes.move_down(at..next, kept);
                    }
                    kept += next - at;
                }
                (Field::Retry, value) => {
                    self.retry = milliseconds(&text[value..]).or(self.retry);
                }
                (Field::Unknown, _) => self.unknown.push(text),
                (Field::Comment, _) => {
                    if let Some(comments) = &mut comments {
                        comments.push(&self.bytes[at..next]);
                    }
                }
            }
            at = next;
        }
        if kept < at && self.bytes[..kept].last() == Some(&b'\r') {
            // A blank line that is an LF would complete this CR instead.
            self.bytes.set(kept - 1, b'\n');
        }
        let length = self.bytes.len() - at;
        self.bytes.move_down(at..at + length, kept);
        self.bytes.truncate(kept + length);
        self.examined = kept;
        self.has_line_ends = kept > 0;
        if self.bytes.is_empty() && self.retry.is_some() {
            // The dropped lines began a block, which the blank line must still end.
            self.push(&[STAND_IN, b'\n'], true);
            self.examined = self.bytes.len();
        }
    }

    /// Shortens the open line if its bytes can have no effect.
    fn shorten_open_line(&mut self, max_comment: Option<usize>) {
        let line = &self.bytes[self.examined..];
        if may_become_known(line) {
            return;
        }
        match recognise(line) {
            (Field::Data | Field::Event | Field::Id, _) => {}
            (Field::Comment, text) if max_comment.is_some_and(|max| line.len() - text <= max) => {}
            (Field::Retry, value) if line[value..].iter().all(u8::is_ascii_digit) => {
                let number = milliseconds(&line[value..]).map(|number| number.to_string());
                self.bytes.truncate(self.examined + value);
                self.bytes.push(number.unwrap_or_default().as_bytes());
            }
            (Field::Unknown, _) if self.unknown.is_kept() && line[0] != STAND_IN => {
                self.bytes.truncate(self.examined + line.len().min(MAX_UNKNOWN));
            }
            _ => {
                self.bytes.truncate(self.examined);
                self.bytes.push(&[STAND_IN]);
            }
        }
    }

    /// Returns whether no block has begun, or a comment at most.
    #[inline(always)]
    pub(super) fn is_idle(&self) -> bool {
        self.is_empty() || self.is_open_comment()
    }

    /// Frees a large buffer if it holds no block.
    #[inline(always)]
    pub(super) fn give_back(&mut self, keep: usize) {
        if self.bytes.capacity() > keep && self.is_idle() {
            self.bytes.shrink();
        }
    }
}

/// A line, whole or begun.
struct Line<'b> {
    start: usize,
    /// Its bytes without its line end.
    text: &'b [u8],
    /// Offset of the next line, if this one is complete.
    next: Option<usize>,
}

impl Line<'_> {
    /// Returns whether the bytes that will follow decide about the field.
    fn is_undecided(&self) -> bool {
        self.next.is_none() && may_become_known(self.text)
    }

    fn may_become_retry(&self) -> bool {
        self.next.is_none() && b"retry".starts_with(self.text)
    }
}

/// Returns the line that starts at `start`, if any byte of it has arrived.
fn line_at(bytes: &[u8], start: usize) -> Option<Line<'_>> {
    let rest = bytes.get(start..).filter(|rest| !rest.is_empty())?;
    let Some(length) = memchr2(b'\n', b'\r', rest) else {
        return Some(Line { start, text: rest, next: None });
    };
    let next = start + length + line_ends::length(&rest[length..]);
    Some(Line { start, text: &rest[..length], next: Some(next) })
}

/// Returns the lines from `start` on.
fn lines(bytes: &[u8], start: usize) -> impl Iterator<Item = Line<'_>> {
    iter::successors(line_at(bytes, start), |line| line_at(bytes, line.next?))
}
