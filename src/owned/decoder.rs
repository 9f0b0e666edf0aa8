//! Chunks in, owned frames out: the parser over lines that a batch keeps.
//!
//! Invariants:
//! - Frames come in the order of the stream. The last event ID is that of the last frame that was
//!   taken: what was parsed in advance does not count yet.
//! - A batch holds the frames of one section of a chunk. It is used again once its events are
//!   dropped, so most streams need no allocation per event.

use super::batch::{Batch, Owner, Part, Record, push_value};
use super::message::{MessageEvent, OwnedFrame, OwnedUpdate};
use crate::frame::Discarded;
use crate::parser::{
    BlockLines, ChunkReader, Data, Memory, ParserState, Remainder, Rest, Section, Sizes, Span,
    Step, utf8,
};
use alloc::borrow::ToOwned;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use bytes::Bytes;
use core::fmt;
use core::mem;
use core::time::Duration;

/// A batch must be able to address the lines of an event, their line ends, and an earlier id.
const MAX_EVENT_SIZE: usize = Part::MAX / 4;

pub(crate) struct Decoder {
    parser: ParserState,
    /// The chunk that is being parsed.
    chunk: Bytes,
    /// Offset of the first byte of the chunk that is in no section yet.
    at: usize,
    batch: Arc<Batch>,
    /// Index of the record of the next frame.
    next: usize,
    /// The frames of the records whose data is [`Part::NONE`].
    others: VecDeque<Other>,
    /// The last event ID of the last frame that was taken, in `batch`.
    last_event_id: Part,
    /// A last event ID that is too long to be copied into each batch.
    long_id: Option<Arc<str>>,
}

/// A frame that is not an event.
enum Other {
    Comment(String),
    Discarded(Discarded),
    /// It is only reported if asked for.
    Update(Option<u64>),
}

impl Decoder {
    /// Returns a decoder at the start of a stream.
    pub(crate) fn new() -> Self {
        let mut parser = ParserState::new();
        parser.memory.keeps_joined = true;
        Decoder {
            parser,
            chunk: Bytes::new(),
            at: 0,
            batch: Arc::default(),
            next: 0,
            others: VecDeque::new(),
            last_event_id: Part::EMPTY,
            long_id: None,
        }
    }

    /// Sets the maximum size of an event, as far as a batch can address it.
    pub(crate) fn set_max_event_size(&mut self, bytes: usize) {
        self.parser.set_max_event_size(bytes.min(MAX_EVENT_SIZE));
    }

    pub(crate) fn set_comments(&mut self, report: bool) {
        self.parser.set_comments(report);
    }

    pub(crate) fn set_updates(&mut self, report: bool) {
        self.parser.updates = report;
    }

    /// Keeps the unknown lines, for [`remainder`](Self::remainder).
    pub(crate) fn keep_unknown(&mut self) {
        self.parser.keep_unknown();
    }

    pub(crate) fn set_sizes(&mut self, sizes: &'static Sizes) {
        self.parser.set_sizes(sizes);
    }

