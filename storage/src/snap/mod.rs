//! Snapshots: `snapshot.<zxid>` files.
//!
//! * [`mod@format`] is the layout and the seals, [`body`] what stands between header and seals,
//!   [`compress`] the three forms of the byte stream
//! * [`writer`] makes a snapshot visible only when it is durable
//! * [`reader`] hands out what is there, and verifies all of it
//! * [`choose`] lists and orders candidates
//! * [`receive`] stores what a leader sends

pub mod body;
pub mod choose;
pub mod compress;
pub mod format;
pub mod reader;
pub mod receive;
pub mod writer;

pub use body::SnapshotSink;
pub use choose::{Candidate, SNAPSHOTS_TRIED_MAX, candidates};
pub use compress::Compression;
pub use format::{DigestSeal, Trailer};
pub use reader::load;
pub use receive::{ReceiveError, SnapshotReceiver};
pub use writer::{SnapshotOptions, SnapshotWriter};
