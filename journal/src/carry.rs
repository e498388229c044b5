//! The one queue of writes.

use jute::Zxid;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use state::State;
use storage::StorageError;
use storage::epochs::{self, EpochFile};
use storage::log::writer::record_len;
use storage::truncate::{Outcome, truncate};
use zab::{Entry, Epoch, Input, Store, Ticket};

use crate::config::ConfigFiles;
use crate::files::Files;
use crate::log_end::LogEnd;
use crate::sink::StateSink;
use crate::tree::Inflow;

/// A member's disk: carries out [`zab::Io::Store`]s. One owner drives it, a thread in the
/// server.
pub struct Journal {
    pub(crate) files: Files,
    /// Gone after a failure.
    pub(crate) log: Option<LogEnd>,
    pub(crate) config: ConfigFiles,
    pub(crate) accepted: Epoch,
    pub(crate) current: Epoch,
    /// A truncation missed: nothing is carried out before the next barrier.
    pub(crate) void: bool,
    pub(crate) random: ChaCha8Rng,
}

/// A [`zab::Io::Store`].
pub struct Write {
    /// Its ticket.
    pub ticket: Ticket,
    /// What is to be done.
    pub store: Store,
    /// With [`Store::InstallSnapshot`], the tree that is to be installed. Boxed, as few writes have
    /// one.
    pub tree: Option<Box<Inflow>>,
}

impl Write {
    /// Anything but an installation.
    pub fn new(ticket: Ticket, store: Store) -> Self {
        Self {
            ticket,
            store,
            tree: None,
        }
    }
}

/// What became of some writes.
#[derive(Default)]
pub struct Carried {
    /// What the peer is to be told, in this order: [`Input::Stored`], [`Input::TruncateMissed`]
    /// and, at the end, [`Input::StoreFailed`].
    pub inputs: Vec<Input>,
    /// Behind a [`Store::InstallSnapshot`]: what is the state from now on. A leader may have sent a
    /// tree with effects of what it sent only later; but all of that before UPTODATE, so
    /// [`State::end_grace`] is due when the first [`zab::Effect::Deliver`] is done.
    pub installed: Option<State>,
    /// Enough was logged for a snapshot: when one may begin, [`Journal::begin_snapshot`]. Told
    /// again until then.
    pub snapshot_due: bool,
    /// What [`Input::StoreFailed`] stands for. The journal takes nothing more.
    pub failure: Option<Failure>,
}

/// A write that was not carried out.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Failure {
    /// Which one, or the first of some that are made durable together.
    pub ticket: Ticket,
    /// Why. [`StorageError::is_storage_full`]: there was no space for an entry that was not written
    /// yet, and what stands before it is fine; the member stops all the same (see the crate's
    /// documentation). Any other: the disk is to be distrusted.
    pub error: StorageError,
}

/// How far a call of [`Journal::carry_out`] has come.
#[derive(Default)]
struct Progress {
    /// Carried out and durable; not told yet.
    done: Option<Ticket>,
    /// The first and the last one of the entries that wait for a sync.
    appended: Option<(Ticket, Ticket)>,
}

impl Journal {
    /// Carries out writes in their order. Entries that follow each other are made durable by one
    /// sync, or by one for each [`storage::log::writer::COMMIT_BYTES_MAX`] bytes of them;
    /// everything else is durable before the next write begins.
    ///
    /// # Panics
    /// If the writes break an order that `zab` promises: an entry that does not follow the last
    /// one, an accepted epoch that shrinks, a current one that was not accepted, an installation
    /// without its tree.
    pub fn carry_out(&mut self, writes: impl IntoIterator<Item = Write>) -> Carried {
        let mut carried = Carried::default();
        let mut progress = Progress::default();
        let mut last = None;
        for write in writes {
            let ticket = write.ticket;
            last = Some(ticket);
            if let Err(error) = self.carry_one(write, &mut progress, &mut carried) {
                let ticket = progress.appended.map_or(ticket, |(first, _)| first);
                return self.fail(ticket, error, progress, carried);
            }
        }
        let Some(last) = last else { return carried };
        let ended = self.sync(&mut progress).and_then(|()| match &mut self.log {
            Some(log) => log.keep_ahead(),
            None => Ok(()),
        });
        if let Err(error) = ended {
            // Behind a sync that went well only what comes next is at stake; the member stops all
            // the same, and is told so by the last write that was asked for.
            let ticket = progress.appended.map_or(last, |(first, _)| first);
            progress.done = progress.done.filter(|done| *done != ticket);
            return self.fail(ticket, error, progress, carried);
        }
        carried.inputs.extend(progress.done.map(Input::Stored));
        carried.snapshot_due = self.log.as_ref().is_some_and(LogEnd::is_snapshot_due);
        carried
    }

