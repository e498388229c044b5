//! The answers, one function per word, except `mntr` (see [`super::mntr`]).

use std::fmt::{Display, Write};
use std::net::SocketAddr;

use super::java_text::{java_date, java_double, round4};
use super::view::{
    ConfView, ConnView, DigestView, DumpView, EnviView, ExpiryBucket, MemberConfView, Mode,
    ServerView, SessionsView,
};

pub use super::watches::{wchc, wchp, wchs};

/// `ruok`
pub const RUOK: &str = "imok";

/// `crst`
pub const CRST: &str = "Connection stats reset.\n";

/// `srst`
pub const SRST: &str = "Server stats reset.\n";

/// Bytes of the megabytes that `envi` counts in.
const MEGABYTE: u64 = 1024 * 1024;

/// Appends a line. Writing to a `String` cannot fail.
macro_rules! line {
    ($out:expr, $($arg:tt)*) => {{
        let _infallible = writeln!($out, $($arg)*);
    }};
}
pub(super) use line;

/// `isro`; `None` while the server does not serve.
#[must_use]
pub const fn isro(mode: Option<Mode>) -> &'static str {
    match mode {
        None => "null",
        Some(Mode::ReadOnly) => "ro",
        Some(_) => "rw",
    }
}

/// `gtmk`, and `stmk` after it has set the mask.
#[must_use]
pub fn trace_mask(mask: i64) -> String {
    mask.to_string()
}

/// `srvr`
#[must_use]
pub fn srvr(server: &ServerView) -> String {
    let mut out = head(server);
    statistics(&mut out, server);
    out
}

/// `stat`
#[must_use]
pub fn stat(server: &ServerView, connections: &[ConnView]) -> String {
    let mut out = head(server);
    line!(out, "Clients:");
    for connection in connections {
        line!(out, "{})", connection_counts(connection));
    }
    line!(out, "");
    statistics(&mut out, server);
    out
}

fn head(server: &ServerView) -> String {
    let mut out = format!("Zookeeper version: {}\n", server.version);
    if server.mode == Mode::ReadOnly {
        line!(out, "READ-ONLY mode; serving only read-only clients");
    }
    out
}

fn statistics(out: &mut String, server: &ServerView) {
    let average = java_double(round4(server.avg_latency));
    line!(
        out,
        "Latency min/avg/max: {}/{average}/{}",
        server.min_latency,
        server.max_latency
    );
    line!(out, "Received: {}", server.received);
    line!(out, "Sent: {}", server.sent);
    line!(out, "Connections: {}", server.connections);
    line!(out, "Outstanding: {}", server.outstanding);
    line!(out, "Zxid: 0x{:x}", server.zxid);
    line!(out, "Mode: {}", server.mode.as_str());
    line!(out, "Node count: {}", server.node_count);
    if let Some([last, min, max]) = server.proposal_sizes {
        line!(out, "Proposal sizes last/min/max: {last}/{min}/{max}");
    }
}

/// `cons`
#[must_use]
pub fn cons(connections: &[ConnView]) -> String {
    let mut out = String::new();
    for connection in connections {
        out.push_str(&connection_counts(connection));
        if let Some(session) = &connection.session {
            out.push_str(&format!(
                ",sid=0x{:x},lop={},est={},to={}",
                session.id, session.last_operation, session.established_ms, session.timeout_ms
            ));
            if session.last_cxid >= 0 {
                out.push_str(&format!(",lcxid=0x{:x}", session.last_cxid));
            }
            out.push_str(&format!(
                ",lzxid=0x{:x},lresp={},llat={},minlat={},avglat={},maxlat={}",
                session.last_zxid,
                session.last_response_time,
                session.last_latency,
                session.min_latency,
                session.avg_latency,
                session.max_latency
            ));
        }
        out.push_str(")\n");
    }
    out.push('\n');
    out
}

/// The part that `stat` and `cons` share, without the closing parenthesis.
fn connection_counts(connection: &ConnView) -> String {
    format!(
        " {}[{:x}](queued={},recved={},sent={}",
        java_address(connection.peer),
        connection.interest_ops,
        connection.queued,
        connection.received,
        connection.sent
    )
}

/// An address that was never resolved, as Java prints it.
#[must_use]
pub fn java_address(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) => format!("/{v4}"),
        SocketAddr::V6(v6) => {
            let groups = v6.ip().segments().map(|group| format!("{group:x}"));
            format!("/[{}]:{}", groups.join(":"), v6.port())
        }
    }
}

