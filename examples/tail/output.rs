//! The output.
//!
//! Writing does not panic if the output is closed, as `println!` would. Control characters of the
//! server are escaped, because they could take over the terminal.

use everstream::{Event, MessageEvent, Opened};
use serde_json::Value;
use std::io::{self, Write};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

/// The output for the state of the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    ToStdout,
    /// Standard error, so that standard output has only events.
    ToStderr,
}

/// Prints the items of a stream in columns, which grow with their content.
pub(crate) struct Output {
    format: Format,
    status: Status,
    id_width: usize,
    event_width: usize,
}

impl Output {
    /// The maximum width of a column.
    const WIDEST: usize = 24;

    pub(crate) fn new(format: Format, status: Status) -> Self {
        Output { format, status, id_width: 2, event_width: 8 }
    }

    pub(crate) fn show(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Open(opened) => self.tell(&open(opened)),
            Event::Message(message) => {
                let text = match self.format {
                    Format::Text => self.columns(message),
                    Format::Json => json_event(message),
                };
                print(&text)
            }
            Event::Comment(comment) => match self.format {
                Format::Text => {
                    let indent = self.id_width + 2;
                    print(&format!("{:indent$}  : {}\n", "", escape(comment)))
                }
                Format::Json => print(&format!("{{\"comment\":{}}}\n", json(comment))),
            },
            Event::Reconnecting { reason, delay, .. } => {
                let reason = escape(&reason.to_string());
                self.tell(&format!("reconnecting in {delay:.1?}: {reason}"))
            }
            Event::Discarded(discarded) => self.tell(&discarded.to_string()),
            other => self.tell(&format!("{other:?}")),
        }
    }

    /// Prints a line that is not an event.
    pub(crate) fn tell(&self, line: &str) -> io::Result<()> {
        match self.status {
            Status::ToStdout => print(&format!("{line}\n")),
            Status::ToStderr => {
                say(&format!("{line}\n"));
                Ok(())
            }
        }
    }

    /// Formats the ID, the type, and the lines of the data below each other.
    fn columns(&mut self, message: &MessageEvent) -> String {
        let (id, event) = (escape(message.id()), escape(message.event()));
        let width = |text: &str| text.chars().count().min(Self::WIDEST);
        self.id_width = self.id_width.max(width(&id));
        self.event_width = self.event_width.max(width(&event));

        let (id_width, event_width) = (self.id_width, self.event_width);
        let head = format!("  {id:>id_width$}  {event:event_width$}  ");
        let indent = " ".repeat(head.chars().count());
        let data = escape(message.data()).replace('\n', &format!("\n{indent}"));
        let lines = format!("{head}{data}\n");
        lines.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

fn open(opened: &Opened) -> String {
    let url = opened.url().unwrap_or_default();
    match opened.last_event_id() {
        Some(id) => format!("open {url} after id {}", escape(id)),
        None => format!("open {url}"),
    }
}

fn json_event(message: &MessageEvent) -> String {
    let (event, data, id) = (json(message.event()), json(message.data()), json(message.id()));
    format!("{{\"event\":{event},\"data\":{data},\"id\":{id}}}\n")
}

fn json(text: &str) -> Value {
    Value::from(text)
}

/// Escapes control characters, except for line feeds and tabs.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' | '\t' => escaped.push(char),
            _ if char.is_control() => escaped.extend(char.escape_default()),
            _ => escaped.push(char),
        }
    }
    escaped
}

/// Returns the text as one line of at most `limit` characters.
pub(crate) fn one_line(text: &str, limit: usize) -> String {
    let line = escape(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    match line.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Writes to standard output, and flushes it.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Writes to standard error. A failure cannot be reported, so it is ignored.
fn say(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Prints the reason for a failure, in one line.
pub(crate) fn complain(reason: &str) {
    say(&format!("tail: {}\n", one_line(reason, usize::MAX)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_grow_and_lines_of_data_are_aligned() {
        let mut output = Output::new(Format::Text, Status::ToStdout);
        let mut columns = |event, data, id| output.columns(&MessageEvent::new(event, data, id));
        assert_eq!(columns("", "a\n\nb", ""), "      message   a\n\n                b\n");
        assert_eq!(columns("a long name", "a", "1234"), "  1234  a long name  a\n");
        assert_eq!(columns("x", "é", "1"), "     1  x            é\n");
    }

    #[test]
    fn no_byte_of_a_server_takes_over_the_terminal() {
        let mut output = Output::new(Format::Text, Status::ToStdout);
        let event = MessageEvent::new("\u{7}", "\u{1b}[2J\tok\u{9b}", "\0");
        assert_eq!(output.columns(&event), "  \\u{0}  \\u{7}     \\u{1b}[2J\tok\\u{9b}\n");
    }

    #[test]
    fn json_is_one_line_whatever_the_data() {
        let text = "a\n\"b\"\u{1b} \u{2028}é";
        let line = json_event(&MessageEvent::new("x\"", text, "7"));
        assert_eq!(line.lines().count(), 1);
        let object: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object["event"], "x\"");
        assert_eq!(object["data"], text);
        assert_eq!(object["id"], "7");
    }

    #[test]
    fn a_body_becomes_one_line_of_limited_length() {
        assert_eq!(one_line(" no\r\n such\t stream\n", 100), "no such stream");
        assert_eq!(one_line("\u{1b}ééé", 6), "\\u{1b}…");
        assert_eq!(one_line("ééé", 3), "ééé");
    }
}
