//! A standalone server under measurement, Apache's or ours, in a fresh directory.

use std::fmt;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use reserved_port::ReservedPort;
use rustix::process::{Pid, Signal, kill_process};

use super::probe;
use crate::workspace;

/// How long a start or a stop may take.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often a starting server is tried.
const TRY_INTERVAL: Duration = Duration::from_micros(500);

/// Whose server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Product {
    /// Apache ZooKeeper 3.9.5, with `-Xmx1g`.
    Apache,
    /// The release build of this workspace.
    Ours,
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Apache => "apache",
            Self::Ours => "ours",
        })
    }
}

impl FromStr for Product {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "apache" => Ok(Self::Apache),
            "ours" => Ok(Self::Ours),
            _ => Err("apache or ours".to_owned()),
        }
    }
}

/// Measured instead of the workspace's.
static BINARY: OnceLock<PathBuf> = OnceLock::new();

/// Has this binary measured as ours.
pub(super) fn measure_binary(path: PathBuf) {
    BINARY.get_or_init(|| path);
}

fn own_binary() -> PathBuf {
    let given = BINARY.get().cloned();
    given.unwrap_or_else(workspace::server_binary)
}

fn apache_jars() -> PathBuf {
    workspace::target().join("compat/apache-3.9.5/lib")
}

/// Has the compatibility tests fetch Apache ZooKeeper, unless it is there already.
pub(super) fn fetch_apache() -> Result<()> {
    if !apache_jars().is_dir() {
        workspace::cargo(["run", "--release", "-p", "compat-tests", "--", "install"]).run()?;
    }
    ensure!(
        apache_jars().is_dir(),
        "{} is missing",
        apache_jars().display()
    );
    Ok(())
}

/// The jars without a logging backend: what Apache logs shall not slow it down.
fn apache_classpath() -> Result<String> {
    let mut jars = Vec::new();
    for entry in fs::read_dir(apache_jars())? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("");
        if name.ends_with(".jar") && !name.starts_with("logback") {
            jars.push(path.display().to_string());
        }
    }
    jars.sort();
    Ok(jars.join(":"))
}

/// A directory that goes when it is dropped.
pub(super) struct Home(PathBuf);

impl Home {
    pub(super) fn new(product: Product) -> Result<Self> {
        Self::named(product, "")
    }

    /// One of several.
    pub(super) fn named(product: Product, suffix: &str) -> Result<Self> {
        let name = format!("{product}-{}{suffix}", std::process::id());
        let path = workspace::target().join("bench").join(name);
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir_all(path.join("data"))?;
        Ok(Self(path))
    }

    /// How many snapshots it holds.
    pub(super) fn snapshots(&self) -> Result<usize> {
        let mut count = 0;
        for entry in fs::read_dir(self.0.join("data/version-2"))? {
            let name = entry?.file_name();
            count += usize::from(name.to_string_lossy().starts_with("snapshot."));
        }
        Ok(count)
    }

    /// What its server has printed since it was started.
    pub(super) fn log_text(&self) -> Result<String> {
        Ok(fs::read_to_string(self.log())?)
    }

    fn log(&self) -> PathBuf {
        self.0.join("server.log")
    }

    /// `myid`.
    pub(super) fn write_id(&self, id: usize) -> Result<()> {
        Ok(fs::write(self.0.join("data/myid"), id.to_string())?)
    }

    /// Removes the history; configuration and `myid` stay.
    pub(super) fn wipe(&self) -> Result<()> {
        Ok(fs::remove_dir_all(self.0.join("data/version-2"))?)
    }

    fn write_config(&self, port: u16, extra: &[&str]) -> Result<PathBuf> {
        let mut text = format!(
            "tickTime=2000\ndataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\n\
             maxClientCnxns=0\nadmin.enableServer=false\n",
            self.0.join("data").display()
        );
        for line in extra {
            text += line;
            text.push('\n');
        }
        let path = self.0.join("zoo.cfg");
        fs::write(&path, text)?;
        Ok(path)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running server.
pub(super) struct Server {
    child: Child,
    address: SocketAddr,
    _port: Arc<ReservedPort>,
    /// When its process was started.
    pub(super) started: Instant,
    /// From the start of the process to the first accepted connection.
    pub(super) listening_after: Duration,
}

impl Server {
    /// Starts a server on what the home holds, with extra lines for its `zoo.cfg`.
    pub(super) fn start(product: Product, home: &Home, extra: &[&str]) -> Result<Self> {
        let mut server = Self::spawn(product, home, Arc::new(ReservedPort::reserve()?), extra)?;
        server.listening_after = server.wait_for_listener(&home.log())?;
        Ok(server)
    }

    /// Starts one and does not wait.
    pub(super) fn spawn(
        product: Product,
        home: &Home,
        port: Arc<ReservedPort>,
        extra: &[&str],
    ) -> Result<Self> {
        let address = port.address();
        let config = home.write_config(address.port(), extra)?;
        let mut command = command(product, &config)?;
        let log = home.log();
        command
            .current_dir(&home.0)
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?);
        let started = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("start {product}"))?;
        Ok(Self {
            child,
            address,
            _port: port,
            started,
            listening_after: Duration::ZERO,
        })
    }

    /// As [`Server::start`], but returns only when it answers reads: Apache listens before it
    /// has loaded its data.
    pub(super) fn serving(product: Product, home: &Home, extra: &[&str]) -> Result<Self> {
        let server = Self::start(product, home, extra)?;
        probe::first_read(server.address, "/", server.started)?;
        Ok(server)
    }

    fn wait_for_listener(&mut self, log: &Path) -> Result<Duration> {
        while self.started.elapsed() < PATIENCE {
            if TcpStream::connect(self.address).is_ok() {
                return Ok(self.started.elapsed());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{status}\n{}", fs::read_to_string(log).unwrap_or_default());
            }
            thread::sleep(TRY_INTERVAL);
        }
        bail!("no listener within {PATIENCE:?}")
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resident memory of the process, bytes.
    pub(super) fn resident(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(&path)?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
        let kib: u64 = kib
            .with_context(|| format!("no VmRSS in {path}"))?
            .parse()?;
        Ok(kib * 1024)
    }

    /// Seconds of CPU that the process has used.
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = fs::read_to_string(&path)?;
        // Behind the name, which may hold spaces, utime and stime are the 12th and 13th.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks = rest.split_whitespace().skip(11).take(2);
        let ticks: Vec<f64> = ticks.map(str::parse).collect::<Result<_, _>>()?;
        ensure!(ticks.len() == 2, "{path}: {stat}");
        Ok(ticks.iter().sum::<f64>() / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Asks it to stop and waits until it has.
    pub(super) fn stop(mut self) -> Result<()> {
        let raw = i32::try_from(self.child.id())?;
        let pid = Pid::from_raw(raw).ok_or_else(|| anyhow!("no process"))?;
        kill_process(pid, Signal::TERM)?;
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            ensure!(Instant::now() < deadline, "no stop within {PATIENCE:?}");
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(product: Product, config: &Path) -> Result<Command> {
    let mut command = match product {
        Product::Apache => {
            let mut java = Command::new("java");
            java.args(["-Xmx1g", "-cp", &apache_classpath()?]);
            java.arg("org.apache.zookeeper.server.quorum.QuorumPeerMain");
            java
        }
        Product::Ours => {
            let mut ours = Command::new(own_binary());
            ours.arg("server");
            ours
        }
    };
    command.arg(config);
    Ok(command)
}
