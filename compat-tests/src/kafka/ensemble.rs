//! Three servers that form an ensemble: who leads, kill one, bring it back.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use reserved_port::ReservedPort;

use super::wait_for;
use crate::process::{Kept, tail};
use crate::server::{Launcher, Settings, Which, four_letter_word};

/// Servers of the ensemble.
const SERVERS: usize = 3;
/// An ensemble must have a leader, and followers that serve, within this time.
const FORM_LIMIT: Duration = Duration::from_secs(60);
/// Heap of one of Apache's servers: three of them stand beside three brokers.
const APACHE_HEAP: &str = "-Xmx128m";

/// One server with its three ports, alive or not.
#[derive(Debug)]
struct Member {
    id: usize,
    client: ReservedPort,
    quorum: ReservedPort,
    election: ReservedPort,
    folder: PathBuf,
    process: Option<Kept>,
}

impl Member {
    fn reserve(id: usize, folder: &Path) -> Result<Self> {
        Ok(Self {
            id,
            client: ReservedPort::reserve()?,
            quorum: ReservedPort::reserve()?,
            election: ReservedPort::reserve()?,
            folder: folder.join(format!("server-{id}")),
            process: None,
        })
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("server.out")
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    /// `leader` or `follower`, once it serves.
    fn mode(&self) -> Option<String> {
        self.process.as_ref()?;
        mode(&four_letter_word(self.client.address(), "srvr").ok()?)
    }
}

/// The mode in an answer to `srvr`; none from a server that does not serve.
fn mode(answer: &str) -> Option<String> {
    let line = answer
        .lines()
        .find_map(|line| line.strip_prefix("Mode: "))?;
    Some(line.trim().to_owned())
}

/// Three servers; those that run are killed when this is dropped.
#[derive(Debug)]
pub(super) struct Ensemble {
    launcher: Launcher,
    which: Which,
    settings: Settings,
    members: Vec<Member>,
}

impl Ensemble {
    /// Starts all servers below `folder` and waits until all serve.
    ///
    /// # Errors
    /// When a server cannot be started, or they form no ensemble in time.
    pub(super) fn start(launcher: &Launcher, which: Which, folder: &Path) -> Result<Self> {
        let members: Vec<Member> = (1..=SERVERS)
            .map(|id| Member::reserve(id, folder))
            .collect::<Result<_>>()?;
        let mut settings = Settings::usual()
            // Every follower looks for a new leader after `syncLimit` of these: a busy machine
            // must not look like a dead one.
            .cfg("tickTime", 1000)
            // Snapshots are taken, and followers that come back are sent some.
            .cfg("snapCount", 200)
            .cfg("preAllocSize", 1024)
            .heap(APACHE_HEAP);
        for member in &members {
            settings = settings.cfg(
                &format!("server.{}", member.id),
                format!(
                    "127.0.0.1:{}:{}",
                    member.quorum.address().port(),
                    member.election.address().port()
                ),
            );
        }
        let mut ensemble = Self {
            launcher: launcher.clone(),
            which,
            settings,
            members,
        };
        for id in 1..=SERVERS {
            ensemble.spawn(id)?;
        }
        ensemble.await_formed()?;
        Ok(ensemble)
    }

    /// What clients are told to connect to.
    pub(super) fn connect_string(&self) -> String {
        let addresses = self.members.iter().map(|m| m.client.address().to_string());
        addresses.collect::<Vec<_>>().join(",")
    }

    /// Where the servers that run take clients.
    pub(super) fn running(&self) -> Vec<(usize, SocketAddr)> {
        let running = self.members.iter().filter(|m| m.process.is_some());
        running.map(|m| (m.id, m.client.address())).collect()
    }

    /// The server that leads now, if one does.
    pub(super) fn leader(&self) -> Option<(usize, SocketAddr)> {
        let leader = self
            .members
            .iter()
            .find(|m| m.mode().as_deref() == Some("leader"))?;
        Some((leader.id, leader.client.address()))
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When it does not run or cannot be signalled.
    pub(super) fn kill(&mut self, id: usize) -> Result<()> {
        let mut process = self.member(id).process.take().context("it does not run")?;
        process.kill()
    }

    /// Starts a killed server on what it left, and waits until all that run serve.
    ///
    /// # Errors
    /// As [`Ensemble::start`].
    pub(super) fn restart(&mut self, id: usize) -> Result<()> {
        self.spawn(id)?;
        self.await_formed()?;
        Ok(())
    }

    /// Waits until one of the running servers leads and the others follow; the leader.
    ///
    /// # Errors
    /// When that takes too long, or a server ended by itself.
    pub(super) fn await_formed(&mut self) -> Result<(usize, SocketAddr)> {
        let formed = wait_for("leader with followers", FORM_LIMIT, || {
            self.expect_alive()?;
            let running = self.running().len();
            let modes: Vec<String> = self.members.iter().filter_map(Member::mode).collect();
            let followers = modes.iter().filter(|mode| *mode == "follower").count();
            Ok(self.leader().filter(|_| followers + 1 == running))
        });
        formed.with_context(|| {
            let logs = self
                .members
                .iter()
                .map(|m| format!("server {}:\n{}", m.id, tail(&m.log())));
            logs.collect::<Vec<_>>().join("\n")
        })
    }

    fn expect_alive(&mut self) -> Result<()> {
        for member in &mut self.members {
            let Some(process) = &mut member.process else {
                continue;
            };
            if let Some(status) = process.ended()? {
                bail!("server {} ended with {status}", member.id);
            }
        }
        Ok(())
    }

    fn member(&mut self, id: usize) -> &mut Member {
        &mut self.members[id - 1]
    }

    fn spawn(&mut self, id: usize) -> Result<()> {
        let mut command = self.launcher.command(self.which, &self.settings)?;
        let member = &self.members[id - 1];
        let data_dir = member.folder.join("data");
        std::fs::create_dir_all(&data_dir)?;
        std::fs::write(data_dir.join("myid"), id.to_string())?;
        let cfg = member.folder.join("zoo.cfg");
        let text = self
            .settings
            .zoo_cfg(&data_dir, member.client.address().port());
        std::fs::write(&cfg, text)?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(member.log_path())?;
        let child = command
            .arg(&cfg)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        self.member(id).process = Some(Kept::new(child));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::mode;

    #[test]
    fn the_mode_is_known_once_a_server_serves() {
        for (answer, expected) in [
            (
                "Zookeeper version: 3.9.5\nMode: leader\nNode count: 5\n",
                Some("leader"),
            ),
            ("Mode: follower\n", Some("follower")),
            (
                "This ZooKeeper instance is not currently serving requests\n",
                None,
            ),
            ("", None),
        ] {
            assert_eq!(mode(answer).as_deref(), expected, "{answer:?}");
        }
    }
}
