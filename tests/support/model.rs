//! The standard, word for word: WHATWG HTML, section 9.2 "Server-sent events".
//!
//! The parsers are compared with this model. It decodes and splits the whole stream at once, and
//! interprets it line by line in the order of the standard's text, so chunk boundaries cannot
//! affect it. Quoted text is the standard's. Features outside of the standard (the limit, reported
//! comments, an initial ID) are marked `Beyond`.

use std::mem;
use std::time::Duration;

use everstream::Sizes;

/// A frame of the stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    Event { event: String, data: String, id: String },
    Comment(String),
    Discarded { id: Option<String>, event: Option<String> },
    Update { last_event_id: String, retry: Option<Duration> },
}

/// The settings of a parser.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) limit: usize,
    pub(crate) comments: bool,
    pub(crate) updates: bool,
    pub(crate) last_event_id: String,
    /// The internal sizes, which must not affect the frames.
    pub(crate) sizes: &'static Sizes,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            limit: 16 * 1024 * 1024,
            comments: false,
            updates: false,
            last_event_id: String::new(),
            sizes: &Sizes::DEFAULT,
        }
    }
}

/// The result of reading a stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) seen: Vec<Seen>,
    pub(crate) last_event_id: String,
    pub(crate) retry: Option<Duration>,
}

impl Outcome {
    /// Sets the reconnection time of an earlier stream.
    pub(crate) fn start_with_retry(&mut self, retry: Option<Duration>) {
        self.retry = self.retry.or(retry);
        for seen in &mut self.seen {
            if let Seen::Update { retry: reported, .. } = seen {
                *reported = reported.or(retry);
            }
        }
    }
}

/// Returns the only outcome of a stream.
///
/// # Panics
///
/// Panics if two outcomes are allowed; see [`outcomes`].
#[track_caller]
pub(crate) fn outcome(bytes: &[u8], settings: &Settings) -> Outcome {
    let mut allowed = outcomes(bytes, settings);
    let outcome = allowed.swap_remove(0);
    assert!(allowed.is_empty(), "the end of this stream is ambiguous");
    outcome
}

/// Returns the allowed outcomes of a stream: one or two.
///
/// An incomplete line may be over the limit of its block. The block must be discarded at the end of
/// that line, and may be discarded before. So if the stream ends in such a line, both outcomes are
/// allowed.
pub(crate) fn outcomes(bytes: &[u8], settings: &Settings) -> Vec<Outcome> {
    // 9.2.5: "Streams must be decoded using the UTF-8 decode algorithm." It
    // "strips one leading UTF-8 Byte Order Mark (BOM), if any", and replaces
    // what is not UTF-8 by U+FFFD, one for each maximal subpart.
    //
    // No ill-formed sequence contains a line end, so decoding line by line gives the same text. It
    // also gives the number of bytes of each line.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);

    let mut source = EventSource::new(settings);
    let (lines, unfinished) = split_into_lines(bytes);
    for line in lines {
        source.process_line(&String::from_utf8_lossy(line), line.len());
    }
    // 9.2.6: "Once the end of the file is reached, any pending data must be discarded." So only the
    // length of the unfinished line matters.
    source.outcomes_after(unfinished)
}

/// 9.2.5: "Lines must be separated by either a U+000D CARRIAGE RETURN U+000A
/// LINE FEED (CRLF) character pair, a single U+000A LINE FEED (LF) character,
/// or a single U+000D CARRIAGE RETURN (CR) character."
///
/// Returns the complete lines, and the bytes after the last of them.
fn split_into_lines(mut bytes: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut lines = Vec::new();
    while let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        lines.push(&bytes[..end]);
        bytes = &bytes[end..];
        bytes = bytes
            .strip_prefix(b"\r\n")
            .or_else(|| bytes.strip_prefix(b"\n"))
            .or_else(|| bytes.strip_prefix(b"\r"))
            .expect("a line end was found here");
    }
    (lines, bytes)
}

