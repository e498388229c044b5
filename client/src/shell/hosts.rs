//! Where the servers are.

use std::net::SocketAddr;

use thiserror::Error;

use super::chroot::Chroot;
use super::transport::Connector;

/// The port of a server that names none.
const DEFAULT_PORT: u16 = 2181;

/// Most servers in a connect string.
const HOSTS_MAX: usize = 256;

/// What is wrong with a connect string.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConnectStringError {
    /// It names no server.
    #[error("the connect string names no server")]
    NoServer,
    /// It names too many servers.
    #[error("the connect string names more than {HOSTS_MAX} servers")]
    TooManyServers,
    /// A server is not `host`, `host:port` or `[address]:port`.
    #[error("{0:?} names no server")]
    BadServer(String),
    /// The part from the first slash on is no path.
    #[error("{0:?} is no path to see as the root")]
    BadChroot(String),
}

/// A server as named: a name may stand for several addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) port: u16,
}

/// Takes `host:port,host:port/chroot` apart.
pub(super) fn parse(text: &str) -> Result<(Vec<Host>, Chroot), ConnectStringError> {
    let slash = text.find('/').unwrap_or(text.len());
    let (servers, path) = text.split_at(slash);
    let path = if path.is_empty() { "/" } else { path };
    let chroot = Chroot::default().below(path);
    let chroot = chroot.map_err(|_| ConnectStringError::BadChroot(path.to_owned()))?;
    let servers = servers.split(',').map(str::trim);
    let hosts: Result<Vec<_>, _> = servers.filter(|text| !text.is_empty()).map(host).collect();
    match hosts? {
        hosts if hosts.is_empty() => Err(ConnectStringError::NoServer),
        hosts if hosts.len() > HOSTS_MAX => Err(ConnectStringError::TooManyServers),
        hosts => Ok((hosts, chroot)),
    }
}

fn host(text: &str) -> Result<Host, ConnectStringError> {
    let bad = || ConnectStringError::BadServer(text.to_owned());
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (name, rest) = rest.split_once(']').ok_or_else(bad)?;
            let port = match rest {
                "" => None,
                rest => Some(rest.strip_prefix(':').ok_or_else(bad)?),
            };
            (name, port)
        }
        // More than one colon: an IPv6 address without a port.
        None if text.matches(':').count() > 1 => (text, None),
        None => match text.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map_or(Ok(DEFAULT_PORT), |port| port.parse().map_err(|_| bad()))?;
    if name.is_empty() {
        return Err(bad());
    }
    Ok(Host {
        name: name.to_owned(),
        port,
    })
}

/// An address to try, with the name that it was found under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) name: String,
    pub(super) address: SocketAddr,
}

/// The order in which the servers are tried: each address of each server once in a round,
/// shuffled. The names are resolved anew for each round, so that servers that moved are found.
#[derive(Debug)]
pub(super) struct Rounds {
    hosts: Vec<Host>,
    left: Vec<Candidate>,
    random: u64,
}

impl Rounds {
    pub(super) fn new(hosts: Vec<Host>, random: u64) -> Self {
        Self {
            hosts,
            left: Vec::new(),
            random,
        }
    }

    /// The next server of this round; `None` at its end.
    pub(super) fn next(&mut self) -> Option<Candidate> {
        self.left.pop()
    }

    pub(super) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Begins a round with these servers; returns the first.
    pub(super) fn begin(&mut self, found: Vec<Candidate>) -> Option<Candidate> {
        self.left = found;
        self.left.sort_by_key(|candidate| candidate.address);
        self.left.dedup_by_key(|candidate| candidate.address);
        self.shuffle();
        self.next()
    }

    /// Makes this server the next one.
    pub(super) fn put_first(&mut self, candidate: Candidate) {
        self.left.push(candidate);
    }

    fn shuffle(&mut self) {
        for at in (1..self.left.len()).rev() {
            self.random = crate::session::split_mix(self.random);
            self.left.swap(at, (self.random % (at as u64 + 1)) as usize);
        }
    }
}

/// The addresses of these servers, as far as their names resolve.
///
/// # Errors
/// When no name resolves.
pub(super) async fn resolve(
    hosts: &[Host],
    connector: &Connector,
) -> std::io::Result<Vec<Candidate>> {
    let mut candidates = Vec::new();
    let mut failure = None;
    for host in hosts {
        match connector.resolve(host).await {
            Ok(found) => candidates.extend(found.into_iter().map(|address| Candidate {
                name: host.name.clone(),
                address,
            })),
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) if candidates.is_empty() => Err(error),
        _ => Ok(candidates),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_connect_strings() {
        type Hosts = &'static [(&'static str, u16)];
        let table: &[(&str, Hosts, &str)] = &[
            ("a", &[("a", 2181)], "/"),
            ("a:1", &[("a", 1)], "/"),
            ("a:1,b:2, c", &[("a", 1), ("b", 2), ("c", 2181)], "/"),
            ("a:1/", &[("a", 1)], "/"),
            ("a:1,b/x/y", &[("a", 1), ("b", 2181)], "/x/y"),
            ("[::1]:7,[::2]", &[("::1", 7), ("::2", 2181)], "/"),
            ("::1", &[("::1", 2181)], "/"),
        ];
        for (text, hosts, root) in table {
            let (found, chroot) = parse(text).expect(text);
            let found: Vec<_> = found.iter().map(|h| (h.name.as_str(), h.port)).collect();
            assert_eq!(found, *hosts, "{text}");
            assert_eq!(chroot.full("/").as_deref(), Ok(*root), "{text}");
        }
    }

    #[test]
    fn table_of_bad_connect_strings() {
        for text in [
            "", ",", "/a", ":1", "a:b", "a:70000", "[::1", "[::1]x", "a/b/", "a//",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
