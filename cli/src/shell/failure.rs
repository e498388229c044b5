//! Why a command failed: the line that is printed, and the exit code.

use std::fmt;

use jute::ErrorCode;

/// Exit code after a command that does not exist, as of a POSIX shell.
const EXIT_NOT_FOUND: u8 = 127;

/// A command that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What is printed on standard error.
    pub(crate) message: String,
    /// What the shell exits with if this is its last command.
    pub(crate) exit_code: u8,
    /// The server's answer, if that is the reason.
    pub(crate) code: Option<ErrorCode>,
    /// The node that it concerns, if it is the server's answer for one.
    pub(crate) path: Option<String>,
    /// Nobody reads the output any more: there is nothing to say, and nothing more to do.
    pub(crate) is_silent: bool,
}

impl Failure {
    /// Something that the command itself found wrong.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            exit_code: 1,
            code: None,
            path: None,
            is_silent: false,
        }
    }

    /// No such command.
    pub(crate) fn not_found(command: &str) -> Self {
        Self {
            exit_code: EXIT_NOT_FOUND,
            ..Self::new(format!("Command not found: Command not found {command}"))
        }
    }

    /// A refusal, in Apache's words: those of `CliWrapperException` where it has any, else those
    /// of the exception. A refusal that the client decides has no path.
    pub(crate) fn refused(code: ErrorCode, path: Option<&str>) -> Self {
        let message = match wording(code) {
            Some(Wording::WithPath(text)) => format!("{text}{}", path.unwrap_or("null")),
            Some(Wording::Alone(text)) => text.to_owned(),
            None => exception_message(code, path),
        };
        Self {
            code: Some(code),
            path: path.map(str::to_owned),
            ..Self::new(message)
        }
    }

    /// Standard output is closed.
    pub(crate) fn output_closed() -> Self {
        Self {
            is_silent: true,
            ..Self::new("output is closed")
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

enum Wording {
    WithPath(&'static str),
    Alone(&'static str),
}

fn wording(code: ErrorCode) -> Option<Wording> {
    use Wording::{Alone, WithPath};
    Some(match code {
        ErrorCode::NoNode => WithPath("Node does not exist: "),
        ErrorCode::NoChildrenForEphemerals => WithPath("Ephemerals cannot have children: "),
        ErrorCode::NodeExists => WithPath("Node already exists: "),
        ErrorCode::NotEmpty => WithPath("Node not empty: "),
        ErrorCode::NotReadOnly => WithPath("Not a read-only call: "),
        ErrorCode::InvalidAcl => WithPath("Acl is not valid : "),
        ErrorCode::NoAuth => WithPath("Insufficient permission : "),
        ErrorCode::BadArguments => WithPath("Arguments are not valid : "),
        ErrorCode::BadVersion => WithPath("version No is not valid : "),
        ErrorCode::QuotaExceeded => WithPath("Quota has exceeded : "),
        ErrorCode::ReconfigInProgress => Alone(
            "Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)",
        ),
        ErrorCode::NewConfigNoQuorum => Alone(
            "No quorum of new config is connected and up-to-date with the leader of last \
             commmitted config - try invoking reconfiguration after new servers are connected \
             and synced",
        ),
        _ => return None,
    })
}

/// What `KeeperException.getMessage` says.
pub(crate) fn exception_message(code: ErrorCode, path: Option<&str>) -> String {
    let text = exception_text(code);
    match path {
        Some(path) if !path.is_empty() => format!("KeeperErrorCode = {text} for {path}"),
        _ => format!("KeeperErrorCode = {text}"),
    }
}

fn exception_text(code: ErrorCode) -> String {
    match code {
        ErrorCode::Ok => "ok",
        ErrorCode::NotEmpty => "Directory not empty",
        ErrorCode::SessionExpired => "Session expired",
        ErrorCode::InvalidCallback => "Invalid callback",
        ErrorCode::InvalidAcl => "InvalidACL",
        ErrorCode::SessionMoved => "Session moved",
        ErrorCode::NotReadOnly => "Not a read-only call",
        ErrorCode::EphemeralOnLocalSession => "Ephemeral node on local session",
        ErrorCode::NoWatcher => "No such watcher",
        ErrorCode::ReconfigDisabled => "Reconfig is disabled",
        ErrorCode::SessionClosedRequireSaslAuth => {
            "Session closed because client failed to authenticate"
        }
        ErrorCode::QuotaExceeded => "Quota has exceeded",
        ErrorCode::ThrottledOp => "Op throttled due to high load",
        ErrorCode::UnknownSession => "Unknown error UNKNOWNSESSION",
        ErrorCode::RequestTimeout => "Unknown error REQUESTTIMEOUT",
        other => return format!("{other:?}"),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_as_apache_tells_them() {
        let table = [
            (ErrorCode::NoNode, Some("/x"), "Node does not exist: /x"),
            (ErrorCode::NodeExists, Some("/x"), "Node already exists: /x"),
            (ErrorCode::InvalidAcl, None, "Acl is not valid : null"),
            (
                ErrorCode::BadVersion,
                Some("/x"),
                "version No is not valid : /x",
            ),
            (
                ErrorCode::ConnectionLoss,
                Some("/"),
                "KeeperErrorCode = ConnectionLoss for /",
            ),
            (
                ErrorCode::Unimplemented,
                Some("/sq"),
                "KeeperErrorCode = Unimplemented for /sq",
            ),
            (
                ErrorCode::ReconfigDisabled,
                Some(""),
                "KeeperErrorCode = Reconfig is disabled",
            ),
            (
                ErrorCode::NoWatcher,
                Some("/hx"),
                "KeeperErrorCode = No such watcher for /hx",
            ),
        ];
        for (code, path, expected) in table {
            let failure = Failure::refused(code, path);
            assert_eq!(failure.message, expected);
            assert_eq!(failure.exit_code, 1);
        }
        assert_eq!(
            exception_message(ErrorCode::InvalidAcl, None),
            "KeeperErrorCode = InvalidACL"
        );
    }
}
