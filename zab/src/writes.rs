//! What is on its way to the disk, and what has arrived.

use std::collections::VecDeque;

use jute::Zxid;

use crate::Epoch;
use crate::effect::{Effects, Io, Store};

/// Stands for one [`Store`] until it is durable. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// A [`Store`] that has become durable, as the roles see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Append(Zxid),
    Truncate(Zxid),
    Snapshot(Zxid),
    AcceptedEpoch(Epoch),
    CurrentEpoch(Epoch),
    Config,
    Barrier(Ticket),
    /// It was not carried out.
    Void,
}

/// The queue of writes and the part of the disk's content that decisions depend on.
///
/// The disk is changed by nothing but this, in one order. So what is durable is always a
/// prefix of what was asked for, and each value here is that of the disk after a crash now.
#[derive(Clone, Debug)]
pub(crate) struct Writes {
    issued: u64,
    pending: VecDeque<(Ticket, Stored, usize)>,
    pending_bytes: usize,
    log_end: Zxid,
    accepted_epoch: Epoch,
    current_epoch: Epoch,
}

impl Writes {
    pub(crate) fn new(log_end: Zxid, accepted_epoch: Epoch, current_epoch: Epoch) -> Self {
        assert!(
            accepted_epoch >= current_epoch,
            "acceptedEpoch {accepted_epoch} is below currentEpoch {current_epoch}"
        );
        Self {
            issued: 0,
            pending: VecDeque::new(),
            pending_bytes: 0,
            log_end,
            accepted_epoch,
            current_epoch,
        }
    }

    pub(crate) fn issue(&mut self, store: Store, out: &mut Effects) -> Ticket {
        self.issued += 1;
        let ticket = Ticket(self.issued);
        let (stored, bytes) = match &store {
            Store::Append(entry) => (Stored::Append(entry.zxid), entry.bytes.len()),
            Store::Truncate(zxid) => (Stored::Truncate(*zxid), 0),
            Store::InstallSnapshot(zxid) => (Stored::Snapshot(*zxid), 0),
            Store::AcceptedEpoch(epoch) => (Stored::AcceptedEpoch(*epoch), 0),
            Store::CurrentEpoch(epoch) => (Stored::CurrentEpoch(*epoch), 0),
            Store::CommittedConfig(_) | Store::LastSeenConfig(_) => (Stored::Config, 0),
            Store::Barrier => (Stored::Barrier(ticket), 0),
        };
        self.pending.push_back((ticket, stored, bytes));
        self.pending_bytes += bytes;
        out.push(Io::Store(ticket, store));
        ticket
    }

    /// The next write that `through` reports as durable.
    pub(crate) fn complete_next(&mut self, through: Ticket) -> Option<Stored> {
        assert!(through.0 <= self.issued, "{through:?} was never given out");
        let (ticket, stored, bytes) = *self.pending.front()?;
        if ticket > through {
            return None;
        }
        self.pending.pop_front();
        self.pending_bytes -= bytes;
        match stored {
            Stored::Append(zxid) => {
                assert!(zxid > self.log_end, "{zxid} stored behind {}", self.log_end);
                self.log_end = zxid;
            }
            Stored::Truncate(zxid) | Stored::Snapshot(zxid) => self.log_end = zxid,
            Stored::AcceptedEpoch(epoch) => {
                assert!(epoch > self.accepted_epoch, "acceptedEpoch only grows");
                self.accepted_epoch = epoch;
            }
            Stored::CurrentEpoch(epoch) => {
                assert!(epoch >= self.current_epoch, "currentEpoch never shrinks");
                assert!(epoch <= self.accepted_epoch, "promised before adopted");
                self.current_epoch = epoch;
            }
            Stored::Config | Stored::Barrier(_) | Stored::Void => {}
        }
        Some(stored)
    }

    /// What is under way is not carried out: it was meant for a log that a truncation did not leave
    /// behind.
    pub(crate) fn void_pending(&mut self) {
        for (_, stored, _) in &mut self.pending {
            *stored = Stored::Void;
        }
    }

    /// Bytes of entries that are not durable yet.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// The last durable entry.
    pub(crate) fn log_end(&self) -> Zxid {
        self.log_end
    }

    pub(crate) fn accepted_epoch(&self) -> Epoch {
        self.accepted_epoch
    }

    pub(crate) fn current_epoch(&self) -> Epoch {
        self.current_epoch
    }
}
