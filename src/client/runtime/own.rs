//! A tokio runtime of our own, for requests that are made where there is none around.
//!
//! There is at most one in a process, made when it is first needed and there until the
//! process ends, so what belongs to it can be polled and dropped anywhere, at any time.
//! It is one thread that sees to sockets and reqwest's timers. Our streams are not
//! polled on it, only with it around: whoever polls them goes on doing so.
//!
//! async-compat has the same, but brings tokio to those who only want async-io's clock,
//! and panics where no thread can be started.

use core::future::pending;
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use tokio::runtime::{Builder, Handle};

static HANDLE: OnceLock<Handle> = OnceLock::new();
static STARTING: Mutex<()> = Mutex::new(());

/// The runtime, which is started if need be; `None` if that fails.
pub(super) fn handle() -> Option<&'static Handle> {
    if HANDLE.get().is_none() {
        let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if HANDLE.get().is_none() {
            let _ = HANDLE.set(start().ok()?);
        }
    }
    HANDLE.get()
}

/// Whether this is it.
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