    /// A snapshot begins, by [`Files::begin_snapshot`] with everything that was applied: the log
    /// starts a new file.
    ///
    /// # Errors
    /// The log takes nothing more.
    pub fn begin_snapshot(&mut self) -> Result<(), StorageError> {
        let random = [self.random.next_u64(), self.random.next_u64()];
        let Some(log) = &mut self.log else {
            return Ok(());
        };
        let begun = log.begin_snapshot(random);
        if begun.is_err() {
            self.log = None;
        }
        begun
    }

    /// The state up to `upto`, built again from the own snapshots and log ([`zab::Effect::Reload`],
    /// or after a digest mismatch).
    ///
    /// # Errors
    /// Damage; or no snapshot ends at or before it. The member can only get the tree from a leader
    /// then.
    pub fn reload(&self, upto: Zxid) -> Result<State, StorageError> {
        let settings = self.files.settings();
        let mut sink = StateSink::new(settings.state, self.files.seed());
        let disk = self.files.disk().as_ref();
        storage::recovery::reload(disk, &settings.layout, &settings.recovery, upto, &mut sink)?;
        Ok(sink.finish())
    }

    /// The files, for those who use them beside this.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// The log's end, to look at; `None` after a failure.
    pub fn log(&self) -> Option<&LogEnd> {
        self.log.as_ref()
    }

    fn carry_one(
        &mut self,
        write: Write,
        progress: &mut Progress,
        carried: &mut Carried,
    ) -> Result<(), StorageError> {
        let Write {
            ticket,
            store,
            tree,
        } = write;
        // After a failure nothing is written any more, whatever it is.
        self.alive()?;
        if self.void && !matches!(store, Store::Barrier) {
            // Entries would stand behind a hole.
            if let Some(tree) = tree {
                tree.abandon();
            }
            progress.done = Some(ticket);
            return Ok(());
        }
        if let Store::Append(entry) = &store {
            self.append(entry)?;
            let first = progress.appended.map_or(ticket, |(first, _)| first);
            progress.appended = Some((first, ticket));
            return Ok(());
        }
        self.sync(progress)?;
        match store {
            Store::Append(_) => unreachable!("done above"),
            Store::Truncate(zxid) => {
                if !self.truncate(zxid)? {
                    carried
                        .inputs
                        .extend(progress.done.take().map(Input::Stored));
                    carried.inputs.push(Input::TruncateMissed(ticket));
                    self.void = true;
                    return Ok(());
                }
            }
            Store::InstallSnapshot(zxid) => {
                let tree = tree.expect("what is installed comes with the write");
                carried.installed = Some(self.install(*tree, zxid)?);
            }
            Store::AcceptedEpoch(epoch) => {
                assert!(epoch > self.accepted, "acceptedEpoch only grows");
                self.save(EpochFile::Accepted, epoch)?;
                self.accepted = epoch;
            }
            Store::CurrentEpoch(epoch) => {
                assert!(
                    epoch >= self.current && epoch <= self.accepted,
                    "currentEpoch {epoch} after {}, accepted is {}",
                    self.current,
                    self.accepted
                );
                self.save(EpochFile::Current, epoch)?;
                self.current = epoch;
            }
            Store::CommittedConfig(config) => self.config.commit(&config)?,
            Store::LastSeenConfig(config) => self.config.see(&config)?,
            Store::Barrier => self.void = false,
        }
        progress.done = Some(ticket);
        Ok(())
    }

