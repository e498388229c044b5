//! A logged transaction as consensus knows it.

use bytes::Bytes;
use jute::Zxid;
use jute::txn::TxnHeader;
use jute::wire::{Decode, DecodeError, Limits, Reader};
use thiserror::Error;
use zab::{Entry, WireError};

/// Why bytes are no entry.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EntryError {
    /// They do not start as one.
    #[error("no transaction header: {0}")]
    Header(#[from] DecodeError),
    /// A reconfiguration without a configuration that can be one.
    #[error(transparent)]
    Config(#[from] WireError),
}

/// The entry in these bytes: header, body and digest, as in a log record, in PROPOSAL and from
/// `state::prep`. Of a reconfiguration the configuration is taken out; of no other anything but the
/// zxid is looked at.
///
/// # Errors
/// No zxid, or a reconfiguration to what is none.
pub fn entry_of(bytes: Bytes, limits: Limits) -> Result<Entry, EntryError> {
    let header = TxnHeader::decode(&mut Reader::new(&bytes, limits))?;
    Ok(Entry::from_bytes(Zxid(header.zxid), bytes, limits)?)
}
