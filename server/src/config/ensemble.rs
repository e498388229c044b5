//! `server.N` lines: enough of them to know a standalone configuration from an ensemble.

use jute::quorum::config::{MEMBERS_MAX, Member, MemberFault, Role, parse_server_id};
use jute::quorum::{Endpoint, ServerId};

use super::error::ConfigError;
use super::properties::Properties;
use super::source::Source;

/// What the allowed part of an error says about a `server.N` line.
const ALLOWED: &str = "HOST:QUORUM_PORT:ELECTION_PORT[:participant|observer][;[HOST:]CLIENT_PORT]";

/// Where the one server of a standalone configuration listens for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientAddress {
    /// `None` is the wildcard.
    pub(super) host: Option<String>,
    pub(super) port: u16,
}

impl From<Endpoint> for ClientAddress {
    fn from(client: Endpoint) -> Self {
        Self {
            host: (!client.is_wildcard()).then_some(client.host),
            port: client.port,
        }
    }
}

/// What the member lines say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Members {
    participants: usize,
    observers: usize,
    client: Option<ClientAddress>,
}

/// Reads the member lines of `members`, which is the static or the dynamic file. The result is the
/// client address of the only server, where its line has one.
///
/// # Errors
/// Lines that Apache refuses too, and any configuration that needs an ensemble.
pub(super) fn standalone_member(
    source: &mut Source<'_>,
    members: &Properties,
    standalone_enabled: bool,
) -> Result<Option<ClientAddress>, ConfigError> {
    let found = read_members(source, members)?;
    let refuse = |reason: &str, allowed: &str| ConfigError::Invalid {
        origin: members.origin.clone(),
        key: "server.N".to_owned(),
        value: format!(
            "{} participants, {} observers",
            found.participants, found.observers
        ),
        reason: reason.to_owned(),
        allowed: allowed.to_owned(),
    };
    match (found.participants, found.observers) {
        (0, 0) => {}
        (0, _) => {
            return Err(refuse(
                "Observers w/o participants is an invalid configuration",
                "no server line",
            ));
        }
        (1, 1..) if standalone_enabled => {
            return Err(refuse(
                "Observers w/o quorum is an invalid configuration",
                "no observers",
            ));
        }
        (1, 0) if standalone_enabled => {
            source.warn("Invalid configuration, only one server specified (ignoring)");
        }
        _ => {
            return Err(refuse(
                "ensembles are not supported yet",
                "at most one server line, with standaloneEnabled=true",
            ));
        }
    }
    Ok(found.client)
}

fn read_members(source: &Source<'_>, members: &Properties) -> Result<Members, ConfigError> {
    let multi_address = source.bool("multiAddress.enabled", false)?;
    let mut found = Members::default();
    for (key, entry) in members.iter() {
        let Some(id) = key.strip_prefix("server.") else {
            continue;
        };
        if key == "server.realm" {
            continue; // a Kerberos property
        }
        let invalid = |reason: String, allowed: &str| ConfigError::Invalid {
            origin: format!("{}:{}", members.origin, entry.line),
            key: key.to_owned(),
            value: entry.value.clone(),
            reason,
            allowed: allowed.to_owned(),
        };
        let id = parse_server_id(id)
            .map_err(|fault| invalid(fault.to_string(), "server.N with a number N"))?;
        let member = Member::parse(&entry.value)
            .map_err(|fault| invalid(complaint(&fault, &entry.value, id), ALLOWED))?;
        if member.addresses.len() > 1 && !multi_address {
            let reason = format!(
                "Multiple address feature is disabled, but multiple addresses were specified for sid {id}"
            );
            return Err(invalid(reason, "one address, or multiAddress.enabled=true"));
        }
        match member.role {
            Role::Participant => found.participants += 1,
            Role::Observer => found.observers += 1,
        }
        found.client = member.client.map(ClientAddress::from);
        if found.participants + found.observers > MEMBERS_MAX {
            return Err(invalid(
                format!("more than {MEMBERS_MAX} servers"),
                "at most 255 server lines",
            ));
        }
    }
    Ok(found)
}

/// What Apache says of such a line.
fn complaint(fault: &MemberFault, value: &str, id: ServerId) -> String {
    match fault {
        MemberFault::Form => format!("{value} {fault}"),
        MemberFault::EqualPorts => {
            format!("{fault} Please update the configuration file on server.{id}")
        }
        MemberFault::Port { .. } | MemberFault::UnknownRole(_) | MemberFault::Roles(..) => {
            fault.to_string()
        }
    }
}
