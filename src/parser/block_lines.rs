//! The interpreter of lines: complete blocks in, events out. It implements "interpreting an event
//! stream", section 9.2.6 of the WHATWG HTML standard.
//!
//! Invariants:
//! - The lines begin where a block begins, and each of them is complete.
//! - A [`Span`] points into the lines that every method receives. It is valid until the end of the
//!   walk.
//! - Nothing is counted here: the reader has checked that no block is over the limit.

use super::field::{Field, Prefix, milliseconds, recognise, word_at};
use super::line_ends::LineEnds;
use super::sizes::Sizes;
use super::unknown::UnknownLines;
use crate::frame::{Discarded, EventView};
use alloc::boxed::Box;
use alloc::string::String;
use core::mem;

/// The result of a step of [`BlockLines`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// An event was dispatched.
    Event,
    /// A comment ended.
    Comment,
    /// A block without data set the last event ID or the reconnection time.
    Update,
    /// An unknown line ended. It is only reported if asked for.
    Unknown,
    /// No line is left.
    End,
}

/// The range of a value in the lines. No value starts at 0, where the name of the first line's
/// field is, so a start of 0 means that there is no value.
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

    /// Returns the value, which is empty if there is none.
    #[inline(always)]
    pub(crate) fn of(self, lines: &str) -> &str {
        if self.end == 0 { "" } else { &lines[self.start..self.end] }
    }
}

/// The data of an event: one line, or several lines that were joined.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Data {
    Line(Span),
    /// The range of [`Memory::joined`] from here to its end, less the last LF.
    Joined(usize),
}

/// The values that outlive the blocks that set them, and the buffer for joined data.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    pub(crate) last_event_id: String,
    /// The reconnection time in milliseconds.
    pub(crate) retry: Option<u64>,
    /// The data of events of several lines: each line and one LF.
    pub(crate) joined: String,
    /// True if joined data of earlier events is kept until the owner clears it.
    pub(crate) keeps_joined: bool,
    /// True if data was joined since buffers were last freed.
    pub(super) has_joined: bool,
    /// Capacity that the last event ID may keep.
    pub(super) keep: usize,
    /// The unknown lines since the last event, if they are kept.
    pub(crate) unknown: UnknownLines,
}

impl Memory {
    pub(super) const fn new() -> Self {
        Memory {
            last_event_id: String::new(),
            retry: None,
            joined: String::new(),
            keeps_joined: false,
            has_joined: false,
            keep: Sizes::DEFAULT.keep,
            unknown: UnknownLines::new(),
        }
    }

    /// Sets the last event ID. Frees a buffer that is much larger.
    #[inline(always)]
    pub(crate) fn set_last_event_id(&mut self, id: &str) {
        let capacity = self.last_event_id.capacity();
        if capacity > self.keep && capacity / 4 > id.len() {
            self.last_event_id = String::new();
        }
        self.last_event_id.clear();
        self.last_event_id.push_str(id);
    }
}

/// A walk over the lines of complete blocks, and the block that it has reached.
// All fields are zero at the start, which is the fastest to initialise. The flags lie in the
// middle, where the stores that clear them do not straddle other fields: at the end of the struct,
// where Rust puts them, the next read of `ends` waits for two stores that overlap it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct BlockLines {
    /// Start of the next line.
    at: usize,
    ends: LineEnds,
    data: Span,
    pub(crate) event: Span,
    /// The id of this block, which its blank line will commit.
    pub(crate) id: Span,
    /// The last event ID, if one of these blocks has set it.
    last_event_id: Span,
    /// Start of this event's data in [`Memory::joined`], once it has several lines.
    joined_at: usize,
    is_joined: bool,
    /// `data` and `event` are those of the last event.
    is_dispatched: bool,
    id_is_new: bool,
    /// A line of this block has set the reconnection time.
    sets_retry: bool,
    reports_comments: bool,
    reports_unknown: bool,
    /// Maximum size of a comment's text. Longer ones are skipped.
    max_comment: usize,
    pub(crate) comment: Span,
}

