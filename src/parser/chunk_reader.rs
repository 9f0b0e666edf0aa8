//! The driver of both parsers: cuts chunks into sections of complete lines.
//!
//! Invariants:
//! - Sections come in the order of the stream. Only complete lines are in them.
//! - A chunk first completes the partial block, then gives its own complete blocks in batches, and
//!   its rest becomes the new partial block.
//! - The last batch of a chunk is found from its end, so complete blocks cost no search of their
//!   own: the walk over them finds their line ends.
//! - No block over the limit is in a section.

use super::block_lines::{BlockLines, Comments, Memory};
use super::buffer::Buffer;
use super::line_ends::{self, BlockEnd, NoBlockEnd, ShortMask};
use super::partial::{Oversize, PartialBlock};
use super::sizes::Sizes;
use alloc::string::String;
use core::ops::Range;
use memchr::memchr2;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Length below which the rest of a chunk is searched at once.
const SHORT_TAIL: usize = 128;

#[derive(Debug, Clone)]
pub(crate) struct ChunkReader {
    pub(super) partial: PartialBlock,
    /// Number of bytes of a byte order mark received at the start of the stream. The length of a
    /// whole mark once the start is over.
    start: usize,
    /// Set if the last byte was a CR, which ended its line. A following LF belongs to that line
    /// end.
    after_cr: bool,
    pub(crate) comments: bool,
    pub(crate) max_event_size: usize,
    pub(crate) sizes: &'static Sizes,
    /// The last section that was assembled.
    pub(crate) assembled: Assembled,
}

/// Complete lines to walk over.
#[derive(Debug)]
pub(crate) enum Section {
    /// Complete blocks in this range of the chunk.
    InChunk(Range<usize>),
    /// Lines in the buffer that was passed. [`ChunkReader::assembled`] describes them.
    Assembled,
    /// The chunk is used up.
    End,
}

/// The first byte of a chunk that is in no section yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    pub(crate) at: usize,
    /// The line ends from there on, if they are in few bytes.
    ends: Option<ShortMask>,
}

impl Position {
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn advance(&mut self, bytes: usize) {
        self.at += bytes;
        self.ends = self.ends.map(|ends| ends.after(bytes));
    }
}

/// Lines that were copied out of the partial block: all of a complete block, its beginning up to
/// the limit, or lines whose comments are due.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Assembled {
    /// The line ends that are known, as [`BlockLines::set_line_ends`] takes them.
    line_ends: (usize, u64),
    comments: Option<Comments>,
    /// The reconnection time that earlier lines of the block have set, in milliseconds.
    retry: Option<u64>,
    /// The size of the block so far, if it is over the limit.
    pub(crate) oversize: Option<usize>,
    /// Set if the lines are a complete block.
    pub(crate) is_block: bool,
}

impl Assembled {
    /// Prepares a new walk over the assembled lines: `lines` is the decoded text of `bytes`.
    #[inline(always)]
    pub(crate) fn begin(
        &self,
        walk: &mut BlockLines,
        bytes: &[u8],
        lines: &str,
        memory: &mut Memory,
    ) {
        if bytes.len() == lines.len() {
            walk.set_line_ends(self.line_ends.0, self.line_ends.1);
        }
        if self.comments.is_some() || self.retry.is_some() {
            self.begin_unusual(walk, bytes, lines, memory);
        }
    }

    #[inline(never)]
    fn begin_unusual(&self, walk: &mut BlockLines, bytes: &[u8], lines: &str, memory: &mut Memory) {
        let mut comments = self.comments;
        if let Some(comments) = comments.as_mut().filter(|_| bytes.len() != lines.len()) {
            // The limit may have been lowered so far that the lines end before.
            let reported = &bytes[..comments.from.min(bytes.len())];
            comments.from = String::from_utf8_lossy(reported).len();
        }
        walk.set_comments(comments);
        if let Some(retry) = self.retry {
            memory.retry = Some(retry);
            walk.note_retry();
        }
    }
}

impl ChunkReader {
    pub(super) const fn new(max_event_size: usize) -> Self {
        let sizes = &Sizes::DEFAULT;
        ChunkReader {
            partial: PartialBlock::new(first_room(max_event_size, sizes)),
            start: 0,
            after_cr: false,
            comments: false,
            max_event_size,
            sizes,
            assembled: Assembled {
                line_ends: (0, 0),
                comments: None,
                retry: None,
                oversize: None,
                is_block: false,
            },
        }
    }

