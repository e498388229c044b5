//! Nodes that are gone, as their owners were told.

use client::Client;
use parking_lot::Mutex;
use sim::{Site, Violation};

/// What actors have left, closed or unregistered.
#[derive(Debug)]
pub(crate) struct Gone {
    checker: &'static str,
    /// With the session that each was in.
    paths: Mutex<Vec<(i64, String)>>,
}

impl Gone {
    pub(crate) fn new(checker: &'static str) -> Self {
        Self {
            checker,
            paths: Mutex::default(),
        }
    }

    /// Who had a node was told that it is gone, if it was in this client's session. (One of another
    /// session stays, and is made anew when that ends: what closes then closes nothing.)
    ///
    /// The end of the session says no more than that it goes. A leader that is cut off may tell of
    /// that end, as Apache's does, before it is committed, and it never is if another one leads by
    /// then: its servers still have the session, and end it later.
    pub(crate) fn told(&self, client: &Client, path: String) {
        if !client.state().status.has_ended() {
            self.paths.lock().push((client.session_id(), path));
        }
    }

    /// They are.
    pub(crate) fn look(&self, site: &Site) -> Result<(), Violation> {
        let mut paths = std::mem::take(&mut *self.paths.lock()).into_iter();
        let is_there = |session: i64, path: &str| {
            let node = site.node(path);
            node.is_some_and(|node| node.session == session)
        };
        match paths.find(|(session, path)| is_there(*session, path)) {
            Some((_, path)) => Err(Violation::new(
                self.checker,
                format!("{path} was given up, and is there"),
            )),
            None => Ok(()),
        }
    }
}