impl BlockLines {
    pub(crate) const fn new() -> Self {
        BlockLines {
            at: 0,
            ends: LineEnds::new(),
            data: Span::NONE,
            event: Span::NONE,
            id: Span::NONE,
            last_event_id: Span::NONE,
            joined_at: 0,
            is_joined: false,
            is_dispatched: false,
            id_is_new: false,
            sets_retry: false,
            reports_comments: false,
            reports_unknown: false,
            max_comment: 0,
            comment: Span::NONE,
        }
    }

    /// Reports comments whose text has at most that size.
    #[inline(always)]
    pub(super) fn set_max_comment(&mut self, size: usize) {
        self.reports_comments = true;
        self.max_comment = size;
    }

    /// Sets whether unknown lines are reported. Their place is [`BlockLines::comment`].
    #[inline(always)]
    pub(crate) fn set_unknown(&mut self, report: bool) {
        self.reports_unknown = report;
    }

    /// Notes the line ends that are known, as [`LineEnds::begin`] does.
    #[inline(always)]
    pub(crate) fn set_line_ends(&mut self, start: usize, mask: u64) {
        self.ends.begin(start, mask);
    }

    /// Notes that a line of the block has set the reconnection time before the walk began.
    pub(crate) fn note_retry(&mut self) {
        self.sets_retry = true;
    }

