//! The consumers of events. Every contestant passes each event to one, so all pay the same to have
//! it read, and none can skip it.

use std::hint::black_box;

/// An event as a program would use it. If a parser returns raw blocks, its contestant adds the
/// default type and the last event ID.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event<'a> {
    pub(crate) event: &'a str,
    pub(crate) data: &'a [u8],
    pub(crate) id: &'a str,
}

pub(crate) trait Consumer {
    fn event(&mut self, event: Event<'_>);
}

/// A checksum that costs one to two nanoseconds per event: the length, the first
/// and the last byte of each part. For the timed passes.
///
/// Only the sum of an event goes through `black_box`. The event itself would go through memory,
/// which takes three times as long and shows no more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) events: u64,
    pub(crate) sum: u64,
}

impl Consumer for Tally {
    #[inline(always)]
    fn event(&mut self, Event { event, data, id }: Event<'_>) {
        let parts = brief(data) + (brief(event.as_bytes()) << 24) + (brief(id.as_bytes()) << 44);
        self.sum = self.sum.rotate_left(7) ^ black_box(parts);
        self.events += 1;
    }
}

#[inline(always)]
fn brief(text: &[u8]) -> u64 {
    let edges = match text {
        [] => 0,
        [first, ..] => u64::from(*first) + u64::from(text[text.len() - 1]),
    };
    text.len() as u64 + edges
}

/// A hash of every byte of every event (FNV-1a). For the pass that decides whether
/// a parser gave the right events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) events: u64,
    hash: u64,
}

impl Default for Digest {
    fn default() -> Self {
        Digest { events: 0, hash: 0xcbf2_9ce4_8422_2325 }
    }
}

impl Digest {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

impl Consumer for Digest {
    fn event(&mut self, event: Event<'_>) {
        for part in [event.event.as_bytes(), event.data, event.id.as_bytes()] {
            self.add(&part.len().to_le_bytes());
            self.add(part);
        }
        self.events += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(events: &[(&str, &str, &str)]) -> Digest {
        let mut digest = Digest::default();
        for (event, data, id) in events {
            digest.event(Event { event, data: data.as_bytes(), id });
        }
        digest
    }

    #[test]
    fn digests_differ_if_any_value_differs() {
        let right = digest(&[("a", "bcd", ""), ("a", "e", "1")]);
        assert_eq!(right, digest(&[("a", "bcd", ""), ("a", "e", "1")]));
        for wrong in [
            &[("a", "bcd", "")][..],
            &[("a", "bxd", ""), ("a", "e", "1")],
            &[("ab", "cd", ""), ("a", "e", "1")],
            &[("a", "e", "1"), ("a", "bcd", "")],
        ] {
            assert_ne!(right, digest(wrong));
        }
    }
}
