//! The atomics, wakers and locks that handles and streams share. The locks are the standard
//! library's with the feature `std`, and spin locks without it. `ci/loom` replaces all of them by
//! loom's, which tries every order of their operations.
//!
//! No lock is held while user code runs. So it can neither poison a lock nor spin on
//! it in an interrupt handler.

#[cfg(all(feature = "std", not(all(test, everstream_loom))))]
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

#[cfg(all(test, everstream_loom))]
mod locks {
    use loom::sync::{Mutex, MutexGuard};

    // No model calls it from two threads at a time, so it needs no replacement.
    pub(crate) use std::sync::OnceLock as Once;

    #[derive(Debug)]
    pub(crate) struct Lock<T>(Mutex<T>);

    impl<T> Lock<T> {
        pub(crate) fn new(value: T) -> Self {
            Lock(Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap()
        }
    }

    impl<T: Default> Default for Lock<T> {
        fn default() -> Self {
            Lock::new(T::default())
        }
    }
}

#[cfg(not(all(test, everstream_loom)))]
mod atomics {
    pub(crate) use atomic_waker::AtomicWaker;
    pub(crate) use core::sync::atomic::AtomicU8;

    /// A count for handles to read: 64 bits if the target has atomics of that size.
    #[cfg(target_has_atomic = "64")]
    pub(crate) type AtomicCount = core::sync::atomic::AtomicU64;
    #[cfg(not(target_has_atomic = "64"))]
    pub(crate) type AtomicCount = core::sync::atomic::AtomicU32;
}

#[cfg(all(test, everstream_loom))]
mod atomics {
    use core::task::Waker;

    pub(crate) use loom::sync::atomic::{AtomicU8, AtomicU64 as AtomicCount};

    #[derive(Debug, Default)]
    pub(crate) struct AtomicWaker(loom::future::AtomicWaker);

    impl AtomicWaker {
        pub(crate) fn new() -> Self {
            Self::default()
        }

        pub(crate) fn register(&self, waker: &Waker) {
            self.0.register_by_ref(waker);
        }

        pub(crate) fn wake(&self) {
            self.0.wake();
        }

        pub(crate) fn take(&self) -> Option<Waker> {
            self.0.take_waker()
        }
    }
}

pub(crate) use atomics::{AtomicCount, AtomicU8, AtomicWaker};
pub(crate) use locks::{Lock, Once};
