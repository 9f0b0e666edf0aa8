//! "Streams must be decoded using the UTF-8 decode algorithm": ill-formed bytes
//! become U+FFFD, one for each maximal subpart, and nothing is an error.
//!
//! Bytes are validated in long runs, once, wherever the cut between two runs is
//! safe: before a byte that starts a character, or after a character's end. No
//! ill-formed sequence reaches across such a cut, so decoding piece by piece
//! gives what decoding the whole would.

use alloc::borrow::Cow;
use alloc::string::String;

/// A byte is decoded to so many at the most: U+FFFD has three.
pub(super) const DECODED: usize = 3;

/// Below this many bytes a call into the vectorised validator does not pay.
const SHORT: usize = 64;

/// `bytes` as text, if they are well formed.
#[inline(always)]
pub(crate) fn valid(bytes: &[u8]) -> Option<&str> {
    if bytes.len() < SHORT {
        core::str::from_utf8(bytes).ok()
    } else {
        simdutf8::basic::from_utf8(bytes).ok()
    }
}

/// `bytes` decoded; copied only if they are ill-formed.
#[inline(always)]
pub(crate) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match valid(bytes) {
        Some(text) => Cow::Borrowed(text),
        None => String::from_utf8_lossy(bytes),
    }
}

/// Appends `bytes`, decoded, to `text`.
#[inline]
pub(crate) fn decode_onto(text: &mut String, bytes: &[u8]) {
    match valid(bytes) {
        Some(valid) => text.push_str(valid),
        None => decode_ill_formed_onto(text, bytes),
    }
}

#[cold]
fn decode_ill_formed_onto(text: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// How many bytes at the end of `bytes` start a character that needs more bytes.
#[inline]
pub(super) fn unfinished(bytes: &[u8]) -> usize {
    for (back, byte) in bytes.iter().rev().take(3).enumerate() {
        let there = back + 1;
        match byte {
            0x80..=0xBF => {}
            0xC0..=0xDF => return if there < 2 { there } else { 0 },
            0xE0..=0xEF => return if there < 3 { there } else { 0 },
            0xF0..=0xFF => return there,
            _ => return 0,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    #[test]
    fn decoding_up_to_any_unfinished_character_and_on_from_there_equals_decoding_the_whole() {
        let mut rng = fastrand::Rng::with_seed(3);
        let alphabet = b"a\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc2\xdf\xe0\xe2\xed\xef\xf0\xf4\xf5\xff";
        // Miri takes a thousand times as long.
        for _ in 0..if cfg!(miri) { 30 } else { 20_000 } {
            let length = rng.usize(..12);
            let bytes: Vec<u8> = (0..length).map(|_| *rng.choice(alphabet).unwrap()).collect();
            let whole = String::from_utf8_lossy(&bytes);
            for cut in 0..=bytes.len() {
                let safe = cut - unfinished(&bytes[..cut]);
                let mut text = String::new();
                decode_onto(&mut text, &bytes[..safe]);
                decode_onto(&mut text, &bytes[safe..]);
                assert_eq!(text, whole, "{bytes:x?} cut at {cut}, safe at {safe}");
            }
        }
    }

    #[test]
    fn a_character_that_lacks_bytes_is_unfinished_and_a_whole_one_is_not() {
        for character in ["a", "é", "…", "😀"] {
            let bytes = character.as_bytes();
            assert_eq!(unfinished(bytes), 0, "{character}");
            for there in 1..bytes.len() {
                assert_eq!(unfinished(&bytes[..there]), there, "{character}");
            }
        }
    }

    #[test]
    fn long_and_short_input_decode_alike() {
        let text = "é".repeat(SHORT);
        assert_eq!(decode(text.as_bytes()), text);
        let mut bytes = text.clone().into_bytes();
        bytes.push(0xFF);
        assert_eq!(decode(&bytes), text.to_string() + "\u{FFFD}");
    }
}
