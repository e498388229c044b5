//! The text of a configuration: what is read, what is printed, what is equal.

use jute::quorum::config::{
    ConfigFault, MEMBERS_MAX, MemberFault, QuorumConfig, Role, TEXT_LEN_MAX,
};
use jute::quorum::{ServerId, config::WEIGHT_MAX};

fn parse(text: &str) -> QuorumConfig {
    QuorumConfig::parse(text).unwrap_or_else(|fault| panic!("{text:?}: {fault}"))
}

const THREE: &str = "server.1=127.0.0.1:42201:42301:participant;127.0.0.1:42101\n\
    server.2=127.0.0.1:42202:42302:participant;127.0.0.1:42102\n\
    server.3=127.0.0.1:42203:42303:participant;127.0.0.1:42103\n\
    server.4=127.0.0.1:42204:42304:observer;127.0.0.1:42104\n\
    version=1000001e2";

const GROUPS: &str = "server.1=a:1:2:participant\n\
    server.2=b:1:2:participant\n\
    server.3=c:1:2:participant\n\
    server.4=d:1:2:observer\n\
    group.1=1:3\n\
    group.2=2\n\
    weight.1=1\n\
    weight.2=0\n\
    weight.3=4\n\
    version=0";

#[test]
fn what_is_printed_is_what_was_read() {
    for text in [
        THREE,
        GROUPS,
        "version=0",
        "version=7fffffffffffffff",
        "server.1=a:1:2|b:3:4:participant;c:5\nversion=0",
        "server.1=[0:0:0:0:0:0:0:1]:1:2:participant;[2001:db8:0:0:0:0:0:1]:3\nversion=a",
    ] {
        assert_eq!(parse(text).to_string(), text);
        assert_eq!(QuorumConfig::from_bytes(text.as_bytes()), Ok(parse(text)));
    }
}

#[test]
fn other_spellings_of_the_same() {
    for (text, printed) in [
        ("", "version=0"),
        ("version=00AB", "version=ab"),
        (
            "version=1\n# members\nserver.2 : b:1:2:OBSERVER\n  server.1=a:1:2;3 \n",
            "server.1=a:1:2:participant;0.0.0.0:3\nserver.2=b:1:2:observer\nversion=1",
        ),
        (
            "server.1=b:1:2|a:1:2",
            "server.1=a:1:2|b:1:2:participant\nversion=0",
        ),
        (
            "server.1=a:1:2\nserver.1=b:1:2",
            "server.1=b:1:2:participant\nversion=0",
        ),
        // A weight that is not given is 1.
        (
            "server.1=a:1:2\ngroup.5=1",
            "server.1=a:1:2:participant\ngroup.5=1\nweight.1=1\nversion=0",
        ),
        // Without members a weight alone makes quorums hierarchical.
        ("weight.1=3", "weight.1=3\nversion=0"),
        // In the order of Java's table.
        (
            "server.17=b:1:2\nserver.16=a:1:2\nserver.2=c:1:2",
            "server.16=a:1:2:participant\nserver.17=b:1:2:participant\nserver.2=c:1:2:participant\nversion=0",
        ),
    ] {
        assert_eq!(parse(text).to_string(), printed, "{text:?}");
        assert_eq!(parse(printed), parse(text), "{text:?}");
    }
}

#[test]
fn members_and_voters() {
    let config = parse(THREE);
    let voters: Vec<_> = config.voters().map(|id| id.0).collect();
    assert_eq!(voters, [1, 2, 3]);
    assert!(config.is_voter(ServerId(1)));
    assert!(!config.is_voter(ServerId(4)));
    assert!(!config.is_voter(ServerId(5)));
    let observer = &config.members[&ServerId(4)];
    assert_eq!(observer.role, Role::Observer);
    assert_eq!(observer.addresses[0].election_port, 42304);
    assert_eq!(
        observer.client.as_ref().map(ToString::to_string),
        Some("127.0.0.1:42104".to_owned())
    );
    assert!(config.hierarchy.is_none());
    let hierarchy = parse(GROUPS).hierarchy.expect("groups");
    assert_eq!(hierarchy.groups[&ServerId(3)], 1);
    assert_eq!(hierarchy.weights[&ServerId(3)], 4);
}

