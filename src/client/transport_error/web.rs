//! reqwest errors in the browser, over `fetch`.

use super::{Cause, Facts, Inner, TransportError, TransportErrorKind};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use std::error::Error as StdError;

pub(super) fn of(error: reqwest::Error) -> TransportError {
    let facts = facts(&error);
    TransportError { inner: Arc::new(Inner { facts, error: Cause::Reqwest(error) }) }
}

pub(super) fn facts(error: &reqwest::Error) -> Facts {
    Facts { kind: kind(error), is_permanent: error.is_builder(), peer: None }
}

fn kind(error: &reqwest::Error) -> TransportErrorKind {
    if error.is_builder() {
        TransportErrorKind::Invalid
    } else if error.is_timeout() {
        TransportErrorKind::Timeout
    } else if error.is_request() {
        TransportErrorKind::Connect
    } else if error.is_status() {
        TransportErrorKind::Request
    } else {
        TransportErrorKind::Body
    }
}

/// Returns a text for an exception, which reqwest would print with its stack. The browser gives no
/// reason for a missing response.
pub(super) fn text(_: &(dyn StdError + 'static), error: &reqwest::Error) -> Option<String> {
    let text = if error.is_timeout() {
        "it took too long"
    } else if error.is_builder() {
        // The exception has several lines, and contains the URL with its password.
        "fetch does not take the URL or a header"
    } else if error.is_request() {
        "fetch gave no response: the server is down, or a policy such as CORS forbids it"
    } else {
        "fetch gave no more"
    };
    Some(text.to_string())
}
