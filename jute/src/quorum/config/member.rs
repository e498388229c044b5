use std::fmt;

use thiserror::Error;

use crate::quorum::endpoint::{Bracketed, is_host, java_host, parse_port, split_host};
use crate::quorum::{Endpoint, EndpointFault};

/// The host of a client address of which only the port is given.
const ANY_HOST: &str = "0.0.0.0";

/// What stands behind `server.N=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Where it can be reached by other servers: at least one, sorted by host.
    pub addresses: Vec<MemberAddress>,
    /// What it takes part in.
    pub role: Role,
    /// Where it serves clients, if the line says so.
    pub client: Option<Endpoint>,
}

/// One address of a server, with its two ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberAddress {
    /// A name, or an address as Java writes it; without brackets.
    pub host: String,
    /// Where a leader, or an observer's master, listens for learners.
    pub quorum_port: u16,
    /// Where it listens for votes.
    pub election_port: u16,
}

/// What a server takes part in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It votes, on leaders and on transactions.
    Participant,
    /// It only learns.
    Observer,
}

/// Why a text is not a [`Member`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MemberFault {
    /// It has too many or too few parts.
    #[error(
        "does not have the form server_config or server_config;client_config where \
         server_config is the pipe separated list of host:port:port or host:port:port:type and \
         client_config is port or host:port"
    )]
    Form,
    /// A port is no number from 0 to 65535.
    #[error("Address unresolved: {host}:{port}")]
    Port {
        /// The host before it.
        host: String,
        /// The port.
        port: String,
    },
    /// Both ports of an address are the same.
    #[error("Client and election port must be different!")]
    EqualPorts,
    /// A role that there is not.
    #[error("Unrecognised peertype: {0}")]
    UnknownRole(String),
    /// The addresses name different roles.
    #[error("Multiple addresses should have similar roles: {} vs {}", .0.java_name(), .1.java_name())]
    Roles(Role, Role),
}

impl Role {
    /// The role of this name, in letters of any case.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.trim();
        [Self::Participant, Self::Observer]
            .into_iter()
            .find(|role| name.eq_ignore_ascii_case(role.name()))
    }

    /// As it stands in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Participant => "participant",
            Self::Observer => "observer",
        }
    }

    fn java_name(self) -> String {
        self.name().to_ascii_uppercase()
    }
}

impl Member {
    /// Parses the value of a `server.N` line.
    ///
    /// More than one address is for the caller to refuse unless `multiAddress.enabled` is set.
    pub fn parse(text: &str) -> Result<Self, MemberFault> {
        let mut halves = text.trim_end_matches(';').split(';');
        let servers = halves.next().unwrap_or_default();
        let client = halves.next().map(parse_client).transpose()?;
        if halves.next().is_some() {
            return Err(MemberFault::Form);
        }
        let (mut addresses, mut named) = (Vec::new(), None);
        for server in servers.trim_end_matches('|').split('|') {
            let (address, role) = parse_server(server)?;
            match (named, role) {
                (Some(first), Some(other)) if first != other => {
                    return Err(MemberFault::Roles(first, other));
                }
                _ => named = named.or(role),
            }
            addresses.push(address);
        }
        addresses.sort();
        addresses.dedup();
        Ok(Self {
            addresses,
            role: named.unwrap_or(Role::Participant),
            client,
        })
    }
}

/// `host:port:port[:role]`.
fn parse_server(text: &str) -> Result<(MemberAddress, Option<Role>), MemberFault> {
    let (host, parts) = split_host(text).ok_or(MemberFault::Form)?;
    let (quorum, election, role) = match *parts.as_slice() {
        [quorum, election] => (quorum, election, None),
        [quorum, election, role] => (quorum, election, Some(role)),
        _ => return Err(MemberFault::Form),
    };
    if !is_host(host) {
        return Err(MemberFault::Form);
    }
    let address = MemberAddress {
        host: java_host(host),
        quorum_port: port(host, quorum)?,
        election_port: port(host, election)?,
    };
    if address.quorum_port == address.election_port {
        return Err(MemberFault::EqualPorts);
    }
    let role = role
        .map(|name| Role::from_name(name).ok_or_else(|| MemberFault::UnknownRole(name.to_owned())));
    Ok((address, role.transpose()?))
}

