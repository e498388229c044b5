//! Any ZooKeeper server as a process: what to start, with which settings, and when it is ready.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use reserved_port::ReservedPort;

use crate::install::{Apache, Installed};
use crate::process::{Kept, POLL, tail};

/// A server must answer `srvr` within this time (a JVM on a busy machine is slow).
const READY_LIMIT: Duration = Duration::from_secs(40);
/// A clean stop may take this long.
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// One four-letter word must be answered within this time.
const WORD_LIMIT: Duration = Duration::from_secs(5);

/// Digest of `super:secret`, as `DigestAuthenticationProvider.superDigest` wants it.
pub(crate) const SUPER_DIGEST: &str = "super:lK75jTNcA+U9vtVEw5vB51mj/w4=";
/// The credentials behind [`SUPER_DIGEST`].
pub(crate) const SUPER_AUTH: &[u8] = b"super:secret";

/// Which server a suite talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub(crate) enum Which {
    /// The binary of this project.
    Ours,
    /// Apache ZooKeeper 3.9.5.
    #[value(name = "apache-3.9.5", alias = "apache")]
    Apache395,
    /// Apache ZooKeeper 3.8.0, as Debian ships it.
    #[value(name = "apache-3.8.0")]
    Apache380,
}

impl Which {
    /// The name used on the command line and in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Apache395 => "apache-3.9.5",
            Self::Apache380 => "apache-3.8.0",
        }
    }
}

/// What a server is started with, beyond its directory and port.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    cfg: Vec<(String, String)>,
    properties: Vec<(String, String)>,
    heap: Option<&'static str>,
}

impl Settings {
    /// Settings every suite wants: no admin port, all words, all node types, a super user,
    /// and limits far away from what a test could hit by accident.
    pub(crate) fn usual() -> Self {
        Self::default()
            .cfg("tickTime", 500)
            .cfg("initLimit", 10)
            .cfg("syncLimit", 5)
            .cfg("minSessionTimeout", 500)
            .cfg("maxSessionTimeout", 600_000)
            .cfg("maxClientCnxns", 0)
            .cfg("admin.enableServer", false)
            .cfg("4lw.commands.whitelist", "*")
            .cfg("extendedTypesEnabled", true)
            .cfg("DigestAuthenticationProvider.superDigest", SUPER_DIGEST)
    }

    /// Adds, or replaces, a line of `zoo.cfg`.
    pub(crate) fn cfg(mut self, key: &str, value: impl ToString) -> Self {
        self.cfg.retain(|(known, _)| known != key);
        self.cfg.push((key.to_owned(), value.to_string()));
        self
    }

    /// Adds a Java system property, for keys that `zoo.cfg` cannot carry.
    pub(crate) fn property(mut self, key: &str, value: impl ToString) -> Self {
        self.properties.push((key.to_owned(), value.to_string()));
        self
    }

    /// Replaces the heap of a JVM (`-Xmx…`); our server has none.
    pub(crate) fn heap(mut self, option: &'static str) -> Self {
        self.heap = Some(option);
        self
    }

    /// The lines of `zoo.cfg`, without those about one server's directory and address.
    pub(crate) fn lines(&self) -> String {
        self.cfg
            .iter()
            .map(|(key, value)| format!("{key}={value}\n"))
            .collect()
    }

    /// The text of `zoo.cfg` for a data directory and a loopback port.
    pub(crate) fn zoo_cfg(&self, data_dir: &Path, port: u16) -> String {
        format!(
            "dataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\n{}",
            data_dir.display(),
            self.lines()
        )
    }
}

/// Knows how to start each kind of server.
#[derive(Debug, Clone)]
pub(crate) struct Launcher {
    ours: Option<PathBuf>,
    installed: Installed,
}

impl Launcher {
    /// `ours` is the path of our binary; without it only Apache can be started.
    pub(crate) fn new(ours: Option<PathBuf>, installed: Installed) -> Self {
        Self { ours, installed }
    }

    /// What is installed on this machine.
    pub(crate) fn installed(&self) -> &Installed {
        &self.installed
    }

    /// The command that starts a server of this kind, but for its configuration file.
    ///
    /// # Errors
    /// When the path of our server is unknown, or Apache's cannot be fetched.
    pub(crate) fn command(&self, which: Which, settings: &Settings) -> Result<Command> {
        let apache = match which {
            Which::Ours => {
                let path = self.ours.as_ref().context(
                    "the path of our server is unknown: give --ours PATH or set ZABKEEPER_BIN",
                )?;
                let mut command = Command::new(path);
                let flags: Vec<String> = settings.properties.iter().map(define).collect();
                command
                    .env("SERVER_JVMFLAGS", flags.join(" "))
                    .arg("server");
                return Ok(command);
            }
            Which::Apache395 => Apache::V395,
            Which::Apache380 => Apache::V380,
        };
        let mut command = self.installed.java(apache)?;
        // Of two heaps the JVM takes the last.
        command.args(settings.heap);
        command.args(settings.properties.iter().map(define));
        command.arg("org.apache.zookeeper.server.quorum.QuorumPeerMain");
        Ok(command)
    }

