//! The whole tree of a running server as a client sees it, for comparing two servers.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};

use crate::server::SUPER_AUTH;
use crate::wire::{ConnectRequest, Cursor, Session, Stat, Writer, auth_body, op, path_watch_body};

/// Most nodes a dump may have.
const NODE_LIMIT: usize = 1_000_000;
/// Most differences worth listing.
const SHOWN: usize = 5;

/// One node with everything a client can learn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Null and empty are kept apart.
    pub(crate) data: Option<Vec<u8>>,
    /// Every field of its Stat.
    pub(crate) stat: Stat,
    /// Permissions, scheme, id; in stored order.
    pub(crate) acl: Vec<(i32, String, String)>,
}

/// Nodes by path.
pub(crate) type Tree = BTreeMap<String, Node>;

/// Reads every node as the super user.
///
/// # Errors
/// On any failure of the server.
pub(crate) fn dump(address: SocketAddr) -> Result<Tree> {
    let mut session = Session::connect(address, &ConnectRequest::fresh(60_000))?;
    session.expect(op::AUTH, &auth_body("digest", SUPER_AUTH))?;
    // A member of an ensemble shows what its leader has committed, not what it had itself.
    session.expect(op::SYNC, &Writer::default().string(Some("/")).0)?;
    let mut tree = Tree::new();
    let mut pending = vec!["/".to_owned()];
    while let Some(path) = pending.pop() {
        let (node, children) =
            read(&mut session, &path).with_context(|| format!("reading {path}"))?;
        let prefix = if path == "/" { "" } else { path.as_str() };
        pending.extend(children.iter().map(|child| format!("{prefix}/{child}")));
        tree.insert(path, node);
        if tree.len() > NODE_LIMIT {
            bail!("more than {NODE_LIMIT} nodes");
        }
    }
    session.expect(op::CLOSE_SESSION, &[])?;
    Ok(tree)
}

fn read(session: &mut Session, path: &str) -> Result<(Node, Vec<String>)> {
    let with_watch = path_watch_body(path, false);
    let body = session.expect(op::GET_DATA, &with_watch)?;
    let mut cursor = Cursor::new(&body);
    let data = cursor.buffer()?.map(<[u8]>::to_vec);
    let stat = cursor.stat()?;
    let body = session.expect(op::GET_CHILDREN, &with_watch)?;
    let children = Cursor::new(&body).strings()?;
    let body = session.expect(op::GET_ACL, &Writer::default().string(Some(path)).0)?;
    let mut cursor = Cursor::new(&body);
    let mut acl = Vec::new();
    for _ in 0..cursor.int()? {
        let (perms, scheme, id) = (cursor.int()?, cursor.string()?, cursor.string()?);
        acl.push((perms, scheme.unwrap_or_default(), id.unwrap_or_default()));
    }
    Ok((Node { data, stat, acl }, children))
}

/// Insists that two trees are equal.
///
/// # Errors
/// The first differences, when they are not.
pub(crate) fn expect_equal(
    left_name: &str,
    left: &Tree,
    right_name: &str,
    right: &Tree,
) -> Result<()> {
    let paths = left
        .keys()
        .chain(right.keys().filter(|path| !left.contains_key(*path)));
    let different: Vec<String> = paths
        .filter(|path| left.get(*path) != right.get(*path))
        .map(|path| {
            let (left, right) = (left.get(path), right.get(path));
            format!("{path}\n    {left_name}: {left:?}\n    {right_name}: {right:?}")
        })
        .collect();
    if different.is_empty() {
        return Ok(());
    }
    let shown = different
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n  ");
    bail!("{} nodes differ:\n  {shown}", different.len())
}

#[cfg(test)]
mod tests {
    use super::{Node, Stat, Tree, expect_equal};

    #[test]
    fn every_difference_is_noticed() {
        let stat = Stat {
            czxid: 1,
            mzxid: 1,
            ctime: 1,
            mtime: 1,
            version: 0,
            cversion: 0,
            aversion: 0,
            ephemeral_owner: 0,
            data_length: 0,
            num_children: 0,
            pzxid: 1,
        };
        let node = |data: Option<&[u8]>| Node {
            data: data.map(<[u8]>::to_vec),
            stat: stat.clone(),
            acl: Vec::new(),
        };
        let tree = |nodes: Vec<(&str, Node)>| -> Tree {
            nodes
                .into_iter()
                .map(|(path, node)| (path.to_owned(), node))
                .collect()
        };
        let null = tree(vec![("/", node(None))]);
        let empty = tree(vec![("/", node(Some(b"")))]);
        let two = tree(vec![("/", node(None)), ("/a", node(None))]);
        assert!(expect_equal("l", &null, "r", &null).is_ok());
        for (left, right) in [(&null, &empty), (&null, &two), (&two, &null)] {
            assert!(expect_equal("l", left, "r", right).is_err());
        }
    }
}
