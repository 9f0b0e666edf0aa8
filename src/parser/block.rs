//! The block being built, as far as it outlived the chunk it began in: the data
//! buffer, the event type buffer and the last event ID buffer of the standard.
//!
//! The data so far is in one of two places, never in both:
//! - `data` holds the data lines, each followed by one LF, to the letter of
//!   "append the field value to the data buffer, then append a single U+000A LINE
//!   FEED". The last LF is left out when the data is read.
//! - `line` holds the only data line there is, as it was received. Most events
//!   have one, and decoding it in place when it is lent saves a copy.

use super::buffer::Buffer;
use super::utf8;
use crate::frame::Discarded;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

/// A buffer above this is given back as soon as its event is over.
const LARGE: usize = 128 * 1024;
/// A buffer above this is given back once a chunk had no use for it.
const SMALL: usize = 4 * 1024;

/// The data of a large event, not copied but taken.
pub(crate) enum Taken {
    Text(String),
    /// A data line as it was received, whose value starts at this place.
    Line {
        line: Vec<u8>,
        value: usize,
    },
}

#[derive(Debug, Clone, Default)]
pub(super) struct Block {
    pub(super) data: String,
    line: Buffer,
    /// Where the value in `line` starts; 0 if there is no line.
    line_value: usize,
    /// Empty if no `event` line set a type.
    pub(super) event: String,
    /// What the last `id` line of this block set, if there was one.
    pub(super) id: String,
    pub(super) has_id: bool,
    /// The limit was passed: nothing counts until the next blank line.
    pub(super) discarding: bool,
}

impl Block {
    pub(super) const fn new() -> Self {
        Block {
            data: String::new(),
            line: Buffer::new(),
            line_value: 0,
            event: String::new(),
            id: String::new(),
            has_id: false,
            discarding: false,
        }
    }

    /// The bytes kept for this block: data with its separators, type and id. While
    /// the data is a [line](Block::has_line), the most that they can be.
    pub(super) fn size(&self) -> usize {
        self.data_size().saturating_add(self.event.len() + self.id.len())
    }

    /// The same for the data alone.
    pub(super) fn data_size(&self) -> usize {
        if self.has_line() {
            self.line().len().saturating_mul(utf8::DECODED)
        } else {
            self.data.len().saturating_sub(1)
        }
    }

    pub(super) fn has_data(&self) -> bool {
        self.has_line() || !self.data.is_empty()
    }

    #[inline]
    pub(super) fn has_line(&self) -> bool {
        self.line_value > 0
    }

    /// The value of the only data line, undecoded.
    #[inline]
    fn line(&self) -> &[u8] {
        &self.line[self.line_value..]
    }

    /// The event type, and the data.
    #[inline]
    pub(super) fn lend(&mut self) -> (&str, &str) {
        if !self.has_line() {
            return (&self.event, without_last_lf(&self.data));
        }
        let line = &self.line[self.line_value..];
        let data = match utf8::valid(line) {
            Some(text) => text,
            None => {
                self.data.clear();
                utf8::decode_onto(&mut self.data, line);
                &self.data
            }
        };
        (&self.event, data)
    }

    /// Takes the data out, if it is at least so many bytes.
    pub(super) fn take_large(&mut self, least: usize) -> Option<Taken> {
        if self.has_line() {
            if self.line().len() < least {
                return None;
            }
            let value = mem::take(&mut self.line_value);
            return Some(Taken::Line { line: mem::take(&mut self.line).into_vec(), value });
        }
        if without_last_lf(&self.data).len() < least {
            return None;
        }
        let mut data = mem::take(&mut self.data);
        data.pop();
        Some(Taken::Text(data))
    }

    /// Takes the only data line there is, whose value starts at `value`, in
    /// exchange for an empty buffer.
    pub(super) fn set_line(&mut self, line: &mut Buffer, value: usize) {
        mem::swap(&mut self.line, line);
        self.line_value = value;
        line.clear();
    }

    /// Moves the only data line to where others can be appended to it.
    pub(super) fn decode_line(&mut self) {
        if self.has_line() {
            self.data.clear();
            utf8::decode_onto(&mut self.data, &self.line[self.line_value..]);
            self.data.push('\n');
            self.line_value = 0;
        }
    }

    /// Empties it; `used` tells whether the last chunk needed the buffers.
    pub(super) fn clear(&mut self, used: bool) {
        self.data.clear();
        self.line.clear();
        self.line_value = 0;
        self.event.clear();
        self.id.clear();
        self.has_id = false;
        give_back_bytes(&mut self.line, used);
        for buffer in [&mut self.data, &mut self.event, &mut self.id] {
            give_back(buffer, used);
        }
    }

    pub(super) fn set_id(&mut self, id: &mut String) {
        mem::swap(&mut self.id, id);
        self.has_id = true;
    }

    /// Drops what is there of an event that grew beyond `limit`, and what will
    /// still come of it.
    #[cold]
    pub(super) fn discard(&mut self, size: usize, limit: usize) -> Discarded {
        let id = self.has_id.then(|| self.id.as_str().into());
        let event = (!self.event.is_empty()).then(|| self.event.as_str().into());
        *self = Block { discarding: true, ..Block::new() };
        Discarded::new(size, limit, id, event)
    }
}

/// Data lines as one: "if the data buffer's last character is a U+000A LINE FEED (LF)
/// character, then remove the last character from the data buffer."
#[inline(always)]
pub(super) fn without_last_lf(data: &str) -> &str {
    &data[..data.len().saturating_sub(1)]
}

/// Frees an empty buffer that grew large; `used` tells whether the last chunk
/// needed it.
#[inline]
pub(super) fn give_back(buffer: &mut String, used: bool) {
    if is_wasteful(buffer.capacity(), used) {
        *buffer = String::new();
    }
}

/// The same for bytes.
#[inline]
pub(super) fn give_back_bytes(buffer: &mut Buffer, used: bool) {
    if is_wasteful(buffer.capacity(), used) {
        *buffer = Buffer::new();
    }
}

/// Whether a buffer of this capacity is.
#[inline]
pub(super) fn is_wasteful(capacity: usize, used: bool) -> bool {
    capacity > SMALL && (capacity > LARGE || !used)
}