    /// Starts a server on `data_dir` (created if missing) and waits until it serves.
    ///
    /// # Errors
    /// When it cannot be started, ends early, or is not ready in time. The message carries the
    /// exit status and the end of its log.
    pub(crate) fn start(
        &self,
        which: Which,
        data_dir: &Path,
        settings: &Settings,
    ) -> Result<Server> {
        let mut server = self.spawn(which, data_dir, settings)?;
        server.await_ready()?;
        Ok(server)
    }

    /// Starts a server without waiting; see [`Server::await_ready`].
    ///
    /// # Errors
    /// When the process cannot be started.
    pub(crate) fn spawn(
        &self,
        which: Which,
        data_dir: &Path,
        settings: &Settings,
    ) -> Result<Server> {
        std::fs::create_dir_all(data_dir)?;
        let scratch = tempfile::tempdir()?;
        let port = ReservedPort::reserve()?;
        let cfg_path = scratch.path().join("zoo.cfg");
        let log_path = scratch.path().join("server.out");
        std::fs::write(&cfg_path, settings.zoo_cfg(data_dir, port.address().port()))?;
        let log = File::create(&log_path)?;
        let mut command = self.command(which, settings)?;
        let child = command
            .arg(&cfg_path)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        Ok(Server {
            which,
            port,
            child: Kept::new(child),
            log_path,
            _scratch: scratch,
        })
    }
}

fn define((key, value): &(String, String)) -> String {
    format!("-D{key}={value}")
}

/// A running server; killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    which: Which,
    port: ReservedPort,
    child: Kept,
    log_path: PathBuf,
    _scratch: tempfile::TempDir,
}

impl Server {
    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Its address as a connect string.
    pub(crate) fn connect_string(&self) -> String {
        self.address().to_string()
    }

    /// What it printed so far.
    pub(crate) fn log(&self) -> String {
        let bytes = std::fs::read(&self.log_path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until `srvr` is answered by a serving server.
    ///
    /// # Errors
    /// When the process ended, or stayed silent for too long.
    pub(crate) fn await_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            if let Some(status) = self.child.ended()? {
                bail!(
                    "{} ended with {status}\n{}",
                    self.which.name(),
                    tail(&self.log())
                );
            }
            if four_letter_word(self.address(), "srvr").is_ok_and(|text| text.contains("Mode:")) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!(
                    "{} not ready in {READY_LIMIT:?}\n{}",
                    self.which.name(),
                    tail(&self.log())
                );
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits for a process that is expected to refuse to start; none if it serves instead.
    ///
    /// # Errors
    /// When it neither serves nor ends in time.
    pub(crate) fn await_refusal(&mut self) -> Result<Option<ExitStatus>> {
        let deadline = Instant::now() + READY_LIMIT;
        while Instant::now() < deadline {
            if let Some(status) = self.child.ended()? {
                return Ok(Some(status));
            }
            if four_letter_word(self.address(), "srvr").is_ok_and(|text| text.contains("Mode:")) {
                return Ok(None);
            }
            std::thread::sleep(POLL);
        }
        bail!("neither serves nor ends\n{}", tail(&self.log()))
    }

    /// Stops it with SIGTERM. Our server must then exit with 0; a JVM exits with 143.
    ///
    /// # Errors
    /// When it does not stop, or ours stops with another status.
    pub(crate) fn stop(mut self) -> Result<()> {
        let Some(status) = self.child.terminate(STOP_LIMIT)? else {
            bail!(
                "{} ignored SIGTERM\n{}",
                self.which.name(),
                tail(&self.log())
            );
        };
        if self.which == Which::Ours && !status.success() {
            bail!("clean stop ended with {status}\n{}", tail(&self.log()));
        }
        Ok(())
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()
    }
}

/// Sends a four-letter word and returns the whole answer.
///
/// # Errors
/// On any socket failure.
pub(crate) fn four_letter_word(address: SocketAddr, word: &str) -> Result<String> {
    four_letter_word_within(address, word, WORD_LIMIT)
}

/// As [`four_letter_word`], for servers that may have been stopped or cut off.
///
/// # Errors
/// On any socket failure, or when nothing comes for `limit`.
pub(crate) fn four_letter_word_within(
    address: SocketAddr,
    word: &str,
    limit: Duration,
) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(word.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{Path, Settings};

    #[test]
    fn a_later_value_replaces_an_earlier_one() {
        let text = Settings::default()
            .cfg("tickTime", 1)
            .cfg("tickTime", 2)
            .zoo_cfg(Path::new("d"), 7);
        assert_eq!(
            text,
            "dataDir=d\nclientPort=7\nclientPortAddress=127.0.0.1\ntickTime=2\n"
        );
    }
}
