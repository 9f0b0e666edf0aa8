//! What a parser remembers from chunk to chunk, whichever way it reads.

use super::block::{Taken, give_back, is_wasteful};
use super::careful::Careful;
use super::line_ends::Few;
use crate::frame::{Discarded, EventView};
use alloc::boxed::Box;
use alloc::string::String;
use core::mem;

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
    /// Whether the chunk had a use for `joined` or `careful`.
    pub(super) used: bool,
    /// The data of an event of several lines, while it is lent: each line and one LF.
    pub(super) joined: String,
    /// Whether a block is being read carefully.
    pub(super) in_block: bool,
    /// Boxed and made when it is needed, since most streams never do.
    careful: Option<Box<Careful>>,
}

impl State {
    pub(super) const fn new(max_event_size: usize) -> Self {
        State {
            max_event_size,
            comments: false,
            last_event_id: String::new(),
            previous_id: String::new(),
            retry: None,
            used: false,
            joined: String::new(),
            in_block: false,
            careful: None,
        }
    }

    /// Forgets the block.
    pub(super) fn reset(&mut self) {
        self.in_block = false;
        self.careful = None;
    }

    /// Takes a further piece of the open line, if there is one that has room for it as
    /// it is.
    #[inline(always)]
    pub(super) fn absorb(&mut self, piece: &[u8]) -> bool {
        match &mut self.careful {
            Some(careful) => self.in_block && careful.absorb(piece),
            None => false,
        }
    }

    /// Takes what is left of the open line, if there is one, as far as it is in `bytes`
    /// and cannot take the block beyond the limit. Gives how many bytes that were. `ends`
    /// are the line ends, if it is short.
    #[inline(never)]
    pub(super) fn absorb_line(&mut self, bytes: &[u8], ends: Option<Few>) -> usize {
        match &mut self.careful {
            Some(careful) if self.in_block => careful.absorb_line(bytes, ends, self.max_event_size),
            _ => 0,
        }
    }

    /// Reads `chunk` carefully from `at` on, to the next thing worth telling, or to the
    /// end of the block. No line ends at `lines_end` or behind it.
    pub(crate) fn read(&mut self, chunk: &[u8], at: &mut usize, lines_end: usize) -> Step {
        self.used = true;
        let mut careful = self.careful.take().unwrap_or_default();
        let step = careful.read(self, chunk, at, lines_end);
        self.careful = Some(careful);
        step
    }

    /// A chunk is used up: frees what the next one will hardly need.
    #[inline(always)]
    pub(crate) fn finish_chunk(&mut self) {
        if self.used || self.careful.is_some() || is_wasteful(self.joined.capacity(), false) {
            self.free();
        }
    }

    #[inline(never)]
    fn free(&mut self) {
        let used = mem::take(&mut self.used);
        self.joined.clear();
        give_back(&mut self.joined, used);
        if self.in_block {
            return;
        }
        match &mut self.careful {
            Some(careful) if used => careful.clear(),
            careful => *careful = None,
        }
    }

    /// The event that [`Step::Event`] told of, read carefully.
    pub(crate) fn view(&mut self) -> EventView<'_> {
        let (event, data) =
            self.careful.as_mut().map(|careful| careful.event()).unwrap_or_default();
        EventView { data, event, id: &self.last_event_id }
    }

    /// The comment that [`Step::Comment`] told of, read carefully.
    pub(crate) fn comment(&self) -> &str {
        self.careful.as_ref().map(|careful| careful.comment()).unwrap_or_default()
    }

    /// Takes the data of the event that [`Step::Event`] told of, if it is at least so
    /// many bytes.
    pub(crate) fn take_large(&mut self, least: usize) -> Option<Taken> {
        self.careful.as_mut()?.take_large(least)
    }

    /// The report that [`Step::Discarded`] told of.
    pub(crate) fn take_discarded(&mut self) -> Option<Discarded> {
        self.careful.as_mut()?.take_discarded()
    }

    /// The last event ID, if reading carefully set it since this was last asked.
    pub(crate) fn take_new_id(&mut self) -> Option<&str> {
        let is_new = self.careful.as_mut().is_some_and(|careful| careful.take_id_is_new());
        is_new.then_some(self.last_event_id.as_str())
    }
}
