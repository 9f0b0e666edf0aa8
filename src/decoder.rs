//! Chunks in, owned frames out: the lending parser, with what it lends copied
//! into one batch of text per chunk.
//!
//! Invariants:
//! - Frames come in the order of the stream, and the last event ID is that of the
//!   last frame given: what was parsed ahead of the reader does not count yet.
//! - In the usual shapes nothing is allocated per event: a batch is written over
//!   again once its events are gone.
//! - A chunk is parsed in pieces, so the batch does not grow with
//!   the size of the chunks that a source happens to give.

mod names;

use crate::frame::{Discarded, EventView};
use crate::message::{Batch, MessageEvent, OwnedFrame, Part, Record, Span};
use crate::parser::{Parser, Step};
use alloc::borrow::ToOwned;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use bytes::Bytes;
use core::fmt;
use core::mem;
use core::time::Duration;
use names::Names;

/// How many bytes of a chunk are parsed at once.
const PIECE: usize = 64 * 1024;

/// An event with so much data has a batch of its own.
const LARGE: usize = 16 * 1024;

/// An id longer than this is not copied into every batch that needs it.
const LONG_ID: usize = 256;

/// What is kept for an event must fit into a batch, together with an id that an
/// earlier event left.
const MAX_EVENT_SIZE: usize = Span::MAX / 2;

/// What an idle stream may keep of its buffers, in bytes and in records.
const IDLE_TEXT: usize = 1024;
const IDLE_RECORDS: usize = 16;

pub(crate) struct Decoder {
    parser: Parser,
    names: Names,
    /// What the current piece holds. Its records are given from `next` on.
    batch: Arc<Batch>,
    next: usize,
    /// What records whose data is [`Span::NONE`] stand for.
    others: VecDeque<Other>,
    /// The last event ID of the last frame that was given, in `batch`.
    last_event_id: Part,
    /// A last event ID too long to copy, shared by the batches that need it.
    long_id: Option<Arc<str>>,
    /// What is left of the chunk.
    rest: Bytes,
}

/// What is not an event of the usual size.
enum Other {
    /// An event with a batch of its own.
    Large(MessageEvent),
    Comment(Span),
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
        };
        decoder.parse(&[]);
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
                    _ => self.rest.split_to(PIECE),
                };
                self.parse(&piece);
                continue;
            };
            self.next += 1;
            self.last_event_id = record.id;
            if record.data != Span::NONE {
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
            Other::Comment(text) => OwnedFrame::Comment(text.of(&self.batch.text).to_owned()),
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
        self.parse(&[]);
    }

    /// Frees what an idle stream has no need of. Called when the source has
    /// nothing to give for now.
    #[inline]
    pub(crate) fn rest(&mut self) {
        if self.batch.text.capacity() > IDLE_TEXT || self.batch.records.capacity() > IDLE_RECORDS {
            self.others = VecDeque::new();
            self.batch = Arc::default();
            self.parse(&[]);
        }
    }

    /// Parses `piece` into the queue, which has been emptied.
    fn parse(&mut self, piece: &[u8]) {
        self.next = 0;
        self.others.clear();
        if Arc::get_mut(&mut self.batch).is_none() {
            // Events of the last piece are still alive; the next one is likely to
            // be of a similar size.
            let text = String::with_capacity(self.batch.text.len().min(piece.len()));
            self.batch = Arc::new(Batch { text, ..Batch::default() });
        }
        let Some(batch) = Arc::get_mut(&mut self.batch) else { return };
        batch.text.clear();
        batch.shared.clear();
        batch.records.clear();

        let id = self.parser.last_event_id();
        let mut writer = Writer {
            batch,
            names: &mut self.names,
            id: Part::EMPTY,
            event: Part::EMPTY,
            long_id: &mut self.long_id,
        };
        writer.set_id(id);
        self.last_event_id = writer.id;
        if piece.is_empty() {
            return;
        }

        let mut frames = self.parser.feed(piece);
        let (lines, walk) = frames.parts();
        loop {
            let other = match walk.step(lines) {
                Step::Event => {
                    let view = walk.event(lines);
                    writer.set_id(view.id);
                    if view.data.len() < LARGE {
                        let record = writer.record(view);
                        writer.batch.records.push(record);
                        continue;
                    }
                    Other::Large(MessageEvent::new(view.event, view.data, view.id))
                }
                Step::Comment => Other::Comment(writer.batch.push(walk.comment(lines))),
                Step::Discarded => match walk.take_discarded() {
                    Some(report) => Other::Discarded(report),
                    None => continue,
                },
                Step::Id => {
                    writer.set_id(walk.last_event_id(lines));
                    Other::Id
                }
                Step::End => break,
            };
            let id = writer.id;
            writer.batch.records.push(Record { data: Span::NONE, event: Part::EMPTY, id });
            self.others.push_back(other);
        }
        writer.end();
    }
}

/// Writes what the events of one piece say into a batch.
struct Writer<'a> {
    batch: &'a mut Batch,
    names: &'a mut Names,
    /// The last event ID so far.
    id: Part,
    /// The type of the last event that had one.
    event: Part,
    long_id: &'a mut Option<Arc<str>>,
}

impl Writer<'_> {
    #[inline(always)]
    fn record(&mut self, view: EventView<'_>) -> Record {
        Record { data: self.batch.push(view.data), event: self.name(view.event), id: self.id }
    }

    #[inline(always)]
    fn set_id(&mut self, id: &str) {
        let known = self.id.of(self.batch);
        // The second condition is not idle: comparing no bytes at an address that
        // is none, as that of an empty string, costs tens of nanoseconds.
        if known.len() == id.len() && (id.is_empty() || known == id) {
            return;
        }
        self.id =
            if id.len() <= LONG_ID { Part::text(self.batch.push(id)) } else { self.share_id(id) };
    }

    #[cold]
    fn share_id(&mut self, id: &str) -> Part {
        let id = match self.long_id.take() {
            Some(known) if *known == *id => known,
            _ => Arc::from(id),
        };
        *self.long_id = Some(Arc::clone(&id));
        self.share(id)
    }

    #[inline(always)]
    fn name(&mut self, event: &str) -> Part {
        if event.is_empty() {
            return Part::EMPTY;
        }
        if self.event.of(self.batch) != event {
            self.event = self.find_name(event);
        }
        self.event
    }

    #[inline(never)]
    fn find_name(&mut self, event: &str) -> Part {
        if let Some(index) = self.batch.shared.iter().position(|name| **name == *event) {
            return Part::shared(index);
        }
        match self.names.intern(event) {
            Some(name) => self.share(name),
            None => Part::text(self.batch.push(event)),
        }
    }

    fn share(&mut self, text: Arc<str>) -> Part {
        self.batch.shared.push(text);
        Part::shared(self.batch.shared.len() - 1)
    }

    /// Leaves the batch with a capacity that does not dwarf its content, however
    /// much it held before.
    fn end(self) {
        let Batch { text, records, .. } = self.batch;
        if text.capacity() > IDLE_TEXT && text.capacity() / 4 > text.len() {
            text.shrink_to_fit();
        }
        if records.capacity() > IDLE_RECORDS && records.capacity() / 4 > records.len() {
            records.shrink_to_fit();
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
