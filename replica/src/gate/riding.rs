//! Reads that go the way of the writes, to be answered in their turn.

use std::sync::atomic::Ordering::Relaxed;

use jute::OpCode;

use super::{Class, Gate};
use crate::Service;
use crate::connection::OUTBOX_HIGH_WATER;

/// So many requests of a connection may be in flight for a read to go behind them, however short
/// their answers are expected to be: these are made whether or not the client reads the ones
/// before.
const RIDING_MAX: usize = 32;

/// When reads close in front of a write go with it.
#[derive(Clone, Copy, Debug)]
pub struct RidingOptions {
    /// With so many requests in flight. With fewer the processor has time to answer each read by
    /// itself, and clients go on sooner. The reads that go with writes are among them, and so keep
    /// a server that has become busy so until its clients ask for less.
    pub busy_outstanding: i64,
    /// While the last round took no longer than this, microseconds: who reads would wait for a slow
    /// disk else. Rounds that wait for one another, or for the thread that writes the log, are as
    /// slow to a client.
    pub short_round_us: u64,
}

impl Default for RidingOptions {
    fn default() -> Self {
        Self {
            busy_outstanding: 192,
            short_round_us: 1000,
        }
    }
}

/// Reads that may go with the writes of their connection: those that cost no more than a node.
pub(crate) fn may_ride(op: OpCode) -> bool {
    matches!(op, OpCode::Exists | OpCode::GetData | OpCode::GetAcl)
}

impl Gate<'_> {
    /// Whether a read goes with the writes of its connection. To wait for those before it would
    /// cost a pipelining client a whole round, and the way to the shell and back, for each read
    /// that comes behind a write. No more go than are expected to fit below the high-water mark, as
    /// if all that is in flight were such reads.
    pub(super) fn rides(&self, op: OpCode) -> bool {
        let before = self.writes.len() + self.connection.in_flight() as usize;
        may_ride(op)
            && before < RIDING_MAX
            && before.max(1) * self.node_len <= OUTBOX_HIGH_WATER
            && self.replica.service() == Service::Serving
            && !self.connection.is_syncing()
            && (before > 0 || self.is_close_in_front_of_a_write())
    }

    /// Whether the read at the front of the input goes with a write behind it. Answered at once,
    /// the answers to a few reads travel by themselves, and so does what the client asks next: on a
    /// busy server these small pieces cost more than the reads.
    ///
    /// Only on a server alone: a member's engine, which has the most to do, would have to answer
    /// them.
    fn is_close_in_front_of_a_write(&self) -> bool {
        let replica = self.replica;
        let options = &replica.options.riding;
        if replica.in_ensemble
            || replica.stats.outstanding.load(Relaxed) < options.busy_outstanding
            || replica.round_us.load(Relaxed) > options.short_round_us
        {
            return false;
        }
        let ahead = self.requests().take(RIDING_MAX);
        let mut classes = ahead.map(|request| self.classify(request.op));
        let behind = classes.find(|(class, op)| !matches!(class, Class::Read) || !may_ride(*op));
        matches!(behind, Some((Class::Write, _)))
    }
}
