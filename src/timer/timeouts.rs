//! A sleep of any length as a chain of timeouts of the browser.
//!
//! `setTimeout` takes milliseconds as a `long` of Web IDL, an `i32` (HTML, section 8.7, "Timers").
//! A longer timeout fires at once.

use core::time::Duration;

/// The longest timeout, in milliseconds.
const LONGEST: u32 = i32::MAX as u32;

/// Returns the milliseconds of the next timeout of a sleep, and the rest of the sleep after it.
///
/// Browsers round, so a timeout may fire up to a millisecond too early. So each timeout is one
/// millisecond longer than its share of the sleep.
pub(super) fn next(sleep: Duration) -> (u32, Duration) {
    let millis = sleep.subsec_nanos().div_ceil(1_000_000);
    let counts = sleep.as_secs().saturating_mul(1000).saturating_add(u64::from(millis));
    match u32::try_from(counts) {
        Ok(counts) if counts < LONGEST => (counts + 1, Duration::ZERO),
        _ => (LONGEST, sleep - Duration::from_millis(u64::from(LONGEST - 1))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns all timeouts of a sleep, in milliseconds.
    fn chain(mut sleep: Duration) -> alloc::vec::Vec<u32> {
        let mut chain = alloc::vec::Vec::new();
        loop {
            let (millis, rest) = next(sleep);
            chain.push(millis);
            match rest.is_zero() {
                true => return chain,
                false => sleep = rest,
            }
        }
    }

    const MILLI: Duration = Duration::from_millis(1);
    const NANO: Duration = Duration::from_nanos(1);
    /// The duration of the longest timeout.
    const LINK: Duration = Duration::from_millis(i32::MAX as u64 - 1);

    #[test]
    fn a_sleep_is_rounded_up_and_one_millisecond_longer() {
        assert_eq!(chain(Duration::ZERO), [1]);
        assert_eq!(chain(NANO), [2]);
        assert_eq!(chain(MILLI), [2]);
        assert_eq!(chain(MILLI + NANO), [3]);
        assert_eq!(chain(3000 * MILLI), [3001]);
    }

    #[test]
    fn a_sleep_that_no_timeout_can_take_is_a_chain_of_them() {
        assert_eq!(chain(LINK), [LONGEST]);
        assert_eq!(chain(LINK + NANO), [LONGEST, 2]);
        assert_eq!(chain(Duration::from_millis(1 << 31)), [LONGEST, 3]);
        assert_eq!(chain(Duration::from_millis(1 << 32)), [LONGEST, LONGEST, 5]);
        assert_eq!(chain(100 * LINK), [LONGEST; 100]);
    }

    #[test]
    fn a_chain_takes_at_least_its_sleep_though_each_timeout_fires_too_early() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..10_000 {
            let sleep = Duration::new(rng.u64(..100_000_000), rng.u32(..1_000_000_000));
            let chain = chain(sleep);
            let takes: Duration = chain.iter().map(|millis| (*millis - 1) * MILLI).sum();
            assert!(sleep <= takes && takes < sleep + MILLI, "{sleep:?}: {chain:?}");
        }
    }

    #[test]
    fn for_ever_is_one_long_timeout_after_the_other() {
        let (millis, rest) = next(Duration::MAX);
        assert_eq!((millis, rest), (LONGEST, Duration::MAX - LINK));
    }
}
