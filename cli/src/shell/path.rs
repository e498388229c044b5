//! Paths as a user types them, and what is said of those that are none.

use jute::path::{self, PathError};

use super::failure::Failure;

/// Checks a path in the client, in the words of Java's `PathUtils`.
///
/// # Errors
/// When the path is none.
pub(crate) fn check(path: &str) -> Result<(), Failure> {
    path::validate(path).map_err(|error| Failure::new(wording(path, error)))
}

/// As [`check`]; of a sequential node the path may end with a slash, as a number follows it.
///
/// # Errors
/// When the path is none.
pub(crate) fn check_sequential(path: &str) -> Result<(), Failure> {
    let with_number = format!("{path}1");
    path::validate(&with_number).map_err(|error| Failure::new(wording(&with_number, error)))
}

/// What Java says of such a path.
pub(crate) fn wording(path: &str, error: PathError) -> String {
    // Java counts in UTF-16 units.
    let position = |bytes: usize| path[..bytes].encode_utf16().count();
    let reason = match error {
        PathError::Empty => return "Path length must be > 0".to_owned(),
        PathError::NotAbsolute => return "Path must start with / character".to_owned(),
        PathError::TrailingSlash => return "Path must not end with / character".to_owned(),
        PathError::EmptyName(at) => format!("empty node name specified @{}", position(at)),
        PathError::RelativeName(at) => {
            // Of two dots the second is the one that is found wrong.
            let second = usize::from(path[at..].starts_with(".."));
            format!("relative paths not allowed @{}", position(at) + second)
        }
        PathError::InvalidCharacter {
            character: 0,
            offset,
        } => format!("null character not allowed @{}", position(offset)),
        PathError::InvalidCharacter { offset, .. } => {
            format!("invalid character @{}", position(offset))
        }
    };
    format!("Invalid path string \"{path}\" caused by {reason}")
}

/// The path of a child.
pub(crate) fn child(parent: &str, name: &str) -> String {
    match parent {
        path::ROOT => format!("/{name}"),
        _ => format!("{parent}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_paths_are_told_as_java_tells_them() {
        let table = [
            ("/a", None),
            ("", Some("Path length must be > 0")),
            ("a", Some("Path must start with / character")),
            ("/a/", Some("Path must not end with / character")),
            (
                "/a//b",
                Some("Invalid path string \"/a//b\" caused by empty node name specified @3"),
            ),
            (
                "/a/../b",
                Some("Invalid path string \"/a/../b\" caused by relative paths not allowed @4"),
            ),
            (
                "/a/./b",
                Some("Invalid path string \"/a/./b\" caused by relative paths not allowed @3"),
            ),
            (
                "/\u{e9}/a\u{1f}",
                Some("Invalid path string \"/\u{e9}/a\u{1f}\" caused by invalid character @4"),
            ),
            (
                "/a\0",
                Some("Invalid path string \"/a\0\" caused by null character not allowed @2"),
            ),
        ];
        for (path, expected) in table {
            let told = check(path).err().map(|failure| failure.message);
            assert_eq!(told.as_deref(), expected);
        }
        assert!(check_sequential("/a/").is_ok());
        assert!(check_sequential("a").is_err());
    }

    #[test]
    fn children_of_the_root_have_one_slash() {
        assert_eq!(child("/", "a"), "/a");
        assert_eq!(child("/a", "b"), "/a/b");
    }
}
