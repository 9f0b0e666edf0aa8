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

use memchr::memchr2;
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

    /// Loads what is left behind the last whole block.
    #[inline(never)]
    fn load_last(&mut self, bytes: &[u8]) -> bool {
        let rest = bytes.get(self.next_block..).unwrap_or_default();
        let mut block = [0; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        self.mask = mask(&block);
        self.block = self.next_block;
        self.next_block = bytes.len();
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

/// Whether there is a line end in a slice that is expected to be short and to have
/// none: a further piece of a line. It is looked at whole before anything is decided.
#[inline(always)]
pub(super) fn any(bytes: &[u8]) -> bool {
    if bytes.len() < LANES {
        return first_of_few(bytes).is_some();
    }
    if bytes.len() > BLOCK {
        return memchr2(b'\n', b'\r', bytes).is_some();
    }
    // The last lanes first, as far back as it takes to fill a vector.
    let mut ends = lane_ends(&bytes[bytes.len() - LANES..]);
    for lanes in bytes.chunks_exact(LANES) {
        ends |= lane_ends(lanes);
    }
    ends.move_mask() != 0
}

/// The first line end in a slice that is expected to be short: the rest of a line
/// that came in pieces.
#[inline(always)]
pub(super) fn first(bytes: &[u8]) -> Option<usize> {
    if bytes.len() < LANES {
        return first_of_few(bytes);
    }
    let mut at = 0;
    while let Some(lanes) = bytes.get(at..at + LANES) {
        if at == BLOCK {
            return memchr2(b'\n', b'\r', &bytes[at..]).map(|end| at + end);
        }
        let mask = lane_mask(lanes);
        if mask != 0 {
            return Some(at + mask.trailing_zeros() as usize);
        }
        at += LANES;
    }
    if at == bytes.len() {
        return None;
    }
    // The last lanes again, as far back as it takes to fill a vector.
    let last = bytes.len() - LANES;
    let mask = lane_mask(&bytes[last..]);
    (mask != 0).then(|| last + mask.trailing_zeros() as usize)
}

/// The same for less than a vector's bytes, eight at a time.
#[inline(always)]
fn first_of_few(bytes: &[u8]) -> Option<usize> {
    let (Some(head), Some(tail)) = (bytes.first_chunk(), bytes.last_chunk()) else {
        return bytes.iter().position(|byte| is_line_end(*byte));
    };
    let head = word_ends(u64::from_le_bytes(*head));
    if head != 0 {
        return Some(head.trailing_zeros() as usize / 8);
    }
    let tail = word_ends(u64::from_le_bytes(*tail));
    (tail != 0).then(|| bytes.len() - 8 + tail.trailing_zeros() as usize / 8)
}

/// The lowest bit of the result that is set is in the byte of the first line end.
/// A byte is zero if subtracting one from it borrows into its highest bit and that
/// was not set before; the borrow can only spoil bytes behind the first.
#[inline(always)]
fn word_ends(word: u64) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zeros = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
    zeros(word ^ (LOW * b'\n' as u64)) | zeros(word ^ (LOW * b'\r' as u64))
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

    fn walked(bytes: &[u8]) -> Vec<usize> {
        let (mut ends, mut found, mut from) = (LineEnds::default(), Vec::new(), 0);
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
        for length in (0..700).step_by(if cfg!(miri) { 67 } else { 1 }) {
            for one_in in [2, 20, 300, 100_000] {
                let bytes: Vec<u8> = (0..length)
                    .map(|_| match rng.u32(..one_in) {
                        0 => *rng.choice(b"\r\n").unwrap(),
                        // Neighbours of LF and CR, and the same with the high bit set.
                        1 => *rng.choice(b"\x09\x0b\x0c\x0e\x8a\x8d").unwrap(),
                        _ => rng.u8(32..),
                    })
                    .collect();
                assert_eq!(walked(&bytes), naive(&bytes), "{bytes:?}");
                assert_eq!(first(&bytes), naive(&bytes).first().copied());
                assert_eq!(any(&bytes), !naive(&bytes).is_empty());
            }
        }
    }

    #[test]
    fn a_skipped_line_end_is_not_given_again_even_across_a_block_boundary() {
        for lead in 0..200 {
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
