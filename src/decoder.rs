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
use crate::parser::{
    Begun, Few, Parser, Part as ChunkPart, STRETCH, Span, State, Step, Walk, utf8,
};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::mem;
use core::time::Duration;
use names::Names;

/// An event with so much data from earlier pieces has a batch of its own.
const LARGE: usize = 16 * 1024;

/// An id longer than this is not copied into every batch that needs it.
const LONG_ID: usize = 256;

/// What is kept for an event must fit into a batch, together with an id that an
/// earlier event left.
const MAX_EVENT_SIZE: usize = MAX_CARRIED / 2;

pub(crate) struct Decoder {
    parser: Parser,
    /// Boxed and made when it is needed, since most streams never do.
    names: Option<Box<Names>>,
    /// What the current piece holds. Its records are given from `next` on.
    batch: Arc<Batch>,
    next: usize,
    /// What records whose data is [`Part::NONE`] stand for.
    others: VecDeque<Other>,
    /// The last event ID of the last frame that was given, in `batch`.
    last_event_id: Part,
    /// A last event ID too long to copy, shared by the batches that need it.
    long_id: Option<Arc<str>>,
    /// What is left of a chunk that is parsed in pieces.
    rest: Bytes,
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
            names: None,
            batch: Arc::default(),
            next: 0,
            others: VecDeque::new(),
            last_event_id: Part::EMPTY,
            long_id: None,
            rest: Bytes::new(),
        };
        decoder.begin_batch();
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

    /// Hands in the next chunk. All frames of the one before have been taken.
    #[inline]
    pub(crate) fn feed(&mut self, chunk: Bytes) {
        debug_assert!(self.rest.is_empty() && self.next == self.batch.records.len());
        let ends = Few::of(&chunk);
        if self.parser.absorb(&chunk, ends) {
            return;
        }
        if chunk.len() <= STRETCH {
            self.parse(&chunk, ends, true);
        } else {
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
                let piece = self.rest.split_to(self.rest.len().min(STRETCH));
                self.parse(&piece, None, false);
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
    #[inline]
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
        self.begin_batch();
    }

    /// Frees what an idle stream has no need of. Called when the source has
    /// nothing to give for now.
    #[inline]
    pub(crate) fn rest(&mut self) {
        if self.batch.is_burden() {
            self.others = VecDeque::new();
            self.batch = Arc::default();
            self.begin_batch();
        }
    }

    /// Empties the batch, whose records have all been given.
    fn begin_batch(&mut self) {
        let id = self.parser.last_event_id();
        if let Some(batch) = writable(&mut self.batch) {
            self.next = 0;
            self.others.clear();
            self.last_event_id = begin(batch, id, self.last_event_id, &mut self.long_id);
        }
    }

    /// Parses a piece, which may be all of its chunk, into the batch. `ends` are its line
    /// ends, if it is short.
    #[inline]
    fn parse(&mut self, piece: &Bytes, ends: Option<Few>, is_chunk: bool) {
        if let Some(begun) = self.parser.begin(piece, ends) {
            self.parse_frames(piece, is_chunk, begun);
        }
    }

    /// The same, if that may complete frames.
    fn parse_frames(&mut self, piece: &Bytes, is_chunk: bool, begun: Begun) {
        let Some(batch) = writable(&mut self.batch) else { return };
        self.next = 0;
        if !self.others.is_empty() {
            self.others.clear();
        }
        let id = self.parser.last_event_id();
        let id = begin(batch, id, self.last_event_id, &mut self.long_id);
        self.last_event_id = id;
        let Batch { lines, carried, shared, records } = batch;
        let names = &mut self.names;
        let mut writer = Writer { carried, shared, records, names, others: &mut self.others, id };

        let (whole, mut cut) = self.parser.cut(piece, begun);
        if !whole.bytes.is_empty() {
            let lines = utf8::decode(whole.bytes);
            writer.write_blocks(&lines, whole.walk(&lines), cut.state, |carried, value| {
                carry(carried, value.of(&lines))
            });
        }
        loop {
            match cut.next_part() {
                ChunkPart::Blocks(range) => {
                    lines.set(piece, range, is_chunk);
                    writer.write_blocks(lines.text(), Walk::default(), cut.state, |_, value| {
                        Part::lines(value.start, value.end)
                    });
                }
                ChunkPart::Careful => {
                    let step = cut.read();
                    writer.write_read(step, cut.state);
                }
                ChunkPart::End => break,
            }
        }
        cut.state.finish_chunk();
        if self.others.is_empty() {
            batch.compact();
        }
    }
}

