//! Directories recorded from real servers, whole and damaged, with the trees they must give.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::process::copy_tree;
use crate::report::Report;
use crate::server::{Launcher, Settings, Which};
use crate::tree_dump::{Node, Tree, dump, expect_equal};
use crate::wire::Stat;

/// Recorded directories; beside each lies its expected tree.
const DIRECTORIES: &[&str] = &[
    "3.9.5/datadir-participant",
    "3.9.5/datadir-observer-fuzzy",
    "3.8.0/datadir-participant",
];
/// The same tree as the participant's, saved with each compression.
const SNAPSHOTS: &[&str] = &["snapshot.1000001f6.gz", "snapshot.1000001f6.snappy"];
/// The directory that the damaged logs belong to.
const DAMAGED: &str = "3.9.5/datadir-participant";

/// How a start on a damaged log must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Serves, with the same tree as the reference server on the same files.
    Serves,
    /// Exits with a failure; our message names the file and an offset.
    Refuses,
    /// The reference server refuses; serving loses nothing either.
    MayServe,
}

const LOGS: &[(&str, Outcome)] = &[
    ("cut-mid-record.log.1000001cf", Outcome::Serves),
    ("zeroed-tail.log.1000001cf", Outcome::Serves),
    ("missing-eor.log.1000001cf", Outcome::Serves),
    ("bad-checksum-last.log.1000001cf", Outcome::Refuses),
    ("bad-checksum-middle.log.1000001cf", Outcome::Refuses),
    ("short-header.log.1000001f7", Outcome::MayServe),
    ("empty.log.1000001f7", Outcome::Serves),
];

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn settings() -> Settings {
    Settings::usual()
}

/// Each recorded directory gives its expected tree.
pub(super) fn directories(launcher: &Launcher, which: Which, report: &mut Report) {
    for name in DIRECTORIES {
        report.check(&format!("{} loads {name}", which.name()), || {
            let directory = tempfile::tempdir()?;
            copy_tree(&testdata().join(name), directory.path())?;
            expect_equal(
                "expected",
                &expected(name)?,
                "loaded",
                &load(launcher, which, directory.path())?,
            )
        });
    }
}

/// A compressed snapshot alone gives the participant's tree.
pub(super) fn compressed_snapshots(launcher: &Launcher, which: Which, report: &mut Report) {
    for name in SNAPSHOTS {
        report.check(&format!("{} loads {name}", which.name()), || {
            let directory = tempfile::tempdir()?;
            let version_2 = directory.path().join("version-2");
            std::fs::create_dir(&version_2)?;
            std::fs::copy(
                testdata().join("3.9.5/snapshot-compression").join(name),
                version_2.join(name),
            )?;
            expect_equal(
                "expected",
                &expected(DAMAGED)?,
                "loaded",
                &load(launcher, which, directory.path())?,
            )
        });
    }
}

/// Each damaged log ends as recorded.
pub(super) fn damaged_logs(launcher: &Launcher, which: Which, report: &mut Report) {
    for (name, outcome) in LOGS {
        report.check(&format!("{} on {name}: {outcome:?}", which.name()), || {
            damaged(launcher, which, name, *outcome)
        });
    }
}

fn damaged(launcher: &Launcher, which: Which, name: &str, outcome: Outcome) -> Result<()> {
    let place = |folder: &Path| -> Result<()> {
        copy_tree(&testdata().join(DAMAGED), folder)?;
        let (_, log) = name
            .split_once('.')
            .context("a variant, then the name of the log")?;
        std::fs::copy(
            testdata().join("3.9.5/torn-log").join(name),
            folder.join("version-2").join(log),
        )?;
        Ok(())
    };
    let directory = tempfile::tempdir()?;
    place(directory.path())?;
    let before = listing(directory.path())?;
    let mut server = launcher.spawn(which, directory.path(), &settings())?;
    let refused = server.await_refusal()?;
    match (outcome, refused) {
        (Outcome::Refuses, Some(status)) => {
            ensure!(!status.success(), "it refused with exit code 0");
            ensure!(
                listing(directory.path())? == before,
                "files were added, changed or deleted"
            );
            let said = server.log();
            let names_it = said.contains("log.1000001cf") && said.contains("offset");
            ensure!(
                which != Which::Ours || names_it,
                "the message names no file and offset: {said}"
            );
            Ok(())
        }
        (Outcome::Serves, None) => {
            let tree = dump(server.address())?;
            let oracle = tempfile::tempdir()?;
            place(oracle.path())?;
            expect_equal(
                "oracle",
                &load(launcher, Which::Apache395, oracle.path())?,
                "loaded",
                &tree,
            )
        }
        (Outcome::MayServe, None) => expect_equal(
            "expected",
            &expected(DAMAGED)?,
            "loaded",
            &dump(server.address())?,
        ),
        (Outcome::MayServe, Some(status)) if !status.success() => Ok(()),
        (outcome, refused) => bail!(
            "{outcome:?} expected, ended with {refused:?}\n{}",
            server.log()
        ),
    }
}

