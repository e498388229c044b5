//! SIGKILL under load, again and again, and logs cut at every byte of their last record.

mod load;
mod torn;

use anyhow::Result;

use crate::report::Report;
use crate::server::{Launcher, Which};

/// How much to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The server to test.
    #[arg(long, value_enum, default_value_t = Which::Ours)]
    server: Which,
    /// Number of SIGKILLs.
    #[arg(long, default_value_t = 300)]
    kills: u32,
    /// Cut every Nth byte of the last record, and every Nth byte of the padding behind it.
    #[arg(long, default_value_t = 1)]
    torn_step: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            server: Which::Ours,
            kills: 300,
            torn_step: 1,
        }
    }
}

/// Runs both halves.
///
/// # Errors
/// When the first start fails; later failures are rows of the table.
pub(crate) fn run(launcher: &Launcher, options: &Options) -> Result<bool> {
    let mut report = Report::new("crash");
    load::kills(launcher, options.server, options.kills, &mut report)?;
    torn::every_cut(
        launcher,
        options.server,
        options.torn_step.max(1),
        &mut report,
    )?;
    Ok(report.finish())
}
