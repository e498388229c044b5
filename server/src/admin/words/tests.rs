//! Answers compared with what Apache ZooKeeper 3.9.5 prints.

use super::mntr::{LeaderGauges, MemberGauges, MetricValue, MntrView, QuotaGauges, mntr, summary};
use super::view::{
    ConfView, ConnSession, ConnView, DigestView, DumpView, EnviView, ExpiryBucket, MemberConfView,
    Mode, ServerView, SessionsView, WatchView,
};
use super::{FirstBytes, VERSION, Whitelist, Word, answer, not_whitelisted};

fn server() -> ServerView {
    ServerView {
        version: "3.9.5-293c895a8d966a3ecb92872be4a1daf87d725da2, built on 2026-02-11 20:15 UTC",
        min_latency: 0,
        avg_latency: 94.0 / 34.0,
        max_latency: 11,
        received: 37,
        sent: 39,
        connections: 2,
        outstanding: 0,
        zxid: 0x1_0000_0032,
        mode: Mode::Leader,
        node_count: 9,
        proposal_sizes: Some([67, 36, 102]),
    }
}

fn connection(port: u16, received: u64, sent: u64, session: Option<ConnSession>) -> ConnView {
    let interest_ops = u32::from(sent > 0);
    ConnView {
        peer: ([127, 0, 0, 1], port).into(),
        interest_ops,
        queued: 0,
        received,
        sent,
        session,
    }
}

const STATISTICS: &str = "Latency min/avg/max: 0/2.7647/11\nReceived: 37\nSent: 39\nConnections: 2\n\
    Outstanding: 0\nZxid: 0x100000032\nMode: leader\nNode count: 9\nProposal sizes last/min/max: 67/36/102\n";

const FIRST_LINE: &str = "Zookeeper version: 3.9.5-293c895a8d966a3ecb92872be4a1daf87d725da2, built on 2026-02-11 20:15 UTC\n";

#[test]
fn srvr_and_stat() {
    assert_eq!(answer::srvr(&server()), format!("{FIRST_LINE}{STATISTICS}"));
    let clients = " /127.0.0.1:39848[1](queued=0,recved=34,sent=37)\n /127.0.0.1:52050[0](queued=0,recved=1,sent=0)\n\n";
    assert_eq!(
        answer::stat(
            &server(),
            &[
                connection(39848, 34, 37, None),
                connection(52050, 1, 0, None)
            ]
        ),
        format!("{FIRST_LINE}Clients:\n{clients}{STATISTICS}")
    );
}

#[test]
fn modes() {
    for (mode, line) in [
        (Mode::Standalone, "Mode: standalone\n"),
        (Mode::Follower, "Mode: follower\n"),
        (Mode::Observer, "Mode: observer\n"),
        (Mode::ReadOnly, "Mode: read-only\n"),
    ] {
        let text = answer::srvr(&ServerView {
            mode,
            ..ServerView::default()
        });
        assert!(
            text.contains(line) && text.starts_with(&format!("Zookeeper version: {VERSION}\n"))
        );
        let read_only =
            text.lines().nth(1) == Some("READ-ONLY mode; serving only read-only clients");
        assert_eq!(read_only, mode == Mode::ReadOnly);
        assert!(text.contains("Latency min/avg/max: 0/0.0/0\n"));
    }
    assert!(VERSION.starts_with("3.9.5-") && VERSION.contains(", built on 20"));
}

#[test]
fn cons() {
    let session = ConnSession {
        id: 0x0100_001b_ba9c_0000,
        last_operation: "PING",
        established_ms: 1_795_437_092_413,
        timeout_ms: 10_000,
        last_cxid: 0x1f,
        last_zxid: 0x19,
        last_response_time: 1_869_020,
        last_latency: 0,
        min_latency: 0,
        avg_latency: 4,
        max_latency: 23,
    };
    let fresh = ConnSession {
        last_cxid: -1,
        last_zxid: -1,
        ..session.clone()
    };
    let text = answer::cons(&[
        connection(55064, 33, 34, Some(session)),
        connection(55090, 1, 0, None),
    ]);
    assert_eq!(
        text,
        " /127.0.0.1:55064[1](queued=0,recved=33,sent=34,sid=0x100001bba9c0000,lop=PING,est=1795437092413,\
        to=10000,lcxid=0x1f,lzxid=0x19,lresp=1869020,llat=0,minlat=0,avglat=4,maxlat=23)\n \
        /127.0.0.1:55090[0](queued=0,recved=1,sent=0)\n\n"
    );
    let text = answer::cons(&[connection(1, 1, 1, Some(fresh))]);
    assert!(
        text.contains(",to=10000,lzxid=0xffffffffffffffff,lresp="),
        "{text}"
    );
    let v6 = answer::java_address("[::1]:2181".parse().expect("address"));
    assert_eq!(v6, "/[0:0:0:0:0:0:0:1]:2181");
}

