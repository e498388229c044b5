//! The ZooKeeper wire format: records, frames, paths and codes.
//!
//! Everything here is a pure function of bytes. Records borrow from the buffer they
//! are decoded from, keep null apart from empty, and never panic on bad input: a
//! [`wire::DecodeError`] says what was wrong and where.
//!
//! * [`wire`]: the cursor, the limits and the two traits every record implements
//! * [`data`]: the small records that appear everywhere (`Id`, `Acl`, `Stat`)
//! * [`proto`]: requests, replies and events of the client port
//! * [`txn`]: transactions, as logged and as proposed
//! * [`quorum`]: what servers of an ensemble say to each other
//! * [`quota`]: the text of quotas
//! * [`properties`]: the text format of configurations
//! * [`frame`]: the length prefix around every packet

pub mod data;
mod error_code;
pub mod frame;
mod op;
pub mod path;
pub mod properties;
pub mod proto;
pub mod quorum;
pub mod quota;
pub mod txn;
pub mod wire;
mod zxid;

pub use error_code::ErrorCode;
pub use op::{CreateMode, OpCode};
pub use wire::{Buffer, Ustring};
pub use zxid::Zxid;
