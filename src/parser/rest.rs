//! The rest of a chunk, and the search for the blocks that end in it.
//!
//! Invariants:
//! - The line ends of the first 64 bytes are known. A short chunk is scanned once, however many
//!   searches and walks need its line ends.
//! - A CRLF counts as one line end, so its LF ends no blank line.

use super::line_ends::{
    BLANK_WINDOWS, WINDOW, first_mask, is_line_end, length, mask, mask_at, skip_line,
};
use memchr::memrchr2;

/// The bytes of a chunk that are in no section yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rest<'c> {
    bytes: &'c [u8],
    /// Offset of the bytes in the chunk.
    at: usize,
    /// The line ends in the first 64 bytes, as [`mask_at`] returns them.
    mask: u64,
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

impl<'c> Rest<'c> {
    /// Returns the rest of `chunk` from `at` on.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(crate) fn new(chunk: &'c [u8], at: usize) -> Self {
        Rest::scanned(chunk, at, first_mask(&chunk[at..]))
    }

    /// Returns the rest of `chunk` from `at` on. `mask` has the line ends of its first 64 bytes.
    #[inline(always)]
    pub(crate) fn scanned(chunk: &'c [u8], at: usize, mask: u64) -> Self {
        Rest { bytes: &chunk[at..], at, mask }
    }

    #[inline(always)]
    pub(super) fn bytes(self) -> &'c [u8] {
        self.bytes
    }

    #[inline(always)]
    pub(crate) fn at(self) -> usize {
        self.at
    }

    #[inline(always)]
    pub(crate) fn mask(self) -> u64 {
        self.mask
    }

    #[inline(always)]
    pub(super) fn len(self) -> usize {
        self.bytes.len()
    }

    #[inline(always)]
    pub(super) fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes the first bytes.
    #[inline(always)]
    pub(super) fn advance(&mut self, bytes: usize) {
        let is_scanned = self.bytes.len() < WINDOW;
        self.mask = if is_scanned { self.mask >> bytes } else { mask_at(self.bytes, bytes) };
        self.bytes = &self.bytes[bytes..];
        self.at += bytes;
    }

    /// Takes all bytes.
    #[inline(always)]
    pub(super) fn finish(&mut self) {
        self.at += self.bytes.len();
        self.bytes = &[];
        self.mask = 0;
    }

    /// Returns the first bytes, at most `length` of them.
    #[inline(always)]
    pub(super) fn prefix(self, length: usize) -> Self {
        if length >= self.bytes.len() {
            return self;
        }
        let mask = if length < WINDOW { self.mask & !(u64::MAX << length) } else { self.mask };
        Rest { bytes: &self.bytes[..length], mask, ..self }
    }

    /// Returns whether a line ends.
    #[inline(always)]
    pub(super) fn has_line_ends(self) -> bool {
        match self.bytes.last_chunk() {
            _ if self.mask != 0 => true,
            None => false,
            Some(last) if self.bytes.len() <= 2 * WINDOW => mask(last) != 0,
            Some(_) => self.first_line_end().is_some(),
        }
    }

    /// Returns the offset of the first line end.
    #[inline(always)]
    pub(super) fn first_line_end(self) -> Option<usize> {
        let end = match self.mask {
            0 => skip_line(self.bytes, self.bytes.len().min(WINDOW)),
            mask => mask.trailing_zeros() as usize,
        };
        (end < self.bytes.len()).then_some(end)
    }

    /// Returns the end of the first block. `at_line_start` is true if a line starts where the bytes
    /// start. The first byte is not the LF of a CRLF.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(super) fn first_block(self, at_line_start: bool) -> Result<BlockEnd, NoBlockEnd> {
        let (bytes, mut mask) = (self.bytes, self.mask);
        let (mut at, mut blank) = (0, 0);
        // The first window with a line end, and its mask.
        let mut first = (0, 0);
        let mut before = at_line_start;
        loop {
            if first.1 == 0 {
                first = (at, mask);
            }
            let mut doubled = doubled(mask, before);
            while doubled != 0 {
                let line_end = at + doubled.trailing_zeros() as usize;
                if is_blank_line(bytes, line_end) {
                    let first_line = first.0 + first.1.trailing_zeros() as usize;
                    let end = line_end + length(&bytes[line_end..]);
                    return Ok(BlockEnd { first_line, end });
                }
                doubled &= doubled - 1;
            }
            // Whether a line ends in a window of text is hard to predict, so this is no branch.
            blank = (blank + 1) * u32::from(mask == 0);
            before = mask >> (WINDOW - 1) != 0;
            at += WINDOW;
            if at >= bytes.len() {
                return Err(NoBlockEnd { ends_lines: first.1 != 0 });
            }
            if blank == BLANK_WINDOWS {
                at = skip_line(bytes, at);
                blank = 0;
            }
            mask = mask_at(bytes, at);
        }
    }

    /// Returns the end of the last block, after its blank line, and the end of the last line. Each
    /// is 0 if there is none. A block starts where the bytes start.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(super) fn last_block(self) -> (usize, usize) {
        let bytes = self.bytes;
        let (mut rest, mut lines_end, mut blank) = (bytes, 0, 0);
        while !rest.is_empty() {
            let start = rest.len().saturating_sub(WINDOW);
            let mask = match start {
                0 => self.prefix(rest.len()).mask,
                _ => mask_at(rest, start),
            };
            rest = &rest[..start];
            if mask == 0 {
                blank += 1;
                if blank == BLANK_WINDOWS {
                    let last = memrchr2(b'\n', b'\r', rest);
                    rest = last.map_or(&[], |last| &rest[..=last]);
                    blank = 0;
                }
                continue;
            }
            blank = 0;
            if lines_end == 0 {
                lines_end = start + WINDOW - mask.leading_zeros() as usize;
            }
            // The last byte of the window before shows if a line starts at this one.
            let before = rest.last().is_none_or(|last| is_line_end(*last));
            let mut doubled = doubled(mask, before);
            while doubled != 0 {
                let bit = WINDOW - 1 - doubled.leading_zeros() as usize;
                let line_end = start + bit;
                if is_blank_line(bytes, line_end) {
                    return (line_end + length(&bytes[line_end..]), lines_end);
                }
                doubled &= !(1 << bit);
            }
        }
        (0, lines_end)
    }

    /// Returns the offset of the first line that is neither blank nor a complete comment.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(super) fn first_with_effect(self) -> usize {
        let (bytes, mut mask) = (self.bytes, self.mask);
        let (mut at, mut open_line) = (0, 0);
        let mut at_line_start = true;
        loop {
            let length = (bytes.len() - at).min(WINDOW);
            let mut starts = !mask & (mask << 1 | u64::from(at_line_start));
            while starts != 0 && starts.trailing_zeros() < length as u32 {
                open_line = at + starts.trailing_zeros() as usize;
                if bytes[open_line] != b':' {
                    return open_line;
                }
                starts &= starts - 1;
            }
            at += length;
            at_line_start = is_line_end(bytes[at - 1]);
            if at == bytes.len() {
                return if at_line_start { at } else { open_line };
            }
            mask = mask_at(bytes, at);
        }
    }
}

