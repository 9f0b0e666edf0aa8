//! The settings of the client of a history.

use std::time::Duration;

use everstream::reconnect::Timeouts;
use everstream::{Backoff, OnOversize};
use fastrand::Rng;

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The time until which a hanging connection hangs before it breaks.
pub(crate) const FAR: Duration = Duration::from_secs(7200);

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) timeouts: Timeouts,
    pub(crate) base: Duration,
    pub(crate) cap: Duration,
    pub(crate) floor: Duration,
    pub(crate) ceiling: Option<Duration>,
    pub(crate) max_retries: Option<u32>,
    pub(crate) max_elapsed: Option<Duration>,
    pub(crate) jitter_seed: u64,
    /// The maximum size of an event; `None` for the default.
    pub(crate) limit: Option<usize>,
    pub(crate) on_oversize: OnOversize,
    pub(crate) comments: bool,
    /// True if the client may reconnect.
    pub(crate) may_reconnect: bool,
    /// True if each event has an ID, so that a replay is exact.
    pub(crate) all_have_ids: bool,
    /// True if the client is polled as soon as it is woken.
    pub(crate) is_prompt: bool,
}

impl Settings {
    pub(crate) fn any(rng: &mut Rng) -> Settings {
        let mut sometimes = |one_in: u8, times: std::ops::Range<u64>| {
            (rng.u8(..one_in) == 0).then(|| ms(rng.u64(times)))
        };
        let timeouts = Timeouts::new()
            .with_open(sometimes(2, 500..20_000))
            .with_idle(sometimes(2, 500..20_000))
            .with_event(sometimes(4, 500..40_000));
        let max_elapsed = sometimes(8, 1000..600_000);
        Settings {
            timeouts,
            base: ms([0, 50, 3000][rng.usize(..3)]),
            cap: ms([1000, 60_000][rng.usize(..2)]),
            floor: ms([0, 100, 1000][rng.usize(..3)]),
            ceiling: [None, Some(ms(10_000)), Some(ms(3_600_000))][rng.usize(..3)],
            max_retries: (rng.u8(..4) == 0).then(|| rng.u32(..5)),
            max_elapsed,
            jitter_seed: rng.u64(..),
            limit: [None, Some(64), Some(256)][rng.usize(..3)],
            on_oversize: if rng.u8(..8) == 0 { OnOversize::Fail } else { OnOversize::Discard },
            comments: rng.bool(),
            may_reconnect: rng.u8(..16) != 0,
            all_have_ids: rng.u8(..4) != 0,
            is_prompt: rng.bool(),
        }
    }

    pub(crate) fn policy(&self) -> Backoff {
        let mut policy = Backoff::new()
            .with_initial_delay(self.base)
            .with_max_delay(self.cap)
            .with_min_delay(self.floor)
            .with_seed(self.jitter_seed);
        if let Some(ceiling) = self.ceiling {
            policy = policy.with_max_server_delay(ceiling);
        }
        if let Some(max) = self.max_retries {
            policy = policy.with_max_retries(max);
        }
        if let Some(max) = self.max_elapsed {
            policy = policy.with_max_elapsed(max);
        }
        policy
    }

    pub(crate) fn any_retry_after(&self, rng: &mut Rng) -> Option<Duration> {
        const VALUES: [Duration; 5] =
            [Duration::ZERO, ms(700), ms(30_000), ms(10_000_000), Duration::MAX];
        rng.bool().then(|| VALUES[rng.usize(..VALUES.len())])
    }

    /// Returns the minimum and the maximum delay by the server and the settings.
    pub(crate) fn bounds(
        &self,
        server_retry: Option<Duration>,
        retry_after: Option<Duration>,
    ) -> (Duration, Duration) {
        let ceiling = self.ceiling.unwrap_or(self.cap);
        let base = server_retry.map_or(self.base, |asked| asked.min(ceiling));
        let asked = retry_after.unwrap_or_default().min(ceiling);
        let least = base.max(asked).max(self.floor);
        (least, 2 * least.max(self.cap))
    }
}
