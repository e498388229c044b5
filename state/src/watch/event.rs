use jute::data::Acl;
use jute::proto::EventType;

use super::WatcherId;

/// The zxid of an event that answers a setWatches: no transaction caused it now.
pub const SYNTHESISED_ZXID: i64 = -1;

/// Where watch events go, in the order in which clients must get them.
pub trait EventSink {
    /// Queues an event for a connection. Calls for the watchers of one change follow each
    /// other, so an encoded frame can be kept for the next call.
    fn event(&mut self, watcher: WatcherId, kind: EventType, path: &str, zxid: i64);

    /// May this connection read a node with this ACL? If not it is not told of the change.
    fn may_read(&self, watcher: WatcherId, acl: &[Acl<'_>]) -> bool;
}

/// For replaying a log, when nobody can be watching.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEvents;

impl EventSink for NoEvents {
    fn event(&mut self, _: WatcherId, _: EventType, _: &str, _: i64) {}

    fn may_read(&self, _: WatcherId, _: &[Acl<'_>]) -> bool {
        false
    }
}
