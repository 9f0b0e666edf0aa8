//! Tests of the machine of a reconnecting stream: every transition, and rules for any history.

use std::time::Duration;

use everstream::reconnect::{Action, Input, Loss, Machine, State};
use everstream::{DisconnectKind, RetryContext, RetryPolicy};
use fastrand::Rng;

const DELAY: Duration = Duration::from_secs(7);

/// A policy that returns [`DELAY`] a limited number of times, and records its contexts.
struct Policy {
    retries: usize,
    seen: Vec<RetryContext>,
}

fn retries(retries: usize) -> Policy {
    Policy { retries, seen: Vec::new() }
}

fn patient() -> Policy {
    retries(usize::MAX)
}

impl RetryPolicy for Policy {
    fn next_delay(&mut self, loss: &RetryContext) -> Option<Duration> {
        self.seen.push(loss.clone());
        (self.seen.len() <= self.retries).then_some(DELAY)
    }
}

const LOST: Input = Input::Lost(Loss::new(DisconnectKind::Broken));

const STATES: [State; 5] =
    [State::Idle, State::Connecting, State::Open, State::Waiting, State::Closed];

const AGAIN: Input = Input::Lost(Loss { retry_now: true, ..Loss::new(DisconnectKind::Refused) });
const ONCE: Input = Input::Lost(Loss { may_repeat: false, ..Loss::new(DisconnectKind::Broken) });
const DONE: Input = Input::Lost(Loss { may_repeat: false, ..Loss::new(DisconnectKind::Ended) });
/// The first event of a connection, with a new id.
const NEW: Input = Input::Event { number: 1, has_new_id: true };
/// The first event of a connection, without one.
const OLD: Input = Input::Event { number: 1, has_new_id: false };

const INPUTS: [Input; 12] = [
    Input::Start,
    Input::Opened,
    NEW,
    OLD,
    Input::Uptime,
    LOST,
    AGAIN,
    ONCE,
    DONE,
    Input::OutageOver,
    Input::Close,
    Input::Force,
];

/// A machine and its state, which follows the actions.
#[derive(Clone)]
struct Driven {
    state: State,
    machine: Machine,
}

impl Driven {
    fn new() -> Self {
        Driven { state: State::Idle, machine: Machine::new() }
    }

    fn on(&mut self, input: Input, policy: &mut (impl RetryPolicy + ?Sized)) -> Action {
        let action = self.machine.on(self.state, input, policy);
        self.state = action.next().unwrap_or(self.state);
        action
    }

    fn state(&self) -> State {
        self.state
    }
}

impl std::ops::Deref for Driven {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.machine
    }
}

/// Returns a machine after these inputs.
fn after(inputs: &[Input]) -> Driven {
    let mut machine = Driven::new();
    for input in inputs {
        machine.on(*input, &mut patient());
    }
    machine
}

fn machine_in(state: State) -> Driven {
    let machine = after(match state {
        State::Idle => &[],
        State::Connecting => &[Input::Start],
        State::Open => &[Input::Start, Input::Opened],
        State::Waiting => &[Input::Start, LOST],
        State::Closed => &[Input::Close],
    });
    assert_eq!(machine.state(), state);
    machine
}

/// Returns all observable values of a machine.
fn look(machine: &Driven) -> (State, u32, bool, bool) {
    (machine.state(), machine.attempts(), machine.is_proven(), machine.was_open())
}

fn wait(attempt: u32) -> Action {
    Action::Wait { delay: DELAY, attempt }
}

fn at_once(attempt: u32) -> Action {
    Action::Wait { delay: Duration::ZERO, attempt }
}

// ------------------------------------------------------------- the transitions

#[test]
fn a_machine_starts_idle_without_counts() {
    assert_eq!(look(&Driven::new()), (State::Idle, 0, false, false));
    assert_eq!(Machine::default(), Machine::new());
}

