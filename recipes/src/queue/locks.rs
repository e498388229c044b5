//! Entries that are held while they are worked on.
//!
//! Who works on an entry has an ephemeral node of the entry's name in another directory. Only who
//! has it may remove the entry. With the session the node goes, and the entry can be had again.
//!
//! The data of the node say whose it is: by them it is found when the answer to its making is
//! lost, also among several who take entries in one session.

use std::collections::BTreeSet;

use client::{CreateOptions, ErrorCode, Expected};

use super::entries::{Entries, told_or_due};
use crate::contend::{Arena, Claim, Hold, Naming, NodeName, join, parents};
use crate::{Error, retry};

#[derive(Clone, Debug)]
pub(super) struct Locks {
    pub(super) entries: Entries,
    arena: Arena,
}

/// An entry that is held. Dropping it leaves the entry where it was.
#[derive(Debug)]
pub(super) struct Held {
    entries: Entries,
    name: String,
    pub(super) data: Vec<u8>,
    pub(super) hold: Hold,
}

impl Locks {
    pub(super) fn new(entries: Entries, path: &str) -> Self {
        let arena = Arena::new(&entries.client, path, &[]);
        Self { entries, arena }
    }

    /// Makes both directories.
    pub(super) async fn ensure(&self) -> Result<(), Error> {
        self.entries.ensure().await?;
        parents::ensure_kept(&self.arena.client, &self.arena.parent).await
    }

    /// Waits for an entry that nobody holds.
    pub(super) async fn hold(&self) -> Result<Held, Error> {
        loop {
            if let Some(held) = self.try_hold().await? {
                return Ok(held);
            }
            self.until_ready().await?;
        }
    }

    /// The first entry that nobody holds.
    pub(super) async fn try_hold(&self) -> Result<Option<Held>, Error> {
        let names = self.entries.ready().await?.names;
        if names.is_empty() {
            return Ok(None);
        }
        let held = self.names().await?;
        for name in free(names, held) {
            if let Some(held) = self.hold_this(&name).await? {
                return Ok(Some(held));
            }
        }
        Ok(None)
    }

    /// The names of entries that are held. Makes the directory if need be: the first one to make a
    /// node in it would make a container.
    pub(super) async fn names(&self) -> Result<Vec<String>, Error> {
        let client = &self.arena.client;
        let read = || client.get_children(&self.arena.parent);
        match retry::answered(client, read).await {
            Ok(names) => Ok(names),
            Err(error) if error.code() == Some(ErrorCode::NoNode) => {
                self.ensure().await?;
                Ok(Vec::new())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// This entry, unless somebody holds it or it is gone.
    pub(super) async fn hold_this(&self, name: &str) -> Result<Option<Held>, Error> {
        let own = NodeName::told_by_data(name);
        let arena = &self.arena;
        let mut claim = Claim::new(&arena.client, &arena.cleaner, &arena.parent, own).await?;
        let mine = Naming::Kazoo.prefix(&arena.client)?;
        match claim.create(mine.as_bytes()).await {
            Ok(()) => {}
            Err(Error::Client(error)) if error.code() == Some(ErrorCode::NodeExists) => {
                claim.disown();
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        let Some(node) = self.entries.read(name).await? else {
            claim.withdraw().await?;
            return Ok(None);
        };
        Ok(Some(Held {
            entries: self.entries.clone(),
            name: name.to_owned(),
            data: node.data.unwrap_or_default(),
            hold: Hold::new(claim),
        }))
    }

    /// Waits until there may be an entry that nobody holds.
    async fn until_ready(&self) -> Result<(), Error> {
        let client = &self.arena.client;
        let entries = client.get_children_and_watch(&self.entries.path);
        let locks = client.get_children_and_watch(&self.arena.parent);
        match tokio::try_join!(entries, locks) {
            Ok(((names, _, entries), (held, _, locks))) => {
                let ready = self.entries.ready_among(names);
                if free(ready.names, held).next().is_none() {
                    let told = async {
                        tokio::select! {
                            biased;
                            told = entries => told,
                            told = locks => told,
                        }
                    };
                    told_or_due(client, told, ready.next).await;
                }
                Ok(())
            }
            Err(error) if error.code() == Some(ErrorCode::NoNode) => self.ensure().await,
            Err(error) if retry::is_passing(&error) => {
                retry::pause(client).await;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Those that nobody holds.
fn free(names: Vec<String>, held: Vec<String>) -> impl Iterator<Item = String> {
    let held: BTreeSet<_> = held.into_iter().collect();
    names.into_iter().filter(move |name| !held.contains(name))
}

impl Held {
    pub(super) fn path(&self) -> String {
        self.entries.path_of(&self.name)
    }

    /// Removes the entry.
    pub(super) async fn consume(self) -> Result<(), Error> {
        self.finish(None).await
    }

    /// Removes the entry, and puts it behind the others with its stem.
    pub(super) async fn requeue(self) -> Result<(), Error> {
        let entry = self.entries.format.parse(&self.name);
        let stem = entry.map_or(&*self.name, |entry| entry.stem);
        let again = join(&self.entries.path, stem);
        self.finish(Some(again)).await
    }

    /// Leaves the entry where it was.
    pub(super) async fn release(self) -> Result<(), Error> {
        self.hold.release().await
    }

    /// Removes entry and node at once, so the entry is removed only while it is held. When the
    /// answer is lost the entry tells: nobody else removes it as long as it is held.
    async fn finish(self, again: Option<String>) -> Result<(), Error> {
        let client = &self.entries.client;
        let path = self.path();
        let options = CreateOptions::persistent().sequential().without_stat();
        loop {
            let multi = client.multi().delete(self.hold.path(), Expected::Any);
            let multi = multi.delete(&path, Expected::Any);
            let multi = match &again {
                Some(stem) => multi.create(stem, &self.data[..], &options),
                None => multi,
            };
            match multi.commit().await {
                Ok(_) => {
                    self.hold.disown();
                    return Ok(());
                }
                Err(client::Error::MultiFailed {
                    index,
                    code: ErrorCode::NoNode,
                }) => {
                    if index > 0 {
                        return Err(Error::Deleted(path));
                    }
                    let lost = self.hold.path().to_owned();
                    self.hold.disown();
                    return Err(Error::Deleted(lost));
                }
                Err(error) if retry::is_passing(&error) => {
                    retry::pause(client).await;
                    if error.may_have_happened() && self.is_gone(&path).await? {
                        return Ok(());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn is_gone(&self, path: &str) -> Result<bool, Error> {
        let client = &self.entries.client;
        retry::answered(client, || client.sync(path)).await?;
        let stat = retry::answered(client, || client.exists(path)).await?;
        Ok(stat.is_none())
    }
}