    pub(super) const fn set_sizes(&mut self, max_event_size: usize, sizes: &'static Sizes) {
        self.max_event_size = max_event_size;
        self.sizes = sizes;
        self.partial.set_first_room(first_room(max_event_size, sizes));
    }

    /// Forgets the partial block and expects the start of another stream.
    pub(super) fn reset(&mut self) {
        self.partial.clear();
        self.partial.take_dropped_retry();
        self.partial.unknown.clear();
        self.start = 0;
        self.after_cr = false;
    }

    /// Buffers a chunk without a line end, which completes no frame, if it is short or continues a
    /// long line. Returns false for any other chunk, which it does not buffer.
    #[inline(always)]
    pub(crate) fn absorb(&mut self, chunk: &[u8], ends: Option<ShortMask>) -> bool {
        let Some(ends) = ends else { return self.absorb_long(chunk) };
        let can_absorb = !self.is_at_start() && self.partial.fits(chunk.len());
        let absorbs = ends.is_empty() && (can_absorb || chunk.is_empty());
        if absorbs {
            self.partial.push(chunk, false);
        }
        absorbs
    }

    #[inline(never)]
    fn absorb_long(&mut self, chunk: &[u8]) -> bool {
        let absorbs = self.partial.is_long_line()
            && self.partial.fits(chunk.len())
            && memchr2(b'\n', b'\r', chunk).is_none();
        if absorbs {
            self.partial.push(chunk, false);
        }
        absorbs
    }

    /// Returns whether the chunk is known to consist of complete blocks. Blank lines and comments at
    /// its start are left to [`skip_without_effect`](Self::skip_without_effect), which is faster.
    #[inline(always)]
    pub(crate) fn is_whole(&self, chunk: &[u8]) -> bool {
        chunk.last() == Some(&b'\n')
            && (chunk.ends_with(b"\n\n") || chunk.ends_with(b"\r\n\r\n"))
            && !starts_without_effect(chunk)
            && chunk.len() <= self.sizes.batch.min(self.max_event_size)
            && self.partial.is_empty()
            && !self.is_at_start()
    }

    /// Returns whether a BOM or the LF of a split CRLF may come next.
    #[inline(always)]
    fn is_at_start(&self) -> bool {
        self.start < BYTE_ORDER_MARK.len() || self.after_cr
    }

    /// Begins a chunk with those line ends: returns the position of its first line.
    #[inline(always)]
    pub(crate) fn begin(&mut self, chunk: &[u8], ends: Option<ShortMask>) -> Position {
        let at = if self.is_at_start() { self.skip_start(chunk) } else { 0 };
        if let [.., last] = chunk[at..] {
            self.after_cr = last == b'\r';
        }
        Position { at, ends: ends.map(|ends| ends.after(at)) }
    }

    /// Returns the next section of the chunk from `at` on, and advances `at`. `buffer` receives the
    /// lines that are assembled.
    #[inline(never)]
    pub(crate) fn next_after(
        &mut self,
        chunk: &[u8],
        at: &mut usize,
        buffer: &mut Buffer,
    ) -> Section {
        let mut position = Position { at: *at, ends: ShortMask::of(&chunk[*at..]) };
        let section = self.next(chunk, &mut position, buffer);
        *at = position.at;
        section
    }

