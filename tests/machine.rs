//! The machine of a reconnecting stream: every transition, and what holds in any
//! history.

use std::time::Duration;

use everstream::reconnect::{Action, Input, Machine, State};
use everstream::{DisconnectKind, RetryContext, RetryPolicy};
use fastrand::Rng;

const DELAY: Duration = Duration::from_secs(7);

/// Waits [`DELAY`] as often as it is told to, and remembers what it saw.
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

const LOST: Input =
    Input::Lost { kind: DisconnectKind::Broken, server_retry: None, retry_after: None };

const STATES: [State; 5] =
    [State::Idle, State::Connecting, State::Open, State::Waiting, State::Closed];

const INPUTS: [Input; 8] = [
    Input::Start,
    Input::Opened,
    Input::Proven,
    LOST,
    Input::Again,
    Input::OutageOver,
    Input::Close,
    Input::Force,
];

/// A machine after these inputs.
fn after(inputs: &[Input]) -> Machine {
    let mut machine = Machine::new();
    for input in inputs {
        machine.on(*input, &mut patient());
    }
    machine
}

fn machine_in(state: State) -> Machine {
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

/// Everything that can be seen of a machine.
fn look(machine: &Machine) -> (State, u32, bool, bool) {
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
fn a_machine_starts_idle_with_nothing_behind_it() {
    assert_eq!(look(&Machine::new()), (State::Idle, 0, false, false));
    assert_eq!(look(&Machine::default()), look(&Machine::new()));
}

/// The diagram: what a state makes of an input, `None` for nothing at all.
fn diagram(state: State, input: Input) -> Option<(State, Action)> {
    use State::{Closed, Connecting, Idle, Open, Waiting};
    Some(match (state, input) {
        (Idle | Waiting, Input::Start) => (Connecting, Action::Connect),
        (Connecting, Input::Opened) => (Open, Action::Nothing),
        (Open, Input::Proven) => (Open, Action::Nothing),
        (Connecting | Open, Input::Lost { .. }) => (Waiting, wait(1)),
        (Connecting, Input::Again) => (Waiting, at_once(1)),
        (Connecting | Open | Waiting, Input::OutageOver) => {
            (Closed, Action::GiveUp { attempts: 0 })
        }
        (Idle | Connecting | Open | Waiting, Input::Close) => (Closed, Action::Stop),
        (Idle | Connecting | Open | Waiting | Closed, Input::Force) => (Idle, Action::Stop),
        _ => return None,
    })
}

#[test]
fn every_state_makes_of_every_input_what_the_diagram_says() {
    let mut transitions = 0;
    for state in STATES {
        for input in INPUTS {
            let mut machine = machine_in(state);
            let before = look(&machine);
            let mut policy = patient();
            let action = machine.on(input, &mut policy);
            match diagram(state, input) {
                Some((next, expected)) => {
                    transitions += 1;
                    assert_eq!((machine.state(), action), (next, expected), "{state:?} {input:?}");
                }
                None => {
                    assert_eq!(action, Action::Nothing, "{state:?} {input:?}");
                    assert_eq!(look(&machine), before, "{state:?} {input:?}");
                }
            }
            let asked = matches!(action, Action::Wait { .. }) && input != Input::Again;
            assert_eq!(policy.seen.len(), usize::from(asked), "{state:?} {input:?}");
        }
    }
    assert_eq!(transitions, 19);
}

#[test]
fn what_does_not_fit_changes_nothing_of_a_machine_with_a_past() {
    let past = [Input::Start, Input::Opened, LOST, Input::Start, LOST, Input::Start];
    let ways: [&[Input]; 5] =
        [&[], &[Input::Opened], &[Input::Opened, Input::Proven], &[LOST], &[Input::Close]];
    for way in ways {
        let machine = after(&[&past, way].concat());
        for input in INPUTS {
            if diagram(machine.state(), input).is_some() {
                continue;
            }
            let mut machine = machine.clone();
            let before = look(&machine);
            assert_eq!(machine.on(input, &mut patient()), Action::Nothing);
            assert_eq!(look(&machine), before, "{way:?} {input:?}");
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
                let lost = Input::Lost { kind, server_retry, retry_after };
                machine_in(State::Open).on(lost, &mut policy);
                let mut expected = RetryContext::new(1, kind);
                expected.server_retry = server_retry;
                expected.retry_after = retry_after;
                assert_eq!(policy.seen, [expected]);
            }
        }
    }
}

/// What the policy sees of the loss that follows `inputs`.
fn loss_after(inputs: &[Input]) -> RetryContext {
    let mut policy = patient();
    after(inputs).on(LOST, &mut policy);
    assert_eq!(policy.seen.len(), 1);
    policy.seen.remove(0)
}

#[test]
fn a_connection_is_healthy_once_it_has_proved_itself() {
    assert!(!loss_after(&[Input::Start]).healthy);
    assert!(!loss_after(&[Input::Start, Input::Opened]).healthy);
    assert!(loss_after(&[Input::Start, Input::Opened, Input::Proven]).healthy);
    assert!(loss_after(&[Input::Start, Input::Opened, Input::Proven, Input::Proven]).healthy);
}

#[test]
fn the_proof_of_one_connection_says_nothing_of_the_next() {
    let proven = [Input::Start, Input::Opened, Input::Proven];
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
fn every_loss_in_a_row_counts() {
    let mut policy = patient();
    let mut machine = Machine::new();
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
fn a_connection_that_merely_opened_counts_like_one_that_never_did() {
    let mut machine = Machine::new();
    for attempt in 1..=100 {
        machine.on(Input::Start, &mut patient());
        machine.on(Input::Opened, &mut patient());
        assert_eq!(machine.on(LOST, &mut patient()), wait(attempt));
    }
}

#[test]
fn a_proof_ends_the_count() {
    let mut machine = after(&[Input::Start, LOST, Input::Start, LOST, Input::Start, Input::Opened]);
    assert_eq!(machine.attempts(), 2);
    machine.on(Input::Proven, &mut patient());
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
        assert_eq!(machine.on(Input::Force, &mut patient()), Action::Stop);
        assert_eq!(machine.attempts(), 0, "{way:?}");
        machine.on(Input::Start, &mut patient());
        assert_eq!(machine.on(LOST, &mut patient()), wait(1), "{way:?}");
    }
}

#[test]
fn who_gives_up_tells_how_many_reconnections_there_were() {
    for count in 0..10 {
        let mut policy = retries(count as usize);
        let mut machine = Machine::new();
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
fn after_a_healthy_connection_a_give_up_tells_of_no_reconnection() {
    for give_up in [LOST, Input::OutageOver] {
        let mut machine = after(&[
            Input::Start,
            LOST,
            Input::Start,
            LOST,
            Input::Start,
            Input::Opened,
            Input::Proven,
        ]);
        assert_eq!(machine.on(give_up, &mut retries(0)), Action::GiveUp { attempts: 0 });
    }
}

#[test]
fn the_reconnection_that_is_waited_for_when_an_outage_is_over_was_not_made() {
    let lost_twice = [Input::Start, LOST, Input::Start, LOST];
    for (way, attempts) in [(&[][..], 1), (&[Input::Start], 2), (&[Input::Start, Input::Opened], 2)]
    {
        let mut machine = after(&[&lost_twice, way].concat());
        assert_eq!(machine.on(Input::OutageOver, &mut patient()), Action::GiveUp { attempts });
        assert_eq!(machine.state(), State::Closed);
    }
}

#[test]
fn one_connection_is_made_again_at_once_until_one_proves_itself() {
    let mut machine = after(&[Input::Start]);
    assert!(machine.may_go_again());
    assert_eq!(machine.on(Input::Again, &mut retries(0)), at_once(1));
    for unproven in [&[Input::Start][..], &[Input::Opened, LOST, Input::Start]] {
        unproven.iter().for_each(|input| _ = machine.on(*input, &mut patient()));
        let before = look(&machine);
        assert!(!machine.may_go_again());
        assert_eq!(machine.on(Input::Again, &mut patient()), Action::Nothing);
        assert_eq!(look(&machine), before);
    }
    for reset in [&[Input::Opened, Input::Proven, LOST, Input::Start][..], &[Input::Force]] {
        let mut machine = machine.clone();
        reset.iter().for_each(|input| _ = machine.on(*input, &mut patient()));
        assert!(machine.may_go_again(), "{reset:?}");
    }
}

#[test]
fn whether_any_connection_was_open_is_never_forgotten() {
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
                assert_eq!(machine.on(input, &mut patient()), Action::Nothing);
                assert_eq!(machine.state(), State::Closed);
            }
        }
        assert_eq!(machine.on(Input::Force, &mut patient()), Action::Stop);
        assert_eq!(machine.on(Input::Start, &mut patient()), Action::Connect);
    }
}

// ----------------------------------------------------------------- any history

/// Gives up on every tenth loss or so.
struct Moody(Rng);

impl RetryPolicy for Moody {
    fn next_delay(&mut self, _: &RetryContext) -> Option<Duration> {
        (self.0.u8(..10) > 0).then(|| Duration::from_millis(self.0.u64(..1000)))
    }
}

fn any_input(rng: &mut Rng) -> Input {
    // Closing and forcing are rare, or no history would get anywhere.
    match rng.u8(..32) {
        0 => Input::Close,
        1 => Input::Force,
        2 => Input::OutageOver,
        3 => Input::Again,
        n => match n % 4 {
            0 => Input::Start,
            1 => Input::Opened,
            2 => Input::Proven,
            _ => Input::Lost {
                kind: *rng
                    .choice(&[
                        DisconnectKind::Ended,
                        DisconnectKind::Broken,
                        DisconnectKind::Refused,
                        DisconnectKind::TimedOut,
                    ])
                    .unwrap(),
                server_retry: rng.bool().then(|| Duration::from_millis(rng.u64(..))),
                retry_after: rng.bool().then(|| Duration::from_secs(rng.u64(..))),
            },
        },
    }
}

#[test]
fn what_must_hold_holds_in_any_history() {
    const STEPS: usize = 100_000;

    let mut rng = Rng::with_seed(0x5eed);
    let mut policy = Moody(rng.fork());
    let mut machine = Machine::new();

    // Kept beside the machine, from actions alone.
    let mut connected = false;
    let mut proven = false;
    let mut reconnections = 0;
    let mut ever_open = false;
    let mut visits = [0; 5];

    for step in 0..STEPS {
        let input = any_input(&mut rng);
        let before = look(&machine);
        let state = machine.state();
        let may_go_again = machine.may_go_again();
        let action = machine.on(input, &mut policy);
        let next = machine.state();
        let at = format!("step {step}: {before:?} {input:?} {action:?} {:?}", look(&machine));

        // Who connects, and when.
        if action == Action::Connect {
            assert_eq!(input, Input::Start, "{at}");
            assert!(!connected, "two connections at {at}");
            connected = true;
        }
        if matches!(action, Action::Wait { .. } | Action::Stop | Action::GiveUp { .. }) {
            connected = false;
        }
        let has_connection = matches!(next, State::Connecting | State::Open);
        assert_eq!(has_connection, connected, "{at}");
        assert_eq!(
            next == State::Waiting,
            matches!(action, Action::Wait { .. }) || {
                state == State::Waiting && action == Action::Nothing
            },
            "{at}"
        );

        // Who closes, and who opens again.
        if state == State::Closed && next != State::Closed {
            assert_eq!(input, Input::Force, "{at}");
        }
        if matches!(input, Input::Close) {
            assert_eq!(next, State::Closed, "{at}");
        }
        if matches!(action, Action::GiveUp { .. }) {
            assert!(matches!(input, Input::Lost { .. } | Input::OutageOver), "{at}");
            assert_eq!(next, State::Closed, "{at}");
        }
        if matches!(input, Input::Force) {
            assert_eq!((next, action), (State::Idle, Action::Stop), "{at}");
        }

        // What is counted.
        if state == State::Open && input == Input::Proven {
            proven = true;
            reconnections = 0;
        }
        match action {
            Action::Wait { attempt, .. } => {
                reconnections += 1;
                proven = false;
                assert_eq!(attempt, reconnections, "{at}");
            }
            Action::GiveUp { attempts } => {
                proven = false;
                let waited_for = u32::from(state == State::Waiting);
                assert_eq!(attempts, reconnections - waited_for, "{at}");
            }
            Action::Stop => {
                proven = false;
                if input == Input::Force {
                    reconnections = 0;
                }
            }
            Action::Nothing | Action::Connect => {}
        }
        ever_open |= next == State::Open;
        assert_eq!(look(&machine), (next, reconnections, proven, ever_open), "{at}");
        assert!(!proven || next == State::Open, "{at}");

        // What does not fit.
        let is_again = input == Input::Again;
        if diagram(state, input).is_none() || (is_again && !may_go_again) {
            assert_eq!(action, Action::Nothing, "{at}");
            assert_eq!(look(&machine), before, "{at}");
        }
        visits[STATES.iter().position(|known| *known == next).unwrap()] += 1;
    }
    assert!(visits.iter().all(|visits| *visits > STEPS / 100), "{visits:?}");
}
