//! Random spread for delays.

use core::time::Duration;

use fastrand::Rng;

use super::{entropy, saturating_from_nanos};

/// The seed of a jitter without a seed and without a platform: the first 16 hexadecimal digits of
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
/// The random numbers are cheap and predictable, not fit for secrets. With the feature
/// `std`, and in the browser with the feature `wasm`, a jitter seeds itself from the
/// platform when it is first used, and so does each clone of it. **Anywhere else it needs
/// [`with_seed`](Self::with_seed) or [`seed`](Self::seed)**: without one, all devices have
/// the same sequence. A clone of a jitter that was given a seed continues from the same point
/// as its original.
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
#[derive(Debug)]
pub struct Jitter {
    percent: u32,
    rng: Rng,
    seed: Seed,
}

/// The origin of a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seed {
    /// It has none yet, and takes it from the platform.
    Missing,
    /// The jitter took it from the platform.
    Taken,
    /// It was given one, which another may replace.
    Given,
    /// It is the user's choice.
    Chosen,
}

/// A clone takes a seed of its own from the platform, unless its original was given one.
impl Clone for Jitter {
    fn clone(&self) -> Self {
        let seed = if self.seed == Seed::Taken { Seed::Missing } else { self.seed };
        Jitter { percent: self.percent, rng: self.rng.clone(), seed }
    }
}

/// Two jitters are equal if they were set up alike.
impl PartialEq for Jitter {
    fn eq(&self, other: &Self) -> bool {
        self.percent == other.percent && self.given() == other.given()
    }
}

impl Eq for Jitter {}

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
        Self { percent, rng: Rng::with_seed(UNSEEDED), seed: Seed::Missing }
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
        self.seed = Seed::Chosen;
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
        if self.seed != Seed::Chosen {
            self.rng = Rng::with_seed(seed);
            self.seed = Seed::Given;
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
        if self.seed == Seed::Missing {
            self.rng = entropy::seed().map_or(Rng::with_seed(UNSEEDED), Rng::with_seed);
            self.seed = Seed::Taken;
        }
        let extra = self.rng.u128(..=spread);
        delay.saturating_add(saturating_from_nanos(extra))
    }

    /// This percentage, with the sequence of `other` if only that one's seed is
    /// the user's choice.
    pub(super) const fn or_seed_of(self, other: Self) -> Self {
        match (self.seed, other.seed) {
            (Seed::Chosen, _) => self,
            (_, Seed::Chosen) => Self { percent: self.percent, ..other },
            _ => self,
        }
    }

    /// The generator, if it was given a seed.
    fn given(&self) -> Option<&Rng> {
        matches!(self.seed, Seed::Given | Seed::Chosen).then_some(&self.rng)
    }
}

#[cfg(all(feature = "serde", target_has_atomic = "ptr"))]
impl Jitter {
    pub(super) const fn percent(&self) -> u32 {
        self.percent
    }

    /// Returns the seed that continues the sequence, if the user chose one.
    pub(super) fn user_seed(&self) -> Option<u64> {
        (self.seed == Seed::Chosen).then(|| self.rng.get_seed())
    }
}

/// [`Jitter::upward(100)`](Jitter::upward).
impl Default for Jitter {
    fn default() -> Self {
        Self::upward(100)
    }
}
