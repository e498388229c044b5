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

/// Which members an ensemble has.
#[derive(Debug, clap::Args)]
pub(crate) struct Members {
    /// Kinds of the members, comma separated; given to them in turn.
    #[arg(
        long = "kind",
        value_enum,
        value_delimiter = ',',
        default_value = "ours"
    )]
    kinds: Vec<Which>,
    /// Members.
    #[arg(long, default_value_t = 3)]
    servers: usize,
}

impl Members {
    /// The kind of each member; at least `least` of them.
    fn kinds(&self, least: usize) -> Result<Vec<Which>> {
        ensure!(!self.kinds.is_empty(), "an ensemble needs a kind");
        let (servers, most) = (self.servers, 9);
        ensure!(
            (least..=most).contains(&servers),
            "{least} to {most} servers"
        );
        Ok(self.kinds.iter().copied().cycle().take(servers).collect())
    }

    /// The kinds by name.
    fn names(&self) -> String {
        let names: Vec<&str> = self.kinds.iter().map(|kind| kind.name()).collect();
        names.join("+")
    }
}
