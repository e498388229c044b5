//! Reads the log from a given transaction on, a bounded piece at a time, while others append to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jute::Zxid;

use crate::disk::{Disk, DiskFile};
use crate::error::StorageError;
use crate::layout::{Layout, files_with_prefix, log_name};
use crate::log::format::{HEADER, Stop};
use crate::log::holds::{LogHold, LogHolds};
use crate::log::marks::LogMark;
use crate::log::reader::{Head, Next, RecordReader, read_head};

/// So much more than a step wants is read, in bytes: most records that begin within a step end
/// within that.
const BEYOND_STEP: usize = 4 << 10;

/// A place in the log, from which records are handed out in their order.
///
/// Holds no more of a file in memory than one record and one window of reading.
pub struct LogCursor {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    snap_dir: PathBuf,
    entry_len_max: usize,
    hold: LogHold,
    /// The name's zxid, the path and the content of the file that is read.
    segment: (Zxid, PathBuf, Box<dyn DiskFile>),
    /// Where the next record starts.
    offset: u64,
    /// The first zxid wanted.
    from: Zxid,
    /// The last record passed.
    previous: Option<Zxid>,
    /// The last record at or before `from`.
    floor: Zxid,
}

/// Where a step of a [`LogCursor`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CursorStep {
    /// There is more.
    More,
    /// The bound was reached; a later step with a higher one goes on.
    CaughtUp,
}

/// Why a piece of a file is no longer.
enum PieceEnd {
    /// It is long enough, or the next record is not known to be whole.
    Bytes,
    /// The next record lies above the bound.
    Bound,
    /// There are no more records in the file.
    File(Stop),
}

impl LogCursor {
    /// Starts at the first record that is not below `from`. `None` if the log does not reach back
    /// to `from`: transactions between it and the first record may have been removed.
    ///
    /// From now on no file that is still needed is purged. `mark` is a place before `from`
    /// ([`LogMarks::before`](super::LogMarks::before)), which is looked for from there: without
    /// one, from the start of a file.
    pub fn open(
        disk: Arc<dyn Disk>,
        layout: &Layout,
        entry_len_max: usize,
        holds: &LogHolds,
        from: Zxid,
        mark: Option<LogMark>,
    ) -> Result<Option<Self>, StorageError> {
        let Some(hold) = holds.hold(from) else {
            return Ok(None);
        };
        let files = files_with_prefix(disk.as_ref(), layout.log_dir(), "log")?;
        let Some(first) = files.into_iter().rfind(|(zxid, _)| *zxid <= from) else {
            return Ok(None);
        };
        let Some(mut cursor) = Self::at(disk, layout, entry_len_max, (hold, from), first)? else {
            return Ok(None);
        };
        if let Some(mark) = mark.filter(|mark| mark.file == cursor.segment.0 && mark.behind < from)
        {
            cursor.offset = mark.offset;
            cursor.previous = Some(mark.behind);
            cursor.floor = mark.behind;
            return Ok(Some(cursor));
        }
        // The name alone proves nothing.
        let (_, path, file) = &cursor.segment;
        let first = HEADER.len() as u64;
        let mut reader = RecordReader::at(file.as_ref(), entry_len_max, first, BEYOND_STEP);
        match reader.next().map_err(StorageError::io("read", path))? {
            Next::Record { zxid, .. } if Zxid(zxid) <= from => cursor.floor = Zxid(zxid),
            _ => return Ok(None),
        }
        Ok(Some(cursor))
    }

    /// Starts at the first record of a log that lies behind `base` as a whole. `None` if
    /// transactions between the two may have been removed, or stand in no log of this server.
    ///
    /// A tree that came from a leader has no log that reaches back to it, and the transactions
    /// behind it may be of a later epoch. But whatever snapshot is there, the log behind it is
    /// complete: [`purge`](crate::purge) removes snapshots first, and none of what is claimed
    /// before they are looked at.
    pub fn open_behind_snapshot(
        disk: Arc<dyn Disk>,
        layout: &Layout,
        entry_len_max: usize,
        holds: &LogHolds,
        base: Zxid,
    ) -> Result<Option<Self>, StorageError> {
        let from = Zxid(base.0.saturating_add(1));
        let Some(hold) = holds.hold(from) else {
            return Ok(None);
        };
        let snapshots = files_with_prefix(disk.as_ref(), layout.snap_dir(), "snapshot")?;
        let logs = files_with_prefix(disk.as_ref(), layout.log_dir(), "log")?;
        let reaches_back = snapshots.first().is_some_and(|(zxid, _)| *zxid <= base);
        let Some(first) = logs.into_iter().next() else {
            return Ok(None);
        };
        if !reaches_back || first.0 <= base {
            return Ok(None);
        }
        let cursor = Self::at(disk, layout, entry_len_max, (hold, from), first)?;
        Ok(cursor.map(|cursor| Self {
            previous: Some(base),
            floor: base,
            ..cursor
        }))
    }

