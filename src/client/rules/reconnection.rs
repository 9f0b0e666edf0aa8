//! The setting that says what is sent again.

use crate::retry::DisconnectKind;
#[cfg(feature = "reqwest")]
use http::Method;

/// The requests after which a lost connection is made again.
///
/// ```
/// assert_eq!(everstream::Reconnection::default(), everstream::Reconnection::SafeMethods);
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reconnection {
    /// After any.
    Always,
    /// After GET and HEAD. Others, such as the POST of an LLM's API, are sent
    /// once: a clean end is the end, and a broken connection an error. The method behind a
    /// [response function](crate::EventSource::from_response_fn) is not known and so not
    /// safe.
    #[default]
    SafeMethods,
    /// After any that broke, timed out or was refused, but not after a clean end. The Streamable
    /// HTTP of MCP, for one, ends each answer so.
    WhenBroken,
    /// After none.
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
