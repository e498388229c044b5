//! Brings a server up, keeps it running, and takes it down.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::atomic::{AtomicBool, AtomicI32};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use replica::Replica;
use storage::{Disk, Layout};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Barrier;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::disk::RealDisk;
use crate::ensemble::OwnPorts;
use crate::io_watch::IoWatch;
use crate::metrics::Metrics;
use crate::net::{ClientPort, Stop};
use crate::write_path::WritePath;
use crate::{ensemble, standalone};

/// Threads that move bytes. More than two pay only on larger machines.
const IO_THREADS_MIN: usize = 2;

/// What connections and words need of a running server.
pub(crate) struct Server {
    pub(crate) replica: Arc<Replica>,
    pub(crate) pipeline: WritePath,
    pub(crate) config: Config,
    pub(crate) layout: Layout,
    pub(crate) clock: Clock,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) sessionless_timeout_ms: u64,
    /// Where clients are served at the moment; -1 is nowhere.
    pub(crate) client_port: AtomicI32,
}

/// How a server is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// What was submitted is finished, answers are delivered, a leader hands over. The reason
    /// is for the log.
    Orderly(&'static str),
    /// At once, as if the process had been killed: connections break without a word. What the
    /// log's thread has begun is still written.
    Abrupt,
}

/// Runs the server of this configuration until a signal stops it. One that comes before the server
/// is up ends the whole process, with code 0.
///
/// # Errors
/// When it cannot start, or can no longer write its log.
pub fn run(config: Config) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(IO_THREADS_MIN, usize::from);
    let is_up = Arc::new(AtomicBool::new(false));
    let course = Course {
        io_threads: cores,
        disk: Arc::new(RealDisk),
        gather: None,
        // The process ends with the server. The system takes a large tree's memory back in far less
        // time than its nodes can be freed in, one by one, while whoever stops this server waits.
        up: {
            let is_up = Arc::clone(&is_up);
            move |server: &Arc<Server>| {
                is_up.store(true, Release);
                std::mem::forget(Arc::clone(&server.replica));
            }
        },
        end: stop_signal(is_up),
    };
    run_course(config, course)
}

/// What a server does besides serving.
pub(crate) struct Course<U, E> {
    /// Threads that move bytes; at least two.
    pub(crate) io_threads: usize,
    /// Where logs and snapshots are.
    pub(crate) disk: Arc<dyn Disk>,
    /// A member takes no part before the ports of all who meet here are open. Without it, one
    /// that starts a little earlier than the others takes them for dead.
    pub(crate) gather: Option<Arc<Barrier>>,
    /// Called once it is up.
    pub(crate) up: U,
    /// When it is to end, and how.
    pub(crate) end: E,
}

/// Runs the server of this configuration on a runtime of its own.
///
/// # Errors
/// When it cannot start, or can no longer write its log.
pub(crate) fn run_course<U, E>(config: Config, course: Course<U, E>) -> Result<()>
where
    U: FnOnce(&Arc<Server>),
    E: Future<Output = std::io::Result<End>> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(course.io_threads.max(IO_THREADS_MIN))
        .enable_all()
        .thread_name("zk-io")
        .build()
        .context("cannot start the runtime")?;
    let watch = IoWatch::start(runtime.handle().clone())?;
    let served = runtime.block_on(serve(config, course));
    drop(watch);
    // What was not finished in time is not waited for a second time.
    runtime.shutdown_timeout(LAST_WORDS);
    served
}

