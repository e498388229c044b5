//! The tree digest, version 2 of Apache's: the sum over all nodes of a CRC-32 of path,
//! data and Stat. Nodes below `/zookeeper` are left out, ACLs do not count.

use crc32fast::Hasher;
use jute::data::StatPersisted;

/// CRC-32 of path and data: the part of a node's digest that a change of the Stat alone
/// leaves as it is. The root's path is empty.
pub fn content_crc(path: &str, data: Option<&[u8]>) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(if path == "/" { b"" } else { path.as_bytes() });
    hasher.update(data.unwrap_or_default());
    hasher.finalize()
}

/// A node's digest from its [`content_crc`] and its Stat.
pub fn node_digest(content_crc: u32, stat: &StatPersisted) -> u32 {
    let mut bytes = [0; 60];
    let longs = [stat.czxid, stat.mzxid, stat.pzxid, stat.ctime, stat.mtime];
    let (long_bytes, rest) = bytes.split_at_mut(40);
    for (target, value) in long_bytes.chunks_exact_mut(8).zip(longs) {
        target.copy_from_slice(&value.to_be_bytes());
    }
    let (int_bytes, owner) = rest.split_at_mut(12);
    let ints = [stat.version, stat.cversion, stat.aversion];
    for (target, value) in int_bytes.chunks_exact_mut(4).zip(ints) {
        target.copy_from_slice(&value.to_be_bytes());
    }
    owner.copy_from_slice(&stat.ephemeral_owner.to_be_bytes());
    // The length only matters when two sums are combined, which never happens here.
    let mut hasher = Hasher::new_with_initial(content_crc);
    hasher.update(&bytes);
    hasher.finalize()
}

/// Does the node at this path count? `/zookeeper` itself does, what is below it does not.
pub fn counts_in_digest(path: &str) -> bool {
    !path.starts_with("/zookeeper/")
}

/// The digest of a tree that holds nothing but the system's own nodes.
pub const EMPTY_TREE: u64 = 1_371_985_504;
