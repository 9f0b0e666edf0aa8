//! Where lines end: a walk over the LF and CR bytes of a slice, 64 bytes at a time.
//!
//! Invariants:
//! - `next` gives every LF and every CR at or after `from`, in order, each once,
//!   unless `skip` took it; `from` never goes back.
//! - Bytes are looked at once. A block of 64 costs four vector comparisons,
//!   however many lines end in it; a call to a searching function costs as much
//!   for each line, and most lines of an event stream are shorter than that.
//!
//! Lines much longer than a block are left to `memchr`, which picks wider vectors
//! at run time than the ones that safe code can name at compile time.

use memchr::{memchr2, memrchr2};
use wide::{CmpEq, i8x16};

const BLOCK: usize = 64;

/// How many bytes one vector compares.
const LANES: usize = 16;

/// How many blocks in a row may be without a line end before `memchr` takes over.
const BLANK_BLOCKS: u32 = 4;

#[derive(Debug, Default)]
pub(super) struct LineEnds {
    /// Where the block that `mask` describes starts.
    block: usize,
    /// Where the next block starts.
    next_block: usize,
    /// Bit `i` is set while the line end at `block + i` has not been given.
    mask: u64,
}

impl LineEnds {
    /// A walk over a block of so many bytes, the first of which, `quiet` of them, are known
    /// to end no line.
    #[inline(always)]
    pub(super) fn of_block(length: usize, quiet: usize) -> Self {
        // Most blocks are one line and a blank one: there is nothing to look for.
        if length == quiet + 2 {
            return LineEnds { block: quiet, next_block: length, mask: 0b11 };
        }
        LineEnds { next_block: quiet, ..LineEnds::default() }
    }

    /// The next line end at or after `from`, or `bytes.len()` if there is none.
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

    /// Takes the next line end out of the walk, for a caller who has seen by
    /// itself that the very next byte is one. If that byte lies in a block that
    /// is not loaded yet nothing is taken, and `next` passes over it by `from`.
    #[inline(always)]
    pub(super) fn skip(&mut self) {
        self.mask &= self.mask.wrapping_sub(1);
    }

    /// Loads the next block with a line end in it.
    #[inline(always)]
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

    /// Loads the block that starts at the next line end, however far that is.
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

    /// Loads what is left behind the last whole block, with the bytes before it again
    /// so as to fill one.
    #[inline(always)]
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

/// Bit `i` of the result tells whether byte `i` is LF or CR.
#[inline(always)]
fn mask(block: &[u8; BLOCK]) -> u64 {
    lane_mask(&block[..LANES])
        | lane_mask(&block[16..32]) << 16
        | lane_mask(&block[32..48]) << 32
        | lane_mask(&block[48..]) << 48
}

/// The same for the 16 bytes that fit into one vector everywhere.
#[inline(always)]
fn lane_mask(bytes: &[u8]) -> u64 {
    u64::from(lane_ends(bytes).move_mask() as u16)
}

/// Which of 16 bytes are LF or CR.
#[inline(always)]
fn lane_ends(bytes: &[u8]) -> i8x16 {
    let mut lanes = [0; LANES];
    for (lane, byte) in lanes.iter_mut().zip(bytes) {
        *lane = *byte as i8;
    }
    let lanes = i8x16::new(lanes);
    lanes.cmp_eq(i8x16::splat(b'\n' as i8)) | lanes.cmp_eq(i8x16::splat(b'\r' as i8))
}

/// The same for less than a block's bytes.
#[inline(always)]
fn mask_of_few(bytes: &[u8]) -> u64 {
    let Some(last) = bytes.last_chunk::<LANES>() else {
        return mask_of_very_few(bytes);
    };
    // The last lanes again, as far back as it takes to fill a vector.
    let mut mask = lane_mask(last) << (bytes.len() - LANES);
    for (i, lanes) in bytes.chunks_exact(LANES).enumerate() {
        mask |= lane_mask(lanes) << (i * LANES);
    }
    mask
}

/// The same for less than a vector's bytes, eight at a time.
#[inline(always)]
fn mask_of_very_few(bytes: &[u8]) -> u64 {
    let (Some(head), Some(tail)) = (bytes.first_chunk(), bytes.last_chunk()) else {
        return bytes.iter().rev().fold(0, |mask, byte| mask << 1 | u64::from(is_line_end(*byte)));
    };
    // A vector of the first eight bytes and the last eight.
    let mut lanes = [0; LANES];
    lanes[..8].copy_from_slice(&u64::to_le_bytes(u64::from_le_bytes(*head)));
    lanes[8..].copy_from_slice(&u64::to_le_bytes(u64::from_le_bytes(*tail)));
    let mask = lane_mask(&lanes);
    mask & 0xFF | (mask >> 8) << (bytes.len() - 8)
}

/// The line ends of a slice that is shorter than a block: bit `i` is set for one at `i`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Few {
    mask: u64,
}

