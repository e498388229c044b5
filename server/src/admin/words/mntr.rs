//! `mntr`: `zk_` names with values, one per line.

use std::fmt::Write;

use super::answer::line;
use super::java_text::{java_double, round4};
use super::view::ServerView;

/// The value of a metric: whole numbers print plain, others as Java doubles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetricValue {
    /// A whole number.
    Int(i64),
    /// Anything else.
    Double(f64),
}

impl From<i64> for MetricValue {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for MetricValue {
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<f64> for MetricValue {
    fn from(value: f64) -> Self {
        Self::Double(value)
    }
}

/// Limits and use of one top-level name; only where a quota is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaGauges {
    /// The first element of the path.
    pub namespace: String,
    /// Nodes allowed.
    pub count_limit: i64,
    /// Bytes allowed.
    pub bytes_limit: i64,
    /// Nodes.
    pub count_usage: i64,
    /// Bytes.
    pub bytes_usage: i64,
}

/// What members of ensembles print besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberGauges {
    /// Role and phase: `following - broadcast`.
    pub peer_state: &'static str,
    /// Voters of the configuration in force.
    pub quorum_size: u64,
    /// Leaders only.
    pub leader: Option<LeaderGauges>,
    /// Leaders, and followers that serve observers.
    pub synced_observers: Option<u64>,
    /// Observers only: whom they get the history from.
    pub observer_master_id: Option<i64>,
}

/// What leaders print besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderGauges {
    /// Followers and observers that are connected.
    pub learners: u64,
    /// Followers that have the whole history, with and without a vote.
    pub synced_followers: u64,
    /// Those of them that have no vote.
    pub synced_non_voting_followers: u64,
    /// Syncs that wait for an answer.
    pub pending_syncs: u64,
    /// Milliseconds since it was established.
    pub uptime_ms: i64,
}

/// All that `mntr` prints.
#[derive(Debug, Clone, PartialEq)]
pub struct MntrView {
    /// What `srvr` shows too.
    pub server: ServerView,
    /// Members of ensembles only, and not in read-only mode.
    pub member: Option<MemberGauges>,
    /// Milliseconds since the start.
    pub uptime_ms: i64,
    /// Watches of all kinds.
    pub watch_count: u64,
    /// Ephemeral nodes.
    pub ephemerals_count: u64,
    /// Bytes of all paths and data.
    pub approximate_data_size: u64,
    /// Sessions that the whole ensemble knows.
    pub global_sessions: u64,
    /// Sessions that only this server knows.
    pub local_sessions: u64,
    /// `None` where the system does not tell.
    pub open_file_descriptor_count: Option<u64>,
    /// `None` where the system does not tell.
    pub max_file_descriptor_count: Option<u64>,
    /// 0 to 1, of the connection throttle.
    pub connection_drop_probability: f64,
    /// Bytes of replies: last, smallest, largest; -1 for none yet.
    pub client_response_sizes: [i64; 3],
    /// TLS handshakes in flight.
    pub outstanding_tls_handshake: u64,
    /// Failed authentications.
    pub auth_failed_count: u64,
    /// Connections from elsewhere without a client certificate.
    pub non_mtls_remote_conn_count: u64,
    /// Connections from this machine without a client certificate.
    pub non_mtls_local_conn_count: u64,
    /// Top-level names with quotas.
    pub quotas: Vec<QuotaGauges>,
    /// Counters and summaries, by name without `zk_`; see [`summary`].
    pub metrics: Vec<(String, MetricValue)>,
}

/// `mntr`
#[must_use]
pub fn mntr(view: &MntrView) -> String {
    let mut out = String::new();
    line!(out, "zk_version\t{}", view.server.version);
    line!(out, "zk_server_state\t{}", view.server.mode.as_str());
    if let Some(member) = &view.member {
        line!(out, "zk_peer_state\t{}", member.peer_state);
    }
    for (name, value) in gauges(view) {
        print(&mut out, name, value);
    }
    if let Some(member) = &view.member {
        for (name, value) in member_gauges(member, view.server.proposal_sizes) {
            print(&mut out, name, value);
        }
    }
    for quota in &view.quotas {
        for (name, value) in [
            ("quota_count_limit", quota.count_limit),
            ("quota_bytes_limit", quota.bytes_limit),
            ("quota_count_usage", quota.count_usage),
            ("quota_bytes_usage", quota.bytes_usage),
        ] {
            line!(out, "zk_{}_{name}_per_namespace\t{value}", quota.namespace);
        }
    }
    for (name, value) in &view.metrics {
        print(&mut out, name, *value);
    }
    out
}

