//! Server-Sent Events on any runtime: a stream that reconnects by itself, resumes where it left
//! off, and tells you whether it has ended or is reconnecting.
//!
//! ```no_run
//! # #[cfg(feature = "reqwest")]
//! # async fn run() -> Result<(), everstream::Error> {
//! use everstream::{Event, RequestBuilderExt};
//! use futures_util::TryStreamExt;
//!
//! let mut events = reqwest::Client::new().get("http://127.0.0.1:8080/events").into_event_source();
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
//! # Layers
//!
//! Each layer works by itself, on top of those below it:
//!
//! | layer | input and output | needs |
//! |---|---|---|
//! | [`EventSource`] | a request in, events out, over any number of connections | feature `reqwest` or `http` |
//! | [`reconnect`] | connections of any transport and a clock in, events out, with a [`Handle`] for other tasks | atomics |
//! | [`EventStream`] | a stream of byte chunks in, events out | atomics |
//! | [`EventReader`] | an `AsyncRead` in, events out | feature `futures-io` |
//! | [`EventStreamExt`] | any of these in; messages, events of one type, JSON out | atomics; JSON: feature `json` |
//! | [`retry`] | a loss in, a delay out: [`Backoff`] with [`Jitter`], or a [`RetryPolicy`] of your own | |
//! | [`timer`] | a duration in, a future out: [`TokioTimer`], [`SmolTimer`], [`WebTimer`], [`ManualTimer`], or a [`Timer`] of your own | |
//! | [`Parser`] | bytes in, events out that borrow from them, without allocation | |
//! | [`Encoder`] | events in, text out, for a server | |
//!
//! Setters of values have the prefix `with_`, such as [`Backoff::with_max_delay`]. Setters of
//! builders have none.
//!
//! # Features
//!
//! | feature | gives | default |
//! |---|---|---|
//! | `std` | standard-library errors, CPU detection, jitter seeded by the system | yes |
//! | `simd` | SIMD in the parser, with four more crates | yes |
//! | `reqwest` | [`EventSource`] from a `RequestBuilder`; TLS stays your choice | yes |
//! | `http` | [`EventSource`] over any client; no reqwest, tokio or hyper | with `reqwest` |
//! | `tokio` | [`TokioTimer`] (native) | yes |
//! | `wasm` | [`WebTimer`], jitter seeded by the browser (browser) | yes |
//! | `smol`, `async-std` | [`SmolTimer`]; [`EventSource`] under any executor (native) | no |
//! | `futures-io` | [`EventReader`] | no |
//! | `json` | `EventStreamExt::json` | no |
//! | `serde` | `Serialize` and `Deserialize` of events, [`Backoff`] and `Timeouts` | no |
//! | `tracing` | a span for each connection | no |
//!
//! Without default features this is a `no_std` crate that needs `alloc`. Features only add. The
//! oldest supported Rust is 1.85.
//!
//! # Scope
//!
//! In scope: receiving event streams as the
//! [WHATWG HTML standard](https://html.spec.whatwg.org/multipage/server-sent-events.html) defines
//! them, keeping them alive, and reporting what happens to them. Out of scope: an HTTP client or
//! server, WebSockets, storing the last event ID. The
//! [FAQ](https://github.com/everstream-rs/everstream/blob/main/docs/faq.md#refused) gives the
//! reasons.
//!
//! # Pages
//!
//! The repository has a page for each theme:
//! [reconnection](https://github.com/everstream-rs/everstream/blob/main/docs/reconnection.md),
//! [reliability](https://github.com/everstream-rs/everstream/blob/main/docs/reliability.md),
//! [many streams](https://github.com/everstream-rs/everstream/blob/main/docs/many-streams.md),
//! [performance](https://github.com/everstream-rs/everstream/blob/main/docs/performance.md),
//! [security](https://github.com/everstream-rs/everstream/blob/main/docs/security.md),
//! [the FAQ](https://github.com/everstream-rs/everstream/blob/main/docs/faq.md),
//! [serving](https://github.com/everstream-rs/everstream/blob/main/docs/serving.md),
//! [browsers](https://github.com/everstream-rs/everstream/blob/main/docs/browser.md),
//! [testing](https://github.com/everstream-rs/everstream/blob/main/docs/testing.md),
//! [other HTTP clients](https://github.com/everstream-rs/everstream/blob/main/docs/another-reqwest.md),
//! [portability](https://github.com/everstream-rs/everstream/blob/main/docs/portability.md), and
//! [more](https://github.com/everstream-rs/everstream/blob/main/docs/README.md).
// A link to an item that this build lacks leads to docs.rs, which is built with all features.
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
// Nearly every item needs atomics, so only its features are shown beside it.
#![cfg_attr(docsrs, doc(auto_cfg(hide(target_has_atomic = "ptr"))))]

// Target predicates are written out: a name such as `browser` needs a build script. The core has
// none in its whole tree, so it builds for bare metal without a linker for the host.

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(all(feature = "reqwest", target_os = "wasi"))]
compile_error!(
    "reqwest does not compile for WASI. Set `default-features = false` and the feature `http`, and \
     pass the responses of a WASI client to `EventSource::from_response_fn`."
);

mod encoder;
mod frame;
#[cfg_attr(
    not(target_has_atomic = "ptr"),
    allow(
        dead_code,
        unused_imports,
        reason = "the owning parser, which needs atomics, uses the rest"
    )
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

#[cfg(all(feature = "http", not(all(feature = "reqwest", target_os = "wasi"))))]
mod client;

#[cfg(all(feature = "reqwest", not(target_os = "wasi")))]
pub use client::RequestBuilderExt;
#[cfg(all(feature = "http", not(all(feature = "reqwest", target_os = "wasi"))))]
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
#[cfg(all(feature = "reqwest", not(target_os = "wasi")))]
pub use reqwest;

/// Runs the programs of README.md.
#[cfg(all(doctest, feature = "reqwest", feature = "tokio", feature = "json"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(all(doctest, feature = "reqwest", feature = "tokio"))]
mod pages;