/// Returns the next state and the action of an input that fits the state.
fn diagram(state: State, input: Input) -> Option<(State, Action)> {
    use State::{Closed, Connecting, Idle, Open, Waiting};
    Some(match (state, input) {
        (Idle | Waiting, Input::Start) => (Connecting, Action::Connect),
        (Connecting, Input::Opened) => (Open, Action::Open),
        (Open, Input::Event { .. } | Input::Uptime) => (Open, Action::Stay),
        (Connecting, AGAIN) => (Waiting, at_once(1)),
        (Connecting | Open, ONCE) => (Closed, Action::Fail),
        (Connecting | Open, DONE) => (Closed, Action::Close),
        (Connecting | Open, Input::Lost(_)) => (Waiting, wait(1)),
        (Connecting | Open | Waiting, Input::OutageOver) => {
            (Closed, Action::GiveUp { attempts: 0 })
        }
        (Idle | Connecting | Open | Waiting, Input::Close) => (Closed, Action::Close),
        (Idle | Connecting | Open | Waiting | Closed, Input::Force) => (Idle, Action::Restart),
        _ => return None,
    })
}

#[test]
fn every_state_answers_every_input_as_the_diagram_says() {
    let mut transitions = 0;
    for state in STATES {
        for input in INPUTS {
            let mut machine = machine_in(state);
            let before = machine.machine.clone();
            let mut policy = patient();
            let action = machine.on(input, &mut policy);
            match diagram(state, input) {
                Some((next, expected)) => {
                    transitions += 1;
                    assert_eq!((machine.state(), action), (next, expected), "{state:?} {input:?}");
                }
                None => {
                    assert_eq!(action, Action::Stay, "{state:?} {input:?}");
                    assert_eq!(machine.machine, before, "{state:?} {input:?}");
                }
            }
            let asked = action == wait(1);
            assert_eq!(policy.seen.len(), usize::from(asked), "{state:?} {input:?}");
        }
    }
    assert_eq!(transitions, 26);
}

#[test]
fn an_action_names_the_state_that_it_leads_to() {
    let expected = [
        (Action::Stay, None),
        (Action::Connect, Some(State::Connecting)),
        (Action::Open, Some(State::Open)),
        (wait(1), Some(State::Waiting)),
        (Action::GiveUp { attempts: 1 }, Some(State::Closed)),
        (Action::Fail, Some(State::Closed)),
        (Action::Close, Some(State::Closed)),
        (Action::Restart, Some(State::Idle)),
    ];
    for (action, state) in expected {
        assert_eq!(action.next(), state, "{action:?}");
    }
}

#[test]
fn an_input_that_does_not_fit_changes_nothing() {
    let past = [Input::Start, Input::Opened, LOST, Input::Start, LOST, Input::Start];
    let ways: [&[Input]; 5] =
        [&[], &[Input::Opened], &[Input::Opened, NEW], &[LOST], &[Input::Close]];
    for way in ways {
        let machine = after(&[&past, way].concat());
        for input in INPUTS {
            if diagram(machine.state(), input).is_some() {
                continue;
            }
            let mut machine = machine.clone();
            let before = machine.machine.clone();
            assert_eq!(machine.on(input, &mut patient()), Action::Stay);
            assert_eq!(machine.machine, before, "{way:?} {input:?}");
        }
    }
}

#[test]
fn a_loss_that_the_policy_gives_up_on_closes() {
    for state in [State::Connecting, State::Open] {
        let mut machine = machine_in(state);
        assert_eq!(machine.on(LOST, &mut retries(0)), Action::GiveUp { attempts: 0 });
        assert_eq!(machine.state(), State::Closed);
    }
}

#[test]
fn the_delay_is_that_of_the_policy() {
    let mut machine = machine_in(State::Connecting);
    let mut policy = everstream::retry::policy_fn(|_| Some(Duration::MAX));
    let action = machine.on(LOST, &mut policy);
    assert_eq!(action, Action::Wait { delay: Duration::MAX, attempt: 1 });
}

#[test]
fn a_policy_may_be_a_trait_object() {
    let mut policy: Box<dyn RetryPolicy> = Box::new(patient());
    assert_eq!(machine_in(State::Open).on(LOST, &mut *policy), wait(1));
}

// -------------------------------------------------------- what the policy sees