/// The parts of the standard's event source object that parsing needs.
struct EventSource {
    /// 9.2.6: "a data buffer, an event type buffer, and a last event ID buffer
    /// must be associated with it. They must be initialized to the empty
    /// string."
    data_buffer: String,
    event_type_buffer: String,
    last_event_id_buffer: String,
    /// 9.2.2: the "last event ID string" and the "reconnection time".
    last_event_id_string: String,
    reconnection_time: Option<Duration>,

    // Beyond: the limit, and the facts about the block that it needs.
    settings: Settings,
    id_of_this_block: Option<String>,
    size_of_this_block: usize,
    /// A line of this block set the reconnection time.
    sets_retry: bool,
    discarding: bool,
    seen: Vec<Seen>,
}

impl EventSource {
    fn new(settings: &Settings) -> Self {
        EventSource {
            data_buffer: String::new(),
            event_type_buffer: String::new(),
            // Beyond: an earlier connection, or the user, left an id.
            last_event_id_buffer: settings.last_event_id.clone(),
            last_event_id_string: settings.last_event_id.clone(),
            reconnection_time: None,
            settings: settings.clone(),
            id_of_this_block: None,
            size_of_this_block: 0,
            sets_retry: false,
            discarding: false,
            seen: Vec::new(),
        }
    }

    /// 9.2.6: "Lines must be processed, in the order they are received, as
    /// follows:"
    fn process_line(&mut self, line: &str, received: usize) {
        if line.is_empty() {
            // "If the line is empty (a blank line): Dispatch the event, as
            // defined below."
            self.dispatch();
        } else if self.discarding {
            // Beyond: the rest of a discarded block has no effect.
        } else if let Some(text) = line.strip_prefix(':') {
            // "If the line starts with a U+003A COLON character (:): Ignore
            // the line."
            // Beyond: or report it, unless it is larger than an event may be.
            let text = text.strip_prefix(' ').unwrap_or(text);
            if self.settings.comments && text.len() <= self.settings.limit {
                self.seen.push(Seen::Comment(text.to_owned()));
            }
        } else {
            let (field, value) = field_and_value(line);
            // Beyond: the block is discarded at the line that exceeds the limit. Only lines that
            // belong to an event count.
            if matches!(field, "data" | "event" | "id") {
                self.size_of_this_block += received;
            }
            if self.size_of_this_block > self.settings.limit {
                self.discard();
            } else {
                self.process_field(field, value);
            }
        }
    }

