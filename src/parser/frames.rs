//! The walk over one chunk: complete lines in, frames out, borrowed from the
//! chunk where they lie whole in it.
//!
//! Invariants:
//! - A [`Place`] that points into the chunk lives here and never in the parser,
//!   so nothing can point into a chunk that is gone. When the chunk is used up,
//!   `finish` copies what must outlive it.
//! - A place that is `Kept` is read from the parser's buffers. What a frame lends
//!   from there stays untouched until the next call.
//! - A chunk that could take the block beyond the limit goes line by line through
//!   [`OpenLine`](super::open_line::OpenLine), which counts. All others cannot.

use super::Parser;
use super::block::give_back;
use super::field::{Field, Prefix, RetryDigits, recognise, word_at};
use super::line_ends::LineEnds;
use crate::frame::{Discarded, EventView, Frame};
use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::mem;

/// Where a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// There is none.
    Nowhere,
    /// In the complete lines of this chunk, from the first offset to the second.
    Lines(usize, usize),
    /// In the parser.
    Kept,
    /// In the parser, undecoded: data of one line.
    KeptLine,
}

impl Place {
    #[inline(always)]
    fn is_nowhere(self) -> bool {
        matches!(self, Place::Nowhere)
    }

    #[inline(always)]
    fn is_kept(self) -> bool {
        matches!(self, Place::Kept | Place::KeptLine)
    }

    fn kept_if(there: bool) -> Self {
        if there { Place::Kept } else { Place::Nowhere }
    }
}

/// What the walk came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// An event, for [`Walk::event`] to lend.
    Event,
    /// A comment, for [`Walk::comment`] to lend.
    Comment,
    /// A discarded event, with a report for [`Walk::take_discarded`].
    Discarded,
    /// A block without data set the last event ID.
    Id,
    /// The chunk is used up.
    End,
}

/// The frames that one chunk completes, made by [`Parser::feed`].
///
/// A frame borrows from the chunk or from the parser, so this is not an
/// [`Iterator`]: take the frames in a `while let` loop. Dropping it skips the
/// frames that were not taken, as if they had been: their ids and reconnection
/// times count, and the next chunk is parsed from the right place.
///
/// ```
/// let mut parser = everstream::Parser::new();
/// let mut frames = parser.feed(b"data: one\n\ndata: two\n\n");
/// while let Some(everstream::Frame::Event(event)) = frames.next() {
///     println!("{}", event.data());
/// }
/// ```
pub struct Frames<'a> {
    inner: Inner<'a>,
}

enum Inner<'a> {
    /// The chunk was but a piece of a line. There is not even a walk, which would take
    /// longer to set up than all else that is done with a few bytes.
    Nothing(&'a Parser),
    /// The complete lines of the chunk.
    Lines { lines: Cow<'a, str>, walk: Walk<'a> },
}

/// How far the walk over the complete lines, which every method is handed, has
/// come.
pub(crate) struct Walk<'a> {
    parser: &'a mut Parser,
    /// The start of a line that ends in a later chunk.
    open: &'a [u8],
    /// Where the next line starts.
    at: usize,
    ends: LineEnds,
    data: Place,
    event: Place,
    /// Set by this block, not yet by the blank line that commits it.
    id: Place,
    last_event_id: Place,
    id_is_new: bool,
    comment: Place,
    /// Whether `data` and `event` are those of an event that was dispatched.
    dispatched: bool,
    /// What the end of a line from an earlier chunk led to, if not `End`.
    first: Step,
    /// Whether to go line by line through the counting buffers.
    counted: bool,
    /// Whether not to take the fast way: one of the two above says so.
    detour: bool,
    data_was_kept: bool,
    finished: bool,
}

impl<'a> Frames<'a> {
    /// No frames at all.
    #[inline(always)]
    pub(super) fn nothing(parser: &'a Parser) -> Self {
        Frames { inner: Inner::Nothing(parser) }
    }

    /// No frames, but what `first` says.
    #[inline(always)]
    pub(crate) fn none(parser: &'a mut Parser, first: Step) -> Self {
        let mut walk = Walk::new(parser, &[], first);
        walk.finished = true;
        Frames { inner: Inner::Lines { lines: Cow::Borrowed(""), walk } }
    }

    /// The frames of the complete `lines` of a chunk, and the `open` one after
    /// them.
    #[inline]
    pub(crate) fn new(
        parser: &'a mut Parser,
        lines: Cow<'a, str>,
        open: &'a [u8],
        first: Step,
    ) -> Self {
        let mut walk = Walk::new(parser, open, first);
        walk.find_kept();
        walk.counted = walk.could_pass_limit(lines.len());
        walk.detour |= walk.counted;
        Frames { inner: Inner::Lines { lines, walk } }
    }