#[test]
fn conf() {
    let mut view = ConfView {
        client_port: 2181,
        secure_client_port: -1,
        data_dir: "/data/zk/version-2".to_owned(),
        data_dir_size: 67_109_538,
        data_log_dir: "/data/zk/version-2".to_owned(),
        data_log_size: 67_109_538,
        tick_time: 2000,
        max_client_cnxns: 60,
        min_session_timeout: 4000,
        max_session_timeout: 40_000,
        client_port_listen_backlog: -1,
        server_id: 0,
        member: None,
    };
    let standalone = answer::conf(&view);
    assert_eq!(
        standalone,
        "clientPort=2181\nsecureClientPort=-1\ndataDir=/data/zk/version-2\ndataDirSize=67109538\n\
        dataLogDir=/data/zk/version-2\ndataLogSize=67109538\ntickTime=2000\nmaxClientCnxns=60\n\
        minSessionTimeout=4000\nmaxSessionTimeout=40000\nclientPortListenBacklog=-1\nserverId=0\n"
    );
    let membership = "server.1=10.0.0.1:2888:3888:participant\nserver.4=10.0.0.4:2888:3888:observer\n\
        version=100000000";
    view.member = Some(MemberConfView {
        init_limit: 10,
        sync_limit: 5,
        election_ports: vec![3888],
        quorum_ports: vec![2888, 2889],
        is_observer: false,
        membership: membership.to_owned(),
    });
    assert_eq!(
        answer::conf(&view),
        format!(
            "{standalone}initLimit=10\nsyncLimit=5\nelectionAlg=3\nelectionPort=3888\n\
            quorumPort=2888|2889\npeerType=0\nmembership: \n{membership}"
        )
    );
}

#[test]
fn dump() {
    let session = 0x0100_001b_ba9c_0000;
    let bucket = |expires_ms, members: &[i64]| ExpiryBucket {
        expires_ms,
        members: members.to_vec(),
    };
    let view = DumpView {
        sessions: SessionsView::Tracked(vec![
            bucket(1_795_437_102_000, &[]),
            bucket(1_795_437_106_000, &[session]),
        ]),
        ephemerals: vec![(session, vec!["/app/e-0000000001".to_owned()])],
        connections: vec![ExpiryBucket {
            expires_ms: 1_795_437_106_000,
            members: vec![(([127, 0, 0, 1], 55064).into(), session)],
        }],
    };
    assert_eq!(
        answer::dump(&view),
        "SessionTracker dump:\nSession Sets (2)/(1):\n0 expire at Mon Nov 23 12:31:42 UTC 2026:\n\
        1 expire at Mon Nov 23 12:31:46 UTC 2026:\n\t0x100001bba9c0000\nephemeral nodes dump:\n\
        Sessions with Ephemerals (1):\n0x100001bba9c0000:\n\t/app/e-0000000001\nConnections dump:\n\
        Connections Sets (1)/(1):\n1 expire at Mon Nov 23 12:31:46 UTC 2026:\n\
        \tip: /127.0.0.1:55064 sessionId: 0x100001bba9c0000\n"
    );
    let view = DumpView {
        sessions: SessionsView::Known(vec![(session, 10_000), (session + 1, 4000)]),
        ..view
    };
    let text = answer::dump(&view);
    let first = "SessionTracker dump:\nGlobal Sessions(2):\n0x100001bba9c0000\t10000ms\n\
        0x100001bba9c0001\t4000ms\nephemeral nodes dump:\n";
    assert!(text.starts_with(first), "{text}");
}

