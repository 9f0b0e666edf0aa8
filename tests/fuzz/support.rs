//! The format of the fuzzers' inputs, and the helpers that all targets share.
//!
//! An input is a header of [`HEADER`] bytes, followed by the stream:
//!
//! - Byte 0, the settings. Bit 0: comments are reported. Bits 1 and 2: the last event ID of an
//!   earlier connection, one of [`IDS`]. Bit 3: the stream is stretched, see [`stretch`]. Bit 4:
//!   updates are reported. Bits 5 to 7: the internal sizes, small ones up to 3.
//! - Byte 1, the limit: see [`limit`].
//! - Bytes 2 to 7, the lengths of the chunks, repeated; 0 is an empty chunk. Six zeros leave the
//!   stream in one chunk.
#![allow(dead_code, reason = "each target uses a part of it")]

use std::convert::Infallible;

use everstream::Sizes;
use futures_util::stream::{self, Stream};

#[path = "../support/chunking.rs"]
pub(crate) mod chunking;
#[path = "../support/model.rs"]
pub(crate) mod model;
#[path = "../support/streams.rs"]
pub(crate) mod streams;

use chunking::show;
use model::{Outcome, Settings};
use streams::Sample;

pub(crate) const HEADER: usize = 8;

/// The third ID is longer than an ID that a batch of owned events copies.
const IDS: [fn() -> String; 4] =
    [String::new, || "7".to_owned(), || "i".repeat(300), || "…".to_owned()];

/// Parses an input. Returns `None` if it is shorter than a header.
pub(crate) fn sample(input: &[u8]) -> Option<Sample> {
    let (&[settings, limit_code, ref lengths @ ..], stream) =
        input.split_first_chunk::<HEADER>()?;
    let stretched = settings & 8 != 0;
    let bytes = if stretched { stretch(stream) } else { stream.to_vec() };
    let settings = Settings {
        comments: settings & 1 != 0,
        updates: settings & 16 != 0,
        sizes: match settings >> 5 {
            small @ 0..4 => &streams::SMALL_SIZES[usize::from(small)],
            _ => &Sizes::DEFAULT,
        },
        last_event_id: IDS[usize::from(settings >> 1 & 3)](),
        limit: limit(limit_code),
    };
    let mut cuts = Vec::new();
    if lengths.iter().any(|&length| length > 0) {
        // Long streams have long chunks, because short ones would take too long.
        let unit = if stretched { 257 } else { 1 };
        let mut cut = 0;
        for &length in lengths.iter().cycle() {
            cut += usize::from(length) * unit;
            if cut >= bytes.len() {
                break;
            }
            cuts.push(cut);
        }
    }
    Some(Sample { bytes, cuts, settings })
}

/// Returns the limit of a code. Up to 249 the code is the limit.
fn limit(code: u8) -> usize {
    match code {
        250 => 1000,
        251 => 20_000,
        252 => 1 << 31,
        253 => usize::MAX - 1,
        254 => usize::MAX,
        255 => Settings::default().limit,
        bytes => usize::from(bytes),
    }
}

/// Repeats each of the first eight `X` 17,000 times: more than the decoder puts into a batch. Four
/// of them are more than it parses at once.
fn stretch(stream: &[u8]) -> Vec<u8> {
    let mut left = 8;
    let mut bytes = Vec::new();
    for &byte in stream {
        let mut times = 1;
        if byte == b'X' && left > 0 {
            left -= 1;
            times = 17_000;
        }
        bytes.extend(std::iter::repeat_n(byte, times));
    }
    bytes
}

/// Fails unless the outcome is allowed.
#[track_caller]
pub(crate) fn compare(
    what: &str,
    chunks: &[&[u8]],
    with: &Settings,
    got: &Outcome,
    allowed: &[Outcome],
) {
    assert!(
        allowed.contains(got),
        "{what} differs\n    fed: {}\n   with: {with:?}\n    got: {got:?}\n wanted: {allowed:?}",
        show(chunks),
    );
}

/// A source that is pending before each chunk and before its end.
pub(crate) fn hesitant(
    chunks: &[&[u8]],
) -> impl Stream<Item = Result<Vec<u8>, Infallible>> + Unpin + use<> {
    let mut chunks: Vec<_> = chunks.iter().map(|chunk| chunk.to_vec()).collect();
    chunks.reverse();
    let mut ready = false;
    stream::poll_fn(move |_| {
        ready = !ready;
        if ready {
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(chunks.pop().map(Ok))
    })
}
