//! The session that commands use: the client's calls, with failures as they are printed and
//! watches whose events are printed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use client::{
    AddWatchMode, Call, Client, CreateOptions, Error, Expected, NodeData, Payload, Reconfig,
    States, Status,
};
use jute::data::{Acl, Stat};
use jute::proto::WatcherType;
use jute::{CreateMode, ErrorCode};
use tokio::task::JoinHandle;

use super::configuration::Configuration;
use super::events::{Class, Printer, Watches, tell_states};
use super::failure::Failure;
use super::path;
use super::startup::Startup;

/// How often all servers are tried in vain before commands fail: nobody at a prompt wants to wait
/// for servers that are down, and one that restarts is found all the same.
const ROUNDS: u32 = 3;
/// How long a session that is given up waits for its server.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
/// Multis of deletions on their way at a time, as in Apache's client.
const BATCHES: usize = 10;

/// A session. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    client: Client,
    watches: Watches,
    /// Tells how the session stands, to its end.
    teller: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Link {
    /// Begins a session in the background.
    ///
    /// # Errors
    /// When the connect string makes no sense.
    pub(crate) fn open(
        server: &str,
        timeout: Duration,
        startup: &Startup,
        printer: &Printer,
    ) -> Result<Self, Failure> {
        let configuration = Configuration::read(startup.client_configuration.as_deref())?;
        let mut builder = Client::builder(server)
            .session_timeout(timeout)
            .unsent_timeout(timeout)
            .unsent_rounds_max(ROUNDS)
            .read_only(startup.is_read_only);
        if let Some(bytes) = configuration.max_frame {
            builder = builder.max_frame(bytes);
        }
        let client = builder.open().map_err(|error| failure(&error, None))?;
        let teller = tokio::spawn(tell_states(client.states(), printer.clone()));
        Ok(Self {
            client,
            watches: Watches::new(printer.clone()),
            teller: Arc::new(Mutex::new(Some(teller))),
        })
    }

    /// The changes of the session's state.
    pub(crate) fn states(&self) -> States {
        self.client.states()
    }

    /// How it stands.
    pub(crate) fn status(&self) -> Status {
        self.client.state().status
    }

    /// Waits for the connection; false if there is none in time.
    pub(crate) async fn wait_for_connection(&self, patience: Duration) -> bool {
        let mut states = self.states();
        let connected = states.wait_for(|state| {
            let status = state.status;
            status.is_connected() || status.has_ended()
        });
        let state = tokio::time::timeout(patience, connected).await;
        state.is_ok_and(|state| state.is_some_and(|state| state.status.is_connected()))
    }

    /// Closes the session, and waits until that was told. It is closed for us even if no server
    /// could hear of it in time.
    pub(crate) async fn close(&self) {
        // Without a connection the client goes on trying in the background.
        let closed = tokio::time::timeout(CLOSE_PATIENCE, self.client.close()).await;
        if closed.is_err() {
            return;
        }
        let teller = self
            .teller
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(teller) = teller {
            let _ = teller.await;
        }
    }

    /// The watches that commands have set.
    pub(crate) fn watches(&self) -> &Watches {
        &self.watches
    }

    /// The client itself, for what follows events on its own.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) async fn create(
        &self,
        path: &str,
        data: Option<&[u8]>,
        acl: Vec<Acl<'static>>,
        mode: CreateMode,
        ttl: Option<i64>,
    ) -> Result<String, Failure> {
        let call = self
            .client
            .create(path, payload(data), &options(mode, ttl).acl(acl));
        let created = call.await;
        let created = created.map_err(|error| failure(&error, Some(path)))?;
        Ok(created.path)
    }

    pub(crate) async fn get(
        &self,
        path: &str,
        watch: bool,
    ) -> Result<(Option<Vec<u8>>, Stat), Failure> {
        let found = if watch {
            let found = self.client.get_data_and_watch(path).await;
            found.map(|(found, watcher)| {
                self.watches.add_oneshot(path, Class::Data, watcher);
                found
            })
        } else {
            self.client.get_data(path).await
        };
        let NodeData { data, stat } = found.map_err(|error| failure(&error, Some(path)))?;
        Ok((data, stat))
    }

    pub(crate) async fn exists(&self, path: &str, watch: bool) -> Result<Option<Stat>, Failure> {
        let found = if watch {
            let found = self.client.exists_and_watch(path).await;
            found.map(|(found, watcher)| {
                self.watches.add_oneshot(path, Class::Data, watcher);
                found
            })
        } else {
            self.client.exists(path).await
        };
        found.map_err(|error| failure(&error, Some(path)))
    }

    pub(crate) async fn children(
        &self,
        path: &str,
        watch: bool,
    ) -> Result<(Vec<String>, Stat), Failure> {
        let found = if watch {
            let found = self.client.get_children_and_watch(path).await;
            found.map(|(names, stat, watcher)| {
                self.watches.add_oneshot(path, Class::Children, watcher);
                (names, stat)
            })
        } else {
            self.client.get_children_and_stat(path).await
        };
        found.map_err(|error| failure(&error, Some(path)))
    }

    /// The children of several nodes, asked for at once; the order is kept. How many that may
    /// be is the caller's choice.
    pub(crate) async fn children_of_each(
        &self,
        paths: &[&str],
        watch: bool,
    ) -> Vec<Result<(Vec<String>, Stat), Failure>> {
        let mut lists = Vec::with_capacity(paths.len());
        if watch {
            for path in paths {
                lists.push(self.children(path, true).await);
            }
            return lists;
        }
        // A call is on its way when it is made.
        let calls = paths
            .iter()
            .map(|path| self.client.get_children_and_stat(path));
        let calls: Vec<Call<_>> = calls.collect();
        for (call, path) in calls.into_iter().zip(paths) {
            lists.push(call.await.map_err(|error| failure(&error, Some(path))));
        }
        lists
    }

    /// As [`children_of_each`](Self::children_of_each), for data.
    pub(crate) async fn get_each(
        &self,
        paths: &[&str],
    ) -> Vec<Result<(Option<Vec<u8>>, Stat), Failure>> {
        let calls = paths.iter().map(|path| self.client.get_data(path));
        let calls: Vec<Call<NodeData>> = calls.collect();
        let mut found = Vec::with_capacity(paths.len());
        for (call, path) in calls.into_iter().zip(paths) {
            let node = call.await.map(|node| (node.data, node.stat));
            found.push(node.map_err(|error| failure(&error, Some(path))));
        }
        found
    }

    /// As [`children_of_each`](Self::children_of_each), for access control lists.
    pub(crate) async fn acl_of_each(
        &self,
        paths: &[&str],
    ) -> Vec<Result<Vec<Acl<'static>>, Failure>> {
        let calls = paths.iter().map(|path| self.client.get_acl(path));
        let calls: Vec<Call<_>> = calls.collect();
        let mut found = Vec::with_capacity(paths.len());
        for (call, path) in calls.into_iter().zip(paths) {
            let acl = call.await.map(|(acl, _)| acl);
            found.push(acl.map_err(|error| failure(&error, Some(path))));
        }
        found
    }

    pub(crate) async fn set(&self, path: &str, data: &[u8], version: i32) -> Result<Stat, Failure> {
        let stat = self.client.set_data(path, data, expected(version)).await;
        stat.map_err(|error| failure(&error, Some(path)))
    }

    pub(crate) async fn delete(&self, path: &str, version: i32) -> Result<(), Failure> {
        let outcome = self.client.delete(path, expected(version)).await;
        outcome.map_err(|error| failure(&error, Some(path)))
    }

    /// Deletes nodes in their order, so many in one transaction. False when a transaction was
    /// refused: what comes behind it is left, but for what was on its way already.
    pub(crate) async fn delete_in_batches(
        &self,
        paths: &[String],
        batch: usize,
    ) -> Result<bool, Failure> {
        let mut calls = VecDeque::new();
        let mut all_deleted = true;
        for paths in paths.chunks(batch) {
            if calls.len() == BATCHES
                && let Some(call) = calls.pop_front()
            {
                all_deleted &= was_done(call).await?;
            }
            if !all_deleted {
                break;
            }
            let multi = self.client.multi();
            let multi = paths
                .iter()
                .fold(multi, |multi, path| multi.delete(path, Expected::Any));
            calls.push_back(multi.commit());
        }
        for call in calls {
            all_deleted &= was_done(call).await?;
        }
        Ok(all_deleted)
    }

    pub(crate) async fn acl(&self, path: &str) -> Result<(Vec<Acl<'static>>, Stat), Failure> {
        let found = self.client.get_acl(path).await;
        found.map_err(|error| failure(&error, Some(path)))
    }

    pub(crate) async fn set_acl(
        &self,
        path: &str,
        acl: Vec<Acl<'static>>,
        version: i32,
    ) -> Result<Stat, Failure> {
        let stat = self.client.set_acl(path, acl, expected(version)).await;
        stat.map_err(|error| failure(&error, Some(path)))
    }

    pub(crate) async fn add_auth(&self, scheme: &str, auth: &[u8]) -> Result<(), Failure> {
        let outcome = self.client.add_auth(scheme, auth).await;
        outcome.map_err(|error| failure(&error, None))
    }

    pub(crate) async fn whoami(&self) -> Result<Vec<(String, String)>, Failure> {
        let infos = self.client.who_am_i().await;
        let infos = infos.map_err(|error| failure(&error, None))?.into_iter();
        Ok(infos.map(|info| (info.scheme, info.user)).collect())
    }

    pub(crate) async fn sync(&self, path: &str) -> Result<(), Error> {
        self.client.sync(path).await
    }

    pub(crate) async fn config(&self, watch: bool) -> Result<(Option<Vec<u8>>, Stat), Failure> {
        let path = jute::path::CONFIG;
        let found = if watch {
            let found = self.client.get_config_and_watch().await;
            found.map(|(found, watcher)| {
                self.watches.add_oneshot(path, Class::Data, watcher);
                found
            })
        } else {
            self.client.get_config().await
        };
        let NodeData { data, stat } = found.map_err(|error| failure(&error, Some(path)))?;
        Ok((data, stat))
    }

    pub(crate) async fn reconfig(&self, change: &Reconfig) -> Result<(String, Stat), Failure> {
        let changed = self.client.reconfig(change).await;
        changed.map_err(|error| failure(&error, None))
    }

    pub(crate) async fn add_watch(&self, path: &str, mode: AddWatchMode) -> Result<(), Failure> {
        let watcher = self.client.add_watch(path, mode).await;
        let watcher = watcher.map_err(|error| failure(&error, Some(path)))?;
        let class = match mode {
            AddWatchMode::Persistent => Class::Persistent,
            AddWatchMode::PersistentRecursive => Class::Recursive,
        };
        self.watches.add_persistent(path, class, watcher);
        Ok(())
    }

    pub(crate) async fn remove_watches(
        &self,
        path: &str,
        kind: WatcherType,
    ) -> Result<(), Failure> {
        let outcome = self.client.remove_watches(path, kind).await;
        outcome.map_err(|error| failure(&error, Some(path)))
    }

    pub(crate) async fn ephemerals(&self, prefix: &str) -> Result<Vec<String>, Failure> {
        let found = self.client.get_ephemerals(prefix).await;
        found.map_err(|error| failure(&error, Some(prefix)))
    }

    pub(crate) async fn all_children_number(&self, path: &str) -> Result<u32, Failure> {
        let number = self.client.get_all_children_number(path).await;
        number.map_err(|error| failure(&error, Some(path)))
    }
}

