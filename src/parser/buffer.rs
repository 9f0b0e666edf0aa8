//! Bytes that are put together from pieces.
//!
//! Between two small pieces hardly anything happens but the copy, so that is worth an
//! effort. `Vec::extend_from_slice` calls `memcpy`, which takes longer to find out how
//! much there is to do than to do it. Arrays are copied without a call: here the first
//! bytes of a piece and the last ones, which overlap unless there are as many as two
//! arrays hold. They are written over room that is initialised, some of it ahead.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

/// A piece of more bytes is appended as to any vector, if it takes room to be made.
const SMALL: usize = 128;

/// So much room is initialised ahead, at the most.
const AHEAD: usize = 1024;

#[derive(Clone, Default)]
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
    pub(super) fn push(&mut self, piece: &[u8]) {
        let end = self.length + piece.len();
        match self.bytes.get_mut(self.length..end) {
            Some(room) => {
                copy(room, piece);
                self.length = end;
            }
            None => self.push_and_grow(piece),
        }
    }

    #[inline(never)]
    fn push_and_grow(&mut self, piece: &[u8]) {
        self.bytes.truncate(self.length);
        self.bytes.extend_from_slice(piece);
        self.length = self.bytes.len();
        if piece.len() <= SMALL {
            self.bytes.resize(self.length + self.length.min(AHEAD), 0);
        }
    }

    /// Makes room for so many bytes more.
    pub(super) fn reserve(&mut self, bytes: usize) {
        self.bytes.truncate(self.length);
        self.bytes.reserve(bytes);
    }

    #[inline(always)]
    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    /// Cuts off the first bytes, so many.
    pub(super) fn remove_first(&mut self, bytes: usize) {
        self.bytes.copy_within(bytes..self.length, 0);
        self.length -= bytes;
    }

    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn into_vec(mut self) -> Vec<u8> {
        self.bytes.truncate(self.length);
        self.bytes
    }
}

impl Deref for Buffer {
    type Target = [u8];

    #[inline(always)]
    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.deref().fmt(f)
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
        let mut used = Buffer::new();
        for length in (1..300).step_by(if cfg!(miri) { 33 } else { 1 }) {
            used.clear();
            let mut buffer = Buffer::new();
            for piece in bytes.chunks(length) {
                for buffer in [&mut used, &mut buffer] {
                    buffer.push(piece);
                    buffer.push(&[]);
                }
            }
            assert_eq!(*used, bytes, "pieces of {length} bytes, into what is large enough");
            assert_eq!(*buffer, bytes, "pieces of {length} bytes");
        }
    }
}
