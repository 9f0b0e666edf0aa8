//! The frames of one chunk, for the borrowing parser.
//!
//! Invariants:
//! - A frame borrows from the chunk or from the parser until the next call.
//! - Frames that are not taken have the same effect as frames that are.

use super::ParserState;
use super::block_lines::{BlockLines, Memory, Step};
use super::buffer::Buffer;
use super::chunk_reader::{ChunkReader, Section};
use super::utf8;
use crate::frame::{Discarded, Frame, Update};
use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
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
    text: Text<'a>,
    walk: &'a mut BlockLines,
    reader: &'a mut ChunkReader,
    memory: &'a mut Memory,
    updates: bool,
    chunk: &'a [u8],
    /// Offset of the first byte that is in no section yet.
    at: usize,
    is_finished: bool,
}

/// The lines of a section.
struct Text<'a> {
    borrowed: &'a str,
    /// The lines that had to be copied: ill-formed ones, and those that are assembled after the
    /// first section. (A `Cow` in place of the two would be stored in words and loaded in pairs of
    /// words, which waits for both stores. That is a tenth of the time for a small event.)
    copied: Option<Box<str>>,
}

impl<'a> Text<'a> {
    /// Decodes bytes that outlive the frames.
    #[inline(always)]
    fn borrow(bytes: &'a [u8]) -> Self {
        match utf8::valid(bytes) {
            Some(borrowed) => Text { borrowed, copied: None },
            None => Text { borrowed: "", copied: Some(copy(bytes)) },
        }
    }

    #[inline(always)]
    fn get(&self) -> &str {
        match &self.copied {
            None => self.borrowed,
            Some(text) => rare(text),
        }
    }
}

#[cold]
fn copy(bytes: &[u8]) -> Box<str> {
    String::from_utf8_lossy(bytes).into()
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

    /// Returns the frames of a section, and of `chunk` from `at` on.
    #[inline(always)]
    pub(super) fn new(
        state: &'a mut ParserState,
        walk: &'a mut BlockLines,
        chunk: &'a [u8],
        at: usize,
        section: Section,
    ) -> Self {
        let ParserState { reader, memory, block, updates } = state;
        let bytes = match section {
            Section::InChunk(range) => &chunk[range],
            Section::Assembled => &**block,
            Section::End => return Frames::nothing(memory),
        };
        let text = Text::borrow(bytes);
        reader.begin_walk(walk, bytes, text.get(), memory);
        let (updates, is_finished) = (*updates, false);
        let sections = Sections { text, walk, reader, memory, updates, chunk, at, is_finished };
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
            Inner::Sections(it) => it.walk.last_event_id(it.text.get(), it.memory),
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
            match self.walk.step(self.text.get(), self.memory) {
                Step::Event => {
                    return Some(Frame::Message(self.walk.view(self.text.get(), self.memory)));
                }
                Step::Comment => {
                    return Some(Frame::Comment(self.walk.comment.of(self.text.get())));
                }
                Step::Update if self.updates => return Some(Frame::Update(self.update())),
                Step::Update | Step::Unknown => {}
                Step::End => match self.reader.take_oversize() {
                    Some(size) => return Some(Frame::Discarded(self.discarded(size))),
                    None if self.is_finished || !self.advance() => return None,
                    None => {}
                },
            }
        }
    }

    fn update(&self) -> Update<'_> {
        let id = self.walk.last_event_id(self.text.get(), self.memory);
        Update::new(id, self.memory.retry.map(Duration::from_millis))
    }

    #[cold]
    fn discarded(&self, size: usize) -> Discarded {
        self.walk.discarded(self.text.get(), size, self.reader.max_event_size)
    }

    /// Moves to the next section. Returns false at the end of the chunk.
    #[inline(always)]
    fn advance(&mut self) -> bool {
        self.walk.finish(self.text.get(), self.memory);
        self.is_finished = self.at == self.chunk.len() && !self.reader.has_due_lines();
        if !self.is_finished {
            self.next_section();
        }
        !self.is_finished
    }

    #[inline(never)]
    fn next_section(&mut self) {
        let mut buffer = Buffer::new();
        let bytes = match self.reader.next_after(self.chunk, &mut self.at, &mut buffer) {
            Section::InChunk(range) => {
                let bytes = &self.chunk[range];
                self.text = Text::borrow(bytes);
                bytes
            }
            Section::Assembled => {
                self.text = Text { borrowed: "", copied: Some(copy(&buffer)) };
                &buffer
            }
            Section::End => {
                self.is_finished = true;
                return;
            }
        };
        self.reader.begin_walk(self.walk, bytes, self.text.get(), self.memory);
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
            Inner::Sections(it) => it.walk.bytes_left(it.text.get()) + it.chunk.len() - it.at,
        };
        f.debug_struct("Frames").field("bytes_left", &bytes_left).finish_non_exhaustive()
    }
}
