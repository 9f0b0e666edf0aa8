//! Byte streams that the browser's own `EventSource` and everstream must read equally. The first
//! test each rule of the standard (WHATWG HTML, section 9.2), at once and byte by byte. The others
//! are random streams in random chunks.
//!
//! The number of a stream determines its bytes.

use crate::support::model::{self, Seen, Settings};
use crate::support::streams::stream;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use bytes::Bytes;
use fastrand::Rng;
use futures_util::stream as futures_stream;
use serde::Serialize;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::sleep;

/// The maximum number of pauses in a stream.
const PAUSES: usize = 8;

/// The rules. Each stream tests the browser and everstream.
const RULES: &[&[u8]] = &[
    // 9.2.5, the grammar: line ends, of any kind and mixed.
    b"data: lf\n\n",
    b"data: cr\r\r",
    b"data: crlf\r\n\r\n",
    b"data: one\rdata: two\ndata: three\r\n\n",
    b"data: a\r\n\ndata: b\n\r\ndata: c\r\r\n",
    b"data: a\n\rdata: b\r\n\rdata: c\n\r\n",
    b"data: a\r\rdata: b\r\r",
    b"\n\n\r\r\r\n\r\ndata: after blank lines\n\n",
    b"data: vertical tab\x0Bform feed\x0Cnext line\xC2\x85separators\xE2\x80\xA8\xE2\x80\xA9\n\n",
    // A byte order mark.
    b"\xEF\xBB\xBFdata: bom\n\n",
    b"\xEF\xBB\xBF\xEF\xBB\xBFdata: second bom\n\ndata: after\n\n",
    b"\ndata: first\n\n\xEF\xBB\xBFdata: late bom\n\ndata: after\n\n",
    b"\xEF\xBBdata: broken bom\n\ndata: after\n\n",
    b"\xEF\xBB\xBF\ndata: bom and a blank line\n\n",
    b"data: \xEF\xBB\xBFbom in a value\n\n",
    b"\xFE\xFF\x00d\x00a\n\ndata: after\n\n",
    // UTF-8, decoded with replacement.
    "data: Grüße, привет, こんにちは, مرحبا, 🦀\n\n".as_bytes(),
    b"data: \xFF\xFE\n\n",
    b"data: \xC0\x80 overlong\n\n",
    b"data: \xE0\x80\x80 overlong\n\n",
    b"data: \xED\xA0\x80 surrogate\n\n",
    b"data: \xF4\x90\x80\x80 too large\n\n",
    b"data: \xE2\x82 truncated\n\n",
    b"data: \xF0\x9F\x98\n\ndata: after\n\n",
    b"data: \xF0\x9F\xF0\x9F\xA6\x80\n\n",
    b"data: \x80\xBF lonely\n\n",
    b"event: \xFFtype\ndata: x\n\n",
    b"id: \xFFid\ndata: x\n\n",
    // 9.2.6, the fields: colons and spaces.
    b"data\n\n",
    b"data:\n\n",
    b"data: \n\n",
    b"data:  two spaces\n\n",
    b"data:no space\n\n",
    b"data:\ttab\n\n",
    b"data: a: b: c\n\n",
    b"data : a space before the colon\n\ndata: after\n\n",
    b" data: a space before the name\n\ndata: after\n\n",
    b"data: trailing space \n\n",
    b"data\ndata\n\n",
    b"data:\ndata:\ndata:\n\n",
    b"data\ndata: x\n\n",
    b"data: YHOO\ndata: +2\ndata: 10\n\n",
    b"data: x\ndata\n\n",
    // Comments, and names that are none.
    b": a comment\n\ndata: x\n\n",
    b":\n:\n:\n\ndata: x\n:in between\ndata: y\n\n",
    b":data: not data\n\ndata: x\n\n",
    b"DATA: upper case\nData: mixed\ndata: x\n\n",
    b"datax: longer\ndat: shorter\ndata: x\n\n",
    b"foo: bar\nfoo\nfoo:\ndata: x\n\n",
    b"data\0: nul in a name\ndata: x\n\n",
    b"data: nul \0 in data\n\n",
    // The event type.
    b"event: named\ndata: x\n\n",
    b"event: first\nevent: second\ndata: x\n\n",
    b"event: named\nevent:\ndata: x\n\n",
    b"event: named\nevent\ndata: x\n\n",
    b"event: named\n\ndata: the name is gone\n\n",
    b"event: message\ndata: x\n\n",
    b"event: open\ndata: x\n\n",
    b"event: error\ndata: x\n\n",
    b"event:  spaced \ndata: x\n\n",
    b"event: nul\0\ndata: x\n\n",
    b"event: only a name\n\n",
    b"data: x\nevent: behind the data\n\n",
    // The last event ID.
    b"id: 1\ndata: x\n\n",
    b"id: 1\ndata: x\n\ndata: kept\n\n",
    b"id: 1\ndata: x\n\nid\ndata: reset\n\n",
    b"id: 1\ndata: x\n\nid:\ndata: reset\n\n",
    b"id: 1\n\ndata: an id without data counts\n\n",
    b"id: 1\nid: 2\ndata: x\n\n",
    b"id: 1\ndata: x\n\nid: nul\0\ndata: the old one\n\n",
    b"id: \0\ndata: none\n\n",
    b"id: 1\nid: \0\ndata: x\n\n",
    b"data: x\nid: behind the data\n\n",
    b"id:  spaced \ndata: x\n\n",
    "id: …\ndata: x\n\n".as_bytes(),
    b"ID: 1\ndata: x\n\n",
    b"id: 1\ndata: x\n\nid: 2\n\n\ndata: y\n\n",
    // The reconnection time, which no event shows.
    b"retry: 100\ndata: x\n\n",
    b"retry: \nretry: x\nretry: -1\nretry: 1.5\nretry\ndata: x\n\n",
    b"retry: 99999999999999999999999\ndata: x\n\n",
    b"retry: 1\n\ndata: x\n\n",
    // The end of the file: what is pending is discarded.
    b"",
    b"data: no end",
    b"data: no blank line\n",
    b"data: no blank line\r",
    b"data: no blank line\r\n",
    b"data: x\n\ndata: pending\n",
    b"data: x\n\ndata: pending",
    b"data: x\n\nid: pending\nevent: pending\n",
    b"data: x\r\n\r",
    b"data: x\n\r",
    b"data: x\r\r\n",
    b"data: x\n\n:",
    b"data: x\n\n\xE2\x82",
    // The examples of the standard (9.2.6).
    b"data: This is the first message.\n\ndata: This is the second message, it\ndata: has two lines.\n\ndata: This is the third message.\n\n",
    b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
    b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
    b"data\n\ndata\ndata\n\ndata:",
    b"data:test\n\ndata: test\n\n",
];

