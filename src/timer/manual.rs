//! Virtual time.

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

/// A [`Timer`] whose time stands still until the test advances it: for tests
/// that wait for minutes and take none.
///
/// Clones share one clock, so a test keeps one and gives the other away. It
/// works on every runtime and without any, from any thread. A lock guards its
/// clock, which spins without the feature `std`: do not share the timer with an
/// interrupt handler there.
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

/// Wakers are clones of, and lead to, code that is not ours and that may well
/// come back to this timer. So wherever one is cloned, dropped or woken, the
/// lock around this must not be held.
#[derive(Default)]
struct Clock {
    now: Duration,
    /// The serial number of the next sleep.
    serial: u64,
    /// The sleeps that are not due, earliest first. A sleep that is missing
    /// from here is due.
    sleeps: BTreeMap<Key, Option<Waker>>,
}

/// Deadline and serial number of a sleep.
type Key = (Duration, u64);

impl Clock {
    fn next_deadline(&self) -> Option<Duration> {
        let ((deadline, _), _) = self.sleeps.first_key_value()?;
        Some(*deadline)
    }

    /// Sets the time, and takes out the sleeps that are due by then.
    fn set(&mut self, now: Duration) -> Due {
        self.now = now;
        // No serial number is this high, so what is due right now is due.
        let later = self.sleeps.split_off(&(now, u64::MAX));
        Due(mem::replace(&mut self.sleeps, later))
    }
}

/// Sleeps that are due, to be woken when the clock is no longer locked.
#[must_use]
struct Due(BTreeMap<Key, Option<Waker>>);

impl Due {
    /// Earliest first.
    fn wake(self) {
        self.0.into_values().flatten().for_each(Waker::wake);
    }
}

impl ManualTimer {
    /// A new clock, at zero.
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

    /// The virtual time that has passed since this clock was made.
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

    /// Moves time on by `duration`, at most to [`Duration::MAX`], and wakes the
    /// sleeps that are due then, earliest first.
    ///
    /// Time moves in one leap: a task that wakes up and sleeps again does so from
    /// the new time on. Use [`advance_to_next`](Self::advance_to_next) in a loop
    /// to stop at each deadline on the way.
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

    /// Moves time on to the earliest deadline, wakes the sleeps that are due
    /// then, and returns the new time. Does nothing and returns `None` if no
    /// sleep is pending.
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

    /// The virtual time at which the earliest pending sleep is due; `None` if
    /// no sleep is pending.
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

    /// A sleep until `duration` after the present virtual time, at most until
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

/// A sleep of [`ManualTimer`]: pending from the moment it is made, until time
/// has moved on far enough or it is dropped.
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
        // The lock went with the statement above.
        drop(waker);
    }
}

impl fmt::Debug for ManualSleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManualSleep").field("deadline", &self.key.0).finish_non_exhaustive()
    }
}
