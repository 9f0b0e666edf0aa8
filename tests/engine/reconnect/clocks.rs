//! Timers that fail because their runtime has no clock.

use super::*;

/// A timer that fails from its nth sleep on.
struct FailingTimer(ManualTimer, std::cell::Cell<usize>);

impl Timer for FailingTimer {
    type Sleep = everstream::timer::ManualSleep;

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn try_sleep(&self, duration: Duration) -> Result<Self::Sleep, TimerError> {
        let left = self.1.get();
        self.1.set(left.saturating_sub(1));
        if left == 0 { Err(TimerError::new("no clock")) } else { Ok(self.sleep(duration)) }
    }
}

#[test]
fn a_timer_that_fails_ends_the_stream_with_its_error_and_without_a_connection() {
    let mut attempts = Vec::new();
    // The check before an attempt, then the timeouts of the attempt, of the open connection, of the
    // next chunk and of the next event, and the delay.
    for sleeps in 0..12 {
        let server = Server::always(opens().sends(event("x")).after(ms(10)).ends());
        let timer = FailingTimer(server.timer.clone(), std::cell::Cell::new(sleeps));
        let all = Timeouts::new().with_open(HOUR).with_idle(HOUR).with_event(HOUR);
        let mut events = Reconnect::new(server.clone(), timer).with_timeouts(all);
        let mut error = None;
        for _ in 0..100 {
            match events.next().now_or_never() {
                Some(Some(Ok(_))) => {}
                Some(Some(Err(failed))) => error = Some(failed),
                Some(None) => break,
                None => _ = server.timer.advance_to_next(),
            }
        }
        assert_eq!(error.expect("it fails").to_string(), "no clock", "{sleeps}");
        assert!(events.is_terminated());
        assert_eq!(server.live(), 0);
        attempts.push(server.attempts());
    }
    assert_eq!(attempts[0], 0, "no connection is made");
    assert!(attempts[11] > 1, "{attempts:?}");
}

/// The timer fails as the delay before the next attempt begins.
#[test]
fn a_timer_that_failed_does_not_count_after_a_close() {
    let server = Server::always(refuses());
    let timer = FailingTimer(server.timer.clone(), std::cell::Cell::new(1));
    let mut events = Reconnect::new(server, timer);
    let lost = events.next().now_or_never();
    assert!(matches!(lost, Some(Some(Ok(ReconnectEvent::Reconnecting { .. })))), "{lost:?}");
    events.close();
    assert!(events.is_terminated());
    assert!(matches!(events.next().now_or_never(), Some(None)));
}
