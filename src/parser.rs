//! Bytes in, frames out: the event stream format of the WHATWG HTML standard,
//! [section 9.2.5 and 9.2.6](https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream),
//! to the letter, as a push parser without I/O, time or HTTP.
//!
//! Invariants:
//! - Any chunking of a stream gives the same frames, and each with the very byte
//!   that completes it. A lone CR completes its line at once; one LF that comes
//!   right after is swallowed later.
//! - No input is an error. Ill-formed UTF-8 becomes U+FFFD, unknown lines are
//!   ignored, an event beyond the limit is dropped and reported as a frame.
//! - What arrived whole is not copied; what did not is copied once or twice,
//!   however many pieces it came in.
//!
//! One floor down: `line_ends` finds where lines end, `field` tells what a line
//! is, `utf8` decodes, `open_line` keeps a line that straddles chunks and `block`
//! an event that does, `frames` walks over one chunk.

mod block;
mod field;
mod frames;
mod line_ends;
mod open_line;
pub(crate) mod utf8;

pub use frames::Frames;
pub(crate) use frames::{Place, Step, Walk};

use crate::frame::Discarded;
use alloc::string::String;
use block::Block;
use core::ops::Range;
use core::time::Duration;
use open_line::{Ended, OpenLine, TooLarge};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A chunk of so few bytes is worth a look whether it has a line end at all before
/// anything is set up for the frames that it may complete.
const SMALL: usize = 64;

/// An incremental parser of an event stream, which lends what it finds.
///
/// Feed it the chunks of one connection's body in order; each call gives the
/// [`Frames`] that the chunk completes. Nothing is allocated per event, and an
/// event that lies whole in its chunk is not copied. For events that own their
/// text, see [`EventStream`](crate::EventStream).
///
/// When the body ends, an event that lacks its blank line is dropped, as the
/// standard asks: call [`reset`](Parser::reset) before the next connection's
/// first chunk.
///
/// ```
/// use everstream::{Frame, Parser};
///
/// let mut parser = Parser::new();
/// let mut seen = Vec::new();
/// for chunk in [&b"id: 7\nda"[..], b"ta: hello\n\n: still", b" here\n"] {
///     let mut frames = parser.feed(chunk);
///     while let Some(frame) = frames.next() {
///         if let Frame::Event(event) = frame {
///             seen.push((event.event().to_string(), event.data().to_string()));
///         }
///     }
/// }
/// assert_eq!(seen, [("message".to_string(), "hello".to_string())]);
/// assert_eq!(parser.last_event_id(), "7");
/// ```
#[derive(Debug, Clone)]
pub struct Parser {
    max_event_size: usize,
    comments: bool,
    /// How many bytes of a byte order mark the stream began with; all three once
    /// its start is over.
    start: usize,
    /// The last byte was a CR that ended its line; if an LF comes, it is part of
    /// the same line end.
    after_cr: bool,
    line: OpenLine,
    block: Block,
    last_event_id: String,
    retry: Option<u64>,
    /// The report of a discarded event, until its frame is taken.
    discarded: Option<Discarded>,
}

/// The parts of a chunk behind what continues an earlier one.
pub(crate) struct Parts {
    /// The complete lines. What is behind them starts a line that ends later.
    pub(crate) lines: Range<usize>,
    /// What the end of a line from an earlier chunk led to.
    pub(crate) first: Step,
}

impl Parser {
    /// The limit of an event's size unless [`with_max_event_size`] sets another:
    /// 16 MiB.
    ///
    /// [`with_max_event_size`]: Parser::with_max_event_size
    pub const DEFAULT_MAX_EVENT_SIZE: usize = 16 * 1024 * 1024;

    /// A parser at the start of a stream, with no last event ID.
    ///
    /// ```
    /// static PARSER: std::sync::Mutex<everstream::Parser> =
    ///     std::sync::Mutex::new(everstream::Parser::new());
    /// ```
    pub const fn new() -> Self {
        Parser {
            max_event_size: Self::DEFAULT_MAX_EVENT_SIZE,
            comments: false,
            start: 0,
            after_cr: false,
            line: OpenLine::new(),
            block: Block::new(),
            last_event_id: String::new(),
            retry: None,
            discarded: None,
        }
    }

