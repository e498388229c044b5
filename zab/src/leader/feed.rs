//! What a learner is sent, and how fast: each has a position in the history and a bounded
//! amount of bytes on the way. Who is slow falls behind, and is fed from memory, then from the
//! log on disk, at its own pace; it costs the leader no memory but what is on the way.

use jute::Zxid;
use jute::quorum::config::Role;

use super::Leader;
use super::handler::{Fed, Progress, Stage};
use crate::core::Context;
use crate::effect::Io;
use crate::input::{LearnerLink, LogRead, ReadId};
use crate::leave::Leave;
use crate::message::{Entry, LeaderPacket};

/// Bytes on the way to one learner, from which on it gets no more history.
pub(super) const ON_THE_WAY_MAX: usize = 4 << 20;
/// The same until it has caught up. What there is room for is handed out in one step, and what the
/// others ask for waits meanwhile.
const CATCHING_UP_MAX: usize = 64 << 10;
/// Bytes of one read of the log, for the same reason.
pub(super) const LOG_READ_BYTES: usize = 64 << 10;
/// A learner is fed gently from the log for so many bytes. Who has not caught up by then is behind
/// more writes than it could catch up with at that pace.
const GENTLE_BYTES: usize = 256 << 20;

/// A position in the history.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    /// The last entry sent, or known to be there.
    sent: Zxid,
    /// Bytes handed out and not yet written to the socket.
    on_the_way: usize,
    /// A read of the log that is under way.
    reading: Option<ReadId>,
    /// Bytes that came from the log.
    from_log: usize,
    /// A tree is being sent.
    streaming: bool,
}

impl Feed {
    pub(super) fn from(sent: Zxid) -> Self {
        Self {
            sent,
            on_the_way: 0,
            reading: None,
            from_log: 0,
            streaming: false,
        }
    }

    /// Behind a tree that holds everything up to `sent`.
    pub(super) fn behind_snapshot(sent: Zxid) -> Self {
        Self {
            streaming: true,
            ..Self::from(sent)
        }
    }

    pub(super) fn sent(&self) -> Zxid {
        self.sent
    }

    pub(super) fn reading(&self) -> Option<ReadId> {
        self.reading
    }

    pub(super) fn is_streaming(&self) -> bool {
        self.streaming
    }

    pub(super) fn snapshot_sent(&mut self) {
        self.streaming = false;
    }

    pub(super) fn flushed(&mut self, bytes: usize) {
        self.on_the_way = self.on_the_way.saturating_sub(bytes);
    }

    fn is_gentle(&self) -> bool {
        self.from_log < GENTLE_BYTES
    }

    fn has_room(&self, progress: Progress) -> bool {
        let max = match progress {
            Progress::History => CATCHING_UP_MAX,
            _ => ON_THE_WAY_MAX,
        };
        !self.streaming && self.reading.is_none() && self.on_the_way < max
    }

    fn send(&mut self, cx: &mut Context<'_>, link: LearnerLink, packet: LeaderPacket) {
        self.on_the_way += packet.cost();
        cx.out.push(Io::ToLearner(link, packet));
    }
}

impl Leader {
    /// Sends a packet that counts for the learner's share.
    pub(super) fn send(&mut self, cx: &mut Context<'_>, link: LearnerLink, packet: LeaderPacket) {
        match self
            .learners
            .get_mut(link)
            .map(|handler| &mut handler.stage)
        {
            Some(Stage::Fed(fed)) => fed.feed.send(cx, link, packet),
            Some(_) => cx.out.push(Io::ToLearner(link, packet)),
            None => {}
        }
    }

    /// Sends what the learner lacks, as far as there is room.
    pub(super) fn pump(&mut self, cx: &mut Context<'_>, link: LearnerLink) {
        let commit_point = self.commit_point(cx);
        let Some(handler) = self.learners.get_mut(link) else {
            return;
        };
        let role = handler.role;
        // Observers get what is committed, in one packet.
        let limit = match role {
            Role::Participant => cx.core.history.last_logged(),
            Role::Observer => commit_point,
        };
        loop {
            let Stage::Fed(fed) = &mut handler.stage else {
                return;
            };
            if !fed.feed.has_room(fed.progress) {
                break;
            }
            let window = cx.core.history.window();
            if fed.feed.sent < window.base() && fed.feed.sent < limit {
                let read = cx.next_read();
                fed.feed.reading = Some(read);
                cx.out.push(Io::ReadLog {
                    read,
                    after: fed.feed.sent,
                    through: commit_point,
                    bytes_max: LOG_READ_BYTES,
                    opening: false,
                    gently: fed.feed.is_gentle(),
                });
                break;
            }
            let next = match fed.feed.sent < limit {
                true => window.behind(fed.feed.sent).next().cloned(),
                false => None,
            };
            let Some(entry) = next.filter(|entry| entry.zxid <= limit) else {
                self.caught_up(cx, link);
                break;
            };
            let zxid = entry.zxid;
            let leader = self.designated;
            fed.give(cx, link, role, entry, commit_point, leader);
            if zxid > commit_point && handler.unacknowledged.is_none() {
                handler.unacknowledged = Some((zxid, cx.now));
            }
        }
        self.answer_syncs(cx, link);
    }