    fn append(&mut self, entry: &Entry) -> Result<(), StorageError> {
        self.assert_accepted(entry.zxid);
        let log = self.alive()?;
        let last = log.writer().last_zxid();
        let follows = match entry.zxid.epoch() == last.epoch() {
            true => entry.zxid.0 == last.0 + 1,
            false => entry.zxid.epoch() > last.epoch(),
        };
        assert!(follows, "{} does not follow {last}", entry.zxid);
        let bytes = record_len(entry.bytes.len());
        log.reserve(bytes)?;
        log.append(&entry.bytes)?;
        assert_eq!(log.writer().last_zxid(), entry.zxid, "it has its own zxid");
        Ok(())
    }

    /// A start refuses history of an epoch that was not accepted.
    fn assert_accepted(&self, zxid: Zxid) {
        let accepted = self.accepted;
        assert!(
            Epoch::of(zxid) <= accepted,
            "{zxid}, accepted is {accepted}"
        );
    }

    /// Makes the entries durable that were appended.
    fn sync(&mut self, progress: &mut Progress) -> Result<(), StorageError> {
        if let Some((_, last)) = progress.appended {
            let log = self.alive()?;
            log.sync()?;
            let (durable, end) = (log.writer().last_zxid(), log.writer().mark());
            self.files.synced(durable, end);
            progress.appended = None;
            progress.done = Some(last);
        }
        Ok(())
    }

    /// Whether the log ends with `zxid` now.
    fn truncate(&mut self, zxid: Zxid) -> Result<bool, StorageError> {
        let log = self.taken()?;
        let files = self.files.clone();
        let mut history = files.history();
        let settings = files.settings();
        let (log, cut) = log.replace(|writer| {
            let limits = settings.recovery.limits;
            let truncated = truncate(writer, &settings.layout, limits, zxid)?;
            Ok((truncated.log, truncated.outcome == Outcome::Cut))
        })?;
        if cut {
            files.begin_generation(&mut history);
            files.set_durable(zxid);
        }
        self.log = Some(log);
        Ok(cut)
    }

    fn install(&mut self, tree: Inflow, zxid: Zxid) -> Result<State, StorageError> {
        if self.accepted > Epoch::ZERO {
            self.assert_accepted(zxid);
        }
        let log = self.taken()?;
        let files = self.files.clone();
        let mut history = files.history();
        files.begin_generation(&mut history);
        let (log, state) = log.replace(|writer| tree.install(zxid, writer))?;
        files.set_durable(zxid);
        self.log = Some(log);
        Ok(state)
    }

    fn save(&self, which: EpochFile, epoch: Epoch) -> Result<(), StorageError> {
        let (disk, layout) = (self.files.disk().as_ref(), &self.files.settings().layout);
        epochs::save(disk, layout, which, epoch.0)
    }

    fn alive(&mut self) -> Result<&mut LogEnd, StorageError> {
        let dir = self.files.settings().layout.log_dir();
        self.log.as_mut().ok_or_else(|| StorageError::Poisoned {
            dir: dir.to_path_buf(),
        })
    }

    fn taken(&mut self) -> Result<LogEnd, StorageError> {
        self.alive()?;
        Ok(self.log.take().expect("it is alive"))
    }

    fn fail(
        &mut self,
        ticket: Ticket,
        error: StorageError,
        progress: Progress,
        mut carried: Carried,
    ) -> Carried {
        self.log = None;
        carried.inputs.extend(progress.done.map(Input::Stored));
        carried.inputs.push(Input::StoreFailed(ticket));
        carried.failure = Some(Failure { ticket, error });
        carried
    }
}
