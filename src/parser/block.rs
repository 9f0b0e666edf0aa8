//! The block being built, as far as it outlived the chunk it began in: the data
//! buffer, the event type buffer and the last event ID buffer of the standard.
//!
//! Between two lines `data` holds every data line so far, each followed by one
//! LF, to the letter of "append the field value to the data buffer, then append a
//! single U+000A LINE FEED". The last LF is left out when the data is read.

use crate::frame::Discarded;
use alloc::string::String;
use core::mem;

/// A buffer above this is given back as soon as its event is over.
const LARGE: usize = 128 * 1024;
/// A buffer above this is given back once a chunk had no use for it.
const SMALL: usize = 4 * 1024;

#[derive(Debug, Clone, Default)]
pub(super) struct Block {
    pub(super) data: String,
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
            event: String::new(),
            id: String::new(),
            has_id: false,
            discarding: false,
        }
    }

    /// The bytes kept for this block: data with its separators, type and id.
    pub(super) fn size(&self) -> usize {
        self.data.len().saturating_sub(1) + self.event.len() + self.id.len()
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

/// Frees an empty buffer that grew large; `used` tells whether the last chunk
/// needed it.
#[inline]
pub(super) fn give_back(buffer: &mut String, used: bool) {
    let capacity = buffer.capacity();
    if capacity > SMALL && (capacity > LARGE || !used) {
        *buffer = String::new();
    }
}
