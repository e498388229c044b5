use std::fmt;

use jute::ErrorCode;
use jute::quota::Limit;

use super::{QuotaText, Quotas, limits_path};
use crate::tree::Tree;

/// Hears of quotas that a write exceeds. What it does with that changes no answer.
pub trait QuotaSink: fmt::Debug + Send + Sync {
    /// A write exceeds a quota. Above a hard limit it is refused.
    fn exceeded(&self, exceeded: &Exceeded<'_>);
}

/// What a quota limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The number of nodes.
    Count,
    /// The bytes of their data.
    Bytes,
}

/// A quota that a write exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded<'a> {
    /// Where the quota is set.
    pub prefix: &'a str,
    /// What it limits.
    pub measure: Measure,
    /// What there would be with the write.
    pub usage: i64,
    /// What there may be.
    pub limit: i64,
    /// Is the write refused?
    pub is_hard: bool,
}

/// As Apache logs it.
impl fmt::Display for Exceeded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, limit) = match self.measure {
            Measure::Count => ("count", "CountLimit"),
            Measure::Bytes => ("bytes", "ByteLimit"),
        };
        let kind = if self.is_hard { "hard" } else { "soft" };
        write!(
            f,
            "Quota exceeded: {} [current {name}={}, {kind}{limit}={}]",
            self.prefix, self.usage, self.limit
        )
    }
}

/// May the nodes at and below the deepest prefix of `path` grow by so many nodes and bytes?
/// The committed usage decides, so what is pending does not count. `report` hears of what
/// exceeds a limit; above a soft one that is all that happens.
///
/// # Errors
/// [`ErrorCode::QuotaExceeded`] above a hard limit.
/// [`ErrorCode::MarshallingError`] when the limits cannot be read: then nobody knows.
pub(crate) fn check(
    quotas: &Quotas,
    tree: &Tree,
    path: &str,
    (count, bytes): (i64, i64),
    mut report: impl FnMut(&Exceeded<'_>),
) -> Result<(), ErrorCode> {
    let Some(prefix) = quotas.find(path) else {
        return Ok(());
    };
    let Some(limits) = tree.lookup(&limits_path(prefix)) else {
        return Ok(());
    };
    let limits = QuotaText::parse(tree.data(limits)).map_err(|_| ErrorCode::MarshallingError)?;
    // Without a stats node nothing is known of the usage, and nothing refused.
    let Some(usage) = quotas.usage(prefix) else {
        return Ok(());
    };
    for (measure, limit, used, more) in [
        (Measure::Count, limits.count_limit(), usage.count, count),
        (Measure::Bytes, limits.byte_limit(), usage.bytes, bytes),
    ] {
        let Some(Limit { value, is_hard }) = limit else {
            continue;
        };
        let usage = used.saturating_add(more);
        if more == 0 || usage <= value {
            continue;
        }
        report(&Exceeded {
            prefix,
            measure,
            usage,
            limit: value,
            is_hard,
        });
        if is_hard {
            return Err(ErrorCode::QuotaExceeded);
        }
    }
    Ok(())
}
