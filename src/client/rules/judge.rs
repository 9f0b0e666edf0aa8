//! The decision about a response, by the standard's "if response's status is not 200, or if its
//! Content-Type is not `text/event-stream`, then fail the connection", with the responses that
//! are worth another try refined.

use super::content;
use crate::client::platform::{self, MaybeSync};
use alloc::boxed::Box;
use http::{HeaderMap, StatusCode};

/// Decides by the status, and by whether a connection of this source was open
/// before, if a response is worth another try.
pub(in crate::client) trait RetryStatus:
    Fn(StatusCode, bool) -> bool + MaybeSync
{
}
impl<F: Fn(StatusCode, bool) -> bool + MaybeSync> RetryStatus for F {}

/// Decides by the content type if a body is to be read as an event stream.
pub(in crate::client) trait AcceptContentType:
    Fn(Option<&str>) -> bool + MaybeSync
{
}
impl<F: Fn(Option<&str>) -> bool + MaybeSync> AcceptContentType for F {}

/// The user's rules; the default ones where there are none.
pub(in crate::client) struct Rules {
    pub(in crate::client) retry_status: Option<Box<dyn RetryStatus>>,
    pub(in crate::client) accept_content_type: Option<Box<dyn AcceptContentType>>,
}

impl Rules {
    pub(in crate::client) const DEFAULT: Rules =
        Rules { retry_status: None, accept_content_type: None };
}

/// The statuses of a server or a proxy in trouble are worth another try for a
/// source that has been open: a deploy must not end it. On the very first request
/// they end it like any other, as the standard says. A 200 is here one without an event
/// stream, such as the page of a captive portal.
fn retry_by_default(status: StatusCode, was_open: bool) -> bool {
    // 501 and 505 are about the request, which stays the same.
    was_open && matches!(status.as_u16(), 200 | 408 | 425 | 429 | 500 | 502..=504 | 506..=599)
}

/// The decision about a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::client) enum Verdict {
    /// It is an event stream.
    Open,
    /// There is nothing more to come.
    Finished,
    /// Its token may have expired: send the request again at once, made anew.
    Renew,
    /// It is no event stream, but the next response may be one.
    Retry(Fault),
    /// It is no event stream, and none will be.
    Refuse(Fault),
}

/// The fault of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::client) enum Fault {
    Status,
    ContentType,
    ContentEncoding,
}

/// Decides about a response. `can_renew` says that the request can be made with another token.
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
        // `fetch` undoes every content coding, and leaves its header there.
        StatusCode::OK if !platform::IS_BROWSER && content::is_encoded(headers) => {
            return Verdict::Refuse(Fault::ContentEncoding);
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
        || accept.is_some_and(|accept| accept(content::content_type(headers)))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
