//! Ensembles of any kinds of servers: faults under load, mixtures, clients, fail-over times.

mod bulk;
mod client;
mod cluster;
mod config;
pub(crate) mod faults;
pub(crate) mod foreign;
mod idle;
mod linear;
mod load;
mod member;
pub(crate) mod meter;
pub(crate) mod mixed;
mod network;

use anyhow::{Result, ensure};

use crate::report::Report;
use crate::server::Which;

/// Runs one scenario as one line of the table; its text are the figures.
fn row(report: &mut Report, name: &str, body: impl FnOnce() -> Result<String>) {
    match body() {
        Ok(figures) => report.pass(&format!("{name}: {figures}")),
        Err(error) => report.fail(name, &format!("{error:#}")),
    }
}

/// `kinds`, given in turn to so many members.
fn kinds_of(kinds: &[Which], servers: usize) -> Result<Vec<Which>> {
    ensure!(!kinds.is_empty(), "an ensemble needs a kind");
    ensure!((1..=9).contains(&servers), "1 to 9 servers");
    Ok(kinds.iter().copied().cycle().take(servers).collect())
}
