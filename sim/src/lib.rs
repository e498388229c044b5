//! Deterministic simulation of a replica with clients over faulty disks and broken connections.
