//! Directories written here: random requests, then a clean stop or SIGKILL, then another server.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::Options;
use crate::diff::random_requests;
use crate::process::copy_tree;
use crate::report::Report;
use crate::server::{Launcher, SUPER_AUTH, Server, Settings, Which};
use crate::tree_dump::{Tree, dump, expect_equal};
use crate::wire::{ConnectRequest, Session, auth_body, op};

/// Timeout of the sessions that own ephemerals, in milliseconds: they outlive the test.
const LONG_TIMEOUT: i32 = 600_000;

/// How the writing server ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Stop,
    Kill,
}

/// Transactions between snapshots: none at all, or many snapshots.
const SNAP_COUNTS: &[u32] = &[100_000, 150];

/// Every direction that concerns the tested server.
pub(super) fn across(launcher: &Launcher, options: &Options, report: &mut Report) {
    let server = options.server;
    let pairs = [
        (server, Which::Apache395),
        (server, Which::Apache380),
        (Which::Apache395, server),
        (Which::Apache380, server),
        (server, server),
    ];
    for (index, (writer, reader)) in pairs.into_iter().enumerate() {
        for end in [End::Stop, End::Kill] {
            for &snap_count in SNAP_COUNTS {
                let name = format!(
                    "{} writes, {end:?}, {} reads, snapCount {snap_count}",
                    writer.name(),
                    reader.name()
                );
                if options
                    .only
                    .as_ref()
                    .is_some_and(|text| !name.contains(text))
                {
                    continue;
                }
                report.check(&name, || {
                    let seed = index as u64;
                    one(
                        launcher,
                        (writer, reader),
                        end,
                        snap_count,
                        &random_requests(seed, options.ops),
                    )
                });
            }
        }
    }
}

fn one(
    launcher: &Launcher,
    (writer, reader): (Which, Which),
    end: End,
    snap_count: u32,
    requests: &[(i32, Vec<u8>)],
) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let (written, copy) = (
        directory.path().join("written"),
        directory.path().join("copy"),
    );
    let settings = Settings::usual()
        .cfg("snapCount", snap_count)
        .cfg("preAllocSize", 512);
    let server = launcher.start(writer, &written, &settings)?;
    let before = fill(&server, requests).context("writing")?;
    match end {
        End::Stop => server.stop()?,
        End::Kill => server.kill()?,
    }
    copy_tree(&written, &copy)?;
    let after = load(launcher, reader, &copy, &settings)?;
    expect_equal("written", &before, "read", &after)
}

fn load(launcher: &Launcher, reader: Which, folder: &Path, settings: &Settings) -> Result<Tree> {
    let server = launcher.start(reader, folder, settings)?;
    let tree = dump(server.address())?;
    server.kill()?;
    Ok(tree)
}

/// Sends the requests from two sessions in turn, one of which is closed in the end.
fn fill(server: &Server, requests: &[(i32, Vec<u8>)]) -> Result<Tree> {
    let connect = || Session::connect(server.address(), &ConnectRequest::fresh(LONG_TIMEOUT));
    let (mut stays, mut closes) = (connect()?, connect()?);
    stays.expect(op::AUTH, &auth_body("digest", SUPER_AUTH))?;
    closes.expect(op::AUTH, &auth_body("digest", b"bob:pw"))?;
    for (index, (code, body)) in requests.iter().enumerate() {
        let session = if index % 3 == 0 {
            &mut closes
        } else {
            &mut stays
        };
        session
            .call(*code, body)
            .with_context(|| format!("request {index} of type {code}"))?;
    }
    closes.expect(op::CLOSE_SESSION, &[])?;
    dump(server.address())
}
