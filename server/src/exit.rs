//! Exit codes: Apache's, so that supervisors need not learn new ones.

use storage::StorageError;

use crate::config::ConfigError;

/// Something unexpected: the port is taken, the disk failed.
const UNEXPECTED: u8 = 1;
/// The data directory is missing or unusable.
const DATA_DIR: u8 = 3;

/// The code with which the process ends for this error.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    if let Some(config) = error.downcast_ref::<ConfigError>() {
        return config.exit_code() as u8;
    }
    match error.downcast_ref::<StorageError>() {
        Some(StorageError::MissingDirectory { .. }) => DATA_DIR,
        _ => UNEXPECTED,
    }
}