/// `conf`
#[must_use]
pub fn conf(view: &ConfView) -> String {
    let mut out = String::new();
    let values: [(&str, &dyn Display); 12] = [
        ("clientPort", &view.client_port),
        ("secureClientPort", &view.secure_client_port),
        ("dataDir", &view.data_dir),
        ("dataDirSize", &view.data_dir_size),
        ("dataLogDir", &view.data_log_dir),
        ("dataLogSize", &view.data_log_size),
        ("tickTime", &view.tick_time),
        ("maxClientCnxns", &view.max_client_cnxns),
        ("minSessionTimeout", &view.min_session_timeout),
        ("maxSessionTimeout", &view.max_session_timeout),
        ("clientPortListenBacklog", &view.client_port_listen_backlog),
        ("serverId", &view.server_id),
    ];
    for (key, value) in values {
        line!(out, "{key}={value}");
    }
    if let Some(member) = &view.member {
        conf_of_member(&mut out, member);
    }
    out
}

/// The last line does not end, as in Apache.
fn conf_of_member(out: &mut String, member: &MemberConfView) {
    let ports = |ports: &[u16]| {
        let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
        ports.join("|")
    };
    line!(out, "initLimit={}", member.init_limit);
    line!(out, "syncLimit={}", member.sync_limit);
    line!(out, "electionAlg=3");
    line!(out, "electionPort={}", ports(&member.election_ports));
    line!(out, "quorumPort={}", ports(&member.quorum_ports));
    line!(out, "peerType={}", u8::from(member.is_observer));
    line!(out, "membership: ");
    out.push_str(&member.membership);
}

/// `dirs`; sizes in bytes.
#[must_use]
pub fn dirs(data_dir_size: u64, log_dir_size: u64) -> String {
    format!("datadir_size: {data_dir_size}\nlogdir_size: {log_dir_size}\n")
}

/// `hash`
#[must_use]
pub fn hash(digests: &[DigestView]) -> String {
    let mut out = String::new();
    for entry in digests {
        line!(out, "{:x}: {}", entry.zxid, entry.digest);
    }
    out
}

/// `dump`
#[must_use]
pub fn dump(view: &DumpView) -> String {
    let mut out = String::from("SessionTracker dump:\n");
    match &view.sessions {
        SessionsView::Tracked(sessions) => {
            out.push_str("Session ");
            buckets(&mut out, sessions, |id| format!("0x{id:x}"));
        }
        SessionsView::Known(sessions) => {
            line!(out, "Global Sessions({}):", sessions.len());
            for (id, timeout_ms) in sessions {
                line!(out, "0x{id:x}\t{timeout_ms}ms");
            }
        }
    }
    line!(out, "ephemeral nodes dump:");
    line!(out, "Sessions with Ephemerals ({}):", view.ephemerals.len());
    for (owner, paths) in &view.ephemerals {
        line!(out, "0x{owner:x}:");
        for path in paths {
            line!(out, "\t{path}");
        }
    }
    out.push_str("Connections dump:\nConnections ");
    buckets(&mut out, &view.connections, |(peer, id)| {
        format!("ip: {} sessionId: 0x{id:x}", java_address(*peer))
    });
    out
}

fn buckets<T>(out: &mut String, buckets: &[ExpiryBucket<T>], show: impl Fn(&T) -> String) {
    let members: usize = buckets.iter().map(|bucket| bucket.members.len()).sum();
    line!(out, "Sets ({})/({members}):", buckets.len());
    for bucket in buckets {
        line!(
            out,
            "{} expire at {}:",
            bucket.members.len(),
            java_date(bucket.expires_ms)
        );
        for member in &bucket.members {
            line!(out, "\t{}", show(member));
        }
    }
}

/// `envi`; what only a JVM has is `<NA>`, Java's own word for it.
#[must_use]
pub fn envi(version: &str, view: &EnviView) -> String {
    let megabytes = |bytes: u64| format!("{}MB", bytes / MEGABYTE);
    let values: [(&str, &str); 18] = [
        ("zookeeper.version", version),
        ("host.name", &view.host_name),
        ("java.version", "<NA>"),
        ("java.vendor", "<NA>"),
        ("java.home", &view.program_dir),
        ("java.class.path", "<NA>"),
        ("java.library.path", "<NA>"),
        ("java.io.tmpdir", &view.temp_dir),
        ("java.compiler", "<NA>"),
        ("os.name", "Linux"),
        ("os.arch", &view.os_arch),
        ("os.version", &view.os_version),
        ("user.name", &view.user_name),
        ("user.home", &view.user_home),
        ("user.dir", &view.working_dir),
        ("os.memory.free", &megabytes(view.memory_free)),
        ("os.memory.max", &megabytes(view.memory_max)),
        ("os.memory.total", &megabytes(view.memory_total)),
    ];
    let mut out = String::from("Environment:\n");
    for (key, value) in values {
        line!(out, "{key}={value}");
    }
    out
}
