//! A client's request for another configuration of the ensemble.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jute::proto::ReconfigRequest;
use jute::quorum::QuorumConfig;
use jute::quorum::config::{Member as MemberLine, parse_server_id};
use jute::wire::{Decode, Reader};
use jute::{ErrorCode, Zxid};
use state::prep::{self, Prepared};
use zab::quorum::{Config, Configs};
use zab::{Peer, ReconfigRefusal};

use super::{Member, Outcome};
use crate::Now;

/// Any version of the present configuration will do.
const ANY_VERSION: i64 = -1;

impl Member {
    /// Makes the transaction of a reconfiguration, or of the error that it comes to.
    pub(super) fn reconfigure(
        &mut self,
        now: Now,
        request: &prep::Request<'_>,
        out: &mut Outcome,
    ) -> Prepared {
        let limits = self.replica.options().limits;
        let mut reader = Reader::new(request.body, limits);
        let Ok(wanted) = ReconfigRequest::decode(&mut reader) else {
            return Prepared::Reject(ErrorCode::MarshallingError);
        };
        let standalone = self.options.standalone_enabled;
        // `prepare` needs the member; the decision needs no more than this.
        let decision = |version| decide(&self.peer, &wanted, version, standalone);
        let decided = self.next_zxid().map(decision);
        self.prepare(now, out, |prep, state, buffer| {
            let decide = |_| decided.unwrap_or(Err(ErrorCode::Unimplemented));
            prep.reconfig(state, now.wall_ms, request, decide, buffer)
        })
    }
}

/// The text of the new configuration. The errors in the order of section 3.10.
fn decide(
    peer: &Peer,
    wanted: &ReconfigRequest<'_>,
    version: Zxid,
    standalone_enabled: bool,
) -> Result<String, ErrorCode> {
    let configs = peer.configs();
    if configs.proposed().is_some() {
        return Err(ErrorCode::ReconfigInProgress);
    }
    let present = configs.last_seen().version().0;
    if wanted.cur_config_id != ANY_VERSION && wanted.cur_config_id != present {
        return Err(ErrorCode::BadVersion);
    }
    let config = successor(configs, wanted)?.with_version(version.0);
    let voters = config.voters().count();
    if voters < if standalone_enabled { 2 } else { 1 } {
        return Err(ErrorCode::BadArguments);
    }
    let config = Config::try_from(config).map_err(|_| ErrorCode::BadArguments)?;
    match peer.may_reconfigure(&config) {
        Ok(()) => Ok(config.to_string()),
        Err(ReconfigRefusal::InProgress) => Err(ErrorCode::ReconfigInProgress),
        Err(ReconfigRefusal::NoQuorum | ReconfigRefusal::NotLeading) => {
            Err(ErrorCode::NewConfigNoQuorum)
        }
    }
}

/// The whole new membership, or the present one with joiners and without leavers.
fn successor(configs: &Configs, wanted: &ReconfigRequest<'_>) -> Result<QuorumConfig, ErrorCode> {
    if let Some(text) = wanted.new_members.as_deref() {
        let config = QuorumConfig::parse(&text.replace(',', "\n"));
        let config = config.map_err(|_| ErrorCode::BadArguments)?;
        distinct(&config)?;
        return Ok(config);
    }
    let mut config = QuorumConfig::clone(configs.last_seen());
    if config.hierarchy.is_some() {
        return Err(ErrorCode::BadArguments);
    }
    for leaver in listed(wanted.leaving_servers.as_deref()) {
        let id = parse_server_id(leaver).map_err(|_| ErrorCode::MarshallingError)?;
        config.members.remove(&id);
    }
    for joiner in listed(wanted.joining_servers.as_deref()) {
        let (key, line) = joiner.split_once('=').ok_or(ErrorCode::BadArguments)?;
        let id = key.trim().strip_prefix("server.").unwrap_or(key);
        let id = parse_server_id(id).map_err(|_| ErrorCode::MarshallingError)?;
        let member = MemberLine::parse(line).map_err(|_| ErrorCode::BadArguments)?;
        config.members.insert(id, member);
    }
    distinct(&config)?;
    Ok(config)
}

fn listed(text: Option<&str>) -> impl Iterator<Item = &str> {
    let parts = text.unwrap_or_default().split(',');
    parts.map(str::trim).filter(|part| !part.is_empty())
}

/// No two servers share an address, unless it stands for any.
fn distinct(config: &QuorumConfig) -> Result<(), ErrorCode> {
    let mut taken = BTreeSet::new();
    for member in config.members.values() {
        let ports = member.addresses.iter().flat_map(|address| {
            let ports = [address.quorum_port, address.election_port];
            ports.map(|port| (address.host.clone(), port))
        });
        let client = member.client.as_ref();
        let client = client.map(|client| (client.host.clone(), client.port));
        let own: BTreeSet<_> = ports
            .chain(client)
            .filter(|(host, _)| names_one(host))
            .collect();
        if !taken.is_disjoint(&own) {
            return Err(ErrorCode::BadArguments);
        }
        taken.extend(own);
    }
    Ok(())
}

fn names_one(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    !address.is_ok_and(|address| address.is_unspecified())
}
