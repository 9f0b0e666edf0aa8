//! The standard, word for word: WHATWG HTML, section 9.2 "Server-sent events".
//!
//! This is what the parser is compared with. It takes the whole stream at once,
//! decodes it at once, splits it at once and interprets it line by line in the
//! order of the standard's text, so there is nothing here that a chunk boundary
//! could disturb. Quoted text is the standard's. What the standard does not
//! know (a limit, comments that are reported, a seeded id) is marked `Beyond`.

use std::mem;
use std::time::Duration;

/// What a reader of the stream gets to see, in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    Event { event: String, data: String, id: String },
    Comment(String),
    Discarded { id: Option<String>, event: Option<String> },
}

/// How the parser is set up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) limit: usize,
    pub(crate) comments: bool,
    pub(crate) last_event_id: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { limit: 16 * 1024 * 1024, comments: false, last_event_id: String::new() }
    }
}

/// All that can be known about a stream once it has been read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) seen: Vec<Seen>,
    pub(crate) last_event_id: String,
    pub(crate) retry: Option<Duration>,
}

/// The one outcome of a stream.
///
/// # Panics
///
/// If the stream ends where two are allowed; see [`outcomes`].
#[track_caller]
pub(crate) fn outcome(bytes: &[u8], settings: &Settings) -> Outcome {
    let mut allowed = outcomes(bytes, settings);
    let outcome = allowed.swap_remove(0);
    assert!(allowed.is_empty(), "the end of this stream is ambiguous");
    outcome
}

/// The outcomes that are allowed for a stream: one, or now and then two.
///
/// An unterminated last line is never interpreted, but it may be long enough to
/// know that its block exceeds the limit. The block must then be given up at
/// the line's end, and may be before; it must be before as soon as the line is
/// too long by more than [`SLACK`]. So where the stream ends after that limit
/// and before that slack, both answers are allowed.
pub(crate) fn outcomes(bytes: &[u8], settings: &Settings) -> Vec<Outcome> {
    // 9.2.5: "Streams must be decoded using the UTF-8 decode algorithm." It
    // "strips one leading UTF-8 Byte Order Mark (BOM), if any", and replaces
    // what is not UTF-8 by U+FFFD, one for each maximal subpart.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes);

    let mut source = EventSource::new(settings);
    let (lines, unfinished) = split_into_lines(&text);
    for line in lines {
        source.process_line(line);
    }
    // 9.2.6: "Once the end of the file is reached, any pending data must be
    // discarded." So the unfinished line has no other say than its length, of
    // which what decoding adds to it need not be known yet.
    let after_the_last_end = |&byte: &u8| byte != b'\r' && byte != b'\n';
    let received = bytes.iter().rev().take_while(|byte| after_the_last_end(byte)).count();
    source.outcomes_after(unfinished, unfinished.len() - received)
}

/// By how many bytes an unterminated line may be too long before its block is
/// given up: those of a field's name, its colon and its space, and some more.
pub(crate) const SLACK: usize = 16;

/// 9.2.5: "Lines must be separated by either a U+000D CARRIAGE RETURN U+000A
/// LINE FEED (CRLF) character pair, a single U+000A LINE FEED (LF) character,
/// or a single U+000D CARRIAGE RETURN (CR) character."
///
/// Returns the terminated lines, and what follows the last of them.
fn split_into_lines(mut text: &str) -> (Vec<&str>, &str) {
    let mut lines = Vec::new();
    while let Some(end) = text.find(['\r', '\n']) {
        lines.push(&text[..end]);
        text = &text[end..];
        text = text
            .strip_prefix("\r\n")
            .or_else(|| text.strip_prefix('\n'))
            .or_else(|| text.strip_prefix('\r'))
            .expect("a line end was found here");
    }
    (lines, text)
}

/// The event source object of the standard, as far as parsing goes.
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

    // Beyond: the limit and what it needs to know of the block.
    settings: Settings,
    id_of_this_block: Option<String>,
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
            discarding: false,
            seen: Vec::new(),
        }
    }

    /// 9.2.6: "Lines must be processed, in the order they are received, as
    /// follows:"
    fn process_line(&mut self, line: &str) {
        if line.is_empty() {
            // "If the line is empty (a blank line): Dispatch the event, as
            // defined below."
            self.dispatch();
        } else if self.discarding {
            // Beyond: nothing of a block that was given up counts any more.
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
            // Beyond: the block is given up at the line that makes it too big.
            if self.size_with(field, value) > self.settings.limit {
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
            }
            // "Otherwise: The field is ignored."
            _ => {}
        }
    }

    /// 9.2.6: "When the user agent is required to dispatch the event, the user
    /// agent must process the data buffer, the event type buffer, and the last
    /// event ID buffer using steps appropriate for the user agent."
    fn dispatch(&mut self) {
        // Beyond: the blank line ends the block that was given up, too.
        self.id_of_this_block = None;
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

    /// Beyond: the bytes that the block would hold with this field, of which
    /// the data, its separators, the event name and the id count. A name takes
    /// the place of the earlier one and an id that of the earlier one; an id
    /// that will be ignored for its NUL has to be held until that is known.
    fn size_with(&self, field: &str, value: &str) -> usize {
        // The data buffer ends with one line feed more than there are
        // separators: just the one that precedes another data line.
        let data = match field {
            "data" => self.data_buffer.len() + value.len(),
            _ => self.data_buffer.len().saturating_sub(1),
        };
        let event = match field {
            "event" => value.len(),
            _ => self.event_type_buffer.len(),
        };
        let id = match field {
            "id" => value.len(),
            _ => self.id_of_this_block.as_ref().map_or(0, String::len),
        };
        data + event + id
    }

    /// Beyond: gives the block up, with everything that it said so far.
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

    /// Beyond: what an unfinished last line means for the block's size, if
    /// decoding has added that many bytes to it.
    fn outcomes_after(self, unfinished: &str, added: usize) -> Vec<Outcome> {
        let (mut may_be_given_up, mut must_be_given_up) = (false, false);
        // Without its colon, a field's name is not yet known.
        if !self.discarding && unfinished.contains(':') {
            let (field, value) = field_and_value(unfinished);
            if matches!(field, "data" | "event" | "id") {
                let size = self.size_with(field, value);
                may_be_given_up = size > self.settings.limit;
                must_be_given_up = size - added > self.settings.limit.saturating_add(SLACK);
            }
        }
        let report = self.discarded();
        let kept = Outcome {
            seen: self.seen,
            last_event_id: self.last_event_id_string,
            retry: self.reconnection_time,
        };
        let mut given_up = kept.clone();
        given_up.seen.push(report);
        match (may_be_given_up, must_be_given_up) {
            (_, true) => vec![given_up],
            (true, false) => vec![kept, given_up],
            (false, false) => vec![kept],
        }
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

/// "An integer in base ten", of any length; beyond what a `u64` can hold all
/// are the same.
fn milliseconds(digits: &str) -> Duration {
    let significant = digits.trim_start_matches('0');
    Duration::from_millis(match significant {
        "" => 0,
        _ => significant.parse().unwrap_or(u64::MAX),
    })
}
