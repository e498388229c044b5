//! Whether this server's own history may be relied upon: by others, when it votes, and by
//! itself, when it would lead.

use std::collections::BTreeSet;

use jute::Zxid;

use crate::election::Vote;
use crate::{Epoch, ServerId};

/// A mismatch so many transactions behind a resynchronisation is a new one, not the old one again.
pub const RESYNC_RANGE: i64 = 1 << 20;

/// What the history on this server's disk is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As good as any.
    Sound,
    /// The disk was empty at the start and no one said that it should be. Perhaps the whole
    /// ensemble is new; perhaps this disk was wiped, and with it promises and acknowledgements. As
    /// long as no one has a history, the two cannot be told apart. A server that accepts an epoch
    /// before it hears of any history is one of the new ones.
    Empty,
    /// It was wiped: someone has a history. Counting this server's vote could elect a leader
    /// without a transaction that this server once acknowledged, so it has none until it is
    /// synchronised.
    Wiped,
    /// The tree differs from the leader's. No vote until a snapshot has replaced it. Not kept on
    /// disk: after a start the caller finds the mismatch again.
    Mismatched,
    /// The log begins behind the point to which a leader wanted it cut, so it is as it was. All
    /// that this server ever acknowledged is in it: it votes, as it would after a start, and is
    /// counted. But only a snapshot brings it to the leader's history, and it never leads.
    Uncut,
    /// It differed again right after it had been replaced: the fault lies elsewhere. Votes and
    /// serves, never leads.
    Suspect,
}

/// The standing and what it depends on.
#[derive(Clone, Debug)]
pub(crate) struct Reputation {
    /// Of the history on disk. Never [`Standing::Suspect`]: that is about this server, whatever
    /// history it holds.
    history: Standing,
    /// Never taken back: no history that comes from a leader cures a fault that lies elsewhere.
    suspect: bool,
    /// Who has voted, since this server started, and had no history to vote for.
    without_history: BTreeSet<ServerId>,
    /// Up to here the tree has been replaced once because of a mismatch.
    resynced: Option<Zxid>,
}

/// What a digest mismatch leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Synchronise anew, by a snapshot.
    Resync,
    /// Go on; tell the operator.
    Alarm,
}

impl Reputation {
    pub(crate) fn new(standing: Standing) -> Self {
        let suspect = standing == Standing::Suspect;
        Self {
            history: if suspect { Standing::Sound } else { standing },
            suspect,
            without_history: BTreeSet::new(),
            resynced: None,
        }
    }

    /// What the history is worth; if that is everything, what this server is.
    pub(crate) fn standing(&self) -> Standing {
        match self.history {
            Standing::Sound if self.suspect => Standing::Suspect,
            history => history,
        }
    }

    /// Whether the tree is known to differ from what the history says: to build it again from the
    /// disk has not helped before.
    pub(crate) fn has_doubtful_tree(&self) -> bool {
        self.suspect || self.history == Standing::Mismatched
    }

    /// Whether this server's voice may be counted in an election.
    pub(crate) fn may_vote(&self) -> bool {
        match self.history {
            Standing::Sound | Standing::Empty | Standing::Uncut | Standing::Suspect => true,
            Standing::Wiped | Standing::Mismatched => false,
        }
    }

    /// Whether others may follow this server.
    pub(crate) fn may_lead(&self) -> bool {
        !self.suspect && matches!(self.history, Standing::Sound | Standing::Empty)
    }

    /// Whether synchronisation may build on the own history. If not, ACKEPOCH announces -1 as the
    /// last transaction, which leaders answer with a snapshot.
    pub(crate) fn may_build_on_history(&self) -> bool {
        self.may_vote() && self.history != Standing::Uncut
    }

    /// Someone's vote: an empty server learns from it that there is a history. Whoever has one
    /// votes for it, or for a longer one; who has no voice says nothing about any.
    pub(crate) fn heard(&mut self, from: ServerId, vote: &Vote) {
        let has_history = vote.peer_epoch.0 > 0 || vote.zxid.0 > 0;
        if (vote.peer_epoch, vote.zxid) == (Epoch::ZERO, Zxid::ZERO) {
            self.without_history.insert(from);
        }
        if self.history == Standing::Empty && has_history {
            self.history = Standing::Wiped;
        }
    }

    /// Whether this server has said that it has no history.
    pub(crate) fn is_without_history(&self, server: ServerId) -> bool {
        self.without_history.contains(&server)
    }

    /// An epoch is accepted, durably. No one had a history so far, or an empty server would be
    /// known as wiped, and not promise anything: it takes part in the beginning of the ensemble.
    /// Were it taken for wiped later, when the first leader has made its epoch the current one, an
    /// ensemble whose servers die in their first synchronisation would never get a leader.
    pub(crate) fn promised(&mut self) {
        if self.history == Standing::Empty {
            self.history = Standing::Sound;
        }
    }

    /// The history on disk is now that of a leader, and so is `currentEpoch`.
    pub(crate) fn synchronised(&mut self, last: Zxid) {
        if self.history == Standing::Mismatched {
            self.resynced = Some(last);
        }
        self.history = Standing::Sound;
    }

    /// A truncation was asked for that the log cannot be given.
    pub(crate) fn uncut(&mut self) {
        if self.may_build_on_history() {
            self.history = Standing::Uncut;
        }
    }

