//! The setting that decides which requests are sent again.

use crate::retry::DisconnectKind;
#[cfg(feature = "reqwest")]
use http::Method;

/// The requests that are sent again after a lost connection.
///
/// ```
/// assert_eq!(everstream::Reconnection::default(), everstream::Reconnection::SafeMethods);
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reconnection {
    /// Any request.
    Always,
    /// GET and HEAD. Other requests, such as the POST of an LLM's API, are sent once: a clean end
    /// ends the stream, and a broken connection is an error. The method of a [response
    /// function](crate::EventSource::from_response_fn) is unknown, so its request is sent once too.
    #[default]
    SafeMethods,
    /// Any request, unless its connection ended cleanly. In MCP's Streamable HTTP, for example, a
    /// clean end completes the response.
    WhenBroken,
    /// No request.
    Never,
}

impl Reconnection {
    /// Returns whether a request may be repeated after its connection was lost in this way.
    pub(in crate::client) fn allows(self, is_safe: bool, lost: DisconnectKind) -> bool {
        match self {
            Reconnection::Always => true,
            Reconnection::SafeMethods => is_safe,
            Reconnection::WhenBroken => lost != DisconnectKind::Ended,
            Reconnection::Never => false,
        }
    }
}

/// Returns whether a method is safe to repeat.
#[cfg(feature = "reqwest")]
pub(in crate::client) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use DisconnectKind::{Broken, Ended, Refused, TimedOut};

    #[test]
    fn each_setting_repeats_the_requests_that_its_docs_name() {
        let allowed = |setting: Reconnection, is_safe| {
            [Ended, Broken, Refused, TimedOut].map(|lost| setting.allows(is_safe, lost))
        };
        for is_safe in [true, false] {
            assert_eq!(allowed(Reconnection::Always, is_safe), [true; 4]);
            assert_eq!(allowed(Reconnection::SafeMethods, is_safe), [is_safe; 4]);
            let broken = allowed(Reconnection::WhenBroken, is_safe);
            assert_eq!(broken, [false, true, true, true]);
            assert_eq!(allowed(Reconnection::Never, is_safe), [false; 4]);
        }
    }

    #[cfg(feature = "reqwest")]
    #[test]
    fn get_and_head_are_safe_to_repeat() {
        assert!([Method::GET, Method::HEAD].iter().all(is_safe));
        let others = [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS];
        assert!(!others.iter().any(is_safe));
    }
}
