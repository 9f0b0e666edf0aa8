//! The headers that the standard asks for in a request.

use crate::client::platform;
use http::header::{ACCEPT, CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue};

pub(in crate::client) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Adds the headers of the standard that are missing. The user's own values are kept.
///
/// In the browser the cache mode replaces `Cache-Control`, which would need a CORS preflight
/// ("Set request's cache mode to 'no-store'", WHATWG HTML, section 9.2.2).
pub(in crate::client) fn add_defaults(headers: &mut HeaderMap) {
    let mut add = |name: HeaderName, value| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    add(ACCEPT, "text/event-stream");
    if !platform::IS_BROWSER {
        add(CACHE_CONTROL, "no-cache");
    }
}

/// Sets the header `Last-Event-ID` to the UTF-8 bytes of the ID. An ID that no header can hold is
/// left out, so the server treats the client as a new one.
pub(in crate::client) fn set_last_event_id(headers: &mut HeaderMap, id: Option<&str>) {
    let Some(id) = id else { return };
    match header_value(id) {
        Some(value) => headers.insert(LAST_EVENT_ID, value),
        None => headers.remove(LAST_EVENT_ID),
    };
}

/// Converts a string into a header value, or returns `None` if it has control characters. In the
/// browser it must be ASCII, because reqwest cannot pass anything else to `fetch`.
fn header_value(value: &str) -> Option<HeaderValue> {
    let fits = !platform::IS_BROWSER || value.is_ascii();
    fits.then(|| HeaderValue::from_bytes(value.as_bytes()).ok())?
}
