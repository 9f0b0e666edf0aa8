//! A line whose end has not arrived, kept until it has.
//!
//! Invariants:
//! - No byte is looked at twice: a line that arrives in a thousand pieces costs
//!   the sum of its pieces. Short pieces are put together undecoded; once there
//!   are [`UNDECODED`] bytes they are decoded and moved to the buffer of their
//!   field, and so is everything that follows.
//! - Nothing is kept of a line that cannot matter: comments that nobody asked
//!   for, unknown fields, the digits of a `retry`.
//! - The limit is looked at with every piece that is decoded and at the end of
//!   the line, so what is kept exceeds it by one chunk at the most.

use super::block::{Block, give_back};
use super::field::{Field, LONGEST_PREFIX, RetryDigits, may_start, recognise};
use super::utf8;
use alloc::string::String;
use alloc::vec::Vec;

/// So many bytes of a line may wait for its end undecoded.
const UNDECODED: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is no open line: the next byte starts one.
    Closed,
    /// All of the line so far is in `undecoded`.
    Undecided,
    /// The line's value so far has been moved to where this field keeps it.
    Value(Field),
    /// Nobody wants this line.
    Skipped,
}

/// What a line that ended asks for beyond the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Nothing,
    /// `text` is a comment to report.
    Comment,
    /// The reconnection time, in milliseconds.
    Retry(u64),
}

/// The block grew beyond the limit: to this many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge(pub(super) usize);

#[derive(Debug, Clone)]
pub(super) struct OpenLine {
    state: State,
    undecoded: Vec<u8>,
    /// How long `undecoded` may get before it is decoded.
    room: usize,
    /// The decoded value of an `event`, `id` or comment line. Data goes to the
    /// block at once, since it is the last line there whatever it becomes.
    text: String,
    digits: RetryDigits,
}

impl OpenLine {
    pub(super) const fn new() -> Self {
        OpenLine {
            state: State::Closed,
            undecoded: Vec::new(),
            room: 0,
            text: String::new(),
            digits: RetryDigits::NONE,
        }
    }

    #[inline(always)]
    pub(super) fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    /// The comment that [`Ended::Comment`] told of, until the next line begins.
    pub(super) fn comment(&self) -> &str {
        &self.text
    }

    pub(super) fn close(&mut self) {
        self.state = State::Closed;
        self.undecoded.clear();
        self.text.clear();
        give_back(&mut self.text, false);
    }

    /// Whatever the open line is, and there is one, nobody wants the rest of it.
    pub(super) fn skip(&mut self) {
        self.close();
        self.state = State::Skipped;
    }

    /// Begins a line with its first bytes, of which there is at least one.
    pub(super) fn begin(
        &mut self,
        bytes: &[u8],
        block: &mut Block,
        limit: usize,
        comments: bool,
    ) -> Result<(), TooLarge> {
        self.close();
        let wanted = match bytes.first() {
            Some(b':') => comments,
            Some(first) => may_start(*first),
            None => return Ok(()),
        };
        if !wanted {
            self.skip();
            return Ok(());
        }
        self.state = State::Undecided;
        self.digits = RetryDigits::NONE;
        self.room = room(block.size(), limit);
        self.push(bytes, block, limit)
    }

    /// Appends `bytes` if they are few and the line has room for them as they
    /// are: what nearly every piece of a line in small chunks comes to.
    #[inline(always)]
    pub(super) fn push_short(&mut self, bytes: &[u8]) -> bool {
        let fits = self.undecoded.len() + bytes.len() <= self.room && self.state != State::Skipped;
        if fits {
            self.undecoded.extend_from_slice(bytes);
        }
        fits
    }

