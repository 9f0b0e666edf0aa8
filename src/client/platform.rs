//! The differences between native targets and the browser that no HTTP client is needed for.
//!
//! This file alone says which is compiled; both offer the same items.

#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
mod native;
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
use native as target;

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod web;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use web as target;

pub(super) use target::{
    BoxFuture, BoxStream, Exclusive, IS_BROWSER, MaybeSend, MaybeSync, boxed, boxed_stream,
    unix_time,
};