    /// Walks to the next event, comment or update.
    #[inline(always)]
    pub(crate) fn step(&mut self, lines: &str, memory: &mut Memory) -> Step {
        let bytes = lines.as_bytes();
        if self.is_dispatched {
            self.is_dispatched = false;
            self.data = Span::NONE;
            self.is_joined = false;
            self.event = Span::NONE;
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
                self.add_data(lines, start + Prefix::DATA.length, end, memory);
                // Most events end here: take their blank line at once.
                if bytes.get(after) == Some(&b'\n') {
                    self.ends.skip();
                    self.at = after + 1;
                    return self.dispatch();
                }
            } else if word as u8 == b':' && !self.reports_comments {
                // Most keep-alives are a comment and a blank line.
                if bytes.get(after) == Some(&b'\n') && self.is_empty() {
                    self.ends.skip();
                    self.at = after + 1;
                    self.event = Span::NONE;
                }
            } else if start == end {
                if !self.data.is_none() {
                    return self.dispatch();
                }
                if self.end_without_data() {
                    return Step::Update;
                }
            } else if Prefix::EVENT.starts(word) {
                self.event = Span { start: start + Prefix::EVENT.length, end };
            } else if Prefix::ID.starts(word) {
                self.set_id(lines, start + Prefix::ID.length, end);
            } else {
                let step = self.unusual_line(lines, start, end, memory);
                if step != Step::End {
                    return step;
                }
            }
        }
        Step::End
    }

    /// Returns whether the block has set nothing that its blank line would commit.
    #[inline(always)]
    fn is_empty(&self) -> bool {
        self.data.is_none() && self.id.is_none() && !self.sets_retry
    }

    /// Processes a line that does not begin with a usual prefix.
    #[inline(never)]
    fn unusual_line(&mut self, lines: &str, start: usize, end: usize, memory: &mut Memory) -> Step {
        let line = &lines.as_bytes()[start..end];
        let (field, offset) = recognise(line);
        let value = start + offset;
        match field {
            Field::Data => self.add_data(lines, value, end, memory),
            Field::Event => self.event = Span { start: value, end },
            Field::Id => self.set_id(lines, value, end),
            Field::Retry => {
                if let Some(retry) = milliseconds(&line[offset..]) {
                    memory.retry = Some(retry);
                    self.sets_retry = true;
                }
            }
            Field::Comment if self.reports_comments && end - value <= self.max_comment => {
                self.comment = Span { start: value, end };
                return Step::Comment;
            }
            Field::Unknown if self.reports_unknown => {
                self.comment = Span { start, end };
                return Step::Unknown;
            }
            Field::Comment | Field::Unknown => {}
        }
        Step::End
    }

    /// "Append the field value to the data buffer, then append a single U+000A LINE FEED (LF)
    /// character to the data buffer."
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn add_data(&mut self, lines: &str, start: usize, end: usize, memory: &mut Memory) {
        if self.data.is_none() {
            self.data = Span { start, end };
            return;
        }
        if !self.is_joined {
            self.begin_joined(lines, memory);
        }
        // The LF of the line itself is copied with it.
        if lines.as_bytes()[end] == b'\n' {
            memory.joined.push_str(&lines[start..=end]);
        } else {
            memory.joined.push_str(&lines[start..end]);
            memory.joined.push('\n');
        }
    }

    /// Begins the joined data of an event with its first line.
    #[inline(never)]
    fn begin_joined(&mut self, lines: &str, memory: &mut Memory) {
        if !memory.keeps_joined {
            memory.joined.clear();
        }
        memory.has_joined = true;
        self.is_joined = true;
        self.joined_at = memory.joined.len();
        memory.joined.push_str(self.data.of(lines));
        memory.joined.push('\n');
    }

    /// "If the field value does not contain U+0000 NULL, then set the last event ID buffer to the
    /// field value. Otherwise, ignore the field."
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
        self.sets_retry = false;
        self.is_dispatched = true;
        Step::Event
    }

    /// "If the data buffer is an empty string, set the data buffer and the event type buffer to the
    /// empty string and return." Returns whether the block set anything else.
    #[inline(always)]
    fn end_without_data(&mut self) -> bool {
        self.event = Span::NONE;
        let sets_id = !self.id.is_none();
        if sets_id {
            self.commit_id();
        }
        mem::take(&mut self.sets_retry) || sets_id
    }

    /// "Set the last event ID string of the event source to the value of the last event ID buffer."
    #[inline(always)]
    fn commit_id(&mut self) {
        self.last_event_id = mem::take(&mut self.id);
        self.id_is_new = true;
    }

    /// Returns the data of the event that [`Step::Event`] reported.
    #[inline(always)]
    pub(crate) fn data(&self) -> Data {
        if self.is_joined { Data::Joined(self.joined_at) } else { Data::Line(self.data) }
    }

    /// Returns the event that [`Step::Event`] reported.
    #[inline(always)]
    pub(crate) fn view<'b>(&self, lines: &'b str, memory: &'b Memory) -> EventView<'b> {
        let data = match self.data() {
            Data::Line(span) => span.of(lines),
            Data::Joined(start) => &memory.joined[start..memory.joined.len() - 1],
        };
        EventView { data, event: self.event.of(lines), id: self.last_event_id(lines, memory) }
    }

    #[inline(always)]
    pub(crate) fn last_event_id<'b>(&self, lines: &'b str, memory: &'b Memory) -> &'b str {
        match self.last_event_id {
            id if id.is_none() => &memory.last_event_id,
            id => id.of(lines),
        }
    }

    /// Returns the last event ID if it was set since the last call.
    #[inline(always)]
    pub(crate) fn take_new_id(&mut self) -> Option<Span> {
        mem::take(&mut self.id_is_new).then_some(self.last_event_id)
    }

    /// Returns the report of a block that is over the limit, after a walk over its first lines.
    pub(crate) fn discarded(&self, lines: &str, size: usize, limit: usize) -> Discarded {
        let text = |span: Span| (!span.is_none()).then(|| span.of(lines));
        let event = text(self.event).filter(|event| !event.is_empty());
        Discarded::of(size, limit, text(self.id).map(Box::from), event.map(Box::from))
    }

    /// Returns the number of bytes after the last line that was processed.
    pub(super) fn bytes_left(&self, lines: &str) -> usize {
        lines.len().saturating_sub(self.at)
    }

    /// Ends the walk: saves the last event ID, which outlives the lines.
    #[inline(always)]
    pub(crate) fn finish(&mut self, lines: &str, memory: &mut Memory) {
        if !self.last_event_id.is_none() {
            memory.set_last_event_id(self.last_event_id.of(lines));
            self.last_event_id = Span::NONE;
        }
    }
}
