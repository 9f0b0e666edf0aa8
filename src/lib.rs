//! Server-Sent Events on any runtime.
//!
//! The [`EventSource`] is a stream of events over HTTP that reconnects by itself:
//!
//! ```no_run
//! # #[cfg(feature = "reqwest")]
//! # async fn run() -> Result<(), everstream::Error> {
//! use everstream::{Event, RequestBuilderExt};
//! use futures_util::TryStreamExt;
//!
//! let mut events = reqwest::Client::new().get("http://localhost/events").into_event_source();
//! while let Some(event) = events.try_next().await? {
//!     match event {
//!         Event::Message(message) => println!("{}: {}", message.event(), message.data()),
//!         Event::Reconnecting { reason, delay, .. } => eprintln!("{reason}; again in {delay:?}"),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
#![cfg_attr(feature = "reqwest", doc = include_str!("guide.md"))]
//!
//! # The floors
//!
//! It stands on floors that can be used by themselves, each on those below it:
//!
//! | floor | what it does | needs |
//! |---|---|---|
//! | [`EventSource`] | a request in, events out, for as long as it is polled | feature `reqwest` |
//! | [`reconnect`] | the same over any transport and any clock; [`Handle`] for control from elsewhere | atomics |
//! | [`EventStream`] | a stream of byte chunks as a stream of events | atomics |
//! | [`EventReader`] | an `AsyncRead` as a stream of events | feature `futures-io` |
//! | [`EventStreamExt`] | of any of these only the messages, those of one type, up to a sentinel, decoded from JSON | atomics; JSON: feature `json` |
//! | [`retry`] | when to connect again: [`Backoff`] with [`Jitter`], or a [`RetryPolicy`] of your own | |
//! | [`timer`] | what measures time: [`TokioTimer`], [`SmolTimer`], [`WebTimer`], [`ManualTimer`], or a [`Timer`] of your own | |
//! | [`Parser`] | bytes in, events out, lent without allocation | |
//! | [`Encoder`] | events in, text out, for those who send events | |
//!
//! # In scope
//!
//! Receiving event streams as the
//! [WHATWG HTML standard](https://html.spec.whatwg.org/multipage/server-sent-events.html)
//! has them, keeping them alive, and telling what happened to them.
//!
//! # Out of scope
//!
//! An HTTP client or server of its own, WebSockets, storing the last event ID. The README says
//! why, and what else is refused.
//!
//! # Features
//!
//! `std`, `reqwest`, `tokio` and `wasm` are on by default. `smol`, or `async-std`, which is
//! the same, makes [`EventSource`] work outside of tokio too, under any executor, and adds
//! [`SmolTimer`]; `futures-io` adds [`EventReader`]. In the browser, `wasm` adds [`WebTimer`].
//! `json` adds `EventStreamExt::json`; `serde` adds `Serialize` and `Deserialize` of events;
//! `tracing` adds a span for each connection. Without default features this is a `no_std`
//! crate that needs `alloc`. Features only ever add.
// Where a feature is off, links to what it gives lead to the documentation of all, and so
// do those to what another target has.
#![cfg_attr(
    not(feature = "http"),
    doc = "\n\n[`EventSource`]: <https://docs.rs/everstream/latest/everstream/struct.EventSource.html>\n"
)]
#![cfg_attr(
    not(all(feature = "tokio", not(target_family = "wasm"))),
    doc = "\n\n[`TokioTimer`]: <https://docs.rs/everstream/latest/everstream/struct.TokioTimer.html>\n"
)]
#![cfg_attr(
    not(all(feature = "smol", not(target_family = "wasm"))),
    doc = "\n\n[`SmolTimer`]: <https://docs.rs/everstream/latest/everstream/struct.SmolTimer.html>\n"
)]
#![cfg_attr(
    not(feature = "futures-io"),
    doc = "\n\n[`EventReader`]: <https://docs.rs/everstream/latest/everstream/struct.EventReader.html>\n"
)]
#![cfg_attr(
    not(all(feature = "wasm", target_arch = "wasm32", target_os = "unknown")),
    doc = "\n\n[`WebTimer`]: <https://docs.rs/everstream/latest/wasm32-unknown-unknown/everstream/struct.WebTimer.html>\n"
)]
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// Which features something needs is said beside it; that nearly all of it needs atomics, above.
#![cfg_attr(docsrs, doc(auto_cfg(hide(target_has_atomic = "ptr"))))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod encoder;
mod frame;
#[cfg_attr(
    not(target_has_atomic = "ptr"),
    allow(dead_code, unused_imports, reason = "the owned face, which is absent, uses the rest")
)]
mod parser;
pub mod retry;
pub mod timer;

