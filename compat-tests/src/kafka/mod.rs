//! Three Kafka brokers, a producer and a consumer on an ensemble whose leader is killed again and
//! again. Kafka 3.9 is the last line that keeps its metadata in ZooKeeper; a broker that loses its
//! session there gives up its partitions, so what an ensemble gets wrong shows in the records.

mod brokers;
mod driver;
mod ensemble;
mod figures;
mod nodes;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use self::brokers::{Brokers, SESSION_TIMEOUT};
use self::driver::Driver;
use self::ensemble::Ensemble;
use self::figures::{Figures, Phase};
use self::nodes::{Cluster, Ephemeral};
use crate::report::Report;
use crate::server::{Launcher, Which};

/// Topic of the producer and the consumer.
const TOPIC: &str = "records";
/// Partitions of each topic: each broker leads some.
const PARTITIONS: u32 = 6;
/// Pause between two looks at something that is awaited. A look may open a session, which is a
/// write for the whole ensemble.
const POLL: Duration = Duration::from_millis(100);
/// Time in which records flow while nothing is done to anybody.
const QUIET: Duration = Duration::from_secs(4);
/// A lost session shows at the latest this long after its timeout.
const EXPIRY_MARGIN: Duration = Duration::from_secs(3);
/// Another broker must be controller within this time after the session of the last one.
const CONTROLLER_LIMIT: Duration = Duration::from_secs(40);
/// Longest time until a deleted topic is gone from the brokers' disks and from ZooKeeper.
const DELETE_LIMIT: Duration = Duration::from_secs(60);

/// How much to do, and to whom.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The servers of the ensemble.
    #[arg(long = "kind", value_enum, default_value_t = Which::Ours)]
    server: Which,
    /// Number of times that the ensemble's leader is killed.
    #[arg(long, default_value_t = 3)]
    kills: u32,
}

/// Runs the suite.
///
/// # Errors
/// When something cannot be installed, or the ensemble or the brokers do not come up; later
/// failures are rows of the table.
pub(crate) fn run(launcher: &Launcher, options: &Options) -> Result<bool> {
    let mut report = Report::new("kafka");
    let folder = tempfile::tempdir()?;
    let mut trial = Trial::start(launcher, options.server, folder.path())?;
    trial.drive(options.kills, &mut report);
    if let Err(error) = trial.finish(&mut report) {
        report.fail("the end", &format!("{error:#}\n{}", trial.brokers.tails()));
    }
    trial.figures.print();
    Ok(report.finish())
}

/// Everything that runs. What is dropped first ends first.
#[derive(Debug)]
struct Trial {
    driver: Driver,
    brokers: Brokers,
    ensemble: Ensemble,
    /// The registrations that must stay as they are.
    expected: Registrations,
    /// When a server or a broker was killed last.
    last_kill: Instant,
    figures: Figures,
}

/// Brokers and controller, without the topics, which come and go.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Registrations {
    brokers: BTreeMap<usize, Ephemeral>,
    controller: (usize, Ephemeral),
}

impl Registrations {
    /// Fails unless every broker is registered and the controller is one of them, by the same
    /// session.
    fn of(cluster: &Cluster) -> Result<Self> {
        let brokers = cluster.brokers.clone();
        ensure!(
            brokers.len() == brokers::BROKERS,
            "not every broker is registered: {brokers:?}"
        );
        let controller = cluster.controller.context("there is no controller")?;
        let (id, node) = controller;
        ensure!(
            brokers.get(&id).map(|broker| broker.owner) == Some(node.owner),
            "controller {id} is of another session than its broker: {cluster:?}"
        );
        Ok(Self {
            brokers,
            controller,
        })
    }
}

