//! What the tests that start real servers share.

mod port;

pub use port::ReservedPort;
