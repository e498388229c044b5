//! One configuration: the members and how their votes are counted.

use std::ops::Deref;
use std::sync::Arc;

use jute::Zxid;
use jute::quorum::QuorumConfig;
use thiserror::Error;

use super::verifier;
use crate::ServerId;

/// Why a configuration cannot be that of an ensemble.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// No one could ever lead.
    #[error("no member votes")]
    NoVoter,
    /// With groups, every voter is in one.
    #[error("server {0} votes but is in no group")]
    NoGroup(ServerId),
    /// No set of voters is ever a quorum.
    #[error("no group has any weight")]
    NoWeight,
}

/// The ensemble as of one moment; shared, never changed.
///
/// Two configurations of the same version are equal without a look at their content, as
/// Apache compares them: a version names one configuration. Different versions are compared
/// by their content.
#[derive(Clone, Debug)]
pub struct Config(Arc<QuorumConfig>);

impl PartialEq for Config {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other)
    }
}

impl Eq for Config {}

impl Deref for Config {
    type Target = QuorumConfig;

    fn deref(&self) -> &QuorumConfig {
        &self.0
    }
}

impl TryFrom<QuorumConfig> for Config {
    type Error = ConfigError;

    fn try_from(config: QuorumConfig) -> Result<Self, ConfigError> {
        if config.voters().next().is_none() {
            return Err(ConfigError::NoVoter);
        }
        if let Some(hierarchy) = &config.hierarchy {
            let outside = |id: &ServerId| !hierarchy.groups.contains_key(id);
            if let Some(id) = config.voters().find(outside) {
                return Err(ConfigError::NoGroup(id));
            }
            if config
                .voters()
                .all(|id| verifier::weight(hierarchy, id) == 0)
            {
                return Err(ConfigError::NoWeight);
            }
        }
        Ok(Self(Arc::new(config)))
    }
}

impl Config {
    /// The same ensemble under another version.
    #[must_use]
    pub fn under(&self, version: Zxid) -> Self {
        Self(Arc::new(self.0.with_version(version.0)))
    }

    /// The zxid that established it; 0 if none did yet.
    pub fn version(&self) -> Zxid {
        Zxid(self.0.version)
    }

    /// How much a voter's voice counts. One of weight 0 never leads.
    pub fn weight(&self, server: ServerId) -> i64 {
        let hierarchy = self.0.hierarchy.as_ref();
        hierarchy.map_or(1, |hierarchy| verifier::weight(hierarchy, server))
    }

    /// Whether those voters for which `agrees` holds are a quorum. Others are not asked.
    pub fn is_quorum(&self, agrees: impl Fn(ServerId) -> bool) -> bool {
        match &self.0.hierarchy {
            None => verifier::is_majority(self.voters(), agrees),
            Some(hierarchy) => verifier::is_hierarchical_quorum(hierarchy, self.voters(), agrees),
        }
    }
}
