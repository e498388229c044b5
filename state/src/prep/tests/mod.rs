//! Each table is a story: requests in order, and what they come to.

mod apache;
mod checks;
mod eager;
mod harness;
mod multi;
mod pipelined;
mod session;
