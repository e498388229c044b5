//! Transaction log, snapshots and epoch files in Apache's formats over a small disk trait.
//!
//! The crate decides what is on disk; it never touches the operating system. Bytes go through
//! [`disk::Disk`], time and chance are arguments, and what the simulator runs is what ships.
//!
//! * [`recovery`]: from whatever a crash left to a loaded state and a writer that continues
//! * [`log`]: records, group commit, what counts as an unfinished end
//! * [`snap`]: snapshots, their seals and compressions
//! * [`truncate`]: takes back the end of the history
//! * [`adopt`]: replaces the history by what a leader sent
//! * [`purge`]: removes what no start needs
//! * [`superseded`]: what a new snapshot makes needless
//! * [`epochs`]: `currentEpoch` and `acceptedEpoch`
//! * [`layout`]: names and directories
//! * [`sim_disk`]: a disk in memory that loses, tears and rots
//! * [`suite`]: what every [`disk::Disk`] must do

pub mod adopt;
pub mod disk;
pub mod epochs;
mod error;
pub mod layout;
pub mod log;
pub mod purge;
pub mod recovery;
pub mod sim_disk;
pub mod snap;
pub mod suite;
pub mod superseded;
pub mod truncate;
mod unfinished;

pub use disk::{Disk, DiskFile};
pub use error::{Rejected, StorageError};
pub use layout::Layout;
pub use log::{LogOptions, LogWriter, Preallocation, RollLimits, RollPolicy};
pub use recovery::{Options, Recovered, RecoverySink, Start, open};
pub use sim_disk::SimDisk;
pub use snap::{Compression, DigestSeal, SnapshotOptions, SnapshotSink, SnapshotWriter, Trailer};
