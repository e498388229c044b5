//! Many nodes, made fast.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};

use crate::wire::{
    ConnectRequest, Connection, Cursor, Writer, create_body, framed, multi_body, op, request,
};

/// Nodes of one multi.
const MULTI: usize = 500;
/// Multis on their way at the same time.
const WINDOW: usize = 16;
/// Children of one parent.
const CHILDREN: usize = 10_000;
/// Bytes in each node.
const BYTES: usize = 100;
/// Session timeout in milliseconds: the load takes minutes on a slow server.
const TIMEOUT: i32 = 600_000;

/// Creates `count` nodes with [`BYTES`] each, and as many parents as they need, through one server.
///
/// # Errors
/// When the server refuses one, or ends the connection.
pub(crate) fn load(address: SocketAddr, count: usize) -> Result<()> {
    let mut link = Connection::open(address)?;
    let answer = link.handshake(&ConnectRequest::fresh(TIMEOUT))?;
    answer.context("closed at connect")?;
    let data = [b'x'; BYTES];
    let mut bodies = (0..count.div_ceil(CHILDREN)).map(|parent| create(&parent_path(parent), b""));
    let mut nodes = (0..count).map(|node| {
        let parent = parent_path(node / CHILDREN);
        create(&format!("{parent}/n{node}"), &data)
    });
    let (mut xid, mut waiting) = (0, 0);
    loop {
        // Parents first; a multi sees what those before it have created.
        let mut ops: Vec<_> = bodies.by_ref().take(MULTI).collect();
        if ops.is_empty() {
            ops = nodes.by_ref().take(MULTI).collect();
        }
        if ops.is_empty() {
            break;
        }
        xid += 1;
        link.send(&request(xid, op::MULTI, &multi_body(&ops)))?;
        waiting += 1;
        if waiting == WINDOW {
            acknowledged(&mut link)?;
            waiting -= 1;
        }
    }
    for _ in 0..waiting {
        acknowledged(&mut link)?;
    }
    link.send(&framed(&Writer::default().int(0).int(op::CLOSE_SESSION).0))?;
    while link.frame()?.is_some() {}
    Ok(())
}

fn parent_path(parent: usize) -> String {
    format!("/bulk-{parent}")
}

fn create(path: &str, data: &[u8]) -> (i32, Vec<u8>) {
    (op::CREATE, create_body(path, data, 0))
}

fn acknowledged(link: &mut Connection) -> Result<()> {
    let frame = link.frame()?.context("closed while nodes are loaded")?;
    let mut cursor = Cursor::new(&frame);
    let (_xid, _zxid, error) = (cursor.int()?, cursor.long()?, cursor.int()?);
    ensure!(error == 0, "a multi of creates failed with {error}");
    // The first result's type: -1 when none of it was done.
    let kind = cursor.int()?;
    ensure!(kind == op::CREATE, "a multi of creates was not done");
    Ok(())
}
