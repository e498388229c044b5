//! Signs of life, in both directions.

use super::handler::{Progress, Stage};
use super::{Leader, Phase};
use crate::Time;
use crate::core::Context;
use crate::input::LearnerLink;
use crate::leave::{Exit, Leave};
use crate::message::LeaderPacket;

/// A learner that was pinged less often than this is pinged in quick succession: until it has
/// counted enough close pings it does not give up a silent leader early (`learner/detector.rs`),
/// and a leader that freezes in its first seconds would be followed for syncLimit.
///
/// So it is again behind a pause of this server that learners have seen: the gap has cost it their
/// trust. One that the network makes is not known here, and costs them syncLimit of patience for
/// [`crate::learner::TRUST_AFTER`] pings; to trust again sooner would be to give up leaders whose
/// network stalls now and then.
const QUICK_PINGS: u64 = crate::learner::TRUST_AFTER as u64 + 2;
/// So many times as often as later.
const QUICKER: u64 = 5;

/// When the next pings leave.
#[derive(Clone, Debug)]
pub(super) struct Pinging {
    due: Time,
    /// So many rounds that leave in quick succession behind a pause.
    quick: u64,
}

impl Pinging {
    pub(super) fn new(cx: &Context<'_>) -> Self {
        Self {
            due: cx.now.after_ms(cx.core.options.ping_interval_ms()),
            quick: 0,
        }
    }

    /// A round leaves, the next is due. `quick` if a learner wants them in quick succession.
    fn go_on(&mut self, cx: &Context<'_>, quick: bool) {
        let interval_ms = cx.core.options.ping_interval_ms();
        // Twice the interval is what learners bear.
        let paused = cx.now > self.due.after_ms(interval_ms);
        self.quick = match paused {
            true => QUICK_PINGS,
            false => self.quick.saturating_sub(1),
        };
        let next_ms = match quick || self.quick > 0 {
            true => (interval_ms / QUICKER).max(1),
            false => interval_ms,
        };
        self.due = cx.now.after_ms(next_ms);
    }

    pub(super) fn due(&self) -> Time {
        self.due
    }
}

impl Leader {
    pub(super) fn ping_all(&mut self, cx: &mut Context<'_>) {
        let mut quick = false;
        for link in self.learners.links() {
            let number = self.ping(cx, link);
            quick |= number.is_some_and(|number| number < QUICK_PINGS);
        }
        self.pinging.go_on(cx, quick);
    }

    /// Pings one learner, if it can be; the ping's number.
    pub(super) fn ping(&mut self, cx: &mut Context<'_>, link: LearnerLink) -> Option<u64> {
        let handler = self.learners.get_mut(link)?;
        if !handler.takes_pings() {
            return None;
        }
        let number = handler.ping();
        let zxid = cx.core.history.last_logged();
        self.send(cx, link, LeaderPacket::Ping { zxid });
        if let Phase::Broadcast(phase) = &mut self.phase {
            phase.synced_reads.pinged(link, number);
        }
        Some(number)
    }

    /// Lets go of learners that are silent, or do not acknowledge.
    pub(super) fn check_learners(&mut self, cx: &mut Context<'_>) {
        let options = &cx.core.options;
        let (init_ms, sync_ms) = (options.init_limit_ms(), options.sync_limit_ms());
        let mut gone = Vec::new();
        for (link, handler) in self.learners.iter() {
            let silent_ms = cx.now.0.saturating_sub(handler.heard.0);
            let limit_ms = match &handler.stage {
                Stage::Fed(fed) if fed.feed.is_streaming() => u64::MAX,
                Stage::Fed(fed) if fed.has_acked() => sync_ms,
                _ => init_ms,
            };
            if silent_ms > limit_ms {
                gone.push((link, Leave::Silent { ms: silent_ms }));
            } else if let Some((zxid, since)) = handler.unacknowledged
                && handler.is_fed(Progress::UpToDate)
                && cx.now > since.after_ms(sync_ms)
            {
                gone.push((link, Leave::Unacknowledged { zxid, ms: sync_ms }));
            }
        }
        for (link, why) in gone {
            self.drop_learner(cx, link, why);
        }
    }

    /// Whether a voter is being sent what is proposed: then its acknowledgement is waited for, and
    /// no oracle asked.
    pub(super) fn count_followers(&self, cx: &mut Context<'_>) {
        let config = cx.core.configs.committed();
        let followed = self.learners.iter().any(|(_, handler)| {
            handler.is_fed(Progress::History)
                && handler.server.is_some_and(|server| config.is_voter(server))
        });
        cx.core.configs.set_followed(followed);
    }

    /// A leader that has not heard a quorum for syncLimit, by its own clock, is no leader any
    /// more: the others may have another one. It looks before it takes anything that came in
    /// meanwhile, so one that slept does not serve on in its sleep's wake.
    pub(super) fn check_quorum(&mut self, cx: &mut Context<'_>) -> Result<(), Exit> {
        let Phase::Broadcast(_) = &self.phase else {
            return Ok(());
        };
        self.count_followers(cx);
        let ms = cx.core.options.sync_limit_ms();
        let me = cx.core.me;
        let lives = |server| {
            server == me
                || self.learners.by_server(server).is_some_and(|handler| {
                    handler.is_fed(Progress::NewLeader) && cx.now <= handler.heard.after_ms(ms)
                })
        };
        if cx.core.configs.is_quorum(lives) {
            return Ok(());
        }
        Err(Leave::NoQuorum { ms }.into())
    }
}

impl super::handler::LearnerHandler {
    /// It acknowledged something: when the next acknowledgement is due.
    pub(super) fn acknowledged(&mut self, cx: &Context<'_>, zxid: jute::Zxid) {
        let Some((oldest, _)) = self.unacknowledged else {
            return;
        };
        if zxid < oldest {
            return;
        }
        let sent = match &self.stage {
            Stage::Fed(fed) => fed.feed.sent(),
            _ => zxid,
        };
        self.unacknowledged = (sent > zxid).then_some((sent, cx.now));
    }
}
