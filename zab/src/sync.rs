//! What a learner needs to get the leader's history: the decision of section "synchronisation"
//! of the protocol, as pure functions of zxids.

use jute::Zxid;

use crate::id::names_epoch;

/// The first packet of a synchronisation, and from where the history follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// DIFF: nothing is taken back; entries behind the learner's last one follow.
    Diff,
    /// TRUNC to this entry; those behind it follow.
    Trunc(Zxid),
    /// SNAP: a whole tree; then entries behind what it is known to contain.
    Snap,
    /// The entries needed are no longer in memory: the log on disk may have them, see [`from_log`].
    Log,
}

/// The leader's history in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recent {
    /// The entry before the first one in memory.
    pub base: Zxid,
    /// The last one that counts as committed.
    pub max: Zxid,
    /// The last entry in memory at or before the learner's last, if that is not before the base.
    pub floor: Option<Zxid>,
    /// The first entry in memory behind the learner's last.
    pub next: Option<Zxid>,
}

/// Decides from memory. `last` is the last entry of the learner, -1 if it has nothing to build on.
///
/// What is taken back was never committed: the leader was elected with the newest history of a
/// quorum, so it has everything that any quorum acknowledged.
pub fn plan(last: Zxid, recent: &Recent) -> Plan {
    if last == recent.max {
        return Plan::Diff;
    }
    if last > recent.max {
        // A former leader that proposed nothing calls its last zxid by the name of its epoch:
        // no entry, so nothing can be truncated to before it.
        return match names_epoch(last) {
            false => Plan::Trunc(recent.max),
            true => Plan::Snap,
        };
    }
    match (recent.floor, recent.next) {
        (Some(floor), Some(next)) if last >= recent.base => walk(last, floor, next),
        _ if last >= Zxid::ZERO => Plan::Log,
        _ => Plan::Snap,
    }
}

/// Decides from the log on disk: `floor` is its last entry at or before `last`, `next` the one
/// behind it.
pub fn from_log(last: Zxid, floor: Zxid, next: Zxid) -> Plan {
    walk(last, floor, next)
}

/// Where the learner's history leaves the leader's.
fn walk(last: Zxid, floor: Zxid, next: Zxid) -> Plan {
    assert!(floor <= last && last < next, "{floor} <= {last} < {next}");
    if floor == last || names_epoch(last) {
        // It is an entry of the leader's, or the beginning of an epoch that the leader's history
        // goes through.
        Plan::Diff
    } else if next.epoch() == last.epoch() {
        // The learner's tail belongs to an epoch that the leader knows: it forks behind `floor`.
        Plan::Trunc(floor)
    } else {
        // An epoch that the leader never heard of: where it forks is unknown.
        Plan::Snap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn z(epoch: i64, counter: i64) -> Zxid {
        Zxid((epoch << 32) + counter)
    }

    /// As the leader looks its history up: entries in memory behind `base`.
    fn recent(base: Zxid, entries: &[Zxid], last: Zxid) -> Recent {
        let known = || [base].into_iter().chain(entries.iter().copied());
        Recent {
            base,
            max: known().last().unwrap_or(base),
            floor: known().take_while(|zxid| *zxid <= last).last(),
            next: entries.iter().copied().find(|zxid| *zxid > last),
        }
    }

    #[test]
    fn every_row_from_memory() {
        let two_epochs = [z(1, 4), z(1, 5), z(3, 1), z(3, 2)];
        let base = z(1, 3);
        for (why, base, entries, last, expected) in [
            (
                "row 1: the same",
                base,
                &two_epochs[..],
                z(3, 2),
                Plan::Diff,
            ),
            (
                "row 1: the same, nothing in memory",
                z(1, 5),
                &[],
                z(1, 5),
                Plan::Diff,
            ),
            ("row 1: both empty", z(0, 0), &[], z(0, 0), Plan::Diff),
            (
                "row 2: ahead",
                base,
                &two_epochs,
                z(3, 7),
                Plan::Trunc(z(3, 2)),
            ),
            (
                "row 2: ahead in a dead epoch",
                base,
                &two_epochs,
                z(4, 1),
                Plan::Trunc(z(3, 2)),
            ),
            (
                "row 2: ahead, nothing in memory",
                z(1, 5),
                &[],
                z(1, 6),
                Plan::Trunc(z(1, 5)),
            ),
            ("row 3: an entry", base, &two_epochs, z(1, 4), Plan::Diff),
            (
                "row 3: the last of an epoch",
                base,
                &two_epochs,
                z(1, 5),
                Plan::Diff,
            ),
            (
                "row 3: the one before the first",
                base,
                &two_epochs,
                z(1, 3),
                Plan::Diff,
            ),
            (
                "row 3: the beginning of a known epoch",
                base,
                &two_epochs,
                z(3, 0),
                Plan::Diff,
            ),
            (
                "row 3: the beginning of a skipped epoch",
                base,
                &two_epochs,
                z(2, 0),
                Plan::Diff,
            ),
            (
                "row 3: a fork in an unknown epoch",
                base,
                &two_epochs,
                z(2, 3),
                Plan::Snap,
            ),
            (
                "row 3: a fork behind the end of an epoch",
                base,
                &two_epochs,
                z(1, 6),
                Plan::Snap,
            ),
            (
                "row 4: before memory",
                base,
                &two_epochs,
                z(1, 2),
                Plan::Log,
            ),
            ("row 4: empty", base, &two_epochs, z(0, 0), Plan::Log),
            (
                "row 5: ahead, the beginning of an epoch",
                base,
                &two_epochs,
                z(4, 0),
                Plan::Snap,
            ),
            (
                "row 5: nothing to build on",
                base,
                &two_epochs,
                Zxid(-1),
                Plan::Snap,
            ),
            (
                "row 5: nothing to build on, leader empty",
                z(0, 0),
                &[],
                Zxid(-1),
                Plan::Snap,
            ),
        ] {
            let recent = recent(base, entries, last);
            assert_eq!(plan(last, &recent), expected, "{why}: {recent:?}");
        }
        let gap = recent(z(3, 1), &[z(3, 2), z(3, 5)], z(3, 4));
        assert_eq!(
            plan(z(3, 4), &gap),
            Plan::Trunc(z(3, 2)),
            "a fork inside an epoch"
        );
    }

    #[test]
    fn from_the_log() {
        for (last, floor, next, expected) in [
            (z(1, 3), z(1, 3), z(1, 4), Plan::Diff),
            (z(1, 5), z(1, 5), z(3, 1), Plan::Diff),
            (z(2, 0), z(1, 5), z(3, 1), Plan::Diff),
            (z(1, 4), z(1, 3), z(1, 6), Plan::Trunc(z(1, 3))),
            (z(1, 9), z(1, 5), z(3, 1), Plan::Snap),
            (z(2, 2), z(1, 5), z(3, 1), Plan::Snap),
        ] {
            assert_eq!(
                from_log(last, floor, next),
                expected,
                "{last} {floor} {next}"
            );
        }
    }
}
