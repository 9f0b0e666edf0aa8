//! The headers that the standard asks for in a request.

use crate::client::platform;
use http::header::{ACCEPT, CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue};

pub(in crate::client) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Adds what the standard asks for, each header once. The user's own are kept.
///
/// In the browser the cache mode replaces `Cache-Control`, which would need a CORS preflight
/// ("Set request's cache mode to 'no-store'", WHATWG HTML, section 9.2.2).
pub(in crate::client) fn add_defaults(headers: &mut HeaderMap) {
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("text/event-stream"));
    if !platform::IS_BROWSER {
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    }
}

/// Sets the id as its UTF-8 bytes. One that fits into no header is left out, and
/// the server starts where it would for a new client.
pub(in crate::client) fn set_last_event_id(headers: &mut HeaderMap, id: Option<&str>) {
    let Some(id) = id else { return };
    match header_value(id) {
        Some(value) => headers.insert(LAST_EVENT_ID, value),
        None => headers.remove(LAST_EVENT_ID),
    };
}

/// Returns a value as the bytes of a header, unless it has control bytes. reqwest has no way to
/// hand anything but ASCII to `fetch`.
fn header_value(value: &str) -> Option<HeaderValue> {
    let fits = !platform::IS_BROWSER || value.is_ascii();
    fits.then(|| HeaderValue::from_bytes(value.as_bytes()).ok())?
}
