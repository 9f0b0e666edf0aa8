//! What a chunk is cut into: the end of a block that earlier chunks began, blocks
//! that lie whole in it, and the beginning of one that goes on in the next.
//!
//! Invariants:
//! - Every byte of the chunk is in one part, in order.
//! - A block that began earlier is whole by then, as [`Parser::begin`] has put it
//!   together, or it is read carefully.
//! - Whole blocks are cut out in long stretches: to find where the last of them ends
//!   takes a look at what is behind it, not at each of them.
//!
//! [`Parser::begin`]: super::Parser::begin

use super::line_ends;
use super::pending::Pending;
use super::state::{State, Step};
use super::utf8;
use core::ops::Range;

/// How many bytes of a chunk are looked at together: few enough that they are still in
/// the processor's cache when they have been validated and are walked over.
pub(crate) const STRETCH: usize = 64 * 1024;

/// The rest of a chunk, which is cut as it is used up.
pub(crate) struct Cut<'a> {
    pub(crate) state: &'a mut State,
    pub(super) pending: &'a mut Pending,
    pub(crate) chunk: &'a [u8],
    at: usize,
    /// Whether all the rest is to be read carefully.
    careful: bool,
    /// No line ends here or behind it.
    lines_end: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Whole blocks, in this range of the chunk, to be walked over.
    Blocks(Range<usize>),
    /// Something to be [read](Cut::read) carefully.
    Careful,
    /// The chunk is used up.
    End,
}

impl<'a> Cut<'a> {
    /// The rest of `chunk` from `at` on.
    #[inline(always)]
    pub(super) fn new(
        state: &'a mut State,
        pending: &'a mut Pending,
        chunk: &'a [u8],
        at: usize,
    ) -> Self {
        Cut { state, pending, chunk, at, careful: false, lines_end: chunk.len() }
    }

    /// Cuts off the next part.
    #[inline(always)]
    pub(crate) fn next_part(&mut self) -> Part {
        if self.at == self.chunk.len() { Part::End } else { self.part_of_rest() }
    }

    #[inline(never)]
    fn part_of_rest(&mut self) -> Part {
        if self.state.in_block || self.careful {
            return Part::Careful;
        }
        let rest = &self.chunk[self.at..];
        let stretch = &rest[..rest.len().min(STRETCH)];
        let (end, lines_end) = line_ends::last_block(stretch);
        if end > self.state.max_event_size / utf8::DECODED {
            self.careful = true;
            return Part::Careful;
        }
        let blocks = self.at..self.at + end;
        self.at += end;
        let tail = &rest[end..];
        let is_searched = stretch.len() == rest.len();
        if is_searched && !self.state.comments && self.pending.has_room(tail.len()) {
            if lines_end > end {
                self.pending.push(tail);
            } else {
                self.pending.push_piece(tail);
            }
            self.at = self.chunk.len();
        } else if is_searched {
            self.careful = true;
            self.lines_end = blocks.start + lines_end;
        } else if end == 0 {
            return Part::Careful;
        }
        Part::Blocks(blocks)
    }

    /// Reads carefully, after [`Part::Careful`], to the next thing worth telling or to
    /// the end of the block.
    pub(crate) fn read(&mut self) -> Step {
        self.state.read(self.chunk, &mut self.at, self.lines_end)
    }

    /// How many bytes are left.
    pub(super) fn bytes_left(&self) -> usize {
        self.chunk.len() - self.at
    }
}
