//! What rows take from a run of the generator.

use anyhow::{Context as _, Result};

use super::Args;
use super::generator::Measured;
use super::rows::Samples;
use super::server::Product;

/// A figure of one run.
#[derive(Clone, Copy)]
pub(super) enum Figure {
    /// Requests, sessions or znodes.
    PerSecond,
    /// A point of the latency distribution.
    LatencyUs(&'static str),
    /// CPU of all servers for each transaction, microseconds.
    CpuPerWrite,
}

/// A row, and what it takes.
pub(super) type Yield = (&'static str, Figure);

/// Whether a run that yields these rows is to be measured.
pub(super) fn wants_any(args: &Args, yields: &[Yield]) -> bool {
    yields.iter().any(|(row, _)| args.wants(row))
}

/// Adds the figures of a run to their rows. `cpu_per_write` is what the servers used, if that was
/// looked at.
///
/// # Errors
/// When a figure is missing.
pub(super) fn add(
    samples: &mut Samples,
    product: Product,
    yields: &[Yield],
    measured: &Measured,
    cpu_per_write: Option<f64>,
) -> Result<()> {
    for (row, figure) in yields {
        let value = match figure {
            Figure::PerSecond => measured.per_second()?,
            Figure::LatencyUs(point) => measured.latency_us(point)?,
            Figure::CpuPerWrite => cpu_per_write.context("nobody looked at the CPU")?,
        };
        samples.add(row, product, value);
    }
    Ok(())
}

/// Checks that each row of a kind is yielded by one load.
#[cfg(test)]
pub(super) fn assert_each_once<'a>(
    kind: &super::rows::Kind,
    yields: impl Iterator<Item = &'a Yield>,
) {
    let mut yielded: Vec<_> = yields.map(|(row, _)| *row).collect();
    let mut rows: Vec<_> = kind.rows.iter().map(|row| row.name).collect();
    yielded.sort_unstable();
    rows.sort_unstable();
    assert_eq!(yielded, rows, "{}", kind.name);
}
