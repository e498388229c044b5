//! What a peer is, whatever its role.

use std::collections::BTreeSet;

use jute::Zxid;

use crate::effect::{Effect, Effects, RoleStatus, Store};
use crate::election::{Ballot, EarlyVotes, Strangers};
use crate::history::History;
use crate::input::{LeaderLink, ReadId};
use crate::quorum::{Config, Configs};
use crate::standing::{Reputation, Standing};
use crate::writes::{Ticket, Writes};
use crate::{Epoch, Options, ServerId, Time};
use jute::quorum::config::Role;

/// Of the rest between joins in vain: as many as there is any use for.
const DOUBLINGS_MAX: u32 = 10;

/// Everything that outlives a role.
#[derive(Clone, Debug)]
pub(crate) struct Core {
    pub(crate) me: ServerId,
    pub(crate) options: Options,
    pub(crate) configs: Configs,
    pub(crate) writes: Writes,
    pub(crate) history: History,
    pub(crate) ballot: Ballot,
    /// Learner masters that an observer has tried.
    pub(crate) masters_tried: usize,
    /// An observer that lost its leader does not look for one before, nor does who joins in vain
    /// again and again.
    pub(crate) look_from: Time,
    /// So many times in a row a leader was left before it let this server serve.
    pub(crate) joined_in_vain: u32,
    /// Voters that this server has heard of since it started. Of those of one configuration after
    /// the other, so there are few.
    pub(crate) heard_of: BTreeSet<ServerId>,
    /// Whose votes made this server a leader, if it is one.
    pub(crate) electors: Vec<ServerId>,
    pub(crate) strangers: Strangers,
    pub(crate) early_votes: EarlyVotes,
    pub(crate) reputation: Reputation,
    /// The state has part of what a truncation that is under way removes.
    pub(crate) reload_due: bool,
    pub(crate) leader_links: u64,
    pub(crate) reads: u64,
    /// This server is to be stopped: no role begins any more.
    pub(crate) stopping: bool,
    pub(crate) status: RoleStatus,
}

impl Core {
    /// Whether others may follow this server.
    pub(crate) fn may_lead(&self) -> bool {
        let config = self.configs.committed();
        config.is_voter(self.me) && config.weight(self.me) > 0 && self.reputation.may_lead()
    }

    /// Whether this server's promise of an epoch may be one of a quorum.
    ///
    /// A server that started with an empty disk may be new, or wiped. For the very first epoch that
    /// makes no difference that anyone could tell. But a later one says that some server has
    /// promised before, so there may be a history: on a quorum, this server among it, of which the
    /// others are down, while those that are here have promised and never got any further. So it
    /// takes part only if every quorum that it may have been one of has a member that says it has
    /// no history. A history that was acknowledged would be on that member's disk too; that two
    /// disks are wiped at a time is beyond what can be seen.
    ///
    /// Who said so once is believed for as long as this server runs (`Reputation::heard`): what
    /// this server ever acknowledged without remembering it was before its start, and who says
    /// behind that start that it has no history was not among those who acknowledged it too.
    pub(crate) fn may_promise(&self, epoch: Epoch) -> bool {
        if self.reputation.standing() != Standing::Empty || epoch <= Epoch::ZERO.next() {
            return true;
        }
        let may_have_it = |server| server == self.me || !self.reputation.is_without_history(server);
        !self.configs.committed().is_quorum(may_have_it)
    }

    /// A leader is left before it let this server serve. This server looks again at once, as the
    /// leader may have changed. If that goes on, as when its history is refused for good, or when
    /// something in between accepts connections in place of a server, it rests before:
    /// `leaderConnectDelayDuringRetryMs`, and twice that each time, up to a tick. It still answers
    /// whoever asks.
    pub(crate) fn join_in_vain(&mut self, now: Time) {
        if let Some(doublings) = self.joined_in_vain.checked_sub(1) {
            let tick_ms = self.options.tick_time_ms;
            let first_ms = self.options.leader_connect_delay_ms.min(tick_ms);
            let pause_ms = first_ms << doublings.min(DOUBLINGS_MAX);
            self.look_from = now.after_ms(pause_ms.min(tick_ms));
        }
        self.joined_in_vain = self.joined_in_vain.saturating_add(1);
    }

    /// Participant or observer. Who is in no configuration follows as participants do, as in
    /// Apache; no one counts it.
    pub(crate) fn role(&self) -> Role {
        let member = self.configs.committed().members.get(&self.me);
        member.map_or(Role::Participant, |member| member.role)
    }
}

/// The core, for the time of one call.
pub(crate) struct Context<'a> {
    pub(crate) now: Time,
    pub(crate) core: &'a mut Core,
    pub(crate) out: &'a mut Effects,
}

impl Context<'_> {
    pub(crate) fn store(&mut self, store: Store) -> Ticket {
        self.core.writes.issue(store, self.out)
    }

    /// Tells the state of everything that is committed by now.
    pub(crate) fn deliver(&mut self) {
        assert!(
            !self.core.reload_due,
            "nothing is delivered to a state that is ahead of the history"
        );
        if let Some(through) = self.core.history.deliver() {
            self.out.push(Effect::Deliver { through });
        }
    }

    /// Takes note of a configuration that is on its way.
    pub(crate) fn see_config(&mut self, config: Config) {
        if self.core.configs.see(config.clone()) {
            self.store(Store::LastSeenConfig(config));
        }
    }

    /// Forgets a configuration whose transaction is not in the history up to `zxid`, on disk as
    /// well: once the history has grown past it again, no one could tell any more that it never was
    /// part of it.
    pub(crate) fn forget_config(&mut self, zxid: Zxid) {
        if self.core.configs.truncated(zxid) {
            self.save_forgotten();
        }
    }

    /// Forgets a configuration that is not committed: another history takes the place of the one
    /// that it was proposed in, and brings its own.
    pub(crate) fn forget_proposed(&mut self) {
        if self.core.configs.replaced() {
            self.save_forgotten();
        }
    }

    fn save_forgotten(&mut self) {
        let committed = self.core.configs.committed().clone();
        self.store(Store::LastSeenConfig(committed));
    }

    /// Establishes a configuration; false if it cannot be replaced.
    pub(crate) fn commit_config(&mut self, config: Config) -> bool {
        let committed = self.core.configs.commit(config.clone());
        if committed {
            self.store(Store::CommittedConfig(config));
        }
        committed
    }

    pub(crate) fn change_status(&mut self, status: RoleStatus) {
        if self.core.status != status {
            if status.serves() {
                self.core.joined_in_vain = 0;
            }
            self.core.status = status;
            self.out.push(Effect::RoleChanged(status));
        }
    }

    pub(crate) fn next_leader_link(&mut self) -> LeaderLink {
        self.core.leader_links += 1;
        LeaderLink(self.core.leader_links)
    }

    pub(crate) fn next_read(&mut self) -> ReadId {
        self.core.reads += 1;
        ReadId(self.core.reads)
    }

    /// Removes everything behind `zxid` from the history, and, once that is durable, from the state
    /// if it has any of it.
    pub(crate) fn truncate(&mut self, zxid: Zxid) {
        self.core.reload_due |= self.core.history.truncate(zxid);
        self.forget_config(zxid);
        self.store(Store::Truncate(zxid));
    }
}
