//! From whatever a crash left to a loaded state and a log that continues.
//!
//! The newest snapshot that loads, then every record behind it. Only when both are in is anything
//! on disk changed: unfinished tails are cut, so that they can never later stand in the middle of
//! the history, and leftovers of writers are removed.

use std::path::Path;
use std::sync::Arc;

use jute::Zxid;
use jute::wire::Limits;

use crate::adopt::recover_adoption;
use crate::disk::Disk;
use crate::error::{Rejected, StorageError};
use crate::layout::{
    Layout, NEXT_LOG, RECEIVED_LOG, UNFINISHED_LOG, UNFINISHED_SNAPSHOT, files_with_prefix,
};
use crate::log::replay::{Replay, Replayed, files_behind};
use crate::log::{LogOptions, LogWriter};
use crate::snap::{Candidate, SNAPSHOTS_TRIED_MAX, SnapshotSink, Trailer, candidates, load};
use crate::truncate::base_below;

/// What a start may do and assume.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// `zookeeper.datadir.autocreate`: make missing directories.
    pub datadir_autocreate: bool,
    /// `zookeeper.db.autocreate`: an empty directory is an empty database even without the
    /// `initialize` marker.
    pub db_autocreate: bool,
    /// `zookeeper.snapshot.trust.empty`: replay the log from nothing when there is no snapshot.
    pub trust_empty_snapshot: bool,
    /// Bounds on snapshot records.
    pub limits: Limits,
    /// The log's settings, for reading and for the writer that is returned.
    pub log: LogOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            datadir_autocreate: true,
            db_autocreate: true,
            trust_empty_snapshot: false,
            limits: Limits::default(),
            log: LogOptions::default(),
        }
    }
}

/// Takes the recovered state.
pub trait RecoverySink: SnapshotSink {
    /// Forgets everything taken so far: another snapshot is tried.
    fn reset(&mut self);

    /// The snapshot `zxid` has been handed over completely.
    fn snapshot_done(&mut self, zxid: Zxid, trailer: Trailer) -> Result<(), Rejected>;

    /// A logged transaction, in zxid order; its effect may be in the snapshot already.
    fn entry(&mut self, zxid: Zxid, bytes: &[u8]) -> Result<(), Rejected>;
}

/// What the state was built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// A snapshot and the log behind it.
    Snapshot {
        /// The zxid in its name.
        zxid: Zxid,
        /// Its trailer.
        trailer: Trailer,
    },
    /// The log alone, by `snapshot.trust.empty`. The caller should take a snapshot soon.
    LogOnly,
    /// Nothing was there and an empty database is wanted. The caller must write its empty tree as
    /// snapshot 0.
    Empty,
    /// Nothing was there and an empty database is not wanted: the last zxid is -1, and nothing may
    /// be written before a sync.
    Blank,
}

/// A finished recovery.
pub struct Recovered {
    /// The last zxid in the state; -1 for [`Start::Blank`].
    pub last_zxid: Zxid,
    /// What the state was built from.
    pub start: Start,
    /// How many transactions were replayed.
    pub entries: u64,
    /// Continues the log in a new file.
    pub log: LogWriter,
    /// What an operator should know.
    pub warnings: Vec<String>,
}

