//! `server.N` lines: enough of them to know a standalone configuration from an ensemble.

use super::error::ConfigError;
use super::properties::Properties;
use super::source::Source;

/// The member lines of a file allow at most this many; server ids end at 255.
const MAX_SERVERS: usize = 255;

/// Apache's phrase for a line that does not parse.
const FORM: &str = "does not have the form server_config or server_config;client_config where \
    server_config is the pipe separated list of host:port:port or host:port:port:type and \
    client_config is port or host:port";

/// What the allowed part of an error says about a `server.N` line.
const ALLOWED: &str = "HOST:QUORUM_PORT:ELECTION_PORT[:participant|observer][;[HOST:]CLIENT_PORT]";

/// Where the one server of a standalone configuration listens for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientAddress {
    /// `None` is the wildcard.
    pub(super) host: Option<String>,
    pub(super) port: u16,
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
        if id.parse::<i64>().is_err() {
            return Err(invalid(
                format!("For input string: \"{id}\""),
                "server.N with a number N",
            ));
        }
        let line = MemberLine::parse(&entry.value)
            .map_err(|fault| invalid(fault.text(&entry.value, id), ALLOWED))?;
        if line.addresses > 1 && !multi_address {
            let reason = format!(
                "Multiple address feature is disabled, but multiple addresses were specified for sid {id}"
            );
            return Err(invalid(reason, "one address, or multiAddress.enabled=true"));
        }
        if line.observer {
            found.observers += 1;
        } else {
            found.participants += 1;
        }
        found.client = line.client;
        if found.participants + found.observers > MAX_SERVERS {
            return Err(invalid(
                format!("more than {MAX_SERVERS} servers"),
                "at most 255 server lines",
            ));
        }
    }
    Ok(found)
}

#[derive(Debug, PartialEq, Eq)]
struct MemberLine {
    addresses: usize,
    observer: bool,
    client: Option<ClientAddress>,
}

#[derive(Debug, PartialEq, Eq)]
enum MemberFault {
    Form,
    EqualPorts,
    Role,
}

impl MemberFault {
    fn text(&self, value: &str, id: &str) -> String {
        match self {
            Self::Form => format!("{value} {FORM}"),
            Self::EqualPorts => format!(
                "Client and election port must be different! Please update the configuration file on server.{id}"
            ),
            Self::Role => "every address of a server must have the same role".to_owned(),
        }
    }
}

impl MemberLine {
    fn parse(text: &str) -> Result<Self, MemberFault> {
        let mut halves = text.split(';');
        let servers = halves.next().unwrap_or_default();
        let client = halves.next().map(parse_client).transpose()?;
        if halves.next().is_some() {
            return Err(MemberFault::Form);
        }
        let mut role = None;
        let mut addresses = 0;
        for server in servers.split('|') {
            let observer = parse_server(server)?;
            if role.is_some_and(|seen| seen != observer) {
                return Err(MemberFault::Role);
            }
            role = Some(observer);
            addresses += 1;
        }
        Ok(Self {
            addresses,
            observer: role == Some(true),
            client,
        })
    }
}

/// `host:port:port[:role]`; the result is whether the role is observer.
fn parse_server(text: &str) -> Result<bool, MemberFault> {
    let (host, rest) = split_host(text.trim()).ok_or(MemberFault::Form)?;
    let fields: Vec<&str> = rest.split(':').collect();
    let (quorum, election, role) = match *fields.as_slice() {
        [quorum, election] => (quorum, election, None),
        [quorum, election, role] => (quorum, election, Some(role)),
        _ => return Err(MemberFault::Form),
    };
    let quorum = parse_port(quorum)?;
    let election = parse_port(election)?;
    if host.is_empty() {
        return Err(MemberFault::Form);
    }
    if quorum == election {
        return Err(MemberFault::EqualPorts);
    }
    match role.map(str::to_ascii_lowercase).as_deref() {
        None | Some("participant") => Ok(false),
        Some("observer") => Ok(true),
        Some(_) => Err(MemberFault::Form),
    }
}

/// `port` or `host:port`.
fn parse_client(text: &str) -> Result<ClientAddress, MemberFault> {
    let text = text.trim();
    if !text.contains(':') {
        return Ok(ClientAddress {
            host: None,
            port: parse_port(text)?,
        });
    }
    let (host, port) = split_host(text).ok_or(MemberFault::Form)?;
    let host = Some(host).filter(|h| !matches!(*h, "" | "0.0.0.0" | "::"));
    Ok(ClientAddress {
        host: host.map(str::to_owned),
        port: parse_port(port)?,
    })
}

/// Splits at the colon behind a name, an IPv4 address or a bracketed IPv6 address.
fn split_host(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            Some((host, rest.strip_prefix(':')?))
        }
        None => text.split_once(':'),
    }
}

fn parse_port(text: &str) -> Result<u16, MemberFault> {
    text.trim().parse().map_err(|_| MemberFault::Form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn member_lines() {
        let client = |host: Option<&str>, port| {
            Some(ClientAddress {
                host: host.map(str::to_owned),
                port,
            })
        };
        for (text, addresses, observer, expected) in [
            ("h:2888:3888", 1, false, None),
            ("h:2888:3888:OBSERVER", 1, true, None),
            ("h:2888:3888:participant;2181", 1, false, client(None, 2181)),
            ("h:2888:3888;0.0.0.0:2181", 1, false, client(None, 2181)),
            (
                "[::1]:2888:3888;[::1]:2181",
                1,
                false,
                client(Some("::1"), 2181),
            ),
            ("a:1:2|b:1:2;c:3", 2, false, client(Some("c"), 3)),
        ] {
            let expected = MemberLine {
                addresses,
                observer,
                client: expected,
            };
            assert_eq!(MemberLine::parse(text), Ok(expected), "{text}");
        }
        for (text, fault) in [
            ("", MemberFault::Form),
            ("h:2888", MemberFault::Form),
            ("h:x:3888", MemberFault::Form),
            ("h:2888:3888:learner", MemberFault::Form),
            ("h:2888:3888;1;2", MemberFault::Form),
            ("h:2888:99999", MemberFault::Form),
            ("[::1:2888:3888", MemberFault::Form),
            (":1:2", MemberFault::Form),
            ("h:2888:2888", MemberFault::EqualPorts),
            ("a:1:2|b:1:2:observer", MemberFault::Role),
        ] {
            assert_eq!(MemberLine::parse(text), Err(fault), "{text}");
        }
    }
}
