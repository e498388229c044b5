//! The two configurations that count while one is being replaced by another.

use jute::Zxid;
use jute::quorum::config::Member;

use super::Config;
use crate::ServerId;
use crate::id::names_epoch;

/// The committed configuration and the one seen last: proposed, perhaps not yet committed.
///
/// Every decision needs a quorum of the committed one and, while the last seen one is newer,
/// of that too. So two decisions under overlapping pairs always share a voter, and neither
/// side of a reconfiguration can decide alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configs {
    committed: Config,
    last_seen: Option<Config>,
}

impl Configs {
    /// Starts from what the configuration files say.
    pub fn new(committed: Config, last_seen: Option<Config>) -> Self {
        let mut configs = Self {
            committed,
            last_seen: None,
        };
        if let Some(config) = last_seen {
            configs.see(config);
        }
        configs
    }

    /// The one that is established.
    pub fn committed(&self) -> &Config {
        &self.committed
    }

    /// The newest one known.
    pub fn last_seen(&self) -> &Config {
        self.last_seen.as_ref().unwrap_or(&self.committed)
    }

    /// The newer one that is not committed yet.
    pub fn proposed(&self) -> Option<&Config> {
        self.last_seen.as_ref()
    }

    /// Takes note of a proposed configuration; of the newest one, if there are several.
    pub fn see(&mut self, config: Config) {
        if config.version() > self.last_seen().version() {
            self.last_seen = Some(config);
        }
    }

    /// Forgets a proposed configuration whose transaction is not part of a history that ends at
    /// `to`; whether there was one.
    pub fn truncated(&mut self, to: Zxid) -> bool {
        // A version that names an epoch belongs to no transaction: the very first leader gave it.
        let gone = |config: &mut Config| config.version() > to && !names_epoch(config.version());
        self.last_seen.take_if(gone).is_some()
    }

    /// Forgets a proposed configuration: the history that had it is replaced by another; whether
    /// there was one.
    pub fn replaced(&mut self) -> bool {
        self.last_seen.take().is_some()
    }

    /// Makes a configuration the established one.
    ///
    /// # Panics
    /// If it is older than the one that is established: configurations are committed in order.
    pub fn commit(&mut self, config: Config) {
        assert!(
            config.version() >= self.committed.version(),
            "configuration {} is committed after {}",
            config.version(),
            self.committed.version()
        );
        let proposed = self.last_seen.take();
        self.committed = config;
        if let Some(proposed) = proposed {
            self.see(proposed);
        }
    }

    /// Whether those for which `agrees` holds are a quorum in every configuration that counts now.
    pub fn is_quorum(&self, agrees: impl Fn(ServerId) -> bool) -> bool {
        self.relevant().all(|config| config.is_quorum(&agrees))
    }

    /// The same for the proposal `zxid`: a configuration proposed behind it does not bear on it.
    pub fn is_quorum_for(&self, zxid: Zxid, agrees: impl Fn(ServerId) -> bool) -> bool {
        let bears = |config: &&Config| config.version() <= zxid;
        let proposed = self.last_seen.as_ref().filter(bears);
        std::iter::once(&self.committed)
            .chain(proposed)
            .all(|config| config.is_quorum(&agrees))
    }

    /// Whether the server votes in any configuration that counts.
    pub fn is_voter(&self, server: ServerId) -> bool {
        self.relevant().any(|config| config.is_voter(server))
    }

    /// The voters of all configurations that count, in ascending order.
    pub fn voters(&self) -> Vec<ServerId> {
        let mut voters: Vec<ServerId> =
            self.relevant().flat_map(|config| config.voters()).collect();
        voters.sort_unstable();
        voters.dedup();
        voters
    }

    /// The server's line: in the committed configuration, else in the last seen one.
    pub fn member(&self, server: ServerId) -> Option<&Member> {
        self.relevant()
            .find_map(|config| config.members.get(&server))
    }

    fn relevant(&self) -> impl Iterator<Item = &Config> {
        std::iter::once(&self.committed).chain(self.last_seen.as_ref())
    }
}