    /// At the start of the file of this name and its zxid, for one who wants, and holds, what
    /// begins with `from`. `None` if it is no log.
    fn at(
        disk: Arc<dyn Disk>,
        layout: &Layout,
        entry_len_max: usize,
        (hold, from): (LogHold, Zxid),
        (zxid, name): (Zxid, String),
    ) -> Result<Option<Self>, StorageError> {
        let dir = layout.log_dir().to_path_buf();
        let path = dir.join(name);
        let Some(file) = open_good(disk.as_ref(), &path)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            disk,
            dir,
            snap_dir: layout.snap_dir().to_path_buf(),
            entry_len_max,
            hold,
            segment: (zxid, path, file),
            offset: HEADER.len() as u64,
            from,
            previous: None,
            floor: Zxid::ZERO,
        }))
    }

    /// Hands out records up to the zxid `until`, until about `bytes_max` bytes of the log are
    /// passed. At least one record is, so that every step gets on.
    ///
    /// All records up to `until`, which is that of a record, must be in the log, written and
    /// synced. What stands behind it may be half written and is not looked at.
    ///
    /// # Errors
    /// A gap, or a record that cannot be read, before `until`. The reader must be synchronised in
    /// another way.
    pub fn step(
        &mut self,
        until: Zxid,
        bytes_max: u64,
        mut deliver: impl FnMut(Zxid, &[u8]),
    ) -> Result<CursorStep, StorageError> {
        let mut passed = 0;
        while passed < bytes_max.max(1) {
            if self.previous.unwrap_or(Zxid(self.from.0 - 1)) >= until {
                return Ok(CursorStep::CaughtUp);
            }
            let left = bytes_max.max(1) - passed;
            let start = self.offset;
            let end = self.records(until, left, &mut deliver)?;
            passed += self.offset - start;
            match end {
                PieceEnd::Bytes => {}
                PieceEnd::Bound => return Ok(CursorStep::CaughtUp),
                PieceEnd::File(stop) => self.next_segment(stop)?,
            }
        }
        Ok(CursorStep::More)
    }

    /// The last record at or before the first zxid that was wanted, as far as the steps have come.
    pub fn floor(&self) -> Zxid {
        self.floor
    }

    /// The lowest zxid that is not below `from` and has not been handed out.
    pub fn next_wanted(&self) -> Zxid {
        match self.previous {
            Some(previous) if previous >= self.from => Zxid(previous.0 + 1),
            _ => self.from,
        }
    }

    /// The size of the files behind the one that is read, in bytes; see
    /// [`SizeFactor`](super::SizeFactor).
    pub fn further_len(&self) -> Result<u64, StorageError> {
        let mut sum = 0;
        for (zxid, name) in files_with_prefix(self.disk.as_ref(), &self.dir, "log")? {
            if zxid > self.segment.0 {
                let path = self.dir.join(name);
                sum += self
                    .disk
                    .size(&path)
                    .map_err(StorageError::io("look at", &path))?;
            }
        }
        Ok(sum)
    }

    /// Hands out records of the current file.
    fn records(
        &mut self,
        until: Zxid,
        bytes_max: u64,
        deliver: &mut impl FnMut(Zxid, &[u8]),
    ) -> Result<PieceEnd, StorageError> {
        let (_, path, file) = &self.segment;
        // What is read beyond the step is read again in the next one, from the disk: see
        // `open_good`.
        let chunk_len = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let chunk_len = chunk_len.saturating_add(BEYOND_STEP);
        let mut reader =
            RecordReader::at(file.as_ref(), self.entry_len_max, self.offset, chunk_len);
        let start = self.offset;
        loop {
            match reader.next().map_err(StorageError::io("read", path))? {
                Next::Stop { offset, stop } => {
                    self.offset = offset;
                    self.hold.advance(self.next_wanted());
                    return Ok(PieceEnd::File(stop));
                }
                Next::Record {
                    offset,
                    zxid,
                    entry,
                } => {
                    let zxid = Zxid(zxid);
                    if zxid > until {
                        self.hold.advance(self.next_wanted());
                        return Ok(PieceEnd::Bound);
                    }
                    if self.previous.is_none_or(|previous| zxid > previous) {
                        check_follows(self.previous, zxid, self.from, path, offset)?;
                        if let Some(previous) = self.previous {
                            self.check_epochs(previous, zxid, path, offset)?;
                        }
                        if zxid >= self.from {
                            deliver(zxid, entry);
                        }
                        if zxid <= self.from {
                            self.floor = zxid;
                        }
                        self.previous = Some(zxid);
                    }
                    self.offset = offset + super::writer::record_len(entry.len());
                    if zxid == until || self.offset - start >= bytes_max {
                        self.hold.advance(self.next_wanted());
                        return Ok(PieceEnd::Bytes);
                    }
                }
            }
        }
    }

    /// A higher epoch follows whatever came before it, but a server of Apache's that was sent a
    /// tree keeps its older log: what it missed lies between that log and the tree's snapshot, and
    /// the epoch hides it.
    fn check_epochs(
        &self,
        previous: Zxid,
        zxid: Zxid,
        path: &Path,
        offset: u64,
    ) -> Result<(), StorageError> {
        if zxid.epoch() == previous.epoch() {
            return Ok(());
        }
        let snapshots = files_with_prefix(self.disk.as_ref(), &self.snap_dir, "snapshot")?;
        let between = |snapshot: &Zxid| previous < *snapshot && *snapshot < zxid;
        let Some((_, name)) = snapshots.into_iter().find(|(at, _)| between(at)) else {
            return Ok(());
        };
        Err(StorageError::Hole {
            path: path.to_path_buf(),
            offset,
            previous: previous.0,
            found: zxid.0,
            context: format!("read for a learner; {name} may have come without what led to it"),
        })
    }

    /// Goes on with the file behind the current one, which ended before everything wanted was
    /// found.
    fn next_segment(&mut self, stop: Stop) -> Result<(), StorageError> {
        let (current, path, _) = &self.segment;
        let damaged = |found: String| StorageError::DamagedLog {
            path: path.clone(),
            offset: self.offset,
            found,
        };
        if let Stop::BadChecksum { .. } | Stop::BadLength(_) = stop {
            return Err(damaged(stop.describe()));
        }
        let files = files_with_prefix(self.disk.as_ref(), &self.dir, "log")?;
        let next = files.into_iter().find(|(zxid, _)| zxid > current);
        let (zxid, name) = next.ok_or_else(|| {
            damaged(format!(
                "{}, but the transactions behind it are not in a later file such as {}",
                stop.describe(),
                log_name(self.next_wanted())
            ))
        })?;
        let path = self.dir.join(name);
        let Some(file) = open_good(self.disk.as_ref(), &path)? else {
            return Err(StorageError::DamagedLog {
                path,
                offset: 0,
                found: "it does not start as a transaction log".to_owned(),
            });
        };
        self.segment = (zxid, path, file);
        self.offset = HEADER.len() as u64;
        Ok(())
    }
}

