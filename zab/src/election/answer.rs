//! What every server answers to a notification, whatever it is doing: this is how observers,
//! newcomers and servers that come back find the leader.

use std::collections::BTreeMap;

use jute::quorum::election::ServerState;

use super::{Notification, Vote};
use crate::core::Context;
use crate::effect::Io;
use crate::{ServerId, Time};

/// Answers if the sender needs to know. `proposal` is the vote in the election that is going on, if
/// one is.
pub(crate) fn answer(
    cx: &mut Context<'_>,
    state: ServerState,
    proposal: Option<Vote>,
    to: ServerId,
    notification: &Notification,
) {
    let ballot = cx.core.ballot;
    // Who has a leader did not ask: answering it could start an endless exchange of answers.
    if notification.state != ServerState::Looking {
        return;
    }
    let stranger = !cx.core.configs.is_voter(to);
    if stranger && proposal.is_some() && !cx.core.strangers.may_answer(to, cx.now) {
        return;
    }
    let (vote, round) = match proposal {
        // An observer, or a joiner: tell it where we are.
        _ if stranger => (proposal.unwrap_or(ballot.vote), ballot.round),
        // Someone who is behind in rounds. That is for voters to say: a voter answers whatever an
        // observer says, and so on for ever.
        Some(proposal)
            if notification.round < ballot.round && cx.core.configs.is_voter(cx.core.me) =>
        {
            (proposal, ballot.round)
        }
        // Someone who looks for the leader that we have.
        None => (ballot.vote, ballot.vote_round),
        Some(_) => return,
    };
    let notification = Notification {
        state,
        vote,
        round,
        version: Notification::VERSION,
        config: Some(cx.core.configs.committed().clone()),
    };
    cx.out.push(Io::Notify { to, notification });
}

/// Strangers that are remembered at the most.
const STRANGERS_MAX: usize = 256;
/// A stranger gets no second answer from an election within this time.
const ANSWER_INTERVAL_MS: u64 = 200;

/// Who is no voter here, and when it was answered. Two servers in elections that have different
/// configurations can each have a reason to answer the other's answer; this ends it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strangers(BTreeMap<ServerId, Time>);

impl Strangers {
    fn may_answer(&mut self, stranger: ServerId, now: Time) -> bool {
        let last = self.0.get(&stranger);
        if last.is_some_and(|last| now < last.after_ms(ANSWER_INTERVAL_MS)) {
            return false;
        }
        if self.0.len() >= STRANGERS_MAX {
            self.0.clear();
        }
        self.0.insert(stranger, now);
        true
    }
}
