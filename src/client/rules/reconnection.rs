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