/// The file, if it starts as a log.
///
/// The log is written past the page cache, so that it is read from the disk, and it is read while
/// commits wait for that disk: a piece read ahead of some megabytes would delay each of them by
/// milliseconds.
fn open_good(disk: &dyn Disk, path: &Path) -> Result<Option<Box<dyn DiskFile>>, StorageError> {
    let file = disk.open(path).map_err(StorageError::io("open", path))?;
    file.do_not_read_ahead();
    let head = read_head(file.as_ref()).map_err(StorageError::io("read", path))?;
    Ok((head == Head::Good).then_some(file))
}

/// A record must follow the one before it as in a replay: the next zxid, or a higher epoch. The
/// first one must not be above the first one wanted.
fn check_follows(
    previous: Option<Zxid>,
    zxid: Zxid,
    from: Zxid,
    path: &Path,
    offset: u64,
) -> Result<(), StorageError> {
    let (follows, previous) = match previous {
        None => (zxid <= from, from),
        Some(previous) => (
            zxid.0 == previous.0 + 1 || zxid.epoch() > previous.epoch(),
            previous,
        ),
    };
    if follows {
        return Ok(());
    }
    Err(StorageError::Hole {
        path: path.to_path_buf(),
        offset,
        previous: previous.0,
        found: zxid.0,
        context: "read for a learner".to_owned(),
    })
}
