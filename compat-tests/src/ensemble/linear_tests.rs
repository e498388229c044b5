//! Made-up histories, a brute force to compare with, and damaged copies of sound histories.

use super::*;
use crate::diff::Dice;

const START: State = State {
    version: 0,
    value: 0,
};

fn operation(invoked: u64, returned: u64, action: Action, answer: Answer) -> Operation {
    Operation {
        invoked,
        returned,
        action,
        answer,
    }
}

fn write(invoked: u64, returned: u64, value: u64, version: i32) -> Operation {
    let action = Action::Write {
        value,
        expected: None,
    };
    operation(invoked, returned, action, Answer::Written(version))
}

fn lost(invoked: u64, value: u64) -> Operation {
    let action = Action::Write {
        value,
        expected: None,
    };
    operation(invoked, 0, action, Answer::Unknown)
}

fn read(invoked: u64, returned: u64, value: u64, version: i32) -> Operation {
    let seen = State { version, value };
    operation(invoked, returned, Action::Read, Answer::Saw(seen))
}

fn conditional(
    invoked: u64,
    returned: u64,
    value: u64,
    expected: i32,
    answer: Answer,
) -> Operation {
    let action = Action::Write {
        value,
        expected: Some(expected),
    };
    operation(invoked, returned, action, answer)
}

#[test]
fn histories_with_a_known_verdict() {
    let table: [(&str, bool, Vec<Operation>); 14] = [
        ("nothing", true, vec![]),
        ("in turn", true, vec![write(1, 2, 7, 1), read(3, 4, 7, 1)]),
        (
            "a stale read",
            false,
            vec![write(1, 2, 7, 1), read(3, 4, 0, 0)],
        ),
        (
            "a read beside the write may miss it",
            true,
            vec![write(1, 9, 7, 1), read(3, 4, 0, 0)],
        ),
        (
            "but not after another saw it",
            false,
            vec![write(1, 9, 7, 1), read(2, 3, 7, 1), read(4, 5, 0, 0)],
        ),
        (
            "an acknowledged write is lost",
            false,
            vec![write(1, 2, 7, 1), write(3, 4, 8, 1)],
        ),
        (
            "an unanswered write is seen",
            true,
            vec![lost(1, 7), read(3, 4, 7, 1)],
        ),
        (
            "an unanswered write is not seen",
            true,
            vec![lost(1, 7), read(3, 4, 0, 0)],
        ),
        (
            "an unanswered write is done late",
            true,
            vec![lost(1, 7), read(3, 4, 0, 0), read(5, 6, 7, 1)],
        ),
        (
            "and is not taken back",
            false,
            vec![lost(1, 7), read(3, 4, 7, 1), read(5, 6, 0, 0)],
        ),
        (
            "it is not seen before it is sent",
            false,
            vec![read(1, 2, 7, 1), lost(3, 7)],
        ),
        (
            "a gap that one unanswered write fills",
            true,
            vec![lost(1, 7), write(3, 4, 8, 2)],
        ),
        ("a gap that nothing fills", false, vec![write(3, 4, 8, 2)]),
        (
            "the unanswered write came too late for the gap",
            false,
            vec![write(1, 2, 8, 2), lost(3, 7)],
        ),
    ];
    for (name, fine, history) in table {
        let verdict = check(START, &history);
        assert_eq!(
            verdict == Verdict::Linearizable,
            fine,
            "{name}: {verdict:?}"
        );
    }
}

#[test]
fn conditions_are_part_of_the_order() {
    for (fine, history) in [
        (true, vec![conditional(1, 2, 7, 0, Answer::Written(1))]),
        (false, vec![conditional(1, 2, 7, 1, Answer::Written(1))]),
        (true, vec![conditional(1, 2, 7, 1, Answer::BadVersion)]),
        (false, vec![conditional(1, 2, 7, 0, Answer::BadVersion)]),
        (
            true,
            vec![conditional(1, 0, 7, 0, Answer::Unknown), read(2, 3, 7, 1)],
        ),
        (
            false,
            vec![
                write(1, 2, 5, 1),
                conditional(3, 0, 7, 0, Answer::Unknown),
                read(4, 5, 7, 2),
            ],
        ),
    ] {
        let verdict = check(START, &history);
        assert_eq!(verdict == Verdict::Linearizable, fine, "{history:?}");
    }
}

