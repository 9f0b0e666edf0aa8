//! Server-Sent Events on any runtime.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod frame;
mod parser;
pub mod retry;
pub mod timer;

#[cfg(target_has_atomic = "ptr")]
mod decoder;
#[cfg(target_has_atomic = "ptr")]
mod message;
#[cfg(target_has_atomic = "ptr")]
pub mod reconnect;
#[cfg(target_has_atomic = "ptr")]
mod stream;

#[cfg(feature = "reqwest")]
mod client;

#[cfg(all(feature = "std", target_has_atomic = "ptr"))]
mod entropy;
#[cfg(all(not(feature = "std"), target_has_atomic = "ptr"))]
mod entropy {
    //! Without a standard library there is no entropy but the user's.
    pub(crate) fn seed() -> Option<u64> {
        None
    }
}

#[cfg(feature = "reqwest")]
pub use client::{
    Cause, Error, Event, EventSource, EventSourceBuilder, Failure, Head, Opened, Reconnection,
    RequestAttempt, RequestBuilderExt,
};
pub use frame::{Discarded, EventView, Frame};
pub use parser::{Frames, Parser};
pub use retry::{Backoff, Jitter, Loss, LossKind, RetryPolicy};
pub use timer::{DefaultTimer, Timer, TimerFn, timer_fn};

#[cfg(target_has_atomic = "ptr")]
pub use message::{MessageEvent, OwnedFrame};
#[cfg(target_has_atomic = "ptr")]
pub use reconnect::{Handle, OnOversize, ReadyState};
#[cfg(target_has_atomic = "ptr")]
pub use stream::EventStream;
#[cfg(target_has_atomic = "ptr")]
pub use timer::ManualTimer;
#[cfg(all(feature = "tokio", not(target_family = "wasm")))]
pub use timer::TokioTimer;
