//! A seed for jitter from the operating system, by way of the standard library,
//! which seeds its hash maps from there. No two calls give the same.

use core::hash::BuildHasher;
use std::collections::hash_map::RandomState;

pub(crate) fn seed() -> Option<u64> {
    Some(RandomState::new().hash_one(0_u8))
}
