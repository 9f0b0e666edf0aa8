//! The retry policy of a stream.

use crate::retry::{Backoff, RetryContext, RetryPolicy, entropy};
use alloc::boxed::Box;
use core::time::Duration;

/// A retry policy with its type erased.
pub(crate) type BoxedPolicy = Box<dyn RetryPolicy + Send + Sync>;

/// The policy that the user chose, or the default one, which is allocated at the first loss.
/// Without it, a stream over a connection that was never lost takes 144 bytes less.
pub(super) struct Policy {
    boxed: Option<BoxedPolicy>,
}

impl Policy {
    pub(super) const fn new() -> Self {
        Policy { boxed: None }
    }

    pub(super) fn set(&mut self, policy: BoxedPolicy) {
        self.boxed = Some(seeded(policy));
    }
}

impl RetryPolicy for Policy {
    fn next_delay(&mut self, context: &RetryContext) -> Option<Duration> {
        let default = || seeded(Box::new(Backoff::new()));
        self.boxed.get_or_insert_with(default).next_delay(context)
    }

    fn min_uptime(&self) -> Duration {
        match &self.boxed {
            Some(policy) => policy.min_uptime(),
            None => Backoff::new().min_uptime(),
        }
    }

    fn max_elapsed(&self) -> Option<Duration> {
        match &self.boxed {
            Some(policy) => policy.max_elapsed(),
            None => Backoff::new().max_elapsed(),
        }
    }
}

/// Seeds a policy from the platform, if it has entropy.
fn seeded(mut policy: BoxedPolicy) -> BoxedPolicy {
    if let Some(seed) = entropy::seed() {
        policy.seed(seed);
    }
    policy
}
