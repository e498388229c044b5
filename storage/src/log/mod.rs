//! The transaction log: `log.<zxid>` files of framed records.
//!
//! * [`mod@format`] is the layout of bytes
//! * [`writer`] appends with one sync per batch
//! * `reader` walks one file
//! * `tail` tells what a crash left behind from what must not be passed over
//! * `replay` walks the whole history
//! * [`received`] stores what a leader sends behind a tree
//! * [`roll`] decides when a new file starts
//! * [`cursor`] reads it for learners, [`marks`] says from where, [`holds`] keeps what they need,
//!   [`size_factor`] says when that is worth it

pub mod cursor;
pub mod format;
pub mod holds;
pub mod marks;
mod preparation;
pub(crate) mod reader;
pub mod received;
pub(crate) mod replay;
pub mod roll;
pub mod size_factor;
pub(crate) mod tail;
pub mod writer;

pub use cursor::{CursorStep, LogCursor};
pub use holds::{LogHold, LogHolds};
pub use marks::{LogMark, LogMarks};
pub use preparation::{Preparation, Prepared};
pub use received::ReceivedLog;
pub use roll::{RollLimits, RollPolicy};
pub use size_factor::SizeFactor;
pub use writer::{LogOptions, LogWriter, Preallocation};