    /// 9.2.6: "The steps to process the field given a field name and a field
    /// value depend on the field name, as given in the following list. Field
    /// names must be compared literally, with no case folding performed."
    fn process_field(&mut self, field: &str, value: &str) {
        match field {
            // "Set the event type buffer to the field value."
            "event" => self.event_type_buffer = value.to_owned(),
            // "Append the field value to the data buffer, then append a single
            // U+000A LINE FEED (LF) character to the data buffer."
            "data" => {
                self.data_buffer += value;
                self.data_buffer += "\n";
            }
            // "If the field value does not contain U+0000 NULL, then set the
            // last event ID buffer to the field value. Otherwise, ignore the
            // field."
            "id" if !value.contains('\0') => {
                self.last_event_id_buffer = value.to_owned();
                self.id_of_this_block = Some(value.to_owned());
            }
            // "If the field value consists of only ASCII digits, then interpret
            // the field value as an integer in base ten, and set the event
            // stream's reconnection time to that integer. Otherwise, ignore the
            // field." No digit at all is no integer.
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.reconnection_time = Some(milliseconds(value));
                self.sets_retry = true;
            }
            // "Otherwise: The field is ignored."
            _ => {}
        }
    }

    /// 9.2.6: "When the user agent is required to dispatch the event, the user
    /// agent must process the data buffer, the event type buffer, and the last
    /// event ID buffer using steps appropriate for the user agent."
    fn dispatch(&mut self) {
        // Beyond: the blank line also ends a discarded block.
        let sets_id = self.id_of_this_block.take().is_some();
        let sets_retry = mem::take(&mut self.sets_retry);
        self.size_of_this_block = 0;
        if mem::take(&mut self.discarding) {
            return;
        }
        // 1. "Set the last event ID string of the event source to the value of
        //    the last event ID buffer. The buffer does not get reset."
        self.last_event_id_string = self.last_event_id_buffer.clone();
        // 2. "If the data buffer is an empty string, set the data buffer and
        //    the event type buffer to the empty string and return."
        if self.data_buffer.is_empty() {
            self.event_type_buffer.clear();
            // Beyond: report an ID or a reconnection time that the block has set.
            if self.settings.updates && (sets_id || sets_retry) {
                self.seen.push(Seen::Update {
                    last_event_id: self.last_event_id_string.clone(),
                    retry: self.reconnection_time,
                });
            }
            return;
        }
        // 3. "If the data buffer's last character is a U+000A LINE FEED (LF)
        //    character, then remove the last character from the data buffer."
        let removed = self.data_buffer.pop();
        assert_eq!(removed, Some('\n'));
        // 5. "Initialize event's type attribute to "message", its data
        //    attribute to data, [...] and its lastEventId attribute to the
        //    last event ID string of the event source."
        // 6. "If the event type buffer has a value other than the empty string,
        //    change the type of the newly created event to equal the value of
        //    the event type buffer."
        // 7. "Set the data buffer and the event type buffer to the empty
        //    string."
        let event = mem::take(&mut self.event_type_buffer);
        self.seen.push(Seen::Event {
            event: if event.is_empty() { "message".to_owned() } else { event },
            data: mem::take(&mut self.data_buffer),
            id: self.last_event_id_string.clone(),
        });
    }

    /// Beyond: discards the block with all of its values.
    fn discard(&mut self) {
        let report = self.discarded();
        self.seen.push(report);
        self.discarding = true;
        self.data_buffer.clear();
        self.event_type_buffer.clear();
        self.last_event_id_buffer = self.last_event_id_string.clone();
    }

    fn discarded(&self) -> Seen {
        Seen::Discarded {
            id: self.id_of_this_block.clone(),
            event: Some(self.event_type_buffer.clone()).filter(|name| !name.is_empty()),
        }
    }

    /// Beyond: applies the limit to an unfinished last line.
    fn outcomes_after(self, unfinished: &[u8]) -> Vec<Outcome> {
        let line = String::from_utf8_lossy(unfinished);
        let (field, _) = field_and_value(&line);
        let may_be_given_up = !self.discarding
            && line.contains(':') // without it, the field's name is not yet known
            && matches!(field, "data" | "event" | "id")
            && self.size_of_this_block + unfinished.len() > self.settings.limit;
        let report = self.discarded();
        let kept = Outcome {
            seen: self.seen,
            last_event_id: self.last_event_id_string,
            retry: self.reconnection_time,
        };
        let mut given_up = kept.clone();
        given_up.seen.push(report);
        if may_be_given_up { vec![kept, given_up] } else { vec![kept] }
    }
}

/// 9.2.6: "If the line contains a U+003A COLON character (:): Collect the
/// characters on the line before the first U+003A COLON character (:), and let
/// field be that string. Collect the characters on the line after the first
/// U+003A COLON character (:), and let value be that string. If value starts
/// with a U+0020 SPACE character, remove it from value."
///
/// "Otherwise, the string is not empty but does not contain a U+003A COLON
/// character (:): [...] using the whole line as the field name, and the empty
/// string as the field value."
fn field_and_value(line: &str) -> (&str, &str) {
    match line.split_once(':') {
        Some((field, value)) => (field, value.strip_prefix(' ').unwrap_or(value)),
        None => (line, ""),
    }
}

/// Parses "an integer in base ten" of any length. Larger numbers than a `u64` can hold count as its
/// maximum.
fn milliseconds(digits: &str) -> Duration {
    let significant = digits.trim_start_matches('0');
    Duration::from_millis(match significant {
        "" => 0,
        _ => significant.parse().unwrap_or(u64::MAX),
    })
}
