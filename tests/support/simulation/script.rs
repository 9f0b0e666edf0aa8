//! The script of a connection of the simulated server: the time and kind of its response, its bytes
//! and chunks, and its end. Marks record the places of the log's events in the bytes, so that a
//! history knows what the client must see.

use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;

use super::settings::{FAR, Settings, ms};

/// An event of the server's log. Events are numbered from 1.
pub(crate) struct Entry {
    pub(crate) kind: &'static str,
    pub(crate) data: String,
    /// True if it is sent with its number as its ID.
    pub(crate) has_id: bool,
    /// True if it is sent with a size over the client's limit.
    pub(crate) is_oversized: bool,
}

impl Entry {
    pub(crate) fn any(rng: &mut Rng, settings: &Settings) -> Entry {
        const KINDS: [&str; 4] = ["message", "message", "tick", "größer"];
        const DATA: [&str; 7] =
            ["", "x", "two\nlines", "\n", ": no comment", "zwölf Boxkämpfer 😀", "id: 99"];
        Entry {
            kind: KINDS[rng.usize(..KINDS.len())],
            data: DATA[rng.usize(..DATA.len())].to_owned(),
            has_id: settings.all_have_ids || rng.bool(),
            is_oversized: settings.limit.is_some() && rng.u8(..6) == 0,
        }
    }
}

/// The effect of some bytes on the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// The event with this number.
    Event(usize),
    /// The report that the event with this number was too large.
    Discarded(usize),
    /// Only a last event ID; 0 for none.
    Id(usize),
    Comment(String),
    Retry(Duration),
}

#[derive(Debug, Clone)]
pub(crate) struct Mark {
    /// The offset at which its block begins.
    pub(crate) from: usize,
    /// The number of bytes with which it is complete.
    pub(crate) at: usize,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Open,
    Refuse { retry_after: Option<Duration> },
    Again,
    Fatal,
    Finished,
}

/// The script of a connection. Times count from the attempt.
pub(crate) struct Script {
    /// True if the body is not an event stream.
    pub(crate) is_garbage: bool,
    pub(crate) answer: (Duration, Answer),
    pub(crate) bytes: Bytes,
    pub(crate) marks: Vec<Mark>,
    /// The time and the end of each chunk.
    pub(crate) chunks: Vec<(Duration, usize)>,
    /// The time of the end of the body, and true if it breaks.
    pub(crate) end: (Duration, bool),
}

impl Script {
    /// Returns the script of a correct server, which replays all of the log after `position` at
    /// once.
    pub(crate) fn kind(rng: &mut Rng, settings: &Settings, log: &[Entry], position: usize) -> Self {
        let (bytes, marks) = Writer::new(rng, settings).replay(log, position);
        let chunks = vec![(Duration::ZERO, bytes.len())];
        let answer = (Duration::ZERO, Answer::Open);
        let end = (FAR, true);
        Script { is_garbage: false, answer, bytes: bytes.into(), marks, chunks, end }
    }

    /// Returns a random script.
    pub(crate) fn any(rng: &mut Rng, settings: &Settings, log: &[Entry], position: usize) -> Self {
        let answer = match rng.u8(..32) {
            0 => Answer::Fatal,
            1 => Answer::Finished,
            2..4 => Answer::Again,
            4..8 => Answer::Refuse { retry_after: settings.any_retry_after(rng) },
            _ => Answer::Open,
        };
        let answers_at = match rng.u8(..8) {
            0 => FAR,
            1..4 => ms(rng.u64(1..20_000)),
            _ => Duration::ZERO,
        };
        let is_garbage = rng.u8(..16) == 0;
        let (mut bytes, mut marks) = match is_garbage {
            true => (any_garbage(rng).to_vec(), Vec::new()),
            false => Writer::new(rng, settings).replay(log, position),
        };
        // Most bodies stop at a random byte, even in a line or in a character.
        if rng.u8(..4) != 0 {
            bytes.truncate(rng.usize(..=bytes.len()));
            marks.retain(|mark| mark.from < bytes.len());
        }
        let (chunks, sent) = any_chunks(rng, bytes.len(), answers_at);
        let ends_at = match rng.u8(..4) {
            0 => FAR,
            1 => sent + ms(rng.u64(1..20_000)),
            _ => sent,
        };
        let end = (ends_at.max(sent), rng.bool());
        let answer = (answers_at, answer);
        Script { is_garbage, answer, bytes: bytes.into(), marks, chunks, end }
    }
}

