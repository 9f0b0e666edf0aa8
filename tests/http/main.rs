//! Tests of `EventSource` over HTTP on real sockets, with the feature `reqwest`.
#![cfg(feature = "reqwest")]

#[path = "../support"]
pub mod support {
    pub(crate) mod alone;
    pub mod chaos;
    pub mod client;
    pub(crate) mod process_heap;
    pub mod server;
    #[cfg(feature = "smol")]
    pub(crate) mod threads;
}

#[cfg(all(feature = "futures-io", feature = "json"))]
mod adapters;
#[cfg(feature = "async-std")]
mod async_std;
mod chaos;
mod closing;
mod endings;
#[cfg(feature = "json")]
mod errors;
mod framing;
mod from_response;
mod memory;
mod messages;
#[cfg(all(feature = "smol", target_os = "linux"))]
mod on_tokio;
#[cfg(feature = "smol")]
mod outside_tokio;
mod reconnection;
mod redirect;
mod request;
mod response;
mod security;
#[cfg(feature = "smol")]
mod smol;
mod timeouts;
#[cfg(feature = "tracing")]
mod tracing;
