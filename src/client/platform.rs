//! What differs between native targets and the browser: whether futures are
//! `Send`, who can drive a request, and what HTTP there is.
//!
//! The rest of the client knows neither. This file alone says which is compiled;
//! both offer the same items.

#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
mod native;
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
use native as target;

// For `native`, which has its own runtime or has none.
#[cfg(all(feature = "smol", not(all(target_arch = "wasm32", target_os = "unknown"))))]
mod own;
#[cfg(not(any(feature = "smol", all(target_arch = "wasm32", target_os = "unknown"))))]
mod own {
    use tokio::runtime::Handle;

    /// There is none.
    pub(super) fn handle() -> Option<&'static Handle> {
        None
    }

    pub(super) fn is(_: &Handle) -> bool {
        false
    }
}

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod web;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use web as target;

pub(super) use target::{
    BoxBody, BoxFuture, Exclusive, Home, MaybeSend, MaybeSync, UNDOES_EVERY_CODING, adapt, boxed,
    header_value, is_connect, unix_time, words,
};
