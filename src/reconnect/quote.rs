//! Quotations of a server's text in errors.

use core::fmt;

/// Maximum number of characters quoted. 256 fit a typical JSON error.
const QUOTED: usize = 256;

/// The first bytes of gzip data, as text whose ill-formed bytes were replaced.
const GZIP: &str = "\u{1f}\u{fffd}\u{8}";

/// Quotes the first characters of a text, and none of binary data.
pub(super) struct Quote<'a>(pub(super) &'a str);

impl fmt::Display for Quote<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Quote(text) = self;
        if text.starts_with(GZIP) {
            return f.write_str("data in gzip, which no content-encoding names");
        }
        if is_binary(text) {
            return f.write_str("binary data");
        }
        match text.char_indices().nth(QUOTED) {
            Some((end, _)) => write!(f, "{:?}...", &text[..end]),
            None => write!(f, "{text:?}"),
        }
    }
}

/// Returns whether more than a tenth of the characters do not occur in text.
fn is_binary(text: &str) -> bool {
    let is_strange = |c: &char| match c {
        '\t' | '\n' | '\r' => false,
        c => *c == '\u{fffd}' || c.is_control(),
    };
    let strange = text.chars().filter(is_strange).count();
    text.contains('\0') || strange * 10 > text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};

    #[test]
    fn text_is_quoted_and_binary_data_is_not() {
        let gzip = String::from_utf8_lossy(b"\x1f\x8b\x08\0\0\0\0\0\0\x03");
        for (text, quote) in [
            ("", r#""""#),
            ("caf\u{fffd} au lait", "\"caf\u{fffd} au lait\""),
            ("<html>\r\n\t", r#""<html>\r\n\t""#),
            ("\u{1}\u{2}text", "binary data"),
            ("text\0", "binary data"),
            (&gzip, "data in gzip, which no content-encoding names"),
        ] {
            assert_eq!(Quote(text).to_string(), quote);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = "é".repeat(257);
        let quote = Quote(&text).to_string();
        assert_eq!(quote, alloc::format!("\"{}\"...", &text[..512]));
        assert!(!Quote(&text[..512]).to_string().ends_with("..."));
    }
}
