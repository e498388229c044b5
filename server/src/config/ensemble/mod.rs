//! Standalone or member of an ensemble, and which member.

mod client_address;
mod limits;
mod members;
pub(super) mod settings;

use jute::quorum::config::Role;
use jute::quorum::{QuorumConfig, ServerId};
use zab::quorum::Config as EnsembleConfig;

use self::members::{Listing, invalid};
use self::settings::{ConfigPaths, EnsembleSettings};
use super::beside::Beside;
use super::error::ConfigError;
use super::properties::Properties;
use super::settings::Config;
use super::source::Source;

pub(super) use members::is_member_key;

/// Ids above it leave no room for the marks of TTL nodes in an ephemeral owner.
const MAX_EXTENDED_SERVER_ID: i64 = 254;

/// Completes a configuration by what its member lines say; `beside` is `None` for one that came
/// from no file. The order of the checks is Apache's.
///
/// # Errors
/// Members, ids and addresses that no server starts with; for an ensemble also limits that are
/// missing, and what it is asked for and does not have.
pub(super) fn complete(
    config: &mut Config,
    source: &mut Source<'_>,
    beside: Option<&Beside>,
) -> Result<(), ConfigError> {
    let file = source.file;
    let (lines, listing) = match beside.and_then(|beside| beside.dynamic.as_ref()) {
        Some(dynamic) => (&dynamic.lines, Listing::Dynamic),
        None => (file, Listing::Static),
    };
    let multi_address = limits::multi_address(source)?;
    let mut members = members::read(lines, listing, multi_address)?;
    if let Some(dynamic) = beside.and_then(|beside| beside.dynamic.as_ref()) {
        members.version = journal::config::version_in_name(&dynamic.path).0;
    }
    let is_ensemble = members::is_ensemble(source, lines, &members)?;
    let me = beside.map(own_id).transpose()?.flatten();
    client_address::adopt(config, source, &members, me)?;
    check_peer_type(source, &members, me);
    if !is_ensemble {
        return Ok(());
    }
    let limits = limits::ticks(source)?;
    limits::check_unsupported(source)?;
    let (Some(me), Some(beside)) = (me, beside) else {
        return Err(id_error(
            beside,
            "myid file is missing",
            "a file with the N of this server's server.N line",
        ));
    };
    check_own_id(config, source, beside, &members, me)?;
    source.warn_of_ensemble_keys();
    let oracle = limits::oracle(source, &members);
    let committed = consensus_config(lines, members)?;
    let last_seen = last_seen(beside, &committed, multi_address)?;
    config.ensemble = Some(EnsembleSettings {
        me,
        last_seen,
        files: ConfigPaths {
            file: beside.file.clone(),
            dynamic: beside.dynamic.as_ref().map(|found| found.path.clone()),
        },
        committed,
        limits,
        links: limits::links(source, multi_address)?,
        election: limits::election(source)?,
        leader: limits::leader(source)?,
        learner: limits::learner(source)?,
        history: limits::history(source),
        oracle,
        local_sessions: source.bool("localSessionsEnabled", false)?,
        local_sessions_upgrading: source.bool("localSessionsUpgradingEnabled", false)?,
        standalone_enabled: source.bool("standaloneEnabled", true)?,
    });
    Ok(())
}

/// What `myid` says, if it is there. -1 is how Apache remembers that it is not.
fn own_id(beside: &Beside) -> Result<Option<ServerId>, ConfigError> {
    let Some(text) = &beside.my_id else {
        return Ok(None);
    };
    let id = text.parse().map(ServerId).map_err(|_| {
        let reason = format!("serverid {text} is not a number");
        id_error(Some(beside), &reason, "a number, without blanks")
    })?;
    Ok((id != ServerId(-1)).then_some(id))
}

fn check_own_id(
    config: &Config,
    source: &mut Source<'_>,
    beside: &Beside,
    members: &QuorumConfig,
    me: ServerId,
) -> Result<(), ConfigError> {
    if !members.members.contains_key(&me) {
        let reason = format!("My id {me} not in the peer list");
        return Err(id_error(Some(beside), &reason, "the N of a server.N line"));
    }
    if config.features.extended_types_enabled && me.0 > MAX_EXTENDED_SERVER_ID {
        let reason = format!(
            "extendedTypesEnabled is true but Server ID is too large. \
             Cannot be larger than {MAX_EXTENDED_SERVER_ID}"
        );
        return Err(id_error(Some(beside), &reason, "1 to 254"));
    }
    if u8::try_from(me.0).is_err() {
        source.warn(format!(
            "myid={me} is not from 0 to 255: session ids carry its lowest byte alone, and must not \
             be those of another server"
        ));
    }
    Ok(())
}

fn id_error(beside: Option<&Beside>, reason: &str, allowed: &str) -> ConfigError {
    let path = beside.map(|beside| beside.my_id_path.display().to_string());
    let value = beside.and_then(|beside| beside.my_id.clone());
    ConfigError::Invalid {
        origin: path.unwrap_or_else(|| "dataDir".to_owned()),
        key: "myid".to_owned(),
        value: value.unwrap_or_default(),
        reason: reason.to_owned(),
        allowed: allowed.to_owned(),
    }
}

/// The members' list decides; that `peerType` says otherwise is worth a warning.
fn check_peer_type(source: &mut Source<'_>, members: &QuorumConfig, me: Option<ServerId>) {
    let stated = source.text("peerType").and_then(Role::from_name);
    let stated = stated.unwrap_or(Role::Participant);
    let own = me.and_then(|me| members.members.get(&me));
    let listed = own.map_or(Role::Participant, |own| own.role);
    if stated != listed {
        let [listed, stated] = [listed, stated].map(|role| role.name().to_ascii_uppercase());
        source.warn(format!(
            "Peer type from servers list ({listed}) doesn't match peerType ({stated}). \
             Defaulting to servers list."
        ));
    }
}

/// What `.next` proposes, if it is newer than what is established.
fn last_seen(
    beside: &Beside,
    committed: &EnsembleConfig,
    multi_address: bool,
) -> Result<Option<EnsembleConfig>, ConfigError> {
    let Some(lines) = beside.next.clone()? else {
        return Ok(None);
    };
    let next = members::read(&lines, Listing::Next, multi_address)?;
    let next = consensus_config(&lines, next)?;
    Ok((next.version() > committed.version()).then_some(next))
}

fn consensus_config(
    lines: &Properties,
    members: QuorumConfig,
) -> Result<EnsembleConfig, ConfigError> {
    EnsembleConfig::try_from(members).map_err(|error| {
        let reason = error.to_string();
        let allowed = "at least one participant, in a group of some weight if there are groups";
        invalid(lines, "server.N", &reason, allowed)
    })
}
