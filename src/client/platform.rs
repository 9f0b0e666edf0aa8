//! What differs between native targets and the browser: whether futures are
//! `Send`, and who can drive a request.
//!
//! The rest of the client knows neither. This file alone says what is compiled;
//! both sides offer the same items.

mod native;
use native as target;

pub(super) use target::{
    BoxBody, BoxFuture, Exclusive, Home, MaybeSend, MaybeSync, boxed, lift_total_timeout, unix_time,
};

#[cfg(feature = "smol")]
mod own;
#[cfg(not(feature = "smol"))]
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
