//! Tests of the retry policy with random losses and settings.

use core::time::Duration;

use everstream::retry::policy_fn;
use everstream::{Backoff, DisconnectKind, Jitter, RetryContext, RetryPolicy};
use fastrand::Rng;

const KINDS: [DisconnectKind; 4] = [
    DisconnectKind::Ended,
    DisconnectKind::Broken,
    DisconnectKind::Refused,
    DisconnectKind::TimedOut,
];

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Returns a random duration of any magnitude, including the extremes.
fn any_duration(rng: &mut Rng) -> Duration {
    match rng.u8(..8) {
        0 => Duration::ZERO,
        1 => Duration::MAX,
        2 => Duration::from_nanos(1),
        _ => Duration::new(rng.u64(..) >> rng.u32(..64), rng.u32(..1_000_000_000)),
    }
}

/// Returns a random number of any magnitude, including the extremes.
fn any_u32(rng: &mut Rng) -> u32 {
    match rng.u8(..8) {
        0 => 0,
        1 => 1,
        2 => u32::MAX,
        _ => rng.u32(..) >> rng.u32(..32),
    }
}

fn any_loss(rng: &mut Rng) -> RetryContext {
    let mut loss = RetryContext::new(any_u32(rng), KINDS[rng.usize(..4)]).with_healthy(rng.bool());
    if rng.bool() {
        loss = loss.with_server_retry(any_duration(rng));
    }
    if rng.bool() {
        loss = loss.with_retry_after(any_duration(rng));
    }
    loss
}

/// The settings of a backoff.
struct Settings {
    base: Duration,
    cap: Duration,
    floor: Duration,
    ceiling: Duration,
    factor: u32,
    percent: u32,
}

