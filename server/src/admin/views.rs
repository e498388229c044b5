//! Takes from a running server what the four-letter words show.

use std::collections::BTreeMap;
use std::env;
use std::sync::atomic::Ordering::Relaxed;

use jute::OpCode;
use replica::{Connection, Service};
use state::State;
use zab::{Overview, RoleStatus, Time};

use super::words::mntr::{self, LeaderGauges, MemberGauges, MntrView};
use super::words::view::{
    ConfView, ConnSession, ConnView, DigestView, DumpView, EnviView, ExpiryBucket, MemberConfView,
    Mode, ServerView, SessionsView, WatchView,
};
use crate::ensemble::Sight;
use crate::load::dir_size;
use crate::metrics::Summary;
use crate::serve::Server;
use crate::write_path::WritePath;

/// One server as of one moment.
pub(super) struct Views<'a> {
    server: &'a Server,
    mode: Option<Mode>,
    /// Of a member of an ensemble, unless it serves in read-only mode: then it is a server by
    /// itself.
    overview: Option<Overview>,
    local_sessions: usize,
}

impl<'a> Views<'a> {
    pub(super) fn of(server: &'a Server) -> Self {
        let WritePath::Ensemble(engine) = &server.pipeline else {
            let mode = Some(Mode::Standalone);
            return Self {
                server,
                mode,
                overview: None,
                local_sessions: 0,
            };
        };
        let Sight {
            overview,
            local_sessions,
        } = engine.sight();
        let mode = match (server.replica.service(), overview.status) {
            (Service::ReadOnly, _) => Some(Mode::ReadOnly),
            // `leaderServes=no`
            (Service::Closed, RoleStatus::Leading { .. }) => None,
            (_, RoleStatus::Leading { .. }) => Some(Mode::Leader),
            (_, RoleStatus::Following { .. }) => Some(Mode::Follower),
            (_, RoleStatus::Observing { .. }) => Some(Mode::Observer),
            _ => None,
        };
        Self {
            server,
            mode,
            overview: Some(overview).filter(|_| mode != Some(Mode::ReadOnly)),
            local_sessions,
        }
    }

    /// What the server is at the moment; `None` for a member that serves nobody.
    pub(super) fn mode(&self) -> Option<Mode> {
        self.mode
    }

    pub(super) fn server(&self) -> ServerView {
        let replica = &self.server.replica;
        let stats = replica.stats();
        let latency = *stats.latency.lock();
        let (zxid, node_count) = {
            let state = replica.read();
            // Apache counts the root under both of its names.
            (replica.position_of(&state).0, state.tree().len() as u64 + 1)
        };
        ServerView {
            min_latency: (latency.min_us / 1000) as i64,
            avg_latency: latency.mean_ms(),
            max_latency: (latency.max_us / 1000) as i64,
            received: stats.received.load(Relaxed),
            sent: stats.sent.load(Relaxed),
            connections: replica.connections().len() as u64,
            outstanding: stats.outstanding.load(Relaxed).max(0) as u64,
            zxid,
            mode: self.mode.unwrap_or(Mode::Standalone),
            node_count,
            proposal_sizes: (self.mode == Some(Mode::Leader))
                .then(|| stats.proposals.lock().last_min_max()),
            ..ServerView::default()
        }
    }

    pub(super) fn connections(&self) -> Vec<ConnView> {
        let connections = self.server.replica.connections().all();
        connections
            .iter()
            .map(|connection| view_of(connection))
            .collect()
    }

    pub(super) fn conf(&self) -> ConfView {
        let config = &self.server.config;
        let (data_dir_size, data_log_size) = self.dir_sizes();
        ConfView {
            client_port: self.server.client_port.load(Relaxed),
            secure_client_port: -1,
            data_dir: config.data_dir.join("version-2").display().to_string(),
            data_dir_size,
            data_log_dir: config.data_log_dir.join("version-2").display().to_string(),
            data_log_size,
            tick_time: config.tick_time_ms,
            max_client_cnxns: config.max_client_cnxns,
            min_session_timeout: config.min_session_timeout_ms,
            max_session_timeout: config.max_session_timeout_ms,
            client_port_listen_backlog: config.listen_backlog.map_or(-1, |backlog| backlog as i32),
            server_id: config.ensemble.as_ref().map_or(0, |ensemble| ensemble.me.0),
            member: self.conf_of_member(),
        }
    }

    fn conf_of_member(&self) -> Option<MemberConfView> {
        let settings = self.server.config.ensemble.as_ref()?;
        let config = &self.overview.as_ref()?.config;
        let line = config.members.get(&settings.me);
        let addresses = line.map_or(&[][..], |line| &line.addresses);
        Some(MemberConfView {
            init_limit: settings.limits.init,
            sync_limit: settings.limits.sync,
            election_ports: addresses.iter().map(|to| to.election_port).collect(),
            quorum_ports: addresses.iter().map(|to| to.quorum_port).collect(),
            is_observer: self.mode == Some(Mode::Observer),
            membership: config.to_string(),
        })
    }

    pub(super) fn dir_sizes(&self) -> (u64, u64) {
        let layout = &self.server.layout;
        (dir_size(layout.snap_dir()), dir_size(layout.log_dir()))
    }

