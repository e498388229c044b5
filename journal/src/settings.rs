//! What a member's disk is configured with.

use std::path::PathBuf;

use state::Options;
use storage::log::SizeFactor;
use storage::{Layout, RollLimits, SnapshotOptions};
use zab::ServerId;
use zab::quorum::Config;

/// All settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This member.
    pub me: ServerId,
    /// Where snapshots, logs and epochs are.
    pub layout: Layout,
    /// What a start may do and assume, and how the log is written.
    pub recovery: storage::Options,
    /// How transactions are applied.
    pub state: Options,
    /// When the log starts a new file, and when a snapshot is due.
    pub roll: RollLimits,
    /// How snapshots are written.
    pub snapshot: SnapshotSettings,
    /// `zookeeper.commitLogCount`: so many of the newest entries are kept in memory from the start
    /// on.
    pub commit_log_count: usize,
    /// So far apart in the log, in bytes, are the places that are kept in memory for those who read
    /// it.
    pub log_mark_spacing: u64,
    /// `zookeeper.snapshotSizeFactor`
    pub size_factor: SizeFactor,
    /// Where the configuration is.
    pub config: ConfigSettings,
}

/// How snapshots are written.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotSettings {
    /// Compression and pace of the file.
    pub file: SnapshotOptions,
    /// `zookeeper.digest.enabled`
    pub digest: bool,
    /// `zookeeper.serializeLastProcessedZxid.enabled`
    pub last_processed: bool,
}

impl Default for SnapshotSettings {
    fn default() -> Self {
        Self {
            file: SnapshotOptions::default(),
            digest: true,
            last_processed: true,
        }
    }
}

/// Where the configuration is.
#[derive(Clone, Debug)]
pub struct ConfigSettings {
    /// The static file, `zoo.cfg`, with an absolute path: a path below it is written into it. It
    /// need not exist, see [`crate::config`].
    pub file: PathBuf,
    /// What the `server.N` lines of the static file say, or whatever else the member is started
    /// with; counts as long as no `dynamicConfigFile` does.
    pub initial: Config,
    /// `reconfigEnabled`: without it the files are neither written nor read, as in Apache, and
    /// every start is one with the initial configuration.
    pub reconfig_enabled: bool,
}
