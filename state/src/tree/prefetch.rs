//! Brings nodes into the processor's caches before they are looked up.
//!
//! A lookup in a large tree waits for memory four times, one after the other: for the index twice,
//! for the node, and for its name. That is most of what it costs, and what comes in together need
//! not wait in turn. So each of the four is asked for at all nodes of a group before the next one
//! is: the processor then waits for many at once.

use super::{NodeId, Tree};

/// Nodes that are waited for together. A processor has some ten or twenty such waits under way.
const GROUP: usize = 32;

/// More would push each other out again before they are used.
const PATHS_MAX: usize = 256;

impl Tree {
    /// Prefetches the nodes at the first of these paths, which need not be paths, and returns how
    /// many were there. What is looked up soon after costs a fraction then; nothing else depends on
    /// it.
    pub fn prefetch<'a>(&self, paths: impl Iterator<Item = &'a [u8]>) -> usize {
        let mut parent: (&[u8], NodeId) = (b"", NodeId::ROOT);
        let (mut hashes, mut len, mut found) = ([0; GROUP], 0, 0);
        for path in paths.take(PATHS_MAX) {
            let Some(slash) = path.iter().rposition(|byte| *byte == b'/') else {
                continue;
            };
            let (above, name) = (&path[..slash], &path[slash + 1..]);
            // Most that comes in together is in one place.
            if above != parent.0 {
                let id = str::from_utf8(above)
                    .ok()
                    .and_then(|path| self.lookup(path));
                let Some(id) = id else {
                    continue;
                };
                parent = (above, id);
            }
            hashes[len] = self.index.hash(parent.1, name);
            len += 1;
            if len == GROUP {
                found += self.fetch(&hashes);
                len = 0;
            }
        }
        found + self.fetch(&hashes[..len])
    }

    /// No step of a loop here needs what another step of it waits for.
    fn fetch(&self, hashes: &[u32]) -> usize {
        let mut ids = [None; GROUP];
        for (id, hash) in ids.iter_mut().zip(hashes) {
            *id = self.index.guess(*hash);
        }
        let mut contents: [&[u8]; GROUP] = [&[]; GROUP];
        let (mut found, mut read) = (0, 0);
        for (content, id) in contents
            .iter_mut()
            .zip(ids)
            .filter_map(|(content, id)| Some((content, id?)))
        {
            let node = self.node(id);
            *content = node.content();
            // They lie in different lines of the cache.
            read ^= node.czxid ^ i64::from(node.content_crc);
            found += 1;
        }
        for content in &contents[..hashes.len()] {
            read ^= i64::from(content.first().copied().unwrap_or(0));
        }
        std::hint::black_box(read);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::AclId;
    use crate::tree::NewChild;
    use jute::data::StatPersisted;

    #[test]
    fn whatever_the_paths_are_those_that_are_there_are_found() {
        let mut tree = Tree::new(1);
        let stat = StatPersisted::default();
        let new = |path, data| NewChild {
            path,
            data,
            acl: AclId::OPEN,
            stat: &stat,
        };
        let top = tree.insert(NodeId::ROOT, &new("/a", None));
        let paths: Vec<_> = (0..PATHS_MAX)
            .map(|number| format!("/a/{number}"))
            .collect();
        for path in &paths {
            tree.insert(top, &new(path, Some(b"1")));
        }
        let all = paths.iter().map(String::as_bytes);
        assert_eq!(tree.prefetch(all.clone()), PATHS_MAX);
        assert_eq!(tree.prefetch(all.clone().chain(all)), PATHS_MAX);
        let table: [(&[&[u8]], usize); 5] = [
            (&[], 0),
            (&[b"/a"], 1),
            // Only names of nodes are in the index, and the root has none.
            (
                &[
                    b"", b"/", b"a", b"//", b"/\xff", b"/\xff/a", b"/b/0", b"/a/0/1",
                ],
                0,
            ),
            (&[b"/a", b"/a/7", b"/a/x", b"/a"], 3),
            (&[b"/x/0", b"/a/0", b"", b"/a/1"], 2),
        ];
        for (paths, expected) in table {
            assert_eq!(tree.prefetch(paths.iter().copied()), expected, "{paths:?}");
        }
    }
}
