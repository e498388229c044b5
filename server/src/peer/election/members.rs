use std::collections::BTreeMap;

use jute::quorum::{Endpoint, QuorumConfig, ServerId};

/// Where the members of an ensemble can be dialled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(BTreeMap<ServerId, Vec<Endpoint>>);

impl Members {
    /// The members of the configuration in force, and of a newer one that was seen, if there is
    /// one: who joins must be reachable before its configuration is committed. The addresses of
    /// the former come first.
    pub fn new(committed: &QuorumConfig, seen: Option<&QuorumConfig>) -> Self {
        let mut members = BTreeMap::<_, Vec<_>>::new();
        for (id, member) in std::iter::once(committed)
            .chain(seen)
            .flat_map(|config| &config.members)
        {
            let known = members.entry(*id).or_default();
            for address in &member.addresses {
                let endpoint = Endpoint {
                    host: address.host.clone(),
                    port: address.election_port,
                };
                if !known.contains(&endpoint) {
                    known.push(endpoint);
                }
            }
        }
        Self(members)
    }

    pub(super) fn contains(&self, server: ServerId) -> bool {
        self.0.contains_key(&server)
    }

    pub(super) fn addresses(&self, server: ServerId) -> &[Endpoint] {
        self.0.get(&server).map_or(&[], Vec::as_slice)
    }
}
