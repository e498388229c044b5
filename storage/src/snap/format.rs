//! The layout of a snapshot's uncompressed stream.
//!
//! Header, sessions, ACL map, nodes, the string `/`, then up to three seals: each is the Adler-32
//! of everything before it as a long, followed by the string `/`. The trailers between the seals do
//! not say what they are; their total length does.

use jute::Zxid;
use jute::txn::TxnDigest;
use simd_adler32::Adler32;

/// `ZKSN`, version 2, database id -1.
pub const HEADER: [u8; 16] = [
    b'Z', b'K', b'S', b'N', 0, 0, 0, 2, 255, 255, 255, 255, 255, 255, 255, 255,
];
/// The part of the header that readers check.
pub const MAGIC: [u8; 4] = *b"ZKSN";
/// The string `/`, which ends the nodes and every seal.
pub const TERMINATOR: [u8; 5] = [0, 0, 0, 1, b'/'];
/// The version of tree digests written today.
pub const DIGEST_VERSION: i32 = 2;

/// Adler-32 as a long, and the terminator.
pub(crate) const SEAL_LEN: usize = 13;
/// Zxid, version and tree digest.
const DIGEST_LEN: usize = 20;
/// The zxid processed last.
const LAST_PROCESSED_LEN: usize = 8;

/// The digest of the tree at one zxid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestSeal {
    /// The zxid to which the digest belongs; in a fuzzy snapshot later than the snapshot itself.
    pub zxid: Zxid,
    /// Version of the digest's definition.
    pub version: i32,
    /// The digest; 0 together with zxid 0 means unknown.
    pub tree_digest: i64,
}

impl DigestSeal {
    /// Of a tree whose digest is not known, as the wire does not carry it.
    pub const UNKNOWN: Self = Self {
        zxid: Zxid::ZERO,
        version: DIGEST_VERSION,
        tree_digest: 0,
    };
}

/// What follows the nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trailer {
    /// Present unless digests are switched off.
    pub digest: Option<DigestSeal>,
    /// Present since 3.9. After a load the zxid in the file's name counts.
    pub last_processed: Option<Zxid>,
}

impl Trailer {
    /// At which zxid the tree must have which digest. A digest of another version than ours
    /// tells nothing.
    pub fn tree_digest(&self) -> Option<(Zxid, u64)> {
        let seal = self.digest?;
        (seal.version == TxnDigest::VERSION).then_some((seal.zxid, seal.tree_digest as u64))
    }

    /// Most bytes behind the nodes.
    pub(crate) const LEN_MAX: usize =
        SEAL_LEN + DIGEST_LEN + SEAL_LEN + LAST_PROCESSED_LEN + SEAL_LEN;

    /// Takes what follows a stream whose running sum is `sum`, if all its seals are right.
    ///
    /// Switches of the reader play no part, so snapshots of every 3.x writer with version 2 digests
    /// are read.
    pub(crate) fn decode(mut sum: Adler32, bytes: &[u8]) -> Option<Self> {
        const WITH_DIGEST: usize = DIGEST_LEN + SEAL_LEN;
        const WITH_LAST_PROCESSED: usize = LAST_PROCESSED_LEN + SEAL_LEN;
        const WITH_BOTH: usize = WITH_DIGEST + WITH_LAST_PROCESSED;
        let (digest, last_processed) = match bytes.len().checked_sub(SEAL_LEN)? {
            0 => (false, false),
            WITH_DIGEST => (true, false),
            WITH_LAST_PROCESSED => (false, true),
            WITH_BOTH => (true, true),
            _ => return None,
        };
        let mut rest = bytes;
        let mut trailer = Self::default();
        take_seal(&mut sum, &mut rest)?;
        if digest {
            let field: &[u8; DIGEST_LEN] = take(&mut sum, &mut rest)?;
            trailer.digest = Some(DigestSeal {
                zxid: Zxid(i64::from_be_bytes(field[..8].try_into().ok()?)),
                version: i32::from_be_bytes(field[8..12].try_into().ok()?),
                tree_digest: i64::from_be_bytes(field[12..].try_into().ok()?),
            });
            take_seal(&mut sum, &mut rest)?;
        }
        if last_processed {
            let field: &[u8; LAST_PROCESSED_LEN] = take(&mut sum, &mut rest)?;
            trailer.last_processed = Some(Zxid(i64::from_be_bytes(*field)));
            take_seal(&mut sum, &mut rest)?;
        }
        Some(trailer)
    }

    /// Appends seal and trailers for a stream whose running sum is `sum`.
    pub(crate) fn encode(&self, sum: &mut Adler32, out: &mut Vec<u8>) {
        push_seal(sum, out);
        if let Some(digest) = self.digest {
            let start = out.len();
            out.extend_from_slice(&digest.zxid.0.to_be_bytes());
            out.extend_from_slice(&digest.version.to_be_bytes());
            out.extend_from_slice(&digest.tree_digest.to_be_bytes());
            sum.write(&out[start..]);
            push_seal(sum, out);
        }
        if let Some(zxid) = self.last_processed {
            let start = out.len();
            out.extend_from_slice(&zxid.0.to_be_bytes());
            sum.write(&out[start..]);
            push_seal(sum, out);
        }
    }
}

fn push_seal(sum: &mut Adler32, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&u64::from(sum.finish()).to_be_bytes());
    out.extend_from_slice(&TERMINATOR);
    sum.write(&out[start..]);
}

fn take<'a, const N: usize>(sum: &mut Adler32, rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (field, after) = rest.split_first_chunk::<N>()?;
    sum.write(field);
    *rest = after;
    Some(field)
}

fn take_seal(sum: &mut Adler32, rest: &mut &[u8]) -> Option<()> {
    let expected = u64::from(sum.finish()).to_be_bytes();
    let seal: &[u8; SEAL_LEN] = take(sum, rest)?;
    (seal[..8] == expected && seal[8..] == TERMINATOR).then_some(())
}
