//! The walk over whole blocks: complete lines in, events out, borrowed from the
//! lines where they lie in one piece.
//!
//! Invariants:
//! - The lines begin where a block begins and end where one ends, so nothing of
//!   them is left to remember but the last event ID and the reconnection time.
//! - A [`Span`] points into the lines that every method is handed, and lives no
//!   longer than the walk over them.
//! - The lines together are within the limit of one event, so nothing is counted
//!   here. What could pass it is read by [`State::read`](super::state::State::read).

use super::block::without_last_lf;
use super::field::{Field, Prefix, RetryDigits, recognise, word_at};
use super::line_ends::LineEnds;
use super::state::{State, Step};
use crate::frame::EventView;
use core::mem;

/// From where to where in the lines a value goes. No value starts at 0, where the
/// first line's field name is, so that is where there is none.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    const NONE: Span = Span { start: 0, end: 0 };

    #[inline(always)]
    pub(crate) fn is_none(self) -> bool {
        self.start == 0
    }

    /// The value; empty if there is none.
    #[inline(always)]
    pub(crate) fn of(self, lines: &str) -> &str {
        &lines[self.start..self.end]
    }
}

/// How far the walk has come, and the block that it is in. All zero at the start,
/// which costs least to set up.
// The flags have a place in the midst, where they are cleared together with what is
// around them. At the end of the struct, where Rust puts them, the store that clears
// them reaches back into the mask of `ends`, and the first look at that waits until both
// stores are in the cache.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Walk {
    /// Where the next line starts.
    at: usize,
    ends: LineEnds,
    pub(crate) data: Span,
    pub(crate) event: Span,
    /// Set by this block, not yet by the blank line that commits it.
    id: Span,
    /// The last event ID, if these lines set it.
    last_event_id: Span,
    /// Whether the data has several lines, and is joined in the block's buffer.
    pub(crate) joined: bool,
    /// Whether `data` and `event` are those of an event that was dispatched.
    dispatched: bool,
    id_is_new: bool,
    pub(crate) comment: Span,
}

impl Walk {
    /// A walk over one block, the first bytes of which, so many, are known to end no line.
    #[inline(always)]
    pub(super) fn over_block(lines: &str, quiet: usize) -> Self {
        Walk { ends: LineEnds::of_block(lines.len(), quiet), ..Walk::default() }
    }

    /// Walks on to the next thing worth telling.
    #[inline(always)]
    pub(crate) fn step(&mut self, lines: &str, state: &mut State) -> Step {
        let bytes = lines.as_bytes();
        if self.dispatched {
            self.dispatched = false;
            self.forget();
        }
        while self.at < bytes.len() {
            let start = self.at;
            let end = self.ends.next(bytes, start);
            let mut after = end + 1;
            if bytes[end] == b'\r' && bytes.get(after) == Some(&b'\n') {
                self.ends.skip();
                after += 1;
            }
            self.at = after;

            let word = word_at(bytes, start);
            if Prefix::DATA.starts(word) {
                self.add_data(lines, start + Prefix::DATA.length, end, state);
                // Most events end right here.
                if bytes.get(after) == Some(&b'\n') {
                    self.ends.skip();
                    self.at = after + 1;
                    return self.dispatch();
                }
            } else if word as u8 == b':' && !state.comments {
                // A keep-alive is a comment and a blank line.
                if bytes.get(after) == Some(&b'\n') && self.data.is_none() && self.id.is_none() {
                    self.ends.skip();
                    self.at = after + 1;
                    self.event = Span::NONE;
                }
            } else if start == end {
                if !self.data.is_none() {
                    return self.dispatch();
                }
                self.event = Span::NONE;
                if !self.id.is_none() {
                    self.commit_id();
                    return Step::Id;
                }
            } else if Prefix::EVENT.starts(word) {
                self.event = Span { start: start + Prefix::EVENT.length, end };
            } else if Prefix::ID.starts(word) {
                self.set_id(lines, start + Prefix::ID.length, end);
            } else if self.unusual_line(lines, start, end, state) == Step::Comment {
                return Step::Comment;
            }
        }
        Step::End
    }

