//! Files that no start looks at until they are whole: a start removes what a crash left of them.

use std::path::{Path, PathBuf};

use crate::disk::Disk;
use crate::error::StorageError;

/// Unfinished files with the same name at the most; the last one is taken over.
const UNFINISHED_MAX: u32 = 100;

/// A path in `dir` for the unfinished file `name` that no other one has: several may be on their
/// way to the same name, and one that was given up may still be about to be removed.
pub(crate) fn free_name(dir: &Path, name: &str, disk: &dyn Disk) -> Result<PathBuf, StorageError> {
    let mut path = dir.join(name);
    for number in 1..=UNFINISHED_MAX {
        if !disk
            .exists(&path)
            .map_err(StorageError::io("look at", &path))?
        {
            break;
        }
        path = dir.join(format!("{name}.{number}"));
    }
    Ok(path)
}

/// Removes the file, for good: a file system may keep the space until a removal is durable. Best
/// effort: the next start removes it as well.
pub(crate) fn discard(disk: &dyn Disk, unfinished: &Path) {
    if disk.remove(unfinished).is_ok() {
        let dir = unfinished.parent().expect("it is in a directory");
        let _ = disk.sync_dir(dir);
    }
}
