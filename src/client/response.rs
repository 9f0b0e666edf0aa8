//! Whether a response is an event stream, by the standard's "if response's status
//! is not 200, or if its Content-Type is not `text/event-stream`, then fail the
//! connection", with what is worth another try refined.

use super::platform::{self, MaybeSync, unix_time};
use super::{Error, Failure};
use crate::reconnect::ConnectError;
use alloc::boxed::Box;
use core::time::Duration;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use std::time::{SystemTime, UNIX_EPOCH};

/// Decides by the status, and by whether a connection of this source was open
/// before, if a response is worth another try.
pub(super) trait RetryStatus: Fn(StatusCode, bool) -> bool + MaybeSync {}
impl<F: Fn(StatusCode, bool) -> bool + MaybeSync> RetryStatus for F {}

/// The statuses of a server or a proxy in trouble are worth another try for a
/// source that has been open: a deploy must not end it. On the very first request
/// they end it like any other, as the standard says.
pub(super) fn retry_by_default(status: StatusCode, was_open: bool) -> bool {
    let is_transient = match status.as_u16() {
        408 | 425 | 429 => true,
        // The method and the version of HTTP stay unsupported. 520 to 599 are of proxies.
        501 | 505 => false,
        code => (500..600).contains(&code),
    };
    was_open && is_transient
}

/// Accepts a response that is an event stream; `retry` tells which others are worth
/// another try.
pub(super) fn check(
    response: Response,
    retry: impl FnOnce(StatusCode) -> bool,
) -> Result<Response, ConnectError<Failure, Error>> {
    let status = response.status();
    if status == StatusCode::OK {
        return if !is_event_stream(response.headers()) {
            Err(ConnectError::Fatal(Error::ContentType(Box::new(response))))
        } else if !platform::UNDOES_EVERY_CODING && is_encoded(response.headers()) {
            Err(ConnectError::Fatal(Error::ContentEncoding(Box::new(response))))
        } else {
            Ok(response)
        };
    }
    if status == StatusCode::NO_CONTENT {
        return Err(ConnectError::Finished);
    }
    if retry(status) {
        let retry_after = retry_after(response.headers());
        return Err(ConnectError::retry_after(Failure::status(response), retry_after));
    }
    Err(ConnectError::Fatal(Error::Status(Box::new(response))))
}

/// "To extract a MIME type from a header list" (Fetch): of all values of all
/// Content-Type headers, the last that is one. Only its essence matters here.
fn is_event_stream(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CONTENT_TYPE);
    let types = values.iter().flat_map(|value| split_unquoted(value.as_bytes()));
    let essences = types.filter_map(essence);
    essences.last().is_some_and(|essence| essence.eq_ignore_ascii_case(b"text/event-stream"))
}

/// Whether the body is in a coding of RFC 9110, section 8.4.1, or of one of its
/// successors. There are servers that say other things here to keep proxies from
/// compressing.
fn is_encoded(headers: &HeaderMap) -> bool {
    let known = ["gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd", "dcb", "dcz"];
    let values = headers.get_all(CONTENT_ENCODING);
    let mut codings = values.iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    codings.any(|coding| {
        let coding = coding.trim_ascii();
        known.iter().any(|known| coding.eq_ignore_ascii_case(known.as_bytes()))
    })
}

/// The parts of a header value between the commas that are not in quotes.
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

/// `type/subtype`, if that is what a MIME type begins with.
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

/// Returns the delay of the `Retry-After` headers, the longest if there are several: seconds or a
/// date (RFC 9110, section 10.2.3). Gateways also send decimals, a unit (`30s`), quotes, and lists.
/// A date counts from the response's own date, so a wrong clock of the client does no harm.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(RETRY_AFTER).iter().filter_map(|value| value.to_str().ok());
    values.filter_map(|value| delay(value, headers)).max()
}

fn delay(value: &str, headers: &HeaderMap) -> Option<Duration> {
    let value = value.trim().trim_matches('"').trim();
    if value.starts_with(|first: char| first.is_ascii_digit()) {
        return value.split(',').filter_map(|part| seconds(part.trim())).max();
    }
    let until = since_epoch(httpdate::parse_http_date(value).ok()?);
    let now = date(headers, DATE).unwrap_or_else(unix_time);
    Some(until.saturating_sub(now))
}

/// Reads a number of seconds, rounded up: the client must not be early.
fn seconds(value: &str) -> Option<Duration> {
    let number = value.trim_end_matches(|last: char| last.is_ascii_alphabetic()).trim_end();
    let unit = value[number.len()..].trim_start();
    if !matches!(unit, "" | "s" | "sec" | "secs" | "second" | "seconds") {
        return None;
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let is_more = fraction.bytes().any(|digit| digit != b'0');
    let seconds = whole.parse().unwrap_or(u64::MAX);
    Some(Duration::from_secs(seconds.saturating_add(is_more.into())))
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<Duration> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(since_epoch(httpdate::parse_http_date(value).ok()?))
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use reqwest::header::HeaderValue;

    fn headers(name: HeaderName, values: &[&[u8]]) -> HeaderMap {
        let values = values.iter().map(|value| HeaderValue::from_bytes(value).unwrap());
        values.map(|value| (name.clone(), value)).collect::<HeaderMap>()
    }

    fn accepts(values: &[&[u8]]) -> bool {
        let mut map = HeaderMap::new();
        for value in values {
            map.append(CONTENT_TYPE, HeaderValue::from_bytes(value).unwrap());
        }
        is_event_stream(&map)
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
            b"text/event-stream; a=\"x, text/html\"",
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
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_nothing_else() {
        let after = |value: &str| retry_after(&headers(RETRY_AFTER, &[value.as_bytes()]));
        assert_eq!(after("2"), Some(Duration::from_secs(2)));
        assert_eq!(after(" 120 "), Some(Duration::from_secs(120)));
        assert_eq!(after("99999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO), "in the past");
        for (value, wanted) in [
            ("6.5", 7),
            ("6.0", 6),
            ("0.001", 1),
            ("30s", 30),
            ("30 seconds", 30),
            ("\"30\"", 30),
            ("60, 60", 60),
            ("5, 90", 90),
            ("18446744073709551615.5", u64::MAX),
        ] {
            assert_eq!(after(value), Some(Duration::from_secs(wanted)), "{value:?}");
        }
        for garbage in [
            "",
            "soon",
            "-1",
            "+5",
            "1.",
            ".5",
            "1.5.5",
            "1e3",
            "30ms",
            "30 minutes",
            "0x10",
            "Sun, 99 Foo 1994 08:49:37 GMT",
            "2026-11-25T18:00:00Z",
            "\"",
            ",",
        ] {
            assert_eq!(after(garbage), None, "{garbage:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
        assert_eq!(retry_after(&headers(RETRY_AFTER, &[b"\xff"])), None);
        let several = headers(RETRY_AFTER, &[b"5", b"soon", b"7", b"6"]);
        assert_eq!(retry_after(&several), Some(Duration::from_secs(7)));
    }

    #[test]
    fn a_date_in_retry_after_counts_from_the_date_of_the_response() {
        let mut map = headers(RETRY_AFTER, &[b"Sun, 06 Nov 1994 08:49:37 GMT"]);
        map.insert(DATE, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:07 GMT"));
        assert_eq!(retry_after(&map), Some(Duration::from_secs(30)));
        map.insert(RETRY_AFTER, HeaderValue::from_static("Fri, 31 Dec 9999 23:59:59 GMT"));
        assert!(retry_after(&map) > Some(Duration::from_secs(1 << 30)));
    }
}
