use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use reserved_port::ReservedPort;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// So long a start or a stop may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) const BINARY: &str = env!("CARGO_BIN_EXE_zabkeeper");

/// The real binary on a directory of its own; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) dir: TempDir,
    /// Nobody else gets the port, not even after the server has ended.
    _port: ReservedPort,
}

/// A `zoo.cfg`, and the port in it.
pub(crate) struct Configuration {
    pub(crate) path: PathBuf,
    port: ReservedPort,
}

/// How a process ended and what it said on standard error.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
}

impl Server {
    /// Starts with these lines added to a plain `zoo.cfg`.
    pub(crate) fn start(lines: &str) -> Self {
        Self::start_with(lines, "")
    }

    /// Starts with system properties (`-Dname=value`) too.
    pub(crate) fn start_with(lines: &str, flags: &str) -> Self {
        let dir = TempDir::with_prefix("zabkeeper-test-").expect("a temporary directory");
        Self::start_in(dir, lines, flags)
    }

    /// Starts on a directory that was there before.
    pub(crate) fn start_in(dir: TempDir, lines: &str, flags: &str) -> Self {
        let configuration = configure(dir.path(), lines);
        let mut command = Command::new(BINARY);
        command.arg("server").arg(&configuration.path);
        Self::spawn(command, dir, configuration, flags)
    }

    /// Starts by a command that ends in our binary.
    pub(crate) fn spawn(
        command: Command,
        dir: TempDir,
        configuration: Configuration,
        flags: &str,
    ) -> Self {
        let log = File::create(dir.path().join("log.txt")).expect("a log file");
        let child = spawn_logged(command, flags, log);
        let mut server = Self {
            child,
            address: configuration.port.address(),
            dir,
            _port: configuration.port,
        };
        server.wait_until_serving();
        server
    }

    /// Its own log says when: whoever answers on the port need not be this server.
    fn wait_until_serving(&mut self) {
        let start = Instant::now();
        let serving = format!("serving a standalone ZooKeeper on {},", self.address);
        while !self.log().contains(&serving) {
            if let Some(status) = self.child.try_wait().expect("a child") {
                panic!("the server ended, {status}: {}", self.log());
            }
            assert!(start.elapsed() < PATIENCE, "not serving: {}", self.log());
            sleep(Duration::from_millis(5));
        }
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log.txt")).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Is the process still there?
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Resident memory, bytes.
    pub(crate) fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("the process is there");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        kib.expect("a number of kB") * 1024
    }

    /// Sends a signal and waits for the end; the directory stays.
    pub(crate) fn stop(mut self, signal: Signal) -> (ExitStatus, TempDir) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), signal).expect("the process is there");
        let status = wait(&mut self.child);
        let empty = TempDir::new().expect("a temporary directory");
        (status, std::mem::replace(&mut self.dir, empty))
    }

    /// A four-letter word's answer.
    pub(crate) fn word(&self, word: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).expect("the server listens");
        stream.write_all(word).expect("the server takes it");
        let mut answer = String::new();
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a live socket");
        stream
            .read_to_string(&mut answer)
            .expect("text, then the end");
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what the server logged:\n{}", self.log());
        }
        // Ends it also when the test has failed; it may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes a `zoo.cfg` with a port of its own; later lines win.
pub(crate) fn configure(dir: &Path, lines: &str) -> Configuration {
    let port = ReservedPort::reserve().expect("a free port");
    let text = format!(
        "tickTime=500\ndataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\n\
         maxClientCnxns=0\n{lines}\n",
        dir.join("data").display(),
        port.address().port(),
    );
    let path = dir.join("zoo.cfg");
    fs::write(&path, text).expect("a configuration file");
    Configuration { path, port }
}

/// Runs the binary with these arguments, in this directory, until it ends by itself.
pub(crate) fn run_to_end(arguments: &[&str], dir: &Path) -> Ended {
    let mut command = Command::new(BINARY);
    command.args(arguments).current_dir(dir);
    let mut child = undisturbed(&mut command, "")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let status = wait(&mut child);
    let mut stderr = String::new();
    let mut pipe = child.stderr.take().expect("piped");
    pipe.read_to_string(&mut stderr).expect("text");
    Ended {
        code: status.code(),
        stderr,
    }
}

/// Starts our binary by a command that ends in it, with system properties (`-Dname=value`). What it
/// says on either stream goes to the log.
pub(super) fn spawn_logged(mut command: Command, flags: &str, log: File) -> Child {
    let stderr = log.try_clone().expect("a second handle");
    let command = undisturbed(&mut command, flags).stdout(log).stderr(stderr);
    command.spawn().expect("the binary starts")
}

/// Without what this process's environment would set, and without its input.
fn undisturbed<'a>(command: &'a mut Command, flags: &str) -> &'a mut Command {
    command
        .env("SERVER_JVMFLAGS", flags)
        .env_remove("JVMFLAGS")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
}

pub(super) fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        if start.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("the server does not end");
        }
        sleep(Duration::from_millis(5));
    }
}
