//! The real disk under the storage crate.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::LazyLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::{Errno, ReadWriteFlags, pwritev2};
use storage::{Disk, DiskFile};

/// A removed file that is longer than this, in bytes, gives its space back in steps of so many. At
/// once, a file system that is mounted with `discard` would keep the disk from everything else until
/// all of it is discarded: some 0.2 ms for each MiB.
const RELEASE_STEP: u64 = 8 << 20;

/// Longest rest between two steps.
const RELEASE_REST_MAX: Duration = Duration::from_millis(20);

/// Removed files that give their space back one after the other; further ones do it at once.
const RELEASES_MAX: usize = 64;

/// Takes removed files. `None` if there is no thread to be had.
static RELEASER: LazyLock<Option<SyncSender<File>>> = LazyLock::new(|| {
    let (sender, files) = sync_channel::<File>(RELEASES_MAX);
    let thread = thread::Builder::new().name("zk-release".to_owned());
    let started = thread.spawn(move || files.iter().for_each(|file| release(&file)));
    started.ok().map(|_| sender)
});

/// Gives the space of a file without a name back, step by step, each with a commit of the file
/// system of its own. Whatever fails, or is not done when the process ends, is done when the file is
/// closed.
fn release(file: &File) {
    let shrink = |to: u64| file.set_len(to).and_then(|()| file.sync_all());
    let mut len = file.metadata().map_or(0, |file| file.len());
    while len > RELEASE_STEP {
        len -= RELEASE_STEP;
        let start = Instant::now();
        if shrink(len).is_err() {
            return;
        }
        thread::sleep(start.elapsed().min(RELEASE_REST_MAX));
    }
}

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
        Ok(Box::new(RealFile(options.open(path)?)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        // The name goes first, so that nobody finds a part of a file under it. What has other names,
        // as a backup made of links, stays as it is.
        let file = OpenOptions::new().write(true).open(path);
        fs::remove_file(path)?;
        if let Ok(file) = file
            && let Ok(left) = file.metadata()
            && left.nlink() == 0
            && left.len() > RELEASE_STEP
            && let Some(releaser) = &*RELEASER
        {
            // Closed at once if there are too many.
            let _ = releaser.try_send(file);
        }
        Ok(())
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

struct RealFile(File);

impl DiskFile for RealFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        match fallocate(&self.0, FallocateFlags::empty(), offset, len) {
            // File systems without it still keep the promise that bytes read as zeros.
            Err(Errno::OPNOTSUPP) => {
                let end = offset + len;
                if self.0.metadata()?.len() < end {
                    self.0.set_len(end)?;
                }
                Ok(())
            }
            other => Ok(other?),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write_durable_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            let rest = [IoSlice::new(&bytes[done..])];
            match pwritev2(&self.0, &rest, offset + done as u64, ReadWriteFlags::DSYNC) {
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

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn what_is_removed_gives_its_space_back_unless_it_has_another_name() {
        let dir = TempDir::new().expect("a temporary directory");
        let (path, link) = (dir.path().join("file"), dir.path().join("link"));
        let len = 2 * RELEASE_STEP + 1;
        let file = File::create(&path).expect("a file");
        file.set_len(len).expect("a long file");
        fs::hard_link(&path, &link).expect("a link");
        RealDisk.remove(&path).expect("it is there");
        assert!(!path.exists());
        release_all_queued();
        assert_eq!(fs::metadata(&link).expect("the link").len(), len);
        RealDisk.remove(&link).expect("it is there");
        release_all_queued();
        assert!(file.metadata().expect("still open").len() <= RELEASE_STEP);
    }

    /// Returns when the thread has done everything that was queued: it takes as many more only then.
    fn release_all_queued() {
        let releaser = RELEASER.as_ref().expect("a thread");
        for _ in 0..=RELEASES_MAX + 1 {
            let empty = tempfile::tempfile().expect("a file");
            releaser.send(empty).expect("the thread runs");
        }
    }
}
