//! A line whose end has not arrived, kept until it has.
//!
//! Invariants:
//! - No byte is looked at twice: a line that arrives in a thousand pieces costs
//!   the sum of its pieces. They are put together undecoded; a line that grows
//!   beyond [`UNDECODED`] bytes is decoded and moved to the buffer of its field,
//!   and so is everything that follows. The first data line of a block may grow
//!   to [`UNDECODED_DATA`], since it need not be moved at all if no other follows.
//! - Nothing is kept of a line that cannot matter: comments that nobody asked
//!   for, unknown fields, the digits of a `retry`.
//! - The limit is looked at with every piece that is decoded and at the end of
//!   the line, so what is kept exceeds it by one chunk at the most.

use super::block::{Block, give_back, give_back_bytes};
use super::buffer::Buffer;
use super::field::{Field, LONGEST_PREFIX, RetryDigits, may_start, recognise};
use super::utf8;
use alloc::string::String;

/// So many bytes of a line may wait for its end undecoded.
const UNDECODED: usize = 1024;

/// The same for the first data line of a block.
const UNDECODED_DATA: usize = 64 * 1024;

/// A line that has so many bytes already is a long one.
const LONG: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is no open line: the next byte starts one.
    Closed,
    /// All of the line so far is in `undecoded`.
    Undecided,
    /// The same, and it is the first data line of its block, whose value starts
    /// at this place.
    FirstData(usize),
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
    undecoded: Buffer,
    /// How long the last data line was that ended there. A long line is likely to be
    /// followed by one like it, whose buffer then need not grow step by step.
    expected: usize,
    /// How long `undecoded` may get before it is decoded.
    room: usize,
    /// The decoded value of an `event`, `id` or comment line. Data goes to the
    /// block at once, since it is the last line there whatever it becomes.
    text: String,
    digits: RetryDigits,
}

impl Default for OpenLine {
    fn default() -> Self {
        OpenLine::new()
    }
}

impl OpenLine {
    fn new() -> Self {
        OpenLine {
            state: State::Closed,
            undecoded: Buffer::new(),
            expected: 0,
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

    /// Frees what is not needed while no line is open; `used` tells whether the
    /// last chunk needed it.
    pub(super) fn rest(&mut self, used: bool) {
        if !self.is_open() {
            give_back_bytes(&mut self.undecoded, used);
        }
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
        if bytes.len() >= LONG {
            self.undecoded.reserve(self.expected.min(limit));
        }
        self.push(bytes, block, limit)
    }

    /// The most bytes that what is here may be, decoded.
    pub(super) fn size_at_most(&self) -> usize {
        self.text.len().saturating_add(self.undecoded.len() * utf8::DECODED)
    }

    /// Appends `bytes` if they are few and the line has room for them as they
    /// are: what nearly every piece of a line in small chunks comes to.
    #[inline(always)]
    pub(super) fn push_short(&mut self, bytes: &[u8]) -> bool {
        let fits = self.undecoded.len() + bytes.len() <= self.room && self.state != State::Skipped;
        if fits {
            self.undecoded.push(bytes);
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
            self.undecoded.push(head);
            bytes = rest;
            self.decide(block, limit);
            if self.push_short(bytes) {
                return Ok(());
            }
        }
        if let State::FirstData(value) = self.state {
            self.move_value(value, Field::Data);
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

    /// Recognises the field of the bytes so far.
    fn decide(&mut self, block: &mut Block, limit: usize) {
        let (field, value) = recognise(&self.undecoded);
        match field {
            Field::Unknown => self.skip(),
            Field::Data if !block.has_data() => {
                self.state = State::FirstData(value);
                let room = limit.saturating_sub(block.size()).min(UNDECODED_DATA);
                self.room = value + room;
            }
            field => {
                if field == Field::Data {
                    block.decode_line();
                }
                self.move_value(value, field);
            }
        }
    }

    /// Cuts the bytes so far down to the value, on its way to where `field` keeps
    /// it.
    fn move_value(&mut self, value: usize, field: Field) {
        self.undecoded.remove_first(value);
        self.room = 0;
        self.state = State::Value(field);
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
                    self.undecoded.push(&[*byte]);
                    bytes = rest;
                }
                _ => break,
            }
        }
        let behind = if bytes.is_empty() { utf8::unfinished(&self.undecoded) } else { 0 };
        let decodable = self.undecoded.len() - behind;
        let value = if field == Field::Data { &mut block.data } else { &mut self.text };
        utf8::decode_onto(value, &self.undecoded[..decodable]);
        self.undecoded.remove_first(decodable);

        let (whole, unfinished) = bytes.split_at(bytes.len() - utf8::unfinished(bytes));
        utf8::decode_onto(value, whole);
        self.undecoded.push(unfinished);

        match within(limit, block, |block| self.size(field, block)) {
            Ok(size) => self.room = room(size, limit),
            Err(_) if field == Field::Comment => self.skip(),
            Err(too_large) => return Err(too_large),
        }
        Ok(())
    }

    /// What is kept for the block if this line ended here. A comment is no part
    /// of it and has a limit of its own.
    fn size(&self, field: Field, block: &Block) -> usize {
        match field {
            Field::Data => block.data.len() + block.event.len() + block.id.len(),
            Field::Event => block.data_size().saturating_add(self.text.len() + block.id.len()),
            Field::Id => block.data_size().saturating_add(block.event.len() + self.text.len()),
            _ => self.text.len(),
        }
    }

    /// Ends the line and does what its field asks for.
    pub(super) fn end(&mut self, block: &mut Block, limit: usize) -> Result<Ended, TooLarge> {
        if self.state == State::Undecided {
            self.decide(block, limit);
        }
        if let State::FirstData(value) = self.state {
            self.expected = self.undecoded.len();
            block.set_line(&mut self.undecoded, value);
            self.state = State::Closed;
            return match within(limit, block, Block::size) {
                Ok(_) => Ok(Ended::Nothing),
                Err(too_large) => Err(too_large),
            };
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
        match within(limit, block, |block| self.size(field, block)) {
            Ok(_) => {}
            Err(_) if field == Field::Comment => return Ok(Ended::Nothing),
            Err(too_large) => return Err(too_large),
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

/// The size of what is kept for `block`, if it is within the limit. Where the most
/// that it can be is not, its data is decoded to tell.
fn within(
    limit: usize,
    block: &mut Block,
    size: impl Fn(&Block) -> usize,
) -> Result<usize, TooLarge> {
    let mut kept = size(block);
    if kept > limit && block.has_line() {
        block.decode_line();
        kept = size(block);
    }
    if kept <= limit { Ok(kept) } else { Err(TooLarge(kept)) }
}

/// How many bytes may wait undecoded when `size` bytes are kept already: a
/// prefix and the byte behind it always, so that the line can be recognised.
fn room(size: usize, limit: usize) -> usize {
    limit.saturating_sub(size).saturating_add(LONGEST_PREFIX + 1).min(UNDECODED)
}