fn payload(data: Option<&[u8]>) -> Payload {
    Payload::from(data.map(<[u8]>::to_vec))
}

fn expected(version: i32) -> Expected {
    match version {
        -1 => Expected::Any,
        version => Expected::Version(version),
    }
}

/// The client's options for a mode.
pub(crate) fn options(mode: CreateMode, ttl: Option<i64>) -> CreateOptions {
    let ttl = Duration::from_millis(ttl.unwrap_or_default().unsigned_abs());
    let options = match mode {
        CreateMode::Persistent | CreateMode::PersistentSequential => CreateOptions::persistent(),
        CreateMode::Ephemeral | CreateMode::EphemeralSequential => CreateOptions::ephemeral(),
        CreateMode::Container => CreateOptions::container(),
        CreateMode::PersistentWithTtl | CreateMode::PersistentSequentialWithTtl => {
            CreateOptions::ttl(ttl)
        }
    };
    // Only what containers and time to live need is asked of old servers.
    let options = match mode {
        CreateMode::Container
        | CreateMode::PersistentWithTtl
        | CreateMode::PersistentSequentialWithTtl => options,
        _ => options.without_stat(),
    };
    if mode.is_sequential() {
        options.sequential()
    } else {
        options
    }
}

/// Was it done? False when the server refused it.
async fn was_done<T>(call: Call<T>) -> Result<bool, Failure> {
    match call.await {
        Ok(_) => Ok(true),
        Err(error) if error.code().is_some() => Ok(false),
        Err(error) => Err(failure(&error, None)),
    }
}

/// A failed call as it is told: as Java's client would call it.
pub(crate) fn failure(error: &Error, path: Option<&str>) -> Failure {
    let code = match error {
        Error::Refused(code) | Error::MultiFailed { code, .. } => *code,
        Error::ConnectionLoss | Error::NotSent | Error::Unreachable(_) => ErrorCode::ConnectionLoss,
        Error::SessionExpired | Error::Closed => ErrorCode::SessionExpired,
        Error::AuthFailed => ErrorCode::AuthFailed,
        Error::InvalidPath { path, reason } => {
            return Failure::new(path::wording(path, *reason));
        }
        other => return Failure::new(other.to_string()),
    };
    Failure::refused(code, path)
}
