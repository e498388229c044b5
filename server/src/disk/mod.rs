//! The real disk under the storage crate.

mod direct;

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;

use direct::{Direct, whole_blocks};
use parking_lot::Mutex;
use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate};
use rustix::io::{Errno, ReadWriteFlags, pwritev2};
use storage::disk::write_zeros;
use storage::{Disk, DiskFile};

/// So many bytes are read ahead. More might be gone from memory before they are used.
const READ_AHEAD_MAX: u64 = 256 << 20;

/// The operating system's file system.
#[derive(Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            // Names that are not UTF-8 are not ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        Ok(Box::new(RealFile::new(options.open(path)?)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Box::new(RealFile::new(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn read_ahead(&self, paths: Vec<PathBuf>) {
        // The system reads by itself then, but finds room for what it reads first, which takes a
        // while for much.
        let thread = thread::Builder::new().name("zk-read-ahead".to_owned());
        // Without, reading takes longer.
        let _ = thread.spawn(move || will_need(&paths));
    }

    fn uncache(&self, path: &Path) {
        // What is not on the disk yet stays, and so does everything where the system knows no such
        // hint.
        let _ = File::open(path).map(|file| fadvise(file, 0, None, Advice::DontNeed));
    }
}

/// Has the system read the files, as far as that is worth it; what cannot be read shows when it is.
fn will_need(paths: &[PathBuf]) {
    let mut left = READ_AHEAD_MAX;
    for path in paths {
        let Ok(file) = File::open(path) else {
            continue;
        };
        let len = file
            .metadata()
            .map_or(0, |metadata| metadata.len().min(left));
        let Some(advised) = NonZeroU64::new(len) else {
            continue;
        };
        let _ = fadvise(&file, 0, Some(advised), Advice::WillNeed);
        left -= len;
    }
}

struct RealFile {
    file: File,
    direct: Mutex<Way>,
}

/// Whether the file is written to past the page cache.
enum Way {
    Untried,
    Direct(Box<Direct>),
    /// Its file system does not take such writes.
    Cached,
}

impl RealFile {
    fn new(file: File) -> Self {
        Self {
            file,
            direct: Mutex::new(Way::Untried),
        }
    }

    /// `None` if that is not possible here.
    fn directly<T>(
        &self,
        write: impl FnOnce(&mut Direct) -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        let mut way = self.direct.lock();
        if let Way::Untried = *way {
            *way = Direct::open(&self.file)
                .map_or(Way::Cached, |direct| Way::Direct(Box::new(direct)));
        }
        let Way::Direct(direct) = &mut *way else {
            return Ok(None);
        };
        match write(direct) {
            Ok(written) => Ok(Some(written)),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                *way = Way::Cached;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What is known of the file for direct writes may have changed.
    fn changed(&self) {
        if let Way::Direct(direct) = &mut *self.direct.lock() {
            direct.forget();
        }
    }

    fn write_durable_cached(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.changed();
        let mut done = 0;
        while done < bytes.len() {
            let rest = [IoSlice::new(&bytes[done..])];
            match pwritev2(
                &self.file,
                &rest,
                offset + done as u64,
                ReadWriteFlags::DSYNC,
            ) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => done += count,
                Err(Errno::INTR) => {}
                // A file system, or a system, without it.
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                    self.write_at(offset, bytes)?;
                    return self.sync_data();
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl DiskFile for RealFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.changed();
        self.file.write_all_at(bytes, offset)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        match fallocate(&self.file, FallocateFlags::empty(), offset, len) {
            // File systems without it still keep the promise that bytes read as zeros.
            Err(Errno::OPNOTSUPP) => {
                let end = offset + len;
                if self.file.metadata()?.len() < end {
                    self.file.set_len(end)?;
                }
                Ok(())
            }
            other => Ok(other?),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write_durable_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match self.directly(|direct| direct.append(&self.file, offset, bytes))? {
            Some(true) => Ok(()),
            Some(false) | None => self.write_durable_cached(offset, bytes),
        }
    }

    fn zero_fill(&self, from: u64, until: u64) -> io::Result<()> {
        let (first, last) = whole_blocks(from, until);
        if first < last && self.directly(|direct| direct.zero(first, last))?.is_some() {
            write_zeros(self, from, first)?;
            return write_zeros(self, last, until);
        }
        write_zeros(self, from, until)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.changed();
        self.file.set_len(len)
    }

    fn do_not_read_ahead(&self) {
        // Where the system knows no such hint, it reads as it likes.
        let _ = fadvise(&self.file, 0, None, Advice::Random);
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_that_refuses_direct_writes_is_written_to_through_the_cache() {
        let dir = tempfile::TempDir::new().expect("a temporary directory");
        let path = dir.path().join("log");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        let file = RealFile::new(options.open(&path).expect("a file"));
        file.zero_fill(0, 20_000).expect("space");
        file.write_durable_at(3, b"abc").expect("space");
        let refused =
            file.directly(|_| -> io::Result<()> { Err(io::ErrorKind::Unsupported.into()) });
        assert_eq!(refused.expect("it is no error"), None);
        assert!(matches!(*file.direct.lock(), Way::Cached));
        file.write_durable_at(6, b"def").expect("space");
        file.zero_fill(20_000, 40_000).expect("space");
        let bytes = fs::read(&path).expect("it is there");
        assert_eq!(
            (&bytes[..10], bytes.len()),
            (&b"\0\0\0abcdef\0"[..], 40_000)
        );
    }
}
