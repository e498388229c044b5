//! Member lines: their forms, whom they make, and where clients are served.

use jute::quorum::config::Role;

use super::ensemble::{load, settings, with_three};

const LIMITS: &str = "initLimit=10\nsyncLimit=5\n";

fn one_of(lines: &str) -> Result<super::Config, String> {
    load(&[("zoo.cfg", &format!("{LIMITS}{lines}\n")), ("myid", "1")])
}

#[test]
fn forms() {
    let others = "server.2=h2:1:2\nserver.3=h3:1:2";
    for (line, printed) in [
        ("server.1=h:1:2", "server.1=h:1:2:participant"),
        ("server.1 = h:1:2:OBSERVER", "server.1=h:1:2:observer"),
        ("server.1=h:1:2;3", "server.1=h:1:2:participant;0.0.0.0:3"),
        (
            "server.1=h:1:2:participant;c:3",
            "server.1=h:1:2:participant;c:3",
        ),
        (
            "server.1=[2001:db8::1]:1:2;[::1]:3",
            "server.1=[2001:db8:0:0:0:0:0:1]:1:2:participant;[0:0:0:0:0:0:0:1]:3",
        ),
        (
            "multiAddress.enabled=true\nserver.1=b:1:2|a:1:2:observer;3",
            "server.1=a:1:2|b:1:2:observer;0.0.0.0:3",
        ),
    ] {
        let config = one_of(&format!("{line}\n{others}\nserver.4=h4:1:2")).expect(line);
        let text = settings(&config).committed.to_string();
        assert_eq!(text.lines().next(), Some(printed), "{line}");
    }
    for (line, expected) in [
        (
            "server.1=h:1",
            "zoo.cfg:3: server.1=h:1: h:1 does not have the form server_config",
        ),
        (
            "server.1=h:1:2;3;4",
            "h:1:2;3;4 does not have the form server_config",
        ),
        (
            "server.1=h:1:1",
            "Client and election port must be different! Please update the configuration file on \
             server.1",
        ),
        (
            "server.1=a:1:2|b:1:2",
            "Multiple address feature is disabled, but multiple addresses were specified for sid 1",
        ),
        ("server.1=h:1:2:boss", "Unrecognised peertype: boss"),
        (
            "multiAddress.enabled=true\nserver.1=a:1:2:observer|b:1:2:participant",
            "Multiple addresses should have similar roles",
        ),
        ("server.1=h:1:99999", "Address unresolved: h:99999"),
        (
            "server.one=h:1:2",
            "server.one=h:1:2: For input string: \"one\"",
        ),
        (
            "server.9223372036854775807=h:1:2",
            "this number has another meaning in elections",
        ),
    ] {
        let error = one_of(&format!("{line}\n{others}")).expect_err(line);
        assert!(
            error.contains(expected),
            "{line}\n got {error}\nwant {expected}"
        );
    }
    let many: String = (1..=256)
        .map(|n| format!("server.{n}=h{n}:1:2\n"))
        .collect();
    let error = one_of(&many).expect_err("too many");
    assert!(error.contains("more than 255 servers"), "{error}");
    let long = format!("server.1=h{}:1:2\n{others}", "x".repeat(600_000));
    let error = one_of(&long).expect_err("too long");
    assert!(
        error.contains("bytes are too long for a configuration"),
        "{error}"
    );
}

