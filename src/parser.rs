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
//! A block, which is what a blank line ends, is read in one of two ways. Nearly all
//! are put together whole (`pending`) or lie whole in their chunk (`cut`), and are
//! walked over in one go (`walk`). What is too large for that, or is to tell of its
//! comments before it ends, is read carefully, piece by piece, and counted (`state`,
//! `open_line`, `block`). `line_ends` finds where lines end, `field` tells what a line
//! is, `utf8` decodes, `frames` lends what was found.

mod block;
mod buffer;
mod careful;
mod cut;
mod field;
mod frames;
mod line_ends;
mod open_line;
mod pending;
mod state;
pub(crate) mod utf8;
mod walk;

pub(crate) use block::Taken;
pub(crate) use cut::{Cut, Part, STRETCH};
pub use frames::Frames;
pub(crate) use line_ends::Few;
pub(crate) use state::{State, Step};
pub(crate) use walk::{Span, Walk};

use buffer::Buffer;
use core::time::Duration;
use pending::Pending;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// In a chunk of so few bytes, what a comment or a blank line leaves of it is worth a
/// look before anything is set up for the frames that it may complete.
const SMALL: usize = 256;

/// An incremental parser of an event stream, which lends what it finds.
///
/// Feed it the chunks of one connection's body in order; each call gives the
/// [`Frames`] that the chunk completes. Nothing is allocated per event, and an
/// event that lies whole in its chunk is not copied. This is the lowest floor: it
/// needs no `std`, no atomics and no runtime. For events that own their text, see
/// [`EventStream`](crate::EventStream).
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
    /// How many bytes of a byte order mark the stream began with; all three once
    /// its start is over.
    start: usize,
    /// The last byte was a CR that ended its line; if an LF comes, it is part of
    /// the same line end.
    after_cr: bool,
    /// The beginning of the block, unless it is read carefully.
    pending: Pending,
    /// A block that was put together, while its event is lent.
    whole: Buffer,
    state: State,
}

/// What [`Parser::begin`] came to.
pub(crate) struct Begun {
    /// How much of the chunk it has used up.
    at: usize,
    /// If that made a block whole: how many of its first bytes are known to end no line.
    whole: Option<usize>,
}

/// A block that was put together.
#[derive(Clone, Copy)]
pub(crate) struct Whole<'a> {
    pub(crate) bytes: &'a [u8],
    quiet: usize,
}

