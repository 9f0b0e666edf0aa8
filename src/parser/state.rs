//! What a parser remembers from chunk to chunk, and the careful way to read: line
//! by line, piece by piece, with every byte that is kept counted.
//!
//! Invariants:
//! - A block is read either carefully or by a [`Walk`](super::walk::Walk), as a
//!   whole. Carefully means: it may be large, or someone wants its comments before it
//!   ends.
//! - What a frame lends from here stays untouched until the next call.

use super::block::{Block, Taken};
use super::line_ends::{self, is_line_end};
use super::open_line::{Ended, OpenLine, TooLarge};
use super::utf8;
use crate::frame::{Discarded, EventView};
use alloc::string::String;
use core::mem;
use memchr::memchr2;

/// What reading came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// An event, to be viewed.
    Event,
    /// A comment, to be viewed.
    Comment,
    /// A discarded event, with a report for [`State::take_discarded`].
    Discarded,
    /// A block without data set the last event ID.
    Id,
    /// There is nothing more: no bytes, or another way to read the rest of them.
    End,
}

#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(super) max_event_size: usize,
    pub(super) comments: bool,
    pub(super) last_event_id: String,
    /// The one before, until the event that comes with it is taken.
    pub(super) previous_id: String,
    /// In milliseconds.
    pub(super) retry: Option<u64>,
    /// Whether a block is being read carefully.
    pub(super) in_block: bool,
    /// Whether reading carefully set the last event ID since this was last asked.
    id_is_new: bool,
    /// Whether the chunk had a use for the buffers of `line` and `block`.
    pub(super) used: bool,
    pub(super) line: OpenLine,
    pub(super) block: Block,
    /// The report of a discarded event, until its frame is taken.
    discarded: Option<Discarded>,
}

impl State {
    pub(super) const fn new(max_event_size: usize) -> Self {
        State {
            max_event_size,
            comments: false,
            last_event_id: String::new(),
            previous_id: String::new(),
            retry: None,
            in_block: false,
            id_is_new: false,
            used: false,
            line: OpenLine::new(),
            block: Block::new(),
            discarded: None,
        }
    }

    /// Forgets the block.
    pub(super) fn reset(&mut self) {
        self.in_block = false;
        self.line.close();
        self.block = Block::new();
        self.discarded = None;
    }

    /// Takes a further piece of the open line, if there is one that has room for it as
    /// it is.
    #[inline(always)]
    pub(super) fn absorb(&mut self, piece: &[u8]) -> bool {
        self.in_block && self.line.is_open() && self.line.push_short(piece)
    }

    /// The same for any number of bytes, if they are a piece and cannot take the block
    /// beyond the limit.
    #[inline(never)]
    pub(super) fn absorb_many(&mut self, bytes: &[u8]) -> bool {
        let State { line, block, max_event_size, .. } = self;
        let size = block
            .size()
            .saturating_add(line.size_at_most())
            .saturating_add(bytes.len() * utf8::DECODED);
        line.is_open()
            && size <= *max_event_size
            && memchr2(b'\n', b'\r', bytes).is_none()
            && line.push(bytes, block, *max_event_size).is_ok()
    }

    /// Reads `chunk` from `at` on, to the next thing worth telling, or to the end of
    /// the block.
    pub(crate) fn read(&mut self, chunk: &[u8], at: &mut usize) -> Step {
        self.used = true;
        if !self.in_block {
            self.in_block = true;
            self.block.clear(true); // of what was lent
        }
        while let Some(next) = chunk.get(*at) {
            if !self.line.is_open() && is_line_end(*next) {
                *at += line_ends::length(&chunk[*at..]);
                return self.end_block();
            }
            let rest = &chunk[*at..];
            let end = line_ends::first(rest);
            let piece = &rest[..end.unwrap_or(rest.len())];
            *at += piece.len();
            if let Err(too_large) = self.take_piece(piece) {
                self.line.skip();
                return self.discard(too_large);
            }
            if let Some(end) = end {
                *at += line_ends::length(&rest[end..]);
                let step = self.end_line();
                if step != Step::End {
                    return step;
                }
            }
        }
        Step::End
    }

    /// Takes the next piece of a line, which may be the first one.
    #[inline]
    fn take_piece(&mut self, piece: &[u8]) -> Result<(), TooLarge> {
        if self.line.is_open() {
            self.line.push(piece, &mut self.block, self.max_event_size)
        } else if self.block.discarding {
            // Only its being there matters: it is not blank.
            self.line.skip();
            Ok(())
        } else {
            self.line.begin(piece, &mut self.block, self.max_event_size, self.comments)
        }
    }

    /// Ends the open line.
    fn end_line(&mut self) -> Step {
        match self.line.end(&mut self.block, self.max_event_size) {
            Ok(Ended::Nothing) => Step::End,
            Ok(Ended::Comment) => Step::Comment,
            Ok(Ended::Retry(milliseconds)) => {
                self.retry = Some(milliseconds);
                Step::End
            }
            Err(too_large) => self.discard(too_large),
        }
    }

    /// Ends the block: its blank line has come.
    fn end_block(&mut self) -> Step {
        self.in_block = false;
        if mem::take(&mut self.block.discarding) {
            return Step::End;
        }
        let has_id = mem::take(&mut self.block.has_id);
        if has_id {
            mem::swap(&mut self.block.id, &mut self.last_event_id);
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
    fn discard(&mut self, TooLarge(size): TooLarge) -> Step {
        self.discarded = Some(self.block.discard(size, self.max_event_size));
        Step::Discarded
    }

    /// A chunk is used up: frees what the next one will hardly need.
    #[inline(always)]
    pub(crate) fn finish_chunk(&mut self) {
        if self.used || self.block.is_wasteful() {
            self.free();
        }
    }

    #[inline(never)]
    fn free(&mut self) {
        let used = mem::take(&mut self.used);
        if !self.in_block {
            self.block.clear(used);
            self.line.rest(used);
        }
    }

    /// The event that [`Step::Event`] told of.
    pub(crate) fn view(&mut self) -> EventView<'_> {
        let (event, data) = self.block.lend();
        EventView { data, event, id: &self.last_event_id }
    }

    /// The comment that [`Step::Comment`] told of.
    pub(crate) fn comment(&self) -> &str {
        self.line.comment()
    }

    /// Takes the data of the event that [`Step::Event`] told of, if it is at least so
    /// many bytes.
    pub(crate) fn take_large(&mut self, least: usize) -> Option<Taken> {
        self.block.take_large(least)
    }

    /// The report that [`Step::Discarded`] told of.
    pub(crate) fn take_discarded(&mut self) -> Option<Discarded> {
        self.discarded.take()
    }

    /// The last event ID, if reading carefully set it since this was last asked.
    pub(crate) fn take_new_id(&mut self) -> Option<&str> {
        mem::take(&mut self.id_is_new).then_some(self.last_event_id.as_str())
    }
}
