//! The tokio shell around the replica: sockets, threads, files and clocks.
//!
//! What decides something is not here but in `replica`, `state` and `storage`; this crate
//! moves bytes between them and the operating system.

pub mod admin;
mod answering;
mod clock;
pub mod config;
mod data_dir;
mod disk;
pub mod embedded;
mod ensemble;
mod exit;
mod io_watch;
mod load;
mod metrics;
mod net;
mod options;
pub mod peer;
mod pipeline;
mod queue;
mod quota_log;
mod serve;
mod snapshots;
mod standalone;
mod write_path;

pub use disk::RealDisk;
pub use exit::{Exit, exit};
pub use serve::run;
