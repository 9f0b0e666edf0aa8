//! The errors of reqwest in the browser, over `fetch`.

use super::{Cause, Inner, TransportError, TransportErrorKind, chain};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use std::error::Error as StdError;

pub(super) fn of(error: reqwest::Error) -> TransportError {
    let (kind, is_permanent) = (kind(&error), error.is_builder());
    let inner = Inner { kind, is_permanent, peer: None, error: Cause::Reqwest(error) };
    TransportError { inner: Arc::new(inner) }
}

pub(super) fn classified(mut inner: Inner) -> Inner {
    let Cause::Other(error) = &inner.error else { return inner };
    let found = chain(&**error).find_map(|error| error.downcast_ref::<reqwest::Error>());
    let Some(error) = found else { return inner };
    inner.kind = kind(error);
    inner.is_permanent = error.is_builder();
    inner
}

fn kind(error: &reqwest::Error) -> TransportErrorKind {
    if error.is_builder() {
        TransportErrorKind::Invalid
    } else if error.is_timeout() {
        TransportErrorKind::Timeout
    } else if error.is_request() {
        TransportErrorKind::Connect
    } else {
        TransportErrorKind::Body
    }
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
