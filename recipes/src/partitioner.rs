use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use client::{Client, ErrorCode, OneshotWatcher};

use crate::contend::{Claim, Cleaner, Hold, Naming, NodeName, join};
use crate::{Error, Loss, Mutex, MutexGuard, retry};

/// So long the members must be the same before the set is divided. kazoo's.
const TIME_BOUNDARY: Duration = Duration::from_secs(30);

/// Who gets what: the own identifier, those of all members, and the set.
type Divide = dyn Fn(&str, &[String], &[String]) -> Vec<String> + Send + Sync;

/// Divides a set among its members, and anew whenever a member comes or goes. Each item is one
/// member's at a time: it holds a lock on it.
///
/// Interoperates with kazoo's `SetPartitioner`. Its states are here:
///
/// | kazoo | Here |
/// | --- | --- |
/// | `ALLOCATING` | [`PartitionMember::acquire`] waits |
/// | `ACQUIRED` | there is a [`Partition`] |
/// | `RELEASE` | [`Partition::changed`] has come to its end |
/// | `FAILURE` | an error, or [`Loss::SessionEnded`] |
///
/// All members must have the same set and divide it the same way. An item that two of them want
/// is the first one's, and the other one waits for it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// use std::time::Duration;
/// let queues = ["queue-1", "queue-2", "queue-3"];
/// let partitioner = recipes::SetPartitioner::new(&client, "/work", "host-1", queues)
///     .time_boundary(Duration::from_millis(50));
/// let mut member = partitioner.join().await?;
/// // In a loop:
/// let partition = member.acquire().await?;
/// assert_eq!(partition.items(), queues);
/// tokio::select! {
///     change = partition.changed() => println!("to be divided again: {change:?}"),
///     () = async { /* work on these items */ } => {}
/// }
/// partition.release().await?;
/// // Behind the loop:
/// member.leave().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SetPartitioner {
    client: Client,
    path: String,
    identifier: String,
    items: Vec<String>,
    divide: Arc<Divide>,
    time_boundary: Duration,
    cleaner: Arc<Cleaner>,
}

impl fmt::Debug for SetPartitioner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetPartitioner")
            .field("path", &self.path)
            .field("identifier", &self.identifier)
            .field("items", &self.items)
            .field("time_boundary", &self.time_boundary)
            .finish_non_exhaustive()
    }
}

/// One of those among whom a set is divided. Dropping it leaves, in the background.
#[derive(Debug)]
pub struct PartitionMember {
    partitioner: SetPartitioner,
    /// The node that stands for it.
    hold: Hold,
}

/// The items that a member has. Dropping it gives them up, in the background.
#[derive(Debug)]
pub struct Partition<'m> {
    member: &'m PartitionMember,
    items: Vec<String>,
    /// In the order of the items.
    guards: Vec<MutexGuard>,
    /// Watches the members.
    watcher: tokio::sync::Mutex<Watch>,
}

/// Why a set has to be divided again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionChange {
    /// A member has come or gone.
    Members,
    /// The own membership, and with it the items, is lost. Without a connection there may be one
    /// again, and the items may be the same; otherwise it is over.
    Lost(Loss),
}

/// A watch on the members.
#[derive(Debug)]
enum Watch {
    Set(OneshotWatcher),
    Over,
}

impl Watch {
    /// Waits until the members may have changed. Cancellation: nothing is lost.
    async fn over(&mut self) {
        if let Self::Set(watcher) = self {
            // Lost or not: they have to be read again.
            let _ = watcher.await;
            *self = Self::Over;
        }
    }
}

impl SetPartitioner {
    /// Divides these items among the members of this directory, which is made when it is needed.
    /// `identifier` must be no other member's: host and process id, say. The items become names of
    /// nodes.
    #[must_use]
    pub fn new<I>(client: &Client, path: &str, identifier: &str, items: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self {
            client: client.clone(),
            path: path.to_owned(),
            identifier: identifier.to_owned(),
            items: items.into_iter().map(Into::into).collect(),
            divide: Arc::new(every_nth),
            time_boundary: TIME_BOUNDARY,
            cleaner: Arc::default(),
        }
    }

    /// So long the members must be the same before the set is divided, in place of 30 s. Of a
    /// group that starts together, say, the set is then divided once.
    #[must_use]
    pub fn time_boundary(mut self, time_boundary: Duration) -> Self {
        self.time_boundary = time_boundary;
        self
    }

    /// Divides by this function: it is given the own identifier, those of all members, and the
    /// items, and tells the own ones. Otherwise they are sorted, and each member has every n-th.
    #[must_use]
    pub fn divide_by(
        mut self,
        divide: impl Fn(&str, &[String], &[String]) -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        self.divide = Arc::new(divide);
        self
    }

    /// Becomes a member.
    ///
    /// Cancellation: it is none. Its node is deleted in the background.
    ///
    /// # Errors
    /// As [`Mutex::acquire`].
    pub async fn join(&self) -> Result<PartitionMember, Error> {
        let party = join(&self.path, "party");
        let name = NodeName::fixed(Naming::Kazoo, &format!("-{}", self.identifier));
        let mut claim = Claim::new(&self.client, &self.cleaner, &party, name).await?;
        claim.create(self.identifier.as_bytes()).await?;
        Ok(PartitionMember {
            partitioner: self.clone(),
            hold: Hold::new(claim),
        })
    }

