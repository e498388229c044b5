//! One file for each property. All of them look from outside: at what is written to the
//! log, at what clients and servers send and receive, at what a start finds.

pub(crate) mod acknowledged;
pub(crate) mod committed_snapshots;
pub(crate) mod digests;
pub(crate) mod disks;
pub(crate) mod durability;
pub(crate) mod ephemerals;
pub(crate) mod history;
pub(crate) mod integrity;
pub(crate) mod leadership;
pub(crate) mod ledger;
pub(crate) mod liveness;
pub(crate) mod messages;
pub(crate) mod primary_integrity;
pub(crate) mod primary_order;
pub(crate) mod promises;
pub(crate) mod replay;
pub(crate) mod session_order;
pub(crate) mod start;
pub(crate) mod total_order;
pub(crate) mod tree_reads;
pub(crate) mod tree_writes;
pub(crate) mod watch_order;
