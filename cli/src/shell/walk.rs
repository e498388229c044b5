//! Walks through a subtree, many requests at a time.
//!
//! None is a snapshot: what changes meanwhile is seen or not.

use jute::ErrorCode;
use jute::data::Stat;

use super::failure::Failure;
use super::link::Link;
use super::path;

/// Requests on their way at a time.
pub(crate) const WINDOW: usize = 256;

/// Nodes that are still to be looked into, the next one on top. Those below it are read ahead.
#[derive(Default)]
struct Stack {
    nodes: Vec<Pending>,
    watches: bool,
}

struct Pending {
    path: String,
    /// Levels below the top.
    depth: usize,
    /// Is it the last of its parent's children?
    is_last: bool,
    read: Option<Result<(Vec<String>, Stat), Failure>>,
}

impl Pending {
    fn top(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            depth: 0,
            is_last: true,
            read: None,
        }
    }
}

impl Stack {
    fn of(path: &str, watches: bool) -> Self {
        Self {
            nodes: vec![Pending::top(path)],
            watches,
        }
    }

    /// The next node with its children in alphabetical order, or why they cannot be read.
    /// Nodes that have gone meanwhile are passed over, but for the top.
    async fn pop(
        &mut self,
        link: &Link,
    ) -> Option<(Pending, Result<(Vec<String>, Stat), Failure>)> {
        // Each turn takes a node off the stack, and a tree is finite.
        loop {
            self.read_ahead(link).await;
            let mut node = self.nodes.pop()?;
            match node.read.take()? {
                Err(failure) if failure.code == Some(ErrorCode::NoNode) && node.depth > 0 => {}
                Ok((mut children, stat)) => {
                    children.sort_unstable();
                    return Some((node, Ok((children, stat))));
                }
                Err(failure) => return Some((node, Err(failure))),
            }
        }
    }

    fn push_below(&mut self, node: &Pending, children: &[String]) {
        let last = children.len().saturating_sub(1);
        let below = children.iter().enumerate().rev();
        self.nodes.extend(below.map(|(at, name)| Pending {
            path: path::child(&node.path, name),
            depth: node.depth + 1,
            is_last: at == last,
            read: None,
        }));
    }

    /// Asks for the next nodes, unless the very next one is there.
    async fn read_ahead(&mut self, link: &Link) {
        if self.nodes.last().is_none_or(|next| next.read.is_some()) {
            return;
        }
        let start = self.nodes.len().saturating_sub(WINDOW);
        let unread = self.nodes[start..]
            .iter_mut()
            .filter(|node| node.read.is_none());
        let unread: Vec<&mut Pending> = unread.collect();
        let paths: Vec<&str> = unread.iter().map(|node| node.path.as_str()).collect();
        let lists = link.children_of_each(&paths, self.watches).await;
        for (node, list) in unread.into_iter().zip(lists) {
            node.read = Some(list);
        }
    }
}

/// A walk in the order of Apache's `ls -R`: the top, then, for each node in turn, all its
/// children, and behind them what is below each of them.
pub(crate) struct Walk {
    top: Option<String>,
    stack: Stack,
}

impl Walk {
    /// A walk from a node, setting watches at everything that it reads if so wanted.
    ///
    /// # Errors
    /// When the node cannot be read.
    pub(crate) async fn from(link: &Link, path: &str, watches: bool) -> Result<Self, Failure> {
        link.get(path, watches).await?;
        Ok(Self {
            top: Some(path.to_owned()),
            stack: Stack::of(path, watches),
        })
    }

    /// The next nodes; `None` when there are no more.
    ///
    /// # Errors
    /// When a node cannot be read. One that has gone meanwhile is passed over.
    pub(crate) async fn next(&mut self, link: &Link) -> Result<Option<Vec<String>>, Failure> {
        if let Some(top) = self.top.take() {
            return Ok(Some(vec![top]));
        }
        while let Some((node, read)) = self.stack.pop(link).await {
            let children = match read {
                // The top was there a moment ago.
                Err(failure) if failure.code == Some(ErrorCode::NoNode) => Vec::new(),
                read => read?.0,
            };
            if children.is_empty() {
                continue;
            }
            self.stack.push_below(&node, &children);
            let paths = children.iter().map(|name| path::child(&node.path, name));
            return Ok(Some(paths.collect()));
        }
        Ok(None)
    }
}

/// A node that a [`Survey`] came to.
pub(crate) struct Visited {
    pub(crate) path: String,
    /// Levels below the top.
    pub(crate) depth: usize,
    /// Is it the last of its parent's children?
    pub(crate) is_last: bool,
    /// Its Stat, or why there is none.
    pub(crate) stat: Result<Stat, Failure>,
}

/// A walk in the order of a drawn tree: each node before what is below it, that before its next
/// sibling.
pub(crate) struct Survey {
    stack: Stack,
    depth: usize,
}

impl Survey {
    /// A walk from a node, so many levels deep.
    pub(crate) fn from(path: &str, depth: usize) -> Self {
        Self {
            stack: Stack::of(path, false),
            depth,
        }
    }

    /// The next node; `None` when there are no more.
    pub(crate) async fn next(&mut self, link: &Link) -> Option<Visited> {
        let (node, read) = self.stack.pop(link).await?;
        if let Ok((children, _)) = &read
            && node.depth < self.depth
        {
            self.stack.push_below(&node, children);
        }
        Some(Visited {
            path: node.path,
            depth: node.depth,
            is_last: node.is_last,
            stat: read.map(|(_, stat)| stat),
        })
    }
}

/// A node and everything below it, level by level.
///
/// # Errors
/// When a node cannot be read, also because it has gone meanwhile.
pub(crate) async fn breadth_first(link: &Link, path: &str) -> Result<Vec<String>, Failure> {
    let mut nodes = vec![path.to_owned()];
    let mut read = 0;
    while read < nodes.len() {
        let end = nodes.len().min(read + WINDOW);
        let window: Vec<&str> = nodes[read..end].iter().map(String::as_str).collect();
        let lists = link.children_of_each(&window, false).await;
        for (at, list) in (read..end).zip(lists) {
            let (children, _) = list?;
            let paths = children.iter().map(|name| path::child(&nodes[at], name));
            let paths: Vec<String> = paths.collect();
            nodes.extend(paths);
        }
        read = end;
    }
    Ok(nodes)
}
