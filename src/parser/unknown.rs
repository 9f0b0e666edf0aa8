//! The unknown lines since the last event, kept for the error of a stream that ends after them.

use alloc::boxed::Box;
use alloc::vec::Vec;
use memchr::memchr;

/// Maximum bytes kept. 4 KiB hold any JSON error and the visible part of an error page.
pub(crate) const MAX_UNKNOWN: usize = 4096;

/// Capacity that is kept without lines. Each event of a stream may have an unknown line.
const KEEP: usize = 256;

/// The name of the field that takes the place of a dropped line.
pub(super) const STAND_IN: u8 = 0;

/// The last unknown lines, if there are any. Most streams have none.
#[derive(Debug, Clone)]
pub(crate) struct UnknownLines {
    lines: Option<Box<Lines>>,
    is_kept: bool,
}

#[derive(Debug, Clone, Default)]
struct Lines {
    /// Each line with an LF.
    text: Vec<u8>,
}

impl UnknownLines {
    pub(super) const fn new() -> Self {
        UnknownLines { lines: None, is_kept: false }
    }

    /// Keeps the lines that are pushed from now on.
    pub(super) fn keep(&mut self) {
        self.is_kept = true;
    }

    #[inline(always)]
    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.as_ref().is_none_or(|lines| lines.text.is_empty())
    }

    pub(crate) fn clear(&mut self) {
        match &mut self.lines {
            Some(lines) if lines.text.capacity() <= KEEP => lines.text.clear(),
            lines => *lines = None,
        }
    }

    /// Adds a line, unless it is white space or replaces a dropped line. If there are too many
    /// bytes, the oldest half of them is dropped.
    pub(crate) fn push(&mut self, line: &[u8]) {
        let is_blank = line.trim_ascii().is_empty();
        if !self.is_kept || is_blank || line[0] == STAND_IN {
            return;
        }
        let Lines { text } = &mut **self.lines.get_or_insert_default();
        let line = &line[..line.len().min(MAX_UNKNOWN - 1)];
        let capacity = MAX_UNKNOWN - 1 - line.len();
        if text.len() > capacity {
            let from = text.len() - capacity.min(MAX_UNKNOWN / 2);
            let line_end = memchr(b'\n', &text[from..]);
            text.drain(..line_end.map_or(text.len(), |end| from + end + 1));
        }
        text.extend_from_slice(line);
        text.push(b'\n');
    }

    /// Adds the lines of `other`.
    pub(crate) fn extend(&mut self, other: &UnknownLines) {
        for line in other.bytes().split(|byte| *byte == b'\n') {
            self.push(line);
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.lines.as_ref().map_or(&[], |lines| &lines.text)
    }
}

/// The end of a body, without its events.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Remainder {
    /// Its first bytes, without its comments. Other bytes than UTF-8 are replaced by U+FFFD.
    pub(crate) text: alloc::boxed::Box<str>,
    /// Set if it is the beginning of an event, which is lost.
    pub(crate) is_mid_event: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_whole() {
        let mut lines = UnknownLines::new();
        lines.push(b"before");
        lines.keep();
        for number in 0..1000 {
            lines.push(alloc::format!("line {number}").as_bytes());
            assert!(lines.bytes().len() <= MAX_UNKNOWN);
        }
        assert!(lines.bytes().len() > MAX_UNKNOWN / 3, "{}", lines.bytes().len());
        assert!(lines.bytes().starts_with(b"line ") && lines.bytes().ends_with(b"line 999\n"));
    }

    #[test]
    fn lines_fill_the_space_and_then_the_oldest_half_is_dropped() {
        for length in (2..=256).step_by(if cfg!(miri) { 127 } else { 1 }) {
            let line = alloc::vec![b'x'; length - 1]; // and an LF
            let mut lines = UnknownLines::new();
            lines.keep();
            for _ in 0..MAX_UNKNOWN / length {
                lines.push(&line);
            }
            assert_eq!(lines.bytes().len(), MAX_UNKNOWN / length * length);
            lines.push(&line);
            let kept = lines.bytes().len();
            assert!(kept > MAX_UNKNOWN / 2 - length && kept <= MAX_UNKNOWN / 2 + length, "{kept}");
        }
    }

    #[test]
    fn of_a_long_line_the_first_bytes_are_kept() {
        let mut lines = UnknownLines::new();
        lines.keep();
        lines.push(b"short");
        lines.push(&[b'x'; 2 * MAX_UNKNOWN]);
        assert_eq!(lines.bytes().len(), MAX_UNKNOWN);
        assert!(lines.bytes().starts_with(b"xxx"));
    }

    #[test]
    fn white_space_and_stand_ins_are_no_text() {
        let mut lines = UnknownLines::new();
        lines.keep();
        lines.push(b" \t ");
        lines.push(&[STAND_IN, b'x']);
        assert!(lines.is_empty());
    }
}
