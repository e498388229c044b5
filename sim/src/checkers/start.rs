//! Every state that a crash leaves can be started from; damage that no crash explains is
//! refused with a message, and nothing is changed then.
//!
//! Source: DESIGN.md, invariant 10; section 17 of the Zab facts, (iv).

use storage::StorageError;

use crate::violation::{Checked, Violation};

const NAME: &str = "start";

/// What may explain that a start fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Excuses {
    /// A bit was flipped before.
    pub(crate) rotten: bool,
    /// The disk has a limited capacity.
    pub(crate) full: bool,
    /// An operation of the disk was made to fail.
    pub(crate) failing: bool,
}

/// Why a start failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The damage was found.
    Damage,
    /// There is no space.
    NoSpace,
    /// The disk failed.
    DiskError,
}

/// Judges a start that failed for another reason than a crash in it.
pub(crate) fn failed(error: &StorageError, excuses: Excuses) -> Checked<Refusal> {
    if excuses.full && error.is_storage_full() {
        return Ok(Refusal::NoSpace);
    }
    let injected = |kind| kind == std::io::ErrorKind::Other;
    if excuses.failing
        && matches!(error, StorageError::Io { source, .. } if injected(source.kind()))
    {
        return Ok(Refusal::DiskError);
    }
    let found = matches!(
        error,
        StorageError::DamagedLog { .. }
            | StorageError::BadSnapshot { .. }
            | StorageError::NoUsableSnapshot { .. }
            | StorageError::LogWithoutSnapshot { .. }
            | StorageError::Hole { .. }
    );
    if excuses.rotten && found {
        return Ok(Refusal::Damage);
    }
    Err(Violation::new(NAME, format!("refused to start: {error}")))
}
