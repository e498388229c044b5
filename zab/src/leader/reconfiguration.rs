//! A configuration comes into force.

use jute::quorum::config::Role;

use super::handler::Progress;
use super::{Leader, Phase};
use crate::ServerId;
use crate::core::Context;
use crate::leave::{Exit, Leave};
use crate::message::Entry;
use crate::quorum::Config;

impl Leader {
    /// Whether the server has synchronised, as a participant: not as an observer, who would have to
    /// start anew before it could acknowledge anything.
    pub(crate) fn is_followed_by(&self, server: ServerId) -> bool {
        self.learners.by_server(server).is_some_and(|handler| {
            handler.role == Role::Participant && handler.is_fed(Progress::UpToDate)
        })
    }

    /// The configuration that NEWLEADER carries. Learners put it in force at UPTODATE: so it is the
    /// one that this leader is established with, and after that the committed one. One that is
    /// merely proposed comes with its proposal.
    pub(super) fn new_leader_config(&self, cx: &Context<'_>) -> Config {
        match &self.phase {
            Phase::Broadcast(_) | Phase::ObserverMaster(_) => cx.core.configs.committed().clone(),
            _ => cx.core.configs.last_seen().clone(),
        }
    }

    /// A committed entry: if it is a reconfiguration it is in force from here on.
    pub(super) fn activate(&mut self, cx: &mut Context<'_>, entry: &Entry) {
        let (Some(config), Phase::Broadcast(phase)) = (&entry.config, &self.phase) else {
            return;
        };
        let zxid = entry.zxid;
        // Whoever acknowledged most of what followed is closest to leading on.
        let ackers = config
            .voters()
            .filter(|server| phase.acks.has(*server, zxid));
        let best = ackers.max_by_key(|server| phase.acks.of(*server));
        self.designated = designated(cx, config, best);
        cx.commit_config(config.clone());
    }

    /// A new leader is established together with the configuration it saw last, and looks again if
    /// it does not lead in that. UPTODATE names no one: an heir would not know.
    pub(super) fn activate_last_seen(cx: &mut Context<'_>) -> Result<(), Leave> {
        let Some(config) = cx.core.configs.proposed().cloned() else {
            return Ok(());
        };
        let stays = leads_on(cx, &config);
        cx.commit_config(config);
        match stays {
            true => Ok(()),
            false => Err(Leave::Reconfigured),
        }
    }

    /// Ends the reign if someone else leads from here on.
    pub(super) fn give_way(&mut self, cx: &mut Context<'_>) -> Result<(), Exit> {
        let designated = self.designated;
        if designated == cx.core.me {
            return Ok(());
        }
        cx.core.ballot.vote.leader = designated;
        Err(Exit::join(Leave::Reconfigured, designated))
    }
}

/// This server, or else the best other one.
fn designated(cx: &Context<'_>, config: &Config, best: Option<ServerId>) -> ServerId {
    match best {
        Some(best) if !leads_on(cx, config) => best,
        _ => cx.core.me,
    }
}

/// Whether this server votes in the new configuration, at the same address.
fn leads_on(cx: &Context<'_>, config: &Config) -> bool {
    let me = cx.core.me;
    let addresses = |config: &Config| {
        let member = config.members.get(&me)?;
        let ports = |a: &jute::quorum::config::MemberAddress| (a.host.clone(), a.quorum_port);
        Some(member.addresses.iter().map(ports).collect::<Vec<_>>())
    };
    config.is_voter(me) && addresses(config) == addresses(cx.core.configs.committed())
}
