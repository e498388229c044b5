//! The two `version-2` directories, as they must be before storage opens them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::settings::Config;

/// The directory that carries the format version in its name.
const VERSION_DIR: &str = "version-2";

/// Where the files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDirs {
    /// `dataDir/version-2`
    pub snapshots: PathBuf,
    /// `dataLogDir/version-2`
    pub logs: PathBuf,
}

/// Creates the `version-2` directories where that is allowed, and checks that snapshots and logs were
/// not mixed up.
///
/// # Errors
/// [`ConfigError::DataDir`] when a directory is missing or cannot be used; [`ConfigError::Invalid`] when
/// the directories differ and hold each other's files.
pub fn prepare_data_dirs(config: &Config) -> Result<DataDirs, ConfigError> {
    let dirs = DataDirs {
        snapshots: config.data_dir.join(VERSION_DIR),
        logs: config.data_log_dir.join(VERSION_DIR),
    };
    for dir in [&dirs.logs, &dirs.snapshots] {
        prepare(dir, config.storage.datadir_autocreate)?;
    }
    if dirs.snapshots != dirs.logs {
        refuse_files(
            &dirs.logs,
            "dataLogDir",
            "snapshot.",
            "Log directory has snapshot files.",
        )?;
        refuse_files(
            &dirs.snapshots,
            "dataDir",
            "log.",
            "Snapshot directory has log files.",
        )?;
    }
    Ok(dirs)
}

fn prepare(dir: &Path, autocreate: bool) -> Result<(), ConfigError> {
    let shown = dir.display();
    let failed = |reason: String| ConfigError::DataDir { reason };
    match fs::metadata(dir) {
        Ok(info) if info.is_dir() => Ok(()),
        Ok(_) => Err(failed(format!(
            "Cannot use data directory {shown}: it is not a directory"
        ))),
        Err(error) if error.kind() == ErrorKind::NotFound && !autocreate => Err(failed(format!(
            "Missing data directory {shown}, automatic data directory creation is disabled \
             (zookeeper.datadir.autocreate is false). Please create this directory manually."
        ))),
        Err(error) if error.kind() == ErrorKind::NotFound => fs::create_dir_all(dir)
            .map_err(|error| failed(format!("Unable to create data directory {shown}: {error}"))),
        Err(error) => Err(failed(format!(
            "Cannot use data directory {shown}: {error}"
        ))),
    }
}

fn refuse_files(dir: &Path, key: &str, prefix: &str, reason: &str) -> Result<(), ConfigError> {
    let unusable = |error: std::io::Error| ConfigError::DataDir {
        reason: format!("Cannot use data directory {}: {error}", dir.display()),
    };
    for entry in fs::read_dir(dir).map_err(unusable)? {
        let name = entry.map_err(unusable)?.file_name();
        if name.to_string_lossy().starts_with(prefix) {
            return Err(ConfigError::Invalid {
                origin: dir.display().to_string(),
                key: key.to_owned(),
                value: name.to_string_lossy().into_owned(),
                reason: reason.to_owned(),
                allowed: "separate directories for snapshots and logs, or dataLogDir = dataDir"
                    .to_owned(),
            });
        }
    }
    Ok(())
}
