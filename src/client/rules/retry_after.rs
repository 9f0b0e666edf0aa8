//! The delay that a server asks for.
//!
//! RFC 9110, section 10.2.3 allows a number of seconds or a date. Gateways also send decimals,
//! units, quotes, lists and timestamps, which are read if their meaning is unambiguous. Everything
//! else is ignored.

use crate::client::platform::unix_time;
use core::time::Duration;
use http::header::{DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use std::time::UNIX_EPOCH;

/// Headers in milliseconds that Azure and OpenAI send beside or in place of `Retry-After`.
const IN_MILLISECONDS: [&str; 2] = ["retry-after-ms", "x-ms-retry-after-ms"];

/// The smallest number that counts as seconds since 1970, in thousandths. As a delay it would be 31
/// years.
const FIRST_TIMESTAMP: u64 = 1_000_000_000 * THOUSAND;
/// The smallest number that counts as milliseconds since 1970, in thousandths.
const FIRST_TIMESTAMP_IN_MILLISECONDS: u64 = 1_000_000_000_000 * THOUSAND;
/// The smallest number that is too large for a timestamp, in thousandths.
const LAST_TIMESTAMP: u64 = 100_000_000_000_000 * THOUSAND;

const THOUSAND: u64 = 1_000;

/// The names of each unit, and the unit in thousandths.
const UNITS: [(&str, u64); 4] = [
    ("ms", 1),
    ("s sec secs second seconds", THOUSAND),
    ("m min mins minute minutes", 60 * THOUSAND),
    ("h hour hours", 3_600 * THOUSAND),
];

/// Returns the delay that the server asks for. It is zero for a past date, and the longest of
/// several values.
pub(in crate::client) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let mut longest = None;
    for value in headers.get_all(RETRY_AFTER) {
        let now = date(headers, DATE).unwrap_or_else(unix_time);
        longest = longest.max(delay(value, now));
    }
    if longest.is_some() {
        return longest;
    }
    for name in IN_MILLISECONDS {
        let value = headers.get(name).and_then(|value| number(value.as_bytes().trim_ascii()));
        longest = longest.max(value.map(|millis| seconds(millis.div_ceil(THOUSAND))));
    }
    longest
}

fn delay(value: &HeaderValue, now: Duration) -> Option<Duration> {
    let mut value = value.as_bytes();
    while let [b' ' | b'\t' | b'"', rest @ ..] | [rest @ .., b' ' | b'\t' | b'"'] = value {
        value = rest;
    }
    if let Some(time) = time(value) {
        return Some(time.saturating_sub(now));
    }
    // A proxy joins two headers as `30, 30`; an old draft allowed `30; comment`.
    let parts = value.split(|byte| matches!(byte, b',' | b';'));
    parts.filter_map(|part| delay_of_number(part.trim_ascii(), now)).max()
}

fn delay_of_number(value: &[u8], now: Duration) -> Option<Duration> {
    let Some(number) = number(value) else { return with_units(value) };
    let until = match number {
        FIRST_TIMESTAMP..FIRST_TIMESTAMP_IN_MILLISECONDS => number,
        FIRST_TIMESTAMP_IN_MILLISECONDS..LAST_TIMESTAMP => number.div_ceil(THOUSAND),
        _ => return Some(seconds(number)),
    };
    Some(seconds(until).saturating_sub(now))
}

/// Reads `30s`, `2 minutes` and `1m30.5s`.
fn with_units(mut value: &[u8]) -> Option<Duration> {
    let mut sum: u64 = 0;
    while !value.is_empty() {
        let end = value.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
        let (count, rest) = value.split_at(end);
        let rest = rest.trim_ascii_start();
        let end = rest.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let mut units = UNITS.iter().filter(|(names, _)| {
            names.split(' ').any(|unit| name.eq_ignore_ascii_case(unit.as_bytes()))
        });
        let (_, unit) = units.next()?;
        sum = sum.saturating_add(number(count)?.saturating_mul(*unit).div_ceil(THOUSAND));
        value = rest.trim_ascii_start();
    }
    (sum > 0).then(|| seconds(sum))
}

/// Reads digits with at most one decimal point among them, as thousandths, rounded up. Parsing a
/// float would add 18 KB of tables to a web page.
fn number(value: &[u8]) -> Option<u64> {
    let mut thousandths: u64 = 0;
    // The number of decimal places, once there is a decimal point.
    let mut places = None;
    let (mut has_digits, mut is_more) = (false, false);
    for byte in value {
        match (byte, &mut places) {
            (b'.', None) => places = Some(0),
            (b'0'..=b'9', Some(3)) => is_more |= *byte != b'0',
            (b'0'..=b'9', places) => {
                let digit = u64::from(*byte - b'0');
                thousandths = thousandths.saturating_mul(10).saturating_add(digit);
                has_digits = true;
                *places = places.map(|places| places + 1);
            }
            _ => return None,
        }
    }
    for _ in places.unwrap_or(0)..3 {
        thousandths = thousandths.saturating_mul(10);
    }
    has_digits.then(|| thousandths.saturating_add(u64::from(is_more)))
}

