//! What is wrong with a configuration, in one line.

use std::path::PathBuf;

/// A configuration that the server does not start with. `Display` is one line that names the
/// key, its value and what is allowed, with Apache's own phrase where it has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file does not exist.
    #[error("{} file is missing", path.display())]
    Missing {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The file, or one that it refers to, cannot be read.
    #[error("Error processing {}: {reason}", path.display())]
    Unreadable {
        /// The path as it was given.
        path: PathBuf,
        /// What the operating system, or a limit of ours, says.
        reason: String,
    },
    /// The text is not a `.properties` file.
    #[error("Error processing {origin}:{line}: {}", one_line(reason))]
    Syntax {
        /// Name of the file.
        origin: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong on that line.
        reason: String,
    },
    /// A key has a value that is not allowed, or is missing.
    #[error(
        "{origin}: {}={}: {} (allowed: {allowed})",
        one_line(key),
        one_line(value),
        one_line(reason)
    )]
    Invalid {
        /// Where the value came from: `zoo.cfg:12`, `-D`, or the name of the file alone.
        origin: String,
        /// The key as the user wrote it.
        key: String,
        /// The value as the user wrote it; empty when the key is missing.
        value: String,
        /// What is wrong, in Apache's words where it has any.
        reason: String,
        /// What would have been accepted.
        allowed: String,
    },
    /// The arguments of the command line do not fit any form.
    #[error(
        "Invalid arguments: {reason} (allowed: <zoo.cfg> or <port> <datadir> [ticktime] [maxcnxns])"
    )]
    Arguments {
        /// What does not fit.
        reason: String,
    },
}

/// Text of a configuration as it may stand in a message: escapes in a `.properties` file can
/// make line ends and other control characters, which are shown escaped again.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    line
}

impl ConfigError {
    /// Apache's last line on standard error before it exits.
    #[must_use]
    pub const fn closing_line(&self) -> &'static str {
        match self {
            Self::Arguments { .. } => "Invalid arguments, exiting abnormally",
            _ => "Invalid config, exiting abnormally",
        }
    }
}
