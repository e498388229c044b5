use thiserror::Error;

/// Why bytes are not a valid encoding, and at which offset of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{kind} at offset {offset}")]
pub struct DecodeError {
    /// What was wrong.
    pub kind: DecodeErrorKind,
    /// Offset into the buffer handed to the [`Reader`](super::Reader).
    pub offset: usize,
}

/// The kinds of [`DecodeError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeErrorKind {
    /// The buffer ends inside a value.
    #[error("{wanted} bytes wanted, {available} left")]
    Truncated {
        /// Bytes the value needs.
        wanted: usize,
        /// Bytes that are left.
        available: usize,
    },
    /// A length or count is negative (and not -1) or above the limit.
    #[error("length {0} is out of range")]
    BadLength(i32),
    /// Vectors or transactions nest deeper than [`Limits::max_depth`](super::Limits::max_depth).
    #[error("nested too deeply")]
    TooDeep,
    /// A type code that has no meaning in this place.
    #[error("unknown type {0}")]
    UnknownType(i32),
    /// A field holds a value that its record does not allow.
    #[error("invalid value in field {0}")]
    InvalidField(&'static str),
}
