//! The ways in which a leader brings a learner up: what the learner lacks, what it has too much,
//! or everything. Its log says which way was taken; all kinds use Apache's words.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::ensemble::cluster::{self, Ensemble};
use crate::ensemble::config::Plan;
use crate::ensemble::load::Load;
use crate::ensemble::member::Member;
use crate::ensemble::network::Kind as NetworkKind;
use crate::process::POLL;
use crate::server::{Launcher, Which};
use crate::wire::{create_body, op};

use super::{LIMIT, client_of, settled, write_some};

/// More than a leader keeps committed transactions in memory (`commitLogCount`).
const MANY: usize = 700;
/// What Apache's leader logs when it reads its log for a learner.
const FROM_DISK: &str = "Use txnlog and committedLog for peer sid";
/// Nodes that make a snapshot large, and what each holds.
const BULK_NODES: usize = 40;
const BULK_BYTES: usize = 100_000;
/// Trees sent under load.
const ROUNDS_UNDER_LOAD: usize = 4;
/// Transactions that only one server has.
const UNCOMMITTED: usize = 5;
/// What they carry, to be found in a log file.
const MARK: &str = "never-committed";
/// They must be in the leader's log within this time, before it notices that nobody answers.
const LOGGED_LIMIT: Duration = Duration::from_secs(4);

/// How a learner was synchronised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Diff,
    Trunc,
    Snap,
}

/// What a learner logs, Apache's or ours. (Not all that a leader of Apache's decides is logged.)
const WORDS: [(&str, How); 3] = [
    ("Getting a diff from the leader", How::Diff),
    ("Truncating log to get in sync", How::Trunc),
    ("Getting a snapshot from leader", How::Snap),
];

/// Ways that the lines of a learner's log speak of, in their order.
fn ways(log: &str) -> Vec<How> {
    let way = |line: &str| {
        let found = WORDS.iter().find(|(text, _)| line.contains(text));
        found.map(|(_, how)| *how)
    };
    log.lines().filter_map(way).collect()
}

/// Looks at what a learner logs from a moment on.
struct Watch {
    learner: u64,
    from: usize,
}

impl Watch {
    fn begin(ensemble: &Ensemble, learner: u64) -> Self {
        Self {
            learner,
            from: ensemble.member(learner).log().len(),
        }
    }

    /// The ways taken since the beginning.
    fn seen(&self, ensemble: &Ensemble) -> Vec<How> {
        let log = ensemble.member(self.learner).log();
        ways(log.get(self.from..).unwrap_or_default())
    }

    fn expect(&self, ensemble: &Ensemble, how: How) -> Result<()> {
        let seen = self.seen(ensemble);
        // On a machine under load it may lose its leader again, and then lacks little.
        ensure!(
            seen.first() == Some(&how) && seen.iter().all(|way| [how, How::Diff].contains(way)),
            "{how:?} was to be forced, the log tells of {seen:?}"
        );
        Ok(())
    }
}

/// Two voters of kind `a`, one of which leads: with equal histories the larger id does. The
/// learner is number 1.
fn plan(a: Which, b: Which) -> Plan {
    Plan::voters(&[b, a, a])
}

/// Number 1 is away while something happens.
fn away(
    ensemble: &mut Ensemble,
    meanwhile: impl FnOnce(&mut Ensemble, u64) -> Result<()>,
    how: How,
) -> Result<String> {
    let leader = ensemble.await_leader()?;
    ensure!(leader != 1, "number 1 leads");
    write_some(ensemble, 1, "/before", 20)?;
    ensemble.member_mut(1).stop()?;
    meanwhile(ensemble, leader)?;
    let watch = Watch::begin(ensemble, 1);
    ensemble.start(1)?;
    let figures = settled(ensemble)?;
    ensure!(ensemble.await_leader()? == leader, "the leader changed");
    watch.expect(ensemble, how)?;
    write_some(ensemble, 1, "/behind", 20)?;
    settled(ensemble)?;
    Ok(figures)
}

/// A short outage.
pub(super) fn diff(launcher: &Launcher, a: Which, b: Which) -> Result<String> {
    cluster::with(launcher, &plan(a, b), |ensemble| {
        let meanwhile = |ensemble: &mut Ensemble, leader| write_some(ensemble, leader, "/away", 60);
        away(ensemble, meanwhile, How::Diff)
    })
}