fn print(out: &mut String, name: &str, value: MetricValue) {
    match value {
        MetricValue::Int(number) => line!(out, "zk_{name}\t{number}"),
        MetricValue::Double(number) => line!(out, "zk_{name}\t{}", java_double(number)),
    }
}

fn gauges(view: &MntrView) -> Vec<(&'static str, MetricValue)> {
    let server = &view.server;
    let [last_response, min_response, max_response] = view.client_response_sizes;
    let mut gauges: Vec<(&'static str, MetricValue)> = vec![
        ("avg_latency", round4(server.avg_latency).into()),
        ("min_latency", server.min_latency.into()),
        ("max_latency", server.max_latency.into()),
        ("packets_received", server.received.into()),
        ("packets_sent", server.sent.into()),
        ("num_alive_connections", server.connections.into()),
        ("outstanding_requests", server.outstanding.into()),
        ("uptime", view.uptime_ms.into()),
        ("znode_count", server.node_count.into()),
        ("watch_count", view.watch_count.into()),
        ("ephemerals_count", view.ephemerals_count.into()),
        ("approximate_data_size", view.approximate_data_size.into()),
        ("global_sessions", view.global_sessions.into()),
        ("local_sessions", view.local_sessions.into()),
        (
            "connection_drop_probability",
            view.connection_drop_probability.into(),
        ),
        ("last_client_response_size", last_response.into()),
        ("min_client_response_size", min_response.into()),
        ("max_client_response_size", max_response.into()),
        (
            "outstanding_tls_handshake",
            view.outstanding_tls_handshake.into(),
        ),
        ("auth_failed_count", view.auth_failed_count.into()),
        (
            "non_mtls_remote_conn_count",
            view.non_mtls_remote_conn_count.into(),
        ),
        (
            "non_mtls_local_conn_count",
            view.non_mtls_local_conn_count.into(),
        ),
    ];
    for (name, value) in [
        (
            "open_file_descriptor_count",
            view.open_file_descriptor_count,
        ),
        ("max_file_descriptor_count", view.max_file_descriptor_count),
    ] {
        gauges.extend(value.map(|value| (name, value.into())));
    }
    gauges
}

fn member_gauges(
    member: &MemberGauges,
    proposal_sizes: Option<[i64; 3]>,
) -> Vec<(&'static str, MetricValue)> {
    let mut gauges: Vec<(&'static str, MetricValue)> =
        vec![("quorum_size", member.quorum_size.into())];
    if let Some(leader) = &member.leader {
        gauges.extend([
            ("learners", leader.learners.into()),
            ("synced_followers", leader.synced_followers.into()),
            (
                "synced_non_voting_followers",
                leader.synced_non_voting_followers.into(),
            ),
            ("pending_syncs", leader.pending_syncs.into()),
            ("leader_uptime", leader.uptime_ms.into()),
        ]);
    }
    if let Some([last, min, max]) = proposal_sizes {
        gauges.extend([
            ("last_proposal_size", last.into()),
            ("min_proposal_size", min.into()),
            ("max_proposal_size", max.into()),
        ]);
    }
    let synced_observers = member.synced_observers.map(MetricValue::from);
    gauges.extend(synced_observers.map(|value| ("synced_observers", value)));
    let master = member.observer_master_id.map(MetricValue::from);
    gauges.extend(master.map(|value| ("observer_master_id", value)));
    gauges
}

/// The five lines of a summary, as [`MntrView::metrics`] takes them. `key` is the label of a
/// summary set, such as a server id or the first element of a path.
#[must_use]
pub fn summary(
    name: &str,
    key: Option<&str>,
    average: f64,
    [min, max, count, sum]: [i64; 4],
) -> [(String, MetricValue); 5] {
    let full = |part: &str| match key {
        Some(key) => format!("{part}_{key}_{name}"),
        None => format!("{part}_{name}"),
    };
    [
        (full("avg"), MetricValue::Double(round4(average))),
        (full("min"), MetricValue::Int(min)),
        (full("max"), MetricValue::Int(max)),
        (full("cnt"), MetricValue::Int(count)),
        (full("sum"), MetricValue::Int(sum)),
    ]
}
