//! Reaches another server at any of its addresses.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

/// Addresses that are tried at the most, of all those that the names of a server stand for.
const CANDIDATES_MAX: usize = 16;
/// Names that are being resolved at the same time, at the most.
const LOOKUPS_MAX: usize = 16;
/// One attempt starts so long after the other: what can be reached at once is, and its other
/// addresses see no connection that is dropped without a word.
const STAGGER: Duration = Duration::from_millis(10);

/// Why a server was not reached.
#[derive(Debug, Error)]
pub enum DialError {
    /// Each of its addresses refused or reset the connection: no process listens there.
    #[error("{0}")]
    Refused(io::Error),
    /// Not every address answered in time.
    #[error("no answer in time")]
    TimedOut,
    /// A name that stands for no address, as far as can be found out now.
    #[error("{host} cannot be resolved: {source}")]
    Unresolvable {
        /// The name.
        host: String,
        /// What was said of it.
        source: io::Error,
    },
    /// No route, no descriptors left, and the like.
    #[error("{0}")]
    Failed(io::Error),
}

impl From<DialError> for io::Error {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Refused(source) | DialError::Failed(source) => source,
            DialError::TimedOut => Self::new(ErrorKind::TimedOut, error),
            DialError::Unresolvable { .. } => Self::new(ErrorKind::NotFound, error),
        }
    }
}

/// Connects to the first of these addresses that answers, within `timeout`. Names are resolved
/// anew. All addresses are tried side by side.
///
/// # Errors
/// If none answers. [`DialError::Refused`] only if all refused: of one that said nothing, no one
/// knows whether it would have.
pub async fn dial(addresses: &[(String, u16)], timeout: Duration) -> Result<TcpStream, DialError> {
    let reached = tokio::time::timeout(timeout, reach(addresses)).await;
    reached.unwrap_or(Err(DialError::TimedOut))
}

async fn reach(addresses: &[(String, u16)]) -> Result<TcpStream, DialError> {
    let mut search = Search::default();
    for (host, port) in addresses.iter().take(CANDIDATES_MAX) {
        match host.parse::<IpAddr>() {
            Ok(ip) => search.add(SocketAddr::new(ip, *port)),
            Err(_) => {
                let (host, port) = (host.clone(), *port);
                search.lookups.spawn(async move {
                    let found = resolve(&host, port).await;
                    (host, found)
                });
            }
        }
    }
    loop {
        if search.attempts.is_empty() {
            search.try_next();
        }
        if search.attempts.is_empty() && search.lookups.is_empty() {
            return Err(search.verdict());
        }
        let more = !search.candidates.is_empty();
        tokio::select! {
            Some(attempt) = search.attempts.join_next() => {
                let (address, outcome) = attempt.map_err(failed)?;
                match outcome {
                    Ok(stream) => return Ok(stream),
                    Err(error) => search.note(of_attempt(address, error)),
                }
            }
            Some(lookup) = search.lookups.join_next() => {
                let (host, found) = lookup.map_err(failed)?;
                match found {
                    Ok(found) => found.into_iter().for_each(|address| search.add(address)),
                    Err(source) => search.note((Doubt::Open, DialError::Unresolvable { host, source })),
                }
            }
            () = tokio::time::sleep(STAGGER), if more => search.try_next(),
        }
    }
}

/// A task that panicked.
fn failed(error: tokio::task::JoinError) -> DialError {
    DialError::Failed(io::Error::other(error))
}

/// A search for the first address that answers. Dropping it stops everything but lookups.
#[derive(Default)]
struct Search {
    lookups: JoinSet<(String, io::Result<Vec<SocketAddr>>)>,
    candidates: VecDeque<SocketAddr>,
    added: usize,
    attempts: JoinSet<(SocketAddr, io::Result<TcpStream>)>,
    /// The failure that leaves most open.
    worst: Option<(Doubt, DialError)>,
}

/// How much a failure leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Doubt {
    /// This machine does not speak IPv6: it is as if the address were not there.
    NoFamily,
    /// No process listens there.
    None,
    /// One may.
    Open,
}

