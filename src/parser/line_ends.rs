//! The scanner: finds LF and CR, and the blank lines that end blocks, 64 bytes at a time.
//!
//! Invariants:
//! - `LineEnds::next` returns each LF and CR at or after `from`, in order and once, unless `skip`
//!   took it. `from` never goes back.
//! - Each byte is searched once. 64 bytes cost four vector comparisons, however many lines end in
//!   them. A call to `memchr` costs as much for a single line, and most lines are shorter than 64
//!   bytes.
//!
//! Long lines are left to `memchr`, which chooses at run time wider vectors than safe code can name
//! at compile time.
//!
//! Wasm has no vectors by default, and each inlined mask would take some 200 bytes. So the functions
//! around it are not forced inline there, which saves 5 KB with gzip.
//!
//! In types and constants of this file, a *block* is 64 bytes. In `first_block` and `last_block` it
//! is a block of the event stream.

use super::vectors;
use memchr::{memchr2, memrchr2};

const BLOCK: usize = 64;

/// Bytes that one vector compares.
const LANES: usize = 16;

/// Blocks in a row without a line end after which `memchr` takes over.
const BLANK_BLOCKS: u32 = 4;

#[derive(Debug)]
pub(super) struct LineEnds {
    /// Start of the block that `mask` describes.
    block: usize,
    /// Start of the next block.
    next_block: usize,
    /// Bit `i` is set while the line end at `block + i` has not been returned.
    mask: u64,
}

impl LineEnds {
    pub(super) const fn new() -> Self {
        LineEnds { block: 0, next_block: 0, mask: 0 }
    }

    /// Starts at `start`: no line ends before it. `mask` has the line ends of the 64 bytes there, or
    /// is 0 if they are not known. It may also have line ends after the last line.
    #[inline(always)]
    pub(super) fn begin(&mut self, start: usize, mask: u64) {
        self.block = start;
        self.next_block = if mask == 0 { start } else { start + BLOCK };
        self.mask = mask;
    }

    /// Returns the next line end at or after `from`, or `bytes.len()` if there is none.
    #[inline(always)]
    pub(super) fn next(&mut self, bytes: &[u8], from: usize) -> usize {
        loop {
            while self.mask != 0 {
                let end = self.block + self.mask.trailing_zeros() as usize;
                self.skip();
                if end >= from {
                    return end;
                }
            }
            if !self.load(bytes) {
                return bytes.len();
            }
        }
    }

    /// Removes the next line end from the walk, for a caller that has seen that the next byte is
    /// one. Does nothing if that byte lies in a block that is not loaded: `next` skips it by
    /// `from`.
    #[inline(always)]
    pub(super) fn skip(&mut self) {
        self.mask &= self.mask.wrapping_sub(1);
    }

    /// Loads the next block with a line end in it.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn load(&mut self, bytes: &[u8]) -> bool {
        let mut blank = 0;
        while let Some(block) = bytes.get(self.next_block..).and_then(<[u8]>::first_chunk) {
            self.mask = mask(block);
            self.block = self.next_block;
            self.next_block += BLOCK;
            if self.mask != 0 {
                return true;
            }
            blank += 1;
            if blank == BLANK_BLOCKS {
                return self.load_far(bytes);
            }
        }
        self.load_last(bytes)
    }

    /// Loads the block that starts at the next line end, which `memchr` finds.
    #[inline(never)]
    fn load_far(&mut self, bytes: &[u8]) -> bool {
        let Some(distance) = memchr2(b'\n', b'\r', &bytes[self.next_block..]) else {
            self.next_block = bytes.len();
            return false;
        };
        self.block = self.next_block + distance;
        match bytes[self.block..].first_chunk() {
            Some(block) => {
                self.mask = mask(block);
                self.next_block = self.block + BLOCK;
                true
            }
            None => {
                self.next_block = self.block;
                self.load_last(bytes)
            }
        }
    }

    /// Loads the bytes after the last whole block, together with bytes before them to fill a block.
    #[inline(never)]
    fn load_last(&mut self, bytes: &[u8]) -> bool {
        let start = self.next_block;
        if start >= bytes.len() {
            return false;
        }
        self.next_block = bytes.len();
        match bytes.last_chunk() {
            Some(block) => {
                self.block = bytes.len() - BLOCK;
                self.mask = mask(block) & (u64::MAX << (start - self.block));
            }
            None => {
                self.block = 0;
                self.mask = mask_of_few(bytes) & (u64::MAX << start);
            }
        }
        self.mask != 0
    }
}

