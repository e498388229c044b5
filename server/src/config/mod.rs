//! Apache's `zoo.cfg`, the system properties of its start scripts, and its legacy arguments, turned
//! into one typed [`Config`].
//!
//! A key takes one of three ways, as in ZooKeeper: the parser reads it by name (errors are fatal),
//! or it becomes the system property `zookeeper.KEY` (garbage means the default), or it is such a
//! property without prefix, which a file cannot set. [`keys`] lists them all. What ZooKeeper passes
//! over in silence is a warning here.

mod beside;
mod ensemble;
mod error;
pub mod keys;
mod load;
mod named;
pub mod properties;
mod property;
mod settings;
mod source;
pub mod sysprops;
#[cfg(test)]
mod tests;

pub use ensemble::settings::{
    ConfigPaths, ElectionSettings, EnsembleSettings, HistorySettings, LeaderSettings,
    LearnerSettings, LinkSettings, TickLimits,
};
pub use error::ConfigError;
pub use settings::{
    AuthSettings, Autopurge, Config, ConnectionThrottle, DigestAlg, Features, Limits,
    RequestThrottle, SnapshotCompression, StorageSettings,
};
pub use sysprops::Env;
