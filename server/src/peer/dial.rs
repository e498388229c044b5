//! Reaches another server at any of its addresses.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
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
