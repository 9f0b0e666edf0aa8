//! A tokio runtime of this crate, for requests that are sent outside of any tokio runtime.
//!
//! A process has at most one. It starts when it is first needed and never stops, so its futures can
//! be polled and dropped anywhere, at any time. Its one thread drives sockets and reqwest's timers.
//! Streams are still polled by the user's executor, which enters this runtime for each poll.
//!
//! async-compat offers such a runtime, but it makes tokio a dependency of builds that only need
//! async-io's clock, and panics if no thread can be started.

use core::future::pending;
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use tokio::runtime::{Builder, Handle};

static HANDLE: OnceLock<Handle> = OnceLock::new();
static STARTING: Mutex<()> = Mutex::new(());

/// Returns the runtime, and starts it if necessary. Returns `None` if that fails.
pub(super) fn handle() -> Option<&'static Handle> {
    if HANDLE.get().is_none() {
        let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if HANDLE.get().is_none() {
            let _ = HANDLE.set(start().ok()?);
        }
    }
    HANDLE.get()
}

/// Returns whether `handle` belongs to this runtime.
pub(super) fn is(handle: &Handle) -> bool {
    HANDLE.get().is_some_and(|own| own.id() == handle.id())
}

fn start() -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let thread = thread::Builder::new().name("everstream".into());
    thread.spawn(move || runtime.block_on(pending::<()>()))?;
    Ok(handle)
}