impl Trial {
    fn start(launcher: &Launcher, which: Which, folder: &Path) -> Result<Self> {
        // Fetched first: a download must not look like a server that does not come up.
        launcher.installed().kafka()?;
        let mut ensemble = Ensemble::start(launcher, which, folder)?;
        let installed = launcher.installed();
        let brokers = Brokers::start(installed, ensemble.connect_string(), folder)?;
        let mut driver = Driver::start(installed, &brokers.bootstrap(), folder)?;
        driver.ask(&format!("create {TOPIC} {PARTITIONS}"))?;
        driver.ask(&format!("load {TOPIC} {PARTITIONS}"))?;
        std::thread::sleep(QUIET);
        let (_, leader) = ensemble.await_formed()?;
        let mut trial = Self {
            driver,
            brokers,
            ensemble,
            expected: Registrations::of(&nodes::read(leader)?)?,
            last_kill: Instant::now(),
            figures: Figures::default(),
        };
        trial.end_phase("start", String::new())?;
        Ok(trial)
    }

    /// The kills, with a broker's in the middle. Stops when the cluster is not to be used any more.
    fn drive(&mut self, kills: u32, report: &mut Report) {
        let broker_after = kills.div_ceil(2);
        for round in 0..=kills {
            if round > 0
                && let Err(error) = self.kill_leader(round, report)
            {
                report.fail(&format!("kill {round}"), &format!("{error:#}"));
                return;
            }
            if round == broker_after
                && let Err(error) = self.kill_controller(report)
            {
                report.fail(
                    figures::BROKER_PHASE,
                    &format!("{error:#}\n{}", self.brokers.tails()),
                );
                return;
            }
        }
    }

    /// SIGKILL to the ensemble's leader. A topic is asked for at the same moment, so that some of
    /// what the brokers write is on its way, and deleted when all servers are back.
    fn kill_leader(&mut self, round: u32, report: &mut Report) -> Result<()> {
        let topic = format!("round-{round}");
        let create = format!("create {topic} {PARTITIONS}");
        let (old, _) = self.ensemble.await_formed()?;
        let (driver, ensemble) = (&mut self.driver, &mut self.ensemble);
        let (formed, created) = std::thread::scope(|scope| {
            let created = scope.spawn(|| driver.ask(&create));
            let formed = ensemble.kill(old).and_then(|()| {
                self.last_kill = Instant::now();
                ensemble.await_formed()
            });
            let elected = self.last_kill.elapsed();
            let created = created.join().expect("asking does not panic");
            (formed.map(|(id, address)| (id, address, elected)), created)
        });
        let (new, address, elected) = formed?;
        report.check(
            &format!("kill {round}: server {new} has every session"),
            || self.expect_kept(address),
        );
        report.check(&format!("kill {round}: two servers take a topic"), || {
            created?;
            let topics = nodes::read(address)?.topics;
            ensure!(topics.contains(&topic), "not in ZooKeeper: {topics:?}");
            Ok(())
        });
        std::thread::sleep(QUIET);
        self.ensemble.restart(old)?;
        report.check(
            &format!("kill {round}: server {old} is back with every session"),
            || self.expect_kept_everywhere(),
        );
        report.check(&format!("kill {round}: the topic is deleted"), || {
            self.delete(&topic)
        });
        std::thread::sleep(QUIET);
        self.brokers.expect_alive()?;
        let note = format!(
            "server {new} led {:.1} s after {old} was killed",
            elected.as_secs_f64()
        );
        self.figures.kills += 1;
        self.end_phase(&format!("kill {round}"), note)
    }

    /// SIGKILL to the broker that is controller. Its session is left behind: the ensemble must end
    /// it, and no other.
    fn kill_controller(&mut self, report: &mut Report) -> Result<()> {
        let (_, leader) = self.ensemble.await_formed()?;
        let (old, _) = self.expected.controller;
        self.brokers.kill(old)?;
        self.last_kill = Instant::now();
        let limit = SESSION_TIMEOUT + CONTROLLER_LIMIT;
        let new = wait_for("another controller", limit, || {
            let controller = nodes::read(leader)?.controller;
            Ok(controller.map(|(id, _)| id).filter(|id| *id != old))
        })?;
        let moved = self.last_kill.elapsed();
        report.check(
            &format!("broker {old}: its session, and no other, has ended"),
            || {
                let mut left = self.expected.brokers.clone();
                left.remove(&old);
                let found = nodes::read(leader)?.brokers;
                ensure!(found == left, "registered: {found:?}, expected: {left:?}");
                Ok(())
            },
        );
        self.brokers.restart(old)?;
        report.check(
            &format!("broker {old}: back, and all replicas in sync"),
            || self.driver.ask("in-sync").map(drop),
        );
        let after = Registrations::of(&nodes::read(leader)?)?;
        report.check(
            &format!("broker {old}: registered anew, the others as before"),
            || {
                let changed = |id: &usize| after.brokers.get(id) != self.expected.brokers.get(id);
                let changed: Vec<usize> = after.brokers.keys().copied().filter(changed).collect();
                ensure!(changed == [old], "new registrations of {changed:?}");
                ensure!(
                    after.controller.0 == new,
                    "controller {:?}",
                    after.controller
                );
                Ok(())
            },
        );
        self.expected = after;
        self.figures.broker_kills += 1;
        let note = format!(
            "broker {new} was controller {:.1} s after {old} was killed",
            moved.as_secs_f64()
        );
        self.end_phase(figures::BROKER_PHASE, note)
    }

