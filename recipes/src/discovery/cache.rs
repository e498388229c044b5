use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use client::Client;
use serde::de::DeserializeOwned;

use super::{ServiceInstance, decoded};
use crate::Error;
use crate::cache::{Cache, Change};
use crate::contend::join;

/// What [`ServiceCache::next`] tells.
#[derive(Clone, Debug, PartialEq)]
pub enum InstanceChange<P> {
    /// An instance has come.
    Added(Arc<ServiceInstance<P>>),
    /// An instance has been updated. This is what it is now.
    Changed(Arc<ServiceInstance<P>>),
    /// An instance has gone. This is what it was.
    Removed(Arc<ServiceInstance<P>>),
    /// A node cannot be read as an instance with such a payload. It is not among the instances.
    Unreadable(Error),
    /// The instances are those that the servers had after the transaction with this zxid.
    Settled(i64),
    /// The connection is lost: until the next [`Settled`](Self::Settled) they may be old.
    Disconnected,
}

/// The instances of a service, as a copy that follows them. It is a [`Cache`], with the same
/// promises: nothing runs in the background, and what it has is what [`next`](Self::next) has told.
///
/// Does the work of Curator's `ServiceCache`.
#[derive(Debug)]
pub struct ServiceCache<P> {
    root: String,
    nodes: Cache,
    instances: BTreeMap<String, Arc<ServiceInstance<P>>>,
    payload: PhantomData<fn() -> P>,
}

impl<P: DeserializeOwned> ServiceCache<P> {
    pub(super) async fn new(client: &Client, root: String) -> Result<Self, Error> {
        Ok(Self {
            nodes: Cache::children(client, &root).await?,
            root,
            instances: BTreeMap::new(),
            payload: PhantomData,
        })
    }

    /// The instances, in the order of the names of their nodes.
    pub fn instances(&self) -> impl ExactSizeIterator<Item = &Arc<ServiceInstance<P>>> {
        self.instances.values()
    }

    /// The instance whose node has this name, which is its id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<ServiceInstance<P>>> {
        self.instances.get(&join(&self.root, id))
    }

    /// Waits for the next change, and applies it.
    ///
    /// Cancellation: nothing is lost. The change is applied with the next call.
    ///
    /// # Errors
    /// As [`Cache::next`].
    pub async fn next(&mut self) -> Result<InstanceChange<P>, Error> {
        loop {
            // Nothing is changed here but behind the only await.
            let change = self.nodes.next().await?;
            if let Some(change) = self.apply(change) {
                return Ok(change);
            }
        }
    }

    /// Applies changes until the copy is exact, and tells at which zxid.
    ///
    /// Cancellation: as [`ServiceCache::next`]; the changes that were applied are not told again.
    ///
    /// # Errors
    /// As [`Cache::next`].
    pub async fn settled(&mut self) -> Result<i64, Error> {
        loop {
            if let InstanceChange::Settled(zxid) = self.next().await? {
                return Ok(zxid);
            }
        }
    }

    /// `None` if it is not about an instance.
    fn apply(&mut self, change: Change) -> Option<InstanceChange<P>> {
        match change {
            Change::Created(path) | Change::Changed(path) => {
                let node = self.nodes.get(&path).filter(|_| path != self.root)?;
                match decoded(&path, node) {
                    Ok(instance) => {
                        let instance = Arc::new(instance);
                        let before = self.instances.insert(path, Arc::clone(&instance));
                        Some(match before {
                            Some(_) => InstanceChange::Changed(instance),
                            None => InstanceChange::Added(instance),
                        })
                    }
                    Err(error) => {
                        self.instances.remove(&path);
                        Some(InstanceChange::Unreadable(error))
                    }
                }
            }
            Change::Deleted(path) => self.instances.remove(&path).map(InstanceChange::Removed),
            Change::Settled(zxid) => Some(InstanceChange::Settled(zxid)),
            Change::Disconnected => Some(InstanceChange::Disconnected),
        }
    }
}