#[test]
fn groups_and_weights() {
    let three = "group.1=1:2\ngroup.2=3\nweight.2=0\nweight.3=4";
    let config = with_three(three).expect("starts");
    let committed = &settings(&config).committed;
    let weights = [1, 2, 3].map(|id| committed.weight(zab::ServerId(id)));
    assert_eq!(weights, [1, 0, 4]);
    let printed = committed.to_string();
    assert!(
        printed.ends_with("group.1=1:2\ngroup.2=3\nweight.1=1\nweight.2=0\nweight.3=4\nversion=0"),
        "{printed}"
    );
    for (lines, expected) in [
        (
            "group.1=1:2\ngroup.2=2:3",
            "zoo.cfg:7: group.2=2:3: Server 2 is in multiple groups \
             (allowed: each participant in one group.N line)",
        ),
        (
            "group.1=1:2",
            "zoo.cfg:5: server.3=h3:2888:3888: Server 3 is not in a group",
        ),
        ("weight.1=2", "Server 1 is not in a group"),
        ("group.1=", "zoo.cfg:6: group.1=: For input string: \"\""),
        (
            "group.x=1:2:3",
            "For input string: \"x\" (allowed: group.G=N:N:N",
        ),
        (
            "group.1=1:2:3\nweight.1=x",
            "zoo.cfg:7: weight.1=x: For input string: \"x\"",
        ),
        (
            "group.1=1:2:3\nweight.1=-1",
            "weight.1=-1: Server 1 needs a weight from 0 to",
        ),
        ("group.1=1:2:3:4", "Server 4 needs a weight from 0 to"),
        (
            "group.1=1:2:3\nweight.1=0\nweight.2=0\nweight.3=0",
            "no group has any weight",
        ),
    ] {
        let error = with_three(lines).expect_err(lines);
        assert!(
            error.contains(expected),
            "{lines}\n got {error}\nwant {expected}"
        );
    }
}

/// Participants, observers, `standaloneEnabled`, and what they make: voters and a warning, or an
/// error.
#[test]
fn standalone_or_ensemble() {
    let few = "No server failure will be tolerated. You need at least 3 servers.";
    let even = "Non-optimal configuration, consider an odd number of servers.";
    let ignoring = "Invalid configuration, only one server specified (ignoring)";
    for (participants, observers, standalone, expected) in [
        (0, 0, true, Ok((None, ""))),
        (1, 0, true, Ok((None, ignoring))),
        (1, 0, false, Ok((Some(1), few))),
        (1, 2, false, Ok((Some(1), few))),
        (2, 0, true, Ok((Some(2), few))),
        (2, 1, true, Ok((Some(2), few))),
        (3, 0, true, Ok((Some(3), ""))),
        (3, 4, true, Ok((Some(3), ""))),
        (4, 0, false, Ok((Some(4), even))),
        (
            0,
            1,
            true,
            Err("Observers w/o participants is an invalid configuration"),
        ),
        (
            1,
            1,
            true,
            Err("Observers w/o quorum is an invalid configuration"),
        ),
        (
            0,
            0,
            false,
            Err("standaloneEnabled = false then number of participants should be >0"),
        ),
        (
            0,
            1,
            false,
            Err("standaloneEnabled = false then number of participants should be >0"),
        ),
    ] {
        let role = |n| {
            if n <= participants {
                "participant"
            } else {
                "observer"
            }
        };
        let lines: String = (1..=participants + observers)
            .map(|n| format!("server.{n}=h{n}:1:2:{}\n", role(n)))
            .collect();
        let made = one_of(&format!("standaloneEnabled={standalone}\n{lines}"));
        let case = format!("{participants} {observers} {standalone}");
        match (made, expected) {
            (Ok(config), Ok((voters, warning))) => {
                let ensemble = config.ensemble.as_ref();
                assert_eq!(
                    ensemble.map(|e| e.committed.voters().count()),
                    voters,
                    "{case}"
                );
                assert_eq!(config.warnings.concat(), warning, "{case}");
            }
            (Err(error), Err(part)) => assert!(error.contains(part), "{case}: {error}"),
            (got, _) => panic!("{case}: {got:?}"),
        }
    }
}

