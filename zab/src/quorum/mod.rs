//! Who is a member, whose voice counts, and when enough of them agree.

mod acks;
mod config;
mod joint;
mod verifier;

pub use acks::Acks;
pub use config::{Config, ConfigError};
pub use joint::Configs;

#[cfg(test)]
mod tests;
