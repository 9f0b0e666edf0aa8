//! The tokio runtime that drives a request: the current one, or one of this crate.

use tokio::runtime::{EnterGuard, Handle, Id};

// Without the feature `smol` this crate has no runtime.
#[cfg(feature = "smol")]
#[path = "own.rs"]
mod own;
#[cfg(not(feature = "smol"))]
mod own {
    use tokio::runtime::Handle;

    pub(super) fn handle() -> Option<&'static Handle> {
        None
    }

    pub(super) fn is(_: &Handle) -> bool {
        false
    }
}

/// The runtime that drives a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Home {
    /// None: it is polled in the current runtime, if there is one.
    Anywhere,
    /// A runtime that the user started.
    Theirs(Id),
    Ours(&'static Handle),
}

/// A guard that keeps the runtime entered.
pub(crate) struct Inside(#[expect(dead_code, reason = "it is to be dropped")] Guard);
type Guard = Option<EnterGuard<'static>>;

impl Home {
    /// Returns the current runtime, or else the crate's own, if it has one.
    pub(crate) fn here() -> Option<Home> {
        let ours = || own::handle().map(Home::Ours);
        match Handle::try_current() {
            Ok(around) if own::is(&around) => ours(),
            Ok(around) => Some(Home::Theirs(around.id())),
            // A thread that is being destroyed cannot enter a runtime.
            Err(error) if error.is_thread_local_destroyed() => None,
            Err(_) => ours(),
        }
    }

    /// Returns the runtime in which to call user code: the crate's own if none is entered.
    pub(crate) fn for_user_code() -> Home {
        match Home::here() {
            Some(Home::Ours(handle)) => Home::Ours(handle),
            _ => Home::Anywhere,
        }
    }

    /// Enters this runtime. Returns `None` for a user's runtime that is not the current one,
    /// because it may be shut down or idle. The crate's own runtime can always be entered.
    #[inline(always)]
    pub(crate) fn enter(self) -> Option<Inside> {
        match self {
            Home::Anywhere => Some(Inside(None)),
            Home::Theirs(id) => {
                let around = Handle::try_current().ok()?;
                (around.id() == id).then_some(Inside(None))
            }
            Home::Ours(handle) => match Handle::try_current() {
                Err(error) if error.is_thread_local_destroyed() => None,
                _ => Some(Inside(Some(handle.enter()))),
            },
        }
    }
}