    /// The identifiers of the members, sorted.
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// What the client reports.
    pub async fn members(&self) -> Result<Vec<String>, Error> {
        let party = join(&self.path, "party");
        let read = || self.client.get_children(&party);
        match retry::answered(&self.client, read).await {
            Ok(names) => Ok(identifiers(&names)),
            Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}

impl PartitionMember {
    /// Waits until the members have been the same for the time boundary, and the own items are
    /// locked. If a member comes or goes meanwhile, all starts again.
    ///
    /// Cancellation: the items that are locked by then are given up, in the background. It stays
    /// a member.
    ///
    /// # Errors
    /// As [`Mutex::acquire`]: [`Error::Deleted`] if somebody has deleted the node of this member.
    pub async fn acquire(&mut self) -> Result<Partition<'_>, Error> {
        let member = &*self;
        loop {
            let (members, mut watch) = member.settled().await?;
            let partitioner = &member.partitioner;
            let own = &partitioner.identifier;
            let items = (partitioner.divide)(own, &members, &partitioner.items);
            let locked = tokio::select! {
                biased;
                () = watch.over() => continue,
                guards = member.lock(&items) => guards,
            };
            return Ok(Partition {
                member,
                guards: locked?,
                items,
                watcher: tokio::sync::Mutex::new(watch),
            });
        }
    }

    async fn lock(&self, items: &[String]) -> Result<Vec<MutexGuard>, Error> {
        let locks = join(&self.partitioner.path, "locks");
        let mut guards = Vec::with_capacity(items.len());
        for item in items {
            let mutex = Mutex::new(&self.partitioner.client, &join(&locks, item));
            guards.push(mutex.naming(Naming::Kazoo).acquire().await?);
        }
        Ok(guards)
    }

    /// The members, when they have been the same for the time boundary, and a watch on them.
    async fn settled(&self) -> Result<(Vec<String>, Watch), Error> {
        let client = &self.partitioner.client;
        let party = join(&self.partitioner.path, "party");
        let deleted = || Error::Deleted(self.hold.path().to_owned());
        loop {
            let (names, watcher) = match client.get_children_and_watch(&party).await {
                Ok((names, _, watcher)) => (names, watcher),
                Err(error) if retry::is_passing(&error) => {
                    retry::pause(client).await;
                    continue;
                }
                Err(error) if error.code() == Some(ErrorCode::NoNode) => return Err(deleted()),
                Err(error) => return Err(error.into()),
            };
            if !names.iter().any(|name| name == self.hold.name()) {
                return Err(deleted());
            }
            let mut watch = Watch::Set(watcher);
            let changed = tokio::time::timeout(self.partitioner.time_boundary, watch.over()).await;
            if changed.is_err() {
                return Ok((identifiers(&names), watch));
            }
            retry::connected(client).await;
        }
    }

    /// Is a member no longer.
    ///
    /// Cancellation: it leaves in the background.
    ///
    /// # Errors
    /// As [`Hold::release`].
    pub async fn leave(self) -> Result<(), Error> {
        self.hold.release().await
    }
}

impl Partition<'_> {
    /// The items that are this member's.
    #[must_use]
    pub fn items(&self) -> &[String] {
        &self.items
    }

    /// The lock of an item: its fencing token, and multis that fail if it is lost.
    #[must_use]
    pub fn hold(&self, item: &str) -> Option<&Hold> {
        let index = self.items.iter().position(|own| own == item)?;
        self.guards.get(index).map(|guard| &**guard)
    }

    /// Waits until the set has to be divided again, and this to be released. Poll it all the time
    /// something depends on having the items: others wait for them.
    ///
    /// Cancellation: nothing is lost. The next call tells it.
    pub async fn changed(&self) -> PartitionChange {
        let members = async { self.watcher.lock().await.over().await };
        let lost = pin!(self.member.hold.lost());
        tokio::select! {
            loss = lost => PartitionChange::Lost(loss),
            () = members => PartitionChange::Members,
        }
    }

    /// Gives the items up, and waits until other members can have them.
    ///
    /// Cancellation: they are given up in the background.
    ///
    /// # Errors
    /// As [`Hold::release`]; then the others are given up in the background.
    pub async fn release(self) -> Result<(), Error> {
        for guard in self.guards {
            guard.release().await?;
        }
        Ok(())
    }
}

/// What stands behind the UUIDs of the members' nodes, sorted.
fn identifiers(names: &[String]) -> Vec<String> {
    let identifiers = names.iter().filter_map(|name| name.split_once('-'));
    let mut identifiers: Vec<_> = identifiers.map(|(_, name)| name.to_owned()).collect();
    identifiers.sort_unstable();
    identifiers
}

/// Each member's are as many, or one more.
fn every_nth(own: &str, members: &[String], items: &[String]) -> Vec<String> {
    let mut members: Vec<_> = members.iter().collect();
    let mut items: Vec<_> = items.iter().collect();
    members.sort_unstable();
    items.sort_unstable();
    let Some(place) = members.iter().position(|member| *member == own) else {
        return Vec::new();
    };
    let own = items.into_iter().skip(place).step_by(members.len());
    own.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn each_item_is_one_members() {
        for (members, items, expected) in [
            (
                &["b", "a"][..],
                &["3", "1", "2"][..],
                &[&["1", "3"][..], &["2"]][..],
            ),
            (&["a"], &["2", "1"], &[&["1", "2"]]),
            (&["a", "b", "c"], &["1"], &[&["1"], &[], &[]]),
            (&["a"], &[], &[&[]]),
        ] {
            let mut sorted = owned(members);
            sorted.sort_unstable();
            for (own, expected) in sorted.iter().zip(expected) {
                let divided = every_nth(own, &owned(members), &owned(items));
                assert_eq!(divided, *expected, "{own} of {members:?}");
            }
        }
        assert!(every_nth("x", &owned(&["a"]), &owned(&["1"])).is_empty());
    }

    #[test]
    fn identifiers_may_have_hyphens() {
        let names = owned(&["0123-host-2-77", "abcd-host-1-42", "nothing"]);
        assert_eq!(identifiers(&names), ["host-1-42", "host-2-77"]);
    }
}
