//! Bits flip while a server is down, where no crash could have done it: then the start must say
//! so, or find a way around, and never take the damage for history.

use std::path::{Path, PathBuf};

use storage::log::format::{HEADER, RECORD_HEAD_LEN, RECORD_OVERHEAD};
use storage::{Disk, Layout, SimDisk};

use crate::rng::Rng;

/// A flipped bit.
#[derive(Clone, Debug)]
pub(crate) struct Flip {
    pub(crate) path: PathBuf,
    offset: u64,
    bit: u8,
}

impl Flip {
    /// Flips a bit of a log record or of the newest snapshot; `None` if there is nothing of the
    /// kind.
    pub(crate) fn draw(disk: &SimDisk, layout: &Layout, rng: &mut Rng) -> Option<Self> {
        let flip = match rng.percent(50) {
            true => in_a_record(disk, layout.log_dir(), rng),
            false => in_the_newest_snapshot(disk, layout.snap_dir(), rng),
        }?;
        flip.turn(disk);
        Some(flip)
    }

    /// The damage is repaired from a backup.
    pub(crate) fn undo(self, disk: &SimDisk) {
        self.turn(disk);
    }

    fn turn(&self, disk: &SimDisk) {
        disk.rot(&self.path, self.offset, self.bit);
    }
}

impl std::fmt::Display for Flip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "bit {} of byte {} of {:?} flips",
            self.bit, self.offset, self.path
        )
    }
}

/// In the bytes that a checksum covers. A flipped length of the last record looks like
/// one that was never finished; that is beyond this format.
fn in_a_record(disk: &SimDisk, dir: &Path, rng: &mut Rng) -> Option<Flip> {
    let path = some_file(disk, dir, "log.", rng)?;
    let bytes = disk.read_all(&path).ok()?;
    let mut entries = Vec::new();
    let mut at = HEADER.len();
    while let Some(head) = bytes.get(at..at + RECORD_HEAD_LEN) {
        let len = i32::from_be_bytes([head[8], head[9], head[10], head[11]]);
        let len = usize::try_from(len).ok().filter(|len| *len > 0)?;
        if at + len + RECORD_OVERHEAD > bytes.len() {
            break;
        }
        // A record that was never synced whole may be anything.
        entries.push((at + RECORD_HEAD_LEN, len));
        at += len + RECORD_OVERHEAD;
        if bytes
            .get(at + 8..at + RECORD_HEAD_LEN)
            .is_none_or(|len| len == [0; 4])
        {
            break;
        }
    }
    if entries.is_empty() {
        return None;
    }
    let (start, len) = *rng.pick(&entries);
    Some(Flip {
        path,
        offset: start as u64 + rng.below(len as u64),
        bit: rng.below(8) as u8,
    })
}

fn in_the_newest_snapshot(disk: &SimDisk, dir: &Path, rng: &mut Rng) -> Option<Flip> {
    let path = dir.join(names(disk, dir, "snapshot.").pop()?);
    let len = disk.size(&path).ok()?;
    Some(Flip {
        path,
        offset: rng.below(len),
        bit: rng.below(8) as u8,
    })
}

fn some_file(disk: &SimDisk, dir: &Path, prefix: &str, rng: &mut Rng) -> Option<PathBuf> {
    let names = names(disk, dir, prefix);
    match names.is_empty() {
        true => None,
        false => Some(dir.join(rng.pick(&names))),
    }
}

/// Oldest first.
fn names(disk: &SimDisk, dir: &Path, prefix: &str) -> Vec<String> {
    let mut names = disk.list(dir).unwrap_or_default();
    names.retain(|name| name.starts_with(prefix));
    names.sort_by_key(|name| (name.len(), name.clone()));
    names
}
