//! The seed of a jitter: from the browser, from the operating system, or none.

/// Returns a seed from the operating system. It is taken from the random keys of the standard
/// library's hash maps. Each call returns another one.
#[cfg(all(feature = "std", not(all(target_arch = "wasm32", target_os = "unknown"))))]
pub(crate) fn seed() -> Option<u64> {
    use core::hash::BuildHasher;
    use std::collections::hash_map::RandomState;

    Some(RandomState::new().hash_one(0_u8))
}

/// Returns a seed from `Math.random`. In a browser the hash maps of the standard library have fixed
/// keys.
#[cfg(all(feature = "wasm", target_arch = "wasm32", target_os = "unknown"))]
pub(crate) fn seed() -> Option<u64> {
    Some(js_sys::Math::random().to_bits())
}

/// Returns `None`: on this platform the user sets the seed.
#[cfg(not(any(
    all(feature = "std", not(all(target_arch = "wasm32", target_os = "unknown"))),
    all(feature = "wasm", target_arch = "wasm32", target_os = "unknown")
)))]
pub(crate) fn seed() -> Option<u64> {
    None
}
