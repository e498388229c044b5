//! Quotas: limits on the number of nodes and bytes below a prefix.
//!
//! Limits and usage are ordinary nodes, `/zookeeper/quota<prefix>/zookeeper_limits` and
//! `zookeeper_stats`. Every change below a prefix rewrites the data of its stats node in
//! place, so the numbers are kept here and only written as text.

mod check;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jute::path;
use jute::quota::{LIMITS_NAME, STATS_NAME};

pub(crate) use check::check;
pub use check::{Exceeded, Measure, QuotaSink};
pub use jute::quota::{QuotaText, QuotaTextError, limits_path, render_stats, stats_path};

/// What is below a prefix, the node at the prefix included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Number of nodes.
    pub count: i64,
    /// Bytes of their data.
    pub bytes: i64,
}

/// The prefixes that have limits, and the usage of those that have a stats node.
#[derive(Clone, Debug, Default)]
pub struct Quotas {
    prefixes: BTreeMap<String, Prefix>,
}

#[derive(Clone, Debug, Default)]
struct Prefix {
    has_limits: bool,
    usage: Option<Usage>,
}

impl Quotas {
    /// Notes that a limits node was created for `prefix`.
    pub fn on_limits_created(&mut self, prefix: &str) {
        self.entry(prefix).has_limits = true;
    }

    /// Notes that the limits node of `prefix` was deleted: what is below is free again.
    pub fn on_limits_deleted(&mut self, prefix: &str) {
        self.change(prefix, |entry| entry.has_limits = false);
    }

    /// Notes what the stats node of `prefix` says now; `None` when it is gone or unreadable.
    pub fn set_usage(&mut self, prefix: &str, usage: Option<Usage>) {
        match usage {
            Some(usage) => self.entry(prefix).usage = Some(usage),
            None => self.change(prefix, |entry| entry.usage = None),
        }
    }

    /// What the stats node of `prefix` says, if there is one.
    pub fn usage(&self, prefix: &str) -> Option<Usage> {
        self.prefixes.get(prefix)?.usage
    }

    /// Adds to the usage of `prefix` and returns the new one, to be rendered into the stats
    /// node; `None` when there is no such node.
    pub fn add(&mut self, prefix: &str, count: i64, bytes: i64) -> Option<Usage> {
        let usage = self.prefixes.get_mut(prefix)?.usage.as_mut()?;
        // A client may have written any numbers there.
        usage.count = usage.count.wrapping_add(count);
        usage.bytes = usage.bytes.wrapping_add(bytes);
        Some(*usage)
    }

    /// The deepest prefix with limits that `path` is at or below.
    pub fn find(&self, path: &str) -> Option<&str> {
        if self.prefixes.is_empty() {
            return None;
        }
        let mut at = path;
        while !at.is_empty() {
            if let Some((prefix, entry)) = self.prefixes.get_key_value(at)
                && entry.has_limits
            {
                return Some(prefix);
            }
            (at, _) = path::split(at)?;
        }
        None
    }

    /// All prefixes with limits, in order.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> + '_ {
        self.prefixes
            .iter()
            .filter(|(_, entry)| entry.has_limits)
            .map(|(prefix, _)| prefix.as_str())
    }

    fn entry(&mut self, prefix: &str) -> &mut Prefix {
        debug_assert!(prefix.len() > 1, "the root has no quota");
        self.prefixes.entry(prefix.to_owned()).or_default()
    }

    fn change(&mut self, prefix: &str, change: impl FnOnce(&mut Prefix)) {
        if let Some(entry) = self.prefixes.get_mut(prefix) {
            change(entry);
            if !entry.has_limits && entry.usage.is_none() {
                self.prefixes.remove(prefix);
            }
        }
    }
}

/// A node that quotas are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaNode<'p> {
    /// The limits of this prefix.
    Limits(&'p str),
    /// The usage of this prefix.
    Stats(&'p str),
}

impl<'p> QuotaNode<'p> {
    /// Is the node at `path` part of a quota? Those of the root are not: it has no quota.
    pub fn of(path: &'p str) -> Option<Self> {
        let below = path.strip_prefix(path::QUOTA)?;
        let (prefix, name) = path::split(below)?;
        if prefix.is_empty() {
            return None;
        }
        match name {
            LIMITS_NAME => Some(Self::Limits(prefix)),
            STATS_NAME => Some(Self::Stats(prefix)),
            _ => None,
        }
    }
}
