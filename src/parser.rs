//! Bytes in, frames out: the event stream format of the WHATWG HTML standard,
//! [sections 9.2.5 and
//! 9.2.6](https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream),
//! as a push parser without I/O, time or HTTP.
//!
//! # Theory of operation
//!
//! A *block* is a run of lines that a blank line ends. It dispatches one event or none. So the
//! parser looks for blank lines first, and interprets lines only when their block is complete. At
//! any time, the bytes of a stream are in one of three places:
//!
//! ```text
//!   stream   data: a ⏎ ⏎ data: b ⏎ id: 2 ⏎ ⏎ data: c ⏎ ⏎ data: d ⏎ ⏎ data: e
//!   chunks  ──────────────────┤├─────────────────────────────────────────────
//!
//!   second chunk              [: b⏎id: 2⏎⏎][data: c⏎⏎data: d⏎⏎][data: e]
//!                              ▼            ▼                   ▼
//!   PartialBlock   [data] ──▶ complete,     complete blocks,    the new
//!                             walked over   walked over in      partial block
//!                             in its buffer the chunk
//! ```
//!
//! - `ChunkReader` cuts each chunk into these sections. It is the driver of both parsers: of
//!   [`Frames`], which borrow, and of the decoder of owned events.
//! - `PartialBlock` holds the block whose blank line has not arrived, as it was received.
//! - `BlockLines` walks over a section and gives its events. It is the only place that knows what
//!   `data`, `event`, `id` and `retry` mean.
//! - `Rest` is what remains of a chunk, and finds the ends of its blocks. `line_ends` finds line
//!   ends, 64 bytes at a time. `utf8` validates a section once, so values are slices of it. `field`
//!   recognises the name of a line.
//!
//! Two kinds of chunks take a short way. A chunk that starts and ends with a block is one section,
//! without a search for its blank lines (`ChunkReader::whole`): many servers flush after each event.
//! A chunk without a line end is appended to the partial block (`ChunkReader::absorb`).
//!
//! A section holds complete lines, and most sections hold complete blocks. Two do not, because what
//! they report must not wait for the blank line: the comments of the partial block, and the
//! beginning of a block that passes the limit.
//!
//! # Invariants
//!
//! - Any chunking of a stream gives the same frames, each with the byte that completes it. A lone
//!   CR completes its line at once; an LF that follows it is swallowed later.
//! - No input is an error. Ill-formed UTF-8 becomes U+FFFD, unknown lines are ignored, and an event
//!   over the limit is reported as a frame.
//! - A block that lies in one chunk is not copied. Another one is copied once, however many chunks
//!   it came in.
//! - No internal size ([`Sizes`]) changes the frames. The tests shrink them.
//!
//! # Where an edit is dangerous
//!
//! - **CR at the end.** A CR may be the first half of a CRLF that is split: between chunks
//!   (`after_cr`), between batches (`batch_of`), and between a partial block and its end
//!   (`push_lf_of_crlf`). The LF must not count as a blank line.
//! - **Dropped lines.** `PartialBlock::examine` removes lines. What refers to an offset in the
//!   block (`examined`) must move with them.
//! - **The limit.** It counts the lines as received, so it must be checked before a section is
//!   decoded: U+FFFD is longer than what it replaces.
//! - **Known line ends.** Those of a section's first bytes are found by the search for its end, in
//!   the received bytes. They hold for decoded text of the same length only: U+FFFD would move them.
//! - **The fast paths** of `BlockLines::step` take a line and its blank line together. Each of them
//!   must leave the state that the slow path would.

mod block_lines;
mod buffer;
mod chunk_reader;
mod field;
mod frames;
mod line_ends;
mod partial;
mod rest;
mod sizes;
mod unknown;
pub(crate) mod utf8;
#[cfg_attr(
    any(
        not(feature = "simd"),
        all(target_family = "wasm", not(target_feature = "simd128")), // `wide` is larger there
    ),
    path = "parser/vectors/portable.rs"
)]
mod vectors;

pub(crate) use block_lines::{BlockLines, Data, Memory, Span, Step};
pub(crate) use buffer::Buffer;

pub(crate) use chunk_reader::{ChunkReader, Section};
#[cfg(target_has_atomic = "ptr")]
pub(crate) use field::{Field, may_become_known, recognise};
pub use frames::Frames;
pub(crate) use rest::Rest;
pub use sizes::Sizes;
#[cfg(target_has_atomic = "ptr")]
pub(crate) use unknown::Remainder;