/// Returns the line ends that directly follow another one. `before` is true if the byte before the
/// first one is a line end.
#[inline(always)]
fn doubled(mask: u64, before: bool) -> u64 {
    mask & (mask << 1 | u64::from(before))
}

/// Returns whether the line end at `at`, which directly follows another one, ends a blank line. It
/// does not if the two are a CRLF.
#[cfg_attr(not(target_family = "wasm"), inline(always))]
fn is_blank_line(bytes: &[u8], at: usize) -> bool {
    bytes[at] == b'\r' || at == 0 || bytes[at - 1] == b'\n'
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// The lines of some bytes: their starts and ends. The last one may be incomplete.
    fn lines(bytes: &[u8]) -> Vec<(usize, Option<usize>)> {
        let (mut found, mut start, mut at) = (Vec::new(), 0, 0);
        while at < bytes.len() {
            if is_line_end(bytes[at]) {
                found.push((start, Some(at)));
                at += length(&bytes[at..]);
                start = at;
            } else {
                at += 1;
            }
        }
        found.push((start, None));
        found
    }

    fn random(rng: &mut fastrand::Rng, round: usize) -> Vec<u8> {
        let (length, one_in) = (rng.usize(..400), [2, 5, 30, 200][round % 4]);
        let byte = |rng: &mut fastrand::Rng| match rng.u32(..one_in) {
            0 => *rng.choice(b"\r\n").unwrap(),
            1 => b':',
            _ => b'x',
        };
        (0..length).map(|_| byte(rng)).collect()
    }

    const ROUNDS: usize = if cfg!(miri) { 20 } else { 20_000 };

    #[test]
    fn the_first_block_and_the_last_are_found_whatever_ends_their_lines() {
        let mut rng = fastrand::Rng::with_seed(4);
        for round in 0..ROUNDS {
            let bytes = random(&mut rng, round);
            let line_ends =
                || lines(&bytes).into_iter().filter_map(|(start, end)| Some((start, end?)));
            let ends = |at_line_start: bool| {
                let blank = move |&(start, end): &(usize, usize)| {
                    start == end && (at_line_start || start > 0)
                };
                line_ends().filter(blank).map(|(_, end)| end + length(&bytes[end..]))
            };
            let rest = Rest::new(&bytes, 0);
            let first_line = line_ends().next().map(|(_, end)| end);
            assert_eq!(rest.first_line_end(), first_line, "{bytes:?}");
            assert_eq!(rest.has_line_ends(), first_line.is_some(), "{bytes:?}");
            for at_line_start in [true, false] {
                if !at_line_start && bytes.first() == Some(&b'\n') {
                    continue; // it might be the LF of a CRLF
                }
                let none = NoBlockEnd { ends_lines: first_line.is_some() };
                let first_line = first_line.unwrap_or(0);
                let first = ends(at_line_start).next().map(|end| BlockEnd { first_line, end });
                assert_eq!(rest.first_block(at_line_start), first.ok_or(none), "{bytes:?}");
            }
            let lines_end =
                bytes.iter().rposition(|byte| is_line_end(*byte)).map_or(0, |at| at + 1);
            let last = ends(true).next_back().unwrap_or(0);
            assert_eq!(rest.last_block(), (last, lines_end), "{bytes:?}");
        }
    }

    #[test]
    fn blank_lines_and_comments_are_skipped_up_to_the_first_line_with_effect() {
        let mut rng = fastrand::Rng::with_seed(5);
        for round in 0..ROUNDS {
            let mut bytes = b":".to_vec();
            bytes.extend(random(&mut rng, round));
            let has_effect = |&(start, end): &(usize, Option<usize>)| {
                end.is_none() || start != end.unwrap() && bytes[start] != b':'
            };
            let wanted = lines(&bytes).into_iter().find(has_effect).unwrap().0;
            assert_eq!(Rest::new(&bytes, 0).first_with_effect(), wanted, "{bytes:?}");
        }
    }

    #[test]
    fn the_line_ends_of_a_rest_are_those_of_its_first_bytes() {
        let mut rng = fastrand::Rng::with_seed(6);
        for round in 0..ROUNDS {
            let bytes = random(&mut rng, round);
            let mut rest = Rest::new(&bytes, rng.usize(..=bytes.len()));
            while !rest.is_empty() {
                rest.advance(rng.usize(1..=rest.len()));
                let prefix = rest.prefix(rng.usize(..100));
                for rest in [rest, prefix] {
                    assert_eq!(rest.mask(), first_mask(rest.bytes()), "{bytes:?}");
                    assert!(bytes[rest.at()..].starts_with(rest.bytes()));
                }
            }
        }
    }
}
