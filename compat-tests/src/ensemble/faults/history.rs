//! What the clients of a run asked and were told, and the rules that it must keep.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};

use crate::ensemble::linear::{self, Action, Answer, Operation, State, Verdict};

/// One request with its answer.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// Who asked.
    pub(crate) client: usize,
    /// In which of its sessions.
    pub(crate) session: i64,
    /// Which register.
    pub(crate) key: usize,
    /// What, when, and the answer.
    pub(crate) operation: Operation,
    /// A read that did not follow a sync; it may be stale, but may not go back.
    pub(crate) plain: bool,
    /// The transaction that made what the answer shows, if it shows a state.
    pub(crate) mzxid: Option<i64>,
}

impl Record {
    /// The same, held to what only a synced read promises.
    pub(crate) fn demand_fresh(mut self) -> Self {
        self.plain = false;
        self
    }

    /// The state that the answer shows, if it shows one.
    fn shown(&self) -> Option<State> {
        match (self.operation.answer, self.operation.action) {
            (Answer::Saw(state), _) => Some(state),
            (Answer::Written(version), Action::Write { value, .. }) => {
                Some(State { version, value })
            }
            _ => None,
        }
    }
}

/// Each session sees a register's versions and transactions only go forward, in the order of its
/// requests; its own writes among them.
///
/// # Errors
/// The first answer that goes back.
pub(crate) fn sessions_in_order(records: &[Record]) -> Result<()> {
    let mut by_time: Vec<&Record> = records.iter().collect();
    by_time.sort_by_key(|record| record.operation.invoked);
    let mut newest: BTreeMap<(usize, i64, usize), (i32, i64)> = BTreeMap::new();
    for record in by_time {
        let (Some(state), Some(mzxid)) = (record.shown(), record.mzxid) else {
            continue;
        };
        let session = (record.client, record.session, record.key);
        let seen = newest.entry(session).or_insert((state.version, mzxid));
        let now = (state.version, mzxid);
        if now.0 < seen.0 || now.1 < seen.1 {
            bail!("a session saw {seen:?}, then {now:?}, as version and mzxid: {record:?}");
        }
        *seen = now;
    }
    Ok(())
}

/// A transaction made one state of one register; later transactions made later versions.
///
/// # Errors
/// Two answers that contradict each other.
pub(crate) fn one_state_per_zxid(records: &[Record]) -> Result<()> {
    let mut made: BTreeMap<i64, (usize, State)> = BTreeMap::new();
    for record in records {
        let (Some(state), Some(mzxid)) = (record.shown(), record.mzxid) else {
            continue;
        };
        let known = *made.entry(mzxid).or_insert((record.key, state));
        // All registers of a round may be of one multi, but are not: each create has its zxid.
        ensure!(
            known == (record.key, state),
            "transaction {mzxid:#x} made {known:?} and {:?}",
            (record.key, state)
        );
    }
    let mut versions: BTreeMap<usize, i32> = BTreeMap::new();
    for (mzxid, (key, state)) in made {
        let last = versions.insert(key, state.version);
        ensure!(
            last.is_none_or(|last| last < state.version),
            "transaction {mzxid:#x} made version {} behind {last:?}",
            state.version
        );
    }
    Ok(())
}

/// The search of [`linear`] for each register; `reads` takes the synced reads in.
///
/// # Errors
/// The register for which there is no order.
pub(crate) fn linearizable(records: &[Record], keys: usize, reads: bool) -> Result<()> {
    let initial = State {
        version: 0,
        value: 0,
    };
    for key in 0..keys {
        let of_key = records.iter().filter(|record| record.key == key);
        let chosen = of_key.filter(|record| match record.operation.action {
            Action::Read => reads && !record.plain,
            Action::Write { .. } => true,
        });
        let operations: Vec<Operation> = chosen.map(|record| record.operation).collect();
        match linear::check(initial, &operations) {
            Verdict::Linearizable => {}
            Verdict::Impossible(stuck) => {
                let around = around(records, key, &stuck);
                bail!("register {key}: no order has a place for {stuck:?}; around it:\n{around}")
            }
            Verdict::Undecided => bail!("register {key}: the search became too long"),
        }
    }
    Ok(())
}

/// Most operations shown beside one that has no place.
const SHOWN: usize = 12;

fn around(records: &[Record], key: usize, stuck: &Operation) -> String {
    let mut near: Vec<&Record> = records.iter().filter(|record| record.key == key).collect();
    near.sort_by_key(|record| record.operation.invoked.abs_diff(stuck.invoked));
    near.truncate(SHOWN);
    near.sort_by_key(|record| record.operation.invoked);
    let lines = near.iter().map(|record| {
        let kind = if record.plain { " plain" } else { "" };
        format!("  client {}{kind} {:?}\n", record.client, record.operation)
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saw(client: usize, at: u64, version: i32, value: u64, mzxid: i64) -> Record {
        Record {
            client,
            session: 1,
            key: 0,
            operation: Operation {
                invoked: at,
                returned: at + 1,
                action: Action::Read,
                answer: Answer::Saw(State { version, value }),
            },
            plain: true,
            mzxid: Some(mzxid),
        }
    }

    #[test]
    fn a_session_that_goes_back_is_found() {
        let forward = vec![
            saw(1, 1, 1, 7, 10),
            saw(1, 3, 2, 8, 11),
            saw(2, 5, 1, 7, 10),
        ];
        assert!(sessions_in_order(&forward).is_ok());
        let back = vec![saw(1, 1, 2, 8, 11), saw(1, 3, 1, 7, 10)];
        assert!(sessions_in_order(&back).is_err());
    }

    #[test]
    fn a_transaction_with_two_states_is_found() {
        for (fine, records) in [
            (true, vec![saw(1, 1, 1, 7, 10), saw(2, 1, 1, 7, 10)]),
            (false, vec![saw(1, 1, 1, 7, 10), saw(2, 1, 1, 8, 10)]),
            (false, vec![saw(1, 1, 2, 7, 10), saw(2, 1, 1, 8, 11)]),
        ] {
            assert_eq!(one_state_per_zxid(&records).is_ok(), fine, "{records:?}");
        }
    }

    #[test]
    fn a_plain_read_may_be_stale_and_a_synced_one_may_not() {
        let written = Record {
            operation: Operation {
                invoked: 1,
                returned: 2,
                action: Action::Write {
                    value: 7,
                    expected: None,
                },
                answer: Answer::Written(1),
            },
            ..saw(1, 1, 0, 0, 10)
        };
        let mut stale = saw(2, 5, 0, 0, 9);
        assert!(linearizable(&[written.clone(), stale.clone()], 1, true).is_ok());
        stale.plain = false;
        assert!(linearizable(&[written.clone(), stale.clone()], 1, false).is_ok());
        assert!(linearizable(&[written, stale], 1, true).is_err());
    }
}
