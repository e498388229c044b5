//! `currentEpoch` and `acceptedEpoch`: a decimal number each, replaced atomically.
//!
//! A learner writes them in this order, each step durable before the next: **acceptedEpoch** when
//! it has the new epoch from LEADERINFO, then **the history** that NEWLEADER ends (entries of the
//! log, a truncation, a received snapshot), then **currentEpoch**; only then may it acknowledge
//! NEWLEADER. So currentEpoch never stands for a history that is not there, and a start never finds
//! transactions of an epoch that was not accepted: [`start_up`] takes what a crash leaves between
//! any two steps, and refuses what none can. `tests/sync_order.rs` crashes at every operation of
//! the whole.

use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use jute::Zxid;

use crate::disk::Disk;
use crate::error::StorageError;
use crate::layout::Layout;

/// Longest content that is read as a number, in bytes.
const CONTENT_LEN_MAX: usize = 32;

/// What the high half of a zxid can hold.
const EPOCHS: RangeInclusive<i64> = 0..=i32::MAX as i64;

/// Which of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochFile {
    /// The epoch whose leader this server has followed (or been) with its history in place.
    Current,
    /// The newest epoch this server has promised to.
    Accepted,
}

impl EpochFile {
    /// The file's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Current => "currentEpoch",
            Self::Accepted => "acceptedEpoch",
        }
    }

    fn path(self, layout: &Layout) -> PathBuf {
        layout.snap_dir().join(self.name())
    }

    fn tmp(self, layout: &Layout) -> PathBuf {
        layout.snap_dir().join(format!("{}.tmp", self.name()))
    }
}

/// Both epochs after the checks of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epochs {
    /// `currentEpoch`.
    pub current: i64,
    /// `acceptedEpoch`, never below `current`.
    pub accepted: i64,
    /// What an operator should know.
    pub warnings: Vec<String>,
}

/// Replaces one of the files; durable when it returns.
///
/// Election relies on it: a promise that a crash takes back could elect two leaders.
pub fn save(
    disk: &dyn Disk,
    layout: &Layout,
    which: EpochFile,
    epoch: i64,
) -> Result<(), StorageError> {
    let (tmp, path) = (which.tmp(layout), which.path(layout));
    let write = || -> io::Result<()> {
        let file = disk.create(&tmp)?;
        file.write_at(0, epoch.to_string().as_bytes())?;
        file.sync_data()?;
        disk.rename(&tmp, &path)?;
        disk.sync_dir(layout.snap_dir())
    };
    write().map_err(StorageError::io("write", &path))
}

/// Reads one of the files; `None` when there is none.
pub fn read(
    disk: &dyn Disk,
    layout: &Layout,
    which: EpochFile,
) -> Result<Option<i64>, StorageError> {
    read_number(disk, &which.path(layout))
}

fn read_number(disk: &dyn Disk, path: &Path) -> Result<Option<i64>, StorageError> {
    let bytes = match disk.read_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(StorageError::io("read", path))?,
    };
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(CONTENT_LEN_MAX)]).into_owned();
    let epoch = text.lines().next().unwrap_or_default().trim().parse().ok();
    match epoch.filter(|epoch| EPOCHS.contains(epoch)) {
        Some(epoch) => Ok(Some(epoch)),
        None => Err(StorageError::Epoch {
            path: path.to_path_buf(),
            found: format!("{text:?} is not the number of an epoch"),
        }),
    }
}

