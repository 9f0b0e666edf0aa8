//! No runtime in particular: the browser's is everywhere, and without reqwest no client of
//! ours needs one.

/// The runtime that drives a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Home;

/// A guard: while it lives, the home that was entered is around.
pub(crate) struct Inside;

impl Home {
    /// Returns the runtime around this call, for a client that needs one.
    #[cfg(feature = "reqwest")]
    pub(crate) fn here() -> Option<Home> {
        Some(Home)
    }

    /// Returns the runtime for code of the user that may need one.
    pub(crate) fn for_user_code() -> Home {
        Home
    }

    /// Enters this runtime.
    pub(crate) fn enter(self) -> Option<Inside> {
        Some(Inside)
    }
}
