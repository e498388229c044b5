//! A sink for tests that writes down what it gets.

use jute::data::{Acl, perms};
use jute::proto::EventType;

use super::{EventSink, WatcherId};

/// Events as `watcher event path @zxid`, in order.
#[derive(Default)]
pub(crate) struct Recorder {
    events: Vec<String>,
    /// Watchers that may read what is open only.
    pub(crate) strangers: Vec<WatcherId>,
}

impl Recorder {
    /// What came since the last call.
    pub(crate) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events)
    }
}

impl EventSink for Recorder {
    fn event(&mut self, watcher: WatcherId, kind: EventType, path: &str, zxid: i64) {
        self.events
            .push(format!("{} {kind:?} {path} @{zxid}", watcher.0));
    }

    fn may_read(&self, watcher: WatcherId, acl: &[Acl<'_>]) -> bool {
        let is_open = acl.iter().any(|entry| {
            entry.perms & perms::READ != 0 && entry.id.scheme.as_deref() == Some("world")
        });
        is_open || !self.strangers.contains(&watcher)
    }
}
