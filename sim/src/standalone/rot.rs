//! Bits flip while the server is down, where no crash could have done it: then the start
//! must say so, or find a way around, and never take the damage for history.

use std::path::{Path, PathBuf};

use storage::Disk;
use storage::log::format::{HEADER, RECORD_HEAD_LEN, RECORD_OVERHEAD};

use super::{Standalone, server};
use crate::scenario::Fault;
use crate::world::tell;

/// A flipped bit.
#[derive(Clone, Debug)]
pub(super) struct Flip {
    path: PathBuf,
    offset: u64,
    bit: u8,
}

/// One start in so many finds a flipped bit, in percent.
const ROT_PERCENT: u64 = 12;

impl Standalone {
    pub(super) fn rot_something(&mut self) {
        let allowed = self.world.scenario.kinds.contains(&Fault::Rot) && self.world.faults_go_on();
        if !allowed || self.flip.is_some() || !self.world.fault_rng.percent(ROT_PERCENT) {
            return;
        }
        let flip = if self.world.fault_rng.percent(50) {
            self.in_a_record()
        } else {
            self.in_the_newest_snapshot()
        };
        if let Some(flip) = flip {
            tell!(
                self.world,
                "disk: bit {} of byte {} of {:?} flips",
                flip.bit,
                flip.offset,
                flip.path
            );
            self.disk.rot(&flip.path, flip.offset, flip.bit);
            self.world.coverage.count("bit flipped");
            self.flip = Some(flip);
        }
    }

    /// The damage is repaired from a backup.
    pub(super) fn unrot(&mut self) {
        if let Some(flip) = self.flip.take() {
            self.disk.rot(&flip.path, flip.offset, flip.bit);
        }
    }

    /// In the bytes that a checksum covers. A flipped length of the last record looks like
    /// one that was never finished; that is beyond this format.
    fn in_a_record(&mut self) -> Option<Flip> {
        let path = self.some_file(server::layout().log_dir(), "log.", false)?;
        let bytes = self.disk.read_all(&path).ok()?;
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
        let (start, len) = *self.world.fault_rng.pick(&entries);
        Some(Flip {
            path,
            offset: start as u64 + self.world.fault_rng.below(len as u64),
            bit: self.world.fault_rng.below(8) as u8,
        })
    }

    fn in_the_newest_snapshot(&mut self) -> Option<Flip> {
        let path = self.some_file(server::layout().snap_dir(), "snapshot.", true)?;
        let len = self.disk.size(&path).ok()?;
        Some(Flip {
            path,
            offset: self.world.fault_rng.below(len),
            bit: self.world.fault_rng.below(8) as u8,
        })
    }

    fn some_file(&mut self, dir: &Path, prefix: &str, newest: bool) -> Option<PathBuf> {
        let names = self.disk.list(dir).ok()?;
        let mut names: Vec<_> = names
            .into_iter()
            .filter(|name| name.starts_with(prefix))
            .collect();
        names.sort_by_key(|name| (name.len(), name.clone()));
        let name = if newest {
            names.last()?.clone()
        } else if names.is_empty() {
            return None;
        } else {
            self.world.fault_rng.pick(&names).clone()
        };
        Some(dir.join(name))
    }
}