/// Returns a mask in which bit `i` is set if byte `i` is LF or CR.
#[cfg_attr(not(target_family = "wasm"), inline(always))]
fn mask(block: &[u8; BLOCK]) -> u64 {
    lane_mask(&block[..LANES])
        | lane_mask(&block[16..32]) << 16
        | lane_mask(&block[32..48]) << 32
        | lane_mask(&block[48..]) << 48
}

/// Returns the mask of 16 bytes.
#[cfg_attr(not(target_family = "wasm"), inline(always))]
fn lane_mask(bytes: &[u8]) -> u64 {
    let mut lanes = [0; LANES];
    for (lane, byte) in lanes.iter_mut().zip(bytes) {
        *lane = *byte;
    }
    u64::from(vectors::line_end_mask(lanes))
}

/// Returns the mask of less than 64 bytes.
#[cfg_attr(not(target_family = "wasm"), inline(always))]
fn mask_of_few(bytes: &[u8]) -> u64 {
    let Some(last) = bytes.last_chunk::<LANES>() else {
        return mask_of_very_few(bytes);
    };
    // The last vector overlaps the one before it, so that no byte is searched by itself.
    let mut mask = lane_mask(last) << (bytes.len() - LANES);
    for (i, lanes) in bytes.chunks_exact(LANES).enumerate() {
        mask |= lane_mask(lanes) << (i * LANES);
    }
    mask
}

/// Returns the mask of less than 16 bytes, in words of eight bytes.
#[cfg_attr(not(target_family = "wasm"), inline(always))]
fn mask_of_very_few(bytes: &[u8]) -> u64 {
    let (Some(head), Some(tail)) = (bytes.first_chunk(), bytes.last_chunk()) else {
        return bytes.iter().rev().fold(0, |mask, byte| mask << 1 | u64::from(is_line_end(*byte)));
    };
    // A vector of the first eight bytes and the last eight.
    let [head, tail] = [head, tail].map(|word| u128::from(u64::from_le_bytes(*word)));
    let mask = u64::from(vectors::line_end_mask((head | tail << 64).to_le_bytes()));
    mask & 0xFF | (mask >> 8) << (bytes.len() - 8)
}

/// The line ends of a slice that is shorter than two blocks: bit `i` is set for one at `i`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShortMask(u128);

impl ShortMask {
    /// Returns `None` if the slice is longer.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(crate) fn of(bytes: &[u8]) -> Option<ShortMask> {
        match (bytes.first_chunk(), bytes.last_chunk()) {
            (Some(first), Some(last)) if bytes.len() < 2 * BLOCK => {
                let last = u128::from(mask(last)) << (bytes.len() - BLOCK);
                Some(ShortMask(u128::from(mask(first)) | last))
            }
            (Some(_), Some(_)) => None,
            _ => Some(ShortMask(mask_of_few(bytes).into())),
        }
    }

    #[inline(always)]
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the line ends in the 64 bytes at `at`.
    #[inline(always)]
    pub(crate) fn block_at(self, at: usize) -> u64 {
        (self.0 >> at) as u64
    }

    /// Returns the line ends after the first bytes.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(super) fn after(self, bytes: usize) -> ShortMask {
        ShortMask(self.0 >> bytes)
    }

    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(super) fn first(self) -> Option<usize> {
        (self.0 != 0).then(|| self.0.trailing_zeros() as usize)
    }

    /// Returns the end of the first block in the slice, like [`first_block`].
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(super) fn first_block(
        self,
        bytes: &[u8],
        at_line_start: bool,
    ) -> Result<BlockEnd, NoBlockEnd> {
        let mut doubled = self.doubled(at_line_start);
        while doubled != 0 {
            let blank_line = doubled.trailing_zeros() as usize;
            if is_blank_line(bytes, blank_line) {
                let end = blank_line + length(&bytes[blank_line..]);
                return Ok(BlockEnd { first_line: self.0.trailing_zeros() as usize, end });
            }
            doubled &= doubled - 1;
        }
        Err(NoBlockEnd { ends_lines: self.0 != 0 })
    }

    /// Returns the end of the last block in the slice, and that of the last line, like
    /// [`last_block`].
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(super) fn last_block(self, bytes: &[u8]) -> (usize, usize) {
        let lines_end = self.lines_end();
        let mut doubled = self.doubled(true);
        while doubled != 0 {
            let blank_line = (u128::BITS - 1 - doubled.leading_zeros()) as usize;
            if is_blank_line(bytes, blank_line) {
                return (blank_line + length(&bytes[blank_line..]), lines_end);
            }
            doubled &= !(1 << blank_line);
        }
        (0, lines_end)
    }

    /// Returns the offset of the first line that is neither blank nor a complete comment.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(super) fn skip_without_effect(self, bytes: &[u8]) -> usize {
        let lines_end = self.lines_end();
        let mut starts = !self.0 & (self.0 << 1 | 1);
        loop {
            let at = starts.trailing_zeros() as usize;
            if at >= lines_end || bytes[at] != b':' {
                return at.min(bytes.len());
            }
            starts &= starts - 1;
        }
    }

    /// Returns the offset after the last line end.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn lines_end(self) -> usize {
        (u128::BITS - self.0.leading_zeros()) as usize
    }

    /// Returns the line ends that directly follow another one.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn doubled(self, at_line_start: bool) -> u128 {
        self.0 & (self.0 << 1 | u128::from(at_line_start))
    }
}

