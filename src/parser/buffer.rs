//! Bytes that are put together from small pieces.
//!
//! Between two pieces hardly anything happens but the copy, so that is worth an
//! effort. `Vec::extend_from_slice` calls `memcpy`, which takes longer to find out how
//! much there is to do than to do it. Arrays are copied without a call: here the first
//! bytes of a piece and the last ones, which overlap unless there are as many as two
//! arrays hold. They are written over room that is initialised, for which there is a
//! bound: this is not for much.

use alloc::vec::Vec;
use core::fmt;

#[derive(Clone)]
pub(super) struct Buffer {
    /// What is there, and behind it room.
    bytes: Vec<u8>,
    length: usize,
}

impl Buffer {
    pub(super) const fn new() -> Self {
        Buffer { bytes: Vec::new(), length: 0 }
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.length
    }

    #[inline(always)]
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    #[inline(always)]
    pub(super) fn push(&mut self, piece: &[u8]) {
        let end = self.length + piece.len();
        if end > self.bytes.len() {
            self.grow(end);
        }
        copy(&mut self.bytes[self.length..end], piece);
        self.length = end;
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, least: usize) {
        self.bytes.reserve(least - self.bytes.len());
        self.bytes.resize(self.bytes.capacity(), 0);
    }

    #[inline(always)]
    pub(super) fn clear(&mut self) {
        self.length = 0;
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

/// Copies `from` to `to`, which is as long.
#[inline(always)]
fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        0 => {}
        1..4 => {
            // First, middle and last: of less than three bytes some are the same.
            let (middle, last) = (from.len() / 2, from.len() - 1);
            (to[0], to[middle], to[last]) = (from[0], from[middle], from[last]);
        }
        4..8 => copy_ends::<4>(to, from),
        8..16 => copy_ends::<8>(to, from),
        16..32 => copy_ends::<16>(to, from),
        32..64 => copy_ends::<32>(to, from),
        64..=128 => copy_ends::<64>(to, from),
        _ => to.copy_from_slice(from),
    }
}

/// The same for at least `N` bytes and at most two times as many.
#[inline(always)]
fn copy_ends<const N: usize>(to: &mut [u8], from: &[u8]) {
    if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk()) {
        *to = *from;
    }
    if let (Some(to), Some(from)) = (to.last_chunk_mut::<N>(), from.last_chunk()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_all_lengths_are_put_together() {
        let bytes: Vec<u8> = (0..=250).cycle().take(1000).collect();
        let mut buffer = Buffer::new();
        for length in 1..200 {
            buffer.clear();
            for piece in bytes.chunks(length) {
                buffer.push(piece);
                buffer.push(&[]);
            }
            assert_eq!(buffer.as_slice(), bytes, "pieces of {length} bytes");
        }
    }
}
