//! Takes back the end of the history, as a leader asks for by TRUNC: what was logged and never
//! committed.
//!
//! # Order, and why
//!
//! When it is done nothing above the cut can be read again; after a crash in between a start must
//! find a prefix of the old history, never a gap, and never a transaction above one that is gone.
//!
//! 1. Nothing is changed before it is certain that the rest can be loaded: there is a snapshot that
//!    holds nothing above the cut, the log continues from it without a gap, and the cut is at a
//!    transaction that exists.
//! 2. **Snapshots that hold anything above the cut are removed first**, and their directory is
//!    synced. The log still has what they held, so a crash here loses nothing. The other way round
//!    a start would load such a snapshot, and with it what was cut off.
//! 3. Log files that begin above the cut are removed, the last one first, with a sync of the
//!    directory behind each: were an earlier one gone while a later one stayed, the history would
//!    have a gap.
//! 4. The file with the cut is shortened from its end, by at most one batch of records and one sync
//!    at a time. A crash between a cut and its sync may leave any of the cut-off sectors; within
//!    one batch a start takes that for an unfinished commit, and drops it (see `log/tail.rs`). No
//!    space is needed, so a full disk is no obstacle.
//!
//! The zab crate relies on it: once the ticket of the truncation is given back, the server may
//! vote, and acknowledge a new history, as if it had never seen what was cut off.

use std::path::{Path, PathBuf};

use jute::Zxid;
use jute::wire::Limits;

use crate::disk::{Disk, DiskFile};
use crate::error::{Rejected, StorageError};
use crate::layout::{Layout, files_with_prefix};
use crate::log::LogWriter;
use crate::log::reader::{Next, RecordReader};
use crate::log::replay::Replay;
use crate::log::writer::{COMMIT_BYTES_MAX, Dismantled};
use crate::snap::body::Discard;
use crate::snap::{SNAPSHOTS_TRIED_MAX, Trailer, candidates, load};

/// What became of a truncation.
pub struct Truncated {
    /// Continues the log behind what is left of it, in a new file.
    pub log: LogWriter,
    /// Whether and why not.
    pub outcome: Outcome,
}

/// Whether the history was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The cut is the last transaction now, durably. What the state holds above it must be
    /// forgotten.
    Cut,
    /// The history cannot be cut there, and nothing was changed: another way of synchronisation
    /// must be found.
    Impossible(String),
}

/// Removes every transaction above `cut`.
///
/// Nothing may wait for a commit in `log`. No snapshot may be under way: it could hold what is cut
/// off, and would appear after it.
pub fn truncate(
    log: LogWriter,
    layout: &Layout,
    limits: Limits,
    cut: Zxid,
) -> Result<Truncated, StorageError> {
    let Dismantled {
        disk,
        options,
        last_zxid,
    } = log.dismantle()?;
    let plan = plan(
        disk.as_ref(),
        layout,
        limits,
        options.entry_len_max,
        cut,
        last_zxid,
    )?;
    let (last_zxid, outcome) = match plan {
        Ok(plan) => {
            plan.run(disk.as_ref(), layout)?;
            (cut, Outcome::Cut)
        }
        Err(reason) => (last_zxid, Outcome::Impossible(reason)),
    };
    Ok(Truncated {
        log: LogWriter::new(disk, layout.log_dir(), options, last_zxid),
        outcome,
    })
}

/// The changes, in their order.
struct Plan {
    /// Snapshots that go.
    snapshots: Vec<PathBuf>,
    /// Log files that go or are cut, the last one first.
    logs: Vec<(PathBuf, LogChange)>,
}

enum LogChange {
    Remove,
    /// Shortens to each of these lengths in turn.
    Shorten(Vec<u64>),
}

/// Finds out whether the history can be cut; `Err` is the reason why not.
fn plan(
    disk: &dyn Disk,
    layout: &Layout,
    limits: Limits,
    entry_len_max: usize,
    cut: Zxid,
    last_zxid: Zxid,
) -> Result<Result<Plan, String>, StorageError> {
    if cut > last_zxid {
        return Ok(Err(format!("{cut} lies behind the end, {last_zxid}")));
    }
    let Some(base) = base_below(disk, layout, cut, |_, path| {
        load(disk, path, limits, &mut Discard)
    })?
    else {
        return Ok(Err(format!("no snapshot ends at or before {cut}")));
    };
    let files = files_with_prefix(disk, layout.log_dir(), "log")?;
    let mut found = base == cut;
    let replay = Replay {
        disk,
        dir: layout.log_dir(),
        files: &files,
        after: base,
        after_is: "the snapshot reaches up to it".to_owned(),
        require_first: true,
        entry_len_max,
    };
    let walked = replay.run(|zxid, _| {
        found |= zxid == cut;
        Ok::<_, Rejected>(())
    });
    match walked {
        Ok(walked) if !walked.repairs.is_empty() => {
            return Ok(Err("the log has an unfinished end".to_owned()));
        }
        Ok(_) if !found => return Ok(Err(format!("the log does not have {cut}"))),
        Ok(_) => {}
        Err(error @ StorageError::Io { .. }) => return Err(error),
        Err(error) => return Ok(Err(error.to_string())),
    }
    let snapshots = files_with_prefix(disk, layout.snap_dir(), "snapshot")?;
    let snapshots = snapshots.into_iter().filter(|(zxid, _)| *zxid > base);
    Ok(Ok(Plan {
        snapshots: snapshots
            .map(|(_, name)| layout.snap_dir().join(name))
            .collect(),
        logs: log_changes(disk, layout.log_dir(), &files, entry_len_max, base, cut)?,
    }))
}