/// `port` or `host:port`.
fn parse_client(text: &str) -> Result<Endpoint, MemberFault> {
    if !text.contains(':') {
        return Ok(Endpoint {
            host: ANY_HOST.to_owned(),
            port: port(ANY_HOST, text)?,
        });
    }
    Endpoint::parse(text).map_err(|fault| match fault {
        EndpointFault::Form => MemberFault::Form,
        EndpointFault::Port => {
            let (host, port) = text.rsplit_once(':').unwrap_or_default();
            MemberFault::Port {
                host: host.to_owned(),
                port: port.to_owned(),
            }
        }
    })
}

fn port(host: &str, text: &str) -> Result<u16, MemberFault> {
    parse_port(text).map_err(|_| MemberFault::Port {
        host: host.to_owned(),
        port: text.to_owned(),
    })
}

/// As Apache prints it: the role is always named.
impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, address) in self.addresses.iter().enumerate() {
            let separator = if n == 0 { "" } else { "|" };
            write!(
                f,
                "{separator}{}:{}:{}",
                Bracketed(&address.host),
                address.quorum_port,
                address.election_port
            )?;
        }
        write!(f, ":{}", self.role.name())?;
        match &self.client {
            Some(client) => write!(f, ";{client}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_how_they_are_printed() {
        for (text, printed) in [
            ("h:1:2", "h:1:2:participant"),
            ("h:1:2:OBSERVER", "h:1:2:observer"),
            ("h:1:2: observer ", "h:1:2:observer"),
            ("h:1:2:participant;3", "h:1:2:participant;0.0.0.0:3"),
            ("h:1:2;c:3", "h:1:2:participant;c:3"),
            ("h:1:2;", "h:1:2:participant"),
            (
                "[::1]:1:2;[::1]:3",
                "[0:0:0:0:0:0:0:1]:1:2:participant;[0:0:0:0:0:0:0:1]:3",
            ),
            ("b:1:2|a:3:4;c:3", "a:3:4|b:1:2:participant;c:3"),
            ("a:1:2|a:1:2", "a:1:2:participant"),
            ("a:1:2|", "a:1:2:participant"),
            // One address that names a role speaks for all.
            ("b:1:2|a:3:4:observer", "a:3:4|b:1:2:observer"),
        ] {
            let member = Member::parse(text).expect(text);
            assert_eq!(member.to_string(), printed, "{text}");
            assert_eq!(Member::parse(printed), Ok(member), "{text}");
        }
    }

    #[test]
    fn faults() {
        let port = |host: &str, port: &str| MemberFault::Port {
            host: host.to_owned(),
            port: port.to_owned(),
        };
        for (text, fault) in [
            ("", MemberFault::Form),
            ("h", MemberFault::Form),
            ("h:1", MemberFault::Form),
            ("h:1:2:3:4", MemberFault::Form),
            ("h:1:2;1;2", MemberFault::Form),
            ("h:1:2;a:b:c", MemberFault::Form),
            ("h:1:2;:3", MemberFault::Form),
            (":1:2", MemberFault::Form),
            ("[::1:1:2", MemberFault::Form),
            ("|a:1:2", MemberFault::Form),
            ("h:x:2", port("h", "x")),
            ("h:1:99999", port("h", "99999")),
            ("h:1: 2", port("h", " 2")),
            ("h:1:2;x", port("0.0.0.0", "x")),
            ("h:1:2;c:x", port("c", "x")),
            ("h:1:1", MemberFault::EqualPorts),
            (
                "h:1:2:learner",
                MemberFault::UnknownRole("learner".to_owned()),
            ),
            (
                "a:1:2:participant|b:1:2:observer",
                MemberFault::Roles(Role::Participant, Role::Observer),
            ),
        ] {
            assert_eq!(Member::parse(text), Err(fault), "{text}");
        }
    }
}