async fn serve<U, E>(config: Config, course: Course<U, E>) -> Result<()>
where
    U: FnOnce(&Arc<Server>),
    E: Future<Output = std::io::Result<End>> + Send + 'static,
{
    let Course {
        disk,
        gather,
        up,
        end,
        ..
    } = course;
    // From the very start on: whoever finds a port open may want the server to stop.
    let end = tokio::spawn(end);
    let mut end = std::pin::pin!(async { end.await.map_err(std::io::Error::other)? });
    for warning in &config.warnings {
        warn!("{warning}");
    }
    if !config.storage.force_sync {
        warn!("forceSync=no: a power failure loses writes that were acknowledged");
    }
    // Bound first: a port that is taken must not cost a load of the database.
    let port = ClientPort::open(&config).await?;
    if port.is_none() {
        warn!("clientPort is not set: no client can connect");
    }
    let data_dir = DataDir::claim(&config)?;
    let (clock, seed) = (Clock::start(), seed());
    let stop = Stop::default();
    let tasks = TaskTracker::new();
    let (server, purge) = match config.ensemble {
        None => standalone::assemble(config, disk, clock, seed)?,
        Some(_) => ensemble::assemble(config, disk, clock, seed)?,
    };
    data_dir.mark()?;
    let mut ports = None;
    if let WritePath::Ensemble(engine) = &server.pipeline {
        let (shell, own) = ensemble::open_ports(engine, &server, &tasks, &stop.connected).await?;
        if let Some(gather) = gather {
            tokio::select! {
                _ = gather.wait() => {}
                end = &mut end => return end.map(drop).map_err(Into::into),
            }
        }
        engine.begin(shell);
        ports = Some(own);
    }
    let ran = Arc::clone(&server);
    let result = serve_clients(server, port, ports, (tasks, stop), up, end).await;
    if let WritePath::Ensemble(engine) = &ran.pipeline {
        engine.retire();
    }
    drop(purge);
    drop(data_dir);
    result
}

async fn serve_clients(
    server: Arc<Server>,
    port: Option<ClientPort>,
    ports: Option<OwnPorts>,
    (tasks, stop): (TaskTracker, Stop),
    up: impl FnOnce(&Arc<Server>),
    end: impl Future<Output = std::io::Result<End>>,
) -> Result<()> {
    let (line, moving) = ports.map(|own| (own.line, own.moving)).unzip();
    if let Some(port) = port {
        let what = match &server.config.ensemble {
            None => "a standalone ZooKeeper".to_owned(),
            Some(ensemble) => format!("member {} of an ensemble", ensemble.me),
        };
        info!(
            "serving {what} on {}, data in {}",
            port.local_addr()?,
            server.config.data_dir.display()
        );
        let server = Arc::clone(&server);
        tokio::spawn(port.run(server, tasks.clone(), stop.clone(), line));
    }
    let write_side = Arc::clone(&server);
    let mut writing = tokio::task::spawn_blocking(move || write_side.pipeline.run());
    up(&server);
    let end = tokio::select! {
        end = end => end?,
        written = &mut writing => {
            // It never ends by itself but for an error.
            return written.context("the write thread panicked")?;
        }
        moved = ended(moving) => return moved.context("the ports cannot be moved"),
    };
    stop.accepting.cancel();
    match end {
        End::Orderly(why) => info!("{why} received, stopping"),
        End::Abrupt => {
            // The tasks of the connections end with the runtime.
            server.pipeline.abandon();
            return writing.await.context("the write thread panicked")?;
        }
    }
    drain(&server, writing).await?;
    // Every answer is in an outbox now; the connections send them and close.
    stop.connected.cancel();
    tasks.close();
    if tokio::time::timeout(LAST_WORDS, tasks.wait())
        .await
        .is_err()
    {
        warn!("some clients did not take their last answers in time");
    }
    info!("stopped");
    Ok(())
}

/// Waits for the end of those who move the ports between servers. There is none without an error.
async fn ended(ports: Option<JoinHandle<Result<()>>>) -> Result<()> {
    match ports {
        Some(ports) => ports.await.context("the task of the ports panicked")?,
        None => std::future::pending().await,
    }
}

/// Time for clients to take what is queued for them.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Finishes the writes that were submitted, for at most
/// `zookeeper.request_throttler.shutdownTimeout`.
async fn drain(server: &Server, writing: JoinHandle<Result<()>>) -> Result<()> {
    let start = Instant::now();
    server.pipeline.stop();
    let patience = server.config.request_throttle.shutdown_timeout;
    match tokio::time::timeout(patience, writing).await {
        Ok(written) => written.context("the write thread panicked")??,
        Err(_) => warn!("some writes were not finished in {patience:?}"),
    }
    info!("drained in {} ms", start.elapsed().as_millis());
    Ok(())
}

/// Waits for a signal to stop. While the database is loaded there is nothing to finish, and whoever
/// stops the server does not wait until it is: the process ends as if it had been killed, and every
/// state that this leaves on the disk starts (`storage/recovery.rs`).
async fn stop_signal(is_up: Arc<AtomicBool>) -> std::io::Result<End> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let why = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    if !is_up.load(Acquire) {
        info!("{why} received before the server was up, stopping");
        std::process::exit(0);
    }
    Ok(End::Orderly(why))
}

/// A seed from the operating system, for hash keys and the scatter of snapshots.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one("zabkeeper")
}