use alloc::string::String;
use core::mem;
use core::time::Duration;

/// An incremental parser of an event stream. Its events borrow their text.
///
/// Feed it the chunks of one connection's body in order. Each call returns the [`Frames`] that the
/// chunk completes. Nothing is allocated per event, and an event that lies in one chunk is not
/// copied. This is the lowest layer: it needs no `std`, no atomics and no runtime. For events that
/// own their text, see [`EventStream`](crate::EventStream).
///
/// When the body ends, an event without its blank line is dropped, as the standard demands. Call
/// [`reset`](Parser::reset) before the first chunk of the next connection.
///
/// ```
/// use everstream::{Frame, Parser};
///
/// let mut parser = Parser::new();
/// let mut seen = Vec::new();
/// for chunk in [&b"id: 7\nda"[..], b"ta: hello\n\n: still", b" here\n"] {
///     let mut frames = parser.feed(chunk);
///     while let Some(frame) = frames.next() {
///         if let Frame::Message(event) = frame {
///             seen.push((event.event().to_string(), event.data().to_string()));
///         }
///     }
/// }
/// assert_eq!(seen, [("message".to_string(), "hello".to_string())]);
/// assert_eq!(parser.last_event_id(), "7");
/// ```
#[derive(Debug)]
pub struct Parser {
    state: ParserState,
    /// The walk over the current section. It is not in [`Frames`], because moving it takes longer
    /// than parsing a small event.
    walk: BlockLines,
}

/// The state of a parser between two chunks.
#[derive(Debug, Clone)]
pub(crate) struct ParserState {
    pub(crate) reader: ChunkReader,
    pub(crate) memory: Memory,
    /// The last section that was assembled.
    pub(crate) block: Buffer,
    pub(crate) updates: bool,
}

impl ParserState {
    pub(crate) const fn new() -> Self {
        ParserState {
            reader: ChunkReader::new(Parser::DEFAULT_MAX_EVENT_SIZE),
            memory: Memory::new(),
            block: Buffer::new(),
            updates: false,
        }
    }

    pub(crate) const fn set_max_event_size(&mut self, bytes: usize) {
        self.reader.set_sizes(bytes, self.reader.sizes);
    }

    pub(crate) const fn set_sizes(&mut self, sizes: &'static Sizes) {
        self.reader.set_sizes(self.reader.max_event_size, sizes);
        self.memory.keep = sizes.keep;
    }

    pub(crate) const fn set_comments(&mut self, report: bool) {
        if report && !self.reader.comments {
            self.reader.partial.hide_comments();
        }
        self.reader.comments = report;
    }

    pub(crate) fn retry(&self) -> Option<Duration> {
        self.reader.partial.retry().or(self.memory.retry).map(Duration::from_millis)
    }

    pub(crate) fn is_mid_event(&self) -> bool {
        self.reader.partial.is_in_event()
    }

    /// Keeps the unknown lines, for [`remainder`](Self::remainder).
    #[cfg(target_has_atomic = "ptr")]
    pub(crate) fn keep_unknown(&mut self) {
        self.memory.unknown.keep();
        self.reader.partial.unknown.keep();
    }

    /// Returns the bytes after the last event, if any.
    #[cfg(target_has_atomic = "ptr")]
    pub(crate) fn remainder(&self) -> Option<Remainder> {
        let mut lines = self.memory.unknown.clone();
        self.reader.partial.add_remainder(&mut lines);
        let is_mid_event = self.is_mid_event();
        if lines.is_empty() && !is_mid_event {
            return None;
        }
        let text = String::from_utf8_lossy(lines.bytes().trim_ascii_end());
        Some(Remainder { text: text.into(), is_mid_event })
    }

    /// Drops the incomplete block and expects the start of another stream.
    pub(crate) fn reset(&mut self) {
        self.memory.retry = self.reader.partial.retry().or(self.memory.retry);
        self.reader.reset();
        self.memory.unknown.clear();
    }

    /// Frees large buffers that the last chunk did not need.
    #[inline(always)]
    pub(crate) fn give_back(&mut self) {
        let keep = self.reader.sizes.keep;
        if self.block.capacity() > keep || self.memory.joined.capacity() > keep {
            self.give_back_large();
        }
        self.block.clear();
        self.reader.partial.give_back(keep);
    }

