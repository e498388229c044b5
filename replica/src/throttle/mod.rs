//! Limits that refuse work before it costs anything.

mod connections;
mod large;

pub use connections::{ConnectionThrottle, ConnectionThrottleOptions, SessionKind};
pub use large::LargeRequests;
