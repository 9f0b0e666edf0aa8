//! Virtual time for tests.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use super::Timer;
use crate::sync::Lock;

/// A [`Timer`] with virtual time, which only the test advances. A test of delays of minutes takes
/// no time.
///
/// Clones share one clock, so a test can keep one and pass on the other. It works on every runtime,
/// without a runtime, and from any thread. Without the feature `std` its lock spins, so do not
/// share the timer with an interrupt handler.
///
/// ```
/// use core::time::Duration;
/// use everstream::{ManualTimer, Timer};
/// use futures_util::FutureExt;
///
/// let timer = ManualTimer::new();
/// let mut sleep = timer.sleep(Duration::from_secs(60));
///
/// timer.advance(Duration::from_secs(59));
/// assert_eq!((&mut sleep).now_or_never(), None);
///
/// timer.advance(Duration::from_secs(1));
/// assert_eq!((&mut sleep).now_or_never(), Some(()));
/// ```
#[derive(Clone, Default)]
pub struct ManualTimer {
    clock: Arc<Lock<Clock>>,
}

/// The lock around this must not be held while a waker is cloned, dropped or woken: wakers run user
/// code, which may call this timer.
#[derive(Default)]
struct Clock {
    now: Duration,
    /// The serial number of the next sleep.
    serial: u64,
    /// The sleeps that are not due, earliest first. A sleep that is not in this map is due.
    sleeps: BTreeMap<Key, Option<Waker>>,
}

/// Deadline and serial number of a sleep.
type Key = (Duration, u64);

impl Clock {
    fn next_deadline(&self) -> Option<Duration> {
        let ((deadline, _), _) = self.sleeps.first_key_value()?;
        Some(*deadline)
    }

    /// Sets the time, and removes the sleeps that are due.
    fn set(&mut self, now: Duration) -> Due {
        self.now = now;
        // No serial number is `u64::MAX`, so the sleeps with exactly this deadline are due.
        let later = self.sleeps.split_off(&(now, u64::MAX));
        Due(mem::replace(&mut self.sleeps, later))
    }
}

/// Sleeps that are due. They are woken after the clock is unlocked.
#[must_use]
struct Due(BTreeMap<Key, Option<Waker>>);

impl Due {
    /// Wakes the sleeps, earliest first.
    fn wake(self) {
        self.0.into_values().flatten().for_each(Waker::wake);
    }
}

impl ManualTimer {
    /// Creates a clock, at zero.
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::ManualTimer;
    ///
    /// assert_eq!(ManualTimer::new().now(), Duration::ZERO);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the virtual time since the clock was created.
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::ManualTimer;
    ///
    /// let timer = ManualTimer::new();
    /// timer.advance(Duration::from_secs(2));
    /// timer.clone().advance(Duration::from_secs(3));
    /// assert_eq!(timer.now(), Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn now(&self) -> Duration {
        self.clock.lock().now
    }

    /// Advances the time by `duration`, at most to [`Duration::MAX`], and wakes the sleeps that are
    /// due, earliest first.
    ///
    /// The time advances in one step: a task that wakes up and sleeps again starts from the new
    /// time. Call [`advance_to_next`](Self::advance_to_next) in a loop to stop at each deadline.
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::{ManualTimer, Timer};
    ///
    /// let timer = ManualTimer::new();
    /// let _sleep = timer.sleep(Duration::from_secs(1));
    /// timer.advance(Duration::from_secs(5));
    /// assert_eq!(timer.pending(), 0);
    /// ```
    pub fn advance(&self, duration: Duration) {
        let mut clock = self.clock.lock();
        let now = clock.now.saturating_add(duration);
        let due = clock.set(now);
        drop(clock);
        due.wake();
    }

    /// Advances the time to the earliest deadline, wakes the sleeps that are due, and returns the
    /// new time. Does nothing and returns `None` if no sleep is pending.
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::{ManualTimer, Timer};
    ///
    /// let timer = ManualTimer::new();
    /// let _late = timer.sleep(Duration::from_secs(9));
    /// let _soon = timer.sleep(Duration::from_secs(3));
    /// assert_eq!(timer.advance_to_next(), Some(Duration::from_secs(3)));
    /// assert_eq!(timer.advance_to_next(), Some(Duration::from_secs(9)));
    /// assert_eq!(timer.advance_to_next(), None);
    /// ```
    pub fn advance_to_next(&self) -> Option<Duration> {
        let mut clock = self.clock.lock();
        let deadline = clock.next_deadline()?;
        let due = clock.set(deadline);
        drop(clock);
        due.wake();
        Some(deadline)
    }

    /// Returns the virtual time of the earliest deadline; `None` if no sleep is pending.
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::{ManualTimer, Timer};
    ///
    /// let timer = ManualTimer::new();
    /// timer.advance(Duration::from_secs(10));
    /// let _sleep = timer.sleep(Duration::from_secs(3));
    /// assert_eq!(timer.next_deadline(), Some(Duration::from_secs(13)));
    /// ```
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.clock.lock().next_deadline()
    }

    /// Returns the number of sleeps that are neither due nor dropped.
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::{ManualTimer, Timer};
    ///
    /// let timer = ManualTimer::new();
    /// let _sleep = timer.sleep(Duration::from_secs(1));
    /// assert_eq!(timer.pending(), 1);
    /// ```
    #[must_use]
    pub fn pending(&self) -> usize {
        self.clock.lock().sleeps.len()
    }
}

impl Timer for ManualTimer {
    type Sleep = ManualSleep;

    /// Creates a sleep that ends `duration` after the current virtual time, at most at
    /// [`Duration::MAX`].
    fn sleep(&self, duration: Duration) -> ManualSleep {
        let mut clock = self.clock.lock();
        let key = (clock.now.saturating_add(duration), clock.serial);
        clock.serial += 1;
        if key.0 > clock.now {
            clock.sleeps.insert(key, None);
        }
        drop(clock);
        ManualSleep { clock: Arc::clone(&self.clock), key }
    }
}

impl fmt::Debug for ManualTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManualTimer")
            .field("now", &self.now())
            .field("pending", &self.pending())
            .finish()
    }
}

/// A sleep of [`ManualTimer`]. It is pending from its creation until its deadline or until it is
/// dropped.
///
/// ```
/// use core::time::Duration;
/// use everstream::timer::ManualSleep;
/// use everstream::{ManualTimer, Timer};
///
/// let timer = ManualTimer::new();
/// let sleep: ManualSleep = timer.sleep(Duration::from_secs(1));
/// assert_eq!(timer.pending(), 1);
/// drop(sleep);
/// assert_eq!(timer.pending(), 0);
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct ManualSleep {
    clock: Arc<Lock<Clock>>,
    key: Key,
}

impl Future for ManualSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut clock = self.clock.lock();
        let Some(slot) = clock.sleeps.get_mut(&self.key) else {
            return Poll::Ready(());
        };
        let replaced = slot.replace(waker);
        drop(clock);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for ManualSleep {
    fn drop(&mut self) {
        let waker = self.clock.lock().sleeps.remove(&self.key);
        // The lock was released at the end of the statement above.
        drop(waker);
    }
}

impl fmt::Debug for ManualSleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManualSleep").field("deadline", &self.key.0).finish_non_exhaustive()
    }
}
