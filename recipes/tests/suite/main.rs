//! The recipes on a server in this process.

mod cancellation;
mod common;
mod election;
mod loss;
mod mutex;
mod rwlock;
mod semaphore;
