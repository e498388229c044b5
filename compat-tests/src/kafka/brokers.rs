//! Three Kafka brokers in ZooKeeper mode.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use reserved_port::ReservedPort;

use super::wait_for;
use crate::install::Installed;
use crate::process::{Kept, tail};

/// Brokers of the cluster.
pub(super) const BROKERS: usize = 3;
/// Kafka's own default, which most clusters run with. A broker that cannot renew its session for
/// this long has lost it.
pub(super) const SESSION_TIMEOUT: Duration = Duration::from_secs(18);
/// Where the cluster keeps its nodes: a chroot, as an ensemble that is shared has it.
pub(super) const CHROOT: &str = "/kafka";

/// Partitions of the topic in which groups of consumers keep their offsets.
pub(super) const OFFSETS_PARTITIONS: u32 = 3;

/// A broker must be up within this time.
const START_LIMIT: Duration = Duration::from_secs(90);
/// What a broker prints when it is up.
const STARTED: &str = "started (kafka.server.KafkaServer)";
/// What a broker, or the ZooKeeper client in it, prints when its session is gone.
const EXPIRED: [&str; 2] = [
    "Session expired",
    "Unable to reconnect to ZooKeeper service, session",
];
/// What the ZooKeeper client prints when a server took its session.
const CONNECTED: &str = "Session establishment complete on server";

/// One broker, alive or not.
#[derive(Debug)]
struct Broker {
    id: usize,
    port: ReservedPort,
    folder: PathBuf,
    process: Option<Kept>,
}

impl Broker {
    fn log(&self) -> String {
        let bytes = std::fs::read(self.folder.join("broker.out")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Everything short and small: three brokers share two cores with three servers.
    fn properties(&self, ensemble: &str) -> String {
        format!(
            "broker.id={}\n\
             listeners=PLAINTEXT://{}\n\
             log.dirs={}\n\
             zookeeper.connect={ensemble}{CHROOT}\n\
             zookeeper.session.timeout.ms={}\n\
             auto.create.topics.enable=false\n\
             min.insync.replicas=2\n\
             offsets.topic.num.partitions={OFFSETS_PARTITIONS}\n\
             offsets.topic.replication.factor=3\n\
             group.initial.rebalance.delay.ms=0\n\
             replica.lag.time.max.ms=10000\n\
             log.segment.bytes=1048576\n\
             log.index.size.max.bytes=1048576\n\
             log.cleaner.dedupe.buffer.size=2097152\n\
             num.network.threads=2\n\
             num.io.threads=2\n\
             background.threads=2\n",
            self.id,
            self.port.address(),
            self.folder.join("logs").display(),
            SESSION_TIMEOUT.as_millis(),
        )
    }
}

/// Times that the brokers were connected to the ensemble, and lost their sessions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sessions {
    /// Connections that a server accepted, first ones and later ones.
    pub(super) connected: usize,
    /// Lines that tell of an expired session; one that is lost has several.
    pub(super) expired: Vec<String>,
}

/// Three brokers; those that run are killed when this is dropped.
#[derive(Debug)]
pub(super) struct Brokers {
    installed: Installed,
    ensemble: String,
    brokers: Vec<Broker>,
}

impl Brokers {
    /// Starts all brokers below `folder` on an ensemble, and waits until all are up.
    ///
    /// # Errors
    /// When Kafka cannot be fetched, or a broker does not start.
    pub(super) fn start(installed: &Installed, ensemble: String, folder: &Path) -> Result<Self> {
        let brokers = (1..=BROKERS).map(|id| {
            Ok(Broker {
                id,
                port: ReservedPort::reserve()?,
                folder: folder.join(format!("broker-{id}")),
                process: None,
            })
        });
        let mut brokers = Self {
            installed: installed.clone(),
            ensemble,
            brokers: brokers.collect::<Result<_>>()?,
        };
        for id in 1..=BROKERS {
            brokers.spawn(id)?;
        }
        for id in 1..=BROKERS {
            brokers.await_started(id, 1)?;
        }
        Ok(brokers)
    }

