//! The careful way to read: line by line, piece by piece, with every byte that is kept
//! counted.
//!
//! Invariants:
//! - It begins where a block begins, and goes on to the end of it.
//! - What a frame lends from here stays untouched until the next call.

use super::block::{Block, Taken};
use super::line_ends::{self, Few, is_line_end};
use super::open_line::{Ended, OpenLine, TooLarge};
use super::state::{State, Step};
use super::utf8;
use crate::frame::Discarded;
use core::mem;
use memchr::memchr2;

#[derive(Debug, Clone, Default)]
pub(super) struct Careful {
    line: OpenLine,
    block: Block,
    /// Whether the last event ID was set since this was last asked.
    id_is_new: bool,
    /// The report of a discarded event, until its frame is taken.
    discarded: Option<Discarded>,
}

impl Careful {
    /// As [`State::absorb`], within a block.
    #[inline(always)]
    pub(super) fn absorb(&mut self, piece: &[u8]) -> bool {
        self.line.is_open() && self.line.push_short(piece)
    }

    /// As [`State::absorb_line`], within a block.
    pub(super) fn absorb_line(&mut self, bytes: &[u8], ends: Option<Few>, limit: usize) -> usize {
        let Careful { line, block, .. } = self;
        let size = block
            .size()
            .saturating_add(line.size_at_most())
            .saturating_add(bytes.len().saturating_mul(utf8::DECODED));
        if !line.is_open() || size > limit {
            return 0;
        }
        let end = match ends {
            Some(ends) => ends.first(),
            None => memchr2(b'\n', b'\r', bytes),
        };
        let piece = &bytes[..end.unwrap_or(bytes.len())];
        let taken = line.push(piece, block, limit);
        debug_assert_eq!(taken, Ok(()), "it is within the limit");
        piece.len()
    }

    /// Reads `chunk` from `at` on, to the next thing worth telling, or to the end of
    /// the block. No line ends at `lines_end` or behind it.
    pub(super) fn read(
        &mut self,
        state: &mut State,
        chunk: &[u8],
        at: &mut usize,
        lines_end: usize,
    ) -> Step {
        if !state.in_block {
            state.in_block = true;
            self.block.clear(true); // of what was lent
        }
        while let Some(next) = chunk.get(*at) {
            if !self.line.is_open() && is_line_end(*next) {
                *at += line_ends::length(&chunk[*at..]);
                return self.end_block(state);
            }
            let rest = &chunk[*at..];
            let end = if *at < lines_end { line_ends::first(rest) } else { None };
            let piece = &rest[..end.unwrap_or(rest.len())];
            *at += piece.len();
            if let Err(too_large) = self.take_piece(piece, state) {
                self.line.skip();
                return self.discard(too_large, state.max_event_size);
            }
            if let Some(end) = end {
                *at += line_ends::length(&rest[end..]);
                let step = self.end_line(state);
                if step != Step::End {
                    return step;
                }
            }
        }
        Step::End
    }

    /// Takes the next piece of a line, which may be the first one.
    #[inline]
    fn take_piece(&mut self, piece: &[u8], state: &State) -> Result<(), TooLarge> {
        if self.line.is_open() {
            self.line.push(piece, &mut self.block, state.max_event_size)
        } else if self.block.discarding {
            // Only its being there matters: it is not blank.
            self.line.skip();
            Ok(())
        } else {
            self.line.begin(piece, &mut self.block, state.max_event_size, state.comments)
        }
    }

    /// Ends the open line.
    fn end_line(&mut self, state: &mut State) -> Step {
        match self.line.end(&mut self.block, state.max_event_size) {
            Ok(Ended::Nothing) => Step::End,
            Ok(Ended::Comment) => Step::Comment,
            Ok(Ended::Retry(milliseconds)) => {
                state.retry = Some(milliseconds);
                Step::End
            }
            Err(too_large) => self.discard(too_large, state.max_event_size),
        }
    }

    /// Ends the block: its blank line has come.
    fn end_block(&mut self, state: &mut State) -> Step {
        state.in_block = false;
        if mem::take(&mut self.block.discarding) {
            return Step::End;
        }
        let has_id = mem::take(&mut self.block.has_id);
        if has_id {
            mem::swap(&mut self.block.id, &mut state.last_event_id);
            self.id_is_new = true;
        }
        match self.block.has_data() {
            true => Step::Event,
            false if has_id => Step::Id,
            false => Step::End,
        }
    }

    /// Drops the block, and what comes of it until the next blank line.
    #[cold]
    fn discard(&mut self, TooLarge(size): TooLarge, limit: usize) -> Step {
        self.discarded = Some(self.block.discard(size, limit));
        Step::Discarded
    }

    /// Empties it, and frees what is large.
    pub(super) fn clear(&mut self) {
        self.block.clear(true);
        self.line.rest(true);
    }

    /// The type and the data of the event.
    pub(super) fn event(&mut self) -> (&str, &str) {
        self.block.lend()
    }

    /// The comment.
    pub(super) fn comment(&self) -> &str {
        self.line.comment()
    }

    pub(super) fn take_large(&mut self, least: usize) -> Option<Taken> {
        self.block.take_large(least)
    }

    pub(super) fn take_discarded(&mut self) -> Option<Discarded> {
        self.discarded.take()
    }

    pub(super) fn take_id_is_new(&mut self) -> bool {
        mem::take(&mut self.id_is_new)
    }
}
