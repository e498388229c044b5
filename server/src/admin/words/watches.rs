//! `wchs`, `wchc` and `wchp`.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::answer::line;
use super::view::WatchView;

impl WatchView {
    fn by_path(&self) -> BTreeMap<&str, Vec<i64>> {
        let mut paths: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for (session, watched) in &self.by_session {
            for path in watched {
                paths.entry(path).or_default().push(*session);
            }
        }
        paths
    }
}

/// `wchs`: the three numbers are connections, paths and watches.
#[must_use]
pub fn wchs(view: &WatchView) -> String {
    let total: usize = view.by_session.iter().map(|(_, paths)| paths.len()).sum();
    format!(
        "{} connections watching {} paths\nTotal watches:{total}\n",
        view.by_session.len(),
        view.by_path().len()
    )
}

/// `wchc`: paths by session.
#[must_use]
pub fn wchc(view: &WatchView) -> String {
    let mut out = String::new();
    for (session, paths) in &view.by_session {
        line!(out, "0x{session:x}");
        for path in paths {
            line!(out, "\t{path}");
        }
    }
    out.push('\n');
    out
}

/// `wchp`: sessions by path.
#[must_use]
pub fn wchp(view: &WatchView) -> String {
    let mut out = String::new();
    for (path, sessions) in view.by_path() {
        line!(out, "{path}");
        for session in sessions {
            line!(out, "\t0x{session:x}");
        }
    }
    out.push('\n');
    out
}
