use std::borrow::Cow;

use super::{Buffer, Decode, DecodeError, DecodeErrorKind, Ustring};

/// Bounds on what a [`Reader`] accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest string or buffer in bytes: `jute.maxbuffer` plus
    /// `zookeeper.jute.maxbuffer.extrasize`.
    pub max_len: usize,
    /// Deepest nesting of vectors and transactions.
    pub max_depth: u32,
}

impl Limits {
    /// Default of `jute.maxbuffer` in bytes.
    pub const DEFAULT_MAX_BUFFER: usize = 0xf_ffff;
    /// Records nest three deep at most (a multi of a create with its ACL list).
    pub const DEFAULT_MAX_DEPTH: u32 = 8;

    /// Limits for a given `jute.maxbuffer` and extra size, in bytes.
    pub fn new(max_buffer: usize, extra: usize) -> Self {
        Self {
            max_len: max_buffer.saturating_add(extra).min(i32::MAX as usize),
            max_depth: Self::DEFAULT_MAX_DEPTH,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new(Self::DEFAULT_MAX_BUFFER, Self::DEFAULT_MAX_BUFFER)
    }
}

/// A cursor over an encoded buffer.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    buf: &'a [u8],
    pos: usize,
    depth: u32,
    limits: Limits,
}

impl<'a> Reader<'a> {
    /// Starts at the front of `buf`.
    pub fn new(buf: &'a [u8], limits: Limits) -> Self {
        Self {
            buf,
            pos: 0,
            depth: 0,
            limits,
        }
    }

    /// Bytes consumed so far.
    pub fn position(&self) -> usize {
        self.pos
    }

    /// Bytes not yet consumed.
    pub fn remaining(&self) -> usize {
        self.buf.len() - self.pos
    }

    /// The bytes not yet consumed.
    pub fn rest(&self) -> &'a [u8] {
        &self.buf[self.pos..]
    }

    /// The limits this reader enforces.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// An error of `kind` at the current position.
    pub fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError {
            kind,
            offset: self.pos,
        }
    }

    /// Takes the next `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let available = self.remaining();
        if len > available {
            return Err(self.error(DecodeErrorKind::Truncated {
                wanted: len,
                available,
            }));
        }
        let taken = &self.buf[self.pos..self.pos + len];
        self.pos += len;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    /// Reads a byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    /// Reads a boolean; any byte but 0 is true.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.u8()? != 0)
    }

    /// Reads an int.
    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_be_bytes)
    }

    /// Reads a long.
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_be_bytes)
    }

    /// Reads a buffer; length -1 is null.
    pub fn buffer(&mut self) -> Result<Buffer<'a>, DecodeError> {
        let len = self.i32()?;
        if len == -1 {
            return Ok(None);
        }
        match usize::try_from(len) {
            Ok(len) if len <= self.limits.max_len => self.bytes(len).map(Some),
            _ => Err(self.error(DecodeErrorKind::BadLength(len))),
        }
    }

    /// Reads a string; length -1 is null, invalid UTF-8 becomes U+FFFD as Java's reader does.
    pub fn ustring(&mut self) -> Result<Ustring<'a>, DecodeError> {
        Ok(self
            .buffer()?
            .map(|bytes| match std::str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => String::from_utf8_lossy(bytes),
            }))
    }

    /// Reads a vector; count -1 is null, and any other negative count reads as empty,
    /// as Java's reader does. Memory grows with what is really there, not with the count.
    pub fn vector<T: Decode<'a>>(&mut self) -> Result<Option<Vec<T>>, DecodeError> {
        let count = self.i32()?;
        if count == -1 {
            return Ok(None);
        }
        self.enter()?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(T::decode(self)?);
        }
        self.leave();
        Ok(Some(items))
    }

    /// Notes one more level of nesting.
    pub fn enter(&mut self) -> Result<(), DecodeError> {
        if self.depth >= self.limits.max_depth {
            return Err(self.error(DecodeErrorKind::TooDeep));
        }
        self.depth += 1;
        Ok(())
    }

    /// Notes the end of a level of nesting.
    pub fn leave(&mut self) {
        self.depth -= 1;
    }
}
