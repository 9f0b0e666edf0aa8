//! Events that own their text.
//!
//! A `Decoder` drives the parser over chunks and writes what it finds into a `Batch`, from which
//! it gives [`MessageEvent`]s and [`OwnedFrame`]s.

mod batch;
mod decoder;
mod message;

pub(crate) use decoder::Decoder;
pub use message::{MessageEvent, OwnedFrame, OwnedUpdate};