    /// Returns the next section of the chunk, and advances the position. `buffer` receives the
    /// lines that are assembled. It is inlined where chunks begin.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(crate) fn next(
        &mut self,
        chunk: &[u8],
        position: &mut Position,
        buffer: &mut Buffer,
    ) -> Section {
        loop {
            if self.has_due_lines() && self.assemble_due_lines(buffer) {
                return Section::Assembled;
            }
            if position.at == chunk.len() {
                return Section::End;
            }
            if !self.comments && self.skip_without_effect(chunk, position) {
                continue;
            }
            if self.partial.is_empty() {
                let start = position.at;
                if let Some(end) = self.take_blocks(&chunk[start..], position) {
                    return Section::InChunk(start..start + end);
                }
                if position.at == chunk.len() {
                    continue;
                }
            }
            if self.add_to_partial(&chunk[position.at..], position, buffer) {
                self.take_short_tail(&chunk[position.at..], position);
                return Section::Assembled;
            }
        }
    }

    /// Skips blank lines and comments at the start of a block, where they have no effect. Returns
    /// whether any were skipped.
    #[inline(always)]
    fn skip_without_effect(&mut self, chunk: &[u8], position: &mut Position) -> bool {
        let start = position.at;
        if self.partial.is_open_comment() {
            let rest = &chunk[start..];
            let end = match position.ends {
                Some(ends) => ends.first(),
                None => line_ends::first(rest),
            };
            let Some(end) = end else {
                position.advance(rest.len());
                return true;
            };
            position.advance(end + line_ends::length(&rest[end..]));
            self.partial.clear();
        }
        if self.partial.is_empty() && starts_without_effect(&chunk[position.at..]) {
            let rest = &chunk[position.at..];
            position.advance(match position.ends {
                Some(ends) => ends.skip_without_effect(rest),
                None => line_ends::skip_without_effect(rest),
            });
            if chunk.get(position.at) == Some(&b':') {
                // The text of a comment has no effect, so only its colon is kept.
                self.partial.push(b":", false);
                position.advance(chunk.len() - position.at);
            }
        }
        position.at > start
    }

    /// Takes the complete blocks at the start of `rest`. If no other block ends in the chunk, takes
    /// what follows as the partial block. Returns the end of the blocks.
    #[inline(always)]
    fn take_blocks(&mut self, rest: &[u8], position: &mut Position) -> Option<usize> {
        let batch = &rest[..rest.len().min(self.sizes.batch).min(self.max_event_size)];
        let is_all = batch.len() == rest.len();
        let (end, lines_end) = match position.ends {
            Some(ends) if is_all => ends.last_block(batch),
            _ => line_ends::last_block(batch),
        };
        if is_all {
            self.partial.push(&rest[end..], lines_end > end);
            position.advance(rest.len());
        } else if end > 0 {
            position.advance(end);
        } else {
            return self.take_long_block(rest, position);
        }
        (end > 0).then_some(end)
    }

    /// Takes a block that is longer than a batch, if it is complete and within the limit.
    #[inline(never)]
    fn take_long_block(&self, rest: &[u8], position: &mut Position) -> Option<usize> {
        let end = line_ends::first_block(rest, true).ok()?.end;
        (end <= self.max_event_size).then(|| {
            position.advance(end);
            end
        })
    }

    /// Adds the start of `rest` to the partial block. Returns whether that completes it.
    #[inline(always)]
    fn add_to_partial(
        &mut self,
        rest: &[u8],
        position: &mut Position,
        buffer: &mut Buffer,
    ) -> bool {
        let bytes = self.batch_of(rest);
        let ends = position.ends.filter(|_| bytes.len() == rest.len());
        let end = match self.partial.end_in(bytes, ends) {
            Ok(end) => end,
            Err(NoBlockEnd { ends_lines }) => {
                position.advance(bytes.len());
                self.partial.push(bytes, ends_lines);
                return false;
            }
        };
        let blank_line = blank_line(bytes, end);
        if blank_line > 0 && self.partial.bytes().len() + blank_line > self.max_event_size {
            // It may be over the limit, which counts its lines. Examine them before its blank line.
            position.advance(blank_line);
            self.partial.push(&bytes[..blank_line], true);
            return false;
        }
        let known = match position.ends {
            Some(ends) => (0, ends.block_at(0)),
            None => (end.first_line, if end.end - end.first_line == 2 { 0b11 } else { 0 }),
        };
        position.advance(end.end);
        if self.partial.is_discarded() {
            self.partial.clear();
            return false;
        }
        self.assembled.comments = self.comments_from(self.partial.comments_from());
        self.assembled.retry = self.partial.take_dropped_retry();
        self.assembled.is_block = true;
        self.assembled.line_ends = match self.partial.has_line_ends() {
            true => (0, 0),
            false => (self.partial.bytes().len() + known.0, known.1),
        };
        self.partial.complete(&bytes[..end.end], buffer);
        true
    }

    /// Takes the rest of a short chunk as the partial block if it completes nothing.
    #[inline(always)]
    fn take_short_tail(&mut self, rest: &[u8], position: &mut Position) {
        if rest.len() >= SHORT_TAIL || self.comments {
            return;
        }
        let first_block = match position.ends.or_else(|| ShortMask::of(rest)) {
            Some(ends) => ends.first_block(rest, true),
            None => line_ends::first_block(rest, true),
        };
        if let Err(NoBlockEnd { ends_lines }) = first_block {
            self.partial.push(rest, ends_lines);
            position.advance(rest.len());
        }
    }

    /// Returns the first bytes of `rest`, at most a batch of them. A CRLF is not split.
    #[inline(always)]
    fn batch_of<'c>(&self, rest: &'c [u8]) -> &'c [u8] {
        match rest.get(..self.sizes.batch) {
            Some([.., b'\r']) if rest.get(self.sizes.batch) == Some(&b'\n') => {
                &rest[..=self.sizes.batch]
            }
            Some(batch) => batch,
            None => rest,
        }
    }

    /// Returns whether the partial block may have something to report before it is complete.
    #[inline(always)]
    pub(crate) fn has_due_lines(&self) -> bool {
        self.comments || !self.partial.fits(0)
    }

    /// Assembles the lines of the partial block that have something to report before it is
    /// complete: that it is over the limit, or comments. Drops the lines without effect once that
    /// is done.
    #[inline(never)]
    fn assemble_due_lines(&mut self, buffer: &mut Buffer) -> bool {
        let is_full = !self.partial.fits(0);
        if self.partial.is_discarded() {
            self.partial.forget();
            return false;
        }
        if is_full {
            if let Some(Oversize { line, size }) = self.partial.passes(self.max_event_size) {
                self.assembled = Assembled {
                    line_ends: (0, 0),
                    comments: self.comments_from(self.partial.comments_from()),
                    retry: self.partial.take_dropped_retry(),
                    oversize: Some(size),
                    is_block: false,
                };
                self.partial.discard(line, buffer);
                return true;
            }
        }
        if self.comments {
            let comments = self.comments_from(0);
            if let Some(lines) = self.partial.take_new_lines() {
                self.assembled = Assembled { comments, ..Assembled::default() };
                buffer.clear();
                buffer.push(lines);
                return true;
            }
        }
        if is_full {
            let max_comment = self.comments.then_some(self.max_event_size);
            self.partial.examine(max_comment, self.max_event_size);
        }
        false
    }

    /// Moves the unknown lines that were dropped from the partial block to `memory`.
    #[inline(always)]
    pub(crate) fn move_unknown(&mut self, memory: &mut Memory) {
        if !self.partial.unknown.is_empty() {
            memory.unknown.extend(&self.partial.unknown);
            self.partial.unknown.clear();
        }
    }

    /// Prepares a new walk over assembled lines for an owned decoder.
    #[cfg(target_has_atomic = "ptr")]
    #[inline(always)]
    pub(crate) fn begin_assembled(
        &self,
        walk: &mut BlockLines,
        bytes: &[u8],
        lines: &str,
        memory: &mut Memory,
    ) {
        self.assembled.begin(walk, bytes, lines, memory);
        // Lines whose comments are due are walked over again with their block.
        walk.set_unknown(self.assembled.is_block && memory.unknown.is_kept());
    }

    /// Returns the comments to report from that offset on, if they are asked for.
    #[inline(always)]
    pub(crate) fn comments_from(&self, from: usize) -> Option<Comments> {
        self.comments.then_some(Comments { from, max_size: self.max_event_size })
    }

    /// Returns the offset of the first line in a chunk: after a byte order mark, and after the LF
    /// of a CRLF whose CR was in the previous chunk.
    #[cold]
    fn skip_start(&mut self, chunk: &[u8]) -> usize {
        let mut rest = chunk;
        if self.start < BYTE_ORDER_MARK.len() {
            rest = self.skip_byte_order_mark(rest);
        }
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            if let Some(after_lf) = rest.strip_prefix(b"\n") {
                self.partial.push_lf_of_crlf();
                rest = after_lf;
            }
        }
        chunk.len() - rest.len()
    }

    /// "The UTF-8 decode algorithm strips one leading UTF-8 Byte Order Mark (BOM), if any." Bytes
    /// that turn out not to be one belong to the first line.
    fn skip_byte_order_mark<'c>(&mut self, mut chunk: &'c [u8]) -> &'c [u8] {
        while let Some(expected) = BYTE_ORDER_MARK.get(self.start) {
            match chunk.split_first() {
                None => break,
                Some((byte, rest)) if byte == expected => {
                    self.start += 1;
                    chunk = rest;
                }
                Some(_) => {
                    self.partial.push(&BYTE_ORDER_MARK[..self.start], false);
                    self.start = BYTE_ORDER_MARK.len();
                }
            }
        }
        chunk
    }
}

/// Returns whether the first line is blank or a comment, which has no effect at the start of a block.
#[inline(always)]
fn starts_without_effect(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| b"\n\r:".contains(first))
}

/// Returns the length over which a block is examined for the first time.
const fn first_room(max_event_size: usize, sizes: &Sizes) -> usize {
    if max_event_size < sizes.drop_lines { max_event_size } else { sizes.drop_lines }
}

/// Returns the offset of the blank line that ends a block.
#[inline(always)]
fn blank_line(bytes: &[u8], end: BlockEnd) -> usize {
    let is_crlf = bytes[..end.end].ends_with(b"\r\n");
    end.end - if is_crlf { 2 } else { 1 }
}
