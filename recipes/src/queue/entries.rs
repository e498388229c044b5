//! A directory of entries: to put some in, and to take the first one out.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use client::{Client, CreateOptions, ErrorCode, Expected};

use super::name::Format;
use crate::contend::{join, parents};
use crate::{Error, children, retry};

/// Names of entries that are kept for the next ones to be taken.
const KEPT_MAX: usize = 1024;

/// Tells the time, milliseconds since 1970: see [`super::DistributedDelayQueue`].
#[derive(Clone)]
pub(super) struct Clock(pub(super) Arc<dyn Fn() -> i64 + Send + Sync>);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

#[derive(Clone, Debug)]
pub(super) struct Entries {
    pub(super) client: Client,
    pub(super) path: String,
    pub(super) format: Format,
    /// So many entries may be there; more wait to be put.
    pub(super) entries_max: usize,
    /// By it an entry is due, if the keys are times.
    pub(super) clock: Option<Clock>,
    /// The names of what comes next, if what is put meanwhile comes behind it.
    kept: Arc<Mutex<VecDeque<String>>>,
}

/// What can be taken.
#[derive(Debug, Default)]
pub(super) struct Ready {
    /// In their order.
    pub(super) names: Vec<String>,
    /// How long it is until another one can.
    pub(super) next: Option<Duration>,
}

impl Entries {
    pub(super) fn new(client: &Client, path: &str, format: Format) -> Self {
        Self {
            client: client.clone(),
            path: path.to_owned(),
            format,
            entries_max: usize::MAX,
            clock: None,
            kept: Arc::default(),
        }
    }

    pub(super) fn path_of(&self, name: &str) -> String {
        join(&self.path, name)
    }

    /// Makes the directory. It stays, except that of a simple queue, which Curator's makes anew
    /// when it has gone. The others of Curator and kazoo would fail.
    pub(super) async fn ensure(&self) -> Result<(), Error> {
        match self.format {
            Format::Simple => parents::ensure(&self.client, &self.path).await,
            _ => parents::ensure_kept(&self.client, &self.path).await,
        }
    }

