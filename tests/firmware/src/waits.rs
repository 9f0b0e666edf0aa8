//! Tests of reconnection without atomics: the parser's `retry`, a `Backoff` and a `Timer`.

use crate::clock::{SysTickTimer, now};
use core::time::Duration;
use cortex_m_semihosting::hprintln;
use everstream::{Backoff, DisconnectKind, Parser, RetryContext, RetryPolicy, Timer};

/// Waits for three failed reconnections, and returns the time.
pub(crate) async fn wait_for_three() -> Duration {
    let mut parser = Parser::new();
    for byte in b"retry: 200\n".chunks(1) {
        assert!(parser.feed(byte).next().is_none());
    }
    let asked = parser.retry().expect("the server asked for a time");

    let mut policy = Backoff::new().with_seed(7).with_max_retries(3);
    let started = now();
    for attempt in 1.. {
        let loss = RetryContext::new(attempt, DisconnectKind::Refused).with_server_retry(asked);
        let Some(delay) = policy.next_delay(&loss) else { break };
        let least = asked * 2_u32.pow(attempt - 1);
        assert!((least..=2 * least).contains(&delay), "attempt {attempt} in {delay:?}");

        let before = now();
        SysTickTimer.sleep(delay).await;
        let slept = now() - before;
        assert!(slept >= delay, "slept for {slept:?} instead of {delay:?}");
        hprintln!("{:>6} ms  attempt {}, after {:?}", now().as_millis(), attempt, delay);
    }
    let took = now() - started;
    assert!(took >= 7 * asked, "it took only {took:?}");
    took
}
