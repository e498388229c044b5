//! Command line tools, as a library: the shipped binary and the examples only parse
//! arguments and hand over.

pub mod bench;
pub mod shell;
