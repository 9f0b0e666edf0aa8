//! The rules of HTTP for event streams, on the types of the `http` crate. They depend on no client.

mod content;
mod headers;
mod judge;
mod reconnection;
mod retry_after;

#[cfg(feature = "reqwest")]
pub(super) use headers::LAST_EVENT_ID;
pub(super) use headers::{add_defaults, set_last_event_id};
pub(super) use judge::{Fault, Rules, Verdict, judge};
pub use reconnection::Reconnection;
#[cfg(feature = "reqwest")]
pub(super) use reconnection::is_safe;
pub(super) use retry_after::retry_after;
