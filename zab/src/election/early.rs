//! Votes in the next election that come while this server still has a leader.
//!
//! Who loses a leader first says so to a server that learns of the loss a moment later. It is
//! answered with the leader that is gone, and does not vote again before its next wait is over:
//! 200 ms in which the ensemble has no leader. So its vote is kept for a moment.
//!
//! To count it then is no more than if it had been as long on its way. It is kept for the last wait
//! of an election (`finalize_wait_ms`): by default as long as a voter waits before it first says
//! its vote again (`min_notification_interval_ms`). A shorter one costs time, nothing else.

use std::collections::BTreeMap;

use jute::quorum::election::ServerState;

use super::Notification;
use crate::{ServerId, Time};

/// The newest such vote of each voter, and when it came. The caller hands in voters alone, so
/// there are few; the election looks once more who is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct EarlyVotes(BTreeMap<ServerId, (Time, Notification)>);

impl EarlyVotes {
    /// A voter says something to a server that has a leader, elected in `round`.
    pub(crate) fn heard(
        &mut self,
        from: ServerId,
        notification: &Notification,
        round: i64,
        now: Time,
    ) {
        if notification.state == ServerState::Looking && notification.round > round {
            self.0.insert(from, (now, notification.clone()));
        } else {
            self.0.remove(&from);
        }
    }

    /// The leader is lost: votes that came within `wait_ms`, as if they came now. Older ones were
    /// answered, and whoever sent them has found the leader since.
    pub(crate) fn take(&mut self, now: Time, wait_ms: u64) -> BTreeMap<ServerId, Notification> {
        let votes = std::mem::take(&mut self.0).into_iter();
        votes
            .filter(|(_, (came, _))| now < came.after_ms(wait_ms))
            .map(|(from, (_, notification))| (from, notification))
            .collect()
    }

    /// Without the times.
    #[cfg(test)]
    pub(crate) fn timeless(&self) -> impl Iterator<Item = (&ServerId, &Notification)> {
        self.0
            .iter()
            .map(|(from, (_, notification))| (from, notification))
    }
}
