//! The first bytes of a body, until a line shows that it is an event stream. A server or a proxy
//! may send an error text under the content type of an event stream. These bytes keep that text for
//! the error message.

use crate::parser::{Field, may_become_known, recognise};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// Maximum bytes kept. 4 KiB hold any JSON error and the visible part of an error page.
const KEPT: usize = 4096;

pub(super) struct Start {
    /// `None` once a line was a comment or a field of the standard.
    bytes: Option<Box<[u8]>>,
}

impl Default for Start {
    fn default() -> Self {
        Start { bytes: Some(Box::default()) }
    }
}

impl Start {
    /// Appends the next chunk.
    #[inline]
    pub(super) fn take(&mut self, chunk: &[u8]) {
        match &self.bytes {
            Some(bytes) if bytes.len() < KEPT => self.keep(chunk),
            _ => {}
        }
    }

    #[cold]
    fn keep(&mut self, chunk: &[u8]) {
        let mut bytes = Vec::from(self.bytes.take().unwrap_or_default());
        let room = KEPT - bytes.len();
        let chunk = chunk.get(..room).unwrap_or(chunk);
        // Most bodies begin with a known line, so nothing is copied.
        if bytes.is_empty() && is_known(chunk) {
            return;
        }
        bytes.extend_from_slice(chunk);
        if !is_known(&bytes) {
            self.bytes = Some(bytes.into());
        }
    }

    /// Returns the first bytes as text if the body, which has ended, was not an event stream.
    pub(super) fn of_something_else(&self) -> Option<Box<str>> {
        let bytes = self.bytes.as_ref()?;
        let text = without_bom(bytes);
        let mut lines = lines(text);
        let last = lines.next_back().unwrap_or_default();
        if may_become_known(last) && lines.all(<[u8]>::is_empty) {
            return None;
        }
        let text = String::from_utf8_lossy(text);
        // The last character may have been cut in two.
        let is_full = bytes.len() == KEPT;
        let text = if is_full { text.trim_end_matches('\u{fffd}') } else { &text };
        Some(text.to_owned().into())
    }
}

fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes)
}

/// Splits bytes into lines. The last one may be incomplete.
fn lines(bytes: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    bytes.split(|byte| matches!(byte, b'\r' | b'\n'))
}

/// Returns whether a line is a comment or a field of the standard.
fn is_known(bytes: &[u8]) -> bool {
    let mut lines = lines(without_bom(bytes));
    let last = lines.next_back().unwrap_or_default();
    let is_field = |line: &[u8]| recognise(line).0 != Field::Unknown;
    (last.contains(&b':') && is_field(last)) || lines.any(is_field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(chunks: &[&[u8]]) -> Option<Box<str>> {
        let mut start = Start::default();
        chunks.iter().for_each(|chunk| start.take(chunk));
        start.of_something_else()
    }

    fn in_bytes(bytes: &[u8]) -> Option<Box<str>> {
        start(&bytes.chunks(1).collect::<Vec<_>>())
    }

    #[test]
    fn a_body_that_has_a_known_line_is_an_event_stream() {
        for body in [
            "data: x\n\n",
            "data",
            "dat",
            ":",
            ": alive\r\r",
            "\u{feff}id: 1\n",
            "\r\n\r\nretry:5\n",
            "unknown: 1\nevent\n",
            "<html>\n:",
        ] {
            assert_eq!(start(&[body.as_bytes()]), None, "{body:?}");
            assert_eq!(in_bytes(body.as_bytes()), None, "{body:?}");
        }
    }

    #[test]
    fn an_empty_body_is_not_another_kind_of_body() {
        for body in ["", "\n", "\r\n\n\r", "\u{feff}", "\u{feff}\n\n"] {
            assert_eq!(start(&[body.as_bytes()]), None, "{body:?}");
            assert_eq!(in_bytes(body.as_bytes()), None, "{body:?}");
        }
    }

    #[test]
    fn the_start_of_a_body_without_a_known_line_is_kept() {
        for body in [
            "{\"error\": \"overloaded\"}",
            "<!DOCTYPE html>\n<html>\n\n",
            "datum: x\n",
            "Data: x\n\n",
            "data : x\n\n",
            "unauthorized",
        ] {
            assert_eq!(start(&[body.as_bytes()]).as_deref(), Some(body));
            assert_eq!(in_bytes(body.as_bytes()).as_deref(), Some(body));
        }
        assert_eq!(start(&["\u{feff}{}".as_bytes()]).as_deref(), Some("{}"));
        assert_eq!(start(&[b"\xff\0"]).as_deref(), Some("\u{fffd}\0"));
    }

    #[test]
    fn at_most_4_kib_are_kept_and_no_half_character() {
        let long = "é".repeat(3000);
        assert_eq!(start(&[long.as_bytes()]).as_deref(), Some(&long[..KEPT]));
        assert_eq!(in_bytes(&long.as_bytes()[1..]).map(|kept| kept.len()), Some(3 + KEPT - 2));
        let shifted = alloc::format!("<{long}");
        assert_eq!(start(&[shifted.as_bytes()]).as_deref(), Some(&shifted[..KEPT - 1]));
    }
}
