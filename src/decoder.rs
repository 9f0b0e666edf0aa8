//! Chunks in, owned frames out: the lending parser over lines that a batch keeps.
//!
//! Invariants:
//! - Frames come in the order of the stream, and the last event ID is that of the
//!   last frame given: what was parsed ahead of the reader does not count yet.
//! - In the usual shapes nothing is allocated per event: a batch is written over
//!   again once its events are gone.
//! - A chunk is parsed in pieces, so the batch does not grow with the size of the
//!   chunks that a source happens to give.

mod names;

use crate::frame::Discarded;
use crate::message::{Batch, MAX_CARRIED, MessageEvent, OwnedFrame, Part, Record, carry};
use crate::parser::{Frames, Parser, Parts, Place, Step, Walk};
use alloc::borrow::{Cow, ToOwned};
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::mem;
use core::time::Duration;
use names::Names;

/// How many bytes of a chunk are parsed at once.
const PIECE: usize = 64 * 1024;

/// An event with so much data from earlier pieces has a batch of its own.
const LARGE: usize = 16 * 1024;

/// An id longer than this is not copied into every batch that needs it.
const LONG_ID: usize = 256;

/// What is kept for an event must fit into a batch, together with an id that an
/// earlier event left.
const MAX_EVENT_SIZE: usize = MAX_CARRIED / 2;

pub(crate) struct Decoder {
    parser: Parser,
    names: Names,
    /// What the current piece holds. Its records are given from `next` on.
    batch: Arc<Batch>,
    next: usize,
    /// What records whose data is [`Part::NONE`] stand for.
    others: VecDeque<Other>,
    /// The last event ID of the last frame that was given, in `batch`.
    last_event_id: Part,
    /// A last event ID too long to copy, shared by the batches that need it.
    long_id: Option<Arc<str>>,
    /// What is left of the chunk, and whether that is all of it.
    rest: Bytes,
    rest_is_chunk: bool,
}

/// What is not an event of the usual size.
enum Other {
    /// An event with a batch of its own.
    Large(MessageEvent),
    Comment(Part),
    Discarded(Discarded),
    /// A block without data set the last event ID.
    Id,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub(crate) fn new(parser: Parser) -> Self {
        let mut decoder = Decoder {
            parser,
            names: Names::default(),
            batch: Arc::default(),
            next: 0,
            others: VecDeque::new(),
            last_event_id: Part::EMPTY,
            long_id: None,
            rest: Bytes::new(),
            rest_is_chunk: true,
        };
        decoder.parse(&Bytes::new());
        decoder
    }

    /// As [`Parser::with_max_event_size`], as far as a batch reaches.
    pub(crate) fn set_max_event_size(&mut self, bytes: usize) {
        let bytes = bytes.min(MAX_EVENT_SIZE);
        self.parser = mem::take(&mut self.parser).with_max_event_size(bytes);
    }

    /// As [`Parser::with_comments`].
    pub(crate) fn set_comments(&mut self, report: bool) {
        self.parser = mem::take(&mut self.parser).with_comments(report);
    }

    /// Hands in the next chunk, to be parsed as its frames are asked for. All
    /// frames of the one before have been taken.
    #[inline]
    pub(crate) fn feed(&mut self, chunk: Bytes) {
        debug_assert!(self.rest.is_empty() && self.next == self.batch.records.len());
        if !self.parser.absorb(&chunk) {
            self.rest = chunk;
            self.rest_is_chunk = true;
        }
    }

    /// The next frame of the chunk, or `None` once it is used up.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<OwnedFrame> {
        loop {
            let index = self.next;
            let Some(record) = self.batch.records.get(index) else {
                if self.rest.is_empty() {
                    return None;
                }
                let piece = match self.rest.len() {
                    ..=PIECE => mem::take(&mut self.rest),
                    _ => {
                        self.rest_is_chunk = false;
                        self.rest.split_to(PIECE)
                    }
                };
                self.parse(&piece);
                continue;
            };
            self.next += 1;
            self.last_event_id = record.id;
            if record.data != Part::NONE {
                let message = MessageEvent::of(Arc::clone(&self.batch), index);
                return Some(OwnedFrame::Message(message));
            }
            if let Some(frame) = self.next_other() {
                return Some(frame);
            }
        }
    }

    #[cold]
    fn next_other(&mut self) -> Option<OwnedFrame> {
        Some(match self.others.pop_front()? {
            Other::Large(message) => OwnedFrame::Message(message),
            Other::Comment(text) => OwnedFrame::Comment(text.of(&self.batch).to_owned()),
            Other::Discarded(report) => OwnedFrame::Discarded(report),
            Other::Id => return None,
        })
    }

    /// The last event ID of the last frame that was given; empty if there is none.
    pub(crate) fn last_event_id(&self) -> &str {
        self.last_event_id.of(&self.batch)
    }

    pub(crate) fn retry(&self) -> Option<Duration> {
        self.parser.retry()
    }

    /// Gives up the stream, with what was parsed ahead of the reader, and expects
    /// the start of another. The last event ID stays.
    pub(crate) fn reset(&mut self) {
        let id = self.last_event_id().to_owned();
        self.set_last_event_id(&id);
    }

    /// The same, with another last event ID.
    pub(crate) fn set_last_event_id(&mut self, id: &str) {
        self.parser.reset();
        self.parser.set_last_event_id(id);
        self.rest = Bytes::new();
        self.long_id = None;
        self.parse(&Bytes::new());
    }

    /// Frees what an idle stream has no need of. Called when the source has
    /// nothing to give for now.
    #[inline]
    pub(crate) fn rest(&mut self) {
        if self.batch.is_burden() {
            self.others = VecDeque::new();
            self.batch = Arc::default();
            self.parse(&Bytes::new());
        }
    }

    /// Parses `piece` into the batch, whose records have all been given.
    fn parse(&mut self, piece: &Bytes) {
        self.next = 0;
        self.others.clear();
        if Arc::get_mut(&mut self.batch).is_none() {
            self.batch = Arc::default(); // events of the last piece are still alive
        }
        let Some(batch) = Arc::get_mut(&mut self.batch) else { return };

        let Parts { lines, first } = self.parser.split(piece);
        let open = (lines.start < piece.len()).then(|| &piece[lines.end..]);
        batch.refill(piece, lines, self.rest_is_chunk);
        if self.last_event_id != Part::shared(0) {
            self.long_id = None; // another was set since
        }
        let id = start_id(batch, &mut self.long_id, self.parser.last_event_id());
        self.last_event_id = id;

        let Batch { lines, carried, shared, records } = batch;
        let mut frames = match open {
            Some(open) => Frames::new(&mut self.parser, Cow::Borrowed(lines.text()), open, first),
            None => Frames::none(&mut self.parser, first),
        };
        let Some((lines, walk)) = frames.parts() else { return };
        let mut writer = Writer { carried, shared, names: &mut self.names, id };
        loop {
            let other = match walk.step(lines) {
                Step::Event => {
                    let id = writer.id(walk, lines);
                    match writer.event(walk, lines) {
                        Ok((data, event)) => {
                            records.push(Record { data, event, id });
                            continue;
                        }
                        Err(large) => Other::Large(large),
                    }
                }
                Step::Comment => Other::Comment(writer.comment(walk, lines)),
                Step::Discarded => match walk.take_discarded() {
                    Some(report) => Other::Discarded(report),
                    None => continue,
                },
                Step::Id => Other::Id,
                Step::End => break,
            };
            let id = writer.id(walk, lines);
            records.push(Record { data: Part::NONE, event: Part::EMPTY, id });
            self.others.push_back(other);
        }
        drop(frames);
        if self.others.is_empty() {
            batch.compact();
        }
    }
}

