//! All learners of a leader.

use std::collections::BTreeMap;
use std::ops::Bound;

use jute::quorum::config::Role;

use super::handler::{LearnerHandler, Progress, Stage};
use crate::input::{LearnerLink, ReadId};
use crate::leave::Leave;
use crate::overview::LearnerCounts;
use crate::quorum::Config;
use crate::{ServerId, Time};

/// Connections at the most: every possible member and as many strangers.
pub(super) const LEARNERS_MAX: usize = 512;

/// The learners by connection, and by server once they are named.
#[derive(Clone, Debug, Default)]
pub(super) struct Learners {
    by_link: BTreeMap<LearnerLink, LearnerHandler>,
    by_server: BTreeMap<ServerId, LearnerLink>,
}

impl Learners {
    pub(super) fn add(&mut self, link: LearnerLink, now: Time) -> Result<(), Leave> {
        if self.by_link.len() >= LEARNERS_MAX {
            let (what, max) = ("learners", LEARNERS_MAX);
            return Err(Leave::TooMany { what, max });
        }
        let replaced = self.by_link.insert(link, LearnerHandler::new(now));
        assert!(replaced.is_none(), "{link:?} is used twice");
        Ok(())
    }

    pub(super) fn name(&mut self, link: LearnerLink, server: ServerId, role: Role) {
        if let Some(handler) = self.by_link.get_mut(&link) {
            handler.server = Some(server);
            handler.role = role;
            self.by_server.insert(server, link);
        }
    }

    /// Forgets a connection; the server that it belonged to, if it was named.
    pub(super) fn remove(&mut self, link: LearnerLink) -> Option<ServerId> {
        let server = self.by_link.remove(&link)?.server?;
        self.by_server.remove(&server);
        Some(server)
    }

    pub(super) fn get_mut(&mut self, link: LearnerLink) -> Option<&mut LearnerHandler> {
        self.by_link.get_mut(&link)
    }

    pub(super) fn get(&self, link: LearnerLink) -> Option<&LearnerHandler> {
        self.by_link.get(&link)
    }

    pub(super) fn link_of(&self, server: ServerId) -> Option<LearnerLink> {
        self.by_server.get(&server).copied()
    }

    pub(super) fn by_server(&self, server: ServerId) -> Option<&LearnerHandler> {
        self.by_link.get(self.by_server.get(&server)?)
    }

    pub(super) fn len(&self) -> usize {
        self.by_link.len()
    }

    /// How many there are, and how far they have come. Syncs are not counted here.
    pub(super) fn count(&self, config: &Config) -> LearnerCounts {
        let mut counts = LearnerCounts::default();
        for handler in self.by_link.values() {
            let Some(server) = handler.server else {
                continue;
            };
            counts.connected += 1;
            if !handler.is_fed(Progress::UpToDate) {
                continue;
            }
            match handler.role {
                Role::Observer => counts.synced_observers += 1,
                Role::Participant => {
                    counts.synced_followers += 1;
                    let votes = config.is_voter(server);
                    counts.synced_non_voting_followers += usize::from(!votes);
                }
            }
        }
        counts
    }

    /// In a fixed order.
    pub(super) fn links(&self) -> Vec<LearnerLink> {
        self.by_link.keys().copied().collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (LearnerLink, &LearnerHandler)> {
        self.by_link.iter().map(|(link, handler)| (*link, handler))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (LearnerLink, &mut LearnerHandler)> {
        let handlers = self.by_link.iter_mut();
        handlers.map(|(link, handler)| (*link, handler))
    }

    /// The first one behind `after` that has come so far: to go through them while each is changed.
    pub(super) fn next_fed(
        &self,
        after: Option<LearnerLink>,
        at_least: Progress,
    ) -> Option<LearnerLink> {
        let behind = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.by_link.range((behind, Bound::Unbounded));
        rest.find(|(_, handler)| handler.is_fed(at_least))
            .map(|(link, _)| *link)
    }

    /// Those that have come so far.
    pub(super) fn fed(&self, at_least: Progress) -> Vec<LearnerLink> {
        let fed = self.iter().filter(|(_, handler)| handler.is_fed(at_least));
        fed.map(|(link, _)| link).collect()
    }

    /// For whom the log is being read.
    pub(super) fn reading(&self, wanted: ReadId) -> Option<LearnerLink> {
        let reads = |handler: &LearnerHandler| match &handler.stage {
            Stage::Planning { read, .. } => *read == wanted,
            Stage::Fed(fed) => fed.feed.reading() == Some(wanted),
            _ => false,
        };
        let mut found = self.iter().filter(|(_, handler)| reads(handler));
        found.next().map(|(link, _)| link)
    }
}
