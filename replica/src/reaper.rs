//! Finds containers and TTL nodes whose time has come.

use std::collections::VecDeque;

use state::State;
use state::tree::{NodeId, Owner};

use crate::Now;

/// The options `znode.container.*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaperOptions {
    /// `checkIntervalMs`.
    pub check_interval_ms: u64,
    /// `maxPerMinute`: so many nodes are deleted at the most.
    pub max_per_minute: u64,
    /// `maxNeverUsedIntervalMs`: age at which a container goes that never had a child; 0
    /// keeps it for ever.
    pub max_never_used_interval_ms: i64,
}

impl Default for ReaperOptions {
    fn default() -> Self {
        Self {
            check_interval_ms: 60_000,
            max_per_minute: 10_000,
            max_never_used_interval_ms: 0,
        }
    }
}

/// Proposes nodes to delete, no more than the options allow in a minute.
#[derive(Debug)]
pub(crate) struct Reaper {
    options: ReaperOptions,
    next_check_ms: u64,
    next_delete_ms: u64,
    found: VecDeque<String>,
}

impl Reaper {
    pub(crate) fn new(options: ReaperOptions, now: Now) -> Self {
        Self {
            options,
            next_check_ms: now.monotonic_ms() + options.check_interval_ms,
            next_delete_ms: 0,
            found: VecDeque::new(),
        }
    }

    /// When to ask again, milliseconds.
    pub(crate) fn next_deadline_ms(&self) -> u64 {
        if self.found.is_empty() {
            self.next_check_ms
        } else {
            self.next_delete_ms
        }
    }

    /// A node that may be deleted now. The transaction's preparation looks again whether it
    /// still has no children.
    pub(crate) fn due(&mut self, state: &State, now: Now) -> Option<String> {
        let now_ms = now.monotonic_ms();
        if self.found.is_empty() && now_ms >= self.next_check_ms {
            self.next_check_ms = now_ms + self.options.check_interval_ms.max(1);
            self.check(state, now.wall_ms);
        }
        if now_ms < self.next_delete_ms {
            return None;
        }
        let path = self.found.pop_front()?;
        self.next_delete_ms = now_ms + 60_000 / self.options.max_per_minute.clamp(1, 60_000);
        Some(path)
    }

    fn check(&mut self, state: &State, wall_ms: i64) {
        let tree = state.tree();
        let never_used_ms = self.options.max_never_used_interval_ms;
        let containers = state.containers().filter(|id| {
            let stat = tree.stat(*id);
            let unused_for_too_long = never_used_ms > 0 && wall_ms - stat.mtime > never_used_ms;
            tree.child_count(*id) == 0 && (stat.cversion > 0 || unused_for_too_long)
        });
        let expired = state
            .ttl_nodes()
            .filter(|id| tree.child_count(*id) == 0 && is_expired(state, *id, wall_ms));
        self.found
            .extend(containers.chain(expired).map(|id| tree.path(id)));
    }
}

fn is_expired(state: &State, id: NodeId, wall_ms: i64) -> bool {
    match state.owner(id) {
        Owner::Ttl(ttl_ms) => wall_ms - state.tree().stat(id).mtime > ttl_ms,
        Owner::None | Owner::Session(_) | Owner::Container => false,
    }
}
