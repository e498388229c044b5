//! One server of this process: a thread with a runtime, and how it is told to end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use reserved_port::ReservedPort;
use storage::Disk;
use tempfile::TempDir;
use tokio::sync::{Barrier, oneshot};

use super::settings::Settings;
use crate::config::Config;
use crate::disk::RealDisk;
use crate::serve::{self, Course, End, Server};

/// So long a start may take. Data of gigabytes have to be read first.
const START_PATIENCE: Duration = Duration::from_secs(120);

/// Where the data is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Given(PathBuf),
    /// Deleted with the last who uses it.
    Temporary(Arc<TempDir>),
}

impl Place {
    pub(super) fn new(settings: &Settings) -> Result<Self> {
        if let Some(dir) = settings.given_dir() {
            return Ok(Self::Given(dir.to_owned()));
        }
        let dir = TempDir::with_prefix("zabkeeper-").context("no temporary directory")?;
        Ok(Self::Temporary(Arc::new(dir)))
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Given(dir) => dir,
            Self::Temporary(dir) => dir.path(),
        }
    }
}

/// A server with what outlives its runs.
pub(super) struct Instance {
    running: Option<Running>,
    config: Config,
    disk: Arc<dyn Disk>,
    port: ReservedPort,
    /// After [`Self::running`]: the server ends before its directory goes.
    _place: Place,
}

struct Running {
    server: Arc<Server>,
    end: Option<oneshot::Sender<End>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance")
            .field("address", &self.address())
            .field("running", &self.is_running())
            .finish()
    }
}

impl Instance {
    pub(super) fn new(place: Place, port: ReservedPort, config: Config) -> Self {
        Self {
            running: None,
            config,
            disk: Arc::new(RealDisk),
            port,
            _place: place,
        }
    }

    /// From the next start on.
    #[cfg(test)]
    pub(super) fn set_disk(&mut self, disk: Arc<dyn Disk>) {
        self.disk = disk;
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Down after a failure too.
    pub(super) fn is_running(&self) -> bool {
        let thread = self.running.as_ref().and_then(|run| run.thread.as_ref());
        thread.is_some_and(|thread| !thread.is_finished())
    }

    pub(super) fn server(&self) -> Option<&Server> {
        let running = self.running.as_ref().filter(|_| self.is_running());
        running.map(|run| &*run.server)
    }

    /// Starts it if it is down, and waits until its ports are open.
    pub(super) fn start(&mut self) -> Result<()> {
        self.begin(None)?
            .map_or(Ok(()), |starting| self.finish(starting))
    }

    /// Starts it if it is down. [`Instance::finish`] waits for it. Those that start together
    /// `gather`.
    pub(super) fn begin(&mut self, gather: Option<Arc<Barrier>>) -> Result<Option<Starting>> {
        if self.is_running() {
            return Ok(None);
        }
        // One that ended by itself: why is told here.
        self.kill()?;
        let (end, ended) = oneshot::channel();
        let (up, is_up) = mpsc::sync_channel(1);
        let (config, disk) = (self.config.clone(), Arc::clone(&self.disk));
        let run = move || {
            let up = |server: &Arc<Server>| {
                // Nobody waits if the start took too long.
                let _ = up.send(Arc::clone(server));
            };
            // Its handle is gone without a word only if it was leaked and the process ends.
            let end = async { Ok(ended.await.unwrap_or(End::Abrupt)) };
            let course = Course {
                io_threads: 0,
                disk,
                gather,
                up,
                end,
            };
            serve::run_course(config, course)
        };
        let thread = std::thread::Builder::new()
            .name("zk-embedded".to_owned())
            .spawn(run)
            .context("no thread for a server")?;
        Ok(Some(Starting { end, is_up, thread }))
    }

    pub(super) fn finish(&mut self, starting: Starting) -> Result<()> {
        let Starting { end, is_up, thread } = starting;
        match is_up.recv_timeout(START_PATIENCE) {
            Ok(server) => {
                self.running = Some(Running {
                    server,
                    end: Some(end),
                    thread: Some(thread),
                });
                Ok(())
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                join(thread)?;
                bail!("the server ended before it was up")
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                drop(end);
                bail!("the server was not up after {START_PATIENCE:?}")
            }
        }
    }

    pub(super) fn stop(&mut self) -> Result<()> {
        self.end(End::Orderly("a stop of the embedded server"))
    }

    pub(super) fn kill(&mut self) -> Result<()> {
        self.end(End::Abrupt)
    }

    fn end(&mut self, how: End) -> Result<()> {
        self.running.take().map_or(Ok(()), |run| run.end(how))
    }
}

/// A server that was started and is not up yet.
pub(super) struct Starting {
    end: oneshot::Sender<End>,
    is_up: mpsc::Receiver<Arc<Server>>,
    thread: JoinHandle<Result<()>>,
}

impl Running {
    fn end(mut self, how: End) -> Result<()> {
        self.tell(how)
    }

    fn tell(&mut self, how: End) -> Result<()> {
        if let Some(end) = self.end.take() {
            // It may have ended by itself.
            let _ = end.send(how);
        }
        self.thread.take().map_or(Ok(()), join)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Why it ended before does not matter any more.
        let _ = self.tell(End::Abrupt);
    }
}

fn join(thread: JoinHandle<Result<()>>) -> Result<()> {
    thread
        .join()
        .map_err(|_| anyhow!("the server's thread panicked"))?
}
