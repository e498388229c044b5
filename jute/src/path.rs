//! Rules for the paths of nodes.

use thiserror::Error;

/// Why a path is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// The empty path.
    #[error("path is empty")]
    Empty,
    /// The path does not start with a slash.
    #[error("path does not start with /")]
    NotAbsolute,
    /// The path ends with a slash.
    #[error("path ends with /")]
    TrailingSlash,
    /// Two slashes in a row.
    #[error("empty name at byte {0}")]
    EmptyName(usize),
    /// A name is `.` or `..`.
    #[error("relative name at byte {0}")]
    RelativeName(usize),
    /// A character outside the allowed ranges.
    #[error("invalid character U+{character:04X} at byte {offset}")]
    InvalidCharacter {
        /// The character.
        character: u32,
        /// Its offset in bytes.
        offset: usize,
    },
}

/// The root as clients write it.
pub const ROOT: &str = "/";
/// Parent of the system's own nodes.
pub const ZOOKEEPER: &str = "/zookeeper";
/// Parent of the quota nodes.
pub const QUOTA: &str = "/zookeeper/quota";
/// The ensemble's configuration.
pub const CONFIG: &str = "/zookeeper/config";

/// Checks a path as Java's `PathUtils.validatePath` does, which looks at UTF-16 units:
/// so every character above U+FFFF, being a pair of surrogates, is refused.
pub fn validate(path: &str) -> Result<(), PathError> {
    if path.is_empty() {
        return Err(PathError::Empty);
    }
    if !path.starts_with('/') {
        return Err(PathError::NotAbsolute);
    }
    if path == ROOT {
        return Ok(());
    }
    if path.ends_with('/') {
        return Err(PathError::TrailingSlash);
    }
    let mut start = 1;
    for name in path[1..].split('/') {
        validate_name(name, start)?;
        start += name.len() + 1;
    }
    Ok(())
}

fn validate_name(name: &str, start: usize) -> Result<(), PathError> {
    match name {
        "" => return Err(PathError::EmptyName(start)),
        "." | ".." => return Err(PathError::RelativeName(start)),
        _ => {}
    }
    // The common case: printable ASCII only.
    if name.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Ok(());
    }
    match name
        .char_indices()
        .find(|(_, character)| is_invalid(u32::from(*character)))
    {
        None => Ok(()),
        Some((at, character)) => Err(PathError::InvalidCharacter {
            character: u32::from(character),
            offset: start + at,
        }),
    }
}

fn is_invalid(character: u32) -> bool {
    matches!(character, 0..=0x1f | 0x7f..=0x9f | 0xd800..=0xf8ff | 0xfff0..)
}

/// Splits at the last slash into the parent ("" for the root) and the name; `None` without a slash.
pub fn split(path: &str) -> Option<(&str, &str)> {
    path.rfind('/').map(|at| (&path[..at], &path[at + 1..]))
}

/// Splits the path of a node below the root as [`split`] does; `None` for what no such node is
/// called. Two slashes in front are refused although there is a parent: "//x" would be a second
/// path of the root's child "/x".
pub fn split_child(path: &str) -> Option<(&str, &str)> {
    let (parent, name) = split(path)?;
    let absolute = parent.is_empty() || parent.starts_with('/');
    (absolute && parent != ROOT && !name.is_empty()).then_some((parent, name))
}

/// Is this one of the nodes that cannot be deleted?
pub fn is_special(path: &str) -> bool {
    matches!(path, "" | ROOT | ZOOKEEPER | QUOTA | CONFIG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_has_one_path() {
        assert_eq!(split_child("/x"), Some(("", "x")));
        assert_eq!(split_child("/x/y"), Some(("/x", "y")));
        for path in ["", "/", "//", "//x", "x", "x/y", "/x/"] {
            assert_eq!(split_child(path), None, "{path}");
        }
    }

    #[test]
    fn table_of_paths() {
        let table: &[(&str, bool)] = &[
            ("/", true),
            ("/a", true),
            ("/a/b", true),
            ("/...", true),
            ("/.a", true),
            ("/a.", true),
            ("/a b", true),
            ("/\u{e9}\u{4e2d}", true),
            ("/\u{ffef}", true),
            ("", false),
            ("a", false),
            ("/a/", false),
            ("//a", false),
            ("/a//b", false),
            ("/.", false),
            ("/a/../b", false),
            ("/a\0", false),
            ("/\u{1f}", false),
            ("/\u{7f}", false),
            ("/\u{9f}", false),
            ("/\u{a0}", true),
            ("/\u{e000}", false),
            ("/\u{f8ff}", false),
            ("/\u{f900}", true),
            ("/\u{fff0}", false),
            ("/\u{fffd}", false),
            ("/\u{1f600}", false),
        ];
        for (path, valid) in table {
            assert_eq!(validate(path).is_ok(), *valid, "{path:?}");
        }
    }

    #[test]
    fn splits_at_the_last_slash() {
        assert_eq!(split("/a/b"), Some(("/a", "b")));
        assert_eq!(split("/a"), Some(("", "a")));
        assert_eq!(split("/"), Some(("", "")));
        assert_eq!(split("a"), None);
    }
}