/// The batch, or another if events of this one are still alive.
#[inline(always)]
fn writable(batch: &mut Arc<Batch>) -> Option<&mut Batch> {
    // `get_mut` costs two atomic operations; it is asked once, and where it is `Some`.
    if Arc::strong_count(batch) > 1 {
        *batch = Arc::default();
    }
    Arc::get_mut(batch)
}

/// Empties the batch and gives where it has the last event ID that it starts with. A long
/// one is not copied into every batch, but shared as long as it is `before`, too.
#[inline(always)]
fn begin(batch: &mut Batch, id: &str, before: Part, known: &mut Option<Arc<str>>) -> Part {
    batch.clear();
    if before != Part::shared(0) {
        *known = None; // another was set since
    }
    if id.is_empty() {
        return Part::EMPTY;
    }
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
    records: &'a mut Vec<Record>,
    names: &'a mut Option<Box<Names>>,
    others: &'a mut VecDeque<Other>,
    /// The last event ID so far.
    id: Part,
}

impl Writer<'_> {
    /// Walks over whole blocks; `place` gives where the batch has a value of theirs.
    #[inline(always)]
    fn write_blocks(
        &mut self,
        lines: &str,
        mut walk: Walk,
        state: &mut State,
        place: impl Fn(&mut String, Span) -> Part,
    ) {
        loop {
            let step = walk.step(lines, state);
            if step == Step::End {
                break;
            }
            if let Some(id) = walk.take_new_id() {
                self.id = place(self.carried, id);
            }
            match step {
                Step::Event => {
                    let data = match walk.joined {
                        false => place(self.carried, walk.data),
                        true => carry(self.carried, walk.view(lines, state).data),
                    };
                    let event = match walk.event {
                        event if event.is_none() => Part::EMPTY,
                        event => place(self.carried, event),
                    };
                    self.records.push(Record { data, event, id: self.id });
                }
                Step::Comment => {
                    let comment = place(self.carried, walk.comment);
                    self.push_other(Other::Comment(comment));
                }
                _ => self.push_other(Other::Id),
            }
        }
        walk.finish(lines, state);
    }

    /// Writes what was read carefully.
    fn write_read(&mut self, step: Step, state: &mut State) {
        if let Some(report) = state.take_discarded() {
            self.push_other(Other::Discarded(report));
        }
        if let Some(id) = state.take_new_id() {
            self.id = carry(self.carried, id);
        }
        match step {
            Step::Event => match state.take_large(LARGE) {
                Some(data) => {
                    let view = state.view();
                    let message = MessageEvent::of_large(data, view.event, view.id);
                    self.push_other(Other::Large(message));
                }
                None => {
                    let view = state.view();
                    let data = carry(self.carried, view.data);
                    let event = match view.event {
                        "" => Part::EMPTY,
                        event => self.carried_type(event),
                    };
                    self.records.push(Record { data, event, id: self.id });
                }
            },
            Step::Comment => {
                let comment = carry(self.carried, state.comment());
                self.push_other(Other::Comment(comment));
            }
            Step::Id => self.push_other(Other::Id),
            Step::Discarded | Step::End => {}
        }
    }

    fn push_other(&mut self, other: Other) {
        self.records.push(Record { data: Part::NONE, event: Part::EMPTY, id: self.id });
        self.others.push_back(other);
    }

    fn carried_type(&mut self, event: &str) -> Part {
        let known = self.shared.iter().position(|name| **name == *event);
        if let Some(index) = known {
            return Part::shared(index);
        }
        match self.names.get_or_insert_default().intern(event) {
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