    /// A line that none of the usual prefixes starts.
    #[inline(never)]
    fn unusual_line(&mut self, lines: &str, start: usize, end: usize, state: &mut State) -> Step {
        let line = &lines.as_bytes()[start..end];
        let (field, at) = recognise(line);
        let value = start + at;
        match field {
            Field::Data => self.add_data(lines, value, end, state),
            Field::Event => self.event = Span { start: value, end },
            Field::Id => self.set_id(lines, value, end),
            Field::Retry => {
                state.retry = RetryDigits::of(&line[at..]).or(state.retry);
            }
            Field::Comment if state.comments => {
                self.comment = Span { start: value, end };
                return Step::Comment;
            }
            Field::Comment | Field::Unknown => {}
        }
        Step::End
    }

    /// "Append the field value to the data buffer, then append a single U+000A LINE
    /// FEED character to the data buffer."
    #[inline(always)]
    fn add_data(&mut self, lines: &str, start: usize, end: usize, state: &mut State) {
        if self.data.is_none() {
            self.data = Span { start, end };
            return;
        }
        if !self.joined {
            self.joined = true;
            state.used = true;
            state.joined.clear();
            state.joined.push_str(self.data.of(lines));
            state.joined.push('\n');
        }
        // The line's own LF serves as the one that is appended.
        if lines.as_bytes()[end] == b'\n' {
            state.joined.push_str(&lines[start..=end]);
        } else {
            state.joined.push_str(&lines[start..end]);
            state.joined.push('\n');
        }
    }

    /// "If the field value does not contain U+0000 NULL, then set the last event
    /// ID buffer to the field value. Otherwise, ignore the field."
    #[inline(always)]
    fn set_id(&mut self, lines: &str, start: usize, end: usize) {
        if !lines.as_bytes()[start..end].contains(&0) {
            self.id = Span { start, end };
        }
    }

    #[inline(always)]
    fn dispatch(&mut self) -> Step {
        if !self.id.is_none() {
            self.commit_id();
        }
        self.dispatched = true;
        Step::Event
    }

    /// What was dispatched is no part of the next event.
    #[inline(always)]
    fn forget(&mut self) {
        self.data = Span::NONE;
        self.joined = false;
        self.event = Span::NONE;
    }

    /// "Set the last event ID string of the event source to the value of the last
    /// event ID buffer."
    #[inline(always)]
    fn commit_id(&mut self) {
        self.last_event_id = mem::take(&mut self.id);
        self.id_is_new = true;
    }

    /// The event that [`Step::Event`] told of.
    #[inline(always)]
    pub(crate) fn view<'b>(&self, lines: &'b str, state: &'b State) -> EventView<'b> {
        EventView {
            data: if self.joined { without_last_lf(&state.joined) } else { self.data.of(lines) },
            event: self.event.of(lines),
            id: self.last_event_id(lines, state),
        }
    }

    #[inline(always)]
    pub(crate) fn last_event_id<'b>(&self, lines: &'b str, state: &'b State) -> &'b str {
        match self.last_event_id {
            id if id.is_none() => &state.last_event_id,
            id => id.of(lines),
        }
    }

    /// The last event ID, if it was set since this was last asked.
    #[inline(always)]
    pub(crate) fn take_new_id(&mut self) -> Option<Span> {
        mem::take(&mut self.id_is_new).then_some(self.last_event_id)
    }

    /// How many bytes of the lines are left.
    pub(super) fn bytes_left(&self, lines: &str) -> usize {
        lines.len() - self.at
    }

    /// The lines are used up: has `state` remember what outlives them.
    #[inline(always)]
    pub(crate) fn finish(&mut self, lines: &str, state: &mut State) {
        if !self.last_event_id.is_none() {
            state.last_event_id.clear();
            state.last_event_id.push_str(self.last_event_id.of(lines));
        }
    }
}
