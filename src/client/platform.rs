//! The differences between native targets and the browser, apart from those of the HTTP client.
//!
//! This file selects the module to compile. Both offer the same items.

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
