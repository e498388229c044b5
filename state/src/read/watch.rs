//! Requests about watches. They check neither permissions nor paths.

use jute::proto::{
    AddWatchMode, AddWatchRequest, CheckWatchesRequest, ErrorResponse, EventType, SetWatches,
    SetWatches2, WatcherType,
};
use jute::wire::Encode;
use jute::{ErrorCode, Ustring};
use parking_lot::MutexGuard;

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
        let mut catch_up = CatchUp::new(self, context.watcher, request.relative_zxid, sink);
        catch_up.data(request.data_watches.as_deref())?;
        catch_up.exist(request.exist_watches.as_deref())?;
        catch_up.child(request.child_watches.as_deref())
    }

    pub(super) fn set_watches2(
        &self,
        context: &ReadContext<'_>,
        body: &[u8],
        sink: &mut impl EventSink,
    ) -> Result<(), ErrorCode> {
        let request: SetWatches2<'_> = self.decode(body)?;
        let mut catch_up = CatchUp::new(self, context.watcher, request.relative_zxid, sink);
        catch_up.data(request.data_watches.as_deref())?;
        catch_up.exist(request.exist_watches.as_deref())?;
        catch_up.child(request.child_watches.as_deref())?;
        let persistent = request.persistent_watches.as_deref();
        catch_up.arm(persistent, WatchKind::Persistent)?;
        let recursive = request.persistent_recursive_watches.as_deref();
        catch_up.arm(recursive, WatchKind::PersistentRecursive)
    }
}

/// Takes up the watches of a client that comes back: arms each, or sends at once the event
/// that the client missed while it was away; then the watch is used up.
///
/// A list that is null, or holds a null path, is an error; what came before it stays done.
struct CatchUp<'s, S> {
    state: &'s State,
    watches: MutexGuard<'s, Watches>,
    watcher: WatcherId,
    relative_zxid: i64,
    sink: &'s mut S,
}

impl<'s, S: EventSink> CatchUp<'s, S> {
    fn new(state: &'s State, watcher: WatcherId, relative_zxid: i64, sink: &'s mut S) -> Self {
        Self {
            state,
            watches: state.watches.lock(),
            watcher,
            relative_zxid,
            sink,
        }
    }

    fn data(&mut self, list: Option<&[Ustring<'_>]>) -> Result<(), ErrorCode> {
        for path in paths(list)? {
            let path = path?;
            let tree = &self.state.tree;
            match tree.lookup(path).map(|id| tree.stat(id).mzxid) {
                None => self.send(EventType::NodeDeleted, path),
                Some(mzxid) if mzxid > self.relative_zxid => {
                    self.send(EventType::NodeDataChanged, path);
                }
                Some(_) => self.watches.add(self.watcher, path, WatchKind::Data),
            }
        }
        Ok(())
    }

    fn exist(&mut self, list: Option<&[Ustring<'_>]>) -> Result<(), ErrorCode> {
        for path in paths(list)? {
            let path = path?;
            match self.state.tree.lookup(path) {
                None => self.watches.add(self.watcher, path, WatchKind::Data),
                Some(_) => self.send(EventType::NodeCreated, path),
            }
        }
        Ok(())
    }

    fn child(&mut self, list: Option<&[Ustring<'_>]>) -> Result<(), ErrorCode> {
        for path in paths(list)? {
            let path = path?;
            let tree = &self.state.tree;
            match tree.lookup(path).map(|id| tree.stat(id).pzxid) {
                None => self.send(EventType::NodeDeleted, path),
                Some(pzxid) if pzxid > self.relative_zxid => {
                    self.send(EventType::NodeChildrenChanged, path);
                }
                Some(_) => self.watches.add(self.watcher, path, WatchKind::Child),
            }
        }
        Ok(())
    }

    fn arm(&mut self, list: Option<&[Ustring<'_>]>, kind: WatchKind) -> Result<(), ErrorCode> {
        for path in paths(list)? {
            self.watches.add(self.watcher, path?, kind);
        }
        Ok(())
    }

    fn send(&mut self, kind: EventType, path: &str) {
        self.sink.event(self.watcher, kind, path, SYNTHESISED_ZXID);
    }
}

/// The paths of a list, each to be checked for null when its turn comes.
fn paths<'a>(
    list: Option<&'a [Ustring<'_>]>,
) -> Result<impl Iterator<Item = Result<&'a str, ErrorCode>>, ErrorCode> {
    Ok(given(list)?.iter().map(|path| given(path.as_deref())))
}