/// Returns a body that is not an event stream.
fn any_garbage(rng: &mut Rng) -> &'static [u8] {
    const GARBAGE: [&[u8]; 4] = [
        b"{\"error\": {\"type\": \"overloaded\"}}",
        b"<!DOCTYPE html>\n<html>\n\n<p>502</p>\n\n",
        b"\xff\xfe\0\x1f\x8b\r\r\n\n\x80",
        b"Data: not a field\n\ndata : nor is this\n\n",
    ];
    GARBAGE[rng.usize(..GARBAGE.len())]
}

/// Returns random chunks of this many bytes, and the time of the last one.
fn any_chunks(
    rng: &mut Rng,
    length: usize,
    mut time: Duration,
) -> (Vec<(Duration, usize)>, Duration) {
    let most = match rng.u8(..8) {
        _ if length > 1000 => 4096,
        0 => 1,
        1..5 => 50,
        _ => length.max(1),
    };
    let pause = match rng.u8(..4) {
        0 => 4000,
        1 => 300,
        _ => 0,
    };
    let mut chunks = Vec::new();
    let mut sent = 0;
    while sent < length {
        sent = (sent + rng.usize(1..=most)).min(length);
        time += ms(rng.u64(..=pause));
        chunks.push((time, sent));
    }
    (chunks, time)
}

/// A writer of blocks in random notations.
struct Writer<'a> {
    rng: &'a mut Rng,
    settings: &'a Settings,
    bytes: Vec<u8>,
    marks: Vec<Mark>,
    /// The only line end that it uses, if there is one.
    line_end: Option<&'static str>,
    from: usize,
    /// The last event ID so far.
    id: usize,
}

impl<'a> Writer<'a> {
    fn new(rng: &'a mut Rng, settings: &'a Settings) -> Self {
        let line_end = [None, Some("\n"), Some("\r\n"), Some("\r")][rng.usize(..4)];
        Writer { rng, settings, bytes: Vec::new(), marks: Vec::new(), line_end, from: 0, id: 0 }
    }

    /// Writes the log after `position`, with random other lines.
    fn replay(mut self, log: &[Entry], position: usize) -> (Vec<u8>, Vec<Mark>) {
        self.id = position;
        if self.rng.u8(..8) == 0 {
            self.bytes.extend("\u{feff}".as_bytes());
        }
        for (index, entry) in log.iter().enumerate().skip(position) {
            self.aside();
            self.entry(index + 1, entry);
            if self.rng.u8(..8) == 0 {
                self.id_alone(index + 1);
            }
        }
        self.aside();
        (self.bytes, self.marks)
    }

    fn mark(&mut self, at: usize, what: What) {
        self.marks.push(Mark { from: self.from, at, what });
    }

    /// Ends the line, and returns the number of bytes with which it is complete.
    fn end_line(&mut self) -> usize {
        let mut end = self.line_end.unwrap_or_else(|| ["\n", "\r\n", "\r"][self.rng.usize(..3)]);
        if end == "\n" && self.bytes.last() == Some(&b'\r') {
            end = "\r"; // or it would be the other half of that
        }
        self.bytes.extend(end.as_bytes());
        self.bytes.len() + 1 - end.len()
    }