#[test]
fn the_policy_sees_how_the_connection_was_lost_and_what_the_server_asked_for() {
    let kinds = [
        DisconnectKind::Ended,
        DisconnectKind::Broken,
        DisconnectKind::Refused,
        DisconnectKind::TimedOut,
    ];
    let words = [None, Some(Duration::ZERO), Some(Duration::from_secs(9)), Some(Duration::MAX)];
    for kind in kinds {
        for server_retry in words {
            for retry_after in words {
                let mut policy = patient();
                let loss = Loss { events: 3, server_retry, retry_after, ..Loss::new(kind) };
                machine_in(State::Open).on(Input::Lost(loss), &mut policy);
                let mut expected = RetryContext::new(1, kind).with_events(3);
                expected.server_retry = server_retry;
                expected.retry_after = retry_after;
                assert_eq!(policy.seen, [expected]);
            }
        }
    }
}

/// Returns the context of the loss after `inputs`.
fn loss_after(inputs: &[Input]) -> RetryContext {
    let mut policy = patient();
    after(inputs).on(LOST, &mut policy);
    assert_eq!(policy.seen.len(), 1);
    policy.seen.remove(0)
}

#[test]
fn a_connection_is_healthy_once_it_makes_progress() {
    let open = [Input::Start, Input::Opened];
    assert!(!loss_after(&open[..1]).healthy);
    assert!(!loss_after(&open).healthy);
    for proof in [&[NEW][..], &[OLD], &[Input::Uptime], &[NEW, OLD], &[Input::Uptime, NEW]] {
        assert!(loss_after(&[&open, proof].concat()).healthy, "{proof:?}");
    }
}

/// Returns an event without a new ID, with its number on the connection.
fn old(number: u64) -> Input {
    Input::Event { number, has_new_id: false }
}

/// Runs a connection that delivers this many events without a new ID, and ends.
fn brings(machine: &mut Driven, events: u64) -> Action {
    machine.on(Input::Start, &mut patient());
    machine.on(Input::Opened, &mut patient());
    (1..=events).for_each(|number| _ = machine.on(old(number), &mut patient()));
    machine.on(Input::Lost(Loss { events, ..Loss::new(DisconnectKind::Ended) }), &mut patient())
}

#[test]
fn events_without_a_new_id_are_progress_only_if_they_are_more_than_ever_in_this_streak() {
    let mut machine = Driven::new();
    for (events, attempt) in [(1, 1), (1, 2), (0, 3), (1, 4), (3, 1), (2, 2), (3, 3), (4, 1)] {
        assert_eq!(brings(&mut machine, events), wait(attempt), "{events}");
    }
}

#[test]
fn a_new_id_or_uptime_ends_the_streak_that_events_are_compared_with() {
    for proof in [NEW, Input::Uptime] {
        let mut machine = Driven::new();
        brings(&mut machine, 9);
        assert_eq!(brings(&mut machine, 2), wait(2));
        machine.on(Input::Start, &mut patient());
        machine.on(Input::Opened, &mut patient());
        machine.on(proof, &mut patient());
        machine.on(
            Input::Lost(Loss { events: 1, ..Loss::new(DisconnectKind::Ended) }),
            &mut patient(),
        );
        assert_eq!(brings(&mut machine, 1), wait(2), "{proof:?}");
        assert_eq!(brings(&mut machine, 2), wait(1), "{proof:?}");
    }
}

#[test]
fn a_refused_connection_does_not_lower_the_bar_for_the_next() {
    let mut machine = Driven::new();
    brings(&mut machine, 2);
    machine.on(Input::Start, &mut patient());
    machine.on(LOST, &mut patient());
    assert_eq!(brings(&mut machine, 2), wait(3));
}

#[test]
fn force_forgets_the_events_of_earlier_connections() {
    let mut machine = Driven::new();
    brings(&mut machine, 5);
    machine.on(Input::Force, &mut patient());
    assert_eq!(brings(&mut machine, 1), wait(1));
    assert_eq!(brings(&mut machine, 1), wait(2));
}