impl Settings {
    fn any(rng: &mut Rng) -> Self {
        Self {
            base: any_duration(rng),
            cap: any_duration(rng),
            floor: any_duration(rng),
            ceiling: any_duration(rng),
            factor: any_u32(rng),
            percent: any_u32(rng),
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new()
            .with_initial_delay(self.base)
            .with_max_delay(self.cap)
            .with_min_delay(self.floor)
            .with_max_server_delay(self.ceiling)
            .with_factor(self.factor)
            .with_jitter(Jitter::upward(self.percent))
    }

    /// Computes the documented delay before jitter, by repeated multiplication.
    fn wait(&self, loss: &RetryContext) -> Duration {
        let mut wait = match loss.server_retry {
            Some(asked) => asked.min(self.ceiling),
            None => self.base,
        };
        wait = wait.max(self.floor);
        let cap = self.cap.max(wait);
        if self.factor > 1 && !wait.is_zero() {
            for _ in 1..loss.attempt {
                wait = wait.saturating_mul(self.factor).min(cap);
                if wait == cap {
                    break;
                }
            }
        }
        match loss.retry_after {
            Some(asked) => wait.max(asked.min(self.ceiling)),
            None => wait,
        }
    }
}

/// Returns `percent` % of `duration`, saturating and rounded down.
fn percent_of(duration: Duration, percent: u128) -> Duration {
    let nanos = duration.as_nanos() * percent / 100;
    match u64::try_from(nanos / 1_000_000_000) {
        Ok(secs) => Duration::new(secs, (nanos % 1_000_000_000) as u32),
        Err(_) => Duration::MAX,
    }
}

#[test]
fn after_events_without_progress_delays_grow_to_the_initial_delay_and_no_further() {
    let asked = |attempt, retry: Option<u64>| {
        let mut context = RetryContext::new(attempt, DisconnectKind::Ended).with_events(1);
        context.server_retry = retry.map(Duration::from_millis);
        Backoff::new().with_jitter(Jitter::none()).next_delay(&context).unwrap().as_millis()
    };
    assert_eq!([1, 2, 3, 9].map(|attempt| asked(attempt, None)), [3000; 4]);
    let growing = [100, 200, 400, 800, 1600, 3000, 3000];
    assert_eq!([1, 2, 3, 4, 5, 6, 7].map(|attempt| asked(attempt, Some(10))), growing);
    assert_eq!([1, 2, 9].map(|attempt| asked(attempt, Some(9000))), [9000; 3]);
    // A maximum below the initial delay applies.
    let context = RetryContext::new(9, DisconnectKind::Ended)
        .with_events(1)
        .with_server_retry(Duration::from_millis(10));
    let max = Duration::from_secs(1);
    let mut policy = Backoff::new().with_jitter(Jitter::none()).with_max_delay(max);
    assert_eq!(policy.next_delay(&context), Some(max));
}

#[test]
fn any_loss_under_any_settings_waits_as_documented() {
    let mut rng = Rng::with_seed(1);
    for _ in 0..100_000 {
        let settings = Settings::any(&mut rng);
        let mut policy = settings.backoff();
        policy.seed(rng.u64(..));
        for _ in 0..4 {
            let loss = any_loss(&mut rng);
            let delay = policy.next_delay(&loss).expect("no limit was set");

            let wait = settings.wait(&loss);
            let longest = percent_of(wait, 100 + u128::from(settings.percent));
            assert!((wait..=longest).contains(&delay), "{delay:?}: {policy:?} {loss:?}");

            assert!(delay >= settings.floor);
            if let Some(asked) = loss.server_retry {
                assert!(delay >= asked.min(settings.ceiling));
            }
            if let Some(asked) = loss.retry_after {
                assert!(delay >= asked.min(settings.ceiling));
            }
        }
    }
}

#[test]
fn the_defaults_are_those_of_the_table() {
    let mut policy = Backoff::new().with_jitter(Jitter::none());
    let refused = |attempt| RetryContext::new(attempt, DisconnectKind::Refused);
    assert_eq!(policy.next_delay(&refused(1)), Some(secs(3)));
    assert_eq!(policy.next_delay(&refused(2)), Some(secs(6)));
    assert_eq!(policy.next_delay(&refused(u32::MAX)), Some(secs(60)));
    let hurry = refused(1).with_server_retry(Duration::ZERO);
    assert_eq!(policy.next_delay(&hurry), Some(ms(100)));
    let sloth = refused(1).with_server_retry(Duration::MAX);
    assert_eq!(policy.next_delay(&sloth), Some(secs(60)));
    assert_eq!(policy.max_elapsed(), None);
    assert_eq!(policy.min_uptime(), secs(5));
    assert_eq!(Backoff::default(), Backoff::new());
    assert_eq!(Jitter::default(), Jitter::upward(100));
}

#[test]
fn retry_0_and_a_server_that_closes_at_once_is_at_most_ten_requests_a_second_for_ever() {
    let mut policy = Backoff::new();
    let loss = RetryContext::new(1, DisconnectKind::Ended)
        .with_healthy(true)
        .with_server_retry(Duration::ZERO);
    for _ in 0..10_000 {
        let delay = policy.next_delay(&loss).unwrap();
        assert!((ms(100)..=ms(200)).contains(&delay), "{delay:?}");
    }
}

#[test]
fn ten_thousand_clients_that_lost_one_server_do_not_come_back_at_once() {
    const CLIENTS: usize = 10_000;
    let base = secs(3);
    // Clients may have similar seeds, because bare metal has serial numbers rather than entropy.
    let mut rng = Rng::with_seed(2);
    let entropy: Vec<u64> = (0..CLIENTS).map(|_| rng.u64(..)).collect();
    let serials: Vec<u64> = (0..CLIENTS as u64).collect();
    for seeds in [entropy, serials] {
        let mut tenths = [0; 10];
        for &seed in &seeds {
            let mut policy = Backoff::new();
            policy.seed(seed);
            let delay = policy.next_delay(&RetryContext::new(1, DisconnectKind::Broken)).unwrap();
            let late = delay.checked_sub(base).expect("no client is early");
            assert!(late <= base);
            tenths[(late.as_nanos() * 10 / (base.as_nanos() + 1)) as usize] += 1;
        }
        for share in tenths {
            assert!((800..=1200).contains(&share), "{tenths:?}");
        }
    }
}

#[test]
fn clients_at_the_cap_do_not_fall_into_step() {
    let mut policy = Backoff::new();
    let loss = RetryContext::new(1_000_000, DisconnectKind::Refused);
    let delays: Vec<_> = (0..100).map(|_| policy.next_delay(&loss).unwrap()).collect();
    let (min, max) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
    assert!(*min >= secs(60));
    assert!(*max <= secs(120));
    assert!(*max - *min >= secs(30));
}

#[test]
fn waits_grow_with_the_streak_up_to_the_cap() {
    let table = [
        // base, factor, cap, waits
        (ms(100), 2, secs(1), [ms(100), ms(200), ms(400), ms(800), ms(1000), ms(1000)]),
        (ms(100), 3, secs(5), [ms(100), ms(300), ms(900), ms(2700), ms(5000), ms(5000)]),
        (secs(2), 1, secs(9), [secs(2); 6]),
        (secs(2), 0, secs(9), [secs(2); 6]),
        (secs(9), 2, secs(2), [secs(9); 6]),
        (secs(1), u32::MAX, secs(60), [secs(1), secs(60), secs(60), secs(60), secs(60), secs(60)]),
    ];
    for (base, factor, cap, waits) in table {
        let mut policy = Backoff::new()
            .with_initial_delay(base)
            .with_factor(factor)
            .with_max_delay(cap)
            .with_jitter(Jitter::none());
        for (attempt, wait) in (1..).zip(waits) {
            let loss = RetryContext::new(attempt, DisconnectKind::Refused);
            assert_eq!(policy.next_delay(&loss), Some(wait), "{policy:?} {attempt}");
        }
    }
}

#[test]
fn a_tiny_base_grows_to_a_huge_cap() {
    let mut policy = Backoff::new()
        .with_initial_delay(Duration::from_nanos(1))
        .with_min_delay(Duration::ZERO)
        .with_max_delay(Duration::MAX)
        .with_jitter(Jitter::none());
    let mut wait =
        |attempt| policy.next_delay(&RetryContext::new(attempt, DisconnectKind::Refused));
    assert_eq!(wait(41), Some(Duration::from_nanos(1 << 40)));
    assert_eq!(wait(u32::MAX), Some(Duration::MAX));
}

#[test]
fn an_attempt_of_zero_is_as_good_as_the_first() {
    let mut policy = Backoff::new().with_jitter(Jitter::none());
    assert_eq!(policy.next_delay(&RetryContext::new(0, DisconnectKind::Broken)), Some(secs(3)));
}

#[test]
fn the_servers_retry_replaces_the_base_and_grows_like_it() {
    let mut policy = Backoff::new().with_jitter(Jitter::none());
    let mut wait = |attempt| {
        let loss = RetryContext::new(attempt, DisconnectKind::Refused).with_server_retry(ms(200));
        policy.next_delay(&loss)
    };
    assert_eq!(wait(1), Some(ms(200)));
    assert_eq!(wait(2), Some(ms(400)));
    assert_eq!(wait(3), Some(ms(800)));
}

#[test]
fn the_servers_delay_is_limited_by_the_max_server_delay_or_the_max_delay() {
    let for_ever = secs(u64::MAX);
    let retry = RetryContext::new(1, DisconnectKind::Ended).with_server_retry(for_ever);
    let retry_after = RetryContext::new(1, DisconnectKind::Refused).with_retry_after(for_ever);
    let calm = Backoff::new().with_jitter(Jitter::none());
    for loss in [retry, retry_after] {
        let wait = |mut policy: Backoff| policy.next_delay(&loss).unwrap();
        assert_eq!(wait(calm.clone()), secs(60));
        assert_eq!(wait(calm.clone().with_max_delay(secs(20))), secs(20));
        assert_eq!(wait(calm.clone().with_max_server_delay(secs(600))), secs(600));
        assert_eq!(wait(calm.clone().with_max_server_delay(secs(10))), secs(10));
        assert_eq!(wait(calm.clone().with_max_server_delay(Duration::MAX)), for_ever);
    }
}

#[test]
fn the_users_own_base_is_not_bounded_by_the_ceiling() {
    let mut policy = Backoff::new()
        .with_initial_delay(secs(50))
        .with_max_server_delay(secs(1))
        .with_jitter(Jitter::none());
    assert_eq!(policy.next_delay(&RetryContext::new(1, DisconnectKind::Broken)), Some(secs(50)));
}

#[test]
fn in_contradicting_settings_the_minimum_wins() {
    let mut policy = Backoff::new()
        .with_min_delay(secs(100))
        .with_initial_delay(secs(1))
        .with_max_delay(secs(2))
        .with_max_server_delay(secs(3))
        .with_jitter(Jitter::none());
    let loss = RetryContext::new(7, DisconnectKind::Refused);
    for loss in
        [loss.clone(), loss.clone().with_server_retry(secs(1)), loss.with_retry_after(secs(3600))]
    {
        assert_eq!(policy.next_delay(&loss), Some(secs(100)));
    }
}

#[test]
fn retry_after_is_a_lower_bound_and_nothing_more() {
    let mut policy = Backoff::new().with_jitter(Jitter::none());
    let mut wait = |attempt, retry_after| {
        let loss =
            RetryContext::new(attempt, DisconnectKind::Refused).with_retry_after(retry_after);
        policy.next_delay(&loss)
    };
    assert_eq!(wait(1, secs(2)), Some(secs(3)));
    assert_eq!(wait(1, secs(10)), Some(secs(10)));
    assert_eq!(wait(2, secs(10)), Some(secs(10)));
    assert_eq!(wait(3, secs(10)), Some(secs(12)));
    assert_eq!(wait(1, Duration::ZERO), Some(secs(3)));
}

#[test]
fn the_policy_gives_up_after_max_retries() {
    for max in [0, 1, 5, u32::MAX - 1] {
        let mut policy = Backoff::new().with_max_retries(max);
        for kind in KINDS {
            assert!(policy.next_delay(&RetryContext::new(max, kind)).is_some());
            assert!(policy.next_delay(&RetryContext::new(max + 1, kind)).is_none());
            assert!(policy.next_delay(&RetryContext::new(u32::MAX, kind)).is_none());
        }
    }
}

#[test]
fn the_loss_of_a_healthy_connection_never_counts() {
    let mut policy = Backoff::new().with_max_retries(0);
    for kind in KINDS {
        let loss = RetryContext::new(1, kind).with_healthy(true);
        for _ in 0..1000 {
            assert!(policy.next_delay(&loss).is_some());
        }
    }
}

#[test]
fn without_a_limit_no_number_of_failures_is_enough() {
    let loss = RetryContext::new(u32::MAX, DisconnectKind::Refused);
    assert!(Backoff::new().next_delay(&loss).is_some());
}

fn first_delays(mut policy: impl RetryPolicy) -> Vec<Duration> {
    (1..=10)
        .map(|attempt| {
            policy.next_delay(&RetryContext::new(attempt, DisconnectKind::Refused)).unwrap()
        })
        .collect()
}

#[test]
fn a_seed_makes_delays_reproducible_and_another_seed_makes_others() {
    let seven = first_delays(Backoff::new().with_seed(7));
    assert_eq!(seven, first_delays(Backoff::new().with_seed(7)));
    assert_ne!(seven, first_delays(Backoff::new().with_seed(8)));
}

#[test]
fn jitters_are_equal_if_their_percentages_and_the_seeds_of_a_caller_are() {
    let jitter = Jitter::upward(50);
    let seeded = jitter.clone().with_seed(7);
    assert_ne!(jitter, Jitter::upward(51));
    assert_ne!(jitter, seeded);
    assert_ne!(seeded, Jitter::upward(51).with_seed(7));
    assert_ne!(seeded, jitter.clone().with_seed(8));

    let mut given = jitter.clone();
    given.seed(7);
    assert_eq!(given, seeded);

    // A seed from the platform does not count.
    let mut used = jitter.clone();
    let _ = used.apply(secs(1));
    assert_eq!(used, jitter);
}

#[test]
fn the_users_seed_wins_over_that_of_the_platform() {
    let mut policy = Backoff::new().with_seed(7);
    policy.seed(8);
    assert_eq!(first_delays(policy), first_delays(Backoff::new().with_seed(7)));

    let mut policy = Backoff::new();
    policy.seed(8);
    assert_eq!(first_delays(policy), first_delays(Backoff::new().with_seed(8)));
}

#[test]
fn the_order_of_seed_and_jitter_does_not_matter() {
    let jitter = Jitter::upward(50);
    let one = Backoff::new().with_seed(7).with_jitter(jitter.clone());
    let other = Backoff::new().with_jitter(jitter.clone()).with_seed(7);
    assert_eq!(first_delays(one), first_delays(other));

    // A jitter with its own seed keeps it.
    let one = Backoff::new().with_seed(8).with_jitter(jitter.clone().with_seed(7));
    let other = Backoff::new().with_jitter(jitter).with_seed(7);
    assert_eq!(first_delays(one), first_delays(other));
}

/// The feature `std` is off, because it would seed the policy from the platform.
#[cfg(not(feature = "std"))]
#[test]
fn without_any_seed_the_delays_are_the_same_each_time() {
    assert_eq!(first_delays(Backoff::new()), first_delays(Backoff::new()));
}

#[test]
fn jitter_covers_its_whole_range() {
    for percent in [1, 25, 100, 250] {
        let mut jitter = Jitter::upward(percent).with_seed(3);
        let (shortest, longest) = (secs(1), percent_of(secs(1), 100 + u128::from(percent)));
        let delays: Vec<_> = (0..10_000).map(|_| jitter.apply(shortest)).collect();
        let (min, max) = (*delays.iter().min().unwrap(), *delays.iter().max().unwrap());
        let close = (longest - shortest) / 100;
        assert!(shortest <= min && min <= shortest + close, "{percent} {min:?}");
        assert!(longest - close <= max && max <= longest, "{percent} {max:?}");
    }
}

#[test]
fn jitter_of_a_few_nanoseconds_reaches_both_ends() {
    let mut jitter = Jitter::upward(100);
    let delay = Duration::from_nanos(2);
    let mut seen = [false; 5];
    for _ in 0..100 {
        seen[jitter.apply(delay).as_nanos() as usize] = true;
    }
    assert_eq!(seen, [false, false, true, true, true]);
}

#[test]
fn a_policy_can_be_a_constant() {
    const POLICY: Backoff = Backoff::new()
        .with_initial_delay(ms(250))
        .with_max_delay(secs(30))
        .with_min_delay(ms(10))
        .with_factor(3)
        .with_seed(7)
        .with_jitter(Jitter::none())
        .with_min_uptime(secs(1));
    const LOSS: RetryContext = RetryContext::new(2, DisconnectKind::Broken)
        .with_healthy(false)
        .with_server_retry(ms(100))
        .with_retry_after(ms(50));
    let mut policy = POLICY;
    assert_eq!(policy.next_delay(&LOSS), Some(ms(300)));
    assert_eq!(policy.min_uptime(), secs(1));
}

#[test]
fn a_borrowed_or_boxed_policy_is_the_policy_itself() {
    fn check(mut policy: impl RetryPolicy) {
        assert_eq!(policy.min_uptime(), secs(1));
        assert_eq!(policy.max_elapsed(), Some(secs(2)));
        policy.seed(7);
        assert_eq!(first_delays(policy), first_delays(Backoff::new().with_seed(7)));
    }
    let policy = Backoff::new().with_min_uptime(secs(1)).with_max_elapsed(secs(2));
    check(policy.clone());
    check(&mut policy.clone());
    check(Box::new(policy.clone()));
    check(Box::new(policy) as Box<dyn RetryPolicy + Send + Sync>);
}

#[test]
fn a_closure_is_a_policy() {
    let mut seen = Vec::new();
    let mut policy = policy_fn(|loss| {
        seen.push(loss.attempt);
        (loss.kind != DisconnectKind::TimedOut).then_some(secs(1))
    });
    policy.seed(7);
    assert_eq!(policy.min_uptime(), secs(5));
    assert_eq!(policy.max_elapsed(), None);
    assert_eq!(policy.next_delay(&RetryContext::new(1, DisconnectKind::Broken)), Some(secs(1)));
    assert_eq!(policy.next_delay(&RetryContext::new(2, DisconnectKind::TimedOut)), None);
    assert_eq!(seen, [1, 2]);
}

#[test]
fn policies_are_send_and_sync() {
    fn check<T: Send + Sync + Unpin + 'static>() {}
    check::<Backoff>();
    check::<Jitter>();
    check::<RetryContext>();
}

#[test]
fn optional_settings_can_be_unset() {
    let mut policy = exact()
        .with_max_retries(0)
        .with_max_retries(None)
        .with_max_elapsed(secs(1))
        .with_max_elapsed(None)
        .with_max_server_delay(secs(1))
        .with_max_server_delay(None);
    assert_eq!(policy, exact());
    assert_eq!(policy.max_elapsed(), None);
    let busy = RetryContext::new(9, DisconnectKind::Refused).with_retry_after(secs(3600));
    assert_eq!(policy.next_delay(&busy), Some(secs(60)));
}

fn exact() -> Backoff {
    Backoff::new().with_jitter(Jitter::none())
}

// ------------------------------------------------------------------------ seeds

fn delays(policy: &mut impl RetryPolicy) -> Vec<Duration> {
    let lost = |attempt| RetryContext::new(attempt, DisconnectKind::Broken);
    (1..=5).map(|attempt| policy.next_delay(&lost(attempt)).unwrap()).collect()
}

/// Returns how many sequences of delays differ.
fn sequences<P: RetryPolicy>(policies: impl Iterator<Item = P>) -> usize {
    let all: std::collections::BTreeSet<_> =
        policies.map(|mut policy| delays(&mut policy)).collect();
    all.len()
}

#[cfg(feature = "std")]
#[test]
fn a_hundred_policies_have_a_hundred_sequences_however_they_are_used() {
    let wrapped = |_| {
        let mut inner = Backoff::new();
        policy_fn(move |lost| inner.next_delay(lost))
    };
    assert_eq!(sequences((0..100).map(wrapped)), 100);
    assert_eq!(sequences((0..100).map(|_| Backoff::new())), 100);
    assert_eq!(sequences((0..100).map(|_| Backoff::new().only_if(|_| true))), 100);
    assert_eq!(
        sequences((0..100).map(|_| Backoff::default().with_jitter(Jitter::upward(50)))),
        100
    );
    let mut used = Backoff::new();
    delays(&mut used);
    assert_eq!(sequences((0..100).map(|_| used.clone())), 100, "clones");
    const CONSTANT: Backoff = Backoff::new();
    assert_eq!(sequences((0..100).map(|_| CONSTANT)), 100);
}

#[test]
fn a_seed_is_never_replaced_by_the_platforms() {
    assert_eq!(sequences((0..100).map(|_| Backoff::seeded(7))), 1);
    assert_eq!(sequences((0..100).map(Backoff::seeded)), 100);
    // A seed from `seed`, which an engine calls, is not replaced either. A clone continues from
    // there.
    let mut policy = Backoff::new();
    policy.seed(7);
    assert_eq!(sequences((0..100).map(|_| policy.clone())), 1);
    assert_eq!(delays(&mut policy), delays(&mut Backoff::seeded(7)));
}

#[test]
fn only_if_gives_up_if_its_predicate_refuses_and_otherwise_backs_off() {
    let backoff = exact().with_max_retries(3).with_max_elapsed(secs(9)).with_min_uptime(secs(1));
    let mut policy = backoff.clone().only_if(|lost| lost.attempt != 2);
    let next = |policy: &mut dyn RetryPolicy, attempt| {
        policy.next_delay(&RetryContext::new(attempt, DisconnectKind::Refused))
    };
    assert_eq!(next(&mut policy, 1), Some(secs(3)));
    assert_eq!(next(&mut policy, 2), None);
    assert_eq!(next(&mut policy, 3), Some(secs(12)));
    assert_eq!(next(&mut policy, 4), None, "the backoff gives up");
    assert_eq!((policy.max_elapsed(), policy.min_uptime()), (Some(secs(9)), secs(1)));
    let mut seeded = Backoff::new().only_if(|_| true);
    seeded.seed(7);
    assert_eq!(delays(&mut seeded), delays(&mut Backoff::seeded(7)));
}

// ------------------------------------------------------------------------ serde

#[cfg(feature = "serde")]
mod serde {
    use super::{exact, ms, secs};
    use core::time::Duration;
    use everstream::reconnect::Timeouts;
    use everstream::{Backoff, Jitter};