/// An outage of more than the leader has in memory, but little beside its snapshot: the leader
/// reads its log. Large nodes make the snapshot large, and a start of all servers makes it.
pub(super) fn diff_from_log(launcher: &Launcher, a: Which, b: Which) -> Result<String> {
    let plan = plan(a, b)
        .cfg("preAllocSize", 64)
        .property("zookeeper.commitLogCount", 500);
    cluster::with(launcher, &plan, |ensemble| {
        let mut client = client_of(ensemble, 2)?;
        let bulk = vec![b'x'; BULK_BYTES];
        for number in 0..BULK_NODES {
            client.ensure_node(&format!("/bulk-{number}"), &bulk, LIMIT)?;
        }
        let all = ensemble.running();
        for &id in &all {
            ensemble.member_mut(id).stop()?;
        }
        for &id in &all {
            ensemble.start(id)?;
        }
        ensemble.await_serving()?;
        make_leader(ensemble, 3)?;
        let meanwhile =
            |ensemble: &mut Ensemble, leader| write_some(ensemble, leader, "/away", MANY);
        let figures = away(ensemble, meanwhile, How::Diff)?;
        if a != Which::Ours {
            let log = ensemble.member(3).log();
            ensure!(log.contains(FROM_DISK), "the leader did not read its log");
        }
        Ok(format!("{figures}, {MANY} transactions missed"))
    })
}

/// The tree changes while it is sent.
pub(super) fn snap_under_load(launcher: &Launcher, a: Which, b: Which) -> Result<String> {
    let plan = plan(a, b).property("zookeeper.snapshotSizeFactor", -1);
    cluster::with(launcher, &plan, |ensemble| {
        let leader = ensemble.await_leader()?;
        ensure!(leader != 1, "number 1 leads");
        // As long as the leader has its whole history in memory, that is what it sends.
        write_some(ensemble, leader, "/before", MANY)?;
        let load = Load::start(&ensemble.addresses_without(1))?;
        let mut again = 0;
        for _ in 0..ROUNDS_UNDER_LOAD {
            ensemble.member_mut(1).stop()?;
            ensemble.member_mut(1).wipe()?;
            let watch = Watch::begin(ensemble, 1);
            ensemble.start(1)?;
            ensemble.await_serving()?;
            // A learner of 3.8.0 may stumble over what comes while it synchronises
            // (ZOOKEEPER-4394), and then begins again with what it has.
            let seen = watch.seen(ensemble);
            ensure!(
                seen.first() == Some(&How::Snap),
                "the log tells of {seen:?}"
            );
            again += seen.len() - 1;
        }
        let outcomes = load.finish();
        let figures = settled(ensemble)?;
        outcomes.verify(&ensemble.equal_trees()?)?;
        Ok(format!(
            "{ROUNDS_UNDER_LOAD} times, {again} more attempts, {} acknowledged writes meanwhile, {figures}",
            outcomes.acknowledged()
        ))
    })
}

/// The learner's disk is new.
pub(super) fn snap_empty(launcher: &Launcher, a: Which, b: Which) -> Result<String> {
    cluster::with(launcher, &snapshots_only(a, b), |ensemble| {
        let meanwhile = |ensemble: &mut Ensemble, leader| {
            write_some(ensemble, leader, "/away", MANY)?;
            ensemble.member_mut(1).wipe()
        };
        away(ensemble, meanwhile, How::Snap)
    })
}

/// Who lacks more than the leader has in memory gets a tree: it may read nothing from its log.
fn snapshots_only(a: Which, b: Which) -> Plan {
    plan(a, b)
        .cfg("snapCount", 100)
        .property("zookeeper.commitLogCount", 500)
        .property("zookeeper.snapshotSizeFactor", -1)
}

/// A long outage, and nothing may be read back from the log.
pub(super) fn snap_behind(launcher: &Launcher, a: Which, b: Which) -> Result<String> {
    cluster::with(launcher, &snapshots_only(a, b), |ensemble| {
        let meanwhile =
            |ensemble: &mut Ensemble, leader| write_some(ensemble, leader, "/away", MANY);
        away(ensemble, meanwhile, How::Snap)
    })
}

