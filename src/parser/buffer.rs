//! A byte buffer that appends short slices without a call.
//!
//! `Vec::extend_from_slice` calls `memcpy`, which spends more time on choosing a loop than on
//! copying ten bytes. Arrays are copied without a call. So a short slice is copied as two arrays,
//! its first bytes and its last bytes, which overlap. They overwrite capacity that was initialised
//! in advance.

use alloc::vec::Vec;
use core::fmt;
use core::ops::{Deref, Range};

/// Maximum length of a slice that is copied as two arrays.
const SHORT: usize = 128;

/// Maximum capacity that is initialised in advance.
const ADVANCE: usize = 1024;

#[derive(Default)]
pub(crate) struct Buffer {
    /// The content, and initialised capacity after it.
    bytes: Vec<u8>,
    length: usize,
}

impl Buffer {
    pub(super) const fn new() -> Self {
        Buffer { bytes: Vec::new(), length: 0 }
    }

    pub(super) fn with_capacity(capacity: usize) -> Self {
        Buffer { bytes: Vec::with_capacity(capacity), length: 0 }
    }

    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(super) fn push(&mut self, slice: &[u8]) {
        let end = self.length + slice.len();
        match self.bytes.get_mut(self.length..end) {
            Some(capacity) => {
                copy(capacity, slice);
                self.length = end;
            }
            None => self.push_and_grow(slice),
        }
    }

    #[inline(never)]
    fn push_and_grow(&mut self, slice: &[u8]) {
        self.bytes.truncate(self.length);
        self.bytes.extend_from_slice(slice);
        self.length = self.bytes.len();
        if slice.len() <= SHORT {
            self.bytes.resize(self.length + self.length.min(ADVANCE), 0);
        }
    }

    #[inline(always)]
    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    pub(super) fn set(&mut self, at: usize, byte: u8) {
        self.bytes[at] = byte;
    }

    /// Frees capacity if less than a quarter is in use.
    pub(super) fn shrink(&mut self) {
        if self.length < self.bytes.capacity() / 4 {
            *self = self.clone();
        }
    }

    /// Moves the bytes in `from` down to `to`.
    pub(super) fn move_down(&mut self, from: Range<usize>, to: usize) {
        self.bytes.copy_within(from, to);
    }

    pub(crate) const fn len(&self) -> usize {
        self.length
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Frees unused capacity if there is much of it.
    pub(crate) fn fit(&mut self) {
        self.bytes.truncate(self.length);
        if self.bytes.capacity() / 8 * 7 > self.length {
            self.bytes.shrink_to_fit();
        }
    }
}

impl Clone for Buffer {
    /// Copies the content, without the capacity.
    fn clone(&self) -> Self {
        Buffer { bytes: self.to_vec(), length: self.length }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.deref().fmt(f)
    }
}

/// Copies `from` to `to`, which has the same length.
#[inline(always)]
fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        // WebAssembly copies by one instruction, and a page must be small.
        _ if cfg!(target_family = "wasm") => to.copy_from_slice(from),
        0 => {}
        1..4 => {
            // The first, the middle and the last byte, which may coincide.
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

/// Copies between `N` and `2 * N` bytes.
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
    fn slices_of_all_lengths_are_appended() {
        let bytes: Vec<u8> = (0..=250).cycle().take(1000).collect();
        let mut used = Buffer::new();
        for length in (1..300).step_by(if cfg!(miri) { 33 } else { 1 }) {
            used.clear();
            let mut buffer = Buffer::new();
            for slice in bytes.chunks(length) {
                for buffer in [&mut used, &mut buffer] {
                    buffer.push(slice);
                    buffer.push(&[]);
                }
            }
            assert_eq!(*used, bytes, "slices of {length} bytes, into a used buffer");
            assert_eq!(*buffer, bytes, "slices of {length} bytes");
        }
    }
}
