//! Where clients are served: by the static keys, by the own `server.N` line, or by both.

use std::net::{IpAddr, ToSocketAddrs};

use jute::quorum::{Endpoint, QuorumConfig, ServerId};

use super::super::error::ConfigError;
use super::super::settings::Config;
use super::super::source::Source;

/// Takes the client address of the own line over. Where the static keys name one too they must
/// agree; a static wildcard agrees with every address of its port.
///
/// A standalone server without `myid` does not know which line is its own: Apache looks at none
/// then. Here the only line counts if the static keys say nothing, which would leave the server
/// without clients.
///
/// # Errors
/// Two addresses.
pub(super) fn adopt(
    config: &mut Config,
    source: &Source<'_>,
    members: &QuorumConfig,
    me: Option<ServerId>,
) -> Result<(), ConfigError> {
    let Some(me) = me else {
        let mut all = members.members.values();
        if let (Some(only), None, None) = (all.next(), all.next(), config.client_port)
            && let Some(client) = &only.client
        {
            take_over(config, client);
        }
        return Ok(());
    };
    let Some(stated) = members.members.get(&me).and_then(|own| own.client.as_ref()) else {
        return Ok(());
    };
    if let Some(port) = config.client_port {
        let host = config.client_port_address.as_deref().unwrap_or("0.0.0.0");
        let address = host.trim_matches(['[', ']']).to_owned();
        let fixed = Endpoint {
            host: address,
            port,
        };
        let agree = fixed.is_wildcard() || same_host(&fixed.host, &stated.host);
        if fixed.port != stated.port || !agree {
            let reason = format!(
                "client address for this server (id = {me}) in static config file is {fixed} \
                 is different from client address found in dynamic file: {stated}"
            );
            let allowed = "the same address in both places, or in one";
            return Err(source.invalid("clientPort", reason, allowed));
        }
    }
    take_over(config, stated);
    Ok(())
}

fn take_over(config: &mut Config, client: &Endpoint) {
    config.client_port = Some(client.port);
    config.client_port_address = (!client.is_wildcard()).then(|| client.host.clone());
}

/// Java compares addresses, not names; so names that differ are looked up.
fn same_host(one: &str, other: &str) -> bool {
    if one.eq_ignore_ascii_case(other) {
        return true;
    }
    let address = |host: &str| -> Option<IpAddr> {
        let found = (host, 0).to_socket_addrs().ok()?.next();
        found.map(|found| found.ip())
    };
    address(one).is_some_and(|one| address(other) == Some(one))
}