/// Loads the newest state from `layout` into `sink`.
///
/// Nothing is changed on disk unless all of it succeeds, except that missing directories are made
/// and that the replacement by a received snapshot, decided before a crash, is completed (see
/// [`crate::adopt`]).
pub fn open<S: RecoverySink>(
    disk: Arc<dyn Disk>,
    layout: &Layout,
    options: &Options,
    sink: &mut S,
) -> Result<Recovered, StorageError> {
    layout.prepare(disk.as_ref(), options.datadir_autocreate)?;
    let adopted = recover_adoption(
        disk.as_ref(),
        layout,
        options.limits,
        options.log.entry_len_max,
    )?;
    let mut warnings = Vec::new();
    let files = files_with_prefix(disk.as_ref(), layout.log_dir(), "log")?;
    let loaded = load_newest(disk.as_ref(), layout, options, &files, sink, &mut warnings)?;
    let replay = Replay {
        disk: disk.as_ref(),
        dir: layout.log_dir(),
        files: &files,
        after: loaded.as_ref().map_or(Zxid::ZERO, |(zxid, _)| *zxid),
        after_is: match warnings.first() {
            Some(newer) => format!("the snapshot reaches up to it; {newer}"),
            None => "the snapshot reaches up to it".to_owned(),
        },
        require_first: loaded.is_some(),
        entry_len_max: options.log.entry_len_max,
    };
    let start = match loaded {
        Some((zxid, trailer)) => Start::Snapshot { zxid, trailer },
        None => start_without_snapshot(disk.as_ref(), layout, options, &replay)?,
    };
    let replayed = replay.run(|zxid, bytes| sink.entry(zxid, bytes))?;
    tidy(disk.as_ref(), layout, &replayed)?;
    let last_zxid = match start {
        Start::Blank => Zxid(-1),
        _ => replayed.last_zxid.unwrap_or(replay.after),
    };
    warnings.extend(adopted.map(|zxid| {
        format!(
            "a snapshot received from a leader, up to zxid {:#x}, replaced everything else, as was decided before the crash",
            zxid.0
        )
    }));
    warnings.extend(replayed.warnings);
    let log = LogWriter::new(Arc::clone(&disk), layout.log_dir(), options.log, last_zxid);
    Ok(Recovered {
        last_zxid,
        start,
        entries: replayed.entries,
        log,
        warnings,
    })
}

/// Loads the state up to `upto` once more, from files that a [`LogWriter`] goes on with; changes
/// nothing. Nothing may wait for a commit, and nobody may append or remove meanwhile.
///
/// # Errors
/// As [`open`], and when every snapshot that loads holds more than that.
pub fn reload<S: RecoverySink>(
    disk: &dyn Disk,
    layout: &Layout,
    options: &Options,
    upto: Zxid,
    sink: &mut S,
) -> Result<(), StorageError> {
    let mut newest_error = None;
    let base = base_below(disk, layout, upto, |zxid, path| {
        sink.reset();
        let loaded = load_into(disk, zxid, path, options.limits, sink);
        if let Err(error) = &loaded {
            newest_error.get_or_insert_with(|| error.to_string());
        }
        loaded
    })?;
    let Some(after) = base else {
        return Err(StorageError::NothingBelow {
            dir: layout.snap_dir().to_path_buf(),
            upto: upto.0,
            why: newest_error.map_or_else(String::new, |error| format!("; {error}")),
        });
    };
    let files = files_with_prefix(disk, layout.log_dir(), "log")?;
    let replay = Replay {
        disk,
        dir: layout.log_dir(),
        files: &files,
        after,
        after_is: "the snapshot reaches up to it".to_owned(),
        require_first: true,
        entry_len_max: options.log.entry_len_max,
    };
    replay.run(|zxid, bytes| match zxid > upto {
        true => Ok(()),
        false => sink.entry(zxid, bytes),
    })?;
    Ok(())
}

fn load_into<S: RecoverySink>(
    disk: &dyn Disk,
    zxid: Zxid,
    path: &Path,
    limits: Limits,
    sink: &mut S,
) -> Result<Trailer, StorageError> {
    let trailer = load(disk, path, limits, sink)?;
    let bad = |reason: Rejected| StorageError::BadSnapshot {
        path: path.to_path_buf(),
        offset: 0,
        found: reason.0,
    };
    sink.snapshot_done(zxid, trailer).map_err(bad)?;
    Ok(trailer)
}

