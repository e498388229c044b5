use jute::ErrorCode;

use super::text::Limit;
use super::{QuotaText, Quotas, limits_path};
use crate::tree::Tree;

/// May the nodes at and below the deepest prefix of `path` grow by so many nodes and bytes?
/// The committed usage decides, so what is pending does not count.
///
/// # Errors
/// [`ErrorCode::QuotaExceeded`] above a hard limit; soft limits are for monitoring.
/// [`ErrorCode::MarshallingError`] when the limits cannot be read: then nobody knows.
pub(crate) fn check(
    quotas: &Quotas,
    tree: &Tree,
    path: &str,
    count: i64,
    bytes: i64,
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
    if exceeds(limits.count_limit(), usage.count, count)
        || exceeds(limits.byte_limit(), usage.bytes, bytes)
    {
        return Err(ErrorCode::QuotaExceeded);
    }
    Ok(())
}

fn exceeds(limit: Option<Limit>, used: i64, more: i64) -> bool {
    limit.is_some_and(|limit| limit.is_hard && more != 0 && used.saturating_add(more) > limit.value)
}
