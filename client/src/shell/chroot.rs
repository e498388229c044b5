use std::sync::Arc;

use jute::path::{self, PathError, ROOT};

use super::error::Error;

/// The part of the tree that a client sees as its whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chroot {
    /// Absolute, without a slash at its end; `None` for the whole tree.
    prefix: Option<Arc<str>>,
}

impl Chroot {
    /// The part below `path` of this part.
    pub(super) fn below(&self, path: &str) -> Result<Self, Error> {
        let full = self.full(path)?;
        let prefix = (full != ROOT).then(|| full.into());
        Ok(Self { prefix })
    }

    /// The full path of what the application calls `path`.
    pub(super) fn full(&self, path: &str) -> Result<String, Error> {
        path::validate(path).map_err(|reason| invalid(path, reason))?;
        Ok(self.join(path))
    }

    /// The same for the path of a sequential node, which may end with a slash.
    pub(super) fn full_sequential(&self, path: &str) -> Result<String, Error> {
        path::validate(&format!("{path}0")).map_err(|reason| invalid(path, reason))?;
        self.full_prefix(path)
    }

    /// The full form of a prefix of paths; it need not be a path itself.
    pub(super) fn full_prefix(&self, prefix: &str) -> Result<String, Error> {
        if !prefix.starts_with('/') {
            return Err(invalid(prefix, PathError::NotAbsolute));
        }
        Ok(format!("{}{prefix}", self.prefix.as_deref().unwrap_or("")))
    }

    /// What the application calls the node at this full path; `None` if it does not see it.
    pub(super) fn seen<'a>(&self, full: &'a str) -> Option<&'a str> {
        let Some(prefix) = &self.prefix else {
            return Some(full);
        };
        match full.strip_prefix(&**prefix)? {
            "" => Some(ROOT),
            rest => rest.starts_with('/').then_some(rest),
        }
    }

    /// As [`seen`](Self::seen), for paths that a server answered.
    pub(super) fn answered(&self, full: String) -> Result<String, Error> {
        if self.prefix.is_none() {
            return Ok(full);
        }
        let seen = self.seen(&full).map(str::to_owned);
        seen.ok_or(Error::UnexpectedAnswer)
    }

    fn join(&self, path: &str) -> String {
        match &self.prefix {
            None => path.to_owned(),
            Some(prefix) if path == ROOT => prefix.as_ref().to_owned(),
            Some(prefix) => format!("{prefix}{path}"),
        }
    }
}

fn invalid(path: &str, reason: PathError) -> Error {
    Error::InvalidPath {
        path: path.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_in_and_come_out() {
        let whole = Chroot::default();
        let app = whole.below("/app").expect("a path");
        let deep = app.below("/x/y").expect("a path");
        let table = [
            (&whole, "/", "/"),
            (&whole, "/a", "/a"),
            (&app, "/", "/app"),
            (&app, "/a/b", "/app/a/b"),
            (&deep, "/", "/app/x/y"),
            (&deep, "/a", "/app/x/y/a"),
        ];
        for (chroot, path, full) in table {
            assert_eq!(chroot.full(path).as_deref(), Ok(full));
            assert_eq!(chroot.seen(full), Some(path));
        }
        assert_eq!(app.below("/"), Ok(app.clone()));
        assert_eq!(whole.below("/"), Ok(whole));
    }

    #[test]
    fn what_lies_outside_is_not_seen() {
        let app = Chroot::default().below("/app").expect("a path");
        for full in ["/", "/ap", "/apple", "/apple/a", "/other/app/a"] {
            assert_eq!(app.seen(full), None, "{full}");
        }
    }

    #[test]
    fn bad_paths_are_refused() {
        let app = Chroot::default().below("/app").expect("a path");
        for path in ["", "a", "/a/", "//", "/.."] {
            assert!(app.full(path).is_err(), "{path}");
        }
        assert_eq!(app.full_sequential("/a/").as_deref(), Ok("/app/a/"));
        assert_eq!(app.full_sequential("/").as_deref(), Ok("/app/"));
    }
}