/// Returns the first line end.
#[inline(always)]
pub(super) fn first(bytes: &[u8]) -> Option<usize> {
    let end = LineEnds::new().next(bytes, 0);
    (end < bytes.len()).then_some(end)
}

/// Returns the offset of the first line that is neither blank nor a complete comment.
#[inline(always)]
pub(super) fn skip_without_effect(bytes: &[u8]) -> usize {
    let (mut ends, mut at) = (LineEnds::new(), 0);
    while let Some(first) = bytes.get(at) {
        let end = match first {
            b'\n' | b'\r' => at,
            b':' => ends.next(bytes, at),
            _ => break,
        };
        if end == bytes.len() {
            break;
        }
        at = end + 1;
    }
    at
}

/// Returns the length of the line end that `bytes` start with: CRLF is one.
#[inline(always)]
pub(super) fn length(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"\r\n") { 2 } else { 1 }
}

/// The end of a block in a slice that another part of the block may precede.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockEnd {
    /// Offset of the first line end in the slice.
    pub(super) first_line: usize,
    /// Offset of the first byte after the blank line.
    pub(super) end: usize,
}

/// The result of a search that found no end of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoBlockEnd {
    /// A line ends in the slice.
    pub(super) ends_lines: bool,
}

/// Returns the end of the first block. `at_line_start` is true if a line starts where `bytes`
/// start. The first byte is not the LF of a CRLF.
#[inline(always)]
pub(super) fn first_block(bytes: &[u8], at_line_start: bool) -> Result<BlockEnd, NoBlockEnd> {
    first_block_from(bytes, 0, at_line_start)
}

/// Returns the end of the first block. The first `start` bytes continue a line and contain no line
/// end.
#[inline(never)]
pub(super) fn first_block_after(bytes: &[u8], start: usize) -> Result<BlockEnd, NoBlockEnd> {
    first_block_from(bytes, start, false)
}

#[cfg_attr(not(target_family = "wasm"), inline(always))]
fn first_block_from(
    bytes: &[u8],
    mut at: usize,
    at_line_start: bool,
) -> Result<BlockEnd, NoBlockEnd> {
    let mut before = at_line_start;
    let mut blank = 0;
    let mut first_line = usize::MAX;
    while let Some(block) = bytes[at..].first_chunk::<BLOCK>() {
        let mask = mask(block);
        if mask == 0 {
            before = false;
            at += BLOCK;
            blank += 1;
            if blank == BLANK_BLOCKS {
                at += memchr2(b'\n', b'\r', &bytes[at..]).unwrap_or(bytes.len() - at);
                blank = 0;
            }
            continue;
        }
        first_line = first_line.min(at + mask.trailing_zeros() as usize);
        if let Some(end) = first_blank_line(bytes, at, doubled(mask, before)) {
            return Ok(BlockEnd { first_line, end });
        }
        before = mask >> (BLOCK - 1) != 0;
        at += BLOCK;
        blank = 0;
    }
    let mask = mask_of_few(&bytes[at..]);
    if mask != 0 {
        first_line = first_line.min(at + mask.trailing_zeros() as usize);
        if let Some(end) = first_blank_line(bytes, at, doubled(mask, before)) {
            return Ok(BlockEnd { first_line, end });
        }
    }
    Err(NoBlockEnd { ends_lines: first_line != usize::MAX })
}

