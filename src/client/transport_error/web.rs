//! The errors of reqwest in the browser, over `fetch`.

use super::{Inner, TransportErrorKind, chain};
use alloc::string::{String, ToString};
use std::error::Error as StdError;

pub(super) fn classified(mut inner: Inner) -> Inner {
    let found = chain(&*inner.error).find_map(|error| error.downcast_ref::<reqwest::Error>());
    let Some(error) = found else { return inner };
    inner.kind = if error.is_builder() {
        TransportErrorKind::Invalid
    } else if error.is_timeout() {
        TransportErrorKind::Timeout
    } else if error.is_request() {
        TransportErrorKind::Connect
    } else {
        TransportErrorKind::Body
    };
    inner.is_permanent = error.is_builder();
    inner
}

/// Returns a text for an exception, which reqwest would print with its stack. The browser gives no
/// reason for a missing response.
pub(super) fn text(error: &(dyn StdError + 'static)) -> Option<String> {
    let error = chain(error).find_map(|error| error.downcast_ref::<reqwest::Error>())?;
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
