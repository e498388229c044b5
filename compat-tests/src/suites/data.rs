//! Data directories across servers: what one wrote, another must load to the same tree.

mod samples;
mod workload;

use anyhow::Result;

use crate::report::Report;
use crate::server::{Launcher, Which};

/// What to test.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The server to test.
    #[arg(long, value_enum, default_value_t = Which::Ours)]
    server: Which,
    /// Random requests behind each directory that is written here.
    #[arg(long, default_value_t = 1500)]
    ops: usize,
    /// Run only the written directories whose row contains this text.
    #[arg(long)]
    only: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            server: Which::Ours,
            ops: 1500,
            only: None,
        }
    }
}

/// Runs the table.
///
/// # Errors
/// When the recorded samples cannot be read.
pub(crate) fn run(launcher: &Launcher, options: &Options) -> Result<bool> {
    let mut report = Report::new("data");
    if options.only.is_none() {
        samples::directories(launcher, options.server, &mut report);
        samples::compressed_snapshots(launcher, options.server, &mut report);
        samples::damaged_logs(launcher, options.server, &mut report);
    }
    workload::across(launcher, options, &mut report);
    Ok(report.finish())
}