/// Where `batch` has the last event ID that it starts with. A long one is not copied
/// into every batch; `known` is where it is kept.
fn start_id(batch: &mut Batch, known: &mut Option<Arc<str>>, id: &str) -> Part {
    if id.len() <= LONG_ID {
        return batch.carry(id);
    }
    batch.shared.push(Arc::clone(known.get_or_insert_with(|| Arc::from(id))));
    Part::shared(0)
}

/// Notes where a batch has what its events say. What its lines do not have is added.
struct Writer<'a> {
    carried: &'a mut String,
    shared: &'a mut Vec<Arc<str>>,
    names: &'a mut Names,
    /// The last event ID so far.
    id: Part,
}

impl Writer<'_> {
    /// The data and the type of an event, or the event itself if it is a large one
    /// that is not in the lines.
    #[inline(always)]
    fn event(&mut self, walk: &mut Walk<'_>, lines: &str) -> Result<(Part, Part), MessageEvent> {
        match walk.places() {
            (Place::Lines(start, end), Place::Nowhere) => {
                Ok((Part::lines(start, end), Part::EMPTY))
            }
            (Place::Lines(start, end), Place::Lines(type_start, type_end)) => {
                Ok((Part::lines(start, end), Part::lines(type_start, type_end)))
            }
            _ => self.carried_event(walk, lines),
        }
    }

    /// The same for an event that is not all in the lines.
    #[inline(never)]
    fn carried_event(
        &mut self,
        walk: &mut Walk<'_>,
        lines: &str,
    ) -> Result<(Part, Part), MessageEvent> {
        let (data, event) = walk.places();
        if let Some(data) = walk.take_data(LARGE) {
            let view = walk.event(lines);
            return Err(MessageEvent::of_large(data, view.event, view.id));
        }
        let view = walk.event(lines);
        let data = match data {
            Place::Lines(start, end) => Part::lines(start, end),
            _ if view.data.len() >= LARGE => {
                return Err(MessageEvent::new(view.event, view.data, view.id));
            }
            _ => carry(self.carried, view.data),
        };
        let event = match event {
            Place::Lines(start, end) => Part::lines(start, end),
            Place::Nowhere => Part::EMPTY,
            _ => self.carried_type(view.event),
        };
        Ok((data, event))
    }

    /// The last event ID.
    #[inline(always)]
    fn id(&mut self, walk: &mut Walk<'_>, lines: &str) -> Part {
        if let Some(place) = walk.take_new_id() {
            self.id = match place {
                Place::Lines(start, end) => Part::lines(start, end),
                _ => carry(self.carried, walk.last_event_id(lines)),
            };
        }
        self.id
    }

    fn comment(&mut self, walk: &mut Walk<'_>, lines: &str) -> Part {
        match walk.comment_place() {
            Place::Lines(start, end) => Part::lines(start, end),
            _ => carry(self.carried, walk.comment(lines)),
        }
    }

    fn carried_type(&mut self, event: &str) -> Part {
        let known = self.shared.iter().position(|name| **name == *event);
        if let Some(index) = known {
            return Part::shared(index);
        }
        match self.names.intern(event) {
            Some(name) => {
                self.shared.push(name);
                Part::shared(self.shared.len() - 1)
            }
            None => carry(self.carried, event),
        }
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("last_event_id", &self.last_event_id())
            .field("retry", &self.retry())
            .field("queued", &(self.batch.records.len() - self.next))
            .finish_non_exhaustive()
    }
}