#[cfg(target_has_atomic = "ptr")]
mod ext;
#[cfg(target_has_atomic = "ptr")]
mod owned;
#[cfg(all(feature = "futures-io", target_has_atomic = "ptr"))]
mod reader;
#[cfg(target_has_atomic = "ptr")]
pub mod reconnect;
#[cfg(all(feature = "serde", target_has_atomic = "ptr"))]
mod serialize;
#[cfg(target_has_atomic = "ptr")]
mod stream;
#[cfg(target_has_atomic = "ptr")]
mod sync;
#[cfg(all(feature = "tracing", target_has_atomic = "ptr"))]
mod trace;
#[cfg(all(not(feature = "tracing"), target_has_atomic = "ptr"))]
#[path = "trace/off.rs"]
mod trace;

#[cfg(feature = "http")]
mod client;

/// What counts for others to see: 64 bits where the target has atomics of that size.
#[cfg(target_has_atomic = "64")]
pub(crate) type AtomicCount = core::sync::atomic::AtomicU64;
#[cfg(all(target_has_atomic = "ptr", not(target_has_atomic = "64")))]
pub(crate) type AtomicCount = core::sync::atomic::AtomicU32;

#[cfg(feature = "reqwest")]
pub use client::RequestBuilderExt;
#[cfg(feature = "http")]
pub use client::{
    AttemptError, Disconnect, Error, Event, EventSource, EventSourceBuilder, Fatal, Opened,
    Reconnection, RequestAttempt, Response, ResponseStart, TransportError, TransportErrorKind,
};
pub use encoder::{EncodeError, Encoder, EventEncoder};
pub use frame::{Discarded, EventView, Frame, Update};
#[doc(hidden)]
pub use parser::Sizes;
pub use parser::{Frames, Parser};
pub use retry::{Backoff, DisconnectKind, Jitter, RetryContext, RetryPolicy};
pub use timer::{DefaultTimer, Timer, TimerFn, timer_fn};

#[cfg(target_has_atomic = "ptr")]
pub use ext::{
    Encoded, EncodedError, EventItem, EventStreamExt, MessageError, Messages, Predicate, Router,
    Sentinel, Terminated, Until,
};
#[cfg(all(feature = "json", target_has_atomic = "ptr"))]
pub use ext::{Json, JsonError};
#[cfg(target_has_atomic = "ptr")]
pub use owned::{MessageEvent, OwnedFrame, OwnedUpdate};
#[cfg(all(feature = "futures-io", target_has_atomic = "ptr"))]
pub use reader::EventReader;
#[cfg(target_has_atomic = "ptr")]
pub use reconnect::{Handle, Health, OnOversize, ReadyState, StateWatch, Stats};
#[cfg(target_has_atomic = "ptr")]
pub use stream::EventStream;
#[cfg(target_has_atomic = "ptr")]
pub use timer::ManualTimer;
#[cfg(all(feature = "smol", not(target_family = "wasm")))]
pub use timer::SmolTimer;
#[cfg(all(feature = "tokio", not(target_family = "wasm")))]
pub use timer::TokioTimer;
#[cfg(all(feature = "wasm", target_arch = "wasm32", target_os = "unknown"))]
pub use timer::WebTimer;

#[cfg(target_has_atomic = "ptr")]
pub use bytes;
#[cfg(feature = "http")]
pub use http;
#[cfg(feature = "reqwest")]
pub use reqwest;

/// Runs the examples of the README.
#[cfg(all(doctest, feature = "reqwest", feature = "tokio", feature = "json"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(all(doctest, feature = "reqwest", feature = "tokio"))]
mod pages;
