//! The floor: the work that every parser must do. It finds each line end and validates each byte as
//! UTF-8, chunk by chunk. It does so in two ways, of which the faster one counts. For comparison,
//! another contestant copies each byte once.

use crate::consumer::Consumer;
use crate::contestant::{Contestant, Role};
use bytes::Bytes;
use memchr::memchr2;
use std::hint::black_box;
use wide::{CmpEq, i8x16};

/// Finds each line end by a search. Best for long lines.
pub(crate) struct Memchr;

impl Contestant for Memchr {
    const NAME: &'static str = "floor: memchr2, simdutf8";
    const ROLE: Role = Role::Floor;

    fn run(chunks: impl Iterator<Item = Bytes>, _: &mut impl Consumer) {
        search(chunks, ends_by_memchr);
    }
}

/// Finds line ends by bitmaps of 64 bytes. Best for short lines.
pub(crate) struct Bitmaps;

impl Contestant for Bitmaps {
    const NAME: &'static str = "floor: bitmaps, simdutf8";
    const ROLE: Role = Role::Floor;

    fn run(chunks: impl Iterator<Item = Bytes>, _: &mut impl Consumer) {
        search(chunks, ends_by_bitmaps);
    }
}

/// Copies each chunk into one buffer.
pub(crate) struct Copy;

impl Contestant for Copy {
    const NAME: &'static str = "copy";
    const ROLE: Role = Role::Copy;

    fn run(chunks: impl Iterator<Item = Bytes>, _: &mut impl Consumer) {
        let mut buffer = Vec::new();
        for chunk in chunks {
            buffer.clear();
            buffer.extend_from_slice(&chunk);
            black_box(&buffer);
        }
    }
}

/// Finds the line ends of each chunk, and validates it.
#[inline(always)]
fn search(chunks: impl Iterator<Item = Bytes>, ends_of: impl Fn(&[u8]) -> Ends) {
    let mut validator = Validator::default();
    for chunk in chunks {
        let ends = ends_of(&chunk);
        black_box(validator.is_valid(&chunk, ends.count > 0));
        black_box(ends);
    }
}

/// Ensures that the line ends are found one by one, as a parser needs them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ends {
    count: usize,
    sum: usize,
}

impl Ends {
    #[inline(always)]
    fn add(&mut self, end: usize) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(end);
    }

    #[inline(always)]
    fn add_mask(&mut self, start: usize, mut mask: u64) {
        while mask != 0 {
            self.add(start + mask.trailing_zeros() as usize);
            mask &= mask - 1;
        }
    }
}

#[inline(always)]
fn ends_by_memchr(chunk: &[u8]) -> Ends {
    let mut ends = Ends::default();
    let mut from = 0;
    while let Some(distance) = memchr2(b'\n', b'\r', &chunk[from..]) {
        ends.add(from + distance);
        from += distance + 1;
    }
    ends
}

#[inline(always)]
fn ends_by_bitmaps(chunk: &[u8]) -> Ends {
    let mut ends = Ends::default();
    let (blocks, rest) = chunk.as_chunks::<64>();
    for (index, block) in blocks.iter().enumerate() {
        let (lanes, _) = block.as_chunks::<16>();
        let mask =
            mask(&lanes[0]) | mask(&lanes[1]) << 16 | mask(&lanes[2]) << 32 | mask(&lanes[3]) << 48;
        ends.add_mask(index * 64, mask);
    }
    let (lanes, last) = rest.as_chunks::<16>();
    for (index, lane) in lanes.iter().enumerate() {
        ends.add_mask(blocks.len() * 64 + index * 16, mask(lane));
    }
    if has_end(last) {
        for (index, byte) in last.iter().enumerate() {
            if matches!(byte, b'\n' | b'\r') {
                ends.add(chunk.len() - last.len() + index);
            }
        }
    }
    ends
}

/// Returns a mask in which bit `i` is set if byte `i` is a line end.
#[inline(always)]
fn mask(bytes: &[u8; 16]) -> u64 {
    let lanes = i8x16::new(bytes.map(|byte| byte as i8));
    let ends = lanes.cmp_eq(i8x16::splat(b'\n' as i8)) | lanes.cmp_eq(i8x16::splat(b'\r' as i8));
    u64::from(ends.move_mask() as u16)
}

