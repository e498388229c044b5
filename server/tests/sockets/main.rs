//! The real binary over real sockets and on real directories.

mod common;
mod disk;
mod edge_cases;
mod ensemble;
mod floods;
mod frames;
mod handshake;
mod order;
mod process;
mod words;