/// A leader of kind `b` logs what it can send to nobody, and dies; one of kind `a` takes over.
pub(super) fn trunc(launcher: &Launcher, a: Which, b: Which) -> Result<String> {
    let plan = Plan::voters(&[a, a, b])
        .over(NetworkKind::Proxies)
        .cfg("tickTime", 1000);
    cluster::with(launcher, &plan, |ensemble| {
        make_leader(ensemble, 3)?;
        write_some(ensemble, 1, "/before", 20)?;
        settled(ensemble)?;
        let mut client = client_of(ensemble, 3)?;
        ensemble.network().cut(3, 1)?;
        ensemble.network().cut(3, 2)?;
        for number in 0..UNCOMMITTED {
            let path = format!("/{MARK}-{number}");
            client.send_only(op::CREATE, &create_body(&path, MARK.as_bytes(), 0))?;
        }
        await_logged(ensemble.member(3))?;
        ensemble.member_mut(3).kill()?;
        // What was on its way to the followers is gone with the leader.
        ensemble.network().discard_and_heal()?;
        ensemble.await_serving()?;
        let leader = ensemble.await_leader()?;
        let watch = Watch::begin(ensemble, 3);
        ensemble.start(3)?;
        ensemble.await_serving()?;
        watch.expect(ensemble, How::Trunc)?;
        ensure!(ensemble.await_leader()? == leader, "the leader changed");
        let figures = settled(ensemble)?;
        let tree = ensemble.equal_trees()?;
        let back = tree.keys().find(|path| path.contains(MARK));
        ensure!(back.is_none(), "{back:?} was never committed");
        // Nor may it come back with a restart.
        ensemble.restart(3)?;
        write_some(ensemble, 3, "/behind", 20)?;
        settled(ensemble)?;
        let tree = ensemble.equal_trees()?;
        ensure!(
            !tree.keys().any(|path| path.contains(MARK)),
            "a truncated transaction is back after a restart"
        );
        Ok(format!("{figures}, {UNCOMMITTED} transactions taken back"))
    })
}

/// Servers of every kind in one ensemble of five: each kind leads, and each member misses
/// something once.
pub(super) fn all_kinds(launcher: &Launcher, a: Which, b: Which) -> Result<String> {
    let kinds = [a, b, Which::Apache380, Which::Apache395, Which::Ours];
    cluster::with(launcher, &Plan::voters(&kinds), |ensemble| {
        make_leader(ensemble, 5)?;
        for next in [4, 3] {
            // With equal histories the largest id leads; so nobody writes meanwhile.
            ensemble.await_synced()?;
            let leader = ensemble.await_leader()?;
            ensemble.member_mut(leader).stop()?;
            ensemble.await_serving()?;
            ensure!(ensemble.await_leader()? == next, "{next} does not lead");
            write_some(ensemble, 1, "/away", 60)?;
        }
        let load = Load::start(&ensemble.addresses())?;
        for id in [4, 5] {
            ensemble.start(id)?;
            ensemble.await_serving()?;
            ensemble.await_synced()?;
        }
        for id in [1, 2] {
            ensemble.member_mut(id).stop()?;
            write_some(ensemble, 5, "/away", 60)?;
            ensemble.start(id)?;
            ensemble.await_serving()?;
            ensemble.await_synced()?;
        }
        let outcomes = load.finish();
        let figures = settled(ensemble)?;
        let tree = ensemble.equal_trees()?;
        ensemble.equal_digests()?;
        outcomes.verify(&tree)?;
        ensure!(outcomes.sessions_lost() == 0, "sessions were lost");
        let led = [5, 4, 3].map(|id| ensemble.member(id).kind.name());
        Ok(format!(
            "led by {}; {} acknowledged writes, none lost, {figures}",
            led.join(", "),
            outcomes.acknowledged()
        ))
    })
}

/// Restarts leaders until `wanted` leads, which has the largest id.
pub(super) fn make_leader(ensemble: &mut Ensemble, wanted: u64) -> Result<()> {
    for _ in 0..5 {
        let leader = ensemble.await_leader()?;
        if leader == wanted {
            return Ok(());
        }
        ensemble.member_mut(leader).stop()?;
        ensemble.await_serving()?;
        ensemble.start(leader)?;
        ensemble.await_serving()?;
    }
    bail!("{wanted} does not lead")
}

fn await_logged(member: &Member) -> Result<()> {
    let deadline = Instant::now() + LOGGED_LIMIT;
    let last = format!("/{MARK}-{}", UNCOMMITTED - 1);
    while !logged(member, last.as_bytes())? {
        ensure!(Instant::now() < deadline, "the leader does not log {last}");
        std::thread::sleep(POLL);
    }
    Ok(())
}

fn logged(member: &Member, wanted: &[u8]) -> Result<bool> {
    for entry in std::fs::read_dir(member.data_dir().join("version-2"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("log.") {
            let bytes = std::fs::read(&path).with_context(|| format!("{}", path.display()))?;
            if bytes.windows(wanted.len()).any(|part| part == wanted) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_read_in_their_order() {
        let log = "x Getting a diff from the leader 0x100000002\ny\n\
                   Truncating log to get in sync with the leader 0x1\n\
                   Getting a snapshot from leader 0x5\n";
        assert_eq!(ways(log), [How::Diff, How::Trunc, How::Snap]);
        assert_eq!(ways("Sending DIFF zxid=0x1 for peer sid: 2\n"), []);
    }
}
