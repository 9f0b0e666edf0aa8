//! The streams to parse. Each run generates them from one seed, so they are equal in all runs.
//!
//! A stream fits in a core's second-level cache, because bytes that come from a socket are in that
//! cache too.

use bytes::Bytes;
use fastrand::Rng;
use std::fmt;
use std::str::FromStr;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The default chunkings.
pub(crate) const CHUNKINGS: [Chunking; 6] = [
    Chunking::Bytes(64 * KIB), // a fast local connection
    Chunking::Bytes(16 * KIB), // a common read buffer, a TLS record
    Chunking::Bytes(1460),     // a TCP segment
    Chunking::Bytes(100),      // a proxy that flushes often
    Chunking::Bytes(10),
    Chunking::Event, // the server of an LLM, which flushes each event
];

/// A way to cut a stream into chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunking {
    /// Chunks of this many bytes, except for the last one.
    Bytes(usize),
    /// A chunk for each event, or for each comment of a keep-alive.
    Event,
}

impl fmt::Display for Chunking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Chunking::Bytes(size) => size.fmt(f),
            Chunking::Event => f.write_str("event"),
        }
    }
}

impl FromStr for Chunking {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("event", _) => Ok(Chunking::Event),
            (_, Ok(size)) if size > 0 => Ok(Chunking::Bytes(size)),
            _ => Err(format!("{text} is neither a number above zero nor \"event\"")),
        }
    }
}

pub(crate) const SCENARIOS: [Scenario; 13] = [
    Scenario { name: "llm", about: "JSON deltas", unit: llm, size: 256 * KIB },
    Scenario { name: "named", about: "type and data", unit: named, size: 256 * KIB },
    Scenario { name: "ids", about: "id, type and data", unit: ids, size: 256 * KIB },
    Scenario { name: "tiny", about: "data: x", unit: tiny, size: 256 * KIB },
    Scenario { name: "multiline", about: "20 lines of data", unit: multiline, size: 256 * KIB },
    Scenario { name: "patch", about: "130 lines of HTML", unit: patch, size: 256 * KIB },
    Scenario { name: "lines", about: "one line of 8 KiB", unit: lines, size: 256 * KIB },
    Scenario { name: "crlf", about: "type and data, CR LF", unit: crlf, size: 256 * KIB },
    Scenario { name: "keepalive", about: "comments only", unit: keepalive, size: 256 * KIB },
    Scenario { name: "large", about: "40 KiB of ASCII", unit: large, size: MIB },
    Scenario { name: "large_utf8", about: "40 KiB of CJK, emoji", unit: large_utf8, size: MIB },
    Scenario { name: "huge", about: "one line of 4 MiB", unit: huge, size: 4 * MIB },
    Scenario { name: "mixed", about: "all but huge", unit: mixed, size: MIB },
];

/// A kind of stream.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Appends one unit: an event, or a comment with its blank line.
    unit: fn(&mut Rng, &mut Vec<u8>),
    /// The minimum size of the stream in bytes.
    size: usize,
}

/// The stream of a scenario.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) scenario: &'static Scenario,
    pub(crate) bytes: Bytes,
    /// Offsets of the ends of its events, each comment of a keep-alive counted as one.
    ends: Vec<usize>,
}

impl Scenario {
    pub(crate) fn stream(&'static self) -> Stream {
        let mut rng = Rng::with_seed(1);
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        while bytes.len() < self.size {
            (self.unit)(&mut rng, &mut bytes);
            ends.push(bytes.len());
        }
        if self.name == "keepalive" {
            // The last event shows by the checksum which parsers reached the end.
            tiny(&mut rng, &mut bytes);
        }
        Stream { scenario: self, bytes: bytes.into(), ends }
    }
}

impl Stream {
    /// Returns the number of events, each comment of a keep-alive counted as one.
    pub(crate) fn units(&self) -> usize {
        self.ends.len()
    }

    /// Cuts the stream into chunks.
    pub(crate) fn chunks(&self, chunking: Chunking) -> Vec<Bytes> {
        let length = self.bytes.len();
        let mut ends: Vec<usize> = match chunking {
            Chunking::Bytes(size) => (size..length).step_by(size).collect(),
            Chunking::Event => self.ends.clone(),
        };
        if ends.last() != Some(&length) {
            ends.push(length);
        }
        let starts = std::iter::once(0).chain(ends.clone());
        starts.zip(ends).map(|(start, end)| self.bytes.slice(start..end)).collect()
    }
}

fn llm(rng: &mut Rng, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: {\"id\":\"chatcmpl-");
    letters(rng, out, 29);
    out.extend_from_slice(b"\",\"object\":\"chat.completion.chunk\",\"created\":17");
    digits(rng, out, 8);
    out.extend_from_slice(
        b",\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" ",
    );
    words(rng, out, 1..60);
    out.extend_from_slice(b"\"},\"finish_reason\":null}]}\n\n");
}

fn named(rng: &mut Rng, out: &mut Vec<u8>) {
    type_and_data(rng, out, "\n");
}

fn crlf(rng: &mut Rng, out: &mut Vec<u8>) {
    type_and_data(rng, out, "\r\n");
}