#[test]
fn the_list_decides_over_the_peer_type() {
    for (role, peer_type, warnings) in [
        ("participant", "", 0),
        ("participant", "peerType=participant", 0),
        ("participant", "peerType=observer", 1),
        ("observer", "peerType=Observer", 0),
        ("observer", "", 1),
    ] {
        let lines = format!(
            "{peer_type}\nserver.1=h1:1:2:{role}\nserver.2=h2:1:2\nserver.3=h3:1:2\nserver.4=h4:1:2\n\
             server.5=h5:1:2:{}",
            if role == "observer" {
                "participant"
            } else {
                "observer"
            }
        );
        let config = one_of(&lines).expect(&lines);
        assert_eq!(Role::from_name(role), Some(settings(&config).role()));
        let odd = |w: &&String| w.contains("doesn't match peerType");
        assert_eq!(
            config.warnings.iter().filter(odd).count(),
            warnings,
            "{lines}"
        );
    }
}

/// The static keys, the client part of the own line, and where clients are served.
#[test]
fn client_addresses() {
    let differs = "client address for this server (id = 1) in static config file is";
    for (fixed, stated, expected) in [
        ("", "", Ok(None)),
        ("clientPort=1", "", Ok(Some("0.0.0.0:1"))),
        ("clientPort=1\nclientPortAddress=h", "", Ok(Some("h:1"))),
        ("", ";1", Ok(Some("0.0.0.0:1"))),
        ("", ";h:1", Ok(Some("h:1"))),
        ("", ";[::1]:1", Ok(Some("[0:0:0:0:0:0:0:1]:1"))),
        ("clientPort=1", ";1", Ok(Some("0.0.0.0:1"))),
        // A wildcard leaves the address to the line.
        ("clientPort=1", ";h:1", Ok(Some("h:1"))),
        (
            "clientPort=1\nclientPortAddress=0.0.0.0",
            ";h:1",
            Ok(Some("h:1")),
        ),
        (
            "clientPort=1\nclientPortAddress=::",
            ";h:1",
            Ok(Some("h:1")),
        ),
        ("clientPort=1\nclientPortAddress=h", ";h:1", Ok(Some("h:1"))),
        // The same address in two spellings.
        (
            "clientPort=1\nclientPortAddress=[::1]",
            ";[0:0::1]:1",
            Ok(Some("[0:0:0:0:0:0:0:1]:1")),
        ),
        (
            "clientPort=1",
            ";2",
            Err(" 0.0.0.0:1 is different from client address found in dynamic file: 0.0.0.0:2"),
        ),
        ("clientPort=1", ";h:2", Err(" 0.0.0.0:1 is different")),
        (
            "clientPort=1\nclientPortAddress=127.0.0.1",
            ";127.0.0.2:1",
            Err(" 127.0.0.1:1 is different"),
        ),
        // The line would open more than the static file allows.
        (
            "clientPort=1\nclientPortAddress=127.0.0.1",
            ";1",
            Err(" 127.0.0.1:1 is different"),
        ),
    ] {
        for others in ["server.2=h2:1:2;7\nserver.3=h3:1:2;7", ""] {
            let made = one_of(&format!("{fixed}\nserver.1=h1:1:2{stated}\n{others}"));
            match (made, expected) {
                (Ok(config), Ok(address)) => {
                    assert_eq!(
                        config.client_address_text().as_deref(),
                        address,
                        "{fixed} {stated}"
                    );
                    let Some(ensemble) = &config.ensemble else {
                        assert_eq!(others, "");
                        continue;
                    };
                    // A static address is not shown to others.
                    assert_eq!(ensemble.own().client.is_some(), !stated.is_empty());
                }
                (Err(error), Err(part)) => assert!(
                    error.contains("zoo.cfg:3: clientPort=1: ")
                        && error.contains(&format!("{differs}{part}")),
                    "{fixed} {stated}: {error}"
                ),
                (got, _) => panic!("{fixed} {stated}: {got:?}"),
            }
        }
    }
    // Without an own id no line counts, but for the only one, where nothing else says where.
    for (text, port) in [
        ("server.1=h:1:2;5", Some(5)),
        ("clientPort=4\nserver.1=h:1:2;5", Some(4)),
    ] {
        let config = load(&[("zoo.cfg", text)]).expect(text);
        assert_eq!(config.client_port, port, "{text}");
    }
}
