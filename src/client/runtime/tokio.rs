//! tokio, which reqwest needs: the runtime around a call, or one of our own.

use tokio::runtime::{EnterGuard, Handle, Id};

// Our own runtime, or none.
#[cfg(feature = "smol")]
#[path = "own.rs"]
mod own;
#[cfg(not(feature = "smol"))]
mod own {
    use tokio::runtime::Handle;

    /// There is none.
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
    /// None in particular.
    Anywhere,
    /// A runtime of the user's.
    Theirs(Id),
    Ours(&'static Handle),
}

/// A guard: while it lives, the home that was entered is around.
pub(crate) struct Inside(#[expect(dead_code, reason = "it is to be dropped")] Guard);
type Guard = Option<EnterGuard<'static>>;

impl Home {
    /// Returns the runtime around this call, or else our own, if we have one.
    pub(crate) fn here() -> Option<Home> {
        let ours = || own::handle().map(Home::Ours);
        match Handle::try_current() {
            Ok(around) if own::is(&around) => ours(),
            Ok(around) => Some(Home::Theirs(around.id())),
            // At the end of its life a thread has no place for a runtime any more.
            Err(error) if error.is_thread_local_destroyed() => None,
            Err(_) => ours(),
        }
    }

    /// Returns the runtime for code of the user that may need one: our own where there is
    /// none around.
    pub(crate) fn for_user_code() -> Home {
        match Home::here() {
            Some(Home::Ours(handle)) => Home::Ours(handle),
            _ => Home::Anywhere,
        }
    }

    /// Enters this runtime. A user's must be around already, for it may be gone or stand
    /// still; our own is there for everyone.
    #[inline]
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