/// Names and contents of a directory's log and snapshot files.
fn listing(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder.join("version-2"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("log.") || name.starts_with("snapshot.") {
            files.push((name, std::fs::read(entry.path())?));
        }
    }
    files.sort();
    Ok(files)
}

fn load(launcher: &Launcher, which: Which, folder: &Path) -> Result<Tree> {
    let server = launcher.start(which, folder, &settings())?;
    let tree = dump(server.address())?;
    server.kill()?;
    Ok(tree)
}

/// The recorded tree as a client would see it.
fn expected(name: &str) -> Result<Tree> {
    let path = testdata().join(format!("{name}.expected.json"));
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let value: Value = serde_json::from_str(&text)?;
    let nodes = value["nodes"].as_array().context("no nodes")?;
    nodes
        .iter()
        .map(|node| Ok((text_of(node, "path")?, node_of(node)?)))
        .collect()
}

fn node_of(node: &Value) -> Result<Node> {
    let data = match &node["dataHex"] {
        Value::Null => None,
        Value::String(digits) => Some(bytes_of(digits)?),
        other => bail!("dataHex is {other}"),
    };
    let mut acl = Vec::new();
    for entry in node["acl"].as_array().context("no acl")? {
        acl.push((
            int_of(entry, "perms")?,
            text_of(entry, "scheme")?,
            text_of(entry, "id")?,
        ));
    }
    let stat = Stat {
        czxid: hex_of(node, "czxid")?,
        mzxid: hex_of(node, "mzxid")?,
        ctime: node["ctime"].as_i64().context("ctime")?,
        mtime: node["mtime"].as_i64().context("mtime")?,
        version: int_of(node, "version")?,
        cversion: int_of(node, "clientCversion")?,
        aversion: int_of(node, "aversion")?,
        ephemeral_owner: client_owner(hex_of(node, "clientEphemeralOwner")?),
        data_length: int_of(node, "dataLength")?,
        num_children: int_of(node, "numChildren")?,
        pzxid: hex_of(node, "pzxid")?,
    };
    Ok(Node { data, stat, acl })
}

/// The recording loader ran without extended types, so it shows a TTL where a server shows 0.
fn client_owner(recorded: i64) -> i64 {
    let is_ttl = recorded.cast_unsigned() >> 56 == 0xff;
    if is_ttl { 0 } else { recorded }
}

fn text_of(value: &Value, key: &str) -> Result<String> {
    Ok(value[key]
        .as_str()
        .with_context(|| key.to_owned())?
        .to_owned())
}

fn int_of(value: &Value, key: &str) -> Result<i32> {
    let number = value[key].as_i64().with_context(|| key.to_owned())?;
    Ok(i32::try_from(number)?)
}

/// Unsigned 64 bits in hexadecimal, as the signed number of the same bits.
fn hex_of(value: &Value, key: &str) -> Result<i64> {
    let text = text_of(value, key)?;
    let digits = text.strip_prefix("0x").context("no 0x")?;
    Ok(u64::from_str_radix(digits, 16)?.cast_signed())
}

fn bytes_of(digits: &str) -> Result<Vec<u8>> {
    ensure!(
        digits.is_ascii() && digits.len().is_multiple_of(2),
        "bad hexadecimal"
    );
    (0..digits.len())
        .step_by(2)
        .map(|at| Ok(u8::from_str_radix(&digits[at..at + 2], 16)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{DIRECTORIES, LOGS, bytes_of, expected, testdata};

    #[test]
    fn every_sample_is_here_and_readable() {
        for name in DIRECTORIES {
            assert!(testdata().join(name).join("version-2").is_dir());
            assert!(expected(name).expect(name).len() > 200);
        }
        for (name, _) in LOGS {
            assert!(testdata().join("3.9.5/torn-log").join(name).is_file());
        }
    }

    #[test]
    fn hexadecimal() {
        assert_eq!(bytes_of("00ff10").expect("hex"), [0, 255, 16]);
        assert!(bytes_of("0").is_err() && bytes_of("zz").is_err());
    }
}
