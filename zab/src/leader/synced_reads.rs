//! Synced reads: what a client reads after its sync includes everything that was committed,
//! by anyone, before it asked.
//!
//! A leader that has been replaced does not know it. So a sync is answered only after a quorum has
//! answered a ping that left after the sync arrived: that quorum had not joined another leader
//! then, so none was established, and nothing was committed but by this one. Pings and their
//! answers are matched by count on each link, so servers that know nothing of this take part. Syncs
//! that arrive while a round is under way share the next one.

use std::collections::BTreeMap;

use jute::Zxid;

use super::handler::{Progress, Stage};
use super::{Leader, Phase};
use crate::core::Context;
use crate::effect::Effect;
use crate::input::{LearnerLink, SyncId};
use crate::leave::Leave;
use crate::message::{LeaderPacket, Request};

/// Syncs that wait at the most, over all servers.
pub(super) const WAITING_MAX: usize = 100_000;

/// Who asked.
#[derive(Clone, Copy, Debug)]
enum Asker {
    Own(SyncId),
    Learner(LearnerLink),
}

/// A sync, and everything that was proposed before it. What its client asked for before it is among
/// that: the caller takes its place in the order of requests for it, a learner's too
/// ([`Effect::Forwarded`]).
#[derive(Clone, Copy, Debug)]
struct Waiter {
    asker: Asker,
    through: Zxid,
}

/// A round of pings.
#[derive(Clone, Debug)]
struct Round {
    /// The number of the ping that each learner has to answer.
    pings: BTreeMap<LearnerLink, u64>,
    waiting: Vec<Waiter>,
}

/// The round under way, and who waits for the next.
#[derive(Clone, Debug, Default)]
pub(super) struct SyncedReads {
    round: Option<Round>,
    next: Vec<Waiter>,
    /// Their round is over, what they wait for is not committed yet; in the order of zxids.
    confirmed: Vec<Waiter>,
}

impl SyncedReads {
    /// A ping left for a learner that the round did not reach: its answer counts as well.
    pub(super) fn pinged(&mut self, link: LearnerLink, number: u64) {
        if let Some(round) = &mut self.round {
            round.pings.entry(link).or_insert(number);
        }
    }

    /// Syncs that are not answered yet.
    pub(super) fn len(&self) -> usize {
        let round = self.round.as_ref().map_or(0, |round| round.waiting.len());
        round + self.next.len() + self.confirmed.len()
    }
}

impl Leader {
    /// A request from an up-to-date learner.
    pub(super) fn on_request(
        &mut self,
        cx: &mut Context<'_>,
        link: LearnerLink,
        request: Request,
    ) -> Result<(), Leave> {
        if let Phase::ObserverMaster(relay) = &mut self.phase {
            return relay.request(cx, link, request);
        }
        cx.out.push(Effect::Forwarded(link, request));
        Ok(())
    }

    pub(super) fn sync_own(&mut self, cx: &mut Context<'_>, id: SyncId) {
        // The caller's clients are bounded by its own limits; beyond ours it is not answered before
        // the role ends.
        let _ = self.wait(cx, Asker::Own(id));
    }

    /// The sync of a learner's client has its turn.
    pub(super) fn sync_learner(&mut self, cx: &mut Context<'_>, link: LearnerLink) {
        if self.learners.get(link).is_some()
            && let Err(why) = self.wait(cx, Asker::Learner(link))
        {
            self.drop_learner(cx, link, why);
        }
    }

    fn wait(&mut self, cx: &mut Context<'_>, asker: Asker) -> Result<(), Leave> {
        let through = cx.core.history.last_logged();
        let Phase::Broadcast(phase) = &mut self.phase else {
            return Ok(());
        };
        if phase.synced_reads.len() >= WAITING_MAX {
            let (what, max) = ("open syncs", WAITING_MAX);
            return Err(Leave::TooMany { what, max });
        }
        phase.synced_reads.next.push(Waiter { asker, through });
        Ok(())
    }

    /// Ends the round if a quorum has answered, answers who can be answered, starts the next.
    pub(super) fn finish_syncs(&mut self, cx: &mut Context<'_>) {
        // A round of this server alone ends as it starts.
        while self.finish_round(cx) || self.start_round(cx) {}
        self.answer_confirmed(cx);
    }

    fn start_round(&mut self, cx: &mut Context<'_>) -> bool {
        let Phase::Broadcast(phase) = &mut self.phase else {
            return false;
        };
        let reads = &mut phase.synced_reads;
        if reads.round.is_some() || reads.next.is_empty() {
            return false;
        }
        let waiting = std::mem::take(&mut reads.next);
        let mut pings = BTreeMap::new();
        for link in self.learners.fed(Progress::Acked) {
            if let Some(number) = self.ping(cx, link) {
                pings.insert(link, number);
            }
        }
        if let Phase::Broadcast(phase) = &mut self.phase {
            phase.synced_reads.round = Some(Round { pings, waiting });
        }
        true
    }

    fn finish_round(&mut self, cx: &mut Context<'_>) -> bool {
        let Phase::Broadcast(phase) = &mut self.phase else {
            return false;
        };
        let Some(round) = &phase.synced_reads.round else {
            return false;
        };
        let me = cx.core.me;
        let answered = |server| {
            server == me
                || self.learners.link_of(server).is_some_and(|link| {
                    let answered = self.learners.get(link).map(|h| h.pings_answered());
                    let number = round.pings.get(&link);
                    number.is_some_and(|number| answered >= Some(*number))
                })
        };
        if !cx.core.configs.is_quorum(answered) {
            return false;
        }
        if let Some(round) = phase.synced_reads.round.take() {
            phase.synced_reads.confirmed.extend(round.waiting);
        }
        true
    }

    fn answer_confirmed(&mut self, cx: &mut Context<'_>) {
        let committed = cx.core.history.committed();
        let Phase::Broadcast(phase) = &mut self.phase else {
            return;
        };
        let confirmed = &mut phase.synced_reads.confirmed;
        let ready = confirmed.partition_point(|waiter| waiter.through <= committed);
        let ready: Vec<Waiter> = confirmed.drain(..ready).collect();
        for waiter in ready {
            match waiter.asker {
                Asker::Own(id) => cx.out.push(Effect::Synced(id)),
                Asker::Learner(link) => self.answer_sync(cx, link, waiter.through),
            }
        }
    }

    /// SYNC travels behind the commits that it vouches for.
    pub(super) fn answer_sync(&mut self, cx: &mut Context<'_>, link: LearnerLink, through: Zxid) {
        if let Some(handler) = self.learners.get_mut(link)
            && let Stage::Fed(fed) = &mut handler.stage
        {
            fed.syncs.push_back(through);
            self.answer_syncs(cx, link);
        }
    }

    /// Answers the syncs of a learner that has been sent what they wait for.
    pub(super) fn answer_syncs(&mut self, cx: &mut Context<'_>, link: LearnerLink) {
        while let Some(handler) = self.learners.get_mut(link)
            && let Stage::Fed(fed) = &mut handler.stage
            && let Some(through) = fed.syncs.front()
            && *through <= fed.feed.sent()
        {
            fed.syncs.pop_front();
            self.send(cx, link, LeaderPacket::Sync);
        }
    }
}