    fn finish(&mut self, report: &mut Report) -> Result<()> {
        // A session that nobody renewed since the last kill is still there until now.
        let expired = self.last_kill + SESSION_TIMEOUT + EXPIRY_MARGIN;
        let left = expired.saturating_duration_since(Instant::now());
        std::thread::sleep(left.max(QUIET));
        report.check("records are acknowledged to the end", || {
            self.end_phase("rest", String::new())
        });
        report.check("every broker runs", || self.brokers.expect_alive());
        report.check("every server has every session", || {
            self.expect_kept_everywhere()
        });
        report.check("clients are told the controller of ZooKeeper", || {
            let told = self.driver.ask("controller")?.number("controller")?;
            let (id, _) = self.expected.controller;
            ensure!(told == id as u64, "{told} instead of {id}");
            Ok(())
        });
        report.check("all replicas in sync", || {
            let partitions = self.driver.ask("in-sync")?.number("partitions")?;
            // The producer's topic, and the offsets of the consumer's group.
            ensure!(
                partitions == u64::from(PARTITIONS + brokers::OFFSETS_PARTITIONS),
                "{partitions} partitions"
            );
            Ok(())
        });
        report.check("a topic comes and goes", || {
            self.driver
                .ask(&format!("create afterwards {PARTITIONS}"))?;
            self.delete("afterwards")
        });
        let sessions = self.brokers.sessions();
        report.check("no broker tells of an expired session", || {
            ensure!(sessions.expired.is_empty(), "{:#?}", sessions.expired);
            Ok(())
        });
        self.figures.sessions = Some(sessions);
        let records = self.driver.ask("finish")?;
        figures::check_records(&records, report);
        self.figures.records = Some(records);
        Ok(())
    }

    fn end_phase(&mut self, name: &str, note: String) -> Result<()> {
        let phase = Phase::new(name, &self.driver.ask("phase")?, note)?;
        println!("{phase}");
        ensure!(
            phase.acknowledged > 0,
            "no record was acknowledged in phase {name}"
        );
        self.figures.phases.push(phase);
        Ok(())
    }

    fn expect_kept(&self, server: SocketAddr) -> Result<()> {
        let found = Registrations::of(&nodes::read(server)?)?;
        let expected = &self.expected;
        ensure!(found == *expected, "{found:?} instead of {expected:?}");
        Ok(())
    }

    fn expect_kept_everywhere(&self) -> Result<()> {
        for (id, address) in self.ensemble.running() {
            self.expect_kept(address)
                .with_context(|| format!("server {id}"))?;
        }
        Ok(())
    }

    /// Deletes a topic and waits until its nodes are gone.
    fn delete(&mut self, topic: &str) -> Result<()> {
        self.driver.ask(&format!("delete {topic}"))?;
        let (_, leader) = self.ensemble.leader().context("nobody leads")?;
        wait_for("topic to be gone", DELETE_LIMIT, || {
            let gone = !nodes::read(leader)?.topics.iter().any(|name| name == topic);
            Ok(gone.then_some(()))
        })
    }
}

/// Looks again and again until `look` finds something.
///
/// # Errors
/// When `look` fails, or finds nothing within `limit`.
fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            bail!("no {what} within {limit:?}");
        }
        std::thread::sleep(POLL);
    }
}
