//! The layout of a log file: a 16 byte header, then records until a zero length or the end of the
//! file.
//!
//! A record is: Adler-32 of the entry as a long, the entry's length as an int, the entry, and `B`.
//! An entry is the proposal's bytes: TxnHeader, body, and usually a digest.

use std::ops::RangeInclusive;

/// `ZKLG`, version 2, database id 0.
pub const HEADER: [u8; 16] = [b'Z', b'K', b'L', b'G', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0];
/// The part of the header that readers check.
pub const MAGIC: [u8; 4] = *b"ZKLG";
/// Checksum and length before an entry, in bytes.
pub const RECORD_HEAD_LEN: usize = 12;
/// What a record adds to its entry, in bytes.
pub const RECORD_OVERHEAD: usize = 13;
/// The byte that ends a record.
pub const END_OF_RECORD: u8 = 0x42;
/// Length of the TxnHeader that starts every entry, in bytes.
pub const TXN_HEADER_LEN: usize = 32;

/// Appends the record of `entry` to `out`.
pub fn frame(entry: &[u8], out: &mut Vec<u8>) {
    assert!(
        entry.len() >= TXN_HEADER_LEN,
        "a log entry starts with a TxnHeader"
    );
    let len = i32::try_from(entry.len()).expect("the writer's limit is far below 2 GiB");
    out.extend_from_slice(&u64::from(checksum(entry)).to_be_bytes());
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(entry);
    out.push(END_OF_RECORD);
}

/// The zxid in an entry's TxnHeader; `None` when the entry is too short to have one.
pub fn entry_zxid(entry: &[u8]) -> Option<i64> {
    if entry.len() < TXN_HEADER_LEN {
        return None;
    }
    entry.get(12..20)?.try_into().ok().map(i64::from_be_bytes)
}

/// Adler-32 of an entry.
pub fn checksum(entry: &[u8]) -> u32 {
    simd_adler32::adler32(&entry)
}

/// Where reading a file stopped, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The file ends here, exactly between two records.
    EndOfFile,
    /// The file ends inside a record.
    CutRecord,
    /// A length of zero: the zeros of the preallocated space, as a rule.
    ZeroLength,
    /// The record does not end with `B`.
    BadEndOfRecord,
    /// The checksum belongs to other bytes.
    BadChecksum {
        /// As stored in the record.
        stored: u64,
        /// Of the bytes that are there.
        computed: u32,
    },
    /// A length that no writer uses.
    BadLength(i32),
}

impl Stop {
    /// The words for an error message.
    pub fn describe(self) -> String {
        match self {
            Self::EndOfFile => "the file ends".to_owned(),
            Self::CutRecord => "the file ends inside a record".to_owned(),
            Self::ZeroLength => "a record of length 0".to_owned(),
            Self::BadEndOfRecord => "a record without its end mark".to_owned(),
            Self::BadChecksum { stored, computed } => {
                format!("checksum mismatch, stored {stored:#x} but computed {computed:#x}")
            }
            Self::BadLength(len) => format!("a record length of {len}"),
        }
    }
}

/// The length field of a record head, checked against `limits`.
pub(crate) fn entry_len(head: &[u8; RECORD_HEAD_LEN], entry_len_max: usize) -> Result<usize, Stop> {
    let len = i32::from_be_bytes([head[8], head[9], head[10], head[11]]);
    if len == 0 {
        return Err(Stop::ZeroLength);
    }
    let plausible: RangeInclusive<usize> = TXN_HEADER_LEN..=entry_len_max;
    match usize::try_from(len) {
        Ok(len) if plausible.contains(&len) => Ok(len),
        _ => Err(Stop::BadLength(len)),
    }
}

/// Checks a whole record of `bytes` (head, entry, end mark).
pub(crate) fn check_record(bytes: &[u8]) -> Result<&[u8], Stop> {
    assert!(
        bytes.len() > RECORD_OVERHEAD,
        "the caller read the length first"
    );
    let (head, rest) = bytes.split_at(RECORD_HEAD_LEN);
    let (entry, mark) = rest.split_at(rest.len() - 1);
    if mark != [END_OF_RECORD] {
        return Err(Stop::BadEndOfRecord);
    }
    let stored = head[..8]
        .iter()
        .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let computed = checksum(entry);
    if stored != u64::from(computed) {
        return Err(Stop::BadChecksum { stored, computed });
    }
    Ok(entry)
}