/// Returns the offset after the first blank line among the candidates in the 64 bytes at `at`.
#[inline(always)]
fn first_blank_line(bytes: &[u8], at: usize, mut doubled: u64) -> Option<usize> {
    while doubled != 0 {
        let end = at + doubled.trailing_zeros() as usize;
        if is_blank_line(bytes, end) {
            return Some(end + length(&bytes[end..]));
        }
        doubled &= doubled - 1;
    }
    None
}

/// Returns the end of the last block, after its blank line, and the end of the last line. Each is 0
/// if there is none. A block starts where `bytes` start.
#[inline(always)]
pub(super) fn last_block(bytes: &[u8]) -> (usize, usize) {
    let (mut rest, mut lines_end, mut blank) = (bytes, 0, 0);
    while !rest.is_empty() {
        let (start, mask) = match rest.last_chunk::<BLOCK>() {
            Some(block) => (rest.len() - BLOCK, mask(block)),
            None => (0, mask_of_few(rest)),
        };
        rest = &rest[..start];
        if mask == 0 {
            blank += 1;
            if blank == BLANK_BLOCKS {
                let last = memrchr2(b'\n', b'\r', rest);
                rest = last.map_or(&[], |last| &rest[..=last]);
                blank = 0;
            }
            continue;
        }
        blank = 0;
        if lines_end == 0 {
            lines_end = start + BLOCK - mask.leading_zeros() as usize;
        }
        // The last byte of the preceding block shows if a line starts at this one.
        let before = rest.last().is_none_or(|last| is_line_end(*last));
        let mut doubled = doubled(mask, before);
        while doubled != 0 {
            let bit = BLOCK - 1 - doubled.leading_zeros() as usize;
            let end = start + bit;
            if is_blank_line(bytes, end) {
                return (end + length(&bytes[end..]), lines_end);
            }
            doubled &= !(1 << bit);
        }
    }
    (0, lines_end)
}

/// Returns the line ends that directly follow another one. `before` is true if the byte before the
/// first one is a line end.
#[inline(always)]
fn doubled(mask: u64, before: bool) -> u64 {
    mask & (mask << 1 | u64::from(before))
}

/// Returns whether the line end at `end`, which directly follows another one, ends a blank line. It
/// does not if the two are a CRLF.
#[cfg_attr(not(target_family = "wasm"), inline(always))]
fn is_blank_line(bytes: &[u8], end: usize) -> bool {
    bytes[end] == b'\r' || end == 0 || bytes[end - 1] == b'\n'
}

