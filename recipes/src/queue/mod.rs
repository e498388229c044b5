//! Queues: see the crate's documentation.

mod distributed;
mod entries;
mod item;
mod locking;
mod locks;
mod name;
mod simple;

pub use distributed::{
    DistributedDelayQueue, DistributedIdQueue, DistributedPriorityQueue, DistributedQueue,
    HeldItems, ItemQueue, QueueOptions,
};
pub use locking::{HeldEntry, LockingQueue};
pub use simple::{Queue, SimpleQueue};
