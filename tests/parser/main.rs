//! Tests of the parser, of the streams over it, and of the encoder.

#[path = "../support"]
mod support {
    pub(crate) mod chunking;
    pub(crate) mod heap;
    pub(crate) mod model;
    pub(crate) mod streams;
    pub(crate) mod thread_heap;
}

mod chunking;
mod encoder;
mod limits;
mod memory;
mod model;
#[cfg(feature = "futures-io")]
mod reader;
#[cfg(feature = "serde")]
mod serde;
mod sharing;
mod spec;
mod sweep;
