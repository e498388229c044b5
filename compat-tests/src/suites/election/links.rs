//! An ensemble on loopback, and our election port as one of its servers.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use jute::quorum::{Endpoint, QuorumConfig, ServerId};
use reserved_port::ReservedPort;
use server::peer::election::{ElectionEvent, ElectionLinks, ElectionOptions, Members};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use zab::election::Notification;
use zab::quorum::Config;

use crate::server::{Launcher, Server, Settings, Which};

/// What is awaited must come within this time (a JVM on a busy machine is slow).
const LIMIT: Duration = Duration::from_secs(60);
/// What is asked is asked again so often, as in any election.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Of an address and its alternative: both are here. Apache tells the addresses of a server apart
/// by their hosts.
const HOSTS: [&str; 2] = ["127.0.0.1", "localhost"];

/// Where servers of an ensemble are to be, and what they know of each other.
pub(super) struct Ensemble {
    folder: tempfile::TempDir,
    /// Each id with its value of `server.N`.
    lines: Vec<(i64, String)>,
    multi_address: bool,
    pub(super) config: Config,
    /// Hold the ports of the lines.
    _ports: Vec<ReservedPort>,
}

impl Ensemble {
    /// With `multi_address` each server has two addresses.
    pub(super) fn new(ids: &[i64], multi_address: bool) -> Result<Self> {
        let (mut lines, mut ports) = (Vec::new(), Vec::new());
        for id in ids {
            let mut addresses = Vec::new();
            for host in &HOSTS[..=usize::from(multi_address)] {
                let [quorum, election] = [ReservedPort::reserve()?, ReservedPort::reserve()?];
                let [q, e] = [&quorum, &election].map(|port| port.address().port());
                addresses.push(format!("{host}:{q}:{e}"));
                ports.extend([quorum, election]);
            }
            lines.push((*id, addresses.join("|")));
        }
        let text: String = lines
            .iter()
            .map(|(id, line)| format!("server.{id}={line}\n"))
            .collect();
        let config = QuorumConfig::parse(&format!("{text}version=0"))?;
        Ok(Self {
            folder: tempfile::tempdir()?,
            lines,
            multi_address,
            config: Config::try_from(config)?,
            _ports: ports,
        })
    }

    /// Takes connections to the quorum ports of a server, and says nothing: who follows it stays a
    /// follower for `initLimit`.
    pub(super) fn mute_leader(&self, id: i64) -> Result<Vec<TcpListener>> {
        let member = self.config.members.get(&ServerId(id));
        let addresses = &member.context("no such member")?.addresses;
        addresses
            .iter()
            .map(|address| Ok(TcpListener::bind((&*address.host, address.quorum_port))?))
            .collect()
    }

    fn data_dir(&self, id: i64) -> PathBuf {
        self.folder.path().join(id.to_string())
    }

    /// Starts a server of Apache's, on the data it left if it ran before.
    pub(super) fn spawn(&self, launcher: &Launcher, which: Which, id: i64) -> Result<Server> {
        let mut settings =
            Settings::usual().property("zookeeper.multiAddress.enabled", self.multi_address);
        for (member, line) in &self.lines {
            settings = settings.cfg(&format!("server.{member}"), line);
        }
        let data_dir = self.data_dir(id);
        std::fs::create_dir_all(&data_dir)?;
        std::fs::write(data_dir.join("myid"), id.to_string())?;
        launcher.spawn(which, &data_dir, &settings)
    }

    /// Whether a message carries the configuration of this ensemble.
    pub(super) fn is_config_of(&self, notification: &Notification) -> Result<()> {
        let config = notification.config.as_ref().context("no configuration")?;
        let addresses = |config: &Config| -> Vec<_> {
            let members = config.members.iter();
            members
                .map(|(id, member)| (*id, member.role, member.addresses.clone()))
                .collect()
        };
        ensure!(
            addresses(config) == addresses(&self.config),
            "another configuration: {config:?}"
        );
        ensure!(notification.version == Notification::VERSION, "an old form");
        Ok(())
    }
}

/// Our election port.
pub(super) struct Links {
    runtime: Runtime,
    links: ElectionLinks,
    stop: CancellationToken,
    events: Receiver<ElectionEvent>,
}

impl Links {
    pub(super) fn start(ensemble: &Ensemble, me: i64) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let member = ensemble.config.members.get(&ServerId(me));
        let own = member.context("no such member")?.addresses.iter();
        let own = own.map(|address| Endpoint {
            host: address.host.clone(),
            port: address.election_port,
        });
        let (sender, events) = channel();
        let stop = CancellationToken::new();
        let links = ElectionLinks::start(
            ServerId(me),
            own.collect(),
            Members::new(&ensemble.config, None),
            ElectionOptions {
                multi_address: ensemble.multi_address,
                ..ElectionOptions::default()
            },
            // Nobody listens any more once a row has its result.
            move |event| drop(sender.send(event)),
            &stop,
        );
        let links = runtime.block_on(links)?;
        Ok(Self {
            runtime,
            links,
            stop,
            events,
        })
    }

    /// Sends a message, again and again, until an answer comes from there that fits.
    pub(super) fn ask(
        &self,
        whom: i64,
        question: &Notification,
        fits: impl Fn(&Notification) -> bool,
    ) -> Result<Notification> {
        let answer = |event| match event {
            ElectionEvent::Notification {
                from, notification, ..
            } if from.0 == whom && fits(&notification) => Some(notification),
            _ => None,
        };
        self.until(Some((whom, question)), answer)
            .with_context(|| format!("no answer of server {whom}"))
    }

    /// Waits for a message from there that fits.
    pub(super) fn await_from(
        &self,
        from: i64,
        fits: impl Fn(&Notification) -> bool,
    ) -> Result<Notification> {
        let message = |event| match event {
            ElectionEvent::Notification {
                from: sender,
                notification,
                ..
            } if sender.0 == from && fits(&notification) => Some(notification),
            _ => None,
        };
        self.until(None, message)
            .with_context(|| format!("no message of server {from}"))
    }

    /// Waits until it is told that no process answers there, sending meanwhile.
    pub(super) fn await_unreachable(&self, whom: i64, message: &Notification) -> Result<()> {
        let gone = |event| match event {
            ElectionEvent::Unreachable { peer } if peer.0 == whom => Some(()),
            _ => None,
        };
        self.until(Some((whom, message)), gone)
            .with_context(|| format!("server {whom} is not told to be gone"))
    }

    fn until<T>(
        &self,
        send: Option<(i64, &Notification)>,
        mut wanted: impl FnMut(ElectionEvent) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline {
            if let Some((to, message)) = send {
                self.links.notify(ServerId(to), message);
            }
            let next = Instant::now() + ASK_AGAIN;
            loop {
                let rest = next.saturating_duration_since(Instant::now());
                match self.events.recv_timeout(rest) {
                    Ok(event) => {
                        if let Some(found) = wanted(event) {
                            return Ok(found);
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => bail!("our links ended"),
                }
            }
        }
        bail!("not within {LIMIT:?}")
    }

    /// Stops; everything must end by itself.
    pub(super) fn end(self) -> Result<()> {
        self.stop.cancel();
        let stopped = async { tokio::time::timeout(LIMIT, self.links.stopped()).await };
        self.runtime
            .block_on(stopped)
            .context("our links did not stop")
    }
}
