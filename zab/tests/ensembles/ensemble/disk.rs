//! The disk of one server: an image that survives crashes, one that includes what is still on
//! its way, and the queue between them.

use std::collections::VecDeque;

use jute::Zxid;
use zab::quorum::Config;
use zab::{Entry, Epoch, Recovered, Standing, Store, Ticket};

/// Everything on a disk.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// Snapshot and log as one sequence.
    pub(crate) history: Vec<Entry>,
    /// So many entries of it are in the snapshot alone.
    pub(crate) in_snapshot: usize,
    /// The snapshot's zxid; may name an epoch.
    pub(crate) snapshot: Zxid,
    pub(crate) accepted: Epoch,
    pub(crate) current: Epoch,
    pub(crate) committed_config: Config,
    pub(crate) last_seen_config: Option<Config>,
}

impl Image {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            history: Vec::new(),
            in_snapshot: 0,
            snapshot: Zxid::ZERO,
            accepted: Epoch::ZERO,
            current: Epoch::ZERO,
            committed_config: config,
            last_seen_config: None,
        }
    }

    pub(crate) fn last(&self) -> Zxid {
        let last = self.history.last().map_or(Zxid::ZERO, |entry| entry.zxid);
        last.max(self.snapshot)
    }

    pub(crate) fn has(&self, zxid: Zxid) -> bool {
        self.history.iter().any(|entry| entry.zxid == zxid)
    }

    /// Whether what was asked for was found.
    fn apply(&mut self, op: &Op) -> bool {
        match &op.store {
            Store::Append(entry) => self.history.push(entry.clone()),
            Store::Truncate(zxid) => {
                let found = *zxid == Zxid::ZERO || *zxid == self.snapshot || self.has(*zxid);
                self.history.retain(|entry| entry.zxid <= *zxid);
                self.in_snapshot = self.in_snapshot.min(self.history.len());
                self.snapshot = self.snapshot.min(*zxid);
                return found;
            }
            Store::InstallSnapshot(zxid) => {
                self.history = op.staged.clone().expect("a snapshot was received");
                self.in_snapshot = self.history.len();
                self.snapshot = *zxid;
            }
            Store::AcceptedEpoch(epoch) => self.accepted = *epoch,
            Store::CurrentEpoch(epoch) => self.current = *epoch,
            Store::CommittedConfig(config) => self.committed_config = config.clone(),
            Store::LastSeenConfig(config) => self.last_seen_config = Some(config.clone()),
            Store::Barrier => {}
        }
        true
    }
}

#[derive(Clone, Debug)]
struct Op {
    ticket: Ticket,
    store: Store,
    staged: Option<Vec<Entry>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) durable: Image,
    /// As the server itself reads it.
    pub(crate) visible: Image,
    queue: VecDeque<Op>,
    /// A truncation missed: nothing is carried out before the next barrier.
    void: bool,
}

/// A completed write.
pub(crate) struct Completed {
    pub(crate) ticket: Ticket,
    pub(crate) store: Store,
    pub(crate) found: bool,
}

impl Disk {
    pub(crate) fn new(config: Config) -> Self {
        let durable = Image::new(config);
        let visible = durable.clone();
        Self {
            durable,
            visible,
            queue: VecDeque::new(),
            void: false,
        }
    }

    pub(crate) fn issue(&mut self, ticket: Ticket, store: Store, staged: Option<Vec<Entry>>) {
        let op = Op {
            ticket,
            store,
            staged,
        };
        self.visible.apply(&op);
        self.queue.push_back(op);
    }

    pub(crate) fn pending(&self) -> usize {
        self.queue.len()
    }

    /// The next write reaches the disk.
    pub(crate) fn complete(&mut self) -> Option<Completed> {
        let op = self.queue.pop_front()?;
        if let Store::Barrier = op.store
            && self.void
        {
            self.void = false;
            self.visible = self.durable.clone();
            for later in &self.queue {
                self.visible.apply(later);
            }
        }
        let found = self.void || self.durable.apply(&op);
        self.void |= !found;
        Some(Completed {
            ticket: op.ticket,
            store: op.store,
            found,
        })
    }

    /// The server dies when `more` of the writes under way have reached the disk, unreported.
    pub(crate) fn crash(&mut self, more: usize) {
        for _ in 0..more {
            self.complete();
        }
        self.queue.clear();
        self.void = false;
        self.visible = self.durable.clone();
    }

    /// An operator writes files of a server that is down.
    pub(crate) fn edit(&mut self, change: impl Fn(&mut Image)) {
        change(&mut self.durable);
        change(&mut self.visible);
    }

    /// All is lost.
    pub(crate) fn wipe(&mut self) {
        let config = self.durable.committed_config.clone();
        *self = Self::new(config);
    }

    pub(crate) fn recover(&self, standing: Standing, recent: usize) -> Recovered {
        let image = &self.durable;
        let log = &image.history[image.in_snapshot..];
        Recovered {
            last_zxid: image.last(),
            recent: log[log.len().saturating_sub(recent)..].to_vec(),
            accepted_epoch: image.accepted,
            current_epoch: image.current,
            committed_config: image.committed_config.clone(),
            last_seen_config: image.last_seen_config.clone(),
            standing,
        }
    }
}
