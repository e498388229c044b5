//! What every server answers to a notification, whatever it is doing: this is how observers,
//! newcomers and servers that come back find the leader.

use jute::quorum::election::ServerState;

use super::{Notification, Vote};
use crate::ServerId;
use crate::core::Context;
use crate::effect::Effect;

/// Answers if the sender needs to know. `proposal` is the vote in the election that is going on, if one is.
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
    let (vote, round) = match proposal {
        // An observer, or a joiner: tell it where we are.
        _ if !cx.core.configs.is_voter(to) => (proposal.unwrap_or(ballot.vote), ballot.round),
        // Someone who is behind in rounds. Without a vote of our own there is nothing to say; a voter that
        // answers an observer would be answered by it, and so on for ever.
        Some(proposal)
            if notification.round < ballot.round && proposal.leader != ServerId::NON_VOTER =>
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
    cx.out.push(Effect::Notify { to, notification });
}
