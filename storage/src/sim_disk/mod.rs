//! A disk in memory that fails the way disks fail.
//!
//! # Fault model
//!
//! * **Unsynced bytes.** A write reaches the platter by sectors of 512 bytes. A crash keeps each
//!   sector as of any point between the last sync and now, independently of the others, so batches
//!   come out torn and out of order.
//! * **Unsynced sizes.** The size is kept or lost apart from the bytes: any size since the last
//!   sync may survive. What a larger size uncovers reads as zeros.
//! * **Unsynced names.** Each creation, renaming and removal since the last [`Disk::sync_dir`] of
//!   its directory survives or not, independently. A renaming is one step: never both names, never
//!   none.
//! * **Syncs** make durable exactly what their contract says. A failed one leaves everything
//!   unsynced. `sync_data` says nothing about names, `sync_dir` nothing about bytes.
//! * **Directories** themselves are durable once made.
//! * **Rot**: any bit of durable bytes can be flipped. **Full**: a capacity over all files. **Crash
//!   points**: after a given number of operations every further one fails until [`SimDisk::crash`].
//!   **Slowness** is a number that the caller's clock may add; nothing waits.
//!
//! Files opened before a crash stay dead after it. The same calls with the same generator give the
//! same disk.

mod directory;
mod file;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::{Disk, DiskFile};
use directory::{Directory, NameChange};
use file::FileState;

/// A small deterministic generator (splitmix64).
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// Starts from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which must not be 0.
    pub fn below(&mut self, end: u64) -> u64 {
        assert!(end > 0, "an empty range has no number");
        self.next_u64() % end
    }
}

/// The operations that can be counted, failed and slowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// Listing, existence, size, opening, reading.
    Read,
    /// `write_at`, `allocate` and `set_len`.
    Write,
    /// `sync_data`.
    Sync,
    /// `create`, `rename`, `remove`.
    Name,
    /// `sync_dir`.
    SyncDir,
}

/// Handles share one disk.
#[derive(Clone)]
pub struct SimDisk {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    directories: BTreeMap<PathBuf, Directory>,
    files: BTreeMap<u64, FileState>,
    next_file: u64,
    /// Counts crashes; files opened before the last one are dead.
    generation: u64,
    ops: BTreeMap<Op, u64>,
    /// Operations that still succeed; `None` without a crash point.
    ops_left: Option<u64>,
    failures: BTreeMap<Op, io::ErrorKind>,
    capacity: Option<u64>,
    cost_us: BTreeMap<Op, u64>,
    spent_us: u64,
}