impl Whole<'_> {
    /// The start of a walk over it, of which `lines` are the text.
    #[inline(always)]
    pub(crate) fn walk(self, lines: &str) -> Walk {
        Walk::over_block(lines, self.quiet)
    }
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
            start: 0,
            after_cr: false,
            pending: Pending::new(Self::DEFAULT_MAX_EVENT_SIZE),
            whole: Buffer::new(),
            state: State::new(Self::DEFAULT_MAX_EVENT_SIZE),
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
        self.state.max_event_size = bytes;
        self.pending.set_limit(bytes);
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
        self.state.comments = report;
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
        self.state.last_event_id.clear();
        self.state.last_event_id.push_str(id);
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
        &self.state.last_event_id
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
        self.pending.retry().or(self.state.retry).map(Duration::from_millis)
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
        self.state.retry = self.pending.retry().or(self.state.retry);
        self.start = 0;
        self.after_cr = false;
        self.pending.clear();
        self.state.reset();
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
    #[inline(always)]
    pub fn feed<'a>(&'a mut self, chunk: &'a [u8]) -> Frames<'a> {
        let ends = Few::of(chunk);
        if self.absorb(chunk, ends) {
            return Frames::nothing(&self.state);
        }
        match self.begin(chunk, ends) {
            Some(Begun { at, whole: Some(quiet) }) if at == chunk.len() => self.one(chunk, quiet),
            Some(begun) => {
                let (whole, cut) = self.cut(chunk, begun);
                Frames::new(whole, cut)
            }
            None => Frames::nothing(&self.state),
        }
    }

    /// Takes a chunk that is but a further piece of a line; gives `false`, and does
    /// nothing, if it is more, or has to be looked at more closely. `ends` are the
    /// chunk's line ends, if it is short.
    #[inline(always)]
    pub(crate) fn absorb(&mut self, chunk: &[u8], ends: Option<Few>) -> bool {
        let is_piece = match ends {
            Some(ends) => ends.is_none(),
            None => line_ends::are_none_in_two_blocks(chunk) == Some(true),
        };
        if !is_piece || self.is_at_start() {
            return false;
        }
        if self.pending.is_empty() {
            return self.pending.in_comment || self.state.absorb(chunk);
        }
        let has_room = self.pending.has_room(chunk.len());
        if has_room {
            self.pending.push_piece(chunk);
        }
        has_room
    }

    /// Whether the next byte may be no part of a line.
    #[inline(always)]
    fn is_at_start(&self) -> bool {
        self.start < BYTE_ORDER_MARK.len() || self.after_cr
    }

    /// Deals with what earlier chunks left open. `None` if that is all that the chunk
    /// has to say; nothing is lent then. `ends` are its line ends, if it is short.
    #[inline]
    pub(crate) fn begin(&mut self, chunk: &[u8], ends: Option<Few>) -> Option<Begun> {
        let mut at = 0;
        if self.is_at_start() {
            at = self.skip_start(chunk);
        }
        let rest = &chunk[at..];
        let ends = ends.map(|ends| ends.behind(at));
        self.after_cr = *rest.last()? == b'\r';
        if self.state.in_block {
            at += self.state.absorb_line(rest, ends);
            return (at < chunk.len()).then_some(Begun { at, whole: None });
        }
        if !self.pending.is_empty() {
            match self.pending.end_in(rest, ends) {
                // Someone began to ask for them in the midst of a block.
                _ if self.state.comments => self.read_pending(),
                None if self.pending.has_room(rest.len()) => {
                    self.pending.push(rest);
                    return None;
                }
                Some(end) if self.pending.has_room(end.end) => {
                    let quiet = self.pending.finish(rest, end, &mut self.whole);
                    at += end.end;
                    if self.begins(&chunk[at..], ends.map(|ends| ends.behind(end.end))) {
                        at = chunk.len();
                    }
                    return Some(Begun { at, whole: Some(quiet) });
                }
                None | Some(_) => self.read_pending(),
            }
            return Some(Begun { at, whole: None });
        }
        if self.pending.in_comment || rest.len() <= SMALL && !self.state.comments {
            let nothing = self.skip_nothing(rest, ends)?;
            at += nothing;
            if self.begins(&chunk[at..], ends.map(|ends| ends.behind(nothing))) {
                return None;
            }
        }
        Some(Begun { at, whole: None })
    }

    /// Takes `tail`, where a block starts, if it is plain to see not to end it, and may
    /// be put to where it waits. `ends` are its line ends, if it is short.
    #[inline(always)]
    fn begins(&mut self, tail: &[u8], ends: Option<Few>) -> bool {
        let ends = ends.or_else(|| Few::of(tail));
        let begins = line_ends::has_no_block(tail, ends)
            && !self.state.comments
            && self.pending.has_room(tail.len());
        if begins && ends.is_some_and(Few::is_none) {
            self.pending.push_piece(tail);
        } else if begins {
            self.pending.push(tail);
        }
        begins
    }

    /// The frames of the block that [`begin`](Parser::begin) made whole, if that is all
    /// that the chunk completes, as in small chunks it nearly always is.
    #[inline]
    fn one<'a>(&'a mut self, chunk: &'a [u8], quiet: usize) -> Frames<'a> {
        let Parser { pending, whole, state, .. } = self;
        let whole: &[u8] = whole;
        if let Some(lines) = utf8::valid(whole) {
            let mut walk = Walk::over_block(lines, quiet);
            let step = walk.step(lines, state);
            let sets_id = walk.take_new_id().is_some();
            if sets_id {
                state.previous_id.clone_from(&state.last_event_id);
                walk.finish(lines, state);
            }
            let state = &*state;
            let event = (step == Step::Event).then(|| walk.view(lines, state));
            return Frames::one(event, sets_id, state);
        }
        let cut = Cut::new(state, pending, chunk, chunk.len());
        Frames::new(Whole { bytes: whole, quiet }, cut)
    }

    /// The block that [`begin`](Parser::begin) made whole, empty if there is none, and
    /// the rest of the chunk.
    #[inline(always)]
    pub(crate) fn cut<'a>(&'a mut self, chunk: &'a [u8], begun: Begun) -> (Whole<'a>, Cut<'a>) {
        let Parser { pending, whole, state, .. } = self;
        let whole = match begun.whole {
            Some(quiet) => Whole { bytes: whole, quiet },
            None => Whole { bytes: &[], quiet: 0 },
        };
        (whole, Cut::new(state, pending, chunk, begun.at))
    }

    /// Where a block starts that says something: behind blank lines and comments.
    /// `None` if there is none in the chunk. `ends` are its line ends, if it is short.
    #[inline]
    fn skip_nothing(&mut self, chunk: &[u8], ends: Option<Few>) -> Option<usize> {
        let mut start = 0;
        for few in chunk.chunks(Few::MOST) {
            let ends = ends.or_else(|| Few::of(few))?;
            let mut at = 0;
            while at < few.len() {
                if self.pending.in_comment {
                    let Some(end) = ends.behind(at).first() else { break };
                    at += end;
                    self.pending.in_comment = false;
                } else {
                    at += ends.behind(at).leading();
                    match few.get(at) {
                        Some(b':') => self.pending.in_comment = true,
                        Some(_) => return Some(start + at),
                        None => {}
                    }
                }
            }
            start += few.len();
        }
        None
    }

    /// The block has grown beyond what is put together: from now on it is read
    /// carefully. There are no frames in it so far, but for the report of an event
    /// that is too large for a limit set since, which is given with the next one.
    #[cold]
    fn read_pending(&mut self) {
        let bytes: &[u8] = &self.pending.bytes;
        let mut at = 0;
        while at < bytes.len() {
            self.state.read(bytes, &mut at, bytes.len());
        }
        self.pending.clear();
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
            if let Some(behind) = rest.strip_prefix(b"\n") {
                if !self.pending.is_empty() {
                    self.pending.push(b"\n"); // lest another LF be taken for this one
                }
                rest = behind;
            }
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
                        self.pending.push(&BYTE_ORDER_MARK[..self.start]);
                        self.read_pending();
                    }
                    self.start = BYTE_ORDER_MARK.len();
                }
            }
        }
        chunk
    }
}

impl Default for Parser {
    fn default() -> Self {
        Parser::new()
    }
}