fn type_and_data(rng: &mut Rng, out: &mut Vec<u8>, line_end: &str) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name(rng).as_bytes());
    out.extend_from_slice(line_end.as_bytes());
    out.extend_from_slice(b"data: {\"symbol\":\"");
    letters(rng, out, 4);
    out.extend_from_slice(b"\",\"price\":");
    digits(rng, out, 6);
    out.extend_from_slice(b",\"note\":\"");
    words(rng, out, 30..70);
    out.extend_from_slice(b"\"}");
    out.extend_from_slice(line_end.as_bytes());
    out.extend_from_slice(line_end.as_bytes());
}

fn ids(rng: &mut Rng, out: &mut Vec<u8>) {
    out.extend_from_slice(b"id: ");
    digits(rng, out, 10);
    out.extend_from_slice(b"\nevent: ");
    out.extend_from_slice(name(rng).as_bytes());
    out.extend_from_slice(b"\ndata: ");
    words(rng, out, 50..70);
    out.extend_from_slice(b"\n\n");
}

fn tiny(_: &mut Rng, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: x\n\n");
}

fn multiline(rng: &mut Rng, out: &mut Vec<u8>) {
    data_lines(rng, out, 20);
}

/// Appends an HTML fragment, as Datastar and htmx send it.
fn patch(rng: &mut Rng, out: &mut Vec<u8>) {
    data_lines(rng, out, 130);
}

fn data_lines(rng: &mut Rng, out: &mut Vec<u8>, count: usize) {
    for _ in 0..count {
        out.extend_from_slice(b"data: ");
        words(rng, out, 45..75);
        out.push(b'\n');
    }
    out.push(b'\n');
}

fn lines(rng: &mut Rng, out: &mut Vec<u8>) {
    line_of_ascii(rng, out, 8 * KIB);
}

fn keepalive(rng: &mut Rng, out: &mut Vec<u8>) {
    out.extend_from_slice(match rng.u32(..3) {
        0 => b":\n\n",
        1 => b": keep-alive\n\n",
        _ => b": ping - 2026-01-31 12:00:00.000000\n\n",
    });
}

fn large(rng: &mut Rng, out: &mut Vec<u8>) {
    line_of_ascii(rng, out, 40 * KIB);
}

fn huge(rng: &mut Rng, out: &mut Vec<u8>) {
    line_of_ascii(rng, out, 4 * MIB);
}

fn line_of_ascii(rng: &mut Rng, out: &mut Vec<u8>, size: usize) {
    out.extend_from_slice(b"data: ");
    words(rng, out, size..size + 64);
    out.extend_from_slice(b"\n\n");
}

fn large_utf8(rng: &mut Rng, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    let end = out.len() + 40 * KIB;
    while out.len() < end {
        let character = match rng.u32(..16) {
            0 => rng.char('\u{1f600}'..'\u{1f64f}'),
            _ => rng.char('\u{4e00}'..'\u{9fff}'),
        };
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    out.extend_from_slice(b"\n\n");
}

/// Appends a random event. All small kinds are equally likely. One event in 500 is of each large
/// kind, so the small ones have most of the bytes.
fn mixed(rng: &mut Rng, out: &mut Vec<u8>) {
    let unit = match rng.u32(..500) {
        0 => large,
        1 => large_utf8,
        _ => [llm, named, ids, tiny, multiline, crlf, keepalive][rng.usize(..7)],
    };
    unit(rng, out);
}

fn name(rng: &mut Rng) -> &'static str {
    ["price", "trade", "order-update", "position"][rng.usize(..4)]
}

fn letters(rng: &mut Rng, out: &mut Vec<u8>, count: usize) {
    out.extend((0..count).map(|_| rng.alphanumeric() as u8));
}

fn digits(rng: &mut Rng, out: &mut Vec<u8>, count: usize) {
    out.extend((0..count).map(|_| rng.u8(b'0'..=b'9')));
}

/// Appends lower-case words with a total size in this range.
fn words(rng: &mut Rng, out: &mut Vec<u8>, size: std::ops::Range<usize>) {
    let size = rng.usize(size);
    out.extend((0..size).map(|_| if rng.u8(..6) == 0 { b' ' } else { rng.lowercase() as u8 }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumer::Digest;
    use crate::reference;

    fn digest(bytes: &[u8]) -> Digest {
        let mut digest = Digest::default();
        reference::parse(bytes, &mut digest);
        digest
    }

    #[test]
    fn every_unit_is_an_event_or_a_comment() {
        for scenario in &SCENARIOS {
            let stream = scenario.stream();
            let events = digest(&stream.bytes).events as usize;
            match scenario.name {
                "keepalive" => assert_eq!(events, 1),
                "mixed" => assert!(stream.units() / 2 < events && events < stream.units()),
                name => assert_eq!(events, stream.units(), "{name}"),
            }
        }
    }

    #[test]
    fn streams_are_the_same_each_time_and_chunks_make_up_the_stream() {
        for scenario in &SCENARIOS {
            let stream = scenario.stream();
            assert_eq!(stream.bytes, scenario.stream().bytes);
            for chunking in CHUNKINGS {
                assert_eq!(stream.chunks(chunking).concat(), stream.bytes);
            }
        }
    }

    #[test]
    fn an_event_is_a_chunk_if_asked_for() {
        let stream = SCENARIOS.iter().find(|it| it.name == "named").unwrap().stream();
        let chunks = stream.chunks(Chunking::Event);
        assert_eq!(chunks.len(), stream.units());
        assert!(chunks.iter().all(|chunk| digest(chunk).events == 1));
    }
}