    fn field(&mut self, name: &str, value: &str) -> usize {
        self.bytes.extend(name.as_bytes());
        if !value.is_empty() || self.rng.bool() {
            let space = value.starts_with(' ') || self.rng.bool();
            self.bytes.extend(if space { ": " } else { ":" }.as_bytes());
        }
        self.bytes.extend(value.as_bytes());
        self.end_line()
    }

    /// Writes lines without an event between two blocks.
    fn aside(&mut self) {
        self.from = self.bytes.len();
        match self.rng.u8(..8) {
            0 => self.comment(),
            1 => {
                self.retry();
                self.end_line();
            }
            2 => {
                self.field("unknown", "data: x");
                self.end_line();
            }
            _ => {}
        }
    }

    fn comment(&mut self) {
        let text = match self.settings.limit {
            // A comment over the limit is skipped.
            Some(limit) if self.rng.u8(..4) == 0 => ".".repeat(limit + 16 + self.any_excess()),
            _ => "alive".to_owned(),
        };
        let at = self.field("", &text);
        if text == "alive" {
            self.mark(at, What::Comment(text));
        }
    }

    /// Writes a `retry` line, valid or not.
    fn retry(&mut self) {
        const VALUES: [&str; 10] = [
            "0",
            "50",
            "2000",
            "00700",
            "90000",
            "99999999999999999999999999",
            "1000x",
            "-1",
            "+5",
            "",
        ];
        let value = VALUES[self.rng.usize(..VALUES.len())];
        let at = self.field("retry", value);
        if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            let retry = ms(value.parse().unwrap_or(u64::MAX));
            self.mark(at, What::Retry(retry));
        }
    }

    fn entry(&mut self, number: usize, entry: &Entry) {
        self.from = self.bytes.len();
        if entry.is_oversized {
            return self.oversized(number, entry);
        }
        let id_first = self.rng.bool();
        if id_first {
            self.id(number, entry);
        }
        if entry.kind != "message" || self.rng.u8(..4) == 0 {
            self.field("event", entry.kind);
        }
        match self.rng.u8(..8) {
            0 => self.retry(),
            1 => self.comment(),
            _ => {}
        }
        for line in entry.data.split('\n') {
            self.field("data", line);
        }
        if !id_first {
            self.id(number, entry);
        }
        let at = self.end_line();
        self.mark(at, What::Event(number));
    }

    /// Writes an `id` line. An event without an ID may repeat the previous ID.
    fn id(&mut self, number: usize, entry: &Entry) {
        if entry.has_id {
            self.id = number;
        }
        if entry.has_id || (self.id != 0 && self.rng.u8(..4) == 0) {
            self.field("id", &self.id.to_string());
        }
    }

    fn oversized(&mut self, number: usize, entry: &Entry) {
        let limit = self.settings.limit.unwrap_or_default();
        if entry.has_id && self.rng.bool() {
            self.field("id", &number.to_string());
        }
        let mut left = limit + 16 + self.any_excess();
        let line = if self.rng.bool() { left } else { self.rng.usize(16..=left) };
        while left > 0 {
            let length = line.min(left);
            self.field("data", &"y".repeat(length));
            left -= length;
        }
        let at = self.end_line();
        self.mark(at, What::Discarded(number));
    }

    /// Returns a number of bytes over the limit, sometimes enough to show in the memory.
    fn any_excess(&mut self) -> usize {
        if self.rng.u8(..16) == 0 { 30_000 } else { self.rng.usize(..100) }
    }

    /// Writes a block without data that sets the last event ID.
    fn id_alone(&mut self, number: usize) {
        self.from = self.bytes.len();
        let id = match self.settings.all_have_ids {
            false if self.rng.u8(..4) == 0 => 0,
            _ => number,
        };
        match id {
            0 => self.field("id", ""),
            id => self.field("id", &id.to_string()),
        };
        self.id = id;
        let at = self.end_line();
        self.mark(at, What::Id(id));
    }
}