impl Few {
    /// The longest such slice.
    pub(super) const MOST: usize = BLOCK - 1;

    /// `None` if the slice is longer.
    #[inline(always)]
    pub(crate) fn of(bytes: &[u8]) -> Option<Few> {
        (bytes.len() < BLOCK).then(|| Few { mask: mask_of_few(bytes) })
    }

    /// Those behind the first `bytes`.
    #[inline(always)]
    pub(super) fn behind(self, bytes: usize) -> Few {
        Few { mask: self.mask >> bytes }
    }

    #[inline(always)]
    pub(super) fn is_none(self) -> bool {
        self.mask == 0
    }

    /// Where the first one is.
    #[inline(always)]
    pub(super) fn first(self) -> Option<usize> {
        (self.mask != 0).then(|| self.mask.trailing_zeros() as usize)
    }

    /// How many come first, before any other byte.
    #[inline(always)]
    pub(super) fn leading(self) -> usize {
        self.mask.trailing_ones() as usize
    }

    /// As [`first_block`], of the slice itself.
    #[inline(always)]
    pub(super) fn first_block(self, bytes: &[u8], at_line_start: bool) -> Option<BlockEnd> {
        let end = first_blank_line(bytes, 0, doubled(self.mask, at_line_start))?;
        Some(BlockEnd { first_line: self.mask.trailing_zeros() as usize, end })
    }
}

/// Whether a slice of one block's bytes or more, but less than two blocks', has no line
/// end. `None` if it is longer.
#[inline(always)]
pub(super) fn are_none_in_two_blocks(bytes: &[u8]) -> Option<bool> {
    if bytes.len() >= 2 * BLOCK {
        return None;
    }
    let (first, last) = (bytes.first_chunk()?, bytes.last_chunk()?);
    Some(mask(first) | mask(last) == 0)
}

/// The first line end in a slice, which may be near or far.
#[inline(always)]
pub(super) fn first(bytes: &[u8]) -> Option<usize> {
    if let Some(few) = Few::of(bytes) {
        return few.first();
    }
    let mut ends = LineEnds::default();
    let end = ends.next(bytes, 0);
    (end < bytes.len()).then_some(end)
}

/// Whether a block that starts where `bytes` do is plain to see not to end in them: they
/// are less than two blocks' bytes. `ends` are their line ends, if it is short.
#[inline(always)]
pub(super) fn has_no_block(bytes: &[u8], ends: Option<Few>) -> bool {
    match ends {
        Some(ends) => ends.first_block(bytes, true).is_none(),
        None => bytes.len() < 2 * BLOCK && two_have_no_block(bytes),
    }
}

/// The same for what is no shorter than a block, and shorter than two.
#[inline(never)]
fn two_have_no_block(bytes: &[u8]) -> bool {
    first_block(bytes, true).is_none()
}

/// How many bytes the line end has that `bytes` start with: CR LF are one.
#[inline(always)]
pub(super) fn length(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"\r\n") { 2 } else { 1 }
}

/// Where a block ends in a slice that another part of it may precede.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockEnd {
    /// Where the first line in the slice ends.
    pub(super) first_line: usize,
    /// Behind the blank line.
    pub(super) end: usize,
}