    /// What Kafka's clients are told to connect to.
    pub(super) fn bootstrap(&self) -> String {
        let addresses = self.brokers.iter().map(|b| b.port.address().to_string());
        addresses.collect::<Vec<_>>().join(",")
    }

    /// SIGKILL: the broker's session stays behind.
    ///
    /// # Errors
    /// When it does not run or cannot be signalled.
    pub(super) fn kill(&mut self, id: usize) -> Result<()> {
        let mut process = self.broker(id).process.take().context("it does not run")?;
        process.kill()
    }

    /// Starts a killed broker on what it left, and waits until it is up.
    ///
    /// # Errors
    /// As [`Brokers::start`].
    pub(super) fn restart(&mut self, id: usize) -> Result<()> {
        let starts = self.broker(id).log().matches(STARTED).count();
        self.spawn(id)?;
        self.await_started(id, starts + 1)
    }

    /// What the brokers' logs tell of their sessions.
    pub(super) fn sessions(&self) -> Sessions {
        sessions(self.brokers.iter().map(Broker::log))
    }

    /// The end of each broker's log.
    pub(super) fn tails(&self) -> String {
        let tails = self
            .brokers
            .iter()
            .map(|b| format!("broker {}:\n{}", b.id, tail(&b.log())));
        tails.collect::<Vec<_>>().join("\n")
    }

    /// Fails when a broker that should run has ended.
    pub(super) fn expect_alive(&mut self) -> Result<()> {
        for broker in &mut self.brokers {
            let Some(process) = &mut broker.process else {
                continue;
            };
            if let Some(status) = process.ended()? {
                bail!(
                    "broker {} ended with {status}\n{}",
                    broker.id,
                    tail(&broker.log())
                );
            }
        }
        Ok(())
    }

    fn broker(&mut self, id: usize) -> &mut Broker {
        &mut self.brokers[id - 1]
    }

    fn await_started(&mut self, id: usize, starts: usize) -> Result<()> {
        let started = wait_for("broker to start", START_LIMIT, || {
            self.expect_alive()?;
            let known = self.broker(id).log().matches(STARTED).count();
            Ok((known >= starts).then_some(()))
        });
        started.with_context(|| format!("broker {id}:\n{}", tail(&self.broker(id).log())))
    }

    fn spawn(&mut self, id: usize) -> Result<()> {
        let mut command = self.installed.kafka()?;
        let broker = &self.brokers[id - 1];
        std::fs::create_dir_all(&broker.folder)?;
        let properties = broker.folder.join("server.properties");
        std::fs::write(&properties, broker.properties(&self.ensemble))?;
        let log = broker.folder.join("broker.out");
        let log = File::options().create(true).append(true).open(log)?;
        let child = command
            .arg("kafka.Kafka")
            .arg(&properties)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        self.broker(id).process = Some(Kept::new(child));
        Ok(())
    }
}

fn sessions(logs: impl Iterator<Item = String>) -> Sessions {
    let mut counted = Sessions::default();
    for log in logs {
        counted.connected += log.matches(CONNECTED).count();
        let expired = |line: &&str| EXPIRED.iter().any(|text| line.contains(text));
        let expired = log.lines().filter(expired).map(str::to_owned);
        counted.expired.extend(expired);
    }
    counted
}

#[cfg(test)]
mod tests {
    use super::{Sessions, sessions};

    #[test]
    fn a_broker_tells_of_its_sessions() {
        let expired = [
            "WARN Unable to reconnect to ZooKeeper service, session 0x1 has expired",
            "ERROR [ZooKeeperClient Kafka server] Session expired. (kafka.zookeeper.ZooKeeperClient)",
        ];
        let log = format!(
            "INFO Session establishment complete on server /127.0.0.1:2181, session id = 0x1\n\
             INFO Session 0x1 for server /127.0.0.1:2181, Closing socket connection. Attempting \
             reconnect except it is a SessionExpiredException.\n\
             {}\n{}\n\
             INFO Session establishment complete on server /127.0.0.1:2182, session id = 0x2\n",
            expired[0], expired[1]
        );
        let expected = Sessions {
            connected: 2,
            expired: expired.map(str::to_owned).to_vec(),
        };
        assert_eq!(sessions([log].into_iter()), expected);
    }
}
