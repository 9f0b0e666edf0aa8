//! Random spread for delays.

use core::time::Duration;

use fastrand::Rng;

use super::saturating_from_nanos;

/// The seed of a jitter that nobody seeded: the first 16 hexadecimal digits of
/// pi's fraction. Any number would do; a fixed one makes bare metal without
/// entropy behave the same on each run rather than at random.
const UNSEEDED: u64 = 0x243f_6a88_85a3_08d3;

/// Spreads delays at random, so that clients who lost the same server at the
/// same moment do not all come back at the same moment.
///
/// The spread goes upward only: a delay may be what the server asked for, and
/// coming back before that is not for the client to decide. It is meant for
/// every delay, that of the first reconnection too, which is when a whole fleet
/// has just been disconnected at once, and that of a backoff that has reached
/// its cap, where clients would otherwise fall into step again.
///
/// The random numbers are cheap and predictable, not fit for secrets. Until it
/// gets a seed, a jitter has a fixed one, and so the same sequence as any other
/// unseeded jitter. A clone continues from the same point as its original; seed
/// it to tell them apart.
///
/// ```
/// use core::time::Duration;
/// use everstream::Jitter;
///
/// let second = Duration::from_secs(1);
/// let mut jitter = Jitter::upward(50).with_seed(7);
/// let delay = jitter.apply(second);
/// assert!(second <= delay && delay <= second * 3 / 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jitter {
    percent: u32,
    rng: Rng,
    /// The seed is the user's choice, so the platform's does not replace it.
    seeded: bool,
}

impl Jitter {
    /// Lengthens each delay by up to `percent` of it, uniformly: with 100, one
    /// second becomes anything from one to two seconds.
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::Jitter;
    ///
    /// let second = Duration::from_secs(1);
    /// let mut jitter = Jitter::upward(100);
    /// assert!((second..=2 * second).contains(&jitter.apply(second)));
    /// ```
    #[must_use]
    pub const fn upward(percent: u32) -> Self {
        Self { percent, rng: Rng::with_seed(UNSEEDED), seeded: false }
    }

    /// Leaves each delay as it is. For tests, and for clients that are alone.
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::Jitter;
    ///
    /// let second = Duration::from_secs(1);
    /// assert_eq!(Jitter::none().apply(second), second);
    /// ```
    #[must_use]
    pub const fn none() -> Self {
        Self::upward(0)
    }

    /// Fixes the sequence of random numbers: two jitters with the same seed and
    /// percentage lengthen the same delays alike. Later calls of
    /// [`seed`](Self::seed) change nothing.
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::Jitter;
    ///
    /// let second = Duration::from_secs(1);
    /// let mut one = Jitter::upward(100).with_seed(7);
    /// let mut other = Jitter::upward(100).with_seed(7);
    /// other.seed(8);
    /// assert_eq!(one.apply(second), other.apply(second));
    /// ```
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.rng = Rng::with_seed(seed);
        self.seeded = true;
        self
    }

    /// Starts the sequence of random numbers anew from `seed`, unless
    /// [`with_seed`](Self::with_seed) has settled it.
    ///
    /// This is where a [`RetryPolicy`](super::RetryPolicy) that holds a jitter
    /// passes on what its own `seed` is given.
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::Jitter;
    ///
    /// let second = Duration::from_secs(1);
    /// let (mut one, mut other) = (Jitter::default(), Jitter::default());
    /// one.seed(1);
    /// other.seed(2);
    /// assert_ne!(one.apply(second), other.apply(second));
    /// ```
    pub fn seed(&mut self, seed: u64) {
        if !self.seeded {
            self.rng = Rng::with_seed(seed);
        }
    }

    /// A random delay from `delay` to `percent` beyond it, both included.
    /// Saturates at [`Duration::MAX`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use everstream::Jitter;
    ///
    /// let mut jitter = Jitter::upward(u32::MAX);
    /// assert_eq!(jitter.apply(Duration::ZERO), Duration::ZERO);
    /// assert_eq!(jitter.apply(Duration::MAX), Duration::MAX);
    /// ```
    #[must_use]
    pub fn apply(&mut self, delay: Duration) -> Duration {
        // 94 bits times 32 bits: no overflow.
        let spread = delay.as_nanos() * u128::from(self.percent) / 100;
        let extra = self.rng.u128(..=spread);
        delay.saturating_add(saturating_from_nanos(extra))
    }

    /// This percentage, with the sequence of `other` if only that one's seed is
    /// the user's choice.
    pub(super) const fn or_seed_of(self, other: Self) -> Self {
        if other.seeded && !self.seeded { Self { percent: self.percent, ..other } } else { self }
    }
}

/// [`Jitter::upward(100)`](Jitter::upward).
impl Default for Jitter {
    fn default() -> Self {
        Self::upward(100)
    }
}