/// Tries every order of every choice of unanswered writes.
fn brute_force(state: State, left: &[Operation]) -> bool {
    if left.iter().all(|o| o.answer == Answer::Unknown) {
        return true;
    }
    let end = |o: &Operation| match o.answer {
        Answer::Unknown => u64::MAX,
        _ => o.returned,
    };
    let first_end = left.iter().map(end).min().unwrap_or(u64::MAX);
    (0..left.len()).any(|at| {
        left[at].invoked <= first_end
            && after(state, &left[at]).is_some_and(|state| {
                let mut rest = left.to_vec();
                rest.remove(at);
                brute_force(state, &rest)
            })
    })
}

/// A history that a register could have given; with `damage`, answers are changed at random.
fn history(dice: &mut Dice, length: u64, damage: bool) -> Vec<Operation> {
    let (mut state, mut made) = (START, Vec::new());
    for number in 1..=length {
        // The instant at which it is done lies between its ends.
        let done = number * 10;
        let (invoked, returned) = (done - dice.below(30).min(done), done + dice.below(30));
        let expected = dice
            .chance(30)
            .then(|| state.version - i32::from(dice.chance(50)));
        let written = State {
            version: state.version + 1,
            value: number,
        };
        let unknown = dice.chance(25);
        if dice.chance(50) {
            made.push(operation(
                invoked,
                returned,
                Action::Read,
                Answer::Saw(state),
            ));
            continue;
        }
        let action = Action::Write {
            value: number,
            expected,
        };
        let answer = if expected.is_some_and(|version| version != state.version) {
            Answer::BadVersion
        } else if unknown && dice.chance(50) {
            Answer::Unknown
        } else {
            state = written;
            if unknown {
                Answer::Unknown
            } else {
                Answer::Written(written.version)
            }
        };
        made.push(operation(invoked, returned, action, answer));
    }
    if damage {
        let at = usize::try_from(dice.below(made.len() as u64)).expect("an index");
        let change = i32::try_from(dice.below(2)).expect("small") * 2 - 1;
        match &mut made[at].answer {
            Answer::Saw(seen) => {
                seen.version += change;
                seen.value = dice.below(length);
            }
            Answer::Written(version) => *version += change,
            Answer::BadVersion | Answer::Unknown => made[at].returned = made[at].invoked,
        }
    }
    made
}

#[test]
fn the_search_agrees_with_trying_everything() {
    let mut refused = 0;
    for seed in 0..4000 {
        let mut dice = Dice::new(seed);
        let length = 2 + dice.below(6);
        let history = history(&mut dice, length, seed % 2 == 1);
        let expected = brute_force(START, &history);
        let verdict = check(START, &history);
        assert_eq!(
            verdict == Verdict::Linearizable,
            expected,
            "seed {seed}: {history:?}"
        );
        refused += u32::from(!expected);
    }
    assert!(refused > 400, "only {refused} histories were unsound");
}

#[test]
fn one_stale_read_in_a_long_history_is_found() {
    let mut dice = Dice::new(11);
    let mut history = history(&mut dice, 3000, false);
    assert_eq!(check(START, &history), Verdict::Linearizable);
    // A read that saw what the register held some writes ago.
    let old = history.iter().find_map(|o| match o.answer {
        Answer::Saw(state) if state.version > 100 => Some(state),
        _ => None,
    });
    let stale = history
        .iter_mut()
        .rev()
        .find(|o| matches!(o.answer, Answer::Saw(_)));
    stale.expect("a read").answer = Answer::Saw(old.expect("an old state"));
    assert!(matches!(check(START, &history), Verdict::Impossible(_)));
}
