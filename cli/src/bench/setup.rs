//! The znodes that a load works on, created before it starts.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use jute::{CreateMode, ErrorCode, OpCode};

use super::Args;
use super::requests::{Template, create};
use super::session::Session;

/// Requests outstanding while znodes are prepared.
const WINDOW: u64 = 500;

/// Creates one znode unless it exists.
pub(super) fn ensure_node(session: &mut Session, path: &str) -> Result<()> {
    let err = session.call(OpCode::Create, create(path, b"", CreateMode::Persistent))?;
    ensure!(
        err == 0 || err == ErrorCode::NodeExists.as_i32(),
        "create {path}: error {err}"
    );
    Ok(())
}

/// Creates the prefix with all its parents.
pub(super) fn ensure_prefix(session: &mut Session, prefix: &str) -> Result<()> {
    let ends = prefix.match_indices('/').map(|(at, _)| at).skip(1);
    for end in ends.chain([prefix.len()]) {
        ensure_node(session, &prefix[..end])?;
    }
    Ok(())
}

/// Creates numbered znodes `first..end` unless they exist; tells how many existed.
pub(super) fn ensure_numbered(session: &mut Session, template: &Template, end: u64) -> Result<u64> {
    let mut existed = 0;
    stamp_all(session, template, end, |err| {
        if err == ErrorCode::NodeExists.as_i32() {
            existed += 1;
            return true;
        }
        err == 0
    })?;
    Ok(existed)
}

/// The znodes of get, set and mix, with data of the wanted size. Returns their stem.
pub(super) fn ensure_keys(args: &Args, server: SocketAddr, data: &[u8]) -> Result<String> {
    let mut session = Session::open(server, args.session_timeout_ms)?;
    ensure_prefix(&mut session, &args.prefix)?;
    let stem = format!("{}/k", args.prefix);
    let existed = ensure_numbered(&mut session, &Template::create(&stem, data), args.keys)?;
    if existed > 0 {
        // Left behind by an earlier run, perhaps with data of another size.
        stamp_all(
            &mut session,
            &Template::set(&stem, data),
            args.keys,
            |err| err == 0,
        )?;
    }
    session.close()?;
    Ok(stem)
}

/// Sends the template for numbers `0..end`, [`WINDOW`] at a time.
fn stamp_all(
    session: &mut Session,
    template: &Template,
    end: u64,
    mut accept: impl FnMut(i32) -> bool,
) -> Result<()> {
    let mut batch = Vec::new();
    let mut xids = Vec::new();
    for start in (0..end).step_by(WINDOW as usize) {
        batch.clear();
        xids.clear();
        for number in start..end.min(start + WINDOW) {
            let xid = session.next_xid();
            template.stamp(&mut batch, xid, number);
            xids.push(xid);
        }
        session.send(&batch)?;
        for xid in &xids {
            let err = session.reply(*xid)?.err;
            ensure!(accept(err), "preparing znodes: error {err}");
        }
    }
    Ok(())
}
