//! The middle of a snapshot, which a SNAP sends over the wire as well: sessions, ACL map and nodes,
//! up to the string `/`.

use jute::data::{Acl, StatPersisted};
use jute::wire::{Decode, DecodeError, DecodeErrorKind, Encode, Limits, Reader};

use crate::error::Rejected;
use crate::snap::format::TERMINATOR;

/// Takes the pieces of a snapshot, in this order: sessions, ACLs, nodes (parents first).
pub trait SnapshotSink {
    /// A global session.
    fn session(&mut self, id: i64, timeout_ms: i32) -> Result<(), Rejected>;

    /// An entry of the ACL map; nodes refer to it by `index`.
    fn acl(&mut self, index: i64, acl: Vec<Acl<'_>>) -> Result<(), Rejected>;

    /// A node; the root's path is empty. `acl` is an index of the map, or -1 for the open ACL.
    fn node(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: i64,
        stat: &StatPersisted,
    ) -> Result<(), Rejected>;
}

/// Takes everything and keeps nothing: for whether a snapshot can be read.
pub(crate) struct Discard;

impl SnapshotSink for Discard {
    fn session(&mut self, _: i64, _: i32) -> Result<(), Rejected> {
        Ok(())
    }

    fn acl(&mut self, _: i64, _: Vec<Acl<'_>>) -> Result<(), Rejected> {
        Ok(())
    }

    fn node(
        &mut self,
        _: &str,
        _: Option<&[u8]>,
        _: i64,
        _: &StatPersisted,
    ) -> Result<(), Rejected> {
        Ok(())
    }
}

/// Appends sessions (id, timeout in ms) and ACL map (index, list) to `out`. `drain` is called after
/// each piece and may empty `out`.
pub fn encode_front<'a, E>(
    sessions: impl ExactSizeIterator<Item = (i64, i32)>,
    acls: impl ExactSizeIterator<Item = (i64, &'a [Acl<'a>])>,
    out: &mut Vec<u8>,
    mut drain: impl FnMut(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    count(sessions.len()).encode(out);
    for (id, timeout_ms) in sessions {
        id.encode(out);
        timeout_ms.encode(out);
        drain(out)?;
    }
    count(acls.len()).encode(out);
    for (index, acl) in acls {
        index.encode(out);
        acl.encode(out);
        drain(out)?;
    }
    Ok(())
}

fn count(len: usize) -> i32 {
    i32::try_from(len).expect("fewer than 2^31 sessions and ACLs")
}

/// Appends a node.
pub fn encode_node(
    path: &str,
    data: Option<&[u8]>,
    acl: i64,
    stat: &StatPersisted,
    out: &mut Vec<u8>,
) {
    // A path of one slash would end the nodes.
    assert!(path != "/", "the root's path is empty in a snapshot");
    Some(path.as_bytes()).encode(out);
    data.encode(out);
    acl.encode(out);
    stat.encode(out);
}

/// Appends what ends the nodes.
pub fn encode_end(out: &mut Vec<u8>) {
    out.extend_from_slice(&TERMINATOR);
}

/// Why a body cannot be taken.
#[derive(Debug)]
pub(crate) struct BadBody {
    /// Where, in bytes from the start of what was handed in.
    pub(crate) offset: usize,
    pub(crate) reason: Rejected,
}

/// Takes a body apart as its bytes come in.
pub(crate) struct BodyReader {
    limits: Limits,
    next: Piece,
}

/// What comes next; with how many of them are left.
enum Piece {
    SessionCount,
    Session(i32),
    AclCount,
    Acl(i32),
    Node,
    Nothing,
}

/// A piece that could not be taken.
enum Failure {
    Decode(DecodeError),
    Rejected(Rejected),
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<Rejected> for Failure {
    fn from(reason: Rejected) -> Self {
        Self::Rejected(reason)
    }
}

impl BodyReader {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            next: Piece::SessionCount,
        }
    }

    /// Whether the end of the nodes has been taken.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.next, Piece::Nothing)
    }

    /// The length of a piece that is still incomplete can be no more than this. An ACL list is as
    /// long as the longest request at most; the rest of a node is small beside its path and data.
    pub(crate) fn piece_len_max(&self) -> usize {
        const FIXED_LEN: usize = 4096;
        2 * self.limits.max_len + FIXED_LEN
    }

    /// Hands every whole piece at the front of `bytes` to `sink`; returns how many bytes those
    /// were. What is left belongs to a piece that is still incomplete, or stands behind the body.
    pub(crate) fn take(
        &mut self,
        bytes: &[u8],
        sink: &mut impl SnapshotSink,
    ) -> Result<usize, BadBody> {
        let mut taken = 0;
        while !self.is_done() {
            let mut reader = Reader::new(&bytes[taken..], self.limits);
            match self.piece(&mut reader, sink) {
                Ok(next) => {
                    self.next = next;
                    taken += reader.position();
                }
                Err(Failure::Decode(error))
                    if matches!(error.kind, DecodeErrorKind::Truncated { .. }) =>
                {
                    break;
                }
                Err(Failure::Decode(error)) => {
                    return Err(BadBody {
                        offset: taken + error.offset,
                        reason: Rejected(format!("a malformed record: {error}")),
                    });
                }
                Err(Failure::Rejected(reason)) => {
                    return Err(BadBody {
                        offset: taken,
                        reason,
                    });
                }
            }
        }
        Ok(taken)
    }

    /// Takes one piece and tells what follows it. Nothing reaches the sink unless the piece is
    /// whole.
    fn piece(
        &self,
        reader: &mut Reader<'_>,
        sink: &mut impl SnapshotSink,
    ) -> Result<Piece, Failure> {
        Ok(match self.next {
            Piece::SessionCount => match reader.i32()? {
                ..=0 => Piece::AclCount,
                count => Piece::Session(count),
            },
            Piece::Session(left) => {
                let id = reader.i64()?;
                sink.session(id, reader.i32()?)?;
                match left {
                    1 => Piece::AclCount,
                    _ => Piece::Session(left - 1),
                }
            }
            Piece::AclCount => match reader.i32()? {
                ..=0 => Piece::Node,
                count => Piece::Acl(count),
            },
            Piece::Acl(left) => {
                let index = reader.i64()?;
                let acl = reader.vector()?;
                sink.acl(
                    index,
                    acl.ok_or_else(|| Rejected(format!("ACL {index} is null")))?,
                )?;
                match left {
                    1 => Piece::Node,
                    _ => Piece::Acl(left - 1),
                }
            }
            Piece::Node => {
                let path = reader
                    .ustring()?
                    .ok_or_else(|| Rejected("a node without path".to_owned()))?;
                if path == "/" {
                    return Ok(Piece::Nothing);
                }
                let data = reader.buffer()?;
                let acl = reader.i64()?;
                let stat = StatPersisted::decode(reader)?;
                sink.node(&path, data, acl, &stat)?;
                Piece::Node
            }
            Piece::Nothing => Piece::Nothing,
        })
    }
}
