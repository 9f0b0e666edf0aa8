//! The decision about a response. The standard fails the connection "if response's status is not
//! 200, or if its Content-Type is not `text/event-stream`". Some of these responses are retried
//! here.

use super::content;
use crate::client::platform::{self, MaybeSync};
use alloc::boxed::Box;
use http::{HeaderMap, StatusCode};

/// Returns whether a response with this status is retried. The second argument is true if a
/// connection of this source was open before.
pub(in crate::client) trait RetryStatus:
    Fn(StatusCode, bool) -> bool + MaybeSync
{
}
impl<F: Fn(StatusCode, bool) -> bool + MaybeSync> RetryStatus for F {}

/// Returns whether a body with this content type is read as an event stream.
pub(in crate::client) trait AcceptContentType:
    Fn(Option<&str>) -> bool + MaybeSync
{
}
impl<F: Fn(Option<&str>) -> bool + MaybeSync> AcceptContentType for F {}

/// The user's rules. The default applies to each that is `None`.
pub(in crate::client) struct Rules {
    pub(in crate::client) retry_status: Option<Box<dyn RetryStatus>>,
    pub(in crate::client) accept_content_type: Option<Box<dyn AcceptContentType>>,
}

impl Rules {
    pub(in crate::client) const DEFAULT: Rules =
        Rules { retry_status: None, accept_content_type: None };
}

/// Returns whether a status is retried by default. Temporary errors of a server or a proxy are
/// retried once the source was open, so a deploy does not end it. On the first request they end it,
/// as the standard demands. A 200 here is a response with another content type, such as the page of
/// a captive portal.
fn retry_by_default(status: StatusCode, was_open: bool) -> bool {
    // 501 and 505 reject the request itself, which does not change.
    was_open && matches!(status.as_u16(), 200 | 408 | 425 | 429 | 500 | 502..=504 | 506..=599)
}

/// The decision about a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::client) enum Verdict {
    /// It is an event stream.
    Open,
    /// The stream is over.
    Finished,
    /// The token may have expired: recreate the request and send it at once.
    Renew,
    /// It is not an event stream, but the next response may be one.
    Retry(Fault),
    /// It is not an event stream, and no later response will be one.
    Refuse(Fault),
    /// It is in a content coding that the client does not decode, as later responses will be.
    RefuseCoding,
}

/// The fault of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::client) enum Fault {
    Status,
    ContentType,
}

/// Decides about a response. `can_renew` is true if the request can be recreated with another
/// token.
pub(in crate::client) fn judge(
    rules: &Rules,
    status: StatusCode,
    headers: &HeaderMap,
    was_open: bool,
    can_renew: bool,
) -> Verdict {
    let fault = match status {
        StatusCode::NO_CONTENT => return Verdict::Finished,
        StatusCode::UNAUTHORIZED if can_renew => return Verdict::Renew,
        StatusCode::OK if !is_accepted(rules, headers) => Fault::ContentType,
        // `fetch` decodes every content coding, but keeps the header.
        StatusCode::OK if !platform::IS_BROWSER && content::is_encoded(headers) => {
            return Verdict::RefuseCoding;
        }
        StatusCode::OK => return Verdict::Open,
        _ => Fault::Status,
    };
    let is_worth_another_try = match &rules.retry_status {
        Some(retry) => retry(status, was_open),
        None => retry_by_default(status, was_open),
    };
    match is_worth_another_try {
        true => Verdict::Retry(fault),
        false => Verdict::Refuse(fault),
    }
}

fn is_accepted(rules: &Rules, headers: &HeaderMap) -> bool {
    let accept = rules.accept_content_type.as_ref();
    content::is_event_stream(headers)
        || accept.is_some_and(|accept| accept(content::content_type(headers).as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};

    #[test]
    fn statuses_of_servers_and_proxies_in_trouble_are_retried_once_open() {
        let retried = |code| retry_by_default(StatusCode::from_u16(code).unwrap(), true);
        for code in [200, 408, 425, 429, 500, 502, 503, 504, 507, 520, 524, 530, 599] {
            assert!(retried(code), "{code}");
        }
        for code in [201, 301, 400, 401, 403, 404, 410, 418, 501, 505, 600, 999] {
            assert!(!retried(code), "{code}");
        }
        for code in 200..600 {
            assert!(!retry_by_default(StatusCode::from_u16(code).unwrap(), false), "{code}");
        }
    }

    #[test]
    fn a_204_ends_the_stream_and_a_401_renews_a_request_that_can_be_recreated() {
        let verdict = |code, can_renew| {
            let status = StatusCode::from_u16(code).unwrap();
            let headers = [(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"))];
            judge(&Rules::DEFAULT, status, &headers.into_iter().collect(), true, can_renew)
        };
        assert_eq!(verdict(200, true), Verdict::Open);
        assert_eq!(verdict(204, true), Verdict::Finished);
        assert_eq!(verdict(401, true), Verdict::Renew);
        assert_eq!(verdict(401, false), Verdict::Refuse(Fault::Status));
        assert_eq!(verdict(404, true), Verdict::Refuse(Fault::Status));
        assert_eq!(verdict(503, true), Verdict::Retry(Fault::Status));
    }

    #[test]
    fn an_event_stream_in_a_content_coding_is_refused() {
        let verdict = |coding| {
            let headers = [(CONTENT_TYPE, "text/event-stream"), (CONTENT_ENCODING, coding)];
            let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
            judge(&Rules::DEFAULT, StatusCode::OK, &headers.into_iter().collect(), true, false)
        };
        assert_eq!(verdict("gzip"), Verdict::RefuseCoding);
        assert_eq!(verdict("none"), Verdict::Open);
    }

    #[test]
    fn a_content_type_of_strange_bytes_is_not_an_absent_one() {
        let accept = |found: Option<&str>| found.is_none();
        let rules = Rules { accept_content_type: Some(Box::new(accept)), ..Rules::DEFAULT };
        let headers = [(CONTENT_TYPE, HeaderValue::from_bytes(b"text/html; x=\xe9").unwrap())];
        let headers = headers.into_iter().collect();
        let verdict = judge(&rules, StatusCode::OK, &headers, false, false);
        assert_eq!(verdict, Verdict::Refuse(Fault::ContentType));
        assert_eq!(judge(&rules, StatusCode::OK, &HeaderMap::new(), false, false), Verdict::Open);
    }

    #[test]
    fn the_rule_of_the_user_sees_the_content_type_and_adds_to_the_default() {
        let accept = |found: Option<&str>| found == Some("text/plain");
        let rules = Rules { accept_content_type: Some(Box::new(accept)), ..Rules::DEFAULT };
        let verdict = |content_type| {
            let headers = [(CONTENT_TYPE, HeaderValue::from_static(content_type))];
            judge(&rules, StatusCode::OK, &headers.into_iter().collect(), false, false)
        };
        assert_eq!(verdict("text/plain"), Verdict::Open);
        assert_eq!(verdict("text/event-stream"), Verdict::Open);
        assert_eq!(verdict("text/html"), Verdict::Refuse(Fault::ContentType));
    }
}
