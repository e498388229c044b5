use jute::{Zxid, path};

use crate::state::State;

impl State {
    /// What a snapshot does not hold but follows from it: quotas with their usage, and
    /// against what the digest is to be compared.
    pub(crate) fn complete_load(&mut self, zxid: Zxid, digest: Option<(Zxid, u64)>) {
        // Servers before 3.5 had no such node.
        if self.tree.lookup(path::CONFIG).is_none() {
            self.add_config_node();
        }
        self.load_quotas();
        self.digest_check.start(zxid, digest, self.tree.digest());
    }
}
