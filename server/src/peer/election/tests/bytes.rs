//! The initial message: the own bytes, and what becomes of those of others.

use jute::quorum::election::first_initial;
use jute::quorum::{Endpoint, ServerId};

use super::super::greeting::{self, Caller};

fn endpoints(texts: &[&str]) -> Vec<Endpoint> {
    let parsed = texts.iter().map(|text| Endpoint::parse(text).expect(text));
    parsed.collect()
}

/// Recorded from servers of 3.8.0 and 3.9.5.
#[test]
fn the_own_message_is_apaches() {
    for (name, me, own, multi_address) in [
        (
            "3.8.0/election-initial/election-01-to-server2",
            1,
            &["127.0.0.1:43301"][..],
            false,
        ),
        (
            "3.9.5/election-initial/election-01-to-server1",
            3,
            &["127.0.0.1:42303"][..],
            false,
        ),
        (
            "3.9.5/election-multiaddress/election-01-to-server3",
            2,
            &["localhost:46502", "127.0.0.1:46302"][..],
            true,
        ),
    ] {
        let path = format!(
            "{}/../jute/testdata/{name}.dialer.bin",
            env!("CARGO_MANIFEST_DIR")
        );
        let recorded = std::fs::read(&path).expect(&path);
        let bytes = greeting::own(ServerId(me), &endpoints(own), multi_address);
        assert!(recorded.starts_with(&bytes), "{name}: {bytes:?}");
    }
}

#[test]
fn one_address_is_told_unless_all_may_be() {
    let own = endpoints(&["[::1]:3888", "h:3888"]);
    for (multi_address, protocol, text) in [
        (false, -65536_i64, "[0:0:0:0:0:0:0:1]:3888"),
        (true, -65535, "[0:0:0:0:0:0:0:1]:3888|h:3888"),
    ] {
        let bytes = greeting::own(ServerId(1), &own, multi_address);
        assert_eq!(bytes[..8], protocol.to_be_bytes());
        assert_eq!(bytes[8..16], 1_i64.to_be_bytes());
        assert_eq!(&bytes[20..], text.as_bytes());
    }
}

#[test]
fn more_addresses_than_fit_are_left_out() {
    let long = format!("{}:1", "h".repeat(250));
    let own = endpoints(&vec![long.as_str(); 20]);
    let bytes = greeting::own(ServerId(1), &own, true);
    let (message, len) = first_initial(&bytes).expect("valid").expect("whole");
    assert_eq!((len, message.addresses.len()), (bytes.len(), 8));
}

/// `me` is 2; 1, 3 and 300 are members.
#[test]
fn what_others_say_is_judged() {
    const V1: i64 = -65536;
    const V2: i64 = -65535;
    let plain = |id: i64| id.to_be_bytes().to_vec();
    let with = |protocol: i64, id: i64, text: &str| {
        let mut bytes = [protocol.to_be_bytes(), id.to_be_bytes()].concat();
        bytes.extend((text.len() as u32).to_be_bytes());
        bytes.extend(text.as_bytes());
        bytes
    };
    for (bytes, expected) in [
        (with(V1, 1, "h:3888"), "1 at h:3888"),
        (with(V1, 3, "h:3888"), "3 at h:3888"),
        (with(V1, 7, "h:3888"), "7 at h:3888"),
        (with(V1, 9000, "h:3888"), "9000 at h:3888"),
        (with(V2, 3, "h:3888"), "3 at h:3888"),
        (with(V2, 3, "i:1|h:2"), "3 at h:2 i:1"),
        (with(V1, 3, "i:1|h:2"), "3 at h:2 i:1"),
        (with(V1, 3, "[::1]:3888"), "3 at [0:0:0:0:0:0:0:1]:3888"),
        (with(V1, 3, "0.0.0.0:3888"), "3 at"),
        (with(V2, 3, "[::]:3888|h:1"), "3 at h:1"),
        (with(V1, i64::MAX, "h:1"), "nobody at h:1"),
        (plain(1), "1 at"),
        (plain(300), "300 at"),
        (plain(255), "255 at"),
        (
            plain(256),
            "its first bytes are not those of a server: 0x100 is no server id",
        ),
        (plain(i64::MAX), "nobody at"),
        (
            with(V1, 2, "h:1"),
            "it says that it is server 2, which is this one: is its myid right?",
        ),
        (
            plain(2),
            "it says that it is server 2, which is this one: is its myid right?",
        ),
        (with(V1, -1, "h:1"), "server ids are not negative: -1"),
        (
            with(V1, i64::MIN, "h:1"),
            "server ids are not negative: -9223372036854775808",
        ),
        (with(-65534, 3, "h:1"), "foreign"),
        (with(-1, 3, "h:1"), "foreign"),
        (with(V1, 3, ""), "foreign"),
        (with(V1, 3, "h"), "foreign"),
        (with(V1, 3, "h:x"), "foreign"),
        (with(V1, 3, &"h".repeat(2049)), "foreign"),
        (with(V1, 3, "h:1")[..22].to_vec(), "incomplete"),
        (
            [V1.to_be_bytes(), 3_i64.to_be_bytes()].concat(),
            "incomplete",
        ),
        (
            b"GET / HTTP/1.1\r\n".to_vec(),
            "its first bytes are not those of a server: 0x474554202f204854 is no server id",
        ),
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc".to_vec(),
            "its first bytes are not those of a server: 0x1603010200010001 is no server id",
        ),
        // A client's connect request.
        (
            b"\x00\x00\x00\x2d\x00\x00\x00\x00\x00\x00".to_vec(),
            "its first bytes are not those of a server: 0x2d00000000 is no server id",
        ),
        (b"ruok".to_vec(), "incomplete"),
    ] {
        let told = match first_initial(&bytes) {
            Err(_) => "foreign".to_owned(),
            Ok(None) => "incomplete".to_owned(),
            Ok(Some((message, _))) => {
                let is_member = |id: ServerId| [1, 3, 300].contains(&id.0);
                match Caller::from_message(message, ServerId(2), is_member) {
                    Ok(caller) => describe(&caller),
                    Err(fault) => fault.to_string(),
                }
            }
        };
        assert_eq!(told, expected, "{bytes:02x?}");
    }
}

fn describe(caller: &Caller) -> String {
    let mut text = caller
        .server
        .map_or_else(|| "nobody".to_owned(), |id| id.to_string());
    text.push_str(" at");
    for address in &caller.told {
        text.push_str(&format!(" {address}"));
    }
    text
}