/// The newest snapshot that can be loaded and holds nothing above `cut`.
///
/// A fuzzy snapshot holds more than its name says; how much more, its trailer does. One without a
/// trailer, of which that is not known, serves only if there is a newer one that is not above the
/// cut: snapshots are taken one at a time, so it ended before the newer one began.
pub(crate) fn base_below(
    disk: &dyn Disk,
    layout: &Layout,
    cut: Zxid,
    mut load: impl FnMut(Zxid, &Path) -> Result<Trailer, StorageError>,
) -> Result<Option<Zxid>, StorageError> {
    let mut ended_before_cut = false;
    for candidate in candidates(disk, layout.snap_dir(), SNAPSHOTS_TRIED_MAX)? {
        if candidate.zxid > cut {
            continue;
        }
        match load(candidate.zxid, &candidate.path) {
            Ok(trailer) => {
                let reach = reach(candidate.zxid, &trailer);
                if ended_before_cut || reach.is_some_and(|reach| reach <= cut) {
                    return Ok(Some(candidate.zxid));
                }
            }
            Err(StorageError::BadSnapshot { .. }) => {}
            Err(error) => return Err(error),
        }
        ended_before_cut = true;
    }
    Ok(None)
}

/// The last transaction that can have left a trace in a snapshot; `None` if it does not say.
fn reach(name: Zxid, trailer: &Trailer) -> Option<Zxid> {
    // Zxid 0 says that the digest was unknown.
    let digest = trailer.digest.map(|seal| seal.zxid);
    let digest = digest.filter(|zxid| *zxid != Zxid::ZERO || name == Zxid::ZERO);
    let last = digest.max(trailer.last_processed)?;
    Some(last.max(name))
}

/// What happens to the log files, the last one first.
///
/// Files are named after their first record, so those named above the cut go as a whole. Of the
/// others the last one has the cut, as a rule; but servers may log a part of the history a second
/// time after a restart, so that files overlap. Hence all files that a start would read are looked
/// at, and older ones as long as they reach above the cut.
fn log_changes(
    disk: &dyn Disk,
    dir: &Path,
    files: &[(Zxid, String)],
    entry_len_max: usize,
    base: Zxid,
    cut: Zxid,
) -> Result<Vec<(PathBuf, LogChange)>, StorageError> {
    let read_from = files.iter().rposition(|(zxid, _)| zxid.0 <= base.0 + 1);
    let mut changes = Vec::new();
    for (index, (zxid, name)) in files.iter().enumerate().rev() {
        let path = dir.join(name);
        if *zxid > cut {
            changes.push((path, LogChange::Remove));
            continue;
        }
        let file = disk.open(&path).map_err(StorageError::io("open", &path))?;
        let lens = shortened(file.as_ref(), entry_len_max, cut)
            .map_err(StorageError::io("read", &path))?;
        if !lens.is_empty() {
            changes.push((path, LogChange::Shorten(lens)));
        } else if read_from.is_none_or(|first| index < first) {
            break;
        }
    }
    Ok(changes)
}

/// The lengths by which a file is shortened to what is not above `cut`; none if nothing is.
fn shortened(file: &dyn DiskFile, entry_len_max: usize, cut: Zxid) -> std::io::Result<Vec<u64>> {
    let mut reader = RecordReader::new(file, entry_len_max);
    let mut lens: Vec<u64> = Vec::new();
    loop {
        match reader.next()? {
            Next::Record { offset, zxid, .. } => {
                let far = |last: &u64| offset - last >= COMMIT_BYTES_MAX as u64;
                let above = lens.is_empty() && Zxid(zxid) > cut;
                if above || lens.last().is_some_and(far) {
                    lens.push(offset);
                }
            }
            Next::Stop { offset, .. } => {
                // Behind the records are zeros, which can go at once.
                if !lens.is_empty() {
                    lens.push(offset);
                }
                lens.reverse();
                return Ok(lens);
            }
        }
    }
}

impl Plan {
    fn run(&self, disk: &dyn Disk, layout: &Layout) -> Result<(), StorageError> {
        for path in &self.snapshots {
            disk.remove(path)
                .map_err(StorageError::io("remove", path))?;
        }
        let sync = |dir| disk.sync_dir(dir).map_err(StorageError::io("sync", dir));
        sync(layout.snap_dir())?;
        for (path, change) in &self.logs {
            match change {
                LogChange::Remove => {
                    disk.remove(path)
                        .map_err(StorageError::io("remove", path))?;
                    sync(layout.log_dir())?;
                }
                LogChange::Shorten(lens) => {
                    let file = disk.open(path).map_err(StorageError::io("open", path))?;
                    for len in lens {
                        file.set_len(*len).map_err(StorageError::io("cut", path))?;
                        file.sync_data().map_err(StorageError::io("sync", path))?;
                    }
                }
            }
        }
        Ok(())
    }
}
