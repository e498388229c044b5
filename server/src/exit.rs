//! How the process ends: with Apache's exit codes and last lines, so that supervisors and
//! scripts need not learn new ones.

use storage::StorageError;

use crate::config::ConfigError;
use crate::data_dir::DataDirError;
use crate::peer::listen::ListenError;

/// An end for this error: the exit code and the last line on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The process's exit code.
    pub code: u8,
    /// What scripts look for.
    pub closing_line: &'static str,
}

/// For whatever has no code of its own.
pub(crate) const BROKEN: Exit = Exit {
    code: 1,
    closing_line: "Unexpected exception, exiting abnormally",
};

/// Apache takes mixed up directories for an error of the configuration.
const MISPLACED: Exit = Exit {
    code: 2,
    closing_line: "Invalid config, exiting abnormally",
};

/// A port between servers cannot be had. For the client port it is [`BROKEN`].
const NO_PEER_PORT: u8 = 14;

/// How the process ends for this error.
pub fn exit(error: &anyhow::Error) -> Exit {
    if let Some(config) = error.downcast_ref::<ConfigError>() {
        return Exit {
            code: 2,
            closing_line: config.closing_line(),
        };
    }
    if error.downcast_ref::<ListenError>().is_some() {
        return Exit {
            code: NO_PEER_PORT,
            ..BROKEN
        };
    }
    if let Some(DataDirError::Foreign { .. }) = error.downcast_ref::<DataDirError>() {
        return MISPLACED;
    }
    match error.downcast_ref::<StorageError>() {
        Some(StorageError::MissingDirectory { .. }) => Exit {
            code: 3,
            closing_line: "Unable to access datadir, exiting abnormally",
        },
        Some(StorageError::Misplaced { .. }) => MISPLACED,
        _ => BROKEN,
    }
}
