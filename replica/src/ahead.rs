//! What will be looked up soon is looked up together, see
//! [`Tree::prefetch`](state::tree::Tree::prefetch).

use jute::txn::TxnHeader;
use state::State;

/// Prefetches what these requests, or those of them that begin with a path, are about.
pub(crate) fn of_requests<'a>(state: &State, bodies: impl Iterator<Item = &'a [u8]>) {
    state.tree().prefetch(bodies.filter_map(path));
}

/// Prefetches what these log entries change.
pub(crate) fn of_entries<'a>(state: &State, entries: impl Iterator<Item = &'a [u8]>) {
    of_requests(
        state,
        entries.filter_map(|entry| entry.get(TxnHeader::ENCODED_LEN..)),
    );
}

/// The string at the start: nearly every record begins with a path, and what is none is not found.
fn path(record: &[u8]) -> Option<&[u8]> {
    let (len, rest) = record.split_first_chunk()?;
    rest.get(..usize::try_from(i32::from_be_bytes(*len)).ok()?)
}