#[test]
fn a_connection_that_may_not_reconnect_ends_the_stream_without_asking_the_policy() {
    for kind in [
        DisconnectKind::Ended,
        DisconnectKind::Broken,
        DisconnectKind::Refused,
        DisconnectKind::TimedOut,
    ] {
        for state in [State::Connecting, State::Open] {
            let mut policy = patient();
            let machine = machine_in(state);
            let loss = Loss { may_repeat: false, ..Loss::new(kind) };
            assert_eq!(loss.is_clean, kind == DisconnectKind::Ended);
            assert_eq!(loss.events, 0);
            for (is_clean, expected) in [(true, Action::Close), (false, Action::Fail)] {
                let mut machine = machine.clone();
                let loss = Loss { is_clean, ..loss };
                assert_eq!(machine.on(Input::Lost(loss), &mut policy), expected);
                assert_eq!((machine.state(), machine.is_proven()), (State::Closed, false));
            }
            assert!(policy.seen.is_empty());
        }
    }
}

#[test]
fn the_health_of_one_connection_does_not_count_for_the_next() {
    let proven = [Input::Start, Input::Opened, NEW];
    for way in [&[LOST][..], &[Input::Force], &[Input::Close, Input::Force]] {
        for next in [&[Input::Start][..], &[Input::Start, Input::Opened]] {
            let inputs = [&proven, way, next].concat();
            assert!(!after(&inputs).is_proven(), "{inputs:?}");
            assert!(!loss_after(&inputs).healthy, "{inputs:?}");
        }
    }
}

// -------------------------------------------------------------------- attempts

#[test]
fn every_failure_in_a_row_counts() {
    let mut policy = patient();
    let mut machine = Driven::new();
    for attempt in 1..=100 {
        machine.on(Input::Start, &mut policy);
        assert_eq!(machine.attempts(), attempt - 1);
        assert_eq!(machine.on(LOST, &mut policy), wait(attempt));
        assert_eq!(machine.attempts(), attempt);
    }
    let attempts: Vec<u32> = policy.seen.iter().map(|loss| loss.attempt).collect();
    assert_eq!(attempts, Vec::from_iter(1..=100));
}

#[test]
fn a_connection_without_progress_counts_as_a_failure() {
    let mut machine = Driven::new();
    for attempt in 1..=100 {
        machine.on(Input::Start, &mut patient());
        machine.on(Input::Opened, &mut patient());
        assert_eq!(machine.on(LOST, &mut patient()), wait(attempt));
    }
}

#[test]
fn progress_resets_the_count() {
    let mut machine = after(&[Input::Start, LOST, Input::Start, LOST, Input::Start, Input::Opened]);
    assert_eq!(machine.attempts(), 2);
    machine.on(NEW, &mut patient());
    assert_eq!(machine.attempts(), 0);
    assert_eq!(machine.on(LOST, &mut patient()), wait(1));
    machine.on(Input::Start, &mut patient());
    assert_eq!(machine.on(LOST, &mut patient()), wait(2), "a new count begins");
}

#[test]
fn force_ends_the_count_from_any_state() {
    let past = [Input::Start, LOST, Input::Start, LOST];
    let ways: [&[Input]; 4] =
        [&[], &[Input::Start], &[Input::Start, Input::Opened], &[Input::Close]];
    for way in ways {
        let mut machine = after(&[&past, way].concat());
        assert_eq!(machine.on(Input::Force, &mut patient()), Action::Restart);
        assert_eq!(machine.attempts(), 0, "{way:?}");
        machine.on(Input::Start, &mut patient());
        assert_eq!(machine.on(LOST, &mut patient()), wait(1), "{way:?}");
    }
}

#[test]
fn giving_up_reports_the_number_of_reconnections() {
    for count in 0..10 {
        let mut policy = retries(count as usize);
        let mut machine = Driven::new();
        for attempt in 1..=count {
            machine.on(Input::Start, &mut policy);
            assert_eq!(machine.on(LOST, &mut policy), wait(attempt));
        }
        machine.on(Input::Start, &mut policy);
        assert_eq!(machine.on(LOST, &mut policy), Action::GiveUp { attempts: count });
        assert_eq!(machine.state(), State::Closed);
    }
}

#[test]
fn after_a_healthy_connection_giving_up_reports_no_reconnection() {
    for give_up in [LOST, Input::OutageOver] {
        let mut machine =
            after(&[Input::Start, LOST, Input::Start, LOST, Input::Start, Input::Opened, NEW]);
        assert_eq!(machine.on(give_up, &mut retries(0)), Action::GiveUp { attempts: 0 });
    }
}

