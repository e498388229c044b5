//! What an application is promised about a one-shot watch, across connections: no reply
//! shows the change before the event came, except where the protocol cannot tell.
//!
//! Source: section 5.4 of the client protocol.

use std::collections::BTreeMap;

use client::session::{Request, WatchEvent};
use jute::ErrorCode;
use jute::data::perms;
use jute::proto::EventType;

use crate::model::{Change, Model, parent, permits};
use crate::violation::{Checked, ensure};

const NAME: &str = "promises";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Data,
    Exist,
    Child,
}

/// The one-shot watches that an application waits for.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    /// Up to which change each watch has been looked at.
    open: BTreeMap<(Kind, String), usize>,
}

impl Promises {
    /// A request was answered as of `zxid`.
    pub(crate) fn answered(&mut self, model: &Model, request: &Request, err: i32, zxid: i64) {
        let no_node = err == ErrorCode::NoNode.as_i32();
        let (kind, path) = match request {
            Request::GetData { path, watch: true } | Request::Exists { path, watch: true }
                if err == 0 =>
            {
                (Kind::Data, path)
            }
            Request::Exists { path, watch: true } if no_node => (Kind::Exist, path),
            Request::GetChildren { path, watch: true }
            | Request::GetChildren2 { path, watch: true }
                if err == 0 =>
            {
                (Kind::Child, path)
            }
            Request::RemoveWatches { path, .. } => return self.forget(path),
            _ => return,
        };
        let seen = model.changes.partition_point(|change| change.zxid <= zxid);
        self.open.insert((kind, path.clone()), seen);
    }

    /// The connection was lost before a request was answered. Its watches are gone from the server
    /// then, and a client does not set again what it was to remove.
    pub(crate) fn cut_off(&mut self, request: &Request) {
        if let Request::RemoveWatches { path, .. } = request {
            self.forget(path);
        }
    }

    fn forget(&mut self, path: &str) {
        for kind in [Kind::Data, Kind::Exist, Kind::Child] {
            self.open.remove(&(kind, path.to_owned()));
        }
    }

    /// An event was delivered.
    pub(crate) fn event(&mut self, event: &WatchEvent) {
        let mut forget = |kind| self.open.remove(&(kind, event.path.clone()));
        if event.kind != EventType::NodeChildrenChanged {
            forget(Kind::Data);
            forget(Kind::Exist);
        }
        if matches!(
            event.kind,
            EventType::NodeChildrenChanged | EventType::NodeDeleted
        ) {
            forget(Kind::Child);
        }
    }

    /// A reply showed the tree after `zxid`.
    pub(crate) fn reply(&mut self, model: &Model, zxid: i64, digests: &[String]) -> Checked {
        let until = model.changes.partition_point(|change| change.zxid <= zxid);
        let mut withheld = Vec::new();
        for ((kind, path), seen) in &mut self.open {
            let new = model.changes.get(*seen..until).unwrap_or_default();
            *seen = until.max(*seen);
            let mut hits = new.iter().filter(|change| concerns(*kind, path, change));
            let Some(hit) = hits.next() else {
                continue;
            };
            let acl = if hit.path == *path {
                &hit.acl
            } else {
                &hit.parent_acl
            };
            // A change that may not be known uses the watch up without a word. So does,
            // while the client is away, a node that came and went.
            let cannot_tell = !permits(acl, perms::READ, digests)
                || *kind == Kind::Exist
                    && (hits.next().is_some() || model.at(path, zxid).is_none());
            ensure!(
                cannot_tell,
                NAME,
                "{hit:?} was shown as of {zxid:#x} before its event ({kind:?} watch)"
            );
            withheld.push((*kind, path.clone()));
        }
        for watch in withheld {
            self.open.remove(&watch);
        }
        Ok(())
    }
}

fn concerns(kind: Kind, path: &str, change: &Change) -> bool {
    let own = change.path == path;
    match kind {
        Kind::Data | Kind::Exist => own,
        Kind::Child => {
            let below = change.kind != EventType::NodeDataChanged;
            below && (parent(&change.path) == Some(path))
                || own && change.kind == EventType::NodeDeleted
        }
    }
}
