//! The tokio shell around the replica, and the zabkeeper binary.