    pub(super) fn dump(&self) -> DumpView {
        let now = self.server.clock.now();
        let wall_of =
            |monotonic_ms: u64| now.wall_ms + monotonic_ms as i64 - now.monotonic_ms() as i64;
        let sessions = match self.mode {
            Some(Mode::Follower | Mode::Observer) => {
                SessionsView::Known(self.server.replica.read().sessions().iter().collect())
            }
            _ => {
                let by_expiry = self.server.replica.sessions().lock().by_expiry();
                let buckets = by_expiry
                    .into_iter()
                    .map(|(expires_ms, members)| ExpiryBucket {
                        expires_ms: wall_of(expires_ms),
                        members,
                    });
                SessionsView::Tracked(buckets.collect())
            }
        };
        let mut connections: BTreeMap<u64, Vec<_>> = BTreeMap::new();
        for connection in self.server.replica.connections().all() {
            let timeout_ms = connection.timeout_ms().max(0) as u64;
            let expires_ms = connection.last_heard_us() / 1000 + timeout_ms;
            let interval = self.server.sessionless_timeout_ms.max(1);
            connections
                .entry((expires_ms / interval + 1) * interval)
                .or_default()
                .push((connection.peer(), connection.session()));
        }
        let connections = connections
            .into_iter()
            .map(|(expires_ms, members)| ExpiryBucket {
                expires_ms: wall_of(expires_ms),
                members,
            });
        DumpView {
            sessions,
            ephemerals: ephemerals(&self.server.replica.read()),
            connections: connections.collect(),
        }
    }

    pub(super) fn digests(&self) -> Vec<DigestView> {
        let digests = self.server.replica.digests();
        let view = |(zxid, digest): (jute::Zxid, u64)| DigestView {
            zxid: zxid.0,
            digest: digest as i64,
        };
        digests.into_iter().map(view).collect()
    }

    pub(super) fn watches(&self) -> WatchView {
        let connections = self.server.replica.connections();
        let state = self.server.replica.read();
        let watches = state.watches();
        let by_session = watches
            .by_watcher()
            .into_iter()
            .filter_map(|(watcher, paths)| {
                let session = connections.get(watcher)?.session();
                Some((session, paths.into_iter().map(str::to_owned).collect()))
            });
        WatchView {
            by_session: by_session.collect(),
        }
    }

    pub(super) fn environment(&self) -> EnviView {
        let variable = |name: &str| env::var(name).unwrap_or_else(|_| "<NA>".to_owned());
        let uname = rustix::system::uname();
        let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        let path = |path: std::io::Result<std::path::PathBuf>| {
            path.map_or_else(|_| "<NA>".to_owned(), |path| path.display().to_string())
        };
        let (total, resident) = memory();
        EnviView {
            host_name: text(uname.nodename()),
            temp_dir: env::temp_dir().display().to_string(),
            program_dir: path(env::current_exe()),
            os_arch: text(uname.machine()),
            os_version: text(uname.release()),
            user_name: variable("USER"),
            user_home: variable("HOME"),
            working_dir: path(env::current_dir()),
            memory_free: total.saturating_sub(resident),
            memory_max: total,
            memory_total: resident,
        }
    }

    fn member(&self, overview: &Overview) -> MemberGauges {
        let learners = overview.learners;
        let now_ms = self.server.clock.now().monotonic_ms();
        let uptime_ms = overview
            .leading_since
            .map(|Time(since)| now_ms.saturating_sub(since) as i64);
        let leader = uptime_ms.zip(learners);
        let observes = self.mode == Some(Mode::Observer);
        MemberGauges {
            peer_state: peer_state(self.mode),
            quorum_size: overview.config.voters().count() as u64,
            leader: leader.map(|(uptime_ms, learners)| LeaderGauges {
                learners: learners.connected as u64,
                synced_followers: learners.synced_followers as u64,
                synced_non_voting_followers: learners.synced_non_voting_followers as u64,
                pending_syncs: learners.pending_syncs as u64,
                uptime_ms,
            }),
            synced_observers: learners.map(|learners| learners.synced_observers as u64),
            observer_master_id: overview.master.filter(|_| observes).map(|id| id.0),
        }
    }