#[test]
fn an_attempt_that_did_not_start_before_giving_up_does_not_count() {
    let lost_twice = [Input::Start, LOST, Input::Start, LOST];
    for (way, attempts) in [(&[][..], 1), (&[Input::Start], 2), (&[Input::Start, Input::Opened], 2)]
    {
        let mut machine = after(&[&lost_twice, way].concat());
        assert_eq!(machine.on(Input::OutageOver, &mut patient()), Action::GiveUp { attempts });
        assert_eq!(machine.state(), State::Closed);
    }
}

#[test]
fn one_attempt_follows_at_once_until_a_connection_is_healthy() {
    let mut machine = after(&[Input::Start]);
    assert_eq!(machine.on(AGAIN, &mut retries(0)), at_once(1));
    for unproven in [&[Input::Start][..], &[Input::Start, Input::Opened, LOST, Input::Start]] {
        let mut machine = machine.clone();
        unproven.iter().for_each(|input| _ = machine.on(*input, &mut patient()));
        let attempts = machine.attempts();
        assert_eq!(machine.on(AGAIN, &mut patient()), wait(attempts + 1));
    }
    for reset in [&[Input::Start, Input::Opened, NEW, LOST][..], &[Input::Force]] {
        let mut machine = machine.clone();
        reset.iter().for_each(|input| _ = machine.on(*input, &mut patient()));
        machine.on(Input::Start, &mut patient());
        let attempts = machine.attempts();
        assert_eq!(machine.on(AGAIN, &mut retries(0)), at_once(attempts + 1), "{reset:?}");
    }
}

#[test]
fn an_attempt_at_once_is_made_even_if_the_connection_must_not_be_repeated() {
    let loss = Loss { may_repeat: false, retry_now: true, ..Loss::new(DisconnectKind::Refused) };
    let mut machine = after(&[Input::Start]);
    assert_eq!(machine.on(Input::Lost(loss), &mut patient()), at_once(1));
    machine.on(Input::Start, &mut patient());
    assert_eq!(machine.on(Input::Lost(loss), &mut patient()), Action::Fail);
}

#[test]
fn an_open_connection_is_never_repeated_at_once() {
    assert_eq!(machine_in(State::Open).on(AGAIN, &mut patient()), wait(1));
}

#[test]
fn was_open_is_never_reset() {
    let mut machine = machine_in(State::Connecting);
    assert!(!machine.was_open());
    for input in [Input::Opened, LOST, Input::Start, LOST, Input::Close, Input::Force, Input::Start]
    {
        machine.on(input, &mut patient());
        assert!(machine.was_open(), "{input:?}");
    }
}

#[test]
fn a_closed_machine_is_revived_by_force_alone() {
    for close in [&[Input::Close][..], &[Input::Start, Input::Close]] {
        let mut machine = after(close);
        for input in INPUTS {
            if input != Input::Force {
                assert_eq!(machine.on(input, &mut patient()), Action::Stay);
                assert_eq!(machine.state(), State::Closed);
            }
        }
        assert_eq!(machine.on(Input::Force, &mut patient()), Action::Restart);
        assert_eq!(machine.on(Input::Start, &mut patient()), Action::Connect);
    }
}

// ----------------------------------------------------------------- any history

/// A policy that gives up on about every tenth loss.
struct Moody(Rng);

impl RetryPolicy for Moody {
    fn next_delay(&mut self, _: &RetryContext) -> Option<Duration> {
        (self.0.u8(..10) > 0).then(|| Duration::from_millis(self.0.u64(..1000)))
    }
}

fn any_input(rng: &mut Rng) -> Input {
    // Closing and forcing are rare, so that histories make progress.
    match rng.u8(..32) {
        0 => Input::Close,
        1 => Input::Force,
        2 => Input::OutageOver,
        n => match n % 4 {
            0 => Input::Start,
            1 => Input::Opened,
            2 => match rng.u8(..4) {
                0 => Input::Uptime,
                _ => Input::Event { number: rng.u64(1..4), has_new_id: rng.bool() },
            },
            _ => Input::Lost(Loss {
                may_repeat: rng.u8(..8) > 0,
                retry_now: rng.u8(..8) == 0,
                events: rng.u64(..4),
                server_retry: rng.bool().then(|| Duration::from_millis(rng.u64(..))),
                retry_after: rng.bool().then(|| Duration::from_secs(rng.u64(..))),
                ..Loss::new(
                    *rng.choice(&[
                        DisconnectKind::Ended,
                        DisconnectKind::Broken,
                        DisconnectKind::Refused,
                        DisconnectKind::TimedOut,
                    ])
                    .unwrap(),
                )
            }),
        },
    }
}

