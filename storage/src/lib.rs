//! Transaction log, snapshots and epoch files in Apache's formats over a small disk trait.
