//! The field of a line: its name up to the first colon, and the offset of its value ("if value
//! starts with a U+0020 SPACE character, remove it").

/// The fields of the standard. "Field names must be compared literally, with no case folding
/// performed." Other fields are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Data,
    Event,
    Id,
    Retry,
    Comment,
    Unknown,
}

impl Field {
    /// Returns whether its value is a part of an event.
    #[inline]
    pub(super) fn is_of_event(self) -> bool {
        matches!(self, Field::Data | Field::Event | Field::Id)
    }
}

/// Returns the field of a line without its line end, and the offset of its value. The part of a
/// line that has arrived is enough, unless it [may become](may_become_known) another field.
#[inline]
pub(crate) fn recognise(line: &[u8]) -> (Field, usize) {
    let (field, name) = match line {
        [b':', ..] => (Field::Comment, 0),
        [b'd', b'a', b't', b'a', ..] => (Field::Data, 4),
        [b'e', b'v', b'e', b'n', b't', ..] => (Field::Event, 5),
        [b'i', b'd', ..] => (Field::Id, 2),
        [b'r', b'e', b't', b'r', b'y', ..] => (Field::Retry, 5),
        _ => return (Field::Unknown, 0),
    };
    match line[name..] {
        [] => (field, name),
        [b':', b' ', ..] => (field, name + 2),
        [b':', ..] => (field, name + 1),
        _ => (Field::Unknown, 0),
    }
}

/// Returns whether the part of a line that has arrived does not tell yet which field it is.
pub(crate) fn may_become_known(line: &[u8]) -> bool {
    [&b"data"[..], b"event", b"id", b"retry"].iter().any(|name| name.starts_with(line))
}

/// A usual spelling of a field's name, compared with the first eight bytes of a line at once. It
/// has no line end in it, so a match lies within the line.
#[derive(Clone, Copy)]
pub(super) struct Prefix {
    word: u64,
    mask: u64,
    pub(super) length: usize,
}

impl Prefix {
    pub(super) const DATA: Prefix = Prefix::new(b"data: ");
    pub(super) const EVENT: Prefix = Prefix::new(b"event: ");
    pub(super) const ID: Prefix = Prefix::new(b"id: ");

    const fn new(name: &[u8]) -> Prefix {
        let mut word = [0; 8];
        let mut mask = [0; 8];
        let mut i = 0;
        while i < name.len() {
            word[i] = name[i];
            mask[i] = 0xFF;
            i += 1;
        }
        Prefix {
            word: u64::from_le_bytes(word),
            mask: u64::from_le_bytes(mask),
            length: name.len(),
        }
    }

    /// Returns whether a line whose first eight bytes are `word` starts with this prefix.
    #[inline(always)]
    pub(super) fn starts(self, word: u64) -> bool {
        word & self.mask == self.word
    }
}

/// Returns the eight bytes at `at`, or zero near the end, where the caller falls back to
/// [`recognise`].
#[inline(always)]
pub(super) fn word_at(bytes: &[u8], at: usize) -> u64 {
    match bytes[at..].first_chunk() {
        Some(word) => u64::from_le_bytes(*word),
        None => 0,
    }
}

/// Reads the value of a `retry` field: "if the field value consists of only ASCII digits, then
/// interpret the field value as an integer in base ten". A number over 64 bits counts as the
/// largest of 64 bits.
pub(super) fn milliseconds(value: &[u8]) -> Option<u64> {
    let add_digit = |number: u64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(number.saturating_mul(10).saturating_add(digit))
    };
    if value.is_empty() { None } else { value.iter().try_fold(0, add_digit) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_known_by_its_exact_name_and_loses_one_space() {
        for (line, field, value) in [
            ("data: x", Field::Data, "x"),
            ("data:x", Field::Data, "x"),
            ("data:  x", Field::Data, " x"),
            ("data", Field::Data, ""),
            ("data:", Field::Data, ""),
            ("event: x", Field::Event, "x"),
            ("id", Field::Id, ""),
            ("id: 1", Field::Id, "1"),
            ("retry: 10", Field::Retry, "10"),
            (": x", Field::Comment, "x"),
            (":", Field::Comment, ""),
            (":x", Field::Comment, "x"),
        ] {
            let (found, at) = recognise(line.as_bytes());
            assert_eq!((found, &line[at..]), (field, value), "{line:?}");
        }
        for line in
            ["dat", "dataa: x", "Data: x", " data: x", "ids: 1", "data ", "x", "\u{feff}data: x"]
        {
            assert_eq!(recognise(line.as_bytes()).0, Field::Unknown, "{line:?}");
        }
    }

    #[test]
    fn a_prefix_matches_only_the_line_that_starts_with_it() {
        let word = |line: &[u8]| word_at(line, 0);
        assert!(Prefix::DATA.starts(word(b"data: xy")));
        assert!(!Prefix::DATA.starts(word(b"data:xyz")));
        assert!(!Prefix::DATA.starts(word(b"data\n: x")));
        assert!(Prefix::EVENT.starts(word(b"event: x")));
        assert!(Prefix::ID.starts(word(b"id: 1\n\nd")));
        assert_eq!(word(b"data: x"), 0, "too near the end");
    }

    #[test]
    fn retry_is_digits_only_and_saturates() {
        let parse = |text: &str| milliseconds(text.as_bytes());
        assert_eq!(parse("3000"), Some(3000));
        assert_eq!(parse("0"), Some(0));
        assert_eq!(parse("007"), Some(7));
        assert_eq!(parse("18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse("18446744073709551616"), Some(u64::MAX));
        assert_eq!(parse(&"9".repeat(400)), Some(u64::MAX));
        for text in ["", "+5", "-5", "5 ", " 5", "0x5", "1_000", "5abc", "1.5", "٣"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