/// The chunks of a stream.
struct Sent {
    bytes: Vec<u8>,
    chunks: Vec<Bytes>,
}

fn sent(number: usize) -> Sent {
    let mut rng = Rng::with_seed(number as u64);
    let rule = RULES.get(number / 2);
    let bytes = rule.map_or_else(|| stream(&mut rng), |rule| rule.to_vec());
    let length = bytes.len();
    let mut cuts: Vec<usize> = match (rule, number % 2) {
        (Some(_), 0) => Vec::new(),
        (Some(_), _) => (1..length).collect(),
        _ => (0..rng.usize(..12)).map(|_| rng.usize(..=length)).collect(),
    };
    cuts.sort_unstable();
    cuts.push(length);
    let mut start = 0;
    let mut chunks = Vec::new();
    for end in cuts {
        if end > start {
            chunks.push(Bytes::copy_from_slice(&bytes[start..end]));
            start = end;
        }
    }
    Sent { bytes, chunks }
}

/// Sends the stream with this number.
pub(crate) fn serve(number: usize) -> Response {
    let chunks = sent(number).chunks;
    // A pause separates the bytes before and after it.
    let pauses_at = chunks.len().div_ceil(PAUSES).max(1);
    let chunks =
        futures_stream::unfold(chunks.into_iter().enumerate(), move |mut chunks| async move {
            let (index, chunk) = chunks.next()?;
            if index % pauses_at == 0 {
                sleep(Duration::from_millis(1)).await;
            }
            Some((Ok::<_, Infallible>(chunk), chunks))
        });
    let mut response = Response::new(Body::from_stream(chunks));
    let event_stream = axum::http::HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(CONTENT_TYPE, event_stream);
    response
}

/// The facts about a stream.
#[derive(Debug, Serialize)]
pub(crate) struct About {
    /// The number of streams that are rules. The others are random.
    rules: usize,
    /// The bytes, to repeat a failure.
    bytes: String,
    chunks: usize,
    /// The type, data and last event ID of its events, by the model of the standard.
    events: Vec<(String, String, String)>,
    traits: Traits,
}

/// The known deviations of browsers from the standard.
#[derive(Debug, Serialize)]
struct Traits {
    nul: bool,
    line_end_after_bom: bool,
    id_without_data: bool,
}

/// Returns the facts about the stream with this number.
pub(crate) fn about(number: usize) -> About {
    let Sent { bytes, chunks } = sent(number);
    let outcome = model::outcome(&bytes, &Settings::default());
    let event = |seen| match seen {
        Seen::Event { event, data, id } => Some((event, data, id)),
        _ => None,
    };
    About {
        rules: RULES.len() * 2,
        bytes: bytes.escape_ascii().to_string(),
        chunks: chunks.len(),
        events: outcome.seen.into_iter().filter_map(event).collect(),
        traits: Traits {
            nul: bytes.contains(&0),
            line_end_after_bom: [b'\n', b'\r']
                .iter()
                .any(|end| bytes.starts_with(&[0xEF, 0xBB, 0xBF, *end])),
            id_without_data: has_id_without_data(&bytes),
        },
    }
}

/// Returns whether a block has an ID and no data.
fn has_id_without_data(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
    let has = |block: &str, field| block.lines().any(|line| line.split(':').next() == Some(field));
    text.split("\n\n").any(|block| has(block, "id") && !has(block, "data"))
}