    /// Takes the next chunk. All frames of the previous one have been taken.
    #[inline(always)]
    pub(crate) fn feed(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty() && self.next == self.batch.records.len());
        if let Some(section) = self.parser.reader.whole(&chunk) {
            self.parser.give_back();
            self.at = chunk.len();
            self.chunk = chunk;
            self.fill_batch(section);
            return;
        }
        let rest = Rest::new(&chunk, 0);
        if !self.parser.reader.absorb(rest) {
            let mask = rest.mask();
            self.begin_chunk(chunk, mask);
        }
    }

    /// Parses the first section of a chunk into the batch. `mask` has the line ends of its first 64
    /// bytes.
    #[inline(never)]
    fn begin_chunk(&mut self, chunk: Bytes, mask: u64) {
        self.parser.give_back();
        let mut rest = Rest::scanned(&chunk, 0, mask);
        self.parser.reader.begin(&mut rest);
        let section = self.parser.reader.next(&mut rest, &mut self.parser.block);
        if let Section::End = section {
            return;
        }
        self.at = rest.at();
        self.chunk = chunk;
        self.fill_batch(section);
    }

    /// Returns the next frame of the chunk, or `None` once it is used up.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<OwnedFrame> {
        loop {
            let index = self.next;
            let Some(record) = self.batch.records.get(index) else {
                if self.chunk.is_empty() || !self.next_batch() {
                    return None;
                }
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
            Other::Comment(text) => OwnedFrame::Comment(text),
            Other::Discarded(report) => OwnedFrame::Discarded(report),
            Other::Update(_) if !self.parser.updates => return None,
            Other::Update(retry) => {
                let retry = retry.map(Duration::from_millis);
                OwnedFrame::Update(OwnedUpdate::new(self.last_event_id(), retry))
            }
        })
    }

    /// Returns the last event ID of the last frame that was taken. It is empty if there is none.
    #[inline]
    pub(crate) fn last_event_id(&self) -> &str {
        self.last_event_id.of(&self.batch)
    }

    pub(crate) fn retry(&self) -> Option<Duration> {
        self.parser.retry()
    }

    /// Returns whether the stream is in the middle of an event.
    pub(crate) fn is_mid_event(&self) -> bool {
        self.parser.is_mid_event()
    }

    /// Returns the bytes after the last event, if any. It is called at the end of a stream.
    pub(crate) fn remainder(&self) -> Option<Remainder> {
        self.parser.remainder()
    }

    /// Drops the rest of the stream and the frames that were not taken, and expects the start of
    /// another stream. The last event ID is kept.
    pub(crate) fn reset(&mut self) {
        let id = self.last_event_id().to_owned();
        self.set_last_event_id(&id);
    }

    /// Drops the rest of the stream, as [`reset`](Decoder::reset) does, and sets the last event ID.
    pub(crate) fn set_last_event_id(&mut self, id: &str) {
        // A reconnection time in the rest of the chunk has been received, so it applies.
        while !self.chunk.is_empty() && self.next_batch() {}
        self.parser.reset();
        self.parser.memory.set_last_event_id(id);
        self.chunk = Bytes::new();
        self.long_id = None;
        self.begin_batch();
    }

    /// Frees memory that an idle stream does not need. Called when the source is pending.
    #[inline]
    pub(crate) fn rest(&mut self) {
        if self.batch.is_burden() {
            self.others = VecDeque::new();
            self.batch = Arc::default();
            self.begin_batch();
        }
        self.parser.rest();
    }

    /// Empties the batch. It begins with the last event ID.
    #[inline(never)]
    fn begin_batch(&mut self) {
        self.next = 0;
        self.others.clear();
        if let Some(batch) = emptied(&mut self.batch) {
            self.last_event_id =
                push_last_id(batch, &self.parser, self.last_event_id, &mut self.long_id);
        }
    }

    /// Parses the next sections of the chunk into the batch. It stops after the first section whose
    /// lines the batch keeps. Returns false at the end of the chunk.
    fn next_batch(&mut self) -> bool {
        let ParserState { reader, block, .. } = &mut self.parser;
        let section = reader.next_after(&self.chunk, &mut self.at, block);
        if let Section::End = section {
            self.chunk = Bytes::new();
            return false;
        }
        self.fill_batch(section);
        true
    }

    /// Gives the buffer of the last large block back to the parser for the next one, unless an event
    /// refers to it.
    #[inline(never)]
    fn take_back(&mut self) {
        let block = Arc::get_mut(&mut self.batch).and_then(|batch| batch.lines.release());
        if let Some(block) = block.filter(|block| block.len() <= self.parser.reader.sizes.large) {
            self.parser.reader.partial.continue_in(block);
        }
    }

    /// Parses sections of the chunk into the batch, from this one on, until the batch keeps the
    /// lines of one.
    #[inline(never)]
    fn fill_batch(&mut self, mut section: Section) {
        if self.parser.block.len() >= self.parser.reader.sizes.take {
            self.take_back();
        }
        let Some(batch) = emptied(&mut self.batch) else { return };
        self.next = 0;
        let last_event_id =
            push_last_id(batch, &self.parser, self.last_event_id, &mut self.long_id);
        self.last_event_id = last_event_id;
        let ParserState { reader, block, memory, .. } = &mut self.parser;
        mem::swap(&mut memory.joined, &mut batch.values);
        let Batch { lines, records, .. } = batch;
        if records.capacity() == 0 {
            records.reserve_exact(1); // four would be the first capacity that `push` allocates
        }
        let mut writer =
            Writer { records, others: &mut self.others, id: last_event_id, unknown_at: 0 };
        let in_lines = |_: &mut String, value: Span| Part::line(value.start, value.end);
        loop {
            if !reader.partial.unknown.is_empty() {
                // They follow the events before them, and are dropped by those after them only.
                writer.drop_unknown(memory);
                reader.move_unknown(memory);
            }
            match section {
                Section::InChunk(range) => {
                    let is_most = range.len() >= self.chunk.len() / 2;
                    let is_small = self.chunk.len() <= reader.sizes.batch;
                    let bytes = &self.chunk[range.clone()];
                    let decoded;
                    let text = if bytes.len() >= reader.sizes.share && (is_most || is_small) {
                        lines.keep(Owner::Chunk(self.chunk.slice(range)));
                        lines.text()
                    } else {
                        // The walk does not wait for the copy.
                        decoded = utf8::decode(bytes);
                        lines.copy(&decoded);
                        &decoded
                    };
                    writer.write(reader, bytes, text, memory, in_lines);
                    break;
                }
                Section::Assembled if block.len() >= reader.sizes.take => {
                    // The next event is likely to be as large. With comments, the block may contain
                    // only comments.
                    if !reader.comments {
                        reader.partial.make_room(block.len().min(reader.sizes.large));
                    }
                    let mut block = mem::take(block);
                    block.fit();
                    let ill_formed = lines.keep(Owner::Block(block));
                    let bytes = ill_formed.as_deref().unwrap_or(lines.text().as_bytes());
                    writer.write(reader, bytes, lines.text(), memory, in_lines);
                    break;
                }
                Section::Assembled => {
                    let text = utf8::decode(block);
                    let push =
                        |values: &mut String, value: Span| push_value(values, value.of(&text));
                    writer.write(reader, block, &text, memory, push);
                }
                Section::End => break,
            }
            section = reader.next_after(&self.chunk, &mut self.at, block);
        }
        if !memory.unknown.is_empty() {
            writer.drop_unknown(memory);
        }
        mem::swap(&mut memory.joined, &mut batch.values);
        if self.at == self.chunk.len() && !reader.has_due_lines() {
            self.chunk = Bytes::new();
        }
        if self.others.is_empty() {
            batch.compact();
        }
    }
}

