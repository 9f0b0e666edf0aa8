//! The content type and the content coding of a response.

use alloc::borrow::Cow;
use alloc::string::String;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};

/// Returns the value of the first `Content-Type` header.
pub(super) fn content_type(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()))
}

/// Returns whether the last MIME type of all Content-Type headers is `text/event-stream`, as
/// "extract a MIME type from a header list" (Fetch) demands. Its parameters do not matter.
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CONTENT_TYPE);
    let types = values.iter().flat_map(|value| split_unquoted(value.as_bytes()));
    let essences = types.filter_map(essence);
    essences.last().is_some_and(|essence| essence.eq_ignore_ascii_case(b"text/event-stream"))
}

/// Returns whether the body is in a coding of RFC 9110, section 8.4.1, or of one of its successors.
/// Other values are ignored, because some servers send one to keep proxies from compressing.
pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    let known = ["gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd", "dcb", "dcz"];
    let values = headers.get_all(CONTENT_ENCODING);
    let mut codings = values.iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    codings.any(|coding| {
        let coding = coding.trim_ascii();
        known.iter().any(|known| coding.eq_ignore_ascii_case(known.as_bytes()))
    })
}

/// Splits a header value at the commas outside of quotes.
fn split_unquoted(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    value.split(move |byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' => return !quoted,
            _ => {}
        }
        false
    })
}

/// Returns the `type/subtype` that a MIME type begins with.
fn essence(mime: &[u8]) -> Option<&[u8]> {
    let essence = mime.split(|byte| *byte == b';').next()?.trim_ascii();
    let slash = essence.iter().position(|byte| *byte == b'/')?;
    let (kind, subtype) = (&essence[..slash], &essence[slash + 1..]);
    (is_token(kind) && is_token(subtype) && essence != b"*/*").then_some(essence)
}

fn is_token(bytes: &[u8]) -> bool {
    let special = b"!#$%&'*+-.^_`|~";
    !bytes.is_empty()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || special.contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::HeaderValue;

    fn accepts(values: &[&[u8]]) -> bool {
        let mut map = HeaderMap::new();
        for value in values {
            map.append(CONTENT_TYPE, HeaderValue::from_bytes(value).unwrap());
        }
        is_event_stream(&map)
    }

    #[test]
    fn a_coding_counts_in_any_case_and_anywhere_in_the_list() {
        let encoded = |value| {
            let headers = [(CONTENT_ENCODING, HeaderValue::from_static(value))];
            is_encoded(&headers.into_iter().collect())
        };
        for value in ["gzip", "Br", " zstd ", "identity, gzip", "gzip, identity"] {
            assert!(encoded(value), "{value:?}");
        }
        for value in ["", "none", "identity", "chunked", "gzipped"] {
            assert!(!encoded(value), "{value:?}");
        }
        assert!(!is_encoded(&HeaderMap::new()));
    }

    #[test]
    fn the_essence_counts_in_any_case_with_any_parameters() {
        for value in [
            &b"text/event-stream"[..],
            b"text/event-stream;charset=UTF-8",
            b"text/event-stream; charset=windows-1252",
            b"text/event-stream;",
            b"text/event-stream ; x=y",
            b"TEXT/Event-Stream; Charset=UTF-8",
            b" text/event-stream ",
            b"text/event-stream; a=\"x, text/html, \"",
            b"text/event-stream; a=\"\\\", text/html, \"",
        ] {
            assert!(accepts(&[value]), "{}", String::from_utf8_lossy(value));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for value in [
            &b""[..],
            b"text/html",
            b"text/x-bogus",
            b"x bogus",
            b"application/json",
            b"text/event-streamx",
            b"text/event-stream-foo",
            b"text/event-stream/x",
            b"xtext/event-stream",
            b"text/event-stream x",
            b"text/event-stream\xff",
            b"\x80\xff",
        ] {
            assert!(!accepts(&[value]), "{}", String::from_utf8_lossy(value));
        }
        assert!(!accepts(&[]));
    }

    #[test]
    fn of_several_content_types_the_last_that_is_one_counts() {
        assert!(accepts(&[b"application/json, text/event-stream; charset=utf-8"]));
        assert!(!accepts(&[b"text/event-stream, application/json"]));
        assert!(accepts(&[b"application/json", b"text/event-stream"]));
        assert!(!accepts(&[b"text/event-stream", b"application/json"]));
        assert!(accepts(&[b"text/event-stream", b"nonsense", b"*/*"]));
        assert!(accepts(&[b"text/event-stream, text/h tml, /html, text/"]));
        // Only in a quoted string does a backslash escape the next character.
        assert!(accepts(&[b"text/html\\, text/event-stream"]));
    }
}