    /// The tree's digest after `zxid` is not the leader's.
    pub(crate) fn mismatch(&mut self, zxid: Zxid) -> Verdict {
        let again = self.resynced.is_some_and(|resynced| {
            zxid.epoch() == resynced.epoch() && zxid.0 - resynced.0 <= RESYNC_RANGE
        });
        if again || self.suspect {
            self.suspect = true;
            Verdict::Alarm
        } else {
            self.history = Standing::Mismatched;
            Verdict::Resync
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(epoch: i64, zxid: i64) -> Vote {
        Vote {
            leader: ServerId(1),
            zxid: Zxid(zxid),
            peer_epoch: Epoch(epoch),
        }
    }

    #[test]
    fn an_empty_server_that_hears_of_a_history() {
        for (epoch, zxid, expected) in [
            (0, 0, Standing::Empty),
            (i64::MIN, i64::MIN, Standing::Empty),
            (1, 0, Standing::Wiped),
            (0, 1, Standing::Wiped),
        ] {
            let mut reputation = Reputation::new(Standing::Empty);
            reputation.heard(ServerId(2), &vote(epoch, zxid));
            assert_eq!(reputation.standing(), expected, "{epoch} {zxid}");
            assert_eq!(reputation.may_vote(), expected == Standing::Empty);
            reputation.synchronised(Zxid(5));
            assert_eq!(reputation.standing(), Standing::Sound);
            reputation.heard(ServerId(2), &vote(9, 9));
            assert!(reputation.may_vote() && reputation.may_lead());
        }
    }

    #[test]
    fn an_empty_server_that_takes_part_from_the_beginning() {
        let mut reputation = Reputation::new(Standing::Empty);
        reputation.promised();
        reputation.heard(ServerId(2), &vote(1, 0));
        assert!(reputation.may_vote() && reputation.may_lead());
        let mut wiped = Reputation::new(Standing::Empty);
        wiped.heard(ServerId(2), &vote(1, 0));
        wiped.promised();
        assert_eq!(wiped.standing(), Standing::Wiped);
    }

    /// Simulator seed 12346: with a third server wiped, the vote of this one was missing for ever.
    #[test]
    fn a_server_that_cannot_be_cut_back_votes_and_takes_a_snapshot() {
        let mut reputation = Reputation::new(Standing::Sound);
        reputation.uncut();
        assert!(reputation.may_vote());
        assert!(!reputation.may_lead() && !reputation.may_build_on_history());
        reputation.synchronised(Zxid(5));
        assert_eq!(reputation.standing(), Standing::Sound);
        let mut wiped = Reputation::new(Standing::Wiped);
        wiped.uncut();
        assert_eq!(wiped.standing(), Standing::Wiped);
    }

    #[test]
    fn one_resynchronisation_for_each_range() {
        let mut reputation = Reputation::new(Standing::Sound);
        assert_eq!(reputation.mismatch(Zxid(100)), Verdict::Resync);
        assert!(!reputation.may_vote() && !reputation.may_build_on_history());
        reputation.synchronised(Zxid(110));
        assert!(reputation.may_lead());
        let later = Zxid(111 + RESYNC_RANGE);
        assert_eq!(reputation.mismatch(later), Verdict::Resync);
        reputation.synchronised(later);
        assert_eq!(reputation.mismatch(later.next()), Verdict::Alarm);
        reputation.synchronised(later);
        assert!(reputation.may_vote() && !reputation.may_lead());
    }

    #[test]
    fn no_history_takes_suspicion_back() {
        let suspect = || {
            let mut reputation = Reputation::new(Standing::Sound);
            assert_eq!(reputation.mismatch(Zxid(100)), Verdict::Resync);
            reputation.synchronised(Zxid(110));
            assert_eq!(reputation.mismatch(Zxid(111)), Verdict::Alarm);
            assert_eq!(reputation.standing(), Standing::Suspect);
            reputation
        };
        type Events = &'static [fn(&mut Reputation)];
        let table: [(Events, Standing, bool); 5] = [
            (&[|it| it.synchronised(Zxid(120))], Standing::Suspect, true),
            // A truncation is missed, and only a snapshot helps.
            (&[Reputation::uncut], Standing::Uncut, false),
            (
                &[Reputation::uncut, |it| it.synchronised(Zxid(120))],
                Standing::Suspect,
                true,
            ),
            // The tree differs meanwhile: it still needs that snapshot.
            (
                &[Reputation::uncut, |it| {
                    assert_eq!(it.mismatch(Zxid(112)), Verdict::Alarm);
                }],
                Standing::Uncut,
                false,
            ),
            (
                &[|it| {
                    assert_eq!(it.mismatch(Zxid(200 + RESYNC_RANGE)), Verdict::Alarm);
                }],
                Standing::Suspect,
                true,
            ),
        ];
        for (at, (events, standing, builds)) in table.into_iter().enumerate() {
            let mut reputation = suspect();
            for event in events {
                event(&mut reputation);
            }
            assert_eq!(reputation.standing(), standing, "{at}");
            assert_eq!(reputation.may_build_on_history(), builds, "{at}");
            assert!(reputation.may_vote() && !reputation.may_lead(), "{at}");
        }
    }
}
