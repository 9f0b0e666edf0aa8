//! The frames of one chunk, for the borrowing parser.
//!
//! Invariants:
//! - A frame borrows from the chunk or from the parser until the next call.
//! - Frames that are not taken have the same effect as frames that are.

use super::ParserState;
use super::block_lines::{BlockLines, Memory, Step};
use super::buffer::Buffer;
use super::chunk_reader::{ChunkReader, Section};
use super::line_ends::ShortMask;
use super::utf8;
use crate::frame::{Discarded, Frame, Update};
use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::ops::Range;
use core::time::Duration;

/// The frames that one chunk completes. Returned by [`Parser::feed`](super::Parser::feed).
///
/// A frame borrows from the chunk or from the parser, so this is not an [`Iterator`]: take the
/// frames in a `while let` loop. Dropping it skips the frames that were not taken, as if they had
/// been taken: their ids and reconnection times count, and the next chunk is parsed from the right
/// place.
///
/// ```
/// let mut parser = everstream::Parser::new();
/// let mut frames = parser.feed(b"data: one\n\ndata: two\n\n");
/// while let Some(everstream::Frame::Message(event)) = frames.next() {
///     println!("{}", event.data());
/// }
/// ```
pub struct Frames<'a> {
    inner: Inner<'a>,
}

enum Inner<'a> {
    /// The chunk completes nothing. Preparing the other variant takes longer than parsing a few
    /// bytes.
    Nothing(&'a Memory),
    Sections(Sections<'a>),
}

struct Sections<'a> {
    /// The complete lines of the current section, unless they are in `copied`.
    lines: &'a str,
    /// Lines that had to be copied: ill-formed ones, and those that are assembled after the first
    /// section. (A `Cow` in place of the two would be stored in words and loaded in pairs of words,
    /// which waits for both stores. That is a tenth of the time for a small event.)
    copied: Option<Box<str>>,
    walk: &'a mut BlockLines,
    reader: &'a mut ChunkReader,
    memory: &'a mut Memory,
    updates: bool,
    chunk: &'a [u8],
    /// Offset of the first byte that is in no section yet.
    at: usize,
    is_finished: bool,
}

/// Returns the lines of some sections, without borrowing the rest of them.
macro_rules! lines {
    ($sections:expr) => {
        match &$sections.copied {
            None => $sections.lines,
            Some(lines) => rare(lines),
        }
    };
}

/// Returns the text. A call makes the compiler branch, where it would load both texts and select.
#[cold]
#[inline(never)]
fn rare(text: &str) -> &str {
    text
}

impl<'a> Frames<'a> {
    /// Returns no frames.
    #[inline(always)]
    pub(super) fn nothing(memory: &'a Memory) -> Self {
        Frames { inner: Inner::Nothing(memory) }
    }

    /// Returns the frames of a section, and of `chunk` from `at` on. `ends` are the line ends of the
    /// chunk, if it is short.
    #[inline(always)]
    pub(super) fn new(
        state: &'a mut ParserState,
        walk: &'a mut BlockLines,
        chunk: &'a [u8],
        ends: Option<ShortMask>,
        at: usize,
        section: Section,
    ) -> Self {
        let ParserState { reader, memory, block, updates } = state;
        let updates = *updates;
        let (lines, copied, is_finished) = ("", None, false);
        let mut sections =
            Sections { lines, copied, walk, reader, memory, updates, chunk, at, is_finished };
        match section {
            Section::InChunk(range) => {
                let mask = ends.map_or(0, |ends| ends.block_at(range.start));
                sections.begin_in_chunk(range, mask);
            }
            Section::Assembled => {
                sections.set_lines(block);
                sections.begin_assembled(block);
            }
            Section::End => return Frames::nothing(sections.memory),
        }
        Frames { inner: Inner::Sections(sections) }
    }