    /// Bounds every byte that is kept for an event being built: its data with one
    /// byte for each separator between two data lines, its type and its id, in
    /// bytes of decoded text.
    ///
    /// An event beyond it is dropped and reported as
    /// [`Frame::Discarded`](crate::Frame::Discarded), its id does not count, and
    /// the stream goes on behind the next blank line. A comment beyond it is
    /// skipped.
    ///
    /// ```
    /// use everstream::{Frame, Parser};
    ///
    /// let mut parser = Parser::new().with_max_event_size(4);
    /// let mut frames = parser.feed(b"data: too long\n\ndata: fits\n\n");
    /// assert!(matches!(frames.next(), Some(Frame::Discarded(report)) if report.limit() == 4));
    /// assert!(matches!(frames.next(), Some(Frame::Event(event)) if event.data() == "fits"));
    /// ```
    #[must_use]
    pub const fn with_max_event_size(mut self, bytes: usize) -> Self {
        self.max_event_size = bytes;
        self
    }

    /// Whether comments, the lines that start with a colon, are reported as
    /// [`Frame::Comment`](crate::Frame::Comment). They are not by default.
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
        self.comments = report;
        self
    }

    /// The last event ID to start from, as if the stream had set it.
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

    /// Sets the last event ID, as if the stream had.
    ///
    /// ```
    /// let mut parser = everstream::Parser::new();
    /// parser.set_last_event_id("41");
    /// assert_eq!(parser.last_event_id(), "41");
    /// ```
    pub fn set_last_event_id(&mut self, id: &str) {
        self.last_event_id.clear();
        self.last_event_id.push_str(id);
    }

    /// The last event ID string: what the last block that a blank line ended, or
    /// one before it, set by an `id` field. Empty if there is none.
    ///
    /// ```
    /// let mut parser = everstream::Parser::new();
    /// parser.feed(b"id: 1\n\nid: 2\ndata: cut off");
    /// assert_eq!(parser.last_event_id(), "1");
    /// ```
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// The reconnection time that the server's last valid `retry` field asks for.
    /// It holds from the end of its line on, whatever becomes of its block; a
    /// number of milliseconds beyond 64 bits counts as the largest of 64 bits.
    ///
    /// ```
    /// let mut parser = everstream::Parser::new();
    /// parser.feed(b"retry: 3000\n");
    /// assert_eq!(parser.retry(), Some(std::time::Duration::from_secs(3)));
    /// ```
    pub fn retry(&self) -> Option<Duration> {
        self.retry.map(Duration::from_millis)
    }

    /// Forgets the unfinished line and block and expects the start of another
    /// stream, for the next connection. The last event ID, the reconnection time
    /// and the settings stay.
    ///
    /// ```
    /// let mut parser = everstream::Parser::new();
    /// parser.feed(b"id: 1\n\ndata: never finis");
    /// parser.reset();
    /// let mut frames = parser.feed("\u{feff}data: next\n\n".as_bytes());
    /// let Some(everstream::Frame::Event(event)) = frames.next() else { panic!() };
    /// assert_eq!((event.data(), event.id()), ("next", "1"));
    /// ```
    pub fn reset(&mut self) {
        self.start = 0;
        self.after_cr = false;
        self.line.close();
        self.block = Block::new();
        self.discarded = None;
    }

    /// Parses the next chunk of the stream and gives the frames that it
    /// completes. A chunk may end anywhere, in a line end or a character too, and
    /// may be empty.
    ///
    /// ```
    /// let mut parser = everstream::Parser::new();
    /// assert!(parser.feed(b"data: hel").next().is_none());
    /// assert!(parser.feed(b"lo\n\n").next().is_some());
    /// ```
    #[inline]
    pub fn feed<'a>(&'a mut self, chunk: &'a [u8]) -> Frames<'a> {
        if chunk.len() <= SMALL && self.absorb(chunk) {
            return Frames::nothing(self);
        }
        let Parts { lines, first } = self.split(chunk);
        if lines.start == chunk.len() {
            return Frames::none(self, first);
        }
        let open = &chunk[lines.end..];
        Frames::new(self, utf8::decode(&chunk[lines]), open, first)
    }

    /// Deals with what earlier chunks left open, and finds the complete lines of the
    /// chunk behind it.
    #[inline]
    pub(crate) fn split(&mut self, chunk: &[u8]) -> Parts {
        let mut first = Step::End;
        let mut start = 0;
        if !self.line.is_open() && (self.start < BYTE_ORDER_MARK.len() || self.after_cr) {
            start = self.skip_start(chunk);
        }
        if self.line.is_open() {
            let rest = &chunk[start..];
            let end = line_ends::first(rest);
            first = self.push(&rest[..end.unwrap_or(rest.len())]);
            let Some(end) = end else {
                return Parts { lines: chunk.len()..chunk.len(), first };
            };
            if first == Step::End {
                first = self.end_line();
            } else {
                self.line.close();
            }
            let line_end = &rest[end..];
            self.after_cr = line_end == b"\r";
            start += end + if line_end.starts_with(b"\r\n") { 2 } else { 1 };
        }
        let rest = &chunk[start..];
        let complete = memchr::memrchr2(b'\n', b'\r', rest).map_or(0, |last| last + 1);
        if let Some(last) = rest[..complete].last() {
            self.after_cr = complete == rest.len() && *last == b'\r';
        }
        Parts { lines: start..start + complete, first }
    }

    /// Takes a chunk that is but a further piece of the open line; gives `false`, and
    /// does nothing, if it is more, or too much to be kept as it is.
    #[inline(always)]
    pub(crate) fn absorb(&mut self, chunk: &[u8]) -> bool {
        self.line.is_open() && !line_ends::any(chunk) && self.line.push_short(chunk)
    }

    /// Where the first line of a chunk starts: behind a byte order mark, and behind
    /// the LF of a CRLF whose CR was in the chunk before.
    #[cold]
    fn skip_start(&mut self, chunk: &[u8]) -> usize {
        let mut rest = chunk;
        if self.start < BYTE_ORDER_MARK.len() {
            rest = self.skip_byte_order_mark(rest);
        }
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        chunk.len() - rest.len()
    }

    /// "The UTF-8 decode algorithm strips one leading UTF-8 Byte Order Mark, if
    /// any." What turns out not to be one belongs to the first line.
    fn skip_byte_order_mark<'a>(&mut self, mut chunk: &'a [u8]) -> &'a [u8] {
        while let Some(expected) = BYTE_ORDER_MARK.get(self.start) {
            match chunk.split_first() {
                None => break,
                Some((byte, rest)) if byte == expected => {
                    self.start += 1;
                    chunk = rest;
                }
                Some(_) => {
                    if self.start > 0 {
                        self.line.skip();
                    }
                    self.start = BYTE_ORDER_MARK.len();
                }
            }
        }
        chunk
    }

    /// Reads one whole line that is not blank.
    fn whole_line(&mut self, line: &[u8]) -> Step {
        let begun = self.line.begin(line, &mut self.block, self.max_event_size, self.comments);
        match begun {
            Ok(()) => self.end_line(),
            Err(too_large) => {
                self.line.close();
                self.discard(too_large)
            }
        }
    }

    /// Appends to the open line.
    #[inline]
    fn push(&mut self, bytes: &[u8]) -> Step {
        match self.line.push(bytes, &mut self.block, self.max_event_size) {
            Ok(()) => Step::End,
            Err(too_large) => {
                self.line.skip();
                self.discard(too_large)
            }
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

    /// Drops the block, and what comes of it until the next blank line.
    #[cold]
    fn discard(&mut self, TooLarge(size): TooLarge) -> Step {
        self.discarded = Some(self.block.discard(size, self.max_event_size));
        Step::Discarded
    }
}

impl Default for Parser {
    fn default() -> Self {
        Parser::new()
    }
}