fn load_newest<S: RecoverySink>(
    disk: &dyn Disk,
    layout: &Layout,
    options: &Options,
    logs: &[(Zxid, String)],
    sink: &mut S,
    warnings: &mut Vec<String>,
) -> Result<Option<(Zxid, Trailer)>, StorageError> {
    let candidates = candidates(disk, layout.snap_dir(), SNAPSHOTS_TRIED_MAX)?;
    let mut newest_error = None;
    for Candidate { zxid, path } in &candidates {
        sink.reset();
        // The log was written past the page cache. It comes from the disk while the snapshot is
        // loaded.
        let behind = files_behind(logs, *zxid).iter();
        let behind = behind.map(|(_, name)| layout.log_dir().join(name));
        disk.read_ahead(behind.collect());
        match load_into(disk, *zxid, path, options.limits, sink) {
            Ok(trailer) => return Ok(Some((*zxid, trailer))),
            Err(error) => {
                warnings.push(format!("an older snapshot is taken: {error}"));
                newest_error.get_or_insert(error);
            }
        }
    }
    sink.reset();
    match newest_error {
        None => Ok(None),
        Some(newest) => Err(StorageError::NoUsableSnapshot {
            dir: layout.snap_dir().to_path_buf(),
            count: candidates.len(),
            newest: Box::new(newest),
        }),
    }
}

fn start_without_snapshot(
    disk: &dyn Disk,
    layout: &Layout,
    options: &Options,
    replay: &Replay<'_>,
) -> Result<Start, StorageError> {
    if replay.has_records()? {
        if options.trust_empty_snapshot {
            return Ok(Start::LogOnly);
        }
        return Err(StorageError::LogWithoutSnapshot {
            snap_dir: layout.snap_dir().to_path_buf(),
            log_dir: layout.log_dir().to_path_buf(),
        });
    }
    refuse_damaged_snapshots(disk, layout)?;
    let marker = layout.initialize();
    let marked = disk
        .exists(&marker)
        .map_err(StorageError::io("look at", &marker))?;
    Ok(if marked || options.db_autocreate {
        Start::Empty
    } else {
        Start::Blank
    })
}

/// A file with the name of a snapshot that does not even look like one was one before it was
/// damaged: the data that it held must not silently become an empty database.
fn refuse_damaged_snapshots(disk: &dyn Disk, layout: &Layout) -> Result<(), StorageError> {
    for (_, name) in files_with_prefix(disk, layout.snap_dir(), "snapshot")? {
        let path = layout.snap_dir().join(name);
        let size = disk
            .size(&path)
            .map_err(StorageError::io("look at", &path))?;
        if size > 0 {
            return Err(StorageError::BadSnapshot {
                path,
                offset: 0,
                found: "it is damaged or unfinished, and there is nothing else to start from"
                    .to_owned(),
            });
        }
    }
    Ok(())
}

/// Changes the disk at last: before this, every start sees the same.
fn tidy(disk: &dyn Disk, layout: &Layout, replayed: &Replayed) -> Result<(), StorageError> {
    for repair in &replayed.repairs {
        repair.run(disk)?;
    }
    // A killed process leaves records that can be read but are not durable yet. From now on they
    // are history: clients will be told of them, and later records will build on them.
    for path in &replayed.used {
        let file = disk.open(path).map_err(StorageError::io("open", path))?;
        file.sync_data().map_err(StorageError::io("sync", path))?;
    }
    let leftovers = [
        (layout.log_dir(), NEXT_LOG),
        (layout.log_dir(), UNFINISHED_LOG),
        (layout.log_dir(), RECEIVED_LOG),
        (layout.snap_dir(), UNFINISHED_SNAPSHOT),
    ];
    for (dir, prefix) in leftovers {
        let names = disk.list(dir).map_err(StorageError::io("list", dir))?;
        for name in names.into_iter().filter(|name| name.starts_with(prefix)) {
            let path = dir.join(name);
            disk.remove(&path)
                .map_err(StorageError::io("remove", &path))?;
        }
        // What holds for records holds for names.
        disk.sync_dir(dir).map_err(StorageError::io("sync", dir))?;
    }
    Ok(())
}

/// Removes the `initialize` marker, once the empty database it allowed is durable (or it turned out
/// not to be needed).
pub fn remove_initialize(disk: &dyn Disk, layout: &Layout) -> Result<(), StorageError> {
    let marker = layout.initialize();
    match disk.remove(&marker) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(StorageError::io("remove", &marker))?,
    }
    // Were it back after a power failure, it would allow another empty database in the place of a
    // lost one.
    let dir = marker.parent().expect("it is in a directory");
    disk.sync_dir(dir).map_err(StorageError::io("sync", dir))
}
