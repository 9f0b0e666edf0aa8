//! Appending a few bytes to many.
//!
//! Between two small pieces of a stream hardly anything happens but their copy, so that
//! is worth an effort. `Vec::extend_from_slice` calls `memcpy`, which takes longer to find
//! out how much there is to do than to do it. Arrays are copied without a call: here the
//! first bytes and the last ones, which overlap unless there are as many as two arrays
//! hold.

use alloc::vec::Vec;

/// Appends `piece`.
#[inline(always)]
pub(super) fn append(buffer: &mut Vec<u8>, piece: &[u8]) {
    match piece.len() {
        0..4 => {
            for byte in piece {
                buffer.push(*byte);
            }
        }
        4..8 => append_ends::<4>(buffer, piece),
        8..16 => append_ends::<8>(buffer, piece),
        16..32 => append_ends::<16>(buffer, piece),
        32..64 => append_ends::<32>(buffer, piece),
        64..=128 => append_ends::<64>(buffer, piece),
        _ => buffer.extend_from_slice(piece),
    }
}

/// The same for at least `N` bytes and at most two times as many.
#[inline(always)]
fn append_ends<const N: usize>(buffer: &mut Vec<u8>, piece: &[u8]) {
    if let (Some(first), Some(last)) = (piece.first_chunk::<N>(), piece.last_chunk::<N>()) {
        let end = buffer.len() + piece.len();
        buffer.extend_from_slice(first);
        buffer.truncate(end - N);
        buffer.extend_from_slice(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_all_lengths_are_put_together() {
        let bytes: Vec<u8> = (0..=250).cycle().take(1000).collect();
        for length in (0..200).step_by(if cfg!(miri) { 33 } else { 1 }) {
            let mut buffer = Vec::new();
            for piece in bytes.chunks(length + 1) {
                append(&mut buffer, piece);
            }
            assert_eq!(buffer, bytes, "pieces of {} bytes", length + 1);
        }
    }
}