    fn back(policy: &Backoff) -> Backoff {
        serde_json::from_str(&serde_json::to_string(policy).unwrap()).unwrap()
    }

    #[test]
    fn a_policy_comes_back_as_it_was() {
        let all = Backoff::new()
            .with_initial_delay(ms(1500))
            .with_factor(3)
            .with_max_delay(Duration::MAX)
            .with_min_delay(Duration::from_nanos(1))
            .with_max_server_delay(secs(7200))
            .with_jitter(Jitter::upward(50).with_seed(7))
            .with_max_retries(9)
            .with_max_elapsed(secs(90))
            .with_min_uptime(Duration::ZERO);
        for policy in [Backoff::new(), exact(), all, Backoff::seeded(u64::MAX)] {
            assert_eq!(back(&policy), policy);
        }
    }

    #[test]
    fn a_policy_is_written_as_people_write_it() {
        let policy = Backoff::new().with_min_delay(ms(1500)).with_max_retries(9);
        let text = serde_json::to_string(&policy).unwrap();
        let expected = r#"{"initial_delay":"3s","factor":2,"max_delay":"60s","min_delay":"1500ms","jitter_percent":100,"max_retries":9,"min_uptime":"5s"}"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn missing_fields_are_defaults_and_unknown_fields_are_errors() {
        let policy: Backoff = serde_json::from_str("{}").unwrap();
        assert_eq!(policy, Backoff::new());
        let policy: Backoff =
            serde_json::from_str(r#"{"max_delay": "2m", "initial_delay": 0.5, "min_uptime": 9}"#)
                .unwrap();
        let expected = Backoff::new()
            .with_max_delay(secs(120))
            .with_initial_delay(ms(500))
            .with_min_uptime(secs(9));
        assert_eq!(policy, expected);
        let error = serde_json::from_str::<Backoff>(r#"{"max_dealy": "2m"}"#).unwrap_err();
        assert!(error.to_string().starts_with("unknown field `max_dealy`"), "{error}");
    }

    #[test]
    fn timeouts_come_back_as_they_were() {
        let timeouts = Timeouts::new().with_open(secs(10)).with_event(ms(1));
        let text = serde_json::to_string(&timeouts).unwrap();
        assert_eq!(text, r#"{"open":"10s","event":"1ms"}"#);
        assert_eq!(serde_json::from_str::<Timeouts>(&text).unwrap(), timeouts);
        let timeouts = serde_json::from_str::<Timeouts>(r#"{"idle": null, "open": 3}"#).unwrap();
        assert_eq!(timeouts, Timeouts::new().with_open(secs(3)));
    }

    #[test]
    fn a_duration_that_is_none_is_an_error_that_shows_it() {
        let max = format!("\"{}h\"", u128::MAX);
        let texts = ["\"3\"", "\"s\"", "\"-3s\"", "\"3 weeks\"", "-1", "-0.5", "\"\"", &max, "[]"];
        for text in texts {
            let text = format!(r#"{{"open": {text}}}"#);
            let error = serde_json::from_str::<Timeouts>(&text).unwrap_err().to_string();
            assert!(error.contains("expected a duration such as \"500ms\""), "{text}: {error}");
        }
        for (text, nanos) in
            [("1h", 3_600_000_000_000), ("5 m", 300_000_000_000), ("7us", 7000), ("9ns", 9)]
        {
            let text = format!(r#"{{"open": "{text}"}}"#);
            let timeouts = serde_json::from_str::<Timeouts>(&text).unwrap();
            assert_eq!(timeouts.open, Some(Duration::from_nanos(nanos)), "{text}");
        }
    }
}
