//! Writes a snapshot under a name that no reader looks at, and gives it its own name once every
//! byte is durable.
//!
//! What fails removes its file: on a full disk an unfinished snapshot would keep the space that
//! writes wait for until the next start.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jute::Zxid;
use jute::data::{Acl, StatPersisted};
use simd_adler32::Adler32;

use crate::disk::{Disk, DiskFile};
use crate::error::StorageError;
use crate::layout::{UNFINISHED_SNAPSHOT, received_snapshot_name, snapshot_name};
use crate::snap::body::{encode_end, encode_front, encode_node};
use crate::snap::compress::{Compression, Encoder};
use crate::snap::format::{HEADER, Trailer};
use crate::unfinished::{discard, free_name};

/// Bytes gathered before they are summed, compressed and written.
const BUFFER_LEN: usize = 256 << 10;

/// How a snapshot is written.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotOptions {
    /// The form of the file.
    pub compression: Compression,
    /// Sync after so many bytes. A large backlog of unsynced bytes would hold up the log's syncs on
    /// the same disk.
    pub sync_every_bytes: u64,
}

impl Default for SnapshotOptions {
    fn default() -> Self {
        Self {
            compression: Compression::None,
            sync_every_bytes: 8 << 20,
        }
    }
}

/// A snapshot being written: made with its sessions and ACLs, then fed with nodes, then finished.
/// After an error it is gone, and nothing more can come of it.
pub struct SnapshotWriter {
    pub(crate) disk: Arc<dyn Disk>,
    dir: PathBuf,
    pub(crate) zxid: Zxid,
    unfinished: PathBuf,
    compression: Compression,
    encoder: Encoder<FileSink>,
    sum: Adler32,
    buffer: Vec<u8>,
}

impl SnapshotWriter {
    /// Starts the snapshot `zxid` in the directory `dir`: a state that contains every transaction
    /// up to `zxid`.
    ///
    /// `sessions` are (id, timeout in ms). `acls` are (index, list); every index that a node uses
    /// must be there, except -1, the open ACL.
    pub fn begin<'a>(
        disk: Arc<dyn Disk>,
        dir: &Path,
        zxid: Zxid,
        options: SnapshotOptions,
        sessions: impl ExactSizeIterator<Item = (i64, i32)>,
        acls: impl ExactSizeIterator<Item = (i64, &'a [Acl<'a>])>,
    ) -> Result<Self, StorageError> {
        let mut writer = Self::begin_raw(disk, dir, zxid, options)?;
        let mut buffer = std::mem::take(&mut writer.buffer);
        encode_front(sessions, acls, &mut buffer, |buffer| {
            if buffer.len() < BUFFER_LEN {
                return Ok(());
            }
            let result = writer.put(buffer);
            buffer.clear();
            result
        })?;
        writer.buffer = buffer;
        Ok(writer)
    }

    /// Starts a snapshot of which the header is written. Sessions, ACLs and nodes come by
    /// [`SnapshotWriter::raw`].
    pub(crate) fn begin_raw(
        disk: Arc<dyn Disk>,
        dir: &Path,
        zxid: Zxid,
        options: SnapshotOptions,
    ) -> Result<Self, StorageError> {
        let name = snapshot_name(zxid, options.compression);
        let unfinished = format!("{UNFINISHED_SNAPSHOT}{name}");
        let unfinished = free_name(dir, &unfinished, disk.as_ref())?;
        let file = disk
            .create(&unfinished)
            .map_err(StorageError::io("create", &unfinished))?;
        let sink = FileSink {
            file,
            offset: 0,
            unsynced: 0,
            sync_every: options.sync_every_bytes.max(1),
        };
        let mut buffer = Vec::with_capacity(BUFFER_LEN);
        buffer.extend_from_slice(&HEADER);
        Ok(Self {
            disk,
            dir: dir.to_path_buf(),
            zxid,
            unfinished,
            compression: options.compression,
            encoder: Encoder::new(options.compression, sink),
            sum: Adler32::new(),
            buffer,
        })
    }

    /// Adds a node; its parent must have been added before, the root's path is empty.
    pub fn node(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: i64,
        stat: &StatPersisted,
    ) -> Result<(), StorageError> {
        encode_node(path, data, acl, stat, &mut self.buffer);
        self.drain_if_full()
    }

    /// Adds nodes that [`encode_node`] encoded elsewhere.
    pub fn nodes_raw(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.raw(bytes)
    }

    /// Adds bytes of the body.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.drain()?;
        self.put(bytes)
    }

    /// Seals the snapshot, makes it durable and gives it its name; returns its path.
    ///
    /// The caller must have made every transaction whose effect may be inside durable in the log.
    pub fn finish(self, trailer: Trailer) -> Result<PathBuf, StorageError> {
        let name = snapshot_name(self.zxid, self.compression);
        self.finish_as(&name, trailer)
    }

    /// As [`SnapshotWriter::finish`], under the name of the snapshot that is to replace all others,
    /// and the log by the one that starts with `behind`, see [`crate::adopt`].
    pub(crate) fn finish_base(
        self,
        trailer: Trailer,
        behind: Option<Zxid>,
    ) -> Result<PathBuf, StorageError> {
        let name = received_snapshot_name(self.zxid, behind, self.compression);
        self.finish_as(&name, trailer)
    }

    fn finish_as(mut self, name: &str, trailer: Trailer) -> Result<PathBuf, StorageError> {
        encode_end(&mut self.buffer);
        self.drain()?;
        let mut seals = Vec::new();
        trailer.encode(&mut self.sum, &mut seals);
        let Self {
            disk,
            dir,
            unfinished,
            mut encoder,
            ..
        } = self;
        let write = || {
            encoder.write_all(&seals)?;
            encoder.finish()?.file.sync_data()
        };
        let path = dir.join(name);
        write()
            .map_err(StorageError::io("write snapshot", &unfinished))
            .and_then(|()| {
                let named = disk.rename(&unfinished, &path);
                named.map_err(StorageError::io("name", &path))
            })
            .inspect_err(|_| discard(disk.as_ref(), &unfinished))?;
        disk.sync_dir(&dir)
            .map_err(StorageError::io("sync", &dir))?;
        Ok(path)
    }

    /// Gives up and removes what was written.
    pub fn abandon(self) {
        discard(self.disk.as_ref(), &self.unfinished);
    }

    fn drain_if_full(&mut self) -> Result<(), StorageError> {
        if self.buffer.len() < BUFFER_LEN {
            Ok(())
        } else {
            self.drain()
        }
    }

    fn drain(&mut self) -> Result<(), StorageError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.put(&buffer);
        buffer.clear();
        self.buffer = buffer;
        result
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.sum.write(bytes);
        let written = self.encoder.write_all(bytes);
        written
            .map_err(StorageError::io("write snapshot", &self.unfinished))
            .inspect_err(|_| discard(self.disk.as_ref(), &self.unfinished))
    }
}

struct FileSink {
    file: Box<dyn DiskFile>,
    offset: u64,
    unsynced: u64,
    sync_every: u64,
}

impl Write for FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(self.offset, bytes)?;
        self.offset += bytes.len() as u64;
        self.unsynced += bytes.len() as u64;
        if self.unsynced >= self.sync_every {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
