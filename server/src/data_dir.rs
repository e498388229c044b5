//! Whose the data directories are: no two servers write to one at the same time, and a member of
//! an ensemble goes on with no history but its own.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use jute::quorum::ServerId;
use rustix::fs::{FlockOperation, flock};
use thiserror::Error;
use tracing::warn;

use crate::config::Config;

/// In `version-2`, so that it goes wherever the history goes. Apache passes over it.
const MARK: &str = "zabkeeper.myid";

/// A directory that is not ours to write to.
#[derive(Debug, Error)]
pub(crate) enum DataDirError {
    #[error("{} is in use by another server; nothing in it was touched", dir.display())]
    InUse { dir: PathBuf },
    #[error(
        "{} says that this is the data of server {found}, and this is server {me}. What this server \
         has acknowledged may not be in it; nothing was touched. Is myid right? If so, move the \
         version-2 directories away: the leader's history will be copied. If this copy is to be used \
         all the same, remove that file",
        mark.display()
    )]
    Foreign {
        mark: PathBuf,
        found: String,
        me: ServerId,
    },
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

/// The directories of a running server. They are given back when it ends, however it ends.
#[must_use]
pub(crate) struct DataDir {
    _locks: Vec<File>,
    mark: Option<(PathBuf, ServerId)>,
}

impl DataDir {
    /// Takes the directories, before anything in them is read. Those that are yet to be made are
    /// made if they may be; what is wrong with them otherwise shows when they are read.
    ///
    /// # Errors
    /// If they are another server's.
    pub(crate) fn claim(config: &Config) -> Result<Self, DataDirError> {
        // By whatever names: one directory is locked once.
        let mut dirs = BTreeSet::new();
        for dir in [&config.data_dir, &config.data_log_dir] {
            if config.storage.datadir_autocreate {
                let _ = fs::create_dir_all(dir);
            }
            dirs.insert(dir.canonicalize().unwrap_or_else(|_| dir.clone()));
        }
        let locks = dirs.iter().filter_map(|dir| lock(dir).transpose());
        let locks = locks.collect::<Result<_, _>>()?;
        let mark = config.ensemble.as_ref().map(|ensemble| {
            let mark = config.data_dir.join("version-2").join(MARK);
            (mark, ensemble.me)
        });
        if let Some((mark, me)) = &mark {
            check(mark, *me)?;
        }
        Ok(Self {
            _locks: locks,
            mark,
        })
    }

    /// Says in them whose they are. To be called before anything is acknowledged that they hold.
    ///
    /// # Errors
    /// If that cannot be written.
    pub(crate) fn mark(&self) -> Result<(), DataDirError> {
        match &self.mark {
            Some((mark, me)) if !mark.exists() => write(mark, *me).map_err(failed("write", mark)),
            _ => Ok(()),
        }
    }
}

/// The system gives the lock back when the process ends.
fn lock(dir: &Path) -> Result<Option<File>, DataDirError> {
    let file = match File::open(dir) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open", dir)(error)),
    };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(DataDirError::InUse {
            dir: dir.to_path_buf(),
        }),
        // There are file systems without locks.
        Err(error) => {
            warn!("{} cannot be locked: {error}", dir.display());
            Ok(Some(file))
        }
    }
}

fn check(mark: &Path, me: ServerId) -> Result<(), DataDirError> {
    let found = match fs::read_to_string(mark) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("read", mark)(error)),
    };
    let found = found.trim();
    if found == me.to_string() {
        return Ok(());
    }
    Err(DataDirError::Foreign {
        mark: mark.to_path_buf(),
        found: found.to_owned(),
        me,
    })
}

/// There whole, or not at all.
fn write(mark: &Path, me: ServerId) -> io::Result<()> {
    let tmp = mark.with_extension("myid.tmp");
    let mut file = File::create(&tmp)?;
    writeln!(file, "{me}")?;
    file.sync_all()?;
    fs::rename(&tmp, mark)?;
    match mark.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DataDirError {
    let path = path.to_path_buf();
    move |source| DataDirError::Io {
        action,
        path,
        source,
    }
}