impl SimDisk {
    /// An empty disk without a capacity limit. The root directories `` and `/` exist.
    pub fn new() -> Self {
        let mut inner = Inner::default();
        for root in ["", "/"] {
            inner
                .directories
                .insert(PathBuf::from(root), Directory::default());
        }
        Self {
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    /// Loses power and starts again: what was not synced survives by chance.
    pub fn crash(&self, rng: &mut Rng) {
        let mut inner = self.lock();
        inner.generation += 1;
        inner.ops_left = None;
        inner.failures.clear();
        for directory in inner.directories.values_mut() {
            directory.crash(rng);
        }
        for file in inner.files.values_mut() {
            file.crash(rng);
        }
        inner.forget_unnamed();
    }

    /// Kills the process but not the machine: nothing is lost, open files are dead.
    pub fn kill(&self) {
        let mut inner = self.lock();
        inner.generation += 1;
        inner.ops_left = None;
        inner.failures.clear();
    }

    /// Lets `ops` more operations succeed; all later ones fail until [`SimDisk::crash`] or
    /// [`SimDisk::kill`].
    pub fn crash_after(&self, ops: u64) {
        self.lock().ops_left = Some(ops);
    }

    /// Lets the next operation of this kind fail.
    pub fn fail_next(&self, op: Op, kind: io::ErrorKind) {
        self.lock().failures.insert(op, kind);
    }

    /// Limits the sum of all file sizes, in bytes.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.lock().capacity = bytes;
    }

    /// The sum of all file sizes, in bytes.
    pub fn used(&self) -> u64 {
        self.lock().used()
    }

    /// Flips a bit of a file, in what is read now and in what is durable. False when the file is
    /// shorter.
    pub fn rot(&self, path: &Path, offset: u64, bit: u8) -> bool {
        let mut inner = self.lock();
        let Ok(id) = inner.find(path) else {
            return false;
        };
        inner
            .files
            .get_mut(&id)
            .is_some_and(|file| file.rot(offset, bit))
    }

    /// How many operations of a kind were begun.
    pub fn ops(&self, op: Op) -> u64 {
        self.lock().ops.get(&op).copied().unwrap_or_default()
    }

    /// How many operations were begun.
    pub fn ops_total(&self) -> u64 {
        self.lock().ops.values().sum()
    }

    /// Sets what operations of a kind cost, in microseconds of the caller's clock.
    pub fn set_cost(&self, op: Op, us: u64) {
        self.lock().cost_us.insert(op, us);
    }

    /// The cost of everything since the last call, in microseconds.
    pub fn take_spent_us(&self) -> u64 {
        std::mem::take(&mut self.lock().spent_us)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panicking test thread must not hide its reason behind a second panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    fn begin(&mut self, op: Op) -> io::Result<()> {
        *self.ops.entry(op).or_default() += 1;
        self.spent_us += self.cost_us.get(&op).copied().unwrap_or_default();
        if let Some(left) = &mut self.ops_left {
            *left = left.checked_sub(1).ok_or_else(crashed)?;
        }
        match self.failures.remove(&op) {
            Some(kind) => Err(io::Error::new(kind, "injected failure")),
            None => Ok(()),
        }
    }

    fn used(&self) -> u64 {
        self.files.values().map(FileState::len).sum()
    }

    /// Whether a file may grow from `old_len` to `new_len` bytes.
    fn check_space(&self, old_len: u64, new_len: u64) -> io::Result<()> {
        let more = new_len.saturating_sub(old_len);
        match self.capacity {
            Some(capacity) if more > 0 && self.used() + more > capacity => Err(io::Error::new(
                io::ErrorKind::StorageFull,
                "simulated disk full",
            )),
            _ => Ok(()),
        }
    }

    fn directory(&mut self, dir: &Path) -> io::Result<&mut Directory> {
        self.directories.get_mut(dir).ok_or_else(|| not_found(dir))
    }

    fn find(&mut self, path: &Path) -> io::Result<u64> {
        let (dir, name) = split(path)?;
        self.directory(dir)?
            .get(name)
            .ok_or_else(|| not_found(path))
    }

    fn forget_unnamed(&mut self) {
        let directories = &self.directories;
        self.files
            .retain(|id, _| directories.values().any(|directory| directory.holds(*id)));
    }

    fn file(&mut self, handle: &SimFile) -> io::Result<&mut FileState> {
        if handle.generation != self.generation {
            return Err(crashed());
        }
        self.files.get_mut(&handle.id).ok_or_else(crashed)
    }
}

impl Disk for SimDisk {
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut inner = self.lock();
        inner.begin(Op::Read)?;
        let mut names = inner.directory(dir)?.names();
        let below = inner
            .directories
            .keys()
            .filter(|path| path.parent() == Some(dir));
        names.extend(
            below
                .filter_map(|path| path.file_name())
                .map(|name| name.to_string_lossy().into_owned()),
        );
        Ok(names)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let mut inner = self.lock();
        inner.begin(Op::Read)?;
        Ok(inner.directories.contains_key(path) || inner.find(path).is_ok())
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        let mut inner = self.lock();
        inner.begin(Op::Read)?;
        let id = inner.find(path)?;
        inner
            .files
            .get(&id)
            .map(FileState::len)
            .ok_or_else(|| not_found(path))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut inner = self.lock();
        inner.begin(Op::Name)?;
        let (dir, name) = split(path)?;
        let id = match inner.directory(dir)?.get(name) {
            Some(id) => {
                inner
                    .files
                    .get_mut(&id)
                    .ok_or_else(|| not_found(path))?
                    .set_len(0);
                id
            }
            None => {
                let id = inner.next_file;
                inner.next_file += 1;
                inner.files.insert(id, FileState::default());
                inner.directory(dir)?.change(NameChange::Link {
                    name: name.to_owned(),
                    id,
                });
                id
            }
        };
        let generation = inner.generation;
        Ok(Box::new(SimFile {
            disk: self.clone(),
            id,
            generation,
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut inner = self.lock();
        inner.begin(Op::Read)?;
        let id = inner.find(path)?;
        let generation = inner.generation;
        Ok(Box::new(SimFile {
            disk: self.clone(),
            id,
            generation,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.lock();
        inner.begin(Op::Name)?;
        let ((from_dir, from_name), (to_dir, to_name)) = (split(from)?, split(to)?);
        if from_dir != to_dir {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "storage renames within one directory only",
            ));
        }
        let id = inner.find(from)?;
        let change = NameChange::Rename {
            from: from_name.to_owned(),
            to: to_name.to_owned(),
            id,
        };
        inner.directory(from_dir)?.change(change);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.lock();
        inner.begin(Op::Name)?;
        inner.find(path)?;
        let (dir, name) = split(path)?;
        inner.directory(dir)?.change(NameChange::Unlink {
            name: name.to_owned(),
        });
        Ok(())
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut inner = self.lock();
        inner.begin(Op::Name)?;
        for ancestor in dir.ancestors() {
            inner.directories.entry(ancestor.to_path_buf()).or_default();
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut inner = self.lock();
        inner.begin(Op::SyncDir)?;
        inner.directory(dir)?.sync();
        // Open handles are not tracked: space comes back as soon as no name, durable or not, stands
        // for a file.
        inner.forget_unnamed();
        Ok(())
    }
}

struct SimFile {
    disk: SimDisk,
    id: u64,
    generation: u64,
}

impl DiskFile for SimFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.disk.lock();
        inner.begin(Op::Write)?;
        let len = inner.file(self)?.len();
        inner.check_space(len, offset + bytes.len() as u64)?;
        inner.file(self)?.write(offset, bytes);
        Ok(())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut inner = self.disk.lock();
        inner.begin(Op::Read)?;
        Ok(inner.file(self)?.read(offset, buffer))
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        let mut inner = self.disk.lock();
        inner.begin(Op::Write)?;
        let old_len = inner.file(self)?.len();
        let new_len = old_len.max(offset + len);
        inner.check_space(old_len, new_len)?;
        inner.file(self)?.set_len(new_len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut inner = self.disk.lock();
        inner.begin(Op::Sync)?;
        inner.file(self)?.sync();
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut inner = self.disk.lock();
        inner.begin(Op::Write)?;
        let old_len = inner.file(self)?.len();
        inner.check_space(old_len, len)?;
        inner.file(self)?.set_len(len);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let mut inner = self.disk.lock();
        inner.begin(Op::Read)?;
        Ok(inner.file(self)?.len())
    }
}

fn split(path: &Path) -> io::Result<(&Path, &str)> {
    match (
        path.parent(),
        path.file_name().and_then(|name| name.to_str()),
    ) {
        (Some(dir), Some(name)) => Ok((dir, name)),
        _ => Err(not_found(path)),
    }
}

fn not_found(path: &Path) -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        format!("{} does not exist", path.display()),
    )
}

fn crashed() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "the simulated machine is down",
    )
}
