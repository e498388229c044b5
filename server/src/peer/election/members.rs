use std::collections::BTreeMap;

use jute::quorum::config::Role;
use jute::quorum::{Endpoint, QuorumConfig, ServerId};

/// Where the members of an ensemble can be dialled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    addresses: BTreeMap<ServerId, Vec<Endpoint>>,
    /// The version of the configuration in force, and who is what in it.
    version: i64,
    roles: BTreeMap<ServerId, Role>,
}

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
        Self {
            addresses: members,
            version: committed.version,
            roles: roles(committed),
        }
    }

    /// Whether this configuration cannot be that of the same ensemble: a version names one. How
    /// servers are called may differ from one to the other, who they are may not.
    pub(super) fn contradict(&self, other: &QuorumConfig) -> bool {
        other.version == self.version && roles(other) != self.roles
    }

    pub(super) fn contains(&self, server: ServerId) -> bool {
        self.addresses.contains_key(&server)
    }

    pub(super) fn addresses(&self, server: ServerId) -> &[Endpoint] {
        self.addresses.get(&server).map_or(&[], Vec::as_slice)
    }
}

fn roles(config: &QuorumConfig) -> BTreeMap<ServerId, Role> {
    let members = config.members.iter();
    members.map(|(id, member)| (*id, member.role)).collect()
}
