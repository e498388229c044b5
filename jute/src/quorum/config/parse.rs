use std::collections::BTreeMap;

use thiserror::Error;

use super::{
    Hierarchy, MEMBERS_MAX, Member, MemberFault, QuorumConfig, Role, ServerId, TEXT_LEN_MAX,
    WEIGHT_MAX,
};
use crate::properties::{self, Property};

/// Why a text is not a [`QuorumConfig`]. In Apache's words where it has any.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigFault {
    /// Longer than [`TEXT_LEN_MAX`].
    #[error("{0} bytes are too long for a configuration")]
    TooLong(usize),
    /// More than [`MEMBERS_MAX`] servers.
    #[error("more than {MEMBERS_MAX} servers")]
    TooManyMembers,
    /// Not in the properties format.
    #[error(transparent)]
    Syntax(#[from] properties::SyntaxError),
    /// A key that a configuration does not have.
    #[error("Unrecognised parameter: {0}")]
    UnknownKey(String),
    /// Not a number.
    #[error("For input string: \"{0}\"")]
    Number(String),
    /// A `server.N` line that is none.
    #[error("{text} {fault}")]
    Member {
        /// The value of the line.
        text: String,
        /// What is wrong with it.
        fault: MemberFault,
    },
    /// A server in two groups.
    #[error("Server {0} is in multiple groups")]
    ManyGroups(ServerId),
    /// A participant outside all groups.
    #[error("Server {0} is not in a group")]
    NoGroup(ServerId),
    /// A weight outside 0..=[`WEIGHT_MAX`], or none for a server of a group that is no
    /// participant.
    #[error("Server {0} needs a weight from 0 to {WEIGHT_MAX}")]
    Weight(ServerId),
}

/// Parses the number behind `server.`.
pub fn parse_server_id(text: &str) -> Result<ServerId, ConfigFault> {
    number(text).map(ServerId)
}

impl QuorumConfig {
    /// Parses a text, whose lines may stand in any order.
    ///
    /// # Errors
    /// See [`ConfigFault`]. How many servers with and without a vote a configuration must have is
    /// not looked at.
    pub fn parse(text: &str) -> Result<Self, ConfigFault> {
        if text.len() > TEXT_LEN_MAX {
            return Err(ConfigFault::TooLong(text.len()));
        }
        let trimmed = |Property { key, value, .. }| (key.trim().to_owned(), value);
        // A key that stands twice keeps its last value.
        let lines: BTreeMap<_, _> = properties::parse(text)?.into_iter().map(trimmed).collect();
        let mut config = Self::default();
        for (key, value) in &lines {
            config.take_line(key, value.trim())?;
        }
        config.completed()
    }

    /// Parses bytes that should be UTF-8. Others stand in names, which then resolve to nothing.
    ///
    /// # Errors
    /// As [`QuorumConfig::parse`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ConfigFault> {
        Self::parse(&String::from_utf8_lossy(bytes))
    }

    /// Takes one line, for those who have more to say of it than its text. Neither key nor value
    /// has blanks at its ends, and each key is taken once.
    ///
    /// # Errors
    /// What is wrong with this line, or that it names a server for which there is no room.
    pub fn take_line(&mut self, key: &str, value: &str) -> Result<(), ConfigFault> {
        if let Some(id) = key.strip_prefix("server.") {
            let id = parse_server_id(id)?;
            let member = Member::parse(value).map_err(|fault| ConfigFault::Member {
                text: value.to_owned(),
                fault,
            })?;
            self.members.insert(id, member);
            if self.members.len() > MEMBERS_MAX {
                return Err(ConfigFault::TooManyMembers);
            }
        } else if key.starts_with("group") {
            let group = number_behind_dot(key)?;
            let groups = &mut self.hierarchy.get_or_insert_default().groups;
            for server in value.split(':') {
                let server = parse_server_id(server)?;
                if groups.insert(server, group).is_some() {
                    return Err(ConfigFault::ManyGroups(server));
                }
            }
        } else if key.starts_with("weight") {
            let server = ServerId(number_behind_dot(key)?);
            let weight = number(value)?;
            if !(0..=WEIGHT_MAX).contains(&weight) {
                return Err(ConfigFault::Weight(server));
            }
            let weights = &mut self.hierarchy.get_or_insert_default().weights;
            weights.insert(server, weight);
        } else if key == "version" {
            let version = i64::from_str_radix(value, 16).ok();
            self.version = version
                .filter(|version| *version >= 0)
                .ok_or_else(|| ConfigFault::Number(value.to_owned()))?;
        } else {
            return Err(ConfigFault::UnknownKey(key.to_owned()));
        }
        Ok(())
    }

    /// What is made of the lines that were taken: every participant has a weight, and all can be
    /// counted.
    ///
    /// # Errors
    /// [`ConfigFault::NoGroup`] and [`ConfigFault::Weight`].
    pub fn completed(mut self) -> Result<Self, ConfigFault> {
        let Some(Hierarchy { groups, weights }) = &mut self.hierarchy else {
            return Ok(self);
        };
        for (id, member) in &self.members {
            if member.role == Role::Participant {
                if !groups.contains_key(id) {
                    return Err(ConfigFault::NoGroup(*id));
                }
                weights.entry(*id).or_insert(1);
            }
        }
        match groups.keys().find(|id| !weights.contains_key(id)) {
            Some(id) => Err(ConfigFault::Weight(*id)),
            None => Ok(self),
        }
    }
}

/// The number in `group.1` and `weight.1`.
fn number_behind_dot(key: &str) -> Result<i64, ConfigFault> {
    number(key.split_once('.').map_or(key, |(_, number)| number))
}

fn number(text: &str) -> Result<i64, ConfigFault> {
    text.parse()
        .map_err(|_| ConfigFault::Number(text.to_owned()))
}
