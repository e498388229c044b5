//! What the brokers keep in ZooKeeper, read with a client that is not theirs.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::brokers::CHROOT;
use crate::wire::{ConnectRequest, Cursor, Session, Writer, op, path_watch_body};

/// Timeout of the reading session, in milliseconds.
const TIMEOUT: i32 = 10_000;
/// A node is not there.
const NO_NODE: i32 = -101;

/// An ephemeral node: its creation and its owner change when a session is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ephemeral {
    /// Transaction that created it; Kafka's epoch of a broker.
    pub(super) czxid: i64,
    /// Session that it goes with.
    pub(super) owner: i64,
}

/// The cluster as one server sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cluster {
    /// The registered brokers.
    pub(super) brokers: BTreeMap<usize, Ephemeral>,
    /// The broker that is controller, with its node.
    pub(super) controller: Option<(usize, Ephemeral)>,
    /// Topics that exist, deleted ones until they are gone for good.
    pub(super) topics: Vec<String>,
}

/// Reads the cluster's nodes at `address`, after a `sync`: the server tells nothing older than
/// what was committed before.
///
/// # Errors
/// On a socket failure, or when a node does not hold what Kafka writes.
pub(super) fn read(address: SocketAddr) -> Result<Cluster> {
    let mut session = Session::connect(address, &ConnectRequest::fresh(TIMEOUT))?;
    session.expect(op::SYNC, &Writer::default().string(Some(CHROOT)).0)?;
    let mut brokers = BTreeMap::new();
    for name in children(&mut session, "brokers/ids")? {
        let path = format!("brokers/ids/{name}");
        // It may have gone between the list and this look.
        if let Some((_, node)) = node(&mut session, &path)? {
            brokers.insert(name.parse().context("the id of a broker")?, node);
        }
    }
    let controller = match node(&mut session, "controller")? {
        Some((data, node)) => Some((controller(&data)?, node)),
        None => None,
    };
    let topics = children(&mut session, "brokers/topics")?;
    session.expect(op::CLOSE_SESSION, &[])?;
    Ok(Cluster {
        brokers,
        controller,
        topics,
    })
}

/// The broker that the data of `/controller` names.
fn controller(data: &[u8]) -> Result<usize> {
    let json: Value = serde_json::from_slice(data).context("the data of the controller's node")?;
    let id = json["brokerid"]
        .as_u64()
        .context("a controller without a broker")?;
    Ok(usize::try_from(id)?)
}

fn children(session: &mut Session, path: &str) -> Result<Vec<String>> {
    let body = path_watch_body(&format!("{CHROOT}/{path}"), false);
    Cursor::new(&session.expect(op::GET_CHILDREN, &body)?).strings()
}

fn node(session: &mut Session, path: &str) -> Result<Option<(Vec<u8>, Ephemeral)>> {
    let body = path_watch_body(&format!("{CHROOT}/{path}"), false);
    let reply = match session.call(op::GET_DATA, &body)? {
        (0, reply) => reply,
        (NO_NODE, _) => return Ok(None),
        (error, _) => bail!("reading {path} failed with {error}"),
    };
    let mut cursor = Cursor::new(&reply);
    let data = cursor.buffer()?.unwrap_or_default().to_vec();
    let stat = cursor.stat()?;
    let node = Ephemeral {
        czxid: stat.czxid,
        owner: stat.ephemeral_owner,
    };
    Ok(Some((data, node)))
}

#[cfg(test)]
mod tests {
    use super::controller;

    #[test]
    fn the_controller_is_named_by_its_node() {
        let data = br#"{"version":2,"brokerid":3,"timestamp":"1","kraftControllerEpoch":-1}"#;
        assert_eq!(controller(data).expect("a broker"), 3);
        assert!(controller(b"{}").is_err());
        assert!(controller(b"3").is_err());
    }
}