/// Where the first block ends. `at_line_start` tells whether a line starts where `bytes`
/// do; the LF of a CR LF does not come first.
#[inline(always)]
pub(super) fn first_block(bytes: &[u8], at_line_start: bool) -> Option<BlockEnd> {
    let mut at = 0;
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
                at += memchr2(b'\n', b'\r', &bytes[at..])?;
                blank = 0;
            }
            continue;
        }
        first_line = first_line.min(at + mask.trailing_zeros() as usize);
        if let Some(end) = first_blank_line(bytes, at, doubled(mask, before)) {
            return Some(BlockEnd { first_line, end });
        }
        before = mask >> (BLOCK - 1) != 0;
        at += BLOCK;
        blank = 0;
    }
    let mask = mask_of_few(&bytes[at..]);
    let end = first_blank_line(bytes, at, doubled(mask, before))?;
    Some(BlockEnd { first_line: first_line.min(at + mask.trailing_zeros() as usize), end })
}

/// Behind the first blank line of those that may end one, of the block at `at`.
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

/// Where the last block ends, behind its blank line, and where the last line does; 0 if
/// none does. A block starts where `bytes` do.
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
        // The byte before the block is another one's last, and looked at with both.
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

/// Which line ends of a block come right behind another; `before` tells whether its
/// first byte does.
#[inline(always)]
fn doubled(mask: u64, before: bool) -> u64 {
    mask & (mask << 1 | u64::from(before))
}

/// Whether the line end at `end`, which comes right behind another, is not the second
/// half of that, but ends a line that is blank.
#[inline(always)]
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
                assert_eq!(walked(&bytes, LineEnds::default()), naive(&bytes), "{bytes:?}");
                assert_eq!(first(&bytes), naive(&bytes).first().copied());
                if let Some(few) = Few::of(&bytes) {
                    assert_eq!(few.is_none(), naive(&bytes).is_empty());
                    assert_eq!(few.first(), naive(&bytes).first().copied());
                }
                if let Some(none) = are_none_in_two_blocks(&bytes) {
                    assert_eq!(none, naive(&bytes).is_empty());
                }
            }
        }
    }

    #[test]
    fn what_is_known_to_end_no_line_need_not_be_walked_over() {
        for quiet in (0..200).step_by(if cfg!(miri) { 21 } else { 1 }) {
            for rest in ["\n\n", "\r\r", "\n\r", "\r\n\r\n", "\n\r\n", "\nid: 1\n\n"] {
                let mut bytes = alloc::vec![b'x'; quiet];
                bytes.extend_from_slice(rest.as_bytes());
                for known in [quiet, quiet / 2] {
                    let ends = LineEnds::of_block(bytes.len(), known);
                    assert_eq!(walked(&bytes, ends), naive(&bytes), "{quiet} bytes, {rest:?}");
                }
            }
        }
    }

    /// Where blocks end, line by line.
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
            let first_line = naive(&bytes).first().copied().unwrap_or(0);
            let first = blocks.first().map(|&end| BlockEnd { first_line, end });
            assert_eq!(first_block(&bytes, true), first, "{bytes:?}");
            if let Some(few) = Few::of(&bytes) {
                assert_eq!(few.first_block(&bytes, true), first, "{bytes:?}");
            }
            if bytes.first() != Some(&b'\n') {
                let mut longer = alloc::vec![b'x'];
                longer.extend_from_slice(&bytes);
                let first = self::blocks(&longer).first().map(|end| end - 1);
                let first = first.map(|end| BlockEnd { first_line, end });
                assert_eq!(first_block(&bytes, false), first, "{bytes:?}");
            }
        }
    }

    #[test]
    fn a_skipped_line_end_is_not_given_again_even_across_a_block_boundary() {
        for lead in (0..200).step_by(if cfg!(miri) { 21 } else { 1 }) {
            let mut bytes = alloc::vec![b'x'; lead];
            bytes.extend_from_slice(b"\r\nab\n");
            let mut ends = LineEnds::default();
            assert_eq!(ends.next(&bytes, 0), lead);
            ends.skip();
            assert_eq!(ends.next(&bytes, lead + 2), lead + 4, "{lead} bytes before the CR");
            assert_eq!(ends.next(&bytes, lead + 5), bytes.len());
        }
    }
}