#[inline(always)]
pub(super) fn is_line_end(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn naive(bytes: &[u8]) -> Vec<usize> {
        (0..bytes.len()).filter(|&i| is_line_end(bytes[i])).collect()
    }

    fn walked(bytes: &[u8], mut ends: LineEnds) -> Vec<usize> {
        let (mut found, mut from) = (Vec::new(), 0);
        loop {
            let end = ends.next(bytes, from);
            if end == bytes.len() {
                return found;
            }
            found.push(end);
            from = end + 1;
        }
    }

    #[test]
    fn every_line_end_is_found_at_every_density_and_length() {
        let mut rng = fastrand::Rng::with_seed(9);
        // Miri takes a thousand times as long.
        for length in (0..700).step_by(if cfg!(miri) { 331 } else { 1 }) {
            for one_in in [2, 20, 300, 100_000] {
                let bytes: Vec<u8> = (0..length)
                    .map(|_| match rng.u32(..one_in) {
                        0 => *rng.choice(b"\r\n").unwrap(),
                        // Neighbours of LF and CR, and the same with the high bit set.
                        1 => *rng.choice(b"\x09\x0b\x0c\x0e\x8a\x8d").unwrap(),
                        _ => rng.u8(32..),
                    })
                    .collect();
                assert_eq!(walked(&bytes, LineEnds::new()), naive(&bytes), "{bytes:?}");
                assert_eq!(first(&bytes), naive(&bytes).first().copied());
                let short = ShortMask::of(&bytes);
                assert_eq!(short.is_some(), length < 2 * BLOCK);
                if let Some(short) = short {
                    assert_eq!(short.first(), naive(&bytes).first().copied());
                }
            }
        }
    }

    #[test]
    fn a_walk_may_start_after_bytes_that_end_no_line() {
        for quiet in (0..200).step_by(if cfg!(miri) { 21 } else { 1 }) {
            for rest in ["\n\n", "\r\r", "\n\r", "\r\n\r\n", "\n\r\n", "\nid: 1\n\n"] {
                let mut bytes = alloc::vec![b'x'; quiet];
                bytes.extend_from_slice(rest.as_bytes());
                let known = ShortMask::of(rest.as_bytes()).map_or(0, |ends| ends.block_at(0));
                for (start, mask) in [(quiet, 0), (quiet, known), (quiet / 2, 0)] {
                    let mut ends = LineEnds::new();
                    ends.begin(start, mask);
                    assert_eq!(walked(&bytes, ends), naive(&bytes), "{quiet} bytes, {rest:?}");
                }
            }
        }
    }

    /// Returns the ends of the blocks, found line by line.
    fn blocks(bytes: &[u8]) -> Vec<usize> {
        let (mut found, mut line_start, mut at) = (Vec::new(), 0, 0);
        while at < bytes.len() {
            if !is_line_end(bytes[at]) {
                at += 1;
                continue;
            }
            let after = at + length(&bytes[at..]);
            if at == line_start {
                found.push(after);
            }
            (at, line_start) = (after, after);
        }
        found
    }

    #[test]
    fn the_first_block_and_the_last_are_found_whatever_ends_their_lines() {
        let mut rng = fastrand::Rng::with_seed(4);
        for round in 0..if cfg!(miri) { 20 } else { 60_000 } {
            let (length, one_in) = (rng.usize(..400), [2, 5, 30, 200][round % 4]);
            let bytes: Vec<u8> = (0..length)
                .map(|_| if rng.u32(..one_in) == 0 { *rng.choice(b"\r\n").unwrap() } else { b'x' })
                .collect();
            let blocks = blocks(&bytes);
            let lines_end = naive(&bytes).last().map_or(0, |last| last + 1);
            let last = blocks.last().copied().unwrap_or(0);
            assert_eq!(last_block(&bytes), (last, lines_end), "{bytes:?}");
            let short = ShortMask::of(&bytes);
            if let Some(short) = short {
                assert_eq!(short.last_block(&bytes), (last, lines_end), "{bytes:?}");
            }
            let first_line = naive(&bytes).first().copied().unwrap_or(0);
            let none = NoBlockEnd { ends_lines: !naive(&bytes).is_empty() };
            let first = blocks.first().map(|&end| BlockEnd { first_line, end });
            assert_eq!(first_block(&bytes, true), first.ok_or(none), "{bytes:?}");
            if let Some(short) = short {
                assert_eq!(short.first_block(&bytes, true), first.ok_or(none), "{bytes:?}");
            }
            if bytes.first() != Some(&b'\n') {
                let mut longer = alloc::vec![b'x'];
                longer.extend_from_slice(&bytes);
                let first = self::blocks(&longer).first().map(|end| end - 1);
                let first = first.map(|end| BlockEnd { first_line, end });
                assert_eq!(first_block(&bytes, false), first.ok_or(none), "{bytes:?}");
            }
        }
    }

    #[test]
    fn a_skipped_line_end_is_not_given_again_even_across_a_block_boundary() {
        for lead in (0..200).step_by(if cfg!(miri) { 21 } else { 1 }) {
            let mut bytes = alloc::vec![b'x'; lead];
            bytes.extend_from_slice(b"\r\nab\n");
            let mut ends = LineEnds::new();
            assert_eq!(ends.next(&bytes, 0), lead);
            ends.skip();
            assert_eq!(ends.next(&bytes, lead + 2), lead + 4, "{lead} bytes before the CR");
            assert_eq!(ends.next(&bytes, lead + 5), bytes.len());
        }
    }
}
