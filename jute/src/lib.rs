//! The ZooKeeper wire format: records, frames, paths and codes; no IO.