#[test]
fn faults() {
    let number = |text: &str| ConfigFault::Number(text.to_owned());
    let member = |text: &str, fault| ConfigFault::Member {
        text: text.to_owned(),
        fault,
    };
    for (text, fault) in [
        ("server.x=a:1:2", number("x")),
        ("server.=a:1:2", number("")),
        ("server.1=a:1", member("a:1", MemberFault::Form)),
        ("server.1=a:1:1", member("a:1:1", MemberFault::EqualPorts)),
        ("server.1", member("", MemberFault::Form)),
        ("version=x", number("x")),
        ("version=", number("")),
        ("version=-1", number("-1")),
        ("version=8000000000000000", number("8000000000000000")),
        (
            "clientPort=1",
            ConfigFault::UnknownKey("clientPort".to_owned()),
        ),
        (
            "Server.1=a:1:2",
            ConfigFault::UnknownKey("Server.1".to_owned()),
        ),
        ("group.1=", number("")),
        ("group.1=1::2", number("")),
        ("group=1", number("group")),
        ("weight.1=x", number("x")),
        ("weight.1=-1", ConfigFault::Weight(ServerId(1))),
        ("weight.1=4294967296", ConfigFault::Weight(ServerId(1))),
        (
            "group.1=1:2\ngroup.2=2:3",
            ConfigFault::ManyGroups(ServerId(2)),
        ),
        ("group.1=1:1", ConfigFault::ManyGroups(ServerId(1))),
        (
            "server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1",
            ConfigFault::NoGroup(ServerId(2)),
        ),
        // Apache dies of a group whose weight it cannot sum up.
        ("group.1=1", ConfigFault::Weight(ServerId(1))),
        (
            "server.1=a:1:2:observer\ngroup.1=1",
            ConfigFault::Weight(ServerId(1)),
        ),
    ] {
        assert_eq!(QuorumConfig::parse(text), Err(fault), "{text:?}");
    }
    let error = QuorumConfig::parse("version=1\nserver.1=\\u12").expect_err("malformed");
    assert_eq!(error.to_string(), "Malformed \\uxxxx encoding.");
}

#[test]
fn limits() {
    let servers = |count: usize| -> String {
        (0..count)
            .map(|id| format!("server.{id}=h{id}:1:2\n"))
            .collect()
    };
    assert_eq!(parse(&servers(MEMBERS_MAX)).members.len(), MEMBERS_MAX);
    assert_eq!(
        QuorumConfig::parse(&servers(MEMBERS_MAX + 1)),
        Err(ConfigFault::TooManyMembers)
    );
    let long = " ".repeat(TEXT_LEN_MAX);
    assert_eq!(parse(&long), QuorumConfig::default());
    assert_eq!(
        QuorumConfig::parse(&format!("{long} ")),
        Err(ConfigFault::TooLong(TEXT_LEN_MAX + 1))
    );
    parse(&format!("weight.1={WEIGHT_MAX}"));
}

#[test]
fn which_configurations_are_the_same() {
    let three = parse(THREE);
    let other = |from: &str, to: &str| parse(&THREE.replace(from, to));
    let moved = [
        ("42203", "42299"),
        ("observer", "participant"),
        (";127.0.0.1:42104", ""),
    ];
    for (from, to) in moved {
        // There is one configuration of a version, so the content is not looked at.
        assert!(three.is_same(&other(from, to)), "{from}");
        assert!(!three.is_same(&other(from, to).with_version(1)), "{from}");
    }
    assert!(three.is_same(&three.with_version(1)));
    assert_eq!(three.with_version(1).version, 1);
    let groups = parse(GROUPS);
    let flat = QuorumConfig {
        hierarchy: None,
        ..groups.with_version(1)
    };
    assert!(!groups.is_same(&flat));
    assert!(groups.is_same(&groups.with_version(1)));
    let heavier = parse(&GROUPS.replace("weight.3=4", "weight.3=5")).with_version(1);
    assert!(!groups.is_same(&heavier));
}
