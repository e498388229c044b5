//! Keeps count of what is below the prefixes with quotas, and the text of their stats
//! nodes up to date. Such a node's data changes in place: its Stat stays, no watch fires.

use jute::path;

use crate::quota::{QuotaNode, QuotaText, Usage, render_stats, stats_path};
use crate::state::State;
use crate::tree::NodeId;

impl State {
    /// A node was created.
    pub(super) fn count_created(&mut self, path: &str, data: Option<&[u8]>) {
        match QuotaNode::of(path) {
            Some(QuotaNode::Limits(prefix)) => self.quotas.on_limits_created(prefix),
            Some(QuotaNode::Stats(prefix)) => self.recount(prefix),
            None => {}
        }
        self.add_usage(path, 1, len(data));
    }

    /// A node with this much data was deleted.
    pub(super) fn count_deleted(&mut self, path: &str, data_len: usize) {
        match QuotaNode::of(path) {
            Some(QuotaNode::Limits(prefix)) => self.quotas.on_limits_deleted(prefix),
            Some(QuotaNode::Stats(prefix)) => self.quotas.set_usage(prefix, None),
            None => {}
        }
        self.add_usage(path, -1, -(data_len as i64));
    }

    /// A node's data was replaced. A client may do so with a stats node, and is believed.
    pub(super) fn count_written(&mut self, path: &str, old_len: usize, data: Option<&[u8]>) {
        if let Some(QuotaNode::Stats(prefix)) = QuotaNode::of(path) {
            self.quotas.set_usage(prefix, parse_usage(data));
        }
        self.add_usage(path, 0, len(data) - old_len as i64);
    }

    /// Finds the quotas of a loaded tree and counts what is below each: the numbers in a
    /// fuzzy snapshot are those of another moment.
    pub(super) fn load_quotas(&mut self) {
        let mut limited = Vec::new();
        for (path, id) in self.nodes_below(path::QUOTA) {
            match QuotaNode::of(&path) {
                Some(QuotaNode::Limits(prefix)) => {
                    self.quotas.on_limits_created(prefix);
                    limited.push(prefix.to_owned());
                }
                Some(QuotaNode::Stats(prefix)) => {
                    let usage = parse_usage(self.tree.data(id));
                    self.quotas.set_usage(prefix, usage);
                }
                None => {}
            }
        }
        for prefix in &limited {
            self.recount(prefix);
        }
    }

    fn add_usage(&mut self, path: &str, count: i64, bytes: i64) {
        if count == 0 && bytes == 0 {
            return;
        }
        let Some(prefix) = self.quotas.find(path).map(str::to_owned) else {
            return;
        };
        if let Some(usage) = self.quotas.add(&prefix, count, bytes) {
            self.write_usage(&prefix, usage);
        }
    }

    /// Counts what is below a prefix, if there is a stats node to note it in.
    fn recount(&mut self, prefix: &str) {
        if self.tree.lookup(&stats_path(prefix)).is_none() {
            return;
        }
        let mut usage = Usage::default();
        let mut open: Vec<NodeId> = self.tree.lookup(prefix).into_iter().collect();
        while let Some(id) = open.pop() {
            usage.count += 1;
            usage.bytes += len(self.tree.data(id));
            open.extend(self.tree.children(id));
        }
        self.quotas.set_usage(prefix, Some(usage));
        self.write_usage(prefix, usage);
    }

    fn write_usage(&mut self, prefix: &str, usage: Usage) {
        let path = stats_path(prefix);
        let Some(id) = self.tree.lookup(&path) else {
            return;
        };
        let text = render_stats(usage.count, usage.bytes);
        let stat = self.tree.stat(id);
        self.tree.set_data(id, &path, Some(text.as_bytes()), &stat);
    }

    fn nodes_below(&self, path: &str) -> Vec<(String, NodeId)> {
        let mut open: Vec<NodeId> = self.tree.lookup(path).into_iter().collect();
        let mut found = Vec::new();
        while let Some(id) = open.pop() {
            for child in self.tree.children(id) {
                found.push((self.tree.path(child), child));
                open.push(child);
            }
        }
        found
    }
}

fn len(data: Option<&[u8]>) -> i64 {
    data.map_or(0, <[u8]>::len) as i64
}

fn parse_usage(data: Option<&[u8]>) -> Option<Usage> {
    let text = QuotaText::parse(data).ok()?;
    Some(Usage {
        count: text.count,
        bytes: text.bytes,
    })
}
