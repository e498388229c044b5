use jute::ErrorCode;
use jute::data::Stat;
use jute::path::CONFIG;
use jute::proto::{AddWatchMode, WatcherType};

use super::NodeData;
use super::nodes::{existing, names_and_stat, node_data};
use crate::session::{Reply, Request};
use crate::shell::call::Call;
use crate::shell::chroot::Chroot;
use crate::shell::client::{Client, nothing};
use crate::shell::error::Error;
use crate::shell::shared::{Answer, Registering};
use crate::shell::watch::{Class, OneshotWatcher, Subscription, Watcher};

impl Client {
    /// The Stat of a node if there is one, and a watch that tells when it is created, changed
    /// or deleted.
    ///
    /// Cancellation: see [`Call`]; the watch is removed.
    pub fn exists_and_watch(&self, path: &str) -> Call<(Option<Stat>, OneshotWatcher)> {
        let request = self.watching(Class::Data, path, |path| Request::Exists {
            path,
            watch: true,
        });
        self.begin(request, |answer, root| {
            let (outcome, watch) = apart(answer);
            Ok((existing(outcome)?, oneshot(watch, root)?))
        })
    }

    /// The data and Stat of a node, and a watch that tells when it is changed or deleted.
    ///
    /// Cancellation: see [`Call`]; the watch is removed.
    pub fn get_data_and_watch(&self, path: &str) -> Call<(NodeData, OneshotWatcher)> {
        let request = self.watching(Class::Data, path, |path| Request::GetData {
            path,
            watch: true,
        });
        self.begin(request, data_and_watch)
    }

    /// The names of a node's children and its Stat, and a watch that tells when a child comes
    /// or goes, or the node is deleted.
    ///
    /// Cancellation: see [`Call`]; the watch is removed.
    pub fn get_children_and_watch(&self, path: &str) -> Call<(Vec<String>, Stat, OneshotWatcher)> {
        let request = self.watching(Class::Children, path, |path| Request::GetChildren2 {
            path,
            watch: true,
        });
        self.begin(request, |answer, root| {
            let (outcome, watch) = apart(answer);
            let (names, stat) = names_and_stat(outcome)?;
            Ok((names, stat, oneshot(watch, root)?))
        })
    }

    /// The ensemble's configuration and a watch that tells when it is changed.
    ///
    /// Cancellation: see [`Call`]; the watch is removed.
    pub fn get_config_and_watch(&self) -> Call<(NodeData, OneshotWatcher)> {
        // Not below the client's root.
        let request = registering(Class::Data, CONFIG.to_owned(), |path| Request::GetData {
            path,
            watch: true,
        });
        self.begin(Ok(request), data_and_watch)
    }

    /// Watches a node, which need not exist, and its children's names (`Persistent`), or
    /// everything at and below it (`PersistentRecursive`). Needs a server of 3.6 or later.
    ///
    /// On servers of 3.8 and before, a standard watch at the same path uses a persistent one
    /// up (ZOOKEEPER-4466): do not mix them there.
    ///
    /// Cancellation: see [`Call`]; the watch is removed.
    pub fn add_watch(&self, path: &str, mode: AddWatchMode) -> Call<Watcher> {
        let class = match mode {
            AddWatchMode::Persistent => Class::Persistent,
            AddWatchMode::PersistentRecursive => Class::Recursive,
        };
        let request = self.watching(class, path, |path| Request::AddWatch { path, mode });
        self.begin(request, |answer, root| {
            let (outcome, watch) = apart(answer);
            outcome?;
            let watch = watch.ok_or(Error::UnexpectedAnswer)?;
            Ok(Watcher::new(watch, root))
        })
    }

    /// Removes all watches of a kind that this client has at a path, whoever set them: they end
    /// with [`Removed`](crate::WatchEnd::Removed). Fails with
    /// [`NoWatcher`](ErrorCode::NoWatcher) if there is none. To drop a watcher does the same for
    /// that watcher alone.
    ///
    /// Cancellation: see [`Call`]; what was sent may remove the watches.
    pub fn remove_watches(&self, path: &str, kind: WatcherType) -> Call<()> {
        let request = self.full(path);
        let request = request.map(|path| Request::RemoveWatches { path, kind });
        self.call(request, nothing)
    }

    /// Does the server know a watch of this kind that this client has at a path?
    ///
    /// Cancellation: see [`Call`].
    pub fn check_watches(&self, path: &str, kind: WatcherType) -> Call<bool> {
        let request = self.full(path);
        let request = request.map(|path| Request::CheckWatches { path, kind });
        self.call(request, |answer, _| match answer.outcome {
            Ok(_) => Ok(true),
            Err(Error::Refused(ErrorCode::NoWatcher)) => Ok(false),
            Err(error) => Err(error),
        })
    }

    fn watching(
        &self,
        class: Class,
        path: &str,
        request: impl FnOnce(String) -> Request,
    ) -> Result<(Request, Option<Registering>), Error> {
        Ok(registering(class, self.full(path)?, request))
    }
}

fn registering(
    class: Class,
    path: String,
    request: impl FnOnce(String) -> Request,
) -> (Request, Option<Registering>) {
    let registering = Registering {
        class,
        path: path.clone(),
        absent_too: false,
    };
    let request = request(path);
    let absent_too = matches!(request, Request::Exists { .. });
    let registering = Registering {
        absent_too,
        ..registering
    };
    (request, Some(registering))
}

/// The watch is dropped, and so removed, when the outcome is none that it belongs to.
fn apart(answer: Answer) -> (Result<Reply, Error>, Option<Subscription>) {
    (answer.outcome, answer.watch.map(|watch| *watch))
}

fn oneshot(watch: Option<Subscription>, root: &Chroot) -> Result<OneshotWatcher, Error> {
    let watch = watch.ok_or(Error::UnexpectedAnswer)?;
    Ok(OneshotWatcher::new(watch, root))
}

fn data_and_watch(answer: Answer, root: &Chroot) -> Result<(NodeData, OneshotWatcher), Error> {
    let (outcome, watch) = apart(answer);
    Ok((node_data(outcome)?, oneshot(watch, root)?))
}
