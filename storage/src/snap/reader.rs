//! Reads a snapshot: first the seals over the whole file, then the records. Changed bytes never reach the caller.

use std::path::Path;

use jute::wire::Limits;

use crate::disk::Disk;
use crate::error::StorageError;
use crate::snap::body::{BodyReader, SnapshotSink};
use crate::snap::compress::{Compression, decompress};
use crate::snap::format::{HEADER, Trailer, verify};

/// Reads the snapshot at `path` into `sink`. The form follows from the name, the trailer from what is there.
///
/// On an error the sink may have taken a part; it is to be emptied.
pub fn load(
    disk: &dyn Disk,
    path: &Path,
    limits: Limits,
    sink: &mut impl SnapshotSink,
) -> Result<Trailer, StorageError> {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy())
        .unwrap_or_default();
    let bad = |offset: usize, found: String| StorageError::BadSnapshot {
        path: path.to_path_buf(),
        offset: offset as u64,
        found,
    };
    let bytes = disk
        .read_all(path)
        .map_err(StorageError::io("read", path))?;
    let bytes = decompress(Compression::of_name(&name), bytes).map_err(|found| bad(0, found))?;
    let (trailer, end) = verify(&bytes).map_err(|found| bad(bytes.len(), found))?;
    let body = bytes
        .get(HEADER.len()..end)
        .ok_or_else(|| bad(end, "the header is incomplete".to_owned()))?;
    let at = |offset: usize| HEADER.len() + offset;
    let mut reader = BodyReader::new(limits);
    match reader.take(body, sink) {
        Ok(taken) if !reader.is_done() => {
            Err(bad(at(taken), "the nodes end inside a record".to_owned()))
        }
        Ok(taken) if taken < body.len() => {
            Err(bad(at(taken), "more bytes follow the last node".to_owned()))
        }
        Ok(_) => Ok(trailer),
        Err(error) => Err(bad(at(error.offset), error.reason.0)),
    }
}
