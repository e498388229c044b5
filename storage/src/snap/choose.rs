//! Which snapshots are worth trying, newest first.

use std::path::{Path, PathBuf};

use jute::Zxid;

use crate::disk::{Disk, read_full};
use crate::error::StorageError;
use crate::layout::files_with_prefix;
use crate::snap::compress::{Compression, GZ_MAGIC, SNAPPY_HEADER, SNAPPY_MAGIC_LEN};
use crate::snap::format::TERMINATOR;

/// Most snapshots that a start tries.
pub const SNAPSHOTS_TRIED_MAX: usize = 100;
/// A plain snapshot has at least so many bytes.
const PLAIN_LEN_MIN: u64 = 10;

/// A snapshot that passed the cheap check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The zxid in its name.
    pub zxid: Zxid,
    /// Its file.
    pub path: PathBuf,
}

/// The newest `max` snapshots in `dir` that pass the cheap check, newest first.
///
/// The check looks at the last bytes of a plain file and the first of a compressed one. It sorts
/// out what a writer left unfinished; only [`crate::snap::load`] knows whether the bytes are right.
pub fn candidates(disk: &dyn Disk, dir: &Path, max: usize) -> Result<Vec<Candidate>, StorageError> {
    let mut found = Vec::new();
    for (zxid, name) in files_with_prefix(disk, dir, "snapshot")?.into_iter().rev() {
        if found.len() == max {
            break;
        }
        let path = dir.join(&name);
        if looks_valid(disk, &path, Compression::of_name(&name))
            .map_err(StorageError::io("read", &path))?
        {
            found.push(Candidate { zxid, path });
        }
    }
    Ok(found)
}

fn looks_valid(disk: &dyn Disk, path: &Path, compression: Compression) -> std::io::Result<bool> {
    let file = disk.open(path)?;
    let len = file.len()?;
    let (offset, expected): (u64, &[u8]) = match compression {
        Compression::None if len < PLAIN_LEN_MIN => return Ok(false),
        Compression::None => (len - TERMINATOR.len() as u64, &TERMINATOR),
        Compression::Gz => (0, &GZ_MAGIC),
        Compression::Snappy => (0, &SNAPPY_HEADER[..SNAPPY_MAGIC_LEN]),
    };
    let mut bytes = [0; SNAPPY_MAGIC_LEN];
    let bytes = &mut bytes[..expected.len()];
    Ok(read_full(file.as_ref(), offset, bytes)? == expected.len() && bytes == expected)
}
