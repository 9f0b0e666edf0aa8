//! The retry policies of several clients, with their defaults and without a `retry` of the server.
//!
//! Those of other crates are transcribed from their sources. Each returns the delay before
//! reconnection `loss.attempt` after a connection that was open for hours.

use everstream::retry::policy_fn;
use everstream::{Backoff, RetryContext, RetryPolicy};
use std::time::Duration;

/// A fixed seed makes the figures reproducible.
const SEED: u64 = 1;

pub(crate) fn all() -> Vec<(&'static str, Box<dyn RetryPolicy>)> {
    vec![
        ("everstream", Box::new(Backoff::new().with_seed(SEED))),
        (
            "everstream, cap 20 s",
            Box::new(Backoff::new().with_max_delay(Duration::from_secs(20)).with_seed(SEED)),
        ),
        ("sse-core 0.2.3", sse_core()),
        ("eventsource-client 0.18.0", eventsource_client()),
        ("reqwest-eventsource 0.6.0", Box::new(policy_fn(reqwest_eventsource))),
        ("a browser", Box::new(policy_fn(browser))),
    ]
}

/// Returns `SseRetryConfig::new()`, from 3 s on as its client uses it: a random delay between the
/// first and the grown one, which are equal for the first reconnection. It gives up after 20.
fn sse_core() -> Box<dyn RetryPolicy> {
    const BASE: f64 = 3.0;
    let mut random = fastrand::Rng::with_seed(SEED);
    Box::new(policy_fn(move |loss: &RetryContext| {
        let grown = grown(BASE, loss.attempt, 60.0);
        let wait = BASE + random.f64() * (grown - BASE);
        (loss.attempt <= 20).then(|| Duration::from_secs_f64(wait))
    }))
}

/// Returns `ReconnectOptions::default()`: 1 s, doubled up to 60 s, minus up to a half at random.
fn eventsource_client() -> Box<dyn RetryPolicy> {
    let mut random = fastrand::Rng::with_seed(SEED);
    Box::new(policy_fn(move |loss: &RetryContext| {
        let grown = grown(1.0, loss.attempt, 60.0);
        Some(Duration::from_secs_f64(grown * (0.5 + random.f64() / 2.0)))
    }))
}

/// Returns the delay of `DEFAULT_RETRY`: 300 ms, doubled up to 5 s.
fn reqwest_eventsource(loss: &RetryContext) -> Option<Duration> {
    Some(Duration::from_secs_f64(grown(0.3, loss.attempt, 5.0)))
}

/// Returns Chromium's delay, which implements the standard's "a few seconds".
fn browser(_: &RetryContext) -> Option<Duration> {
    Some(Duration::from_secs(3))
}

/// Returns the exponential delay in seconds.
fn grown(base: f64, attempt: u32, cap: f64) -> f64 {
    (base * 2_f64.powi(attempt.min(64) as i32 - 1)).min(cap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use everstream::DisconnectKind;

    /// Returns the shortest and the longest of many delays before that reconnection, in
    /// milliseconds.
    fn waits(name: &str, attempt: u32) -> Option<[u128; 2]> {
        let (_, mut policy) = all().into_iter().find(|(of, _)| *of == name).expect("a policy");
        let loss = RetryContext::new(attempt, DisconnectKind::Refused);
        let mut waits: Vec<u128> = Vec::new();
        for _ in 0..10_000 {
            waits.push(policy.next_delay(&loss)?.as_millis());
        }
        waits.sort_unstable();
        Some([waits[0], waits[9_999]])
    }

    /// Returns the range of the delays in hundredths of a second, because random delays do not hit
    /// its ends exactly.
    fn range(name: &str, attempt: u32) -> Option<[u128; 2]> {
        waits(name, attempt).map(|waits| waits.map(|wait| (wait + 5) / 10))
    }

    #[test]
    fn sse_core_comes_back_at_one_instant_first_and_then_in_a_growing_range() {
        assert_eq!(range("sse-core 0.2.3", 1), Some([300, 300]));
        assert_eq!(range("sse-core 0.2.3", 2), Some([300, 600]));
        let [least, most] = waits("sse-core 0.2.3", 20).expect("a wait");
        assert!((3_000..3_100).contains(&least) && (59_900..60_000).contains(&most));
        assert_eq!(range("sse-core 0.2.3", 21), None);
    }

    #[test]
    fn eventsource_client_waits_from_a_half_to_the_whole() {
        assert_eq!(range("eventsource-client 0.18.0", 1), Some([50, 100]));
        let [least, most] = waits("eventsource-client 0.18.0", 99).expect("a wait");
        assert!((30_000..30_100).contains(&least) && (59_900..60_000).contains(&most));
    }

    #[test]
    fn reqwest_eventsource_doubles_up_to_five_seconds() {
        let waits: Vec<_> =
            (1..=7).map(|attempt| waits("reqwest-eventsource 0.6.0", attempt)).collect();
        let exactly = [300, 600, 1200, 2400, 4800, 5000, 5000].map(|wait| Some([wait, wait]));
        assert_eq!(waits, exactly);
    }
}