    /// Everything there is has been sent. In one step with it the learner joins the live stream:
    /// what is proposed next follows what was sent last.
    fn caught_up(&mut self, cx: &mut Context<'_>, link: LearnerLink) {
        let Some(epoch) = self.epoch() else { return };
        let config = self.new_leader_config(cx);
        let Some(handler) = self.learners.get_mut(link) else {
            return;
        };
        let Stage::Fed(fed) = &mut handler.stage else {
            return;
        };
        if fed.progress == Progress::History {
            fed.progress = Progress::NewLeader;
            let config = Some(config);
            fed.feed
                .send(cx, link, LeaderPacket::NewLeader { epoch, config });
        }
    }

    /// The log has been read for a learner that is being fed, or planned for.
    pub(super) fn read_for(
        &mut self,
        cx: &mut Context<'_>,
        link: LearnerLink,
        found: LogRead,
    ) -> Result<(), Leave> {
        let commit_point = self.commit_point(cx);
        let leader = self.designated;
        let Some(handler) = self.learners.get_mut(link) else {
            return Ok(());
        };
        let role = handler.role;
        if let Stage::Planning { last, .. } = handler.stage {
            self.plan_from_log(cx, link, last, found);
            return Ok(());
        }
        let Stage::Fed(fed) = &mut handler.stage else {
            return Ok(());
        };
        fed.feed.reading = None;
        match found {
            LogRead::Entries { entries, .. } if !entries.is_empty() => {
                for entry in entries {
                    fed.feed.from_log += entry.bytes.len();
                    if entry.zxid > fed.feed.sent && entry.zxid <= commit_point {
                        fed.give(cx, link, role, entry, commit_point, leader);
                    }
                }
                handler.heard = cx.now.max(handler.heard);
                self.pump(cx, link);
                Ok(())
            }
            // Purged while the learner was being fed: it starts again, with a tree.
            _ => Err(Leave::LogGone(fed.feed.sent)),
        }
    }
}

impl Fed {
    /// Sends one entry, and what is known of its fate.
    pub(super) fn give(
        &mut self,
        cx: &mut Context<'_>,
        link: LearnerLink,
        role: Role,
        entry: Entry,
        commit_point: Zxid,
        leader: crate::ServerId,
    ) {
        let zxid = entry.zxid;
        assert!(
            zxid > self.feed.sent,
            "{zxid} sent after {}",
            self.feed.sent
        );
        self.feed.sent = zxid;
        // Up to NEWLEADER, whose configuration counts, reconfigurations are history like any other.
        let activates = entry.config.is_some() && self.progress > Progress::History;
        if role == Role::Observer && self.progress > Progress::History {
            let packet = match activates {
                true => LeaderPacket::InformAndActivate { entry, leader },
                false => LeaderPacket::Inform(entry),
            };
            return self.feed.send(cx, link, packet);
        }
        self.feed.send(cx, link, LeaderPacket::Proposal(entry));
        if zxid <= commit_point {
            let packet = match activates {
                true => LeaderPacket::CommitAndActivate { zxid, leader },
                false => LeaderPacket::Commit { zxid },
            };
            self.feed.send(cx, link, packet);
        }
    }

    /// Tells a follower of a commit; who lacks the proposal gets both later, together.
    pub(super) fn commit(&mut self, cx: &mut Context<'_>, link: LearnerLink, packet: LeaderPacket) {
        self.feed.send(cx, link, packet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_learner_is_fed_gently_for_a_while() {
        let mut feed = Feed::from(Zxid(1));
        let mut reads = 0;
        while feed.is_gentle() {
            feed.from_log += LOG_READ_BYTES;
            reads += 1;
        }
        assert_eq!(reads, 4096);
    }
}