/// Rounds thousandths up to seconds, so that a client is never too early. Larger numbers count as
/// the largest one.
fn seconds(thousandths: u64) -> Duration {
    let is_over = thousandths == u64::MAX;
    Duration::from_secs(if is_over { u64::MAX } else { thousandths.div_ceil(THOUSAND) })
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<Duration> {
    time(headers.get(name)?.as_bytes())
}

/// Returns the time since the beginning of 1970 until a date of HTTP.
fn time(date: &[u8]) -> Option<Duration> {
    let time = httpdate::parse_http_date(core::str::from_utf8(date).ok()?).ok()?;
    Some(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::HeaderValue;

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let values = values.iter().map(|value| HeaderValue::from_bytes(value).unwrap());
        values.map(|value| (RETRY_AFTER, value)).collect::<HeaderMap>()
    }

    fn after(value: &str) -> Option<u64> {
        retry_after(&headers(&[value.as_bytes()])).map(|delay| delay.as_secs())
    }

    #[test]
    fn seconds_and_dates_are_read_as_the_standard_says() {
        assert_eq!(after("2"), Some(2));
        assert_eq!(after(" 120 "), Some(120));
        assert_eq!(after("0"), Some(0));
        assert_eq!(after("99999999999999999999"), Some(u64::MAX));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(0), "in the past");
    }

    /// Regression: decimal numbers were ignored, so the client came back too early.
    #[test]
    fn the_numbers_of_gateways_are_read_and_rounded_up() {
        for (value, delay) in [
            ("6.5", 7),
            ("1.5", 2),
            ("0.001", 1),
            ("3.", 3),
            ("2 s", 2),
            ("30s", 30),
            ("30 seconds", 30),
            ("2 Minutes", 120),
            ("1m30.5s", 91),
            ("250ms", 1),
            ("1.5 hours", 5400),
            ("1.0000", 1),
            ("1.0004", 2),
            ("\"15\"", 15),
            ("5, 9", 9),
            ("5; soon", 5),
        ] {
            assert_eq!(after(value), Some(delay), "{value:?}");
        }
    }

    #[test]
    fn a_number_is_a_timestamp_if_as_seconds_it_would_be_over_31_years() {
        let mut map = HeaderMap::new();
        map.insert(DATE, HeaderValue::from_static("Sun, 09 Sep 2001 01:46:39 GMT"));
        for (value, delay) in [
            ("999999999", 999_999_999),
            ("1000000000", 1),
            ("999999999999", 999_999_999_999 - 999_999_999),
            ("1000000000000", 1),
            ("99999999999999", 100_000_000_000 - 999_999_999),
            ("100000000000000", 100_000_000_000_000),
        ] {
            map.insert(RETRY_AFTER, HeaderValue::from_static(value));
            assert_eq!(retry_after(&map), Some(Duration::from_secs(delay)), "{value}");
        }
    }

    #[test]
    fn a_value_that_means_no_delay_is_ignored() {
        for garbage in [
            "",
            "soon",
            "-1",
            "+5",
            "1.2.3",
            ".",
            "s",
            "2 x",
            "NaN",
            "inf",
            "1e3",
            "Sun, 99 Foo 1994 08:49:37 GMT",
        ] {
            assert_eq!(after(garbage), None, "{garbage:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
        assert_eq!(retry_after(&headers(&[b"\xff"])), None);
    }

    #[test]
    fn the_longest_of_several_headers_counts() {
        let delay = retry_after(&headers(&[b"5", b"soon", b"9", b"7"]));
        assert_eq!(delay, Some(Duration::from_secs(9)));
    }

    #[test]
    fn milliseconds_count_where_there_is_no_retry_after() {
        let mut map = HeaderMap::new();
        map.insert("retry-after-ms", HeaderValue::from_static("1200"));
        assert_eq!(retry_after(&map), Some(Duration::from_secs(2)));
        map.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        assert_eq!(retry_after(&map), Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_date_and_a_timestamp_count_from_the_date_of_the_response() {
        let mut map = headers(&[b"Sun, 06 Nov 1994 08:49:37 GMT"]);
        map.insert(DATE, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:07 GMT"));
        assert_eq!(retry_after(&map), Some(Duration::from_secs(30)));
        map.insert(RETRY_AFTER, HeaderValue::from_static("Fri, 31 Dec 9999 23:59:59 GMT"));
        assert!(retry_after(&map) > Some(Duration::from_secs(1 << 30)));
        map.insert(DATE, HeaderValue::from_static("Sun, 09 Sep 2001 01:46:40 GMT"));
        for timestamp in ["1000000060", "1000000060000"] {
            map.insert(RETRY_AFTER, HeaderValue::from_str(timestamp).unwrap());
            assert_eq!(retry_after(&map), Some(Duration::from_secs(60)), "{timestamp}");
        }
    }
}
