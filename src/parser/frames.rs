//! The frames of one chunk, as the lending parser gives them.
//!
//! Invariants:
//! - A frame borrows from the chunk or from the parser, until the next call.
//! - Frames that nobody takes count as if they had been taken.

use super::Whole;
use super::cut::{Cut, Part};
use super::state::{State, Step};
use super::utf8;
use super::walk::Walk;
use crate::frame::{EventView, Frame};
use alloc::borrow::Cow;
use core::fmt;

/// The frames that one chunk completes, made by [`Parser::feed`](super::Parser::feed).
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
    /// The chunk completes nothing. To set up a walk would take longer than all else
    /// that is done with a few bytes.
    Nothing(&'a State),
    /// The chunk completes one event.
    One {
        event: Option<EventView<'a>>,
        /// Whether that sets the last event ID.
        sets_id: bool,
        state: &'a State,
    },
    Cut {
        /// Whole blocks.
        lines: Cow<'a, str>,
        walk: Walk,
        /// What is behind them.
        cut: Cut<'a>,
        finished: bool,
    },
}

impl<'a> Frames<'a> {
    /// No frames at all.
    #[inline(always)]
    pub(super) fn nothing(state: &'a State) -> Self {
        Frames { inner: Inner::Nothing(state) }
    }

    /// The only event of a chunk, if it is one.
    #[inline(always)]
    pub(super) fn one(event: Option<EventView<'a>>, sets_id: bool, state: &'a State) -> Self {
        Frames { inner: Inner::One { event, sets_id, state } }
    }

    /// The frames of a block that is `whole` by now, and of what `cut` has.
    #[inline(always)]
    pub(super) fn new(whole: Whole<'a>, cut: Cut<'a>) -> Self {
        let lines = utf8::decode(whole.bytes);
        let walk = whole.walk(&lines);
        Frames { inner: Inner::Cut { lines, walk, cut, finished: false } }
    }

    /// The next frame, or `None` once the chunk is used up.
    #[inline(always)]
    #[allow(clippy::should_implement_trait)] // an Iterator's items outlive the next call
    pub fn next(&mut self) -> Option<Frame<'_>> {
        match &mut self.inner {
            Inner::Nothing(_) => None,
            Inner::One { event, .. } => event.take().map(Frame::Event),
            Inner::Cut { lines, walk, cut, finished } => next(lines, walk, cut, finished),
        }
    }

    /// Takes all frames that are left.
    #[cold]
    fn skip(&mut self) {
        while self.next().is_some() {}
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
            Inner::One { event: Some(_), sets_id: true, state } => &state.previous_id,
            Inner::Nothing(state) | Inner::One { state, .. } => &state.last_event_id,
            Inner::Cut { lines, walk, cut, .. } => walk.last_event_id(lines, cut.state),
        }
    }
}

#[inline(always)]
fn next<'a, 'b>(
    lines: &'b mut Cow<'a, str>,
    walk: &'b mut Walk,
    cut: &'b mut Cut<'a>,
    finished: &mut bool,
) -> Option<Frame<'b>> {
    loop {
        match walk.step(lines, cut.state) {
            Step::Event => return Some(Frame::Event(walk.view(lines, cut.state))),
            Step::Comment => return Some(Frame::Comment(walk.comment.of(lines))),
            Step::Id | Step::Discarded => {}
            Step::End => match advance(lines, walk, cut) {
                Advance::Lines => {}
                Advance::Step(Step::Event) => return Some(Frame::Event(cut.state.view())),
                Advance::Step(Step::Comment) => return Some(Frame::Comment(cut.state.comment())),
                Advance::Step(_) => {
                    if let Some(report) = cut.state.take_discarded() {
                        return Some(Frame::Discarded(report));
                    }
                }
                Advance::End => {
                    *finished = true;
                    return None;
                }
            },
        }
    }
}

enum Advance {
    /// There are lines to walk over.
    Lines,
    /// Something was read carefully.
    Step(Step),
    /// The chunk is used up.
    End,
}

/// The lines are used up: turns to the next part of the chunk.
#[inline(never)]
fn advance<'a>(lines: &mut Cow<'a, str>, walk: &mut Walk, cut: &mut Cut<'a>) -> Advance {
    walk.finish(lines, cut.state);
    *walk = Walk::default();
    *lines = Cow::Borrowed("");
    match cut.next_part() {
        Part::Blocks(range) => {
            *lines = utf8::decode(&cut.chunk[range]);
            Advance::Lines
        }
        Part::Careful => Advance::Step(cut.read()),
        Part::End => {
            cut.state.finish_chunk();
            Advance::End
        }
    }
}

impl Drop for Frames<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Inner::Cut { finished: false, .. } = self.inner {
            self.skip();
        }
    }
}

impl fmt::Debug for Frames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes_left = match &self.inner {
            Inner::Nothing(_) | Inner::One { .. } => 0,
            Inner::Cut { lines, walk, cut, .. } => walk.bytes_left(lines) + cut.bytes_left(),
        };
        f.debug_struct("Frames").field("bytes_left", &bytes_left).finish_non_exhaustive()
    }
}