    pub(super) fn monitor(&self) -> MntrView {
        let server = self.server;
        let replica = &server.replica;
        let stats = replica.stats();
        let state = replica.read();
        let watch_count = state.watches().count() as u64;
        let mut metrics = Vec::new();
        metrics.extend(summary("fsynctime", server.metrics.sync()));
        metrics.extend(summary("snapshottime", server.metrics.snapshot()));
        let mismatches = state.digest_check().mismatches();
        for (name, value) in [
            (
                "connection_rejected",
                stats.connections_rejected.load(Relaxed),
            ),
            ("digest_mismatches_count", mismatches),
            (
                "stale_sessions_expired",
                stats.sessions_expired.load(Relaxed),
            ),
            ("request_commit_queued", stats.commits.load(Relaxed)),
        ] {
            metrics.push((name.to_owned(), mntr::MetricValue::Int(value as i64)));
        }
        let (sessions, ephemerals) = (state.sessions().len(), state.ephemeral_count());
        let approximate_data_size = state.tree().approximate_data_size();
        drop(state);
        MntrView {
            server: self.server(),
            member: self.overview.as_ref().map(|overview| self.member(overview)),
            uptime_ms: server.metrics.uptime().as_millis() as i64,
            watch_count,
            ephemerals_count: ephemerals as u64,
            approximate_data_size,
            global_sessions: sessions as u64,
            local_sessions: self.local_sessions as u64,
            open_file_descriptor_count: open_files(),
            max_file_descriptor_count: rustix::process::getrlimit(
                rustix::process::Resource::Nofile,
            )
            .current,
            connection_drop_probability: replica.connection_drop_probability(),
            client_response_sizes: [-1; 3],
            outstanding_tls_handshake: 0,
            auth_failed_count: stats.auth_failed.load(Relaxed),
            non_mtls_remote_conn_count: 0,
            non_mtls_local_conn_count: 0,
            quotas: Vec::new(),
            metrics,
        }
    }
}

/// A learner that serves is done with discovery and synchronisation, and so is a leader.
fn peer_state(mode: Option<Mode>) -> &'static str {
    match mode {
        Some(Mode::Leader) => "leading - broadcast",
        Some(Mode::Follower) => "following - broadcast",
        Some(Mode::Observer) => "observing - broadcast",
        Some(Mode::Standalone | Mode::ReadOnly) | None => "looking",
    }
}

fn summary(name: &str, summary: Summary) -> [(String, mntr::MetricValue); 5] {
    let mean = summary.sum_ms / summary.count.max(1) as f64;
    let integers = [
        summary.min_ms as i64,
        summary.max_ms as i64,
        summary.count as i64,
        summary.sum_ms as i64,
    ];
    mntr::summary(name, None, mean, integers)
}

fn ephemerals(state: &State) -> Vec<(i64, Vec<String>)> {
    state
        .sessions_with_ephemerals()
        .map(|session| {
            let paths = state.ephemerals_of(session).map(|id| state.tree().path(id));
            (session, paths.collect())
        })
        .collect()
}

fn view_of(connection: &Connection) -> ConnView {
    let outbox = connection.outbox();
    let (activity, ending) = (*outbox.activity(), outbox.ending());
    drop(outbox);
    let session = (connection.session() != 0).then(|| ConnSession {
        id: connection.session(),
        last_operation: activity.last_op.map_or("NA", operation),
        established_ms: connection.established_wall_ms(),
        timeout_ms: connection.timeout_ms(),
        last_cxid: activity.last_xid.map_or(-1, i64::from),
        last_zxid: activity.last_zxid,
        last_response_time: (activity.last_answer_us / 1000) as i64,
        last_latency: (activity.last_latency_us / 1000) as i64,
        min_latency: (activity.latency.min_us / 1000) as i64,
        avg_latency: activity.latency.mean_ms() as i64,
        max_latency: (activity.latency.max_us / 1000) as i64,
    });
    ConnView {
        peer: connection.peer(),
        interest_ops: u32::from(ending.is_none() && session.is_some()),
        queued: u64::from(connection.in_flight()),
        received: connection.received(),
        sent: activity.packets,
        session,
    }
}

/// Apache's short names.
fn operation(op: OpCode) -> &'static str {
    match op {
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => "CREA",
        OpCode::Delete | OpCode::DeleteContainer => "DELE",
        OpCode::Exists => "EXIS",
        OpCode::GetData => "GETD",
        OpCode::SetData => "SETD",
        OpCode::GetAcl => "GETA",
        OpCode::SetAcl => "SETA",
        OpCode::GetChildren | OpCode::GetChildren2 => "GETC",
        OpCode::GetAllChildrenNumber => "GETACN",
        OpCode::GetEphemerals => "GETE",
        OpCode::Sync => "SYNC",
        OpCode::Ping => "PING",
        OpCode::Check => "CHEC",
        OpCode::Multi => "MULT",
        OpCode::MultiRead => "MLTR",
        OpCode::Reconfig => "RECO",
        OpCode::CheckWatches => "CHKW",
        OpCode::RemoveWatches => "REMW",
        OpCode::SetWatches => "SETW",
        OpCode::SetWatches2 => "STW2",
        OpCode::AddWatch => "ADDW",
        OpCode::WhoAmI => "HOMI",
        OpCode::CreateSession => "SESS",
        OpCode::CloseSession => "CLOS",
        OpCode::Auth | OpCode::Sasl | OpCode::Notification | OpCode::Error => "NA",
    }
}

/// Descriptors of this process.
fn open_files() -> Option<u64> {
    let entries = std::fs::read_dir("/proc/self/fd").ok()?;
    Some(entries.count() as u64)
}

/// Bytes of memory of the machine, and those of this process.
fn memory() -> (u64, u64) {
    let kib = |file: &str, key: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    let total = kib("/proc/meminfo", "MemTotal:").unwrap_or(0);
    let resident = kib("/proc/self/status", "VmRSS:").unwrap_or(0);
    (total * 1024, resident * 1024)
}
