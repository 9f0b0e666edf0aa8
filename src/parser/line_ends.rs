//! The scanner: finds LF and CR in windows of 64 bytes.
//!
//! Invariants:
//! - `LineEnds::next` returns each LF and CR at or after `from`, in order and once, unless `skip`
//!   took it. `from` never goes back.
//! - Each byte is searched once. A window costs four vector comparisons, however many lines end in
//!   it. A call to `memchr` costs as much for a single line, and most lines are shorter than 64
//!   bytes.
//!
//! Long lines are left to `memchr`, which chooses at run time wider vectors than safe code can name
//! at compile time.
//!
//! Wasm has no vectors by default, and each inlined mask would take some 200 bytes. So the functions
//! around it are not forced inline there, which saves 5 KB with gzip.

use super::vectors;
use memchr::memchr2;

pub(super) const WINDOW: usize = 64;

/// Bytes that one vector compares.
const LANES: usize = 16;

/// Windows in a row without a line end after which `memchr` takes over.
pub(super) const BLANK_WINDOWS: u32 = 4;

#[derive(Debug)]
pub(super) struct LineEnds {
    /// Start of the window that `mask` describes.
    window: usize,
    /// Start of the next window.
    next_window: usize,
    /// Bit `i` is set while the line end at `window + i` has not been returned.
    mask: u64,
}

impl LineEnds {
    pub(super) const fn new() -> Self {
        LineEnds { window: 0, next_window: 0, mask: 0 }
    }

    /// Starts at `start`: no line ends before it. `mask` has the line ends of the 64 bytes there, or
    /// is 0 if they are not known. It may also have line ends after the last line.
    #[inline(always)]
    pub(super) fn begin(&mut self, start: usize, mask: u64) {
        self.window = start;
        self.next_window = if mask == 0 { start } else { start + WINDOW };
        self.mask = mask;
    }

    /// Returns the next line end at or after `from`, or `bytes.len()` if there is none.
    #[inline(always)]
    pub(super) fn next(&mut self, bytes: &[u8], from: usize) -> usize {
        loop {
            while self.mask != 0 {
                let end = self.window + self.mask.trailing_zeros() as usize;
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
    /// one. Does nothing if that byte lies in a window that is not loaded: `next` skips it by
    /// `from`.
    #[inline(always)]
    pub(super) fn skip(&mut self) {
        self.mask &= self.mask.wrapping_sub(1);
    }

    /// Loads the next window with a line end in it.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn load(&mut self, bytes: &[u8]) -> bool {
        for _ in 0..BLANK_WINDOWS {
            let rest = bytes.get(self.next_window..).unwrap_or_default();
            let Some(window) = rest.first_chunk() else {
                return self.load_at(bytes, bytes.len() - rest.len());
            };
            self.mask = mask(window);
            self.window = self.next_window;
            self.next_window += WINDOW;
            if self.mask != 0 {
                return true;
            }
        }
        self.load_at(bytes, skip_line(bytes, self.next_window))
    }

    #[inline(never)]
    fn load_at(&mut self, bytes: &[u8], at: usize) -> bool {
        self.mask = mask_at(bytes, at);
        self.window = at;
        self.next_window = bytes.len().min(at + WINDOW);
        self.mask != 0
    }
}

/// Returns the offset of the next line end at or after `at`, or `bytes.len()` if there is none.
#[inline(never)]
pub(super) fn skip_line(bytes: &[u8], at: usize) -> usize {
    if at == bytes.len() {
        return at;
    }
    memchr2(b'\n', b'\r', &bytes[at..]).map_or(bytes.len(), |distance| at + distance)
}

/// Returns the line ends in the 64 bytes at `at`, or in all bytes from there on if they are fewer:
/// bit `i` is set for one at `at + i`.
#[cfg_attr(not(target_family = "wasm"), inline(always))]
pub(super) fn mask_at(bytes: &[u8], at: usize) -> u64 {
    match bytes[at..].first_chunk() {
        Some(window) => mask(window),
        None => mask_of_end(bytes, at),
    }
}

#[inline(never)]
fn mask_of_end(bytes: &[u8], at: usize) -> u64 {
    match bytes.last_chunk() {
        // The window reaches back to bytes before `at`, so that all its bytes are searched together.
        Some(window) => mask(window).checked_shr((at + WINDOW - bytes.len()) as u32).unwrap_or(0),
        None => mask_of_few(&bytes[at..]),
    }
}

/// Returns a mask in which bit `i` is set if byte `i` is LF or CR.
#[cfg_attr(not(target_family = "wasm"), inline(always))]
pub(super) fn mask(window: &[u8; WINDOW]) -> u64 {
    lane_mask(&window[..LANES])
        | lane_mask(&window[16..32]) << 16
        | lane_mask(&window[32..48]) << 32
        | lane_mask(&window[48..]) << 48
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
    // The last vector overlaps the one before it, so that all its bytes are searched together.
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

/// Returns the line ends in the first 64 bytes, like [`mask_at`]. Short slices need no call.
#[cfg_attr(not(target_family = "wasm"), inline(always))]
pub(super) fn first_mask(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(window) => mask(window),
        None => mask_of_few(bytes),
    }
}

/// Returns the length of the line end that `bytes` start with: CRLF is one.
#[inline(always)]
pub(super) fn length(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"\r\n") { 2 } else { 1 }
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
                let at = rng.usize(..=length);
                let near = |end: &usize| (at..at + WINDOW).contains(end);
                let mask =
                    naive(&bytes).into_iter().filter(near).fold(0, |m, end| m | 1 << (end - at));
                assert_eq!(mask_at(&bytes, at), mask, "{bytes:?} at {at}");
                assert_eq!(first_mask(&bytes[at..]), mask, "{bytes:?} from {at}");
            }
        }
    }

    #[test]
    fn a_walk_may_start_after_bytes_that_end_no_line() {
        for quiet in (0..200).step_by(if cfg!(miri) { 21 } else { 1 }) {
            for rest in ["\n\n", "\r\r", "\n\r", "\r\n\r\n", "\n\r\n", "\nid: 1\n\n"] {
                let mut bytes = alloc::vec![b'x'; quiet];
                bytes.extend_from_slice(rest.as_bytes());
                let known = first_mask(rest.as_bytes());
                for (start, mask) in [(quiet, 0), (quiet, known), (quiet / 2, 0)] {
                    let mut ends = LineEnds::new();
                    ends.begin(start, mask);
                    assert_eq!(walked(&bytes, ends), naive(&bytes), "{quiet} bytes, {rest:?}");
                }
            }
        }
    }

    #[test]
    fn a_skipped_line_end_is_not_given_again_even_across_a_window_boundary() {
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