/// Returns whether there may be a line end among less than 16 bytes, by two overlapping words.
/// Returns true for less than 8 bytes.
#[inline(always)]
fn has_end(bytes: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 255;
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7) != 0;
    let has_end = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        has_zero(word ^ (ONES * u64::from(b'\n'))) | has_zero(word ^ (ONES * u64::from(b'\r')))
    };
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => has_end(first) | has_end(last),
        _ => true,
    }
}

/// A validator of chunks. It joins short ones.
#[derive(Debug, Default)]
struct Validator {
    joined: Vec<u8>,
}

impl Validator {
    /// The size below which simdutf8 calls the standard library, which validates non-ASCII text
    /// byte by byte.
    const TINY: usize = 64;
    /// The size below which a copy is cheaper than a call of simdutf8.
    const SHORT: usize = 256;
    /// The maximum size of joined chunks.
    const LONG: usize = 4096;

    /// Returns whether `chunk` is valid UTF-8, apart from split characters at its ends. A short
    /// chunk is validated later, at the end of its line.
    #[inline(always)]
    fn is_valid(&mut self, chunk: &[u8], line_ends: bool) -> bool {
        if chunk.len() < Self::TINY && chunk.is_ascii() {
            return true;
        }
        if chunk.len() >= Self::SHORT || line_ends && self.joined.is_empty() {
            return is_valid(chunk);
        }
        self.joined.extend_from_slice(chunk);
        if !line_ends && self.joined.len() < Self::LONG {
            return true;
        }
        let is_valid = is_valid(&self.joined);
        self.joined.clear();
        is_valid
    }
}

#[inline(always)]
fn is_valid(chunk: &[u8]) -> bool {
    simdutf8::basic::from_utf8(whole_characters(chunk)).is_ok()
}

#[inline(always)]
fn whole_characters(chunk: &[u8]) -> &[u8] {
    let is_continuation = |byte: &u8| byte & 0xc0 == 0x80;
    let start = chunk.iter().take(3).take_while(|byte| is_continuation(byte)).count();
    let chunk = &chunk[start..];
    let tail = chunk.iter().rev().take(3).take_while(|byte| is_continuation(byte)).count();
    let Some(lead) = chunk.len().checked_sub(tail + 1) else { return &[] };
    let length = match chunk[lead] {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    };
    if length > tail + 1 { &chunk[..lead] } else { chunk }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Chunking, SCENARIOS};

    #[test]
    fn both_floors_find_every_line_end_and_accept_valid_utf8() {
        for scenario in &SCENARIOS {
            let stream = scenario.stream();
            for size in [1460, 100, 10, 3] {
                let mut validator = Validator::default();
                for chunk in stream.chunks(Chunking::Bytes(size)) {
                    let mut ends = Ends::default();
                    for index in (0..chunk.len()).filter(|index| b"\r\n".contains(&chunk[*index])) {
                        ends.add(index);
                    }
                    assert_eq!(ends_by_memchr(&chunk), ends);
                    assert_eq!(ends_by_bitmaps(&chunk), ends);
                    assert!(validator.is_valid(&chunk, ends.count > 0), "{} {size}", scenario.name);
                }
            }
        }
    }

    #[test]
    fn invalid_utf8_is_detected() {
        let long = [b"\xff", &[b' '; 300][..]].concat();
        assert!(!Validator::default().is_valid(&long, false));

        let mut validator = Validator::default();
        assert!(validator.is_valid(b"a \xc0 b", false));
        assert!(validator.is_valid(b" c ", false));
        assert!(!validator.is_valid("é\n".as_bytes(), true));
        assert!(validator.is_valid("é\n".as_bytes(), true));
    }

    #[test]
    fn characters_cut_in_two_are_left_out_of_the_validation() {
        let text = "aé漢🦀z🦀".repeat(20);
        let bytes = text.as_bytes();
        for start in 0..20 {
            for end in start..bytes.len() {
                assert!(std::str::from_utf8(whole_characters(&bytes[start..end])).is_ok());
            }
        }
    }
}
