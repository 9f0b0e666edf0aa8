//! The unknown lines since the last event, kept for the error of a stream that ends after them.

use alloc::vec::Vec;
use memchr::memchr;

/// Maximum bytes kept. 4 KiB hold any JSON error and the visible part of an error page.
pub(crate) const MAX_UNKNOWN: usize = 4096;

/// Capacity that is kept without lines. Each event of a stream may have an unknown line.
const KEEP: usize = 256;

/// The name of the field that takes the place of a dropped line.
pub(super) const STAND_IN: u8 = 0;

/// The last unknown lines, each with an LF.
#[derive(Debug, Clone)]
pub(crate) struct UnknownLines {
    text: Vec<u8>,
    is_kept: bool,
}

impl UnknownLines {
    pub(super) const fn new() -> Self {
        UnknownLines { text: Vec::new(), is_kept: false }
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
        self.text.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        if self.text.capacity() > KEEP {
            self.text = Vec::new();
        }
        self.text.clear();
    }

    /// Adds a line, unless it is white space or replaces a dropped line. If there are too many
    /// bytes, the oldest half of them is dropped.
    pub(crate) fn push(&mut self, line: &[u8]) {
        let is_blank = line.trim_ascii().is_empty();
        if !self.is_kept || is_blank || line[0] == STAND_IN {
            return;
        }
        let line = &line[..line.len().min(MAX_UNKNOWN - 1)];
        let capacity = MAX_UNKNOWN - 1 - line.len();
        if self.text.len() > capacity {
            let from = self.text.len() - capacity.min(MAX_UNKNOWN / 2);
            let line_end = memchr(b'\n', &self.text[from..]);
            self.text.drain(..line_end.map_or(self.text.len(), |end| from + end + 1));
        }
        self.text.extend_from_slice(line);
        self.text.push(b'\n');
    }

    /// Adds the lines of `other`.
    pub(crate) fn extend(&mut self, other: &UnknownLines) {
        for line in other.text.split(|byte| *byte == b'\n') {
            self.push(line);
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.text
    }
}

/// The end of a body that is no event.
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
            assert!(lines.text.len() <= MAX_UNKNOWN);
        }
        assert!(lines.text.len() > MAX_UNKNOWN / 3, "{}", lines.text.len());
        assert!(lines.text.starts_with(b"line ") && lines.text.ends_with(b"line 999\n"));
    }

    #[test]
    fn of_a_long_line_the_first_bytes_are_kept() {
        let mut lines = UnknownLines::new();
        lines.keep();
        lines.push(b"short");
        lines.push(&[b'x'; 2 * MAX_UNKNOWN]);
        assert_eq!(lines.text.len(), MAX_UNKNOWN);
        assert!(lines.text.starts_with(b"xxx"));
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
