//! The primitive values of jute, as the field types of records.

use std::borrow::Cow;

use super::{Buffer, Decode, DecodeError, Encode, Reader, Ustring};

impl Encode for i32 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
}

impl Decode<'_> for i32 {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.i32()
    }
}

impl Encode for i64 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
}

impl Decode<'_> for i64 {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.i64()
    }
}

impl Encode for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl Decode<'_> for bool {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.bool()
    }
}

impl Encode for Buffer<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            None => (-1).encode(out),
            Some(bytes) => {
                length(bytes.len()).encode(out);
                out.extend_from_slice(bytes);
            }
        }
    }
}

impl<'a> Decode<'a> for Buffer<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        reader.buffer()
    }
}

impl Encode for Ustring<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_ref().map(|text| text.as_bytes()).encode(out);
    }
}

impl<'a> Decode<'a> for Ustring<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        reader.ustring()
    }
}

/// A string that is never null when written; a null one reads as empty. Only for
/// places where the two mean the same.
impl Encode for Cow<'_, str> {
    fn encode(&self, out: &mut Vec<u8>) {
        Some(self.as_bytes()).encode(out);
    }
}

impl<'a> Decode<'a> for Cow<'a, str> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(reader.ustring()?.unwrap_or_default())
    }
}

impl<T: Encode> Encode for Option<Vec<T>> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            None => (-1).encode(out),
            Some(items) => items.as_slice().encode(out),
        }
    }
}

impl<'a, T: Decode<'a>> Decode<'a> for Option<Vec<T>> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        reader.vector()
    }
}

impl<T: Encode> Encode for [T] {
    fn encode(&self, out: &mut Vec<u8>) {
        length(self.len()).encode(out);
        for item in self {
            item.encode(out);
        }
    }
}

/// A length as jute writes it.
///
/// # Panics
/// If it does not fit an int: frames are bounded far below that.
fn length(len: usize) -> i32 {
    i32::try_from(len).expect("a jute length fits an int")
}
