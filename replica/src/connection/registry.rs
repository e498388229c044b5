use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashMap;
use parking_lot::RwLock;
use state::watch::WatcherId;

use super::Connection;

/// All connections, by number.
#[derive(Default)]
pub struct Connections {
    by_id: RwLock<HashMap<WatcherId, Arc<Connection>, foldhash::fast::FixedState>>,
    next: AtomicU64,
}

impl Connections {
    /// A number that no connection had before.
    pub(crate) fn next_id(&self) -> WatcherId {
        WatcherId(self.next.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(crate) fn insert(&self, connection: Arc<Connection>) {
        self.by_id.write().insert(connection.id(), connection);
    }

    pub(crate) fn remove(&self, id: WatcherId) {
        self.by_id.write().remove(&id);
    }

    /// The connection of this number.
    pub fn get(&self, id: WatcherId) -> Option<Arc<Connection>> {
        self.by_id.read().get(&id).cloned()
    }

    /// All connections, by number.
    pub fn all(&self) -> Vec<Arc<Connection>> {
        let mut all: Vec<_> = self.by_id.read().values().cloned().collect();
        all.sort_by_key(|connection| connection.id());
        all
    }

    /// Number of connections.
    pub fn len(&self) -> usize {
        self.by_id.read().len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
