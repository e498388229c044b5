//! Three servers of one product, in fresh directories.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use reserved_port::ReservedPort;

use super::SERVERS;
use crate::bench::probe;
use crate::bench::server::{Home, Product, Server};

/// How long an ensemble may take until all of it serves.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is asked.
const ASK_INTERVAL: Duration = Duration::from_millis(20);

/// An ensemble that serves.
pub(super) struct Ensemble {
    product: Product,
    lines: Vec<String>,
    homes: Vec<Home>,
    ports: Vec<Arc<ReservedPort>>,
    /// None while it is away.
    servers: Vec<Option<Server>>,
    /// Ports between servers.
    _between: Vec<ReservedPort>,
}

impl Ensemble {
    /// Starts all servers, with extra lines for `zoo.cfg`, and waits until they serve.
    pub(super) fn serving(product: Product, extra: &[&str]) -> Result<Self> {
        let mut lines: Vec<String> = ["initLimit=10", "syncLimit=5"].map(str::to_owned).into();
        lines.extend(extra.iter().copied().map(str::to_owned));
        let (mut homes, mut ports, mut between) = (Vec::new(), Vec::new(), Vec::new());
        for id in 1..=SERVERS {
            let home = Home::named(product, &format!("-{id}"))?;
            home.write_id(id)?;
            homes.push(home);
            ports.push(Arc::new(ReservedPort::reserve()?));
            let [quorum, election] = [ReservedPort::reserve()?, ReservedPort::reserve()?];
            lines.push(format!(
                "server.{id}=127.0.0.1:{}:{}",
                quorum.address().port(),
                election.address().port()
            ));
            between.extend([quorum, election]);
        }
        let mut ensemble = Self {
            product,
            lines,
            homes,
            ports,
            servers: Vec::new(),
            _between: between,
        };
        for at in 0..SERVERS {
            let server = ensemble.spawn(at)?;
            ensemble.servers.push(Some(server));
        }
        ensemble.await_serving()?;
        Ok(ensemble)
    }

    fn spawn(&self, at: usize) -> Result<Server> {
        let lines: Vec<&str> = self.lines.iter().map(String::as_str).collect();
        let port = Arc::clone(&self.ports[at]);
        Server::spawn(self.product, &self.homes[at], port, &lines)
    }

    /// Stops a server; it comes back with an empty disk.
    pub(super) fn wipe(&mut self, at: usize) -> Result<()> {
        self.servers[at].take().context("it runs")?.stop()?;
        self.homes[at].wipe()
    }

    /// Starts a server that is away, and does not wait.
    pub(super) fn start(&mut self, at: usize) -> Result<()> {
        self.servers[at] = Some(self.spawn(at)?);
        Ok(())
    }

    /// Waits until every server that runs serves.
    pub(super) fn await_serving(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        for (server, port) in self.servers.iter().zip(&self.ports) {
            while server.is_some() && self.fact(port, "Mode: ").is_err() {
                if Instant::now() >= deadline {
                    bail!("{} does not serve within {PATIENCE:?}", port.address());
                }
                thread::sleep(ASK_INTERVAL);
            }
        }
        Ok(())
    }

    /// A line of `srvr`.
    fn fact(&self, port: &ReservedPort, key: &str) -> Result<String> {
        let text = probe::word(port.address(), "srvr")?;
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        Ok(line
            .with_context(|| format!("no {key}in {text}"))?
            .to_owned())
    }

    /// Which server leads.
    pub(super) fn leader(&self) -> Result<usize> {
        for (at, port) in self.ports.iter().enumerate() {
            if self.servers[at].is_some() && self.fact(port, "Mode: ")? == "leader" {
                return Ok(at);
            }
        }
        bail!("no leader")
    }

    /// A follower that runs.
    pub(super) fn follower(&self) -> Result<usize> {
        let leader = self.leader()?;
        let mut running = (0..SERVERS).filter(|at| self.servers[*at].is_some());
        running.find(|at| *at != leader).context("no follower")
    }

    /// `host:port` of one server.
    pub(super) fn address(&self, at: usize) -> String {
        self.ports[at].address().to_string()
    }

    /// Of all that run, for the generator; the leader comes first.
    pub(super) fn addresses(&self) -> Result<String> {
        let leader = self.leader()?;
        let running = (0..SERVERS).filter(|at| self.servers[*at].is_some() && *at != leader);
        let all: Vec<_> = std::iter::once(leader).chain(running).collect();
        let all = all.into_iter().map(|at| self.address(at));
        Ok(all.collect::<Vec<_>>().join(","))
    }

    /// Transactions of the present epoch.
    pub(super) fn transactions(&self) -> Result<u64> {
        let zxid = self.fact(&self.ports[self.leader()?], "Zxid: 0x")?;
        Ok(u64::from_str_radix(&zxid, 16)? & u64::from(u32::MAX))
    }

    /// Seconds of CPU that all servers have used.
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        self.servers.iter().flatten().map(Server::cpu_seconds).sum()
    }

    /// Whether a server of ours was sent a tree, by its log.
    pub(super) fn received_snapshot(&self, at: usize) -> Result<bool> {
        let log = self.homes[at].log_text()?;
        Ok(log.contains("Getting a snapshot from leader"))
    }

    /// A server that runs.
    pub(super) fn server(&self, at: usize) -> Result<&Server> {
        self.servers[at].as_ref().context("it is away")
    }

    /// Stops all servers.
    pub(super) fn stop(self) -> Result<()> {
        self.servers
            .into_iter()
            .flatten()
            .try_for_each(Server::stop)
    }
}