#[test]
fn the_invariants_hold_in_any_history() {
    const STEPS: usize = 100_000;

    let mut rng = Rng::with_seed(0x5eed);
    let mut policy = Moody(rng.fork());
    let mut machine = Driven::new();

    // Computed from inputs and actions only.
    let mut connected = false;
    let mut proven = false;
    let mut reconnections = 0;
    let mut ever_open = false;
    let mut most_events = 0;
    let mut went_again = false;
    let mut visits = [0; 5];

    for step in 0..STEPS {
        let input = any_input(&mut rng);
        let before = look(&machine);
        let memory = machine.machine.clone();
        let state = machine.state();
        let action = machine.on(input, &mut policy);
        let next = machine.state();
        let at = format!("step {step}: {before:?} {input:?} {action:?} {:?}", look(&machine));

        // Only `Start` connects.
        if action == Action::Connect {
            assert_eq!(input, Input::Start, "{at}");
            assert!(!connected, "two connections at {at}");
            connected = true;
        }
        if matches!(next, State::Idle | State::Waiting | State::Closed) {
            connected = false;
        }
        assert_eq!(matches!(next, State::Connecting | State::Open), connected, "{at}");

        // Only some inputs close or revive.
        if state == State::Closed && next != State::Closed {
            assert_eq!(input, Input::Force, "{at}");
        }
        match input {
            Input::Close => assert_eq!(next, State::Closed, "{at}"),
            Input::Force => assert_eq!((next, action), (State::Idle, Action::Restart), "{at}"),
            _ => {}
        }
        match action {
            Action::GiveUp { .. } => {
                assert!(matches!(input, Input::Lost(_) | Input::OutageOver), "{at}");
            }
            Action::Fail => {
                let Input::Lost(loss) = input else { panic!("{at}") };
                assert!(!loss.may_repeat && !loss.is_clean, "{at}");
            }
            Action::Close => match input {
                Input::Lost(loss) => {
                    assert!(!loss.may_repeat && loss.is_clean, "{at}");
                }
                _ => assert_eq!(input, Input::Close, "{at}"),
            },
            _ => {}
        }

        // The counts.
        match (state, input) {
            (State::Open, Input::Uptime) => (proven, most_events) = (true, 0),
            (State::Open, Input::Event { number, has_new_id }) => {
                proven |= has_new_id || number > most_events;
                if has_new_id {
                    most_events = 0;
                }
            }
            (State::Connecting, Input::Lost(loss)) if loss.retry_now && !went_again => {
                assert_eq!(action, at_once(reconnections + 1), "{at}");
                went_again = true;
            }
            (State::Connecting | State::Open, Input::Lost(loss)) => {
                most_events = most_events.max(loss.events);
            }
            (_, Input::Force) => {
                (reconnections, most_events, went_again) = (0, 0, false);
            }
            _ => {}
        }
        if proven && next == State::Open {
            (reconnections, went_again) = (0, false);
        }
        if let Action::GiveUp { attempts } = action {
            let waited_for = u32::from(state == State::Waiting);
            assert_eq!(attempts, reconnections - waited_for, "{at}");
        }
        if let Action::Wait { attempt, .. } = action {
            reconnections += 1;
            assert_eq!(attempt, reconnections, "{at}");
        }
        proven &= next == State::Open;
        ever_open |= next == State::Open;
        assert_eq!(look(&machine), (next, reconnections, proven, ever_open), "{at}");

        // Inputs that do not fit change nothing.
        if action == Action::Stay && state != State::Open {
            assert_eq!(machine.machine, memory, "{at}");
        }
        visits[STATES.iter().position(|known| *known == next).unwrap()] += 1;
    }
    assert!(visits.iter().all(|visits| *visits > STEPS / 100), "{visits:?}");
}