    /// Returns the next frame, or `None` once the chunk is used up.
    #[inline(always)]
    #[allow(clippy::should_implement_trait)] // an Iterator's items outlive the next call
    pub fn next(&mut self) -> Option<Frame<'_>> {
        match &mut self.inner {
            Inner::Nothing(_) => None,
            Inner::Sections(sections) => sections.next(),
        }
    }

    /// Returns the last event ID as of the last frame that was taken. It is empty if there is none.
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
            Inner::Nothing(memory) => &memory.last_event_id,
            Inner::Sections(it) => it.walk.last_event_id(lines!(it), it.memory),
        }
    }

    /// Takes all frames that are left.
    #[cold]
    fn skip(&mut self) {
        while self.next().is_some() {}
    }
}

impl<'a> Sections<'a> {
    #[inline(always)]
    fn next(&mut self) -> Option<Frame<'_>> {
        loop {
            match self.walk.step(lines!(self), self.memory) {
                Step::Event => {
                    return Some(Frame::Message(self.walk.view(lines!(self), self.memory)));
                }
                Step::Comment => return Some(Frame::Comment(self.walk.comment.of(lines!(self)))),
                Step::Update if self.updates => return Some(Frame::Update(self.update())),
                Step::Update | Step::Unknown => {}
                Step::End => match self.reader.assembled.oversize.take() {
                    Some(size) => return Some(Frame::Discarded(self.discarded(size))),
                    None if self.is_finished || !self.advance() => return None,
                    None => {}
                },
            }
        }
    }

    fn update(&self) -> Update<'_> {
        let id = self.walk.last_event_id(lines!(self), self.memory);
        Update::new(id, self.memory.retry.map(Duration::from_millis))
    }

    #[cold]
    fn discarded(&self, size: usize) -> Discarded {
        self.walk.discarded(lines!(self), size, self.reader.max_event_size)
    }

    #[inline(always)]
    fn set_lines(&mut self, bytes: &'a [u8]) {
        match utf8::valid(bytes) {
            Some(lines) => self.lines = lines,
            None => self.copied = Some(String::from_utf8_lossy(bytes).into()),
        }
    }

    #[inline(always)]
    fn begin_in_chunk(&mut self, range: Range<usize>, mask: u64) {
        self.set_lines(&self.chunk[range]);
        *self.walk = BlockLines::new();
        if self.copied.is_none() {
            self.walk.set_line_ends(0, mask);
        }
        self.walk.set_comments(self.reader.comments_from(0));
    }

    /// Starts the walk over the lines, which were assembled in `buffer`.
    #[inline(always)]
    fn begin_assembled(&mut self, buffer: &[u8]) {
        *self.walk = BlockLines::new();
        self.reader.assembled.begin(self.walk, buffer, lines!(self), self.memory);
    }

    /// Moves to the next section. Returns false at the end of the chunk.
    #[inline(always)]
    fn advance(&mut self) -> bool {
        self.walk.finish(lines!(self), self.memory);
        self.is_finished = self.at == self.chunk.len() && !self.reader.has_due_lines();
        if !self.is_finished {
            self.next_section();
        }
        !self.is_finished
    }

    #[inline(never)]
    fn next_section(&mut self) {
        let mut buffer = Buffer::new();
        match self.reader.next_after(self.chunk, &mut self.at, &mut buffer) {
            Section::InChunk(range) => {
                self.copied = None;
                self.begin_in_chunk(range, 0);
            }
            Section::Assembled => {
                self.copied = Some(String::from_utf8_lossy(&buffer).into());
                self.begin_assembled(&buffer);
            }
            Section::End => self.is_finished = true,
        }
    }
}

impl Drop for Frames<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Inner::Sections(Sections { is_finished: false, .. }) = self.inner {
            self.skip();
        }
    }
}

impl fmt::Debug for Frames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes_left = match &self.inner {
            Inner::Nothing(_) => 0,
            Inner::Sections(it) => it.walk.bytes_left(lines!(it)) + it.chunk.len() - it.at,
        };
        f.debug_struct("Frames").field("bytes_left", &bytes_left).finish_non_exhaustive()
    }
}
