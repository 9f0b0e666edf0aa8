//! Vector operations, by the crates that offer them in safe code.
//!
//! `vectors/portable.rs` has the same functions without dependencies, for builds without the
//! feature `simd` and for WebAssembly without vector instructions.

use wide::u8x16;

/// Returns a mask in which bit `i` is set if byte `i` is LF or CR.
#[inline(always)]
pub(super) fn line_end_mask(bytes: [u8; 16]) -> u16 {
    let lanes = u8x16::new(bytes);
    let ends = lanes.cmp_eq(u8x16::splat(b'\n')) | lanes.cmp_eq(u8x16::splat(b'\r'));
    ends.move_mask() as u16
}

/// Returns `bytes` as text if they are well formed.
#[inline(always)]
pub(super) fn valid(bytes: &[u8]) -> Option<&str> {
    simdutf8::basic::from_utf8(bytes).ok()
}