    /// The next frame, or `None` once the chunk is used up.
    #[inline]
    #[allow(clippy::should_implement_trait)] // an Iterator's items outlive the next call
    pub fn next(&mut self) -> Option<Frame<'_>> {
        let (lines, walk) = self.parts()?;
        loop {
            match walk.step(lines) {
                Step::Event => return Some(Frame::Event(walk.event(lines))),
                Step::Comment => return Some(Frame::Comment(walk.comment(lines))),
                Step::Discarded => {
                    if let Some(discarded) = walk.take_discarded() {
                        return Some(Frame::Discarded(discarded));
                    }
                }
                Step::Id => {}
                Step::End => return None,
            }
        }
    }

    /// The last event ID as of the last frame that was taken; empty if there is
    /// none.
    ///
    /// ```
    /// let mut parser = everstream::Parser::new();
    /// let mut frames = parser.feed(b"id: 1\ndata: x\n\nid: 2\ndata: y\n\n");
    /// frames.next();
    /// assert_eq!(frames.last_event_id(), "1");
    /// ```
    #[inline]
    pub fn last_event_id(&self) -> &str {
        match &self.inner {
            Inner::Nothing(parser) => &parser.last_event_id,
            Inner::Lines { lines, walk } => walk.last_event_id(lines),
        }
    }

    /// The lines and the walk over them, for a caller who takes steps by itself.
    #[inline(always)]
    pub(crate) fn parts(&mut self) -> Option<(&str, &mut Walk<'a>)> {
        match &mut self.inner {
            Inner::Nothing(_) => None,
            Inner::Lines { lines, walk } => Some((lines, walk)),
        }
    }
}

impl<'a> Walk<'a> {
    #[inline(always)]
    fn new(parser: &'a mut Parser, open: &'a [u8], first: Step) -> Self {
        Walk {
            parser,
            open,
            at: 0,
            ends: LineEnds::default(),
            data: Place::Nowhere,
            event: Place::Nowhere,
            id: Place::Nowhere,
            last_event_id: Place::Kept,
            id_is_new: false,
            comment: Place::Nowhere,
            dispatched: false,
            first,
            counted: false,
            detour: first != Step::End,
            data_was_kept: false,
            finished: false,
        }
    }

    /// Whether lines of so many bytes could take the block beyond the limit, or
    /// are part of one that is beyond it.
    fn could_pass_limit(&self, bytes: usize) -> bool {
        let block = &self.parser.block;
        block.discarding
            || block.size().saturating_add(bytes).saturating_add(1) > self.parser.max_event_size
    }

    /// The report that [`Step::Discarded`] told of.
    pub(crate) fn take_discarded(&mut self) -> Option<Discarded> {
        self.parser.discarded.take()
    }

    #[inline(always)]
    pub(crate) fn last_event_id<'b>(&'b self, lines: &'b str) -> &'b str {
        match self.last_event_id {
            Place::Lines(start, end) => &lines[start..end],
            _ => &self.parser.last_event_id,
        }
    }

    /// The event that [`Step::Event`] told of.
    #[inline(always)]
    pub(crate) fn event<'b>(&'b mut self, lines: &'b str) -> EventView<'b> {
        let Parser { block, last_event_id, .. } = &mut *self.parser;
        let (kept_event, data) = match self.data {
            Place::Lines(start, end) => (&*block.event, &lines[start..end]),
            Place::KeptLine => block.lend_line(),
            _ => block.lend(),
        };
        EventView {
            data,
            event: match self.event {
                Place::Lines(start, end) => &lines[start..end],
                Place::Nowhere => "",
                _ => kept_event,
            },
            id: match self.last_event_id {
                Place::Lines(start, end) => &lines[start..end],
                _ => last_event_id,
            },
        }
    }

    /// The places of the event that [`Step::Event`] told of: of its data, and of its
    /// type.
    #[inline(always)]
    pub(crate) fn places(&self) -> (Place, Place) {
        (self.data, self.event)
    }

    /// Takes the data of the event that [`Step::Event`] told of, if it is at least so
    /// many bytes and need not be copied for that.
    pub(crate) fn take_data(&mut self, least: usize) -> Option<String> {
        let block = &mut self.parser.block;
        let is_there = matches!(self.data, Place::Kept) && block.data_size() >= least;
        is_there.then(|| block.take_data())
    }

    /// The place of the comment that [`Step::Comment`] told of.
    pub(crate) fn comment_place(&self) -> Place {
        self.comment
    }

    /// The place of the last event ID, if it was set since this was last asked.
    #[inline(always)]
    pub(crate) fn take_new_id(&mut self) -> Option<Place> {
        mem::take(&mut self.id_is_new).then_some(self.last_event_id)
    }

