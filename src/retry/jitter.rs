//! Random spread for delays.

use core::time::Duration;

use fastrand::Rng;

use super::{entropy, saturating_from_nanos};

/// The seed on platforms without entropy, if the user sets none: the first 16 hexadecimal digits of
/// pi's fraction. Any fixed number makes runs reproducible.
const UNSEEDED: u64 = 0x243f_6a88_85a3_08d3;

/// A random spread of delays, so that clients of one server do not all reconnect at the same
/// moment.
///
/// It only lengthens delays, because a server may have asked for the delay as a minimum. Apply it
/// to every delay. The first reconnection needs it, because a restart disconnects all clients at
/// once. Delays at the maximum need it, because clients would fall into step there.
///
/// The random numbers are predictable, so they are not fit for secrets. With the feature `std`, and
/// in the browser with the feature `wasm`, a jitter and each clone of it seed themselves from the
/// platform at their first use. **On other platforms it needs [`with_seed`](Self::with_seed) or
/// [`seed`](Self::seed)**: without one, all devices have the same sequence. A clone of a jitter
/// with a seed continues from the same point as its original.
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
    /// None yet. The platform provides it at the first use.
    Missing,
    /// The jitter took it from the platform itself.
    Taken,
    /// The caller of [`Jitter::seed`], which may replace it again.
    Given,
    /// The user, by [`Jitter::with_seed`]. It is never replaced.
    Chosen,
}

/// Clones the jitter. The clone takes its own seed from the platform, unless the original has one
/// from a caller.
impl Clone for Jitter {
    fn clone(&self) -> Self {
        let seed = if self.seed == Seed::Taken { Seed::Missing } else { self.seed };
        Jitter { percent: self.percent, rng: self.rng.clone(), seed }
    }
}

/// Compares the percentages, and the seeds that a caller set.
impl PartialEq for Jitter {
    fn eq(&self, other: &Self) -> bool {
        self.percent == other.percent && self.given() == other.given()
    }
}

impl Eq for Jitter {}

impl Jitter {
    /// Creates a jitter that lengthens each delay by 0 to `percent` % of it, uniformly. With 100,
    /// one second becomes one to two seconds.
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

    /// Creates a jitter that leaves each delay as it is, for tests and for single clients.
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

    /// Sets the seed for good: later calls of [`seed`](Self::seed) change nothing. Two jitters with
    /// the same seed and percentage lengthen delays equally.
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

    /// Restarts the sequence of random numbers from `seed`, unless [`with_seed`](Self::with_seed)
    /// set one.
    ///
    /// A [`RetryPolicy`](super::RetryPolicy) that holds a jitter should call this in its own
    /// `seed`.
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

    /// Returns a random duration from `delay` to `delay` plus `percent` % of it, both included.
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
        // 94 bits times 32 bits cannot overflow.
        let spread = delay.as_nanos() * u128::from(self.percent) / 100;
        if self.seed == Seed::Missing {
            self.rng = entropy::seed().map_or(Rng::with_seed(UNSEEDED), Rng::with_seed);
            self.seed = Seed::Taken;
        }
        let extra = self.rng.u128(..=spread);
        delay.saturating_add(saturating_from_nanos(extra))
    }

    /// Returns this jitter, with the sequence of `other` if only the seed of `other` was set by the
    /// user.
    pub(super) const fn or_seed_of(self, other: Self) -> Self {
        match (self.seed, other.seed) {
            (Seed::Chosen, _) => self,
            (_, Seed::Chosen) => Self { percent: self.percent, ..other },
            _ => self,
        }
    }

    /// Returns the generator, if a caller set its seed.
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

/// Returns [`Jitter::upward(100)`](Jitter::upward).
impl Default for Jitter {
    fn default() -> Self {
        Self::upward(100)
    }
}
