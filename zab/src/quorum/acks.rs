//! Up to where each server has the history on stable storage.

use std::collections::BTreeMap;

use jute::Zxid;

use crate::ServerId;

/// The highest acknowledged zxid of each server.
///
/// On the wire an ACK names one proposal. It may be counted for everything before that too:
/// a server acknowledges in the order of its log, and only when the record *and all before
/// it* are durable.
#[derive(Clone, Debug, Default)]
pub struct Acks(BTreeMap<ServerId, Zxid>);

impl Acks {
    /// Takes an acknowledgement; an older one than the last changes nothing.
    pub fn record(&mut self, server: ServerId, zxid: Zxid) {
        let acked = self.0.entry(server).or_insert(zxid);
        *acked = zxid.max(*acked);
    }

    /// Forgets a server: its connection is gone, and what it acknowledges next depends on how it
    /// synchronises.
    pub fn forget(&mut self, server: ServerId) {
        self.0.remove(&server);
    }

    /// Whether the server has everything up to `zxid`.
    pub fn has(&self, server: ServerId, zxid: Zxid) -> bool {
        self.0.get(&server).is_some_and(|acked| *acked >= zxid)
    }

    /// What the server acknowledged last.
    pub fn of(&self, server: ServerId) -> Option<Zxid> {
        self.0.get(&server).copied()
    }
}
