//! The simulation of the clients and their server. A tick is a millisecond.

use everstream::{DisconnectKind, RetryContext, RetryPolicy};
use std::collections::VecDeque;
use std::time::Duration;

/// The parameters. At time 0 all clients lose a healthy connection.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) clients: u32,
    /// The duration of the outage, in which the server refuses every attempt.
    pub(crate) outage: Duration,
    /// The number of attempts that it accepts per second after that, in order of arrival. It
    /// refuses the rest at once.
    pub(crate) accepted_per_second: u32,
    /// The maximum duration of an attempt, which is random. So clients with equal delays drift
    /// apart, as on real networks.
    pub(crate) network: Duration,
    /// The time at which the simulation stops.
    pub(crate) patience: Duration,
}

/// The result of a simulation.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// The attempts per second, until the last client was back or had given up.
    pub(crate) per_second: Vec<u32>,
    /// The maximum number of attempts in a tenth of a second.
    pub(crate) busiest_tenth: u32,
    /// The number of clients that gave up.
    pub(crate) gave_up: u32,
    /// The time at which 99 % were back, in milliseconds.
    back: Option<u64>,
}

impl Course {
    pub(crate) fn mostly_back(&self) -> Option<Duration> {
        self.back.map(Duration::from_millis)
    }

    pub(crate) fn busiest_second(&self) -> u32 {
        self.per_second.iter().copied().max().unwrap_or_default()
    }

    pub(crate) fn attempts(&self) -> u64 {
        self.per_second.iter().map(|count| u64::from(*count)).sum()
    }
}

/// Runs a scenario. All clients share `policy` and its random numbers, because a million seeded
/// policies would need more memory.
pub(crate) fn run(scenario: &Scenario, policy: &mut dyn RetryPolicy) -> Course {
    let mut random = fastrand::Rng::with_seed(2);
    let mut network = || random.u64(0..=millis(scenario.network));
    let mut agenda = Agenda::default();
    let mut course = Course::default();

    let lost = RetryContext::new(1, DisconnectKind::Ended).with_healthy(true);
    for _ in 0..scenario.clients {
        match policy.next_delay(&lost) {
            Some(delay) => agenda.add(millis(delay) + network(), 1),
            None => course.gave_up += 1,
        }
    }

    let enough = scenario.clients - scenario.clients / 100;
    let (mut back, mut left, mut this_tenth) = (0, 0, 0);
    for now in 0..millis(scenario.patience) {
        if agenda.attempts == 0 {
            break;
        }
        if now % 1000 == 0 {
            course.per_second.push(0);
            left = scenario.accepted_per_second;
        }
        if now % 100 == 0 {
            this_tenth = 0;
        }
        let mut attempts = agenda.now();
        this_tenth += attempts.len() as u32;
        course.busiest_tenth = course.busiest_tenth.max(this_tenth);
        if let Some(this_second) = course.per_second.last_mut() {
            *this_second += attempts.len() as u32;
        }
        // The order of attempts within a millisecond is random.
        fastrand::Rng::with_seed(now).shuffle(&mut attempts);
        for attempt in attempts {
            if left > 0 && now >= millis(scenario.outage) {
                left -= 1;
                back += 1;
                if back == enough {
                    course.back = Some(now);
                }
                continue;
            }
            match policy.next_delay(&RetryContext::new(attempt + 1, DisconnectKind::Refused)) {
                // An attempt takes at least one tick, so no client loops without advancing the
                // time.
                Some(delay) => agenda.add(1 + millis(delay) + network(), attempt + 1),
                None => course.gave_up += 1,
            }
        }
    }
    course
}

/// The schedule of attempts. A client is only the number of its attempt.
#[derive(Debug, Default)]
struct Agenda {
    /// The attempts, indexed by milliseconds from now.
    ticks: VecDeque<Vec<u32>>,
    attempts: usize,
}

impl Agenda {
    fn add(&mut self, after: u64, attempt: u32) {
        let after = after as usize;
        if self.ticks.len() <= after {
            self.ticks.resize_with(after + 1, Vec::new);
        }
        self.ticks[after].push(attempt);
        self.attempts += 1;
    }

    /// Ends the tick and returns its attempts. Delays added later count from the end of the tick.
    fn now(&mut self) -> Vec<u32> {
        let attempts = self.ticks.pop_front().unwrap_or_default();
        self.attempts -= attempts.len();
        attempts
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use everstream::Backoff;
    use everstream::retry::policy_fn;

    const SMALL: Scenario = Scenario {
        clients: 1000,
        outage: Duration::from_secs(10),
        accepted_per_second: 50,
        network: Duration::ZERO,
        patience: Duration::from_secs(600),
    };

    #[test]
    fn clients_in_step_are_let_in_once_per_step() {
        let mut steady = policy_fn(|_| Some(Duration::from_secs(2)));
        let course = run(&SMALL, &mut steady);
        assert_eq!(course.busiest_tenth, 1000, "all at once");
        assert_eq!(course.busiest_second(), 1000);
        // Four or five attempts during the outage, and then 50 fewer in each round.
        let later: u64 = (1..=20).map(|left| left * 50).sum();
        let early = course.attempts() - later;
        assert!([4000, 5000].contains(&early), "{early}");
        let back = course.mostly_back().expect("all come back").as_secs();
        assert!((48..=50).contains(&back), "{back} s");
    }

    #[test]
    fn clients_that_give_up_are_counted_and_never_back() {
        let mut hasty = policy_fn(|loss| (loss.attempt <= 3).then_some(Duration::from_secs(1)));
        let course = run(&SMALL, &mut hasty);
        assert_eq!((course.attempts(), course.gave_up), (3000, 1000));
        assert_eq!(course.mostly_back(), None);
    }

    #[test]
    fn patience_ends_what_would_never_end() {
        let nobody =
            Scenario { accepted_per_second: 0, patience: Duration::from_secs(20), ..SMALL };
        let course = run(&nobody, &mut policy_fn(|_| Some(Duration::from_secs(1))));
        assert_eq!(course.per_second.len(), 20);
        assert_eq!(course.mostly_back(), None);
    }

    #[test]
    fn the_default_policy_spreads_the_first_return_over_three_seconds() {
        let course = run(&SMALL, &mut Backoff::new().with_seed(1));
        assert_eq!(course.per_second[..3], [0, 0, 0], "no sooner than the base");
        assert!(course.busiest_second() < 400 && course.busiest_tenth < 70, "{course:?}");
        assert_eq!(course.gave_up, 0);
        assert!(course.mostly_back().is_some());
    }
}
