//! The delay that a server asks for.
//!
//! RFC 9110, section 10.2.3 allows a number of seconds or a date. Gateways also send decimals,
//! units, quotes, lists and timestamps, which are read if their meaning is unambiguous. Everything
//! else is ignored.

use crate::client::platform::unix_time;
use core::time::Duration;
use http::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use std::time::{SystemTime, UNIX_EPOCH};

/// Headers in milliseconds that Azure and OpenAI send beside or in place of `Retry-After`.
const IN_MILLISECONDS: [&str; 2] = ["retry-after-ms", "x-ms-retry-after-ms"];

/// The smallest number that counts as seconds since 1970, in thousandths. As a delay it would be 31
/// years.
const FIRST_TIMESTAMP: u64 = 1_000_000_000 * THOUSAND;
/// The smallest number that counts as milliseconds since 1970, in thousandths.
const FIRST_TIMESTAMP_IN_MILLISECONDS: u64 = 1_000_000_000_000 * THOUSAND;
/// The smallest number that is no timestamp, in thousandths.
const LAST_TIMESTAMP: u64 = 100_000_000_000_000 * THOUSAND;

const THOUSAND: u64 = 1_000;

/// Returns the delay that the server asks for. It is zero for a past date, and the longest of
/// several values.
pub(in crate::client) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let now = || date(headers, DATE).unwrap_or_else(unix_time);
    let values = headers.get_all(RETRY_AFTER).iter().filter_map(|value| value.to_str().ok());
    let asked = values.filter_map(|value| delay(value, now)).max();
    asked.or_else(|| {
        let values = IN_MILLISECONDS.iter().filter_map(|name| headers.get(*name)?.to_str().ok());
        values.filter_map(|value| Some(seconds(number(value.trim())?.div_ceil(THOUSAND)))).max()
    })
}

fn delay(value: &str, now: impl Fn() -> Duration) -> Option<Duration> {
    let value = value.trim().trim_matches('"').trim();
    if let Ok(time) = httpdate::parse_http_date(value) {
        return Some(since_epoch(time).saturating_sub(now()));
    }
    // A proxy joins two headers as `30, 30`; an old draft allowed `30; comment`.
    let parts = value.split([',', ';']);
    parts.filter_map(|part| delay_of_number(part.trim(), &now)).max()
}

fn delay_of_number(value: &str, now: impl Fn() -> Duration) -> Option<Duration> {
    if let Some(number) = number(value) {
        let until = match number {
            FIRST_TIMESTAMP..FIRST_TIMESTAMP_IN_MILLISECONDS => Some(number),
            FIRST_TIMESTAMP_IN_MILLISECONDS..LAST_TIMESTAMP => Some(number.div_ceil(THOUSAND)),
            _ => None,
        };
        return Some(match until {
            Some(until) => seconds(until).saturating_sub(now()),
            None => seconds(number),
        });
    }
    with_units(value)
}

/// Reads `30s`, `2 minutes` and `1m30.5s`.
fn with_units(mut value: &str) -> Option<Duration> {
    let mut sum: u64 = 0;
    while !value.is_empty() {
        let end = value.find(|char: char| !char.is_ascii_digit() && char != '.')?;
        let count = number(&value[..end])?;
        let rest = value[end..].trim_start();
        let end = rest.find(|char: char| !char.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match rest[..end].to_ascii_lowercase().as_str() {
            "ms" => 1,
            "s" | "sec" | "secs" | "second" | "seconds" => THOUSAND,
            "m" | "min" | "mins" | "minute" | "minutes" => 60 * THOUSAND,
            "h" | "hour" | "hours" => 3_600 * THOUSAND,
            _ => return None,
        };
        sum = sum.saturating_add(count.saturating_mul(unit).div_ceil(THOUSAND));
        value = rest[end..].trim_start();
    }
    (sum > 0).then(|| seconds(sum))
}

/// Reads digits with at most one decimal point among them, as thousandths, rounded up. Parsing a
/// float would add 18 KB of tables to a web page.
fn number(value: &str) -> Option<u64> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().unwrap_or(u64::MAX) };
    let digits = fraction.bytes().chain(*b"000").take(3);
    let thousandths = digits.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    let is_more = fraction.bytes().skip(3).any(|digit| digit != b'0');
    Some(whole.saturating_mul(THOUSAND).saturating_add(thousandths + u64::from(is_more)))
}

/// Rounds thousandths up to seconds, so that a client is never too early. Larger numbers count as
/// the largest one.
fn seconds(thousandths: u64) -> Duration {
    let is_over = thousandths == u64::MAX;
    Duration::from_secs(if is_over { u64::MAX } else { thousandths.div_ceil(THOUSAND) })
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
            ("\"15\"", 15),
            ("5, 9", 9),
            ("5; soon", 5),
        ] {
            assert_eq!(after(value), Some(delay), "{value:?}");
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
