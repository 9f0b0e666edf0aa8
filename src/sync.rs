//! Locks: those of the standard library with the feature `std`, spin locks without it.
//!
//! No lock is held while code of the user runs. So user code can neither poison a lock nor spin on
//! it in an interrupt handler.

#[cfg(feature = "std")]
mod locks {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    pub(crate) use std::sync::OnceLock as Once;

    #[derive(Debug, Default)]
    pub(crate) struct Lock<T>(Mutex<T>);

    impl<T> Lock<T> {
        pub(crate) fn new(value: T) -> Self {
            Lock(Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

#[cfg(not(feature = "std"))]
mod locks {
    use spin::mutex::{SpinMutex, SpinMutexGuard};

    #[derive(Debug, Default)]
    pub(crate) struct Lock<T>(SpinMutex<T>);

    impl<T> Lock<T> {
        pub(crate) fn new(value: T) -> Self {
            Lock(SpinMutex::new(value))
        }

        pub(crate) fn lock(&self) -> SpinMutexGuard<'_, T> {
            self.0.lock()
        }
    }

    pub(crate) struct Once<T>(spin::Once<T>);

    impl<T> Once<T> {
        pub(crate) const fn new() -> Self {
            Once(spin::Once::new())
        }

        pub(crate) fn get(&self) -> Option<&T> {
            self.0.get()
        }

        pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
            self.0.call_once(init)
        }
    }
}

pub(crate) use locks::{Lock, Once};