    /// Frees large buffers without a block, because the next chunk may come late.
    #[cfg(target_has_atomic = "ptr")]
    #[inline(always)]
    pub(crate) fn rest(&mut self) {
        let keep = self.reader.sizes.keep;
        if self.block.capacity() > keep {
            self.block = Buffer::new();
        }
        self.reader.partial.give_back(keep);
    }

    #[inline(never)]
    fn give_back_large(&mut self) {
        let is_idle = self.reader.partial.is_idle();
        let large = self.reader.sizes.large;
        let is_burden = |length, capacity, was_used| {
            capacity > large || length < capacity / 4 && (is_idle || was_used)
        };
        let length = self.block.len();
        if is_burden(length, self.block.capacity(), length > 0) {
            self.block = Buffer::new();
        }
        let was_used = mem::take(&mut self.memory.has_joined);
        let length = if was_used { self.memory.joined.len() } else { 0 };
        if is_burden(length, self.memory.joined.capacity(), was_used) {
            self.memory.joined = String::new();
        }
    }
}

impl Parser {
    /// The default limit of an event's size: 16 MiB.
    ///
    /// [`with_max_event_size`](Parser::with_max_event_size) sets another one.
    pub const DEFAULT_MAX_EVENT_SIZE: usize = 16 * 1024 * 1024;

    /// Returns a parser at the start of a stream, with no last event ID.
    ///
    /// ```
    /// static PARSER: std::sync::Mutex<everstream::Parser> =
    ///     std::sync::Mutex::new(everstream::Parser::new());
    /// ```
    pub const fn new() -> Self {
        Parser { state: ParserState::new(), walk: BlockLines::new() }
    }

    /// Sets the maximum size of an event: of the bytes received in the `data`, `event` and `id`
    /// lines of its block, without their line ends. Default:
    /// [16 MiB](Parser::DEFAULT_MAX_EVENT_SIZE).
    ///
    /// A larger event is dropped and reported as [`Frame::Discarded`](crate::Frame::Discarded), its
    /// id does not count, and the stream resumes after the next blank line. A comment with a larger
    /// text is skipped.
    ///
    /// Field names count, and so does an `id` or `event` line that a later one supersedes. Bytes
    /// count as received: one ill-formed byte is one byte, not the three of U+FFFD.
    ///
    /// ```
    /// use everstream::{Frame, Parser};
    ///
    /// let mut parser = Parser::new().with_max_event_size(10);
    /// let mut frames = parser.feed(b"data: too long\n\ndata: fits\n\n");
    /// assert!(matches!(frames.next(), Some(Frame::Discarded(report)) if report.limit() == 10));
    /// assert!(matches!(frames.next(), Some(Frame::Message(event)) if event.data() == "fits"));
    /// ```
    #[must_use]
    pub const fn with_max_event_size(mut self, bytes: usize) -> Self {
        self.state.set_max_event_size(bytes);
        self
    }

    /// Sets the internal sizes, for tests.
    #[doc(hidden)]
    #[must_use]
    pub const fn with_sizes(mut self, sizes: &'static Sizes) -> Self {
        self.state.set_sizes(sizes);
        self
    }

    /// Sets whether comments, the lines that start with a colon, are reported as
    /// [`Frame::Comment`](crate::Frame::Comment). Default: false.
    ///
    /// In the middle of a stream, the setting applies to the comments that begin after it.
    ///
    /// ```
    /// use everstream::{Frame, Parser};
    ///
    /// let mut parser = Parser::new().with_comments(true);
    /// let mut frames = parser.feed(b": keep-alive\n");
    /// assert!(matches!(frames.next(), Some(Frame::Comment("keep-alive"))));
    /// ```
    #[must_use]
    pub const fn with_comments(mut self, report: bool) -> Self {
        self.state.set_comments(report);
        self
    }

    /// Sets whether a block without data that set the last event ID or the reconnection time is
    /// reported as [`Frame::Update`](crate::Frame::Update). Default: false.
    ///
    /// ```
    /// use everstream::{Frame, Parser};
    ///
    /// let mut parser = Parser::new().with_updates(true);
    /// let mut frames = parser.feed(b"id: 1\n\n");
    /// assert!(matches!(frames.next(), Some(Frame::Update(it)) if it.last_event_id() == "1"));
    /// ```
    #[must_use]
    pub const fn with_updates(mut self, report: bool) -> Self {
        self.state.updates = report;
        self
    }

