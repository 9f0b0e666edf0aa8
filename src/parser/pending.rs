//! The beginning of a block whose end has not arrived, as it was received.
//!
//! Most blocks are small. One that straddles chunks is put together here, whatever
//! the number of its pieces, and is then walked over like any other: all that a
//! piece costs is a look for a blank line and a short copy.
//!
//! Invariants:
//! - It begins where a block begins, at the start of a line.
//! - It is small enough that no limit can be passed by what is in it. A block that
//!   grows beyond that is handed to [`State`](super::state::State), which counts.

use super::buffer::Buffer;
use super::field::{Field, RetryDigits, recognise};
use super::line_ends::{self, BlockEnd, Few, LineEnds};
use super::utf8;
use core::mem;

/// A block of more bytes is not put together here.
const MOST: usize = 4 * 1024;

#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) bytes: Buffer,
    /// Whether a line may end in it.
    pub(super) has_lines: bool,
    /// How many bytes it may have.
    most: usize,
    /// A comment that nobody asked for began the block, and still goes on. Nothing is
    /// kept of it.
    pub(super) in_comment: bool,
}

impl Pending {
    /// Under this limit of an event's size.
    pub(super) const fn new(limit: usize) -> Self {
        let mut pending =
            Pending { bytes: Buffer::new(), has_lines: false, most: 0, in_comment: false };
        pending.set_limit(limit);
        pending
    }

    pub(super) const fn set_limit(&mut self, limit: usize) {
        self.most = if limit / utf8::DECODED < MOST { limit / utf8::DECODED } else { MOST };
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether so many more bytes may be added.
    #[inline(always)]
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.bytes.len() + bytes <= self.most
    }

    #[inline(always)]
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.has_lines = true;
        self.bytes.push(bytes);
    }

    /// The same for bytes in which no line ends.
    #[inline(always)]
    pub(super) fn push_piece(&mut self, bytes: &[u8]) {
        self.bytes.push(bytes);
    }

    /// Puts together what is there and `bytes`, in which the block `ends`, in exchange for
    /// an empty buffer. Gives how many of the first bytes are known to end no line.
    #[inline(always)]
    pub(super) fn finish(&mut self, bytes: &[u8], ends: BlockEnd, whole: &mut Buffer) -> usize {
        let quiet = if self.has_lines { 0 } else { self.bytes.len() + ends.first_line };
        self.bytes.push(&bytes[..ends.end]);
        mem::swap(&mut self.bytes, whole);
        self.bytes.clear();
        self.has_lines = false;
        quiet
    }

    /// Where in `bytes` the block ends, if it does. `ends` are its line ends, if it is
    /// short.
    #[inline(always)]
    pub(super) fn end_in(&self, bytes: &[u8], ends: Option<Few>) -> Option<BlockEnd> {
        let last = self.bytes.last();
        let at_line_start = last.is_some_and(|last| line_ends::is_line_end(*last));
        match ends {
            Some(ends) => ends.first_block(bytes, at_line_start),
            None => line_ends::first_block(bytes, at_line_start),
        }
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.has_lines = false;
        self.in_comment = false;
    }

    /// The reconnection time that the complete lines ask for: it holds from the end of
    /// its line on, and the block may never be walked over.
    #[cold]
    pub(super) fn retry(&self) -> Option<u64> {
        let bytes: &[u8] = &self.bytes;
        let (mut ends, mut start, mut retry) = (LineEnds::default(), 0, None);
        loop {
            let end = ends.next(bytes, start);
            if end == bytes.len() {
                return retry;
            }
            let line = &bytes[start..end];
            if let (Field::Retry, value) = recognise(line) {
                retry = RetryDigits::of(&line[value..]).or(retry);
            }
            start = end + 1;
        }
    }
}
