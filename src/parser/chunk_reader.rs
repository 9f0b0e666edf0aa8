//! The driver of both parsers: cuts chunks into sections of complete lines.
//!
//! Invariants:
//! - Sections come in the order of the stream. Only complete lines are in them.
//! - A chunk first completes the partial block, then gives its own complete blocks in batches, and
//!   its rest becomes the new partial block.
//! - The last batch of a chunk is found from its end, so complete blocks cost no search of their
//!   own: the walk over them finds their line ends.
//! - No block over the limit is in a section.

use super::block_lines::{BlockLines, Memory};
use super::buffer::Buffer;
use super::line_ends;
use super::partial::{Oversize, PartialBlock};
use super::rest::{BlockEnd, NoBlockEnd, Rest};
use super::sizes::Sizes;
use core::ops::Range;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Length below which a chunk, or the rest of one, is searched at once for an end.
const SHORT: usize = 128;

#[derive(Debug, Clone)]
pub(crate) struct ChunkReader {
    pub(crate) partial: PartialBlock,
    /// Number of bytes of a byte order mark received at the start of the stream. The length of a
    /// whole mark once the start is over.
    start: usize,
    /// Set if the last byte was a CR, which ended its line. A following LF belongs to that line
    /// end.
    after_cr: bool,
    pub(crate) comments: bool,
    pub(crate) max_event_size: usize,
    pub(crate) sizes: &'static Sizes,
    prior: Prior,
}

/// Complete lines to walk over.
#[derive(Debug)]
pub(crate) enum Section {
    /// Complete blocks in this range of the chunk.
    InChunk(Range<usize>),
    /// Lines of the partial block, moved to the buffer that was passed: all of a complete block, its
    /// beginning up to the limit, or its comments.
    Assembled,
    /// The chunk is used up.
    End,
}

/// Facts about the last section that are known before the walk over it.
#[derive(Debug, Clone, Copy)]
struct Prior {
    /// Line ends, as [`BlockLines::set_line_ends`] takes them.
    line_ends: (usize, u64),
    /// The reconnection time that earlier lines of the block have set, in milliseconds.
    retry: Option<u64>,
    /// The size of the block so far, if it is over the limit.
    oversize: Option<usize>,
}

impl Prior {
    const NONE: Prior = Prior { line_ends: (0, 0), retry: None, oversize: None };
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
            prior: Prior::NONE,
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
    pub(crate) fn absorb(&mut self, chunk: Rest<'_>) -> bool {
        let absorbs = chunk.mask() == 0
            && (chunk.is_empty()
                || self.partial.fits(chunk.len())
                    && !self.is_at_start()
                    && (chunk.len() < SHORT || self.partial.is_long_line())
                    && !chunk.has_line_ends());
        if absorbs {
            self.partial.push(chunk.bytes(), false);
        }
        absorbs
    }

    /// Returns the chunk as a section if it is known to consist of complete blocks. Blank lines and
    /// comments at its start are left to [`skip_without_effect`](Self::skip_without_effect), which
    /// is faster.
    #[inline(always)]
    pub(crate) fn whole(&mut self, chunk: &[u8]) -> Option<Section> {
        let is_whole = chunk.last() == Some(&b'\n')
            && (chunk.ends_with(b"\n\n") || chunk.ends_with(b"\r\n\r\n"))
            && !starts_without_effect(chunk)
            && chunk.len() <= self.sizes.batch.min(self.max_event_size)
            && self.partial.is_empty()
            && !self.is_at_start();
        is_whole.then(|| self.in_chunk(0..chunk.len(), 0))
    }

    /// Returns a section in the chunk, with the line ends of its first 64 bytes.
    #[inline(always)]
    fn in_chunk(&mut self, range: Range<usize>, mask: u64) -> Section {
        self.prior.line_ends = (0, mask);
        self.prior.retry = None;
        Section::InChunk(range)
    }

    /// Returns whether a BOM or the LF of a split CRLF may come next.
    #[inline(always)]
    fn is_at_start(&self) -> bool {
        self.start < BYTE_ORDER_MARK.len() || self.after_cr
    }

