//! The replicated state: znode tree, transactions, sessions, watches; deterministic.
