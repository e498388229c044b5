//! What real servers said to each other on the quorum and election ports: every byte decodes,
//! encodes to the same bytes, and means what an independent decoder read in it
//! (`NAME.decoded.txt`).

mod election;
mod quorum;
mod render;

use std::path::{Path, PathBuf};

use jute::wire::Encode;

/// Connections with at least one byte.
const ELECTION_CONNECTIONS: usize = 18;
const QUORUM_CONNECTIONS: usize = 15;

/// One direction of a connection, as the folder names it.
type Side<'a> = (&'static str, &'a [u8]);

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// The recorded connections to a port, by the path of their files without the ending.
fn connections(port: &str) -> Vec<PathBuf> {
    const DECODED: &str = ".decoded.txt";
    let mut found = Vec::new();
    for version in ["3.8.0", "3.9.5"] {
        for folder in std::fs::read_dir(testdata().join(version)).expect("it can be listed") {
            let folder = folder.expect("it can be listed").path();
            if !folder.is_dir() {
                continue;
            }
            for file in std::fs::read_dir(&folder).expect("it can be listed") {
                let name = file.expect("it can be listed").file_name();
                let name = name.to_str().expect("names are ASCII");
                if let Some(name) = name.strip_suffix(DECODED)
                    && name.starts_with(port)
                {
                    found.push(folder.join(name));
                }
            }
        }
    }
    found.sort();
    found
}

fn file(connection: &Path, ending: &str) -> PathBuf {
    let mut path = connection.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// A side that said nothing has no file.
fn read_side(connection: &Path, side: &str) -> Vec<u8> {
    let path = file(connection, &format!(".{side}.bin"));
    if path.exists() {
        std::fs::read(path).expect("it can be read")
    } else {
        Vec::new()
    }
}

/// Decodes both sides of every connection to a port, and compares with the listings.
fn compare(port: &str, expected_count: usize, list: impl Fn(Side<'_>) -> Vec<String>) {
    let connections = connections(port);
    assert_eq!(connections.len(), expected_count, "{connections:?}");
    for connection in connections {
        let expected = std::fs::read_to_string(file(&connection, ".decoded.txt"));
        let expected = expected.expect("it can be read");
        let mut listed = Vec::new();
        for side in ["dialer", "acceptor"] {
            listed.extend(list((side, &read_side(&connection, side))));
        }
        let expected: Vec<_> = expected.lines().collect();
        assert_eq!(listed, expected, "{}", connection.display());
    }
}

fn encoded(record: &impl Encode) -> Vec<u8> {
    let mut out = Vec::new();
    record.encode(&mut out);
    out
}

#[test]
fn election_port() {
    compare("election", ELECTION_CONNECTIONS, election::list);
}

#[test]
fn quorum_port() {
    compare("quorum", QUORUM_CONNECTIONS, quorum::list);
}
