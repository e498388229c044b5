//! Puts a standalone server together.

use std::sync::Arc;
use std::sync::atomic::AtomicI32;

use anyhow::Result;
use journal::SnapshotTarget;
use replica::{Replica, Sequencer};
use storage::log::LogHolds;
use storage::recovery::remove_initialize;
use storage::{Disk, RollPolicy};
use tokio::runtime::Handle;

use crate::clock::Clock;
use crate::config::Config;
use crate::load::{self, Loaded};
use crate::metrics::Metrics;
use crate::options;
use crate::pipeline::{Core, Gathering, LogEnd, Pipeline, Preparer, Purge};
use crate::serve::Server;
use crate::snapshots::{SnapshotPace, Snapshots};
use crate::write_path::WritePath;

/// Loads what the configuration points to, and sets up the threads of the write path. To be called
/// on the runtime whose threads will send the answers.
///
/// # Errors
/// When it cannot start.
pub(crate) fn assemble(
    config: Config,
    disk: Arc<dyn Disk>,
    clock: Clock,
    seed: u64,
) -> Result<(Arc<Server>, Purge)> {
    let Loaded {
        state,
        log,
        disk,
        layout,
        is_new,
    } = load::load(&config, disk, seed)?;
    let metrics = Arc::new(Metrics::start());
    let replica_options = options::replica(&config, seed);
    let replica = Arc::new(Replica::new(state, replica_options, clock.now()));
    let sequencer = Sequencer::new(Arc::clone(&replica), options::prep(&config), clock.now());
    let pace = SnapshotPace::new(seed);
    let snapshots = Snapshots::new(
        Arc::clone(&replica),
        SnapshotTarget::alone(
            Arc::clone(&disk),
            layout.clone(),
            options::snapshots(&config),
        ),
        Arc::clone(&pace),
        Arc::clone(&metrics),
    );
    if is_new {
        // Logs without a snapshot before them would be refused at the next start.
        snapshots.take_now()?;
    }
    // Not before: after a crash the operator's word must still be there.
    remove_initialize(disk.as_ref(), &layout)?;
    let purged = layout.clone();
    let purge = Purge::start(config.autopurge, move |keep| {
        // A standalone server has no learners that read its log.
        storage::purge::purge(disk.as_ref(), &purged, keep, &LogHolds::default())
    });
    let roll = RollPolicy::new(options::roll(&config), pace.random());
    let log = LogEnd {
        end: journal::LogEnd::new(log, Box::new(Preparer::start()?), roll),
        pace,
        metrics: Arc::clone(&metrics),
        fsync_warning: config.storage.fsync_warning_threshold,
        space_left: true,
    };
    let core = Core {
        sequencer,
        snapshots,
        clock,
        gathering: Gathering::new(),
    };
    let pipeline = Pipeline::new(Arc::clone(&replica), core, log, Handle::current());
    let sessionless_timeout = config.limits.sessionless_cnxn_timeout;
    let server = Server {
        pipeline: WritePath::Standalone(Box::new(pipeline)),
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
