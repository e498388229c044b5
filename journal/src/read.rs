//! Pieces of the log for learners.

use bytes::Bytes;
use jute::Zxid;
use storage::StorageError;
use storage::log::LogCursor;
use storage::snap::candidates;
use zab::{Entry, LogRead};

use crate::entry::entry_of;
use crate::files::Files;

/// Places in the log that are kept for the reads that follow: each saves a walk from the start of a
/// file. More learners than this catch up more slowly.
const PLACES_MAX: usize = 16;

/// Reads the log for [`zab::Io::ReadLog`].
///
/// What a learner may still want is not purged while a place is kept for it; so places that nobody
/// uses are given up: the least recently used one for another, those not used between two calls of
/// [`LogReader::age`], and all at the end of a role ([`LogReader::release`]).
pub struct LogReader {
    files: Files,
    generation: u64,
    places: Vec<Place>,
}

/// Where one read ended and the next one will begin.
struct Place {
    after: Zxid,
    cursor: LogCursor,
    used: bool,
}

impl LogReader {
    pub(crate) fn new(files: Files) -> Self {
        let generation = files.history().generation;
        Self {
            files,
            generation,
            places: Vec::new(),
        }
    }

    /// The transactions behind `after`, up to `through` or to what is durable here, and not many
    /// more than `bytes_max` bytes of them. `opening` reads must find a transaction at or before
    /// `after`, and are refused if a snapshot is cheaper (`snapshotSizeFactor`).
    ///
    /// [`LogRead::Unavailable`] stands for everything that keeps the log from serving: it does not
    /// reach back so far, is purged, or cannot be read. The learner gets a snapshot then. The
    /// error, if there was one, comes with it for the operator.
    pub fn read(
        &mut self,
        after: Zxid,
        through: Zxid,
        bytes_max: usize,
        opening: bool,
    ) -> (LogRead, Option<StorageError>) {
        match self.try_read(after, through, bytes_max, opening) {
            Ok(Some((floor, entries))) => (LogRead::Entries { floor, entries }, None),
            Ok(None) => (LogRead::Unavailable, None),
            Err(error) => (LogRead::Unavailable, Some(error)),
        }
    }

    /// Gives up all places.
    pub fn release(&mut self) {
        self.places.clear();
    }

    /// Gives up the places that were not used since the last call. To be called now and then, as
    /// when a snapshot begins.
    pub fn age(&mut self) {
        self.places
            .retain_mut(|place| std::mem::take(&mut place.used));
    }

    fn try_read(
        &mut self,
        after: Zxid,
        through: Zxid,
        bytes_max: usize,
        opening: bool,
    ) -> Result<Option<(Zxid, Vec<Entry>)>, StorageError> {
        // What was cut off, or replaced, is not read from a file that is still open.
        let generation = self.files.history().generation;
        if generation != self.generation {
            self.generation = generation;
            self.places.clear();
        }
        let Some(mut cursor) = self.cursor(after, opening)? else {
            return Ok(None);
        };
        let settings = self.files.settings();
        if opening {
            let snapshot = newest_snapshot_len(&self.files)?;
            if !settings.size_factor.allows(snapshot, cursor.further_len()?) {
                return Ok(None);
            }
        }
        let limits = settings.state.limits;
        let until = through.min(self.files.durable());
        let (mut entries, mut bytes, mut broken) = (Vec::new(), 0, None);
        // A step may pass nothing but what lies before; no step passes nothing.
        while bytes < bytes_max.max(1) && broken.is_none() {
            let left = (bytes_max - bytes) as u64;
            let step = cursor.step(until, left, |zxid, entry| {
                if zxid <= after || broken.is_some() {
                    return;
                }
                bytes += entry.len();
                match entry_of(Bytes::copy_from_slice(entry), limits) {
                    Ok(entry) => entries.push(entry),
                    Err(error) => broken = Some((zxid, error)),
                }
            })?;
            if step == storage::log::CursorStep::CaughtUp {
                break;
            }
        }
        if let Some((zxid, reason)) = broken {
            return Err(StorageError::RejectedEntry {
                path: settings.layout.log_dir().to_path_buf(),
                offset: 0,
                zxid: zxid.0,
                reason: storage::Rejected::new(reason),
            });
        }
        let floor = cursor.floor().min(after);
        let after = entries.last().map_or(after, |last: &Entry| last.zxid);
        self.keep(Place {
            after,
            cursor,
            used: true,
        });
        Ok(Some((floor, entries)))
    }

    /// The place behind `after`: a kept one, or a new one.
    fn cursor(&mut self, after: Zxid, opening: bool) -> Result<Option<LogCursor>, StorageError> {
        if !opening && let Some(at) = self.places.iter().position(|place| place.after == after) {
            return Ok(Some(self.places.remove(at).cursor));
        }
        let settings = self.files.settings();
        let (layout, holds) = (&settings.layout, self.files.holds());
        let entry_len_max = settings.recovery.log.entry_len_max;
        let disk = || self.files.disk().clone();
        let open = |from| {
            let mark = self.files.mark_before(from);
            LogCursor::open(disk(), layout, entry_len_max, holds, from, mark)
        };
        let mut found = open(after)?;
        if found.is_none() && !opening {
            // Behind a snapshot the log starts with the next one. That snapshot may be purged
            // since.
            found = open(Zxid(after.0.saturating_add(1)))?;
        }
        if found.is_none() && !opening {
            // Or in a later epoch.
            found = LogCursor::open_behind_snapshot(disk(), layout, entry_len_max, holds, after)?;
        }
        Ok(found)
    }

    fn keep(&mut self, place: Place) {
        if self.places.len() >= PLACES_MAX {
            // The least recently used one: they stand in the order of their use.
            self.places.remove(0);
        }
        self.places.push(place);
    }
}

/// Length of the newest snapshot in bytes; 0 if there is none.
fn newest_snapshot_len(files: &Files) -> Result<u64, StorageError> {
    let (disk, dir) = (files.disk().as_ref(), files.settings().layout.snap_dir());
    match candidates(disk, dir, 1)?.first() {
        None => Ok(0),
        Some(newest) => disk
            .size(&newest.path)
            .map_err(StorageError::io("look at", &newest.path)),
    }
}
