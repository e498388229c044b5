//! One file: its bytes as seen now, as durable, and the changes between the two.

use std::collections::BTreeMap;

use super::Rng;

/// The unit in which writes reach the platter, in bytes.
const SECTOR_LEN: u64 = 512;

#[derive(Debug)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    SetLen { len: u64 },
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write {
                offset,
                bytes: written,
            } => {
                let (start, end) = (*offset as usize, *offset as usize + written.len());
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[start..end].copy_from_slice(written);
            }
            Self::SetLen { len } => bytes.resize(*len as usize, 0),
        }
    }

    /// The sectors whose content it changes, given the file's size before it.
    fn sectors(&self, len_before: u64) -> std::ops::Range<u64> {
        let (start, end) = match self {
            Self::Write { offset, bytes } => (*offset, *offset + bytes.len() as u64),
            Self::SetLen { len } => (*len.min(&len_before), len_before),
        };
        start / SECTOR_LEN..end.div_ceil(SECTOR_LEN)
    }
}

#[derive(Debug, Default)]
pub(super) struct FileState {
    now: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

impl FileState {
    pub(super) fn len(&self) -> u64 {
        self.now.len() as u64
    }

    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|start| self.now.get(start..))
            .unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        count
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        self.change(Change::Write {
            offset,
            bytes: bytes.to_vec(),
        });
    }

    pub(super) fn set_len(&mut self, len: u64) {
        self.change(Change::SetLen { len });
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    pub(super) fn rot(&mut self, offset: u64, bit: u8) -> bool {
        let Ok(at) = usize::try_from(offset) else {
            return false;
        };
        let mask = 1 << (bit % 8);
        if let Some(byte) = self.durable.get_mut(at) {
            *byte ^= mask;
        }
        self.now.get_mut(at).map(|byte| *byte ^= mask).is_some()
    }

    /// Keeps every sector, and the size, as of some moment since the last sync, each on its own.
    pub(super) fn crash(&mut self, rng: &mut Rng) {
        let changes = std::mem::take(&mut self.pending);
        let mut lens = vec![self.durable.len() as u64];
        let mut touched: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        let mut current = self.durable.clone();
        for (index, change) in changes.iter().enumerate() {
            for sector in change.sectors(current.len() as u64) {
                touched.entry(sector).or_default().push(index);
            }
            change.apply(&mut current);
            lens.push(current.len() as u64);
        }
        let mut bytes = self.durable.clone();
        for (sector, indexes) in touched {
            let kept = rng.below(indexes.len() as u64 + 1) as usize;
            keep_sector(
                &mut bytes,
                sector,
                indexes[..kept].iter().map(|index| &changes[*index]),
            );
        }
        bytes.resize(lens[rng.below(lens.len() as u64) as usize] as usize, 0);
        self.durable = bytes;
        self.now = self.durable.clone();
    }
}

/// Applies `changes` to one sector and nothing else.
fn keep_sector<'a>(bytes: &mut Vec<u8>, sector: u64, changes: impl Iterator<Item = &'a Change>) {
    let (start, end) = (sector * SECTOR_LEN, (sector + 1) * SECTOR_LEN);
    if (bytes.len() as u64) < end {
        bytes.resize(end as usize, 0);
    }
    for change in changes {
        match change {
            Change::Write {
                offset,
                bytes: written,
            } => {
                let (from, until) = (
                    (*offset).max(start),
                    (*offset + written.len() as u64).min(end),
                );
                bytes[from as usize..until as usize]
                    .copy_from_slice(&written[(from - offset) as usize..(until - offset) as usize]);
            }
            Change::SetLen { len } => {
                bytes[(*len).clamp(start, end) as usize..end as usize].fill(0)
            }
        }
    }
}
