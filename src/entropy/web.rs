//! A seed for jitter from the browser's `Math.random`, since there is no operating
//! system, and the hash maps of the standard library are seeded by none. No two
//! pages get the same.

pub(crate) fn seed() -> Option<u64> {
    Some(js_sys::Math::random().to_bits())
}