    /// Puts an entry behind the others with the same stem.
    pub(super) async fn put(&self, stem: &str, data: &[u8]) -> Result<(), Error> {
        self.until_below_max().await?;
        let path = self.path_of(stem);
        let options = CreateOptions::persistent().sequential().without_stat();
        for _ in 0..parents::TRIES {
            loop {
                match self.client.create(&path, data, &options).await {
                    Ok(_) => return Ok(()),
                    Err(error) if error.code() == Some(ErrorCode::NoNode) => break,
                    Err(error) if retry::is_passing(&error) && !error.may_have_happened() => {
                        retry::pause(&self.client).await;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            self.ensure().await?;
        }
        Err(Error::ParentDeleted(self.path.clone()))
    }

    async fn until_below_max(&self) -> Result<(), Error> {
        if self.entries_max == usize::MAX {
            return Ok(());
        }
        while children::names(&self.client, &self.path).await?.len() >= self.entries_max {
            match self.client.get_children_and_watch(&self.path).await {
                Ok((names, ..)) if names.len() < self.entries_max => {}
                Ok((.., watcher)) => {
                    if watcher.await.is_err() {
                        retry::connected(&self.client).await;
                    }
                }
                Err(error) if error.code() == Some(ErrorCode::NoNode) => {}
                Err(error) if retry::is_passing(&error) => retry::pause(&self.client).await,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// How many entries there are.
    pub(super) async fn count(&self) -> Result<usize, Error> {
        let names = children::names(&self.client, &self.path).await?;
        let entries = names
            .iter()
            .filter(|name| self.format.parse(name).is_some());
        Ok(entries.count())
    }

    /// The entries that can be taken now.
    pub(super) async fn ready(&self) -> Result<Ready, Error> {
        let names = children::names(&self.client, &self.path).await?;
        Ok(self.ready_among(names))
    }

    pub(super) fn ready_among(&self, names: Vec<String>) -> Ready {
        let mut names = self.format.sorted(names);
        let Some(clock) = &self.clock else {
            return Ready { names, next: None };
        };
        let now = (clock.0)();
        let due = |name: &String| self.format.parse(name).map_or(0, |entry| entry.key);
        let later = names.split_off(names.partition_point(|name| due(name) <= now));
        let next = later.first().map(|name| {
            let wait = due(name).saturating_sub(now);
            Duration::from_millis(wait.try_into().unwrap_or(0))
        });
        Ready { names, next }
    }

    /// The data of an entry, unless it is gone.
    pub(super) async fn read(&self, name: &str) -> Result<Option<client::NodeData>, Error> {
        let path = self.path_of(name);
        match retry::answered(&self.client, || self.client.get_data(&path)).await {
            Ok(node) => Ok(Some(node)),
            Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The data of the first entry.
    pub(super) async fn peek(&self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            let names = self.ready().await?.names;
            if names.is_empty() {
                return Ok(None);
            }
            for name in names {
                if let Some(node) = self.read(&name).await? {
                    return Ok(node.data.or_else(|| Some(Vec::new())));
                }
            }
        }
    }

    /// Removes the first entry: its path and data.
    pub(super) async fn try_take(&self) -> Result<Option<(String, Vec<u8>)>, Error> {
        loop {
            let mut names = std::mem::take(&mut *self.kept());
            let were_kept = !names.is_empty();
            if !were_kept {
                names = self.ready().await?.names.into();
                if names.is_empty() {
                    return Ok(None);
                }
            }
            while let Some(name) = names.pop_front() {
                if let Some(data) = self.remove(&name).await? {
                    self.keep(names);
                    return Ok(Some((self.path_of(&name), data)));
                }
                if were_kept {
                    // Others take, too. More of these will be gone: another look is cheaper.
                    break;
                }
            }
        }
    }

    /// Spares the next ones who take to read all names again, where that changes no order.
    fn keep(&self, mut names: VecDeque<String>) {
        if self.format.is_first_in_first_out() {
            names.truncate(KEPT_MAX);
            *self.kept() = names;
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, VecDeque<String>> {
        // A panic cannot leave it half changed.
        self.kept.lock().unwrap_or_else(|lock| lock.into_inner())
    }

    /// Waits for an entry, and removes it: its path and data.
    pub(super) async fn take(&self) -> Result<(String, Vec<u8>), Error> {
        loop {
            if let Some(taken) = self.try_take().await? {
                return Ok(taken);
            }
            self.until_ready().await?;
        }
    }

    /// Reads an entry, and deletes it; `None` if somebody else has.
    async fn remove(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path_of(name);
        while let Some(node) = self.read(name).await? {
            let data = node.data.unwrap_or_default();
            match self.client.delete(&path, &node.stat).await {
                Ok(()) => return Ok(Some(data)),
                Err(error) if error.code() == Some(ErrorCode::NoNode) => return Ok(None),
                // Other data were written: those are to be taken.
                Err(error) if error.code() == Some(ErrorCode::BadVersion) => {}
                Err(error) if error.may_have_happened() => {
                    retry::pause(&self.client).await;
                    if !self.is_there(&path, node.stat.czxid).await {
                        return Err(Error::TakenPerhaps { path, data });
                    }
                }
                Err(error) if retry::is_passing(&error) => retry::pause(&self.client).await,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// Whether a node whose deletion was not answered is certainly there, and stays. By `sync`
    /// the deletion is applied here if it ever will be.
    async fn is_there(&self, path: &str, czxid: i64) -> bool {
        let looked = async {
            retry::answered(&self.client, || self.client.sync(path)).await?;
            retry::answered(&self.client, || self.client.exists(path)).await
        };
        let stat = looked.await.ok().flatten();
        stat.is_some_and(|stat| stat.czxid == czxid)
    }

    /// Removes an entry whatever it holds; whether it was there.
    pub(super) async fn discard(&self, name: &str) -> Result<bool, Error> {
        let path = self.path_of(name);
        let delete = || self.client.delete(&path, Expected::Any);
        match retry::answered(&self.client, delete).await {
            Ok(()) => Ok(true),
            Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until there may be an entry to take.
    async fn until_ready(&self) -> Result<(), Error> {
        match self.client.get_children_and_watch(&self.path).await {
            Ok((names, _, watcher)) => {
                let ready = self.ready_among(names);
                if ready.names.is_empty() {
                    told_or_due(&self.client, watcher, ready.next).await;
                }
                Ok(())
            }
            Err(error) if error.code() == Some(ErrorCode::NoNode) => self.ensure().await,
            Err(error) if retry::is_passing(&error) => {
                retry::pause(&self.client).await;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Waits for a change, or until an entry is due. The next look says why, if the session is over.
pub(super) async fn told_or_due(
    client: &Client,
    told: impl Future<Output = Result<client::WatchEvent, client::WatchEnd>>,
    due: Option<Duration>,
) {
    let due = async {
        match due {
            Some(wait) => tokio::time::sleep(wait).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        told = told => if told.is_err() {
            retry::connected(client).await;
        },
        () = due => {}
    }
}
