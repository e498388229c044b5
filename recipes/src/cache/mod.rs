//! A copy of nodes that follows them.

mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::task::{Context, Poll, Waker};

use client::{AddWatchMode, Client, ErrorCode, EventType, NodeData, Notice, WatchEnd, Watcher};

use crate::Error;
use crate::contend::join;
use crate::retry;
pub use view::Change;
use view::{Update, View};

/// Nodes that are read at a time.
const WINDOW: usize = 256;

/// A copy of a node, of a node and its children, or of a tree, and what changes in it.
///
/// Nothing runs in the background: [`next`](Cache::next) reads, applies one change to the copy,
/// and tells it. So the copy is always that which the changes so far have made. Who does not call
/// it for long keeps the copy as it is; what it missed is then read again.
///
/// # What the copy is worth
///
/// Each node is one that was there, and never goes back to an earlier state. Between two
/// [`Change::Settled`] the nodes may be of different times. With `Settled(zxid)` the copy is
/// exactly what the servers had after that transaction, but for what no watch tells: the ACLs'
/// versions, and of a parent's Stat `cversion`, `num_children` and `pzxid`. While others write
/// without a pause it may take long to settle; the changes come all the same. Some states in
/// between may be passed over.
///
/// *Why.* The watch is set before anything is read, and a server sends the event of a transaction
/// before any answer whose zxid is as high. So if no event has come before an answer with the
/// zxid Z, then nothing that had been read by then changed until Z.
///
/// Does the work of Curator's `CuratorCache` (and its `NodeCache`, `PathChildrenCache` and
/// `TreeCache`), and of kazoo's `TreeCache`, `DataWatch` and `ChildrenWatch`. Needs a server of
/// 3.6 or later, and the permission to read all of the nodes.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// use recipes::{Cache, Change};
/// let persistent = client::CreateOptions::persistent();
/// client.create("/config", "", &persistent).await?;
/// let mut cache = Cache::tree(&client, "/config").await?;
/// let zxid = cache.settled().await?;
/// assert_eq!(cache.len(), 1);
///
/// client.create("/config/colour", "red", &persistent).await?;
/// assert_eq!(cache.next().await?, Change::Created("/config/colour".to_owned()));
/// let colour = cache.get("/config/colour").and_then(|node| node.text());
/// assert_eq!(colour, Some("red"));
/// assert!(cache.settled().await? > zxid);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Cache {
    client: Client,
    root: String,
    /// Levels below the root that are copied.
    depth_max: usize,
    watcher: Watcher,
    view: View,
    work: Work,
}

/// What is to be read.
#[derive(Debug)]
struct Work {
    /// A reading of everything that is under way.
    walk: Option<Walk>,
    /// Nodes that have changed since they were read.
    dirty: BTreeSet<String>,
    /// There is no connection on which the watch is set.
    is_blind: bool,
    /// Whether the copy was said to be exact, and nothing was heard since.
    is_settled: bool,
}

#[derive(Debug)]
struct Walk {
    todo: Vec<String>,
    seen: BTreeSet<String>,
}

/// What was read of a node; `None` if it is not there. The names of its children if they were
/// asked for.
struct Found {
    path: String,
    node: Option<NodeData>,
    children: Vec<String>,
}

impl Cache {
    /// A copy of this node alone, which need not exist.
    ///
    /// Cancellation: the watch is removed.
    ///
    /// # Errors
    /// [`Error::Client`] with the end of the session, or what the server refuses.
    pub async fn node(client: &Client, path: &str) -> Result<Self, Error> {
        Self::new(client, path, 0).await
    }

    /// A copy of this node, which need not exist, and its children.
    ///
    /// Cancellation: the watch is removed.
    ///
    /// # Errors
    /// As [`Cache::node`].
    pub async fn children(client: &Client, path: &str) -> Result<Self, Error> {
        Self::new(client, path, 1).await
    }

    /// A copy of this node, which need not exist, and all below it.
    ///
    /// Cancellation: the watch is removed.
    ///
    /// # Errors
    /// As [`Cache::node`].
    pub async fn tree(client: &Client, path: &str) -> Result<Self, Error> {
        Self::new(client, path, usize::MAX).await
    }

