//! What the tests share.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file is a crate of its own and uses a part of it"
)]

use jute::wire::{Decode, Encode, Limits, Reader};

/// The encoded form.
pub fn encoded(record: &impl Encode) -> Vec<u8> {
    let mut out = Vec::new();
    record.encode(&mut out);
    out
}

/// Decodes all of `bytes` as one record and asserts that it encodes to the same bytes.
#[track_caller]
pub fn exactly<'a, T: Decode<'a> + Encode>(bytes: &'a [u8]) -> T {
    let mut reader = Reader::new(bytes, Limits::default());
    let record = T::decode(&mut reader).expect("it decodes");
    assert_eq!(reader.remaining(), 0, "bytes left over");
    assert_eq!(encoded(&record), bytes, "re-encoded");
    record
}
