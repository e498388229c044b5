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
    /// Whether the configuration can be replaced while the ensemble runs (`reconfigEnabled`). If
    /// not it is that of the files for ever, and has the version that it has there.
    replaceable: bool,
    oracle: Oracle,
}

/// Decides for an ensemble of two, of which a majority is both: with an oracle (`oraclePath`) one
/// is enough if the oracle says so to it. Who asks must be alone: as long as the other one follows,
/// its voice is waited for.
///
/// That only one of the two is told yes at a time, and that the other has everything when that
/// changes, is the oracle's business: nothing here can see to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Oracle {
    /// Its last word; `None` if there is no oracle.
    says: Option<bool>,
    /// The other one follows this server.
    followed: bool,
}

impl Oracle {
    /// Whether the configuration is one for which an oracle is asked.
    fn is_needed(&self, config: &Config) -> bool {
        let few = config.hierarchy.is_none() && config.voters().count() <= 2;
        self.says.is_some() && few && !self.followed
    }

    fn is_quorum(&self, config: &Config, agrees: impl Fn(ServerId) -> bool) -> bool {
        if config.is_quorum(&agrees) {
            return true;
        }
        self.says == Some(true) && self.is_needed(config) && config.voters().any(agrees)
    }
}

impl Configs {
    /// Starts from what the configuration files say; `replaceable` is `reconfigEnabled`. A
    /// configuration that was proposed before a restart counts in any case: others may have
    /// committed it.
    pub fn new(committed: Config, last_seen: Option<Config>, replaceable: bool) -> Self {
        let mut configs = Self {
            committed,
            last_seen: None,
            replaceable: true,
            oracle: Oracle::default(),
        };
        if let Some(config) = last_seen {
            configs.see(config);
        }
        configs.replaceable = replaceable;
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

    /// Takes note of a proposed configuration; of the newest one, if there are several. False if it
    /// is none, or if the configuration cannot be replaced.
    pub fn see(&mut self, config: Config) -> bool {
        let news = self.replaceable && config.version() > self.last_seen().version();
        if news {
            self.last_seen = Some(config);
        }
        news
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

    /// Makes a configuration the established one. False if the configuration cannot be replaced.
    ///
    /// # Panics
    /// If it is older than the one that is established: configurations are committed in order.
    pub fn commit(&mut self, config: Config) -> bool {
        if !self.replaceable {
            return false;
        }
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
        true
    }

    /// Whether those for which `agrees` holds are a quorum in every configuration that counts now.
    pub fn is_quorum(&self, agrees: impl Fn(ServerId) -> bool) -> bool {
        self.relevant()
            .all(|config| self.oracle.is_quorum(config, &agrees))
    }

    /// The same for the proposal `zxid`: a configuration proposed behind it does not bear on it.
    pub fn is_quorum_for(&self, zxid: Zxid, agrees: impl Fn(ServerId) -> bool) -> bool {
        let bears = |config: &&Config| config.version() <= zxid;
        let proposed = self.last_seen.as_ref().filter(bears);
        std::iter::once(&self.committed)
            .chain(proposed)
            .all(|config| self.oracle.is_quorum(config, &agrees))
    }

    /// What the oracle says now.
    pub(crate) fn hear_oracle(&mut self, says: bool) {
        self.oracle.says = Some(says);
    }

    /// Whether the other server of an ensemble of two follows this one.
    pub(crate) fn set_followed(&mut self, followed: bool) {
        self.oracle.followed = followed;
    }

    /// Whether a leader's own word is enough to follow it: in an ensemble of two with an oracle no
    /// one else can confirm it.
    pub(crate) fn trusts_leader(&self) -> bool {
        self.oracle.is_needed(&self.committed)
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