    /// Appends the next bytes of the line.
    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        block: &mut Block,
        limit: usize,
    ) -> Result<(), TooLarge> {
        if self.state == State::Skipped || self.push_short(bytes) {
            return Ok(());
        }
        if self.state == State::Undecided {
            let missing = (LONGEST_PREFIX + 1).saturating_sub(self.undecoded.len());
            let (head, rest) = bytes.split_at(missing.min(bytes.len()));
            self.undecoded.extend_from_slice(head);
            bytes = rest;
            self.decide();
        }
        match self.state {
            State::Value(Field::Retry) => {
                self.digits.push(&self.undecoded);
                self.digits.push(bytes);
                self.undecoded.clear();
                Ok(())
            }
            State::Value(field) => self.decode(field, bytes, block, limit),
            _ => Ok(()),
        }
    }

    /// Recognises the field of the bytes so far, and cuts them down to the value.
    fn decide(&mut self) {
        let (field, value) = recognise(&self.undecoded);
        if field == Field::Unknown {
            self.skip();
        } else {
            self.state = State::Value(field);
            self.undecoded.drain(..value);
        }
    }

    /// Decodes `undecoded` and then `bytes` to where `field` keeps its value; a
    /// character that lacks bytes stays behind in `undecoded`.
    fn decode(
        &mut self,
        field: Field,
        mut bytes: &[u8],
        block: &mut Block,
        limit: usize,
    ) -> Result<(), TooLarge> {
        while utf8::unfinished(&self.undecoded) > 0 {
            match bytes {
                [byte @ 0x80..=0xBF, rest @ ..] => {
                    self.undecoded.push(*byte);
                    bytes = rest;
                }
                _ => break,
            }
        }
        let behind = if bytes.is_empty() { utf8::unfinished(&self.undecoded) } else { 0 };
        let decodable = self.undecoded.len() - behind;
        let value = if field == Field::Data { &mut block.data } else { &mut self.text };
        utf8::decode_onto(value, &self.undecoded[..decodable]);
        self.undecoded.drain(..decodable);

        let (whole, unfinished) = bytes.split_at(bytes.len() - utf8::unfinished(bytes));
        utf8::decode_onto(value, whole);
        self.undecoded.extend_from_slice(unfinished);

        let size = self.size(field, block);
        self.room = room(size, limit);
        if size <= limit {
            return Ok(());
        }
        if field == Field::Comment {
            self.skip();
            return Ok(());
        }
        Err(TooLarge(size))
    }

    /// What is kept for the block if this line ended here. A comment is no part
    /// of it and has a limit of its own.
    fn size(&self, field: Field, block: &Block) -> usize {
        let data = block.data.len().saturating_sub(1);
        match field {
            Field::Data => block.data.len() + block.event.len() + block.id.len(),
            Field::Event => data + self.text.len() + block.id.len(),
            Field::Id => data + block.event.len() + self.text.len(),
            _ => self.text.len(),
        }
    }

    /// Ends the line and does what its field asks for.
    pub(super) fn end(&mut self, block: &mut Block, limit: usize) -> Result<Ended, TooLarge> {
        if self.state == State::Undecided {
            self.decide();
        }
        let State::Value(field) = self.state else {
            self.state = State::Closed;
            return Ok(Ended::Nothing);
        };
        self.state = State::Closed;
        if field == Field::Retry {
            self.digits.push(&self.undecoded);
            self.undecoded.clear();
            return Ok(self.digits.value().map_or(Ended::Nothing, Ended::Retry));
        }
        let value = if field == Field::Data { &mut block.data } else { &mut self.text };
        utf8::decode_onto(value, &self.undecoded);
        self.undecoded.clear();
        let size = self.size(field, block);
        if size > limit {
            return if field == Field::Comment { Ok(Ended::Nothing) } else { Err(TooLarge(size)) };
        }
        match field {
            Field::Data => block.data.push('\n'),
            Field::Event => core::mem::swap(&mut block.event, &mut self.text),
            // "If the field value does not contain U+0000 NULL, then set the last
            // event ID buffer to the field value. Otherwise, ignore the field."
            Field::Id if !self.text.contains('\0') => block.set_id(&mut self.text),
            Field::Comment => return Ok(Ended::Comment),
            _ => {}
        }
        Ok(Ended::Nothing)
    }
}

/// How many bytes may wait undecoded when `size` bytes are kept already: a
/// prefix and the byte behind it always, so that the line can be recognised.
fn room(size: usize, limit: usize) -> usize {
    limit.saturating_sub(size).saturating_add(LONGEST_PREFIX + 1).min(UNDECODED)
}
