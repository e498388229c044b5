//! The jute encoding: big-endian integers, length-prefixed buffers and strings,
//! count-prefixed vectors, records as their bare fields.

mod error;
mod reader;
mod record;
mod value;

use std::borrow::Cow;

pub use error::{DecodeError, DecodeErrorKind};
pub use reader::{Limits, Reader};
pub(crate) use record::{decode_impl, record};

/// A string of a record; `None` is the null string (length -1), kept apart from empty.
pub type Ustring<'a> = Option<Cow<'a, str>>;

/// A byte buffer of a record; `None` is the null buffer (length -1), kept apart from empty.
pub type Buffer<'a> = Option<&'a [u8]>;

/// Appends its jute form to a buffer.
pub trait Encode {
    /// Appends the encoded form of `self` to `out`.
    fn encode(&self, out: &mut Vec<u8>);
}

/// Reads itself from the front of a buffer, borrowing text and data from it.
pub trait Decode<'a>: Sized {
    /// Reads one value; on failure the reader's position is unspecified.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError>;
}
