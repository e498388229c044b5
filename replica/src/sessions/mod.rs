//! Which sessions are alive. Decided by one server alone: standalone by itself.

mod ids;
mod tracker;

pub use ids::SessionIds;
pub use tracker::{SessionState, SessionTracker};
