//! The rows of the table: one module per kind of measurement.

mod binary;
mod idle;
mod load;
mod memory;
mod snapshot;

use std::collections::BTreeMap;

use anyhow::Result;

use super::Args;
use super::server::Product;

/// When a row is met. Ratios are ours divided by Apache's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    /// The ratio is at least this.
    RatioAtLeast(f64),
    /// The ratio is at most this.
    RatioAtMost(f64),
    /// Our own value is at most this.
    AtMost(f64),
    /// For orientation only.
    None,
}

/// One line of the table.
pub(super) struct Row {
    /// Short name, for `--only`.
    pub(super) name: &'static str,
    /// What it is, with its unit.
    pub(super) title: &'static str,
    pub(super) target: Target,
}

/// A row.
pub(super) const fn row(name: &'static str, title: &'static str, target: Target) -> Row {
    Row {
        name,
        title,
        target,
    }
}

/// Rows that are measured together, on one start of a server.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) rows: &'static [Row],
    pub(super) measure: fn(&Args, Product, &mut Samples) -> Result<()>,
}

/// Everything there is to measure, in the order of the table.
pub(super) const KINDS: &[Kind] = &[
    load::KIND,
    memory::KIND,
    idle::EMPTY,
    idle::SESSIONS,
    snapshot::KIND,
    binary::KIND,
];

/// The names of all rows.
pub(super) fn names(kinds: &[Kind]) -> Vec<&'static str> {
    kinds
        .iter()
        .flat_map(|kind| kind.rows)
        .map(|row| row.name)
        .collect()
}

/// What was measured so far.
pub(super) struct Samples {
    names: Vec<&'static str>,
    rows: BTreeMap<(&'static str, Product), Vec<f64>>,
    /// What the machine allows, by title.
    pub(super) floors: BTreeMap<&'static str, Vec<f64>>,
}

impl Samples {
    pub(super) fn new(kinds: &[Kind]) -> Self {
        Self {
            names: names(kinds),
            rows: BTreeMap::new(),
            floors: BTreeMap::new(),
        }
    }

    /// Adds one value of a row.
    ///
    /// # Panics
    /// If there is no such row.
    pub(super) fn add(&mut self, row: &'static str, product: Product, value: f64) {
        assert!(self.names.contains(&row), "{row} is not a row");
        eprintln!("  {row}: {value:.2}");
        self.rows.entry((row, product)).or_default().push(value);
    }

    pub(super) fn floor(&mut self, title: &'static str, value: f64) {
        self.floors.entry(title).or_default().push(value);
    }

    pub(super) fn of(&self, row: &'static str, product: Product) -> &[f64] {
        self.rows.get(&(row, product)).map_or(&[], Vec::as_slice)
    }
}
