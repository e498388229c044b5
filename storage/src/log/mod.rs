//! The transaction log: `log.<zxid>` files of framed records.
//!
//! * [`format`] is the layout of bytes
//! * [`writer`] appends with one sync per batch
//! * `reader` walks one file
//! * `tail` tells what a crash left behind from what must not be passed over
//! * `replay` walks the whole history
//! * [`roll`] decides when a new file starts

pub mod format;
mod preparation;
pub(crate) mod reader;
pub(crate) mod replay;
pub mod roll;
pub(crate) mod tail;
pub mod writer;

pub use preparation::{Preparation, Prepared};
pub use roll::{RollLimits, RollPolicy};
pub use writer::{LogOptions, LogWriter, Preallocation};
