//! The lines that make an ensemble: `server.N`, `group.N`, `weight.N`.

use journal::config::VERSION_INSIDE;
use jute::quorum::ServerId;
use jute::quorum::config::{
    ConfigFault, MEMBERS_MAX, MemberFault, QuorumConfig, TEXT_LEN_MAX, WEIGHT_MAX, parse_server_id,
};

use super::super::error::ConfigError;
use super::super::properties::Properties;
use super::super::source::Source;

const SERVER_ALLOWED: &str =
    "HOST:QUORUM_PORT:ELECTION_PORT[:participant|observer][;[HOST:]CLIENT_PORT]";

/// The file that the lines stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listing {
    /// `zoo.cfg`, with keys of other kinds.
    Static,
    /// The established configuration in a file of its own; its version is in the file's name.
    Dynamic,
    /// One that was proposed, with its version.
    Next,
}

impl Listing {
    /// Whether a key is none of the ensemble's.
    fn passes_over(self, key: &str) -> bool {
        // `server.realm` is a Kerberos property.
        self == Self::Static && (!is_member_key(key) && key != "version")
    }
}

/// Whether a key is one of those that move into a dynamic file.
pub(in super::super) fn is_member_key(key: &str) -> bool {
    (key.starts_with("server.") && key != "server.realm")
        || key.starts_with("group")
        || key.starts_with("weight")
}

/// Reads the lines of a file.
///
/// # Errors
/// Lines that Apache refuses too, with their place; more than can be told to others.
pub(super) fn read(
    lines: &Properties,
    listing: Listing,
    multi_address: bool,
) -> Result<QuorumConfig, ConfigError> {
    let mut config = QuorumConfig::default();
    for (key, entry) in lines.iter() {
        if listing.passes_over(key) {
            continue;
        }
        if listing == Listing::Dynamic && key == "version" {
            return Err(invalid(lines, key, VERSION_INSIDE, "no such line"));
        }
        let taken = config.take_line(key, &entry.value);
        taken.map_err(|fault| complaint(lines, key, &fault))?;
        if let Some(Ok(id)) = key.strip_prefix("server.").map(parse_server_id) {
            check_member(lines, key, id, &config, multi_address)?;
        }
    }
    let config = config.completed().map_err(|fault| match fault {
        ConfigFault::NoGroup(id) => complaint(lines, &format!("server.{id}"), &fault),
        _ => complaint(lines, "weight.N", &fault),
    })?;
    let length = config.to_string().len();
    if length > TEXT_LEN_MAX {
        let fault = ConfigFault::TooLong(length);
        return Err(complaint(lines, "server.N", &fault));
    }
    Ok(config)
}

fn check_member(
    lines: &Properties,
    key: &str,
    id: ServerId,
    config: &QuorumConfig,
    multi_address: bool,
) -> Result<(), ConfigError> {
    if [ServerId::ANONYMOUS, ServerId::NON_VOTER].contains(&id) {
        let reason = "this number has another meaning in elections";
        return Err(invalid(lines, key, reason, "server.N with N from 1 to 255"));
    }
    let member = config.members.get(&id);
    if !multi_address && member.is_some_and(|member| member.addresses.len() > 1) {
        let reason = format!(
            "Multiple address feature is disabled, but multiple addresses were specified for sid {id}"
        );
        let allowed = "one address, or multiAddress.enabled=true";
        return Err(invalid(lines, key, &reason, allowed));
    }
    Ok(())
}

/// Whether the members make an ensemble, rather than a standalone server.
///
/// # Errors
/// Observers without voters.
pub(super) fn is_ensemble(
    source: &mut Source<'_>,
    lines: &Properties,
    config: &QuorumConfig,
) -> Result<bool, ConfigError> {
    let standalone_enabled = source.bool("standaloneEnabled", true)?;
    let participants = config.voters().count();
    let observers = config.members.len() - participants;
    let refuse = |reason: &str, allowed: &str| ConfigError::Invalid {
        origin: lines.origin.clone(),
        key: "server.N".to_owned(),
        value: format!("{participants} participants, {observers} observers"),
        reason: reason.to_owned(),
        allowed: allowed.to_owned(),
    };
    match (participants, observers) {
        (0, _) if !standalone_enabled => Err(source.invalid(
            "standaloneEnabled",
            "standaloneEnabled = false then number of participants should be >0",
            "true, or a server line of a participant",
        )),
        (0, 0) => Ok(false),
        (0, _) => Err(refuse(
            "Observers w/o participants is an invalid configuration",
            "no server line, or those of participants too",
        )),
        (1, 1..) if standalone_enabled => Err(refuse(
            "Observers w/o quorum is an invalid configuration",
            "no observers, more participants, or standaloneEnabled=false",
        )),
        (1, 0) if standalone_enabled => {
            source.warn("Invalid configuration, only one server specified (ignoring)");
            Ok(false)
        }
        (1 | 2, _) => {
            source.warn("No server failure will be tolerated. You need at least 3 servers.");
            Ok(true)
        }
        (even, _) if even.is_multiple_of(2) => {
            source.warn("Non-optimal configuration, consider an odd number of servers.");
            Ok(true)
        }
        _ => Ok(true),
    }
}

/// What Apache says of such a line.
fn complaint(lines: &Properties, key: &str, fault: &ConfigFault) -> ConfigError {
    let kind = key.split('.').next().unwrap_or_default();
    let allowed = match (fault, kind) {
        (ConfigFault::Member { .. }, _) => SERVER_ALLOWED.to_owned(),
        (ConfigFault::TooManyMembers, _) => format!("at most {MEMBERS_MAX} server lines"),
        (ConfigFault::TooLong(_), _) => format!("at most {TEXT_LEN_MAX} bytes"),
        (ConfigFault::NoGroup(_) | ConfigFault::ManyGroups(_), _) => {
            "each participant in one group.N line".to_owned()
        }
        (ConfigFault::Weight(_), _) => {
            format!("weight.N=W with W from 0 to {WEIGHT_MAX}, for each N of a group")
        }
        (ConfigFault::UnknownKey(_), _) => "server.N, group.N and weight.N".to_owned(),
        (_, "server") => "server.N with a number N".to_owned(),
        (_, "weight") => "weight.N=W with numbers N and W".to_owned(),
        (_, "version") => "a hexadecimal number".to_owned(),
        _ => "group.G=N:N:N with numbers G and N".to_owned(),
    };
    let reason = match fault {
        ConfigFault::Member { fault, .. } if *fault == MemberFault::EqualPorts => {
            format!("{fault} Please update the configuration file on {key}")
        }
        // Only of this one the text does not say what it is about.
        ConfigFault::Member { fault, .. } if *fault != MemberFault::Form => fault.to_string(),
        other => other.to_string(),
    };
    invalid(lines, key, &reason, &allowed)
}

/// An error about a line of this file, or about one that it lacks.
pub(super) fn invalid(lines: &Properties, key: &str, reason: &str, allowed: &str) -> ConfigError {
    let entry = lines.get(key);
    let origin = &lines.origin;
    ConfigError::Invalid {
        origin: entry.map_or_else(|| origin.clone(), |e| format!("{origin}:{}", e.line)),
        key: key.to_owned(),
        value: entry.map_or_else(String::new, |e| e.value.clone()),
        reason: reason.to_owned(),
        allowed: allowed.to_owned(),
    }
}
