//! UTF-8 decoding: "streams must be decoded using the UTF-8 decode algorithm". Ill-formed bytes
//! become U+FFFD, one for each maximal subpart. No input is an error.
//!
//! Bytes are validated in long runs of complete lines. No ill-formed sequence reaches over a line
//! end, so decoding run by run gives the same text as decoding the whole stream.

use super::vectors;
use alloc::borrow::Cow;
use alloc::string::String;

/// Size below which a call to the vectorised validator does not pay.
const SHORT: usize = 64;

/// Returns `bytes` as text if they are well formed.
#[inline(always)]
pub(crate) fn valid(bytes: &[u8]) -> Option<&str> {
    if bytes.len() < SHORT { core::str::from_utf8(bytes).ok() } else { vectors::valid(bytes) }
}

/// Decodes `bytes`. Only ill-formed bytes are copied.
#[inline(always)]
pub(crate) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match valid(bytes) {
        Some(text) => Cow::Borrowed(text),
        None => String::from_utf8_lossy(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn long_and_short_input_decode_alike() {
        let text = "é".repeat(SHORT);
        assert_eq!(decode(text.as_bytes()), text);
        let mut bytes = text.clone().into_bytes();
        bytes.push(0xFF);
        assert_eq!(decode(&bytes), text.to_string() + "\u{FFFD}");
        assert_eq!(decode(b"a\xFF"), "a\u{FFFD}");
    }
}