impl Search {
    fn add(&mut self, address: SocketAddr) {
        if self.added < CANDIDATES_MAX {
            self.added += 1;
            self.candidates.push_back(address);
        }
    }

    fn try_next(&mut self) {
        if let Some(address) = self.candidates.pop_front() {
            self.attempts
                .spawn(async move { (address, connect(address).await) });
        }
    }

    fn note(&mut self, failure: (Doubt, DialError)) {
        if self.worst.as_ref().is_none_or(|worst| worst.0 < failure.0) {
            self.worst = Some(failure);
        }
    }

    fn verdict(self) -> DialError {
        let nothing = || io::Error::new(ErrorKind::InvalidInput, "no address is known");
        match self.worst {
            Some((_, error)) => error,
            None => DialError::Failed(nothing()),
        }
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Where nobody listens, the system may give the near end the very port that it dials, and
    // TCP connects it with itself.
    if stream.local_addr()? == address {
        return Err(ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

fn of_attempt(address: SocketAddr, error: io::Error) -> (Doubt, DialError) {
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => {
            (Doubt::None, DialError::Refused(error))
        }
        ErrorKind::TimedOut => (Doubt::Open, DialError::TimedOut),
        ErrorKind::AddrNotAvailable | ErrorKind::NetworkUnreachable if address.is_ipv6() => {
            (Doubt::NoFamily, DialError::Failed(error))
        }
        _ => (Doubt::Open, DialError::Failed(error)),
    }
}

static LOOKUPS: Semaphore = Semaphore::const_new(LOOKUPS_MAX);

/// What a name, or an address in letters, stands for.
///
/// The system's resolver blocks, cannot be interrupted, and may take half a minute to give up. So
/// each lookup has a thread of its own, which holds up neither the runtime's threads nor a stop.
///
/// # Errors
/// If it stands for nothing, as far as can be found out now.
pub(crate) async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Some(address) = zoned(host) {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let place = LOOKUPS.acquire().await.map_err(io::Error::other)?;
    let (answer, answered) = oneshot::channel();
    let host = host.to_owned();
    let lookup = move || {
        let found = (host.as_str(), port).to_socket_addrs();
        let found = found.map(|found| found.take(CANDIDATES_MAX).collect::<Vec<_>>());
        drop(place);
        // Who asked may have given up.
        let _ = answer.send(found);
    };
    std::thread::Builder::new()
        .name("zk-resolve".to_owned())
        .spawn(lookup)?;
    let found = answered.await.map_err(io::Error::other)??;
    if found.is_empty() {
        return Err(io::Error::new(ErrorKind::NotFound, "no address"));
    }
    Ok(found)
}

/// An IPv6 address with a zone that it does not need, as Java writes the loopback's: `::1%lo`. The
/// resolver takes zones of link-local addresses alone.
fn zoned(host: &str) -> Option<IpAddr> {
    let (address, _zone) = host.split_once('%')?;
    let address: Ipv6Addr = address.parse().ok()?;
    (!address.is_unicast_link_local()).then_some(address.into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use reserved_port::ReservedPort;

    use super::*;
    use crate::peer::dead_ends::{FullPort, unknown_host};

    const SHORT: Duration = Duration::from_millis(300);
    /// Nothing is to take so long.
    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn zones_that_are_not_needed() {
        let loopback: IpAddr = Ipv6Addr::LOCALHOST.into();
        for (host, expected) in [
            ("::1%lo", Some(loopback)),
            ("0:0:0:0:0:0:0:1%1", Some(loopback)),
            ("::1", None),
            ("fe80::1%lo", None),
            ("a%lo", None),
            ("127.0.0.1%lo", None),
        ] {
            assert_eq!(zoned(host), expected, "{host}");
        }
    }

    fn kind(outcome: &Result<TcpStream, DialError>) -> &'static str {
        match outcome {
            Ok(_) => "reached",
            Err(DialError::Refused(_)) => "refused",
            Err(DialError::TimedOut) => "timed out",
            Err(DialError::Unresolvable { .. }) => "unresolvable",
            Err(DialError::Failed(_)) => "failed",
        }
    }

    #[tokio::test]
    async fn failures_are_told_apart() {
        let listening = TcpListener::bind("127.0.0.1:0").expect("a port");
        let live = (
            "127.0.0.1".to_owned(),
            listening.local_addr().expect("bound").port(),
        );
        let free = ReservedPort::reserve().expect("a port");
        let refused = ("127.0.0.1".to_owned(), free.address().port());
        let full = FullPort::new();
        let silent = full.host_and_port();
        let unknown = (unknown_host(), 3888);
        let by_name = ("localhost".to_owned(), live.1);
        for (addresses, timeout, expected) in [
            (vec![], LONG, "failed"),
            (vec![&live], LONG, "reached"),
            (vec![&by_name], LONG, "reached"),
            (vec![&refused], LONG, "refused"),
            (vec![&refused, &refused], LONG, "refused"),
            (vec![&unknown], LONG, "unresolvable"),
            (vec![&silent], SHORT, "timed out"),
            // One that answers is enough, wherever it stands.
            (vec![&refused, &live], LONG, "reached"),
            (vec![&unknown, &live], LONG, "reached"),
            (vec![&silent, &live], LONG, "reached"),
            (vec![&live, &silent], LONG, "reached"),
            // What one refused, the other may not.
            (vec![&refused, &unknown], LONG, "unresolvable"),
            (vec![&refused, &silent], SHORT, "timed out"),
            (vec![&silent, &refused], SHORT, "timed out"),
        ] {
            let addresses: Vec<_> = addresses.into_iter().cloned().collect();
            let outcome = dial(&addresses, timeout).await;
            assert_eq!(kind(&outcome), expected, "{addresses:?}: {outcome:?}");
        }
    }

    #[test]
    fn an_address_of_a_family_that_is_not_spoken_does_not_count() {
        let v6 = SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 1));
        let v4 = SocketAddr::from(([192, 0, 2, 1], 1));
        let failures = |kinds: &[(SocketAddr, ErrorKind)]| {
            let mut search = Search::default();
            for (address, kind) in kinds {
                search.note(of_attempt(*address, (*kind).into()));
            }
            kind(&Err(search.verdict()))
        };
        let refused = ErrorKind::ConnectionRefused;
        for (kinds, expected) in [
            (&[(v6, ErrorKind::NetworkUnreachable)][..], "failed"),
            (
                &[(v6, ErrorKind::NetworkUnreachable), (v4, refused)],
                "refused",
            ),
            (
                &[(v4, refused), (v6, ErrorKind::AddrNotAvailable)],
                "refused",
            ),
            (
                &[(v4, ErrorKind::NetworkUnreachable), (v6, refused)],
                "failed",
            ),
            (&[(v4, refused), (v6, ErrorKind::HostUnreachable)], "failed"),
            (&[(v4, refused), (v6, ErrorKind::TimedOut)], "timed out"),
            (&[(v4, ErrorKind::ConnectionReset)], "refused"),
        ] {
            assert_eq!(failures(kinds), expected, "{kinds:?}");
        }
    }

    /// The system picks the near port from the same range: some tries connect with themselves.
    #[tokio::test]
    async fn nobody_is_reached_where_nobody_listens() {
        let free = ReservedPort::reserve().expect("a port");
        let address = ("127.0.0.1".to_owned(), free.address().port());
        for _ in 0..100 {
            let outcome = dial(std::slice::from_ref(&address), LONG).await;
            assert_eq!(kind(&outcome), "refused", "{outcome:?}");
        }
    }

    #[test]
    fn as_an_error_of_the_system() {
        for (error, expected) in [
            (
                DialError::Refused(ErrorKind::ConnectionReset.into()),
                ErrorKind::ConnectionReset,
            ),
            (DialError::TimedOut, ErrorKind::TimedOut),
            (
                DialError::Unresolvable {
                    host: "h".to_owned(),
                    source: ErrorKind::Other.into(),
                },
                ErrorKind::NotFound,
            ),
            (
                DialError::Failed(ErrorKind::HostUnreachable.into()),
                ErrorKind::HostUnreachable,
            ),
        ] {
            assert_eq!(io::Error::from(error).kind(), expected);
        }
    }
}