    /// Begins a chunk: takes what comes before its first line.
    #[inline(always)]
    pub(crate) fn begin(&mut self, chunk: &mut Rest<'_>) {
        if self.is_at_start() {
            let start = self.skip_start(chunk.bytes());
            chunk.advance(start);
        }
        if let Some(last) = chunk.bytes().last() {
            self.after_cr = *last == b'\r';
        }
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
        let mut rest = Rest::new(chunk, *at);
        let section = self.next(&mut rest, buffer);
        *at = rest.at();
        section
    }

    /// Returns the next section of the chunk, and takes it from the rest. `buffer` receives the
    /// lines that are assembled. It is inlined where chunks begin.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(crate) fn next(&mut self, rest: &mut Rest<'_>, buffer: &mut Buffer) -> Section {
        loop {
            if self.has_due_lines() && self.assemble_due_lines(buffer) {
                return Section::Assembled;
            }
            if rest.is_empty() {
                return Section::End;
            }
            if !self.comments && self.skip_without_effect(rest) {
                continue;
            }
            if self.partial.is_empty() {
                let (start, mask) = (rest.at(), rest.mask());
                if let Some(end) = self.take_blocks(rest) {
                    return self.in_chunk(start..start + end, mask);
                }
                if rest.is_empty() {
                    continue;
                }
            }
            if self.add_to_partial(rest, buffer) {
                self.take_short_tail(rest);
                return Section::Assembled;
            }
        }
    }

    /// Skips blank lines and comments at the start of a block, where they have no effect. Returns
    /// whether any were skipped.
    #[inline(always)]
    fn skip_without_effect(&mut self, rest: &mut Rest<'_>) -> bool {
        let start = rest.at();
        if self.partial.is_open_comment() {
            let Some(end) = rest.first_line_end() else {
                rest.finish();
                return true;
            };
            rest.advance(end + line_ends::length(&rest.bytes()[end..]));
            self.partial.clear();
        }
        if self.partial.is_empty() && starts_without_effect(rest.bytes()) {
            rest.advance(rest.first_with_effect());
            if rest.bytes().first() == Some(&b':') {
                // The text of a comment has no effect, so only its colon is kept.
                self.partial.push(b":", false);
                rest.finish();
            }
        }
        rest.at() > start
    }

    /// Takes the complete blocks at the start of the rest. If no other block ends in the chunk, takes
    /// what follows as the partial block. Returns the length of the blocks.
    #[inline(always)]
    fn take_blocks(&mut self, rest: &mut Rest<'_>) -> Option<usize> {
        let batch = rest.prefix(self.sizes.batch.min(self.max_event_size));
        let (end, lines_end) = batch.last_block();
        if batch.len() == rest.len() {
            self.partial.push(&rest.bytes()[end..], lines_end > end);
            rest.finish();
        } else if end > 0 {
            rest.advance(end);
        } else {
            return self.take_long_block(rest);
        }
        (end > 0).then_some(end)
    }

    /// Takes a block that is longer than a batch, if it is complete and within the limit.
    #[inline(never)]
    fn take_long_block(&self, rest: &mut Rest<'_>) -> Option<usize> {
        let end = rest.first_block(true).ok()?.end;
        (end <= self.max_event_size).then(|| {
            rest.advance(end);
            end
        })
    }

    /// Adds the start of the rest to the partial block. Returns whether that completes it.
    #[inline(always)]
    fn add_to_partial(&mut self, rest: &mut Rest<'_>, buffer: &mut Buffer) -> bool {
        let batch = self.batch_of(*rest);
        let bytes = batch.bytes();
        let end = match batch.first_block(self.partial.is_at_line_start()) {
            Ok(end) => end,
            Err(NoBlockEnd { ends_lines }) => {
                rest.advance(bytes.len());
                self.partial.push(bytes, ends_lines);
                return false;
            }
        };
        let blank_line = blank_line(bytes, end);
        if blank_line > 0 && self.partial.bytes().len() + blank_line > self.max_event_size {
            // It may be over the limit, which counts its lines. Examine them before its blank line.
            rest.advance(blank_line);
            self.partial.push(&bytes[..blank_line], true);
            return false;
        }
        let known = match rest.mask() {
            0 => (end.first_line, if end.end - end.first_line == 2 { 0b11 } else { 0 }),
            mask => (0, mask),
        };
        rest.advance(end.end);
        if self.partial.is_discarded() {
            self.partial.clear();
            return false;
        }
        self.prior.retry = self.partial.take_dropped_retry();
        self.prior.line_ends = match self.partial.has_line_ends() {
            true => (0, 0),
            false => (self.partial.bytes().len() + known.0, known.1),
        };
        self.partial.complete(&bytes[..end.end], buffer);
        true
    }

    /// Takes the rest of a short chunk as the partial block if it completes nothing.
    #[inline(always)]
    fn take_short_tail(&mut self, rest: &mut Rest<'_>) {
        if rest.len() >= SHORT {
            return;
        }
        if let Err(NoBlockEnd { ends_lines }) = rest.first_block(true) {
            self.partial.push(rest.bytes(), ends_lines);
            rest.finish();
        }
    }

    /// Returns the first bytes of the rest, at most a batch of them. A CRLF is not split.
    #[inline(always)]
    fn batch_of<'c>(&self, rest: Rest<'c>) -> Rest<'c> {
        let batch = rest.prefix(self.sizes.batch);
        let splits_crlf =
            batch.bytes().last() == Some(&b'\r') && rest.bytes().get(batch.len()) == Some(&b'\n');
        if splits_crlf { rest.prefix(batch.len() + 1) } else { batch }
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
        if self.partial.is_discarded() {
            self.partial.forget();
            return false;
        }
        self.partial.drop_hidden_comments(self.max_event_size);
        let is_full = !self.partial.fits(0);
        if is_full {
            if let Some(Oversize { line, size }) = self.partial.passes(self.max_event_size) {
                let retry = self.partial.take_dropped_retry();
                self.prior = Prior { retry, oversize: Some(size), ..Prior::NONE };
                self.partial.discard(line, buffer);
                return true;
            }
        }
        if self.comments && self.partial.take_comments(buffer) {
            self.prior = Prior::NONE;
            return true;
        }
        if is_full {
            let max_comment = self.comments.then_some(self.max_event_size);
            self.partial.examine(max_comment, self.max_event_size);
        }
        false
    }

    /// Moves the unknown lines that were dropped from the partial block to `memory`.
    pub(crate) fn move_unknown(&mut self, memory: &mut Memory) {
        memory.unknown.extend(&self.partial.unknown);
        self.partial.unknown.clear();
    }

    /// Begins the walk over the last section: `lines` is the decoded text of its `bytes`.
    #[inline(always)]
    pub(crate) fn begin_walk(
        &self,
        walk: &mut BlockLines,
        bytes: &[u8],
        lines: &str,
        memory: &mut Memory,
    ) {
        *walk = BlockLines::new();
        if bytes.len() == lines.len() {
            walk.set_line_ends(self.prior.line_ends.0, self.prior.line_ends.1);
        }
        walk.set_unknown(memory.unknown.is_kept());
        if self.comments {
            walk.set_max_comment(self.max_event_size);
        }
        if let Some(retry) = self.prior.retry {
            memory.retry = Some(retry);
            walk.note_retry();
        }
    }

    /// Returns the size of the block whose beginning was the last section, if it is over the limit.
    #[inline(always)]
    pub(crate) fn take_oversize(&mut self) -> Option<usize> {
        self.prior.oversize.take()
    }

    /// Returns the offset of the first line in a chunk: after a byte order mark, and after the LF
    /// of a CRLF whose CR was in the previous chunk.
    #[cold]
    fn skip_start(&mut self, chunk: &[u8]) -> usize {
        let mut rest = self.skip_byte_order_mark(chunk);
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