#[test]
fn watches() {
    let paths = |list: &[&str]| list.iter().map(|path| (*path).to_owned()).collect();
    let view = WatchView {
        by_session: vec![(0x10, paths(&["/a", "/b"])), (0x11, paths(&["/a"]))],
    };
    assert_eq!(
        answer::wchs(&view),
        "2 connections watching 2 paths\nTotal watches:3\n"
    );
    assert_eq!(answer::wchc(&view), "0x10\n\t/a\n\t/b\n0x11\n\t/a\n\n");
    assert_eq!(answer::wchp(&view), "/a\n\t0x10\n\t0x11\n/b\n\t0x10\n\n");
    assert_eq!(
        answer::wchs(&WatchView::default()),
        "0 connections watching 0 paths\nTotal watches:0\n"
    );
    assert_eq!(answer::wchc(&WatchView::default()), "\n");
}

#[test]
fn short_answers() {
    assert_eq!(answer::dirs(1, 2), "datadir_size: 1\nlogdir_size: 2\n");
    assert_eq!(
        answer::hash(&[DigestView {
            zxid: 0x80,
            digest: 12
        }]),
        "80: 12\n"
    );
    assert_eq!(answer::hash(&[]), "");
    assert_eq!(answer::trace_mask(super::DEFAULT_TRACE_MASK), "306");
    for (mode, text) in [
        (None, "null"),
        (Some(Mode::ReadOnly), "ro"),
        (Some(Mode::Standalone), "rw"),
    ] {
        assert_eq!(answer::isro(mode), text);
    }
    assert_eq!(
        not_whitelisted(Word::Mntr),
        "mntr is not executed because it is not in the whitelist.\n"
    );
}

#[test]
fn envi() {
    let view = EnviView {
        host_name: "h".to_owned(),
        memory_free: 183 << 20,
        ..EnviView::default()
    };
    let text = answer::envi("V", &view);
    let keys: Vec<&str> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split('=').next())
        .collect();
    assert_eq!(
        keys.join(" "),
        "zookeeper.version host.name java.version java.vendor java.home java.class.path java.library.path \
        java.io.tmpdir java.compiler os.name os.arch os.version user.name user.home user.dir os.memory.free \
        os.memory.max os.memory.total"
    );
    assert!(text.starts_with("Environment:\nzookeeper.version=V\nhost.name=h\n"));
    assert!(text.contains("\nos.memory.free=183MB\n"));
}

fn mntr_view() -> MntrView {
    MntrView {
        server: ServerView {
            mode: Mode::Standalone,
            ..server()
        },
        member: None,
        uptime_ms: 5,
        watch_count: 6,
        ephemerals_count: 2,
        approximate_data_size: 7,
        global_sessions: 1,
        local_sessions: 0,
        open_file_descriptor_count: Some(8),
        max_file_descriptor_count: None,
        connection_drop_probability: 0.0,
        client_response_sizes: [-1, -1, -1],
        outstanding_tls_handshake: 0,
        auth_failed_count: 0,
        non_mtls_remote_conn_count: 0,
        non_mtls_local_conn_count: 2,
        quotas: vec![QuotaGauges {
            namespace: "app".to_owned(),
            count_limit: 1,
            bytes_limit: -1,
            count_usage: 1,
            bytes_usage: 0,
        }],
        metrics: vec![("commit_count".to_owned(), MetricValue::Int(3))],
    }
}

#[test]
fn mntr_lines() {
    let text = mntr(&mntr_view());
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("zk_version\t3.9.5-293c"));
    assert_eq!(lines[1], "zk_server_state\tstandalone");
    for expected in [
        "zk_avg_latency\t2.7647",
        "zk_min_latency\t0",
        "zk_packets_received\t37",
        "zk_num_alive_connections\t2",
        "zk_znode_count\t9",
        "zk_watch_count\t6",
        "zk_ephemerals_count\t2",
        "zk_approximate_data_size\t7",
        "zk_open_file_descriptor_count\t8",
        "zk_connection_drop_probability\t0.0",
        "zk_last_client_response_size\t-1",
        "zk_app_quota_bytes_limit_per_namespace\t-1",
        "zk_commit_count\t3",
    ] {
        assert!(lines.contains(&expected), "{expected}");
    }
    assert!(!text.contains("zk_max_file_descriptor_count"));
    assert!(
        lines
            .iter()
            .all(|line| line.starts_with("zk_") && line.matches('\t').count() == 1)
    );
}

