//! Walks the history behind a snapshot over all log files, and notes what has to be tidied up
//! afterwards.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use jute::Zxid;

use crate::disk::{Disk, DiskFile};
use crate::error::{Rejected, StorageError};
use crate::log::format::{HEADER, Stop, checksum};
use crate::log::reader::{Head, Next, RecordReader, read_head};
use crate::log::tail::{Tail, judge};

/// How many of the last records are remembered, to recognise copies. A learner may log the
/// transactions of a sync a second time.
const RECENT_RECORDS_MAX: usize = 65_536;

/// What to walk.
pub(crate) struct Replay<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) dir: &'a Path,
    /// All log files, oldest first.
    pub(crate) files: &'a [(Zxid, String)],
    /// Records up to here are in the snapshot.
    pub(crate) after: Zxid,
    /// What says so, for messages.
    pub(crate) after_is: String,
    /// Whether the first record must continue from `after`. Not so when there is no snapshot and
    /// that is trusted.
    pub(crate) require_first: bool,
    pub(crate) entry_len_max: usize,
}

/// What the walk found.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    /// The last record's zxid, if any is newer than the snapshot.
    pub(crate) last_zxid: Option<Zxid>,
    pub(crate) entries: u64,
    /// What to do before the next append.
    pub(crate) repairs: Vec<Repair>,
    pub(crate) warnings: Vec<String>,
    /// Files whose records were used.
    pub(crate) used: Vec<PathBuf>,
}

/// A change that makes an unfinished end harmless.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Repair {
    /// Cut the file behind its last record.
    Truncate { path: PathBuf, len: u64 },
    /// Remove a file that has not even a header.
    Remove { path: PathBuf },
}

/// An unfinished tail that is fine as long as no later file has a record.
struct OpenTail {
    path: PathBuf,
    offset: u64,
    stop: Stop,
}

struct Walk<'a, F> {
    replay: &'a Replay<'a>,
    deliver: F,
    previous: Zxid,
    /// The cut-off file that ended with `previous`, for messages.
    cut_before: Option<String>,
    check_next: bool,
    recent: VecDeque<(Zxid, u32)>,
    open_tail: Option<OpenTail>,
    result: Replayed,
}

/// Those of all log `files`, oldest first, that may hold records newer than `after`.
pub(crate) fn files_behind(files: &[(Zxid, String)], after: Zxid) -> &[(Zxid, String)] {
    let first_wanted = Zxid(after.0.saturating_add(1));
    let start = files.iter().rposition(|(zxid, _)| *zxid <= first_wanted);
    &files[start.unwrap_or_default()..]
}

