//! Requests about watches. They check neither permissions nor paths.

use jute::proto::{
    AddWatchMode, AddWatchRequest, CheckWatchesRequest, ErrorResponse, EventType, SetWatches,
    SetWatches2, WatcherType,
};
use jute::wire::Encode;
use jute::{ErrorCode, Ustring};

use super::{ReadContext, given};
use crate::state::State;
use crate::watch::{EventSink, SYNTHESISED_ZXID, WatchKind, WatcherId, Watches};

impl State {
    pub(super) fn add_watch(
        &self,
        context: &ReadContext<'_>,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let request: AddWatchRequest<'_> = self.decode(body)?;
        let path = given(request.path.as_deref())?;
        let mode = AddWatchMode::from_i32(request.mode).ok_or(ErrorCode::MarshallingError)?;
        let kind = match mode {
            AddWatchMode::Persistent => WatchKind::Persistent,
            AddWatchMode::PersistentRecursive => WatchKind::PersistentRecursive,
        };
        self.watches.lock().add(context.watcher, path, kind);
        let err = ErrorCode::Ok.as_i32();
        ErrorResponse { err }.encode(out);
        Ok(())
    }

    pub(super) fn check_watches(
        &self,
        context: &ReadContext<'_>,
        body: &[u8],
    ) -> Result<(), ErrorCode> {
        self.with_watches(body, |watches, path, kind| {
            watches.contains(context.watcher, path, kind)
        })
    }

    pub(super) fn remove_watches(
        &self,
        context: &ReadContext<'_>,
        body: &[u8],
    ) -> Result<(), ErrorCode> {
        self.with_watches(body, |watches, path, kind| {
            watches.remove(context.watcher, path, kind)
        })
    }

    fn with_watches(
        &self,
        body: &[u8],
        matches: impl FnOnce(&mut Watches, &str, WatcherType) -> bool,
    ) -> Result<(), ErrorCode> {
        let request: CheckWatchesRequest<'_> = self.decode(body)?;
        let kind = WatcherType::from_i32(request.watcher_type);
        let kind = kind.ok_or(ErrorCode::MarshallingError)?;
        // Nobody can be watching a null path.
        let path = request.path.as_deref().ok_or(ErrorCode::NoWatcher)?;
        if matches(&mut self.watches.lock(), path, kind) {
            Ok(())
        } else {
            Err(ErrorCode::NoWatcher)
        }
    }

    pub(super) fn set_watches(
        &self,
        context: &ReadContext<'_>,
        body: &[u8],
        sink: &mut impl EventSink,
    ) -> Result<(), ErrorCode> {
        let request: SetWatches<'_> = self.decode(body)?;
        let catch_up = CatchUp {
            relative_zxid: request.relative_zxid,
            data: paths(request.data_watches.as_deref())?,
            exist: paths(request.exist_watches.as_deref())?,
            child: paths(request.child_watches.as_deref())?,
            persistent: Vec::new(),
            recursive: Vec::new(),
        };
        self.catch_up(context.watcher, &catch_up, sink);
        Ok(())
    }

    pub(super) fn set_watches2(
        &self,
        context: &ReadContext<'_>,
        body: &[u8],
        sink: &mut impl EventSink,
    ) -> Result<(), ErrorCode> {
        let request: SetWatches2<'_> = self.decode(body)?;
        let catch_up = CatchUp {
            relative_zxid: request.relative_zxid,
            data: paths(request.data_watches.as_deref())?,
            exist: paths(request.exist_watches.as_deref())?,
            child: paths(request.child_watches.as_deref())?,
            persistent: paths(request.persistent_watches.as_deref())?,
            recursive: paths(request.persistent_recursive_watches.as_deref())?,
        };
        self.catch_up(context.watcher, &catch_up, sink);
        Ok(())
    }

    /// Arms each watch, or sends at once the event that the client missed while it was
    /// away; then the watch is used up.
    fn catch_up(&self, watcher: WatcherId, lists: &CatchUp<'_>, sink: &mut impl EventSink) {
        let mut watches = self.watches.lock();
        let mut send = |kind, path| sink.event(watcher, kind, path, SYNTHESISED_ZXID);
        for path in &lists.data {
            match self.tree.lookup(path).map(|id| self.tree.stat(id).mzxid) {
                None => send(EventType::NodeDeleted, path),
                Some(mzxid) if mzxid > lists.relative_zxid => {
                    send(EventType::NodeDataChanged, path);
                }
                Some(_) => watches.add(watcher, path, WatchKind::Data),
            }
        }
        for path in &lists.exist {
            match self.tree.lookup(path) {
                None => watches.add(watcher, path, WatchKind::Data),
                Some(_) => send(EventType::NodeCreated, path),
            }
        }
        for path in &lists.child {
            match self.tree.lookup(path).map(|id| self.tree.stat(id).pzxid) {
                None => send(EventType::NodeDeleted, path),
                Some(pzxid) if pzxid > lists.relative_zxid => {
                    send(EventType::NodeChildrenChanged, path);
                }
                Some(_) => watches.add(watcher, path, WatchKind::Child),
            }
        }
        for path in &lists.persistent {
            watches.add(watcher, path, WatchKind::Persistent);
        }
        for path in &lists.recursive {
            watches.add(watcher, path, WatchKind::PersistentRecursive);
        }
    }
}

/// The watches of a client that comes back.
struct CatchUp<'a> {
    relative_zxid: i64,
    data: Vec<&'a str>,
    exist: Vec<&'a str>,
    child: Vec<&'a str>,
    persistent: Vec<&'a str>,
    recursive: Vec<&'a str>,
}

/// A list of paths; neither it nor a path in it may be null.
fn paths<'a>(list: Option<&'a [Ustring<'_>]>) -> Result<Vec<&'a str>, ErrorCode> {
    given(list)?
        .iter()
        .map(|path| given(path.as_deref()))
        .collect()
}
