//! What must hold whatever happens: section "invariants" of the protocol's specifications.

use std::collections::BTreeMap;

use jute::Zxid;
use zab::{Entry, Epoch, ServerId};

/// Everything that was ever proposed, delivered and established.
#[derive(Default)]
pub(crate) struct Checker {
    broadcast: BTreeMap<Zxid, (ServerId, Entry)>,
    established: BTreeMap<Epoch, ServerId>,
    /// The one history: what any server delivered.
    pub(crate) delivered: Vec<Entry>,
    pub(crate) violations: Vec<String>,
}

impl Checker {
    fn violated(&mut self, name: &str, what: String) {
        self.violations.push(format!("{name}: {what}"));
    }

    pub(crate) fn on_propose(&mut self, server: ServerId, entry: &Entry) {
        let proposal = (server, entry.clone());
        if let Some((other, _)) = self.broadcast.insert(entry.zxid, proposal) {
            let zxid = entry.zxid;
            self.violated(
                "PrimaryOrder",
                format!("{zxid} proposed by {other} and {server}"),
            );
        }
    }

    /// A leader is established. Leadership1 (at any time) follows from Leadership2 (over all time).
    pub(crate) fn on_established(&mut self, server: ServerId, epoch: Epoch, history: &[Entry]) {
        if let Some(other) = self.established.insert(epoch, server) {
            self.violated(
                "Leadership2",
                format!("{epoch} led by {other} and {server}"),
            );
        }
        let older = self
            .delivered
            .iter()
            .filter(|entry| entry.zxid.epoch() < epoch.0);
        let older: Vec<_> = older.cloned().collect();
        if !history.starts_with(&older) {
            self.violated(
                "PrimaryIntegrity",
                format!("leader {server} of epoch {epoch} lacks what was delivered before"),
            );
        }
    }

    /// A server has delivered all of `tree`.
    pub(crate) fn on_delivered(&mut self, server: ServerId, tree: &[Entry]) {
        for pair in tree.windows(2) {
            if pair[0].zxid >= pair[1].zxid {
                let (a, b) = (pair[0].zxid, pair[1].zxid);
                self.violated(
                    "GlobalPrimaryOrder",
                    format!("{server} delivered {a} before {b}"),
                );
            }
        }
        let common = tree.len().min(self.delivered.len());
        if tree[..common] != self.delivered[..common] {
            let at = (0..common).find(|i| tree[*i] != self.delivered[*i]);
            let at = at.unwrap_or_default();
            let (own, other) = (tree[at].zxid, self.delivered[at].zxid);
            self.violated(
                "TotalOrder",
                format!("at {at} {server} delivered {own}, others {other}"),
            );
        }
        for entry in &tree[common..] {
            let known = self.broadcast.get(&entry.zxid).map(|(_, known)| known);
            if known != Some(entry) {
                self.violated("Integrity", format!("{} was never proposed", entry.zxid));
            }
            self.delivered.push(entry.clone());
        }
        // LocalPrimaryOrder: the entries of an epoch are delivered without one left out.
        for pair in tree.windows(2) {
            let (a, b) = (pair[0].zxid, pair[1].zxid);
            let follows = a.epoch() == b.epoch() && b.0 == a.0 + 1;
            let begins = a.epoch() < b.epoch() && b.counter() == 1;
            if !(follows || begins) {
                self.violated(
                    "LocalPrimaryOrder",
                    format!("{server} delivered {b} after {a}"),
                );
            }
        }
    }

    /// What any server delivered is on the disks of a quorum.
    pub(crate) fn check_durable(&mut self, voters: usize, holders: impl Fn(Zxid) -> usize) {
        if let Some(last) = self.delivered.last().map(|entry| entry.zxid) {
            let copies = holders(last);
            if copies <= voters / 2 {
                self.violated(
                    "Durability",
                    format!("{last} is on {copies} disks of {voters}"),
                );
            }
        }
    }
}