    async fn new(client: &Client, root: &str, depth_max: usize) -> Result<Self, Error> {
        let mode = match depth_max {
            0 => AddWatchMode::Persistent,
            _ => AddWatchMode::PersistentRecursive,
        };
        let watcher = retry::answered(client, || client.add_watch(root, mode)).await?;
        Ok(Self {
            client: client.clone(),
            root: root.to_owned(),
            depth_max,
            watcher,
            view: View::default(),
            work: Work {
                walk: Some(Walk::from(root)),
                dirty: BTreeSet::new(),
                is_blind: false,
                is_settled: false,
            },
        })
    }

    /// The copy of a node, if there is such a node.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&NodeData> {
        self.view.nodes().get(path)
    }

    /// All nodes by their paths.
    #[must_use]
    pub fn nodes(&self) -> &BTreeMap<String, NodeData> {
        self.view.nodes()
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes().len()
    }

    /// Whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes().is_empty()
    }

    /// Waits for the next change, and applies it to the copy. The nodes that are there at the
    /// beginning come as created.
    ///
    /// Cancellation: nothing is lost. The change is applied with the next call.
    ///
    /// # Errors
    /// As [`Cache::node`]; [`Error::Unwatched`] if the client's watches are removed.
    pub async fn next(&mut self) -> Result<Change, Error> {
        loop {
            if let Some(change) = self.view.apply() {
                return Ok(change);
            }
            self.go_on().await?;
        }
    }

    /// Applies changes until the copy is exact, and tells at which zxid.
    ///
    /// Cancellation: as [`Cache::next`]; the changes that were applied are not told again.
    ///
    /// # Errors
    /// As [`Cache::next`].
    pub async fn settled(&mut self) -> Result<i64, Error> {
        loop {
            if let Change::Settled(zxid) = self.next().await? {
                return Ok(zxid);
            }
        }
    }

    /// Hears what has changed, or reads some of it. Nothing is changed here between the first
    /// await and the last.
    async fn go_on(&mut self) -> Result<(), Error> {
        self.hear()?;
        if self.view.has_updates() {
            return Ok(());
        }
        if self.work.is_blind || self.work.is_settled {
            let notice = self.watcher.next().await;
            let notice = notice.map_err(|end| self.ended(end))?;
            self.note(notice);
            return Ok(());
        }
        let (paths, with_children) = self.work.next_paths();
        match self.read(&paths, with_children).await {
            Ok((found, zxid)) => self.add(found, zxid),
            // The watcher tells more of it.
            Err(error) if retry::is_passing(&error) => {
                retry::pause(&self.client).await;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Notes what has been told, without waiting.
    fn hear(&mut self) -> Result<(), Error> {
        let context = Context::from_waker(Waker::noop());
        while let Poll::Ready(notice) = self.watcher.poll_next(&context) {
            let notice = notice.map_err(|end| self.ended(end))?;
            self.note(notice);
        }
        Ok(())
    }

    fn note(&mut self, notice: Notice) {
        match notice {
            Notice::Event(event) if event.kind == EventType::NodeChildrenChanged => {}
            Notice::Event(event) => {
                if depth(&self.root, &event.path) <= self.depth_max {
                    self.work.dirty.insert(event.path);
                    self.work.is_settled = false;
                }
            }
            Notice::Disconnected => {
                self.work.is_blind = true;
                self.view.push(Update::Disconnected);
            }
            Notice::Reconnected => {
                self.work.is_blind = false;
                self.work.walk_from(&self.root);
            }
            Notice::Lost(_) => self.work.walk_from(&self.root),
        }
    }

    /// Reads these nodes, and the zxid of an answer behind all of theirs.
    async fn read(
        &self,
        paths: &[String],
        with_children: bool,
    ) -> Result<(Vec<Found>, i64), client::Error> {
        let calls = paths.iter().map(|path| {
            let goes_on = with_children && depth(&self.root, path) < self.depth_max;
            let children = goes_on.then(|| self.client.get_children(path));
            (path, self.client.get_data(path), children)
        });
        let calls: Vec<_> = calls.collect();
        let last = self.client.exists(&self.root);
        let mut found = Vec::with_capacity(calls.len());
        for (path, node, children) in calls {
            let node = if_there(node.await)?;
            let children = match children {
                Some(children) => if_there(children.await)?.unwrap_or_default(),
                None => Vec::new(),
            };
            let path = path.clone();
            found.push(Found {
                path,
                node,
                children,
            });
        }
        let (_, zxid) = last.with_zxid().await?;
        Ok((found, zxid))
    }

    /// Takes what was read, and sees whether that was all.
    fn add(&mut self, found: Vec<Found>, zxid: i64) -> Result<(), Error> {
        let vanished = self.work.done(&found, self.view.nodes());
        let (there, gone): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|found| found.node.is_some());
        // Children go before their parents, and come behind them.
        for path in vanished.into_iter().rev() {
            self.view.push(Update::Node(path, None));
        }
        for found in gone.into_iter().rev() {
            self.view.push(Update::Node(found.path, None));
        }
        for found in there {
            self.view.push(Update::Node(found.path, found.node));
        }
        // All events up to this zxid have come by now.
        self.hear()?;
        if self.work.is_done() {
            self.work.is_settled = true;
            self.view.push(Update::Settled(zxid));
        }
        Ok(())
    }

    fn ended(&self, end: WatchEnd) -> Error {
        match end {
            WatchEnd::Removed => Error::Unwatched(self.root.clone()),
            WatchEnd::SessionExpired => client::Error::SessionExpired.into(),
            WatchEnd::Closed => client::Error::Closed.into(),
            WatchEnd::AuthFailed => client::Error::AuthFailed.into(),
        }
    }
}

impl Work {
    fn walk_from(&mut self, root: &str) {
        self.walk = Some(Walk::from(root));
        self.dirty.clear();
        self.is_settled = false;
    }

    /// What to read next, and whether the names of its children too. They stay to be read until
    /// they are [`done`](Self::done).
    fn next_paths(&self) -> (Vec<String>, bool) {
        match &self.walk {
            Some(walk) => (walk.next_paths().to_vec(), true),
            None => (self.dirty.iter().take(WINDOW).cloned().collect(), false),
        }
    }

    /// Takes note of what was read. With the end of a walk, those of the known nodes that it has
    /// not seen, in their order.
    fn done(&mut self, found: &[Found], known: &BTreeMap<String, NodeData>) -> Vec<String> {
        let Some(walk) = &mut self.walk else {
            for found in found {
                self.dirty.remove(&found.path);
            }
            return Vec::new();
        };
        walk.todo.truncate(walk.todo.len() - found.len());
        for found in found.iter().filter(|found| found.node.is_some()) {
            walk.seen.insert(found.path.clone());
            let children = found.children.iter().map(|name| join(&found.path, name));
            walk.todo.extend(children);
        }
        if !walk.todo.is_empty() {
            return Vec::new();
        }
        let seen = std::mem::take(&mut walk.seen);
        self.walk = None;
        let vanished = known.keys().filter(|path| !seen.contains(*path));
        vanished.cloned().collect()
    }

    fn is_done(&self) -> bool {
        self.walk.is_none() && self.dirty.is_empty() && !self.is_blind
    }
}

impl Walk {
    fn from(root: &str) -> Self {
        Self {
            todo: vec![root.to_owned()],
            seen: BTreeSet::new(),
        }
    }

    fn next_paths(&self) -> &[String] {
        &self.todo[self.todo.len().saturating_sub(WINDOW)..]
    }
}

/// How far a node is below the root.
fn depth(root: &str, path: &str) -> usize {
    let below = path.strip_prefix(root).unwrap_or_default();
    below.split('/').filter(|name| !name.is_empty()).count()
}

fn if_there<T>(read: Result<T, client::Error>) -> Result<Option<T>, client::Error> {
    match read {
        Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(None),
        read => read.map(Some),
    }
}
