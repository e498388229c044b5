//! What the configuration says about the protocol. Times are in milliseconds.

/// Timeouts and limits; named like ZooKeeper's options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `tickTime`.
    pub tick_time_ms: u64,
    /// `initLimit`, in ticks: until a learner has synchronised.
    pub init_limit: u64,
    /// `syncLimit`, in ticks: silence after which the other side is given up.
    pub sync_limit: u64,
    /// `connectToLearnerMasterLimit`, in ticks; 0 means `initLimit`.
    pub connect_to_learner_master_limit: u64,
    /// `zookeeper.leaderConnectDelayDuringRetryMs`.
    pub leader_connect_delay_ms: u64,
    /// `zookeeper.fastleader.minNotificationInterval`.
    pub min_notification_interval_ms: u64,
    /// `zookeeper.fastleader.maxNotificationInterval`.
    pub max_notification_interval_ms: u64,
    /// `zookeeper.observer.election.DelayMs`: how long an observer that lost its leader waits
    /// before it looks for one again. Apache waits a random time below it.
    pub observer_election_delay_ms: u64,
    /// How long a better vote is waited for once a quorum agrees, unless every voter has spoken.
    pub finalize_wait_ms: u64,
    /// `zookeeper.commitLogCount`: committed entries kept in memory for learners.
    pub commit_log_count: usize,
    /// `zookeeper.leader.maxConcurrentSnapSyncs`: an observer that needs one more tree at the same
    /// time is turned away. Followers count, but are never turned away.
    pub max_concurrent_snap_syncs: usize,
    /// `zookeeper.leader.maxConcurrentDiffSyncs`: the same for DIFF and TRUNC, from memory or from
    /// the log.
    pub max_concurrent_diff_syncs: usize,
    /// `observerMasterPort` is set: as a follower this server serves observers, as an observer it
    /// prefers followers to the leader.
    pub observer_masters: bool,
    /// `zookeeper.leader.maxTimeToWaitForEpoch`; `None` for -1. After so long a leader that waits
    /// for a quorum to tell its epochs gives up when one who elected it is in an election again.
    pub max_time_to_wait_for_epoch_ms: Option<u64>,
    /// `reconfigEnabled`: without it the configuration is that of the files for ever, and has the
    /// version that it has there; 0, as a rule. A stock server that is told of a later one by a
    /// vote begins its election anew, again and again.
    pub reconfig_enabled: bool,
    /// The last counter of an epoch that is given to a transaction; then a new epoch begins.
    pub counter_max: u32,
}

impl Options {
    /// A new epoch begins before the counter's last value, which Apache never proposes.
    pub const COUNTER_MAX: u32 = u32::MAX - 1;

    /// Longest time of a learner between its first packet and UPTODATE.
    pub fn init_limit_ms(&self) -> u64 {
        self.tick_time_ms * self.init_limit
    }

    /// Longest silence between servers that have synchronised.
    pub fn sync_limit_ms(&self) -> u64 {
        self.tick_time_ms * self.sync_limit
    }

    /// Longest time that a learner tries to reach its leader.
    pub fn connect_limit_ms(&self) -> u64 {
        match self.connect_to_learner_master_limit {
            0 => self.init_limit_ms(),
            ticks => self.tick_time_ms * ticks,
        }
    }

    /// How often a leader pings. Stock learners need tickTime/2; ours recognise a leader that
    /// pings at least every tickTime/4, and notice early when it falls silent.
    pub fn ping_interval_ms(&self) -> u64 {
        (self.tick_time_ms / 8).max(1)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tick_time_ms: 3000,
            init_limit: 10,
            sync_limit: 5,
            connect_to_learner_master_limit: 0,
            leader_connect_delay_ms: 100,
            min_notification_interval_ms: 200,
            max_notification_interval_ms: 60_000,
            observer_election_delay_ms: 200,
            finalize_wait_ms: 200,
            commit_log_count: 500,
            max_concurrent_snap_syncs: 10,
            max_concurrent_diff_syncs: 100,
            observer_masters: false,
            max_time_to_wait_for_epoch_ms: None,
            reconfig_enabled: true,
            counter_max: Self::COUNTER_MAX,
        }
    }
}
