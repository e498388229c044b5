//! The whole of what storage asks of a file system.
//!
//! Two implementations exist: the real one in the `server` crate and [`crate::sim_disk::SimDisk`].
//! Both must pass [`crate::suite`]. Errors are `std::io::Error`; the kinds that storage tells apart
//! are `NotFound` and `StorageFull`.

use std::io;
use std::path::{Path, PathBuf};

/// Largest file that [`Disk::read_all`] agrees to hold in memory, in bytes.
pub const READ_ALL_BYTES_MAX: u64 = 64 << 30;

/// A directory tree.
///
/// A name (created, renamed or removed) survives a crash for certain only after [`Disk::sync_dir`]
/// on its directory; bytes and sizes only after [`DiskFile::sync_data`]. Neither implies the other.
pub trait Disk: Send + Sync {
    /// The names in `dir`, in no particular order. `NotFound` when there is no such directory.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Whether a file or directory of that name exists.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// The size of a file in bytes.
    fn size(&self, path: &Path) -> io::Result<u64>;

    /// Opens an empty file for reading and writing; what stood under that name is cut to nothing.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Moves `from` to `to` within one directory, replacing `to` atomically.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a directory and its missing parents; an existing one is fine.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// Makes every earlier creation, rename and removal in `dir` durable.
    ///
    /// The log relies on it before its first commit into a new file, snapshots and epoch files
    /// before they count.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// A hint: these files will be read from beginning to end, after something else that takes a
    /// while. May read them meanwhile; must not wait for that.
    fn read_ahead(&self, _paths: Vec<PathBuf>) {}

    /// A hint: the file will hardly be read again, so the system need not keep its content in
    /// memory.
    fn uncache(&self, _path: &Path) {}

    /// The whole content of a file.
    fn read_all(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path)?;
        let len = file.len()?;
        if len > READ_ALL_BYTES_MAX {
            return Err(io::Error::other(format!(
                "{len} bytes are more than one read may hold"
            )));
        }
        let mut bytes = vec![0; len as usize];
        let count = read_full(file.as_ref(), 0, &mut bytes)?;
        bytes.truncate(count);
        Ok(bytes)
    }
}

/// One open file. Methods take `&self`: positions are arguments, there is no cursor to share.
pub trait DiskFile: Send + Sync {
    /// Writes all of `bytes` at `offset`; a gap before it reads as zeros.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Reads at `offset`; fewer bytes than asked for, down to 0, only at the end of the file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Reserves space for `offset..offset + len` and extends the file to cover it. Bytes that were
    /// there stay, new ones read as zeros. `StorageFull` when the space cannot be had.
    fn allocate(&self, offset: u64, len: u64) -> io::Result<()>;

    /// Makes every earlier write, and the size needed to read it back, durable.
    ///
    /// Whoever acknowledges a transaction relies on it. After an error the state of the earlier
    /// writes is unknown, so callers must not try again and carry on.
    fn sync_data(&self) -> io::Result<()>;

    /// Writes all of `bytes` at `offset` and makes them durable, with the size needed to read them
    /// back; of earlier writes it says nothing. For disks that do both at once in less time. Errors
    /// as for [`DiskFile::sync_data`].
    ///
    /// Behind them the file must hold nothing but zeros: some of these may be written again.
    fn write_durable_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_at(offset, bytes)?;
        self.sync_data()
    }

    /// Writes zeros from `from` to `until` and makes them durable, with the size needed to read
    /// them back.
    fn zero_fill(&self, from: u64, until: u64) -> io::Result<()> {
        write_zeros(self, from, until)
    }

    /// Cuts or extends (with zeros) the file to `len` bytes.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// A hint: what is read through this handle is read in small pieces beside others' writes,
    /// which wait for whatever the system reads ahead.
    fn do_not_read_ahead(&self) {}

    /// The size in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// Zeros are written and synced in pieces of so many bytes: the syncs of other files wait for what
/// the same disk was given before.
const ZEROS_LEN: u64 = 1 << 20;

/// [`DiskFile::zero_fill`] by writes and syncs.
pub fn write_zeros(file: &(impl DiskFile + ?Sized), from: u64, until: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS_LEN.min(until - from) as usize];
    let mut at = from;
    while at < until {
        let count = (until - at).min(ZEROS_LEN);
        file.write_at(at, &zeros[..count as usize])?;
        file.sync_data()?;
        at += count;
    }
    Ok(())
}

/// Reads until `buffer` is full or the file ends; returns how many bytes were read.
pub fn read_full(file: &dyn DiskFile, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        let count = file.read_at(offset + filled as u64, &mut buffer[filled..])?;
        if count == 0 {
            break;
        }
        filled += count;
    }
    Ok(filled)
}
