//! Brings a member up: its disk, its ports, its threads.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use journal::{Journal, Opened};
use jute::quorum::Endpoint;
use replica::{Member, Replica};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::core::{Core, Shell};
use super::disk::Disk;
use super::engine::{Arrival, Engine};
use super::snapshots::Snapshots;
use crate::clock::Clock;
use crate::config::{Config, EnsembleSettings};
use crate::disk::RealDisk;
use crate::metrics::Metrics;
use crate::options;
use crate::peer::election::{ElectionEvent, ElectionLinks, Members};
use crate::peer::listen;
use crate::peer::quorum::{LinkNumbers, Outflows, Port, QuorumListener, Uplinks};
use crate::pipeline::{Preparer, Purge, SnapshotPace};
use crate::serve::Server;
use crate::write_path::WritePath;

/// Recovers a member from its disk. It does not take part before [`Engine::begin`].
///
/// # Errors
/// When it cannot start.
pub(crate) fn assemble(config: Config, clock: Clock, seed: u64) -> Result<(Arc<Server>, Purge)> {
    let metrics = Arc::new(Metrics::start());
    let ensemble = config.ensemble.as_ref().context("no ensemble")?;
    let (engine, replica) = recover(&config, ensemble, (clock, seed), &metrics)?;
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
        config,
    };
    Ok((Arc::new(server), purge))
}

fn recover(
    config: &Config,
    ensemble: &EnsembleSettings,
    (clock, seed): (Clock, u64),
    metrics: &Arc<Metrics>,
) -> Result<(Arc<Engine>, Arc<Replica>)> {
    let settings = options::journal(config, ensemble);
    let limits = settings.state.limits;
    let preparer = Box::new(Preparer::start()?);
    let opened = Journal::open(Arc::new(RealDisk), settings, preparer, seed)?;
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
        files.clone(),
        SnapshotPace::new(seed),
        Arc::clone(metrics),
    );
    let core = Core::new(member, clock, snapshots, files.reader());
    let engine = Engine::new(core, Arc::new(Disk::new(journal)), files, limits);
    Ok((Arc::new(engine), replica))
}

/// Opens the ports between servers. What is given back is for [`Engine::begin`]: before it, the
/// member hears nobody and takes no part.
pub(crate) async fn open_ports(
    engine: &Arc<Engine>,
    server: &Server,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<Shell> {
    let ensemble = server.config.ensemble.as_ref().context("no ensemble")?;
    let runtime = tokio::runtime::Handle::current();
    let links = options::links(ensemble);
    let numbers = LinkNumbers::default();
    let quorum = own_addresses(ensemble, |address| address.quorum_port);
    let master = ensemble.learner.observer_master_port;
    let master = master.map(|port| own_addresses(ensemble, |_| port));
    for (port, name, addresses) in [
        (Port::Quorum, "quorum port", quorum),
        (
            Port::ObserverMaster,
            "observerMasterPort",
            master.unwrap_or_default(),
        ),
    ] {
        for listener in listen::bind(&addresses, name, &links).await? {
            let numbers = numbers.clone();
            let listener = QuorumListener {
                port,
                listener,
                numbers,
            };
            let accepting = listener.run(Arc::clone(engine), tasks.clone(), stop.clone());
            tasks.spawn(accepting);
        }
    }
    let heard = Arc::clone(engine);
    let election = ElectionLinks::start(
        ensemble.me,
        own_addresses(ensemble, |address| address.election_port),
        Members::new(&ensemble.committed, ensemble.last_seen.as_deref()),
        links,
        move |event| heard.post(arrival(event)),
        stop,
    )
    .await
    .context("election port")?;
    Ok(Shell {
        engine: Arc::clone(engine),
        election,
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
        observer_master_port: ensemble.learner.observer_master_port,
    })
}

/// Dials of a leader end after this, and begin anew until `connectToLearnerMasterLimit`.
fn connect_timeout(ensemble: &EnsembleSettings) -> Duration {
    ensemble.election.connect_timeout
}

fn own_addresses(
    ensemble: &EnsembleSettings,
    port: impl Fn(&jute::quorum::config::MemberAddress) -> u16,
) -> Vec<Endpoint> {
    let own = ensemble.own().addresses.iter();
    let endpoint = |address| Endpoint {
        host: jute::quorum::config::MemberAddress::clone(address).host,
        port: port(address),
    };
    own.map(endpoint).collect()
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
