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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_of_the_standard_are_added_and_those_of_the_user_are_kept() {
        let mut headers = HeaderMap::new();
        add_defaults(&mut headers);
        assert_eq!(headers[ACCEPT], "text/event-stream");
        assert_eq!(headers[CACHE_CONTROL], "no-cache");
        assert_eq!(headers.len(), 2);
        for name in [ACCEPT, CACHE_CONTROL] {
            headers.insert(name, HeaderValue::from_static("mine"));
        }
        add_defaults(&mut headers);
        assert!(headers.len() == 2 && headers.values().all(|value| value == "mine"));
    }

    #[test]
    fn the_last_event_id_is_its_bytes_unless_no_header_can_hold_it() {
        let mut headers = HeaderMap::new();
        set_last_event_id(&mut headers, None);
        assert!(headers.is_empty());
        for id in ["1", "…7", " a b ", ""] {
            set_last_event_id(&mut headers, Some(id));
            assert_eq!(headers[LAST_EVENT_ID], id.as_bytes());
        }
        set_last_event_id(&mut headers, None);
        assert_eq!(headers.len(), 1, "a header of the user is kept");
        set_last_event_id(&mut headers, Some("a\u{7f}"));
        assert!(headers.is_empty());
    }
}
