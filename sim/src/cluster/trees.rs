//! Whole trees: from a leader, to a learner, and the own snapshots.

use journal::{Outflow, SnapshotProgress};
use jute::Zxid;
use storage::layout::zxid_in_name;
use zab::{Entry, LeaderLink, LearnerLink};

use super::machine::{Incoming, is_down};
use super::{Cluster, Own};
use crate::checkers::committed_snapshots;
use crate::violation::Checked;
use crate::world::tell;

impl Cluster {
    /// A tree follows on the link to the leader.
    pub(super) fn begin_receiving(&mut self, at: usize, link: LeaderLink, zxid: Zxid) -> Checked {
        self.abandon_any_tree(at);
        let Some(process) = self.process(at) else {
            return Ok(());
        };
        let begun = process.journal.files().receive(zxid);
        if self.machines[at].is_down() {
            return self.disk_died(at, "receive a tree");
        }
        match begun {
            Ok(inflow) => {
                if let Some(process) = self.process(at) {
                    process.inflow = Some(Incoming {
                        link,
                        inflow,
                        complete: false,
                    });
                }
                Ok(())
            }
            Err(error) => self.disk_error(at, "receive a tree", &error),
        }
    }

    /// A link was left: what came on it is thrown away, unless it is installed already.
    pub(super) fn abandon_tree(&mut self, at: usize, link: LeaderLink) {
        let ours = |incoming: &Incoming| incoming.link == link;
        if self
            .process(at)
            .is_some_and(|process| process.inflow.as_ref().is_some_and(ours))
        {
            self.world.coverage.count("tree thrown away");
            self.abandon_any_tree(at);
        }
    }

    fn abandon_any_tree(&mut self, at: usize) {
        if let Some(process) = self.process(at)
            && let Some(incoming) = process.inflow.take()
        {
            incoming.inflow.abandon();
        }
    }

    /// Bytes of a tree came; returns how many of them belonged to it.
    pub(super) fn take_tree(
        &mut self,
        at: usize,
        link: LeaderLink,
        bytes: &[u8],
    ) -> Checked<Option<usize>> {
        let Some(process) = self.process(at) else {
            return Ok(None);
        };
        let Some(incoming) = &mut process.inflow else {
            return Ok(None);
        };
        let taken = incoming.inflow.take(bytes);
        if self.machines[at].is_down() {
            self.disk_died(at, "receive a tree")?;
            return Ok(None);
        }
        match taken {
            Ok(None) => Ok(Some(bytes.len())),
            Ok(Some(len)) => {
                if let Some(Incoming { complete, .. }) =
                    self.process(at).and_then(|process| process.inflow.as_mut())
                {
                    *complete = true;
                }
                tell!(self.world, "server {}: has received a tree", at + 1);
                self.peer_input(at, zab::Input::SnapshotReceived(link))?;
                Ok(Some(len))
            }
            Err(error) => {
                tell!(self.world, "server {}: a tree fails: {error}", at + 1);
                self.world.coverage.count("tree not stored");
                self.abandon_any_tree(at);
                self.hang_up_on_leader(at, link);
                self.peer_input(at, zab::Input::LeaderLost(link))?;
                Ok(None)
            }
        }
    }

    /// A committed entry belongs behind the tree that was received.
    pub(super) fn stage(&mut self, at: usize, entry: &Entry) -> Checked {
        let Some(incoming) = self.process(at).and_then(|process| process.inflow.as_mut()) else {
            return Ok(());
        };
        let staged = incoming.inflow.stage(entry);
        staged.expect("it was read before it was sent");
        if self.machines[at].is_down() {
            return self.disk_died(at, "store what follows a tree");
        }
        Ok(())
    }

    /// Starts to send a tree to a learner.
    pub(super) fn begin_tree(&mut self, at: usize, link: LearnerLink) {
        let Some(process) = self.process(at) else {
            return;
        };
        let outflow = Outflow::begin(&mut process.replica.write());
        process.outflows.insert(link, outflow);
        let after = self.world.rng.between(20..3000);
        self.own(at, after, Own::Tree(link));
    }

    pub(super) fn end_tree(&mut self, at: usize, link: LearnerLink) {
        if let Some(process) = self.process(at)
            && let Some(outflow) = process.outflows.remove(&link)
        {
            outflow.end(&mut process.replica.write());
        }
    }

    /// The next piece of a tree.
    pub(super) fn send_tree(&mut self, at: usize, link: LearnerLink) -> Checked {
        let nodes = self.settings.nodes_per_step;
        let Some(process) = self.process(at) else {
            return Ok(());
        };
        let Some(outflow) = process.outflows.get_mut(&link) else {
            return Ok(());
        };
        let mut piece = Vec::new();
        let done = outflow.piece(&process.replica.read(), nodes, &mut piece);
        self.send_down(link.0, &piece, 0);
        if !done {
            let after = self.world.rng.between(20..8000);
            self.own(at, after, Own::Tree(link));
            return Ok(());
        }
        self.end_tree(at, link);
        self.peer_input(at, zab::Input::SnapshotSent(link))
    }

    /// Enough was logged for a snapshot; only what is committed goes into it.
    pub(super) fn begin_snapshot(&mut self, at: usize) -> Checked {
        let machine = &mut self.machines[at];
        let Some(process) = &mut machine.process else {
            return Ok(());
        };
        if process.snapshot.is_some() || !process.serves {
            return Ok(());
        }
        let begun = process.journal.begin_snapshot();
        if is_down(&machine.disk) {
            return self.disk_died(at, "roll the log");
        }
        if let Err(error) = begun {
            return self.disk_error(at, "roll the log", &error);
        }
        process.reader.age();
        let files = process.journal.files().clone();
        process.snapshot = Some(files.begin_snapshot(&mut process.replica.write()));
        self.schedule(at);
        Ok(())
    }

    /// The own snapshot goes on.
    pub(super) fn write_snapshot(&mut self, at: usize) -> Checked {
        let nodes = self.settings.nodes_per_step;
        let machine = &mut self.machines[at];
        let Some(process) = &mut machine.process else {
            return Ok(());
        };
        process.snapshot_due = false;
        let Some(mut snapshot) = process.snapshot.take() else {
            return Ok(());
        };
        snapshot.copy(&process.replica.read(), nodes);
        let written = snapshot.write();
        if is_down(&machine.disk) {
            return self.disk_died(at, "write a snapshot");
        }
        let applied = process.replica.read().last_zxid().0;
        match written {
            Ok(SnapshotProgress::Going | SnapshotProgress::Waiting) => {
                process.snapshot = Some(snapshot);
                self.schedule(at);
                return Ok(());
            }
            Ok(SnapshotProgress::Done(path)) => {
                self.world.coverage.count("snapshot written");
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let zxid = zxid_in_name(&name, "snapshot").map_or(-1, |zxid| zxid.0);
                tell!(self.world, "server {}: has written {name}", at + 1);
                let (history, server) = (&self.world.history, at as u64 + 1);
                committed_snapshots::visible(history, &self.ledger, server, zxid, applied)?;
            }
            Ok(SnapshotProgress::Outdated) => self.world.coverage.count("snapshot outdated"),
            Err(error) => {
                self.world.coverage.count("snapshot given up");
                tell!(
                    self.world,
                    "server {}: gives a snapshot up: {error}",
                    at + 1
                );
            }
        }
        if let Some(process) = self.process(at) {
            snapshot.end(&mut process.replica.write());
        }
        self.schedule(at);
        Ok(())
    }
}
