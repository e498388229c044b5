use thiserror::Error;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{checker}: {detail}")]
pub struct Violation {
    /// Who noticed: the name of a file in `checkers/`, or `panic`.
    pub checker: &'static str,
    /// What is wrong.
    pub detail: String,
}

impl Violation {
    /// What `checker` found.
    pub fn new(checker: &'static str, detail: impl Into<String>) -> Self {
        Self {
            checker,
            detail: detail.into(),
        }
    }
}

/// The outcome of a check.
pub(crate) type Checked<T = ()> = Result<T, Violation>;

/// Fails with the violation of `$checker` unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $checker:expr, $($detail:tt)+) => {
        if !$condition {
            return Err($crate::violation::Violation::new($checker, format!($($detail)+)));
        }
    };
}

pub(crate) use ensure;
