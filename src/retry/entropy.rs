//! Seeds for jitter: from the browser, from the operating system, or none.

/// Returns a seed from the operating system, by way of the standard library, which seeds its
/// hash maps from there. No two calls return the same.
#[cfg(all(feature = "std", not(all(target_arch = "wasm32", target_os = "unknown"))))]
pub(crate) fn seed() -> Option<u64> {
    use core::hash::BuildHasher;
    use std::collections::hash_map::RandomState;

    Some(RandomState::new().hash_one(0_u8))
}

/// Returns a seed from `Math.random`: in a browser there is no operating system, and the
/// hash maps of the standard library have no seed.
#[cfg(all(feature = "wasm", target_arch = "wasm32", target_os = "unknown"))]
pub(crate) fn seed() -> Option<u64> {
    Some(js_sys::Math::random().to_bits())
}

/// Returns nothing: without a platform, the user has to give the seed.
#[cfg(not(any(
    all(feature = "std", not(all(target_arch = "wasm32", target_os = "unknown"))),
    all(feature = "wasm", target_arch = "wasm32", target_os = "unknown")
)))]
pub(crate) fn seed() -> Option<u64> {
    None
}
