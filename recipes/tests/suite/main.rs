//! The recipes on a server in this process.

mod barrier;
mod cache;
mod cancellation;
mod common;
mod discovery;
mod election;
mod group;
mod loss;
mod mutex;
mod partitioner;
mod persistent;
mod queue;
mod rwlock;
mod semaphore;
mod value;
