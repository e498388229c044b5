//! Transactions: what a leader proposes and every server logs and applies.

mod entry;
mod records;

pub use entry::{LogEntry, SubTxn, Txn};
pub use records::{
    CheckVersionTxn, CloseSessionTxn, CreateContainerTxn, CreateSessionTxn, CreateTtlTxn,
    CreateTxn, DeleteTxn, ErrorTxn, SetAclTxn, SetDataTxn, TxnDigest, TxnHeader,
};
