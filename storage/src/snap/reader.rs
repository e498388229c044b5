//! Reads a snapshot: first the seals over the whole file, then the records. Changed bytes never reach the caller.

use std::path::Path;

use jute::data::{Acl, StatPersisted};
use jute::wire::{Decode, DecodeError, Limits, Reader};

use crate::disk::Disk;
use crate::error::{Rejected, StorageError};
use crate::snap::compress::{Compression, decompress};
use crate::snap::format::{HEADER, Trailer, verify};

/// Takes the pieces of a snapshot, in this order: sessions, ACLs, nodes (parents first).
pub trait SnapshotSink {
    /// A global session.
    fn session(&mut self, id: i64, timeout_ms: i32) -> Result<(), Rejected>;

    /// An entry of the ACL map; nodes refer to it by `index`.
    fn acl(&mut self, index: i64, acl: Vec<Acl<'_>>) -> Result<(), Rejected>;

    /// A node; the root's path is empty. `acl` is an index of the map, or -1 for the open ACL.
    fn node(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: i64,
        stat: &StatPersisted,
    ) -> Result<(), Rejected>;
}

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
    let mut reader = Reader::new(&bytes[..end], limits);
    match read_body(&mut reader, sink) {
        Ok(()) if reader.remaining() == 0 => Ok(trailer),
        Ok(()) => Err(bad(
            reader.position(),
            "more bytes follow the last node".to_owned(),
        )),
        Err(found) => Err(bad(reader.position(), found.0)),
    }
}

fn read_body(reader: &mut Reader<'_>, sink: &mut impl SnapshotSink) -> Result<(), Rejected> {
    reader.bytes(HEADER.len()).map_err(malformed)?;
    for _ in 0..reader.i32().map_err(malformed)? {
        let id = reader.i64().map_err(malformed)?;
        sink.session(id, reader.i32().map_err(malformed)?)?;
    }
    for _ in 0..reader.i32().map_err(malformed)? {
        let index = reader.i64().map_err(malformed)?;
        let acl = reader.vector().map_err(malformed)?;
        sink.acl(
            index,
            acl.ok_or_else(|| Rejected(format!("ACL {index} is null")))?,
        )?;
    }
    loop {
        let path = reader
            .ustring()
            .map_err(malformed)?
            .ok_or_else(|| Rejected("a node without path".to_owned()))?;
        if path == "/" {
            return Ok(());
        }
        let data = reader.buffer().map_err(malformed)?;
        let acl = reader.i64().map_err(malformed)?;
        let stat = StatPersisted::decode(reader).map_err(malformed)?;
        sink.node(&path, data, acl, &stat)?;
    }
}

fn malformed(error: DecodeError) -> Rejected {
    Rejected(format!("a malformed record: {error}"))
}