/// Reads both files, checks them against the history's last zxid, and writes what is missing.
///
/// A history newer than `currentEpoch` is what a crash leaves between storing a synced history and
/// the epoch file. Apache refuses it; here it is accepted as long as the epoch was promised, and
/// the lower `currentEpoch` stays: it is the safe one to vote with.
pub fn start_up(disk: &dyn Disk, layout: &Layout, last_zxid: Zxid) -> Result<Epochs, StorageError> {
    let history = last_zxid.epoch().max(0);
    let mut warnings = Vec::new();
    let mut current = match read(disk, layout, EpochFile::Current)? {
        Some(epoch) => epoch,
        None => {
            save(disk, layout, EpochFile::Current, history)?;
            history
        }
    };
    let accepted = match read(disk, layout, EpochFile::Accepted)? {
        // On a wiped disk the leader's history comes first: a crash behind it leaves a history of
        // an ensemble that this server has not promised anything to yet. To promise what it has is
        // always right.
        Some(0) if current == 0 && history > 0 => {
            save(disk, layout, EpochFile::Accepted, history)?;
            history
        }
        Some(epoch) => epoch,
        None => {
            // Whoever has a current epoch has accepted it.
            let accepted = history.max(current);
            save(disk, layout, EpochFile::Accepted, accepted)?;
            accepted
        }
    };
    let refuse = |which: EpochFile, found| {
        Err(StorageError::Epoch {
            path: which.path(layout),
            found,
        })
    };
    if accepted < current {
        return refuse(
            EpochFile::Accepted,
            format!("acceptedEpoch {accepted} is lower than currentEpoch {current}"),
        );
    }
    if history > current {
        // A torn temporary file is as good as none.
        let replacement = read_number(disk, &EpochFile::Current.tmp(layout))
            .ok()
            .flatten();
        match replacement {
            Some(epoch) if epoch > current && epoch <= accepted => {
                save(disk, layout, EpochFile::Current, epoch)?;
                warnings.push(format!("currentEpoch was {current} and becomes {epoch}, as its unfinished replacement says"));
                current = epoch;
            }
            _ if history <= accepted => warnings.push(format!(
                "the history reaches into epoch {history}, currentEpoch is {current}: a sync was interrupted before its end"
            )),
            _ => {
                let found = format!(
                    "currentEpoch {current} and acceptedEpoch {accepted} are older than the last logged zxid {:#x} of epoch {history}",
                    last_zxid.0
                );
                return refuse(EpochFile::Current, found);
            }
        }
    }
    Ok(Epochs {
        current,
        accepted,
        warnings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim_disk::SimDisk;

    fn put(disk: &SimDisk, name: &str, content: &str) {
        let file = disk
            .create(&Path::new("data/version-2").join(name))
            .expect("the directory exists");
        file.write_at(0, content.as_bytes())
            .expect("memory takes it");
    }

    #[test]
    fn start_up_table() {
        let z = |epoch: i64| Zxid(epoch << 32 | 5);
        // (currentEpoch, acceptedEpoch, currentEpoch.tmp, history's epoch) -> (current, accepted)
        let table = [
            (None, None, None, 3, Some((3, 3))),
            (Some("2\n"), None, None, 2, Some((2, 2))),
            (Some("4"), None, None, 2, Some((4, 4))),
            (Some("2"), Some("7"), None, 2, Some((2, 7))),
            (Some("0"), Some("0"), None, 2, Some((0, 2))),
            (Some("2"), Some("3"), Some("3"), 3, Some((3, 3))),
            (Some("2"), Some("3"), Some(""), 3, Some((2, 3))),
            (Some("2"), Some("3"), None, 3, Some((2, 3))),
            (Some("2"), Some("2"), None, 3, None),
            (Some("2"), Some("2"), Some("3"), 3, None),
            (Some("3"), Some("2"), None, 2, None),
            (Some("x"), Some("2"), None, 2, None),
            (Some(""), Some("2"), None, 2, None),
            (Some("-1"), Some("2"), None, 2, None),
            (Some("2"), Some("2147483648"), None, 2, None),
            (
                Some("2"),
                Some("2147483647"),
                None,
                2,
                Some((2, 2147483647)),
            ),
        ];
        for (current, accepted, tmp, history, expected) in table {
            let disk = SimDisk::new();
            let layout = Layout::new(Path::new("data"), Path::new("data"));
            layout.prepare(&disk, true).expect("memory takes it");
            for (name, content) in [
                ("currentEpoch", current),
                ("acceptedEpoch", accepted),
                ("currentEpoch.tmp", tmp),
            ] {
                if let Some(content) = content {
                    put(&disk, name, content);
                }
            }
            let found = start_up(&disk, &layout, z(history))
                .ok()
                .map(|epochs| (epochs.current, epochs.accepted));
            assert_eq!(
                found, expected,
                "{current:?} {accepted:?} {tmp:?} {history}"
            );
            if let Some((current, accepted)) = expected {
                assert_eq!(
                    read(&disk, &layout, EpochFile::Current).ok().flatten(),
                    Some(current)
                );
                assert_eq!(
                    read(&disk, &layout, EpochFile::Accepted).ok().flatten(),
                    Some(accepted)
                );
            }
        }
    }

    #[test]
    fn a_replacement_is_whole_after_any_crash() {
        for seed in 0..200 {
            let mut rng = crate::sim_disk::Rng::new(seed);
            let disk = SimDisk::new();
            let layout = Layout::new(Path::new("data"), Path::new("data"));
            layout.prepare(&disk, true).expect("memory takes it");
            save(&disk, &layout, EpochFile::Accepted, 41).expect("memory takes it");
            disk.crash_after(rng.below(8));
            let acknowledged = save(&disk, &layout, EpochFile::Accepted, 4242).is_ok();
            disk.crash(&mut rng);
            let found = read(&disk, &layout, EpochFile::Accepted)
                .expect("a number")
                .expect("a file");
            assert!(
                found == 4242 || (found == 41 && !acknowledged),
                "seed {seed}: {found}"
            );
        }
    }
}
