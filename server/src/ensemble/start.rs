//! Brings a member up: its disk, its ports, its threads.

use std::sync::Arc;
use std::sync::atomic::AtomicI32;
use std::time::Duration;

use anyhow::{Context, Result};
use journal::{Journal, Opened, SnapshotTarget};
use jute::quorum::config::Member as MemberLine;
use replica::{Member, Replica};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::core::{Core, Shell};
use super::disk::Disk;
use super::engine::{Arrival, Engine};
use super::oracle;
use super::ports::{self, LearnerPorts, endpoints};
use crate::clock::Clock;
use crate::config::{Config, EnsembleSettings};
use crate::metrics::Metrics;
use crate::options;
use crate::peer::election::{ElectionEvent, ElectionLinks, Members};
use crate::peer::quorum::{Outflows, Uplinks};
use crate::pipeline::{Preparer, Purge};
use crate::serve::Server;
use crate::snapshots::{SnapshotPace, Snapshots};
use crate::write_path::WritePath;

/// Recovers a member from its disk. It does not take part before [`Engine::begin`].
///
/// # Errors
/// When it cannot start.
pub(crate) fn assemble(
    config: Config,
    disk: Arc<dyn storage::Disk>,
    clock: Clock,
    seed: u64,
) -> Result<(Arc<Server>, Purge)> {
    let metrics = Arc::new(Metrics::start());
    let ensemble = config.ensemble.as_ref().context("no ensemble")?;
    let (engine, replica) = recover(&config, ensemble, disk, (clock, seed), &metrics)?;
    let files = engine.files().clone();
    let layout = files.settings().layout.clone();
    let purge = Purge::start(config.autopurge, move |keep| files.purge(keep));
    let sessionless_timeout = config.limits.sessionless_cnxn_timeout;
    let server = Server {
        pipeline: WritePath::Ensemble(engine),
        replica,
        layout,
        clock,
        metrics,
        sessionless_timeout_ms: sessionless_timeout.as_millis() as u64,
        client_port: AtomicI32::new(config.client_port.map_or(-1, i32::from)),
        config,
    };
    Ok((Arc::new(server), purge))
}

fn recover(
    config: &Config,
    ensemble: &EnsembleSettings,
    disk: Arc<dyn storage::Disk>,
    (clock, seed): (Clock, u64),
    metrics: &Arc<Metrics>,
) -> Result<(Arc<Engine>, Arc<Replica>)> {
    let settings = options::journal(config, ensemble);
    let limits = settings.state.limits;
    let preparer = Box::new(Preparer::start()?);
    let opened = Journal::open(disk, settings, preparer, seed)?;
    let Opened {
        journal,
        state,
        recovered,
        entries,
        digest_mismatch,
        warnings,
        ..
    } = opened;
    for warning in &warnings {
        warn!("{warning}");
    }
    if let Some(mismatch) = digest_mismatch {
        // What it means shows when the leader's history goes on.
        warn!("the tree's digest differs from the history's: {mismatch:?}");
    }
    info!(
        "database loaded: {entries} transactions replayed, highest zxid is 0x{}, digest is {}, \
         acceptedEpoch {}, currentEpoch {}",
        state.last_zxid(),
        state.tree().digest(),
        recovered.accepted_epoch,
        recovered.current_epoch,
    );
    let files = journal.files().clone();
    let replica_options = options::replica(config, seed);
    let replica = Arc::new(Replica::of_member(state, replica_options, clock.now()));
    let member_options = options::member(config, ensemble);
    let member = Member::new(
        ensemble.me,
        Arc::clone(&replica),
        member_options,
        recovered,
        clock.now(),
    );
    let snapshots = Snapshots::new(
        Arc::clone(&replica),
        SnapshotTarget::member(files.clone()),
        SnapshotPace::new(seed),
        Arc::clone(metrics),
    );
    let core = Core::new(member, clock, snapshots, files.reader());
    let engine = Engine::new(core, Arc::new(Disk::new(journal)), files, limits);
    Ok((Arc::new(engine), replica))
}

/// The ports of a member, which follow its line of the configuration.
pub(crate) struct OwnPorts {
    /// The own line of the configuration in force.
    pub(crate) line: watch::Receiver<MemberLine>,
    /// Ends if a port cannot be moved to where the line says.
    pub(crate) moving: JoinHandle<Result<()>>,
}

/// Opens the ports between servers. The shell is for [`Engine::begin`]: before it, the member
/// hears nobody and takes no part.
pub(crate) async fn open_ports(
    engine: &Arc<Engine>,
    server: &Server,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<(Shell, OwnPorts)> {
    let ensemble = server.config.ensemble.as_ref().context("no ensemble")?;
    let runtime = tokio::runtime::Handle::current();
    let links = options::links(ensemble);
    let own = ensemble.own();
    let master = ensemble.learner.observer_master_port;
    let mut learners = LearnerPorts::new(engine, &links, master, tasks, stop);
    learners.listen_on(own).await?;
    let heard = Arc::clone(engine);
    let election = ElectionLinks::start(
        ensemble.me,
        endpoints(own, |address| address.election_port),
        Members::new(&ensemble.committed, ensemble.last_seen.as_deref()),
        links,
        move |event| heard.post(arrival(event)),
        stop,
    );
    let election = Arc::new(election.await.context("election port")?);
    let (own_line, line) = watch::channel(own.clone());
    let moving = ports::follow(line.clone(), learners, Arc::clone(&election), stop.clone());
    let shell = Shell {
        engine: Arc::clone(engine),
        election,
        own_line,
        uplinks: Uplinks {
            engine: Arc::clone(engine),
            runtime: runtime.clone(),
            tasks: tasks.clone(),
            connect_timeout: connect_timeout(ensemble),
        },
        outflows: Outflows {
            engine: Arc::clone(engine),
            replica: Arc::clone(&server.replica),
            runtime: runtime.clone(),
            tasks: tasks.clone(),
        },
        runtime,
        observer_master_port: master,
    };
    if let Some(path) = ensemble.oracle.clone() {
        tasks.spawn(oracle::consult(Arc::clone(engine), path, stop.clone()));
    }
    Ok((shell, OwnPorts { line, moving }))
}

/// Dials of a leader end after this, and begin anew until `connectToLearnerMasterLimit`.
fn connect_timeout(ensemble: &EnsembleSettings) -> Duration {
    ensemble.election.connect_timeout
}

fn arrival(event: ElectionEvent) -> Arrival {
    match event {
        ElectionEvent::Notification {
            from,
            notification,
            place,
        } => Arrival::Heard(zab::Input::Notification { from, notification }, place),
        ElectionEvent::Unreachable { peer } => Arrival::Peer(zab::Input::Unreachable { peer }),
    }
}