impl Replay<'_> {
    /// Hands every record newer than `after` to `deliver`, in order.
    ///
    /// Each must follow its predecessor: the next zxid, or a higher epoch. A tail that a crash left
    /// is accepted in the last file that has records; in older ones only if the history goes on
    /// without a gap.
    pub(crate) fn run<F>(&self, deliver: F) -> Result<Replayed, StorageError>
    where
        F: FnMut(Zxid, &[u8]) -> Result<(), Rejected>,
    {
        let mut walk = Walk {
            replay: self,
            deliver,
            previous: self.after,
            cut_before: None,
            check_next: self.require_first,
            recent: VecDeque::new(),
            open_tail: None,
            result: Replayed::default(),
        };
        for (_, name) in files_behind(self.files, self.after) {
            walk.file(&self.dir.join(name))?;
        }
        if let Some(tail) = walk.open_tail {
            walk.result.warnings.push(format!(
                "log file {} ends with an unfinished record at offset {} ({}); it was never acknowledged and is cut off",
                tail.path.display(),
                tail.offset,
                tail.stop.describe()
            ));
            walk.result.repairs.push(Repair::Truncate {
                path: tail.path,
                len: tail.offset,
            });
        }
        Ok(walk.result)
    }

    /// Whether any file has a record.
    pub(crate) fn has_records(&self) -> Result<bool, StorageError> {
        for (_, name) in self.files {
            let path = self.dir.join(name);
            let file = self
                .disk
                .open(&path)
                .map_err(StorageError::io("open", &path))?;
            if read_head(file.as_ref()).map_err(StorageError::io("read", &path))? != Head::Good {
                continue;
            }
            let mut reader = RecordReader::new(file.as_ref(), self.entry_len_max);
            // Bytes that are no record count too: an empty database must not be built beside them.
            let empty = match reader.next().map_err(StorageError::io("read", &path))? {
                Next::Record { .. } => false,
                Next::Stop { offset, stop } => {
                    let tail = judge(file.as_ref(), offset, stop, self.entry_len_max);
                    !matches!(
                        tail.map_err(StorageError::io("read", &path))?,
                        Tail::Damaged(_)
                    )
                }
            };
            if !empty {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl<F> Walk<'_, F>
where
    F: FnMut(Zxid, &[u8]) -> Result<(), Rejected>,
{
    fn file(&mut self, path: &Path) -> Result<(), StorageError> {
        let file = self
            .replay
            .disk
            .open(path)
            .map_err(StorageError::io("open", path))?;
        match read_head(file.as_ref()).map_err(StorageError::io("read", path))? {
            Head::Good => {
                self.result.used.push(path.to_path_buf());
                self.records(path, file.as_ref())
            }
            Head::Unfinished => {
                self.result.warnings.push(format!(
                    "log file {} has no complete header, so it never held a record; it is removed",
                    path.display()
                ));
                self.result.repairs.push(Repair::Remove {
                    path: path.to_path_buf(),
                });
                Ok(())
            }
            Head::Foreign => Err(StorageError::DamagedLog {
                path: path.to_path_buf(),
                offset: 0,
                found: "the file does not start as a transaction log (ZKLG)".to_owned(),
            }),
        }
    }

    fn records(&mut self, path: &Path, file: &dyn DiskFile) -> Result<(), StorageError> {
        let mut reader = RecordReader::new(file, self.replay.entry_len_max);
        let (offset, stop) = loop {
            match reader.next().map_err(StorageError::io("read", path))? {
                Next::Record {
                    offset,
                    zxid,
                    entry,
                } => self.record(path, offset, Zxid(zxid), entry)?,
                Next::Stop { offset, stop } => break (offset, stop),
            }
        };
        assert!(
            offset >= HEADER.len() as u64,
            "records start behind the header"
        );
        match judge(file, offset, stop, self.replay.entry_len_max)
            .map_err(StorageError::io("read", path))?
        {
            Tail::Clean => Ok(()),
            Tail::Unfinished => {
                if let Some(older) = self.open_tail.replace(OpenTail {
                    path: path.to_path_buf(),
                    offset,
                    stop,
                }) {
                    // Both files belong to the same lost batch; both are cut.
                    self.result.repairs.push(Repair::Truncate {
                        path: older.path,
                        len: older.offset,
                    });
                }
                Ok(())
            }
            Tail::Damaged(found) => Err(StorageError::DamagedLog {
                path: path.to_path_buf(),
                offset,
                found,
            }),
        }
    }

    fn record(
        &mut self,
        path: &Path,
        offset: u64,
        zxid: Zxid,
        entry: &[u8],
    ) -> Result<(), StorageError> {
        self.close_open_tail()?;
        if zxid <= self.replay.after {
            return Ok(());
        }
        let sum = checksum(entry);
        if self.check_next {
            if zxid <= self.previous {
                return self.copy_of_earlier(path, offset, zxid, sum);
            }
            if zxid.0 != self.previous.0 + 1 && zxid.epoch() <= self.previous.epoch() {
                return Err(StorageError::Hole {
                    path: path.to_path_buf(),
                    offset,
                    previous: self.previous.0,
                    found: zxid.0,
                    context: self.before(),
                });
            }
        }
        (self.deliver)(zxid, entry).map_err(|reason| StorageError::RejectedEntry {
            path: path.to_path_buf(),
            offset,
            zxid: zxid.0,
            reason,
        })?;
        self.cut_before = None;
        self.check_next = true;
        self.previous = zxid;
        if self.recent.len() == RECENT_RECORDS_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back((zxid, sum));
        self.result.entries += 1;
        self.result.last_zxid = Some(zxid);
        Ok(())
    }

    /// The file with the open tail turned out not to be the last one with records.
    fn close_open_tail(&mut self) -> Result<(), StorageError> {
        let Some(tail) = self.open_tail.take() else {
            return Ok(());
        };
        // Apache steps over a tail without end mark and reuses its zxid in the next file, so the
        // order of the zxids decides. It does not step over a wrong checksum or length, and neither
        // did we leave one behind: such tails are cut off at the next start.
        if let Stop::BadChecksum { .. } | Stop::BadLength(_) = tail.stop {
            let found = format!("{}, and later files have records", tail.stop.describe());
            return Err(StorageError::DamagedLog {
                path: tail.path,
                offset: tail.offset,
                found,
            });
        }
        self.cut_before = Some(format!(
            "log file {} ends before it at offset {} with {}",
            tail.path.display(),
            tail.offset,
            tail.stop.describe()
        ));
        Ok(())
    }

    /// What stands before a gap.
    fn before(&self) -> String {
        match &self.cut_before {
            Some(cut) => cut.clone(),
            None if self.result.entries == 0 => self.replay.after_is.clone(),
            None => "the log itself has both".to_owned(),
        }
    }

    fn copy_of_earlier(
        &mut self,
        path: &Path,
        offset: u64,
        zxid: Zxid,
        sum: u32,
    ) -> Result<(), StorageError> {
        let known = self.recent.binary_search_by_key(&zxid, |(zxid, _)| *zxid);
        if known.is_ok_and(|index| self.recent[index].1 == sum) {
            self.result.warnings.push(format!(
                "log file {} repeats zxid {:#x} at offset {offset}; the copy is skipped",
                path.display(),
                zxid.0
            ));
            return Ok(());
        }
        Err(StorageError::OutOfOrder {
            path: path.to_path_buf(),
            offset,
            previous: self.previous.0,
            found: zxid.0,
        })
    }
}

impl Repair {
    /// Carries the change out and makes it durable.
    pub(crate) fn run(&self, disk: &dyn Disk) -> Result<(), StorageError> {
        match self {
            Self::Truncate { path, len } => {
                let file = disk.open(path).map_err(StorageError::io("open", path))?;
                file.set_len(*len).map_err(StorageError::io("cut", path))?;
                file.sync_data().map_err(StorageError::io("sync", path))
            }
            Self::Remove { path } => disk.remove(path).map_err(StorageError::io("remove", path)),
        }
    }
}
