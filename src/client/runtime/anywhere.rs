//! The replacement of `tokio.rs` for the browser and for builds without reqwest: no runtime is
//! needed.

/// The runtime that drives a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Home;

/// A guard that keeps the runtime entered.
pub(crate) struct Inside;

impl Home {
    /// Returns the current runtime, for a client that needs one.
    #[cfg(feature = "reqwest")]
    pub(crate) fn here() -> Option<Home> {
        Some(Home)
    }

    /// Returns the runtime in which to call user code.
    pub(crate) fn for_user_code() -> Home {
        Home
    }

    /// Enters this runtime.
    pub(crate) fn enter(self) -> Option<Inside> {
        Some(Inside)
    }
}