/// Names that depend on the role, as `mntr` prints them, and `zk_peer_state`.
#[test]
fn mntr_of_each_role() {
    let plain = MemberGauges {
        peer_state: "following - broadcast",
        quorum_size: 3,
        leader: None,
        synced_observers: None,
        observer_master_id: None,
    };
    let leader = MemberGauges {
        peer_state: "leading - broadcast",
        leader: Some(LeaderGauges {
            learners: 4,
            synced_followers: 2,
            synced_non_voting_followers: 1,
            pending_syncs: 5,
            uptime_ms: 6,
        }),
        synced_observers: Some(1),
        ..plain.clone()
    };
    let observer = MemberGauges {
        peer_state: "observing - broadcast",
        observer_master_id: Some(2),
        ..plain.clone()
    };
    let master = MemberGauges {
        synced_observers: Some(7),
        ..plain.clone()
    };
    for (mode, member, expected) in [
        (Mode::Standalone, None, ""),
        (
            Mode::Follower,
            Some(plain),
            "zk_peer_state\tfollowing - broadcast\nzk_quorum_size\t3\n",
        ),
        (
            Mode::Leader,
            Some(leader),
            "zk_peer_state\tleading - broadcast\nzk_quorum_size\t3\nzk_learners\t4\n\
            zk_synced_followers\t2\nzk_synced_non_voting_followers\t1\nzk_pending_syncs\t5\n\
            zk_leader_uptime\t6\nzk_last_proposal_size\t67\nzk_min_proposal_size\t36\n\
            zk_max_proposal_size\t102\nzk_synced_observers\t1\n",
        ),
        (
            Mode::Observer,
            Some(observer),
            "zk_peer_state\tobserving - broadcast\nzk_quorum_size\t3\nzk_observer_master_id\t2\n",
        ),
        (
            Mode::Follower,
            Some(master),
            "zk_peer_state\tfollowing - broadcast\nzk_quorum_size\t3\nzk_synced_observers\t7\n",
        ),
    ] {
        let mut view = mntr_view();
        let alone = mntr(&view);
        view.member = member;
        view.server.mode = mode;
        view.server.proposal_sizes = server().proposal_sizes.filter(|_| mode == Mode::Leader);
        let text = mntr(&view);
        let added = text
            .lines()
            .filter(|line| !alone.contains(line))
            .skip(usize::from(mode != Mode::Standalone));
        let added: String = added.map(|line| format!("{line}\n")).collect();
        assert_eq!(added, expected, "{mode:?}");
    }
}

#[test]
fn summaries() {
    let names = |key| summary("fsynctime", key, 2.0 / 3.0, [1, 2, 3, 4]);
    let lines = names(None).map(|(name, _)| name);
    assert_eq!(
        lines,
        [
            "avg_fsynctime",
            "min_fsynctime",
            "max_fsynctime",
            "cnt_fsynctime",
            "sum_fsynctime"
        ]
    );
    assert_eq!(
        names(Some("app"))[0],
        ("avg_app_fsynctime".to_owned(), MetricValue::Double(0.6667))
    );
}

#[test]
fn first_bytes() {
    for (bytes, expected) in [
        (*b"ruok", FirstBytes::Word(Word::Ruok)),
        (*b"wchp", FirstBytes::Word(Word::Wchp)),
        (*b"RUOK", FirstBytes::Length(0x5255_4f4b)),
        (*b"zzzz", FirstBytes::Length(0x7a7a_7a7a)),
        ([0xff, 0xf4, 0xff, 0xfd], FirstBytes::TelnetClose),
        ([0, 0, 0, 45], FirstBytes::Length(45)),
    ] {
        assert_eq!(FirstBytes::classify(bytes), expected, "{bytes:?}");
    }
    assert_eq!(Word::ALL.len(), 18);
}

#[test]
fn whitelists() {
    for (configured, read_only, expected) in [
        (None, false, "srvr"),
        (None, true, "isro srvr"),
        (Some(""), false, "srvr"),
        (Some(" ruok , mntr,nope"), false, "mntr ruok srvr"),
        (Some("srvr"), false, "srvr"),
    ] {
        let list = Whitelist::new(configured, read_only);
        let names: Vec<&str> = list.enabled().iter().map(|word| word.as_str()).collect();
        assert_eq!(names.join(" "), expected);
    }
    let all = Whitelist::new(Some("x, *"), false);
    assert!(Word::ALL.iter().all(|word| all.allows(*word)));
}