    /// Sets the last event ID to start from, as if the stream had set it.
    ///
    /// ```
    /// let parser = everstream::Parser::new().with_last_event_id("41");
    /// assert_eq!(parser.last_event_id(), "41");
    /// ```
    #[must_use]
    pub fn with_last_event_id(mut self, id: &str) -> Self {
        self.set_last_event_id(id);
        self
    }

    /// Sets the last event ID, as if the stream had set it.
    ///
    /// ```
    /// let mut parser = everstream::Parser::new();
    /// parser.set_last_event_id("41");
    /// assert_eq!(parser.last_event_id(), "41");
    /// ```
    pub fn set_last_event_id(&mut self, id: &str) {
        self.state.memory.set_last_event_id(id);
    }

    /// Returns the last event ID string: the `id` that the last complete block with one has set.
    /// It is empty if there is none.
    ///
    /// ```
    /// let mut parser = everstream::Parser::new();
    /// parser.feed(b"id: 1\n\nid: 2\ndata: cut off");
    /// assert_eq!(parser.last_event_id(), "1");
    /// ```
    pub fn last_event_id(&self) -> &str {
        &self.state.memory.last_event_id
    }

    /// Returns the reconnection time that the server's last valid `retry` field asks for.
    ///
    /// It applies from the end of its line on, even if its block is never completed. A number of
    /// milliseconds over 64 bits counts as the largest of 64 bits.
    ///
    /// ```
    /// let mut parser = everstream::Parser::new();
    /// parser.feed(b"retry: 3000\n");
    /// assert_eq!(parser.retry(), Some(std::time::Duration::from_secs(3)));
    /// ```
    pub fn retry(&self) -> Option<Duration> {
        self.state.retry()
    }

    /// Returns whether the stream is in the middle of an event: a line has begun that is or may
    /// become its `data`, `event` or `id`, and the blank line has not arrived. If the body ends
    /// here, the event is lost.
    ///
    /// ```
    /// let mut parser = everstream::Parser::new();
    /// parser.feed(b"data: whole\n\n: comment\n");
    /// assert!(!parser.is_mid_event());
    /// parser.feed(b"data: half");
    /// assert!(parser.is_mid_event());
    /// ```
    pub fn is_mid_event(&self) -> bool {
        self.state.is_mid_event()
    }

    /// Drops the incomplete block and expects the start of the next connection's stream. The last
    /// event ID, the reconnection time and the settings are kept.
    ///
    /// ```
    /// let mut parser = everstream::Parser::new();
    /// parser.feed(b"id: 1\n\ndata: never finis");
    /// parser.reset();
    /// let mut frames = parser.feed("\u{feff}data: next\n\n".as_bytes());
    /// let Some(everstream::Frame::Message(event)) = frames.next() else { panic!() };
    /// assert_eq!((event.data(), event.id()), ("next", "1"));
    /// ```
    pub fn reset(&mut self) {
        self.state.reset();
    }

    /// Parses the next chunk of the stream and returns the frames that it completes. A chunk may
    /// end anywhere, also in a line end or in a character, and may be empty.
    ///
    /// ```
    /// let mut parser = everstream::Parser::new();
    /// assert!(parser.feed(b"data: hel").next().is_none());
    /// assert!(parser.feed(b"lo\n\n").next().is_some());
    /// ```
    #[inline(always)]
    pub fn feed<'a>(&'a mut self, chunk: &'a [u8]) -> Frames<'a> {
        let state = &mut self.state;
        let mut at = chunk.len();
        let section = match state.reader.whole(chunk) {
            Some(section) => {
                state.give_back();
                section
            }
            None => {
                let mut rest = Rest::new(chunk, 0);
                if state.reader.absorb(rest) {
                    return Frames::nothing(&state.memory);
                }
                state.give_back();
                state.reader.begin(&mut rest);
                let section = state.reader.next(&mut rest, &mut state.block);
                at = rest.at();
                section
            }
        };
        Frames::new(state, &mut self.walk, chunk, at, section)
    }
}

impl Clone for Parser {
    fn clone(&self) -> Self {
        Parser { state: self.state.clone(), walk: BlockLines::new() } // no walk outlives its chunk
    }
}

impl Default for Parser {
    fn default() -> Self {
        Parser::new()
    }
}