    /// The comment that [`Step::Comment`] told of.
    pub(crate) fn comment<'b>(&'b self, lines: &'b str) -> &'b str {
        match self.comment {
            Place::Lines(start, end) => &lines[start..end],
            _ => self.parser.line.comment(),
        }
    }

    /// Walks on to the next thing worth telling.
    #[inline(always)]
    pub(crate) fn step(&mut self, lines: &str) -> Step {
        self.forget_dispatched();
        if self.detour {
            return self.step_aside(lines);
        }
        let bytes = lines.as_bytes();
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
                let value = start + Prefix::DATA.length;
                if self.data.is_nowhere() {
                    self.data = Place::Lines(value, end);
                } else {
                    self.append_data(lines, value, end);
                }
                // Most events end right here.
                if lines.as_bytes().get(after) == Some(&b'\n') {
                    self.ends.skip();
                    self.at = after + 1;
                    return self.dispatch();
                }
            } else if word as u8 == b':' && !self.parser.comments {
                // A keep-alive is a comment and a blank line.
                if bytes.get(after) == Some(&b'\n')
                    && self.data.is_nowhere()
                    && self.id.is_nowhere()
                {
                    self.ends.skip();
                    self.at = after + 1;
                    self.event = Place::Nowhere;
                }
            } else if start == end {
                if !self.data.is_nowhere() {
                    return self.dispatch();
                }
                self.event = Place::Nowhere;
                if !self.id.is_nowhere() {
                    self.commit_id();
                    return Step::Id;
                }
            } else if Prefix::EVENT.starts(word) {
                self.event = Place::Lines(start + Prefix::EVENT.length, end);
            } else if Prefix::ID.starts(word) {
                self.set_id(lines, start + Prefix::ID.length, end);
            } else if self.unusual_line(lines, start, end) == Step::Comment {
                return Step::Comment;
            }
        }
        if self.finished { Step::End } else { self.finish(lines) }
    }

    /// A line that none of the usual prefixes starts.
    #[inline(never)]
    fn unusual_line(&mut self, lines: &str, start: usize, end: usize) -> Step {
        let line = &lines.as_bytes()[start..end];
        let (field, at) = recognise(line);
        let value = start + at;
        match field {
            Field::Data if self.data.is_nowhere() => self.data = Place::Lines(value, end),
            Field::Data => self.append_data(lines, value, end),
            Field::Event => self.event = Place::Lines(value, end),
            Field::Id => self.set_id(lines, value, end),
            Field::Retry => {
                let mut digits = RetryDigits::NONE;
                digits.push(&line[at..]);
                self.parser.retry = digits.value().or(self.parser.retry);
            }
            Field::Comment if self.parser.comments => {
                self.comment = Place::Lines(value, end);
                return Step::Comment;
            }
            Field::Comment | Field::Unknown => {}
        }
        Step::End
    }

    /// "If the field value does not contain U+0000 NULL, then set the last event
    /// ID buffer to the field value. Otherwise, ignore the field."
    #[inline(always)]
    fn set_id(&mut self, lines: &str, start: usize, end: usize) {
        if !lines.as_bytes()[start..end].contains(&0) {
            self.id = Place::Lines(start, end);
        }
    }

    /// Joins a further data line to those before it, in the parser's buffer.
    #[inline(always)]
    fn append_data(&mut self, lines: &str, start: usize, end: usize) {
        self.keep_data(lines);
        let data = &mut self.parser.block.data;
        // The line's own LF serves as the one that the standard appends.
        if lines.as_bytes()[end] == b'\n' {
            data.push_str(&lines[start..=end]);
        } else {
            data.push_str(&lines[start..end]);
            data.push('\n');
        }
    }

    /// Moves the data so far to where more can be appended to it.
    #[inline(always)]
    fn keep_data(&mut self, lines: &str) {
        let block = &mut self.parser.block;
        match self.data {
            Place::Kept => return,
            Place::KeptLine => block.decode_line(),
            Place::Lines(start, end) => block.set_data(&lines[start..end]),
            Place::Nowhere => return,
        }
        self.data = Place::Kept;
        self.data_was_kept = true;
    }

    #[inline(always)]
    fn dispatch(&mut self) -> Step {
        if !self.id.is_nowhere() {
            self.commit_id();
        }
        self.dispatched = true;
        Step::Event
    }

    /// What was dispatched by the last step is no part of the next event.
    #[inline(always)]
    fn forget_dispatched(&mut self) {
        if self.dispatched {
            self.dispatched = false;
            self.data = Place::Nowhere;
            self.event = Place::Nowhere;
        }
    }

    /// "Set the last event ID string of the event source to the value of the last
    /// event ID buffer."
    #[inline(always)]
    fn commit_id(&mut self) {
        if self.id.is_kept() {
            mem::swap(&mut self.parser.block.id, &mut self.parser.last_event_id);
            self.parser.block.has_id = false;
        }
        self.last_event_id = mem::replace(&mut self.id, Place::Nowhere);
        self.id_is_new = true;
    }

    /// A step that cannot take the fast way.
    #[cold]
    fn step_aside(&mut self, lines: &str) -> Step {
        let first = mem::replace(&mut self.first, Step::End);
        if first != Step::End {
            self.detour = self.counted;
            return first;
        }
        self.step_counted(lines)
    }

    /// The same walk by way of the parser's counting buffers, for a chunk that
    /// could take the block beyond the limit.
    fn step_counted(&mut self, lines: &str) -> Step {
        self.forget_lent();
        while self.at < lines.len() {
            let bytes = lines.as_bytes();
            let start = self.at;
            let end = self.ends.next(bytes, start);
            self.at = end + 1;
            if bytes[end] == b'\r' && bytes.get(self.at) == Some(&b'\n') {
                self.ends.skip();
                self.at += 1;
            }
            let parser = &mut *self.parser;
            if start == end {
                if mem::take(&mut parser.block.discarding) {
                    continue;
                }
                if !self.data.is_nowhere() {
                    return self.dispatch();
                }
                self.event = Place::Nowhere;
                self.forget_lent();
                if !self.id.is_nowhere() {
                    self.commit_id();
                    self.forget_lent();
                    return Step::Id;
                }
            } else if !parser.block.discarding {
                let step = parser.whole_line(&bytes[start..end]);
                self.find_kept();
                if step != Step::End {
                    self.comment = Place::Kept;
                    return step;
                }
            }
        }
        if self.finished { Step::End } else { self.finish(lines) }
    }

    /// Empties the buffers of the parser that no place refers to.
    fn forget_lent(&mut self) {
        let block = &mut self.parser.block;
        if !self.data.is_kept() {
            block.clear_data(true);
        }
        if !self.event.is_kept() {
            block.event.clear();
        }
        if !self.id.is_kept() {
            block.id.clear();
            block.has_id = false;
        }
    }

    /// Takes the places from the parser, which has just read a line by itself.
    fn find_kept(&mut self) {
        let block = &self.parser.block;
        self.data = match block.has_line() {
            true => Place::KeptLine,
            false => Place::kept_if(!block.data.is_empty()),
        };
        self.data_was_kept |= self.data.is_kept();
        self.event = Place::kept_if(!block.event.is_empty());
        self.id = Place::kept_if(block.has_id);
    }

    /// The chunk's complete lines are used up: copies what must outlive them, and
    /// the line after them.
    #[inline(never)]
    fn finish(&mut self, lines: &str) -> Step {
        self.finished = true;
        if !matches!(self.data, Place::KeptLine) {
            self.keep_data(lines);
        }
        let parser = &mut *self.parser;
        let keep = |place: &mut Place, buffer: &mut String| {
            if let Place::Lines(start, end) = *place {
                buffer.clear();
                buffer.push_str(&lines[start..end]);
                *place = Place::Kept;
            }
        };
        keep(&mut self.event, &mut parser.block.event);
        keep(&mut self.id, &mut parser.block.id);
        keep(&mut self.last_event_id, &mut parser.last_event_id);
        self.forget_lent();

        let parser = &mut *self.parser;
        let block = &mut parser.block;
        block.has_id = self.id.is_kept();
        if self.data.is_nowhere() {
            block.clear_data(self.data_was_kept);
            parser.line.rest(self.data_was_kept);
        }
        give_back(&mut block.event, self.event.is_kept());
        give_back(&mut block.id, block.has_id);

        if self.open.is_empty() || block.discarding {
            // Of a line within a discarded block only its being there matters: it
            // is not blank.
            if !self.open.is_empty() {
                parser.line.skip();
            }
            return Step::End;
        }
        match parser.line.begin(self.open, block, parser.max_event_size, parser.comments) {
            Ok(()) => Step::End,
            Err(too_large) => {
                parser.line.skip();
                parser.discard(too_large)
            }
        }
    }
}

impl Drop for Frames<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Inner::Lines { lines, walk } = &mut self.inner {
            if !walk.finished {
                while !matches!(walk.step(lines), Step::End) {}
            }
        }
    }
}

impl fmt::Debug for Frames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes_left = match &self.inner {
            Inner::Nothing(_) => 0,
            Inner::Lines { lines, walk } => lines.len() - walk.at + walk.open.len(),
        };
        f.debug_struct("Frames").field("bytes_left", &bytes_left).finish_non_exhaustive()
    }
}
