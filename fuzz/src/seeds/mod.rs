//! Where fuzzing starts: recorded bytes of real clients and servers, and records made here.

mod quorum;
mod records;
mod scripts;
mod stored;

use std::path::Path;

use jute::frame::Frames;

/// A seed's name and bytes.
pub type Seed = (String, Vec<u8>);

/// The seeds of every target, by name.
pub fn all() -> Vec<(&'static str, Vec<Seed>)> {
    let mut all = vec![
        ("apply", stored::apply()),
        ("client_frame", records::client_frame()),
        ("connect", records::connect()),
        ("gate", scripts::gate()),
        ("initial_message", quorum::initial_message()),
        ("log_file", stored::log_file()),
        ("multi", records::multi()),
        ("notification", quorum::notification()),
        ("quorum_config", quorum::quorum_config()),
        ("quorum_packet", quorum::quorum_packet()),
        ("snap_stream", stored::snap_stream()),
        ("snapshot", stored::snapshot()),
        ("text", text()),
        ("txn_entry", stored::txn_entry()),
        ("zoo_cfg", zoo_cfg()),
    ];
    for (_, seeds) in &mut all {
        seeds.sort();
    }
    all
}

/// A recorded file of the crate `owner`.
fn testdata(owner: &str, name: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join(owner).join("testdata").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What clients sent, by name.
fn conversations() -> Vec<Seed> {
    [
        "3.9.5/conversation",
        "3.8.0/conversation",
        "3.9.5/follower-session-08",
        "3.9.5/follower-session-09",
    ]
    .map(|name| {
        let bytes = testdata("jute", &format!("{name}.dialer.bin"));
        (name.replace('/', "-"), bytes)
    })
    .into()
}

/// The frames of a recorded stream, without their lengths.
fn frames(stream: &[u8]) -> Vec<&[u8]> {
    let frames = Frames::new(stream, i32::MAX as usize);
    frames
        .map(|body| body.expect("a recorded length"))
        .collect()
}

fn named(seeds: &[(&str, &str)]) -> Vec<Seed> {
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), text.as_bytes().to_vec());
    seeds.iter().map(owned).collect()
}

fn text() -> Vec<Seed> {
    let mut seeds = named(&[
        ("digest", "digest:user:password"),
        ("digest-id", "digest:user:smGaoVKd/cQkjm7b88GyorAUz20="),
        ("ensemble", "ensemble:one"),
        ("ip-v4", "ip:10.1.2.0/24\n10.1.2.3"),
        ("ip-v6", "ip:fe80::1:2/64\nfe80:0:0:0:1:2:3:4%eth0"),
        ("path", "/app/list-0000000001"),
        ("path-relative", "/app/../x"),
        ("quota", "count=5,bytes=-1"),
        (
            "quota-hard",
            "count=5,bytes=10=;byteHardLimit=100;countHardLimit=7",
        ),
        ("super", "super:secret"),
        ("world", "world:anyone"),
    ]);
    seeds.push(("acl-list".to_owned(), records::acl_list()));
    seeds
}

fn zoo_cfg() -> Vec<Seed> {
    named(&[
        (
            "bad-number",
            "tickTime=2000\ndataDir=data\nclientPort=port\n",
        ),
        (
            "dynamic",
            "dataDir=data\ndynamicConfigFile=zoo.cfg.dynamic\nstandaloneEnabled=false\n",
        ),
        ("line-end", "dataDir=data\nun\\nknown=1\ntickTime=2\\r0\n"),
        (
            "ensemble",
            "dataDir=/data\ninitLimit=5\nsyncLimit=2\nserver.1=a:2888:3888;2181\n\
             server.2=b:2888:3888:observer;0.0.0.0:2182\ngroup.1=1:2\nweight.1=1\n",
        ),
        (
            "flags",
            "dataDir=data\nclientPort=2181\n\0-Dzookeeper.snapCount=1000 -Djute.maxbuffer=0x100000 \
             -Dzookeeper.digest.enabled=false -Xmx1g",
        ),
        (
            "minimal",
            "tickTime=2000\ndataDir=/var/lib/zookeeper\nclientPort=2181\n",
        ),
        (
            "one-server",
            "dataDir=data\nserver.1=[::1]:2888:3888;[::1]:2181\n",
        ),
        (
            "properties",
            "# comment\n! too\ndataDir : da\\\n  ta\nclientPort\t2181\n\\u0061dmin.serverPort=0\n",
        ),
        (
            "wide",
            "dataDir=data\ndataLogDir=log\nclientPort=2181\nclientPortAddress=::1\nmaxClientCnxns=60\n\
             minSessionTimeout=4000\nmaxSessionTimeout=40000\nautopurge.snapRetainCount=3\n\
             autopurge.purgeInterval=1\n4lw.commands.whitelist=*\npreAllocSize=64\n\
             connectionMaxTokens=1\nunknown=1\nsnapshot.compression.method=gz\n",
        ),
    ])
}