/// Returns the batch, emptied, or another one if an event refers to it.
#[inline(always)]
fn emptied(batch: &mut Arc<Batch>) -> Option<&mut Batch> {
    if Arc::strong_count(batch) > 1 {
        *batch = Arc::default();
    }
    // It costs an atomic operation, so it is called only where it succeeds.
    let batch = Arc::get_mut(batch)?;
    batch.clear();
    Some(batch)
}

/// Writes the last event ID into an empty batch. `last` is its place in the batch before.
#[inline(always)]
fn push_last_id(
    batch: &mut Batch,
    parser: &ParserState,
    last: Part,
    long_id: &mut Option<Arc<str>>,
) -> Part {
    let id = &parser.memory.last_event_id;
    if id.len() > parser.reader.sizes.copy_id {
        if !last.is_shared() {
            *long_id = None; // it was set since
        }
        let long_id = long_id.get_or_insert_with(|| Arc::from(id.as_str()));
        return batch.push_shared(Arc::clone(long_id));
    }
    *long_id = None;
    if id.is_empty() { Part::EMPTY } else { push_value(&mut batch.values, id) }
}

/// Records the places of the values of events.
struct Writer<'a> {
    records: &'a mut alloc::vec::Vec<Record>,
    others: &'a mut VecDeque<Other>,
    /// The last event ID so far.
    id: Part,
    /// The number of records before the last unknown line.
    unknown_at: usize,
}

impl Writer<'_> {
    /// Walks over the last section, whose bytes were decoded to `lines`. `place` returns the place of
    /// a value in the batch, whose values are [`Memory::joined`] meanwhile.
    #[inline(always)]
    fn write(
        &mut self,
        reader: &mut ChunkReader,
        bytes: &[u8],
        lines: &str,
        memory: &mut Memory,
        place: impl Fn(&mut String, Span) -> Part,
    ) {
        let mut walk = BlockLines::new();
        reader.begin_walk(&mut walk, bytes, lines, memory);
        loop {
            match walk.step(lines, memory) {
                Step::Event => self.push_event(&mut walk, &mut memory.joined, &place),
                Step::Update => {
                    self.take_id(&mut walk, &mut memory.joined, &place);
                    self.push_other(Other::Update(memory.retry));
                }
                // Not a value of the batch: it may come between two lines of joined data.
                Step::Comment => self.push_other(Other::Comment(walk.comment.of(lines).into())),
                Step::Unknown => {
                    self.drop_unknown(memory);
                    memory.unknown.push(walk.comment.of(lines).as_bytes());
                }
                Step::End => break,
            }
        }
        if let Some(size) = reader.take_oversize() {
            let report = walk.discarded(lines, size, reader.max_event_size);
            self.push_other(Other::Discarded(report));
        }
        walk.finish(lines, memory);
    }

    #[inline(always)]
    fn push_event(
        &mut self,
        walk: &mut BlockLines,
        values: &mut String,
        place: &impl Fn(&mut String, Span) -> Part,
    ) {
        let joined_end = values.len();
        self.take_id(walk, values, place);
        let data = match walk.data() {
            Data::Line(span) => place(values, span),
            Data::Joined(start) => Part::value(start, joined_end - 1),
        };
        let event = place(values, walk.event);
        self.records.push(Record { data, event, id: self.id });
    }

    /// Records the last event ID if the last block has set it.
    #[inline(always)]
    fn take_id(
        &mut self,
        walk: &mut BlockLines,
        values: &mut String,
        place: &impl Fn(&mut String, Span) -> Part,
    ) {
        if let Some(id) = walk.take_new_id() {
            self.id = place(values, id);
        }
    }

    /// Drops the unknown lines if an event followed them.
    #[cold]
    fn drop_unknown(&mut self, memory: &mut Memory) {
        if self.records[self.unknown_at..].iter().any(|record| record.data != Part::NONE) {
            memory.unknown.clear();
        }
        self.unknown_at = self.records.len();
    }

    fn push_other(&mut self, other: Other) {
        self.records.push(Record { data: Part::NONE, event: Part::EMPTY, id: self.id });
        self.others.push_back(other);
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
