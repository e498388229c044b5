//! The real disk, which can be held, or be full.

use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use storage::{Disk, DiskFile};

use crate::RealDisk;

/// Whoever comes to it while it is held waits.
#[derive(Clone, Default)]
pub(super) struct HeldDisk(Arc<Gate>);

#[derive(Default)]
struct Gate {
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Default)]
struct State {
    held: bool,
    full: bool,
    waiting: usize,
}

impl HeldDisk {
    pub(super) fn set_held(&self, held: bool) {
        self.0.state.lock().held = held;
        self.0.released.notify_all();
    }

    /// From now on nothing more can be written.
    pub(super) fn fill(&self) {
        self.0.state.lock().full = true;
    }

    /// So many wait now.
    pub(super) fn waiting(&self) -> usize {
        self.0.state.lock().waiting
    }

    fn pass(&self) -> &RealDisk {
        let mut state = self.0.state.lock();
        state.waiting += 1;
        while state.held {
            self.0.released.wait(&mut state);
        }
        state.waiting -= 1;
        &RealDisk
    }

    fn file(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        let disk = self.clone();
        Box::new(HeldFile { file, disk })
    }
}

/// However a test ends, the threads of its servers do.
pub(super) struct Release(pub(super) HeldDisk);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.set_held(false);
    }
}

impl Disk for HeldDisk {
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.pass().list(dir)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.pass().exists(path)
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        self.pass().size(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(self.pass().create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(self.pass().open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.pass().rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.pass().remove(path)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.pass().create_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.pass().sync_dir(dir)
    }
}

struct HeldFile {
    file: Box<dyn DiskFile>,
    disk: HeldDisk,
}

impl HeldFile {
    fn pass(&self) -> &dyn DiskFile {
        self.disk.pass();
        self.file.as_ref()
    }

    fn room(&self) -> io::Result<&dyn DiskFile> {
        let file = self.pass();
        match self.disk.0.state.lock().full {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(file),
        }
    }
}

impl DiskFile for HeldFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.room()?.write_at(offset, bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.pass().read_at(offset, buffer)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.room()?.allocate(offset, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.pass().sync_data()
    }

    fn write_durable_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.room()?.write_durable_at(offset, bytes)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.pass().set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.pass().len()
    }
}
