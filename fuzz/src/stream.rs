//! The tree that a leader sends.

use std::sync::Arc;

use journal::StateSink;
use jute::Zxid;
use jute::wire::Limits;
use storage::adopt::adopt;
use storage::snap::{ReceiveError, SnapshotReceiver};
use storage::{DigestSeal, Disk, Options, RecoverySink, SimDisk, SnapshotOptions, Trailer};

use crate::disk::{STATE_OPTIONS, empty_disk, layout, open, put_empty_snapshot};

/// The zxid of the tree.
const ZXID: Zxid = Zxid(1 << 32 | 5);

/// The first byte says in pieces of how many bytes the rest comes in. What is accepted is the same
/// as if it came at once, and a server can start from it.
pub fn snap_stream(input: &[u8]) {
    let Some((piece_len, stream)) = input.split_first() else {
        return;
    };
    let (disk, dir) = empty_disk();
    put_empty_snapshot(&disk, &dir);
    let log = open(&disk, false).expect("an empty tree").0.log;
    let (whole, _, _) = receive(&disk, stream, stream.len().max(1));
    let (pieces, receiver, mut sink) = receive(&disk, stream, usize::from(*piece_len).max(1));
    assert_eq!(pieces, whole);
    let trailer = Trailer::default();
    if !matches!(whole, Ok(Some(_))) || sink.snapshot_done(ZXID, trailer).is_err() {
        return;
    }
    let received = sink.finish();
    let trailer = Trailer {
        digest: Some(DigestSeal::UNKNOWN),
        last_processed: Some(ZXID),
    };
    adopt(receiver, None, trailer, &layout(), log).expect("memory takes it");
    let (recovered, state) = open(&disk, false).expect("what was received can be loaded");
    assert_eq!(recovered.last_zxid, ZXID);
    assert_eq!(state.tree().digest(), received.tree().digest());
    assert_eq!(state.tree().len(), received.tree().len());
}

/// Where the tree ends, if it does; or where it is broken.
type Outcome = Result<Option<usize>, u64>;

fn receive(
    disk: &SimDisk,
    stream: &[u8],
    piece_len: usize,
) -> (Outcome, SnapshotReceiver, StateSink) {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let options = SnapshotOptions::default();
    let limits: Limits = Options::default().limits;
    let receiver = SnapshotReceiver::begin(shared, &layout(), ZXID, options, limits);
    let mut receiver = receiver.expect("memory takes it");
    let mut sink = StateSink::new(STATE_OPTIONS, 7);
    let mut at = 0;
    let mut outcome = Ok(None);
    for piece in stream.chunks(piece_len) {
        outcome = match receiver.take(piece, &mut sink) {
            Ok(taken) => Ok(taken.map(|taken| at + taken)),
            Err(ReceiveError::Malformed { offset, reason }) => {
                assert!(!reason.0.is_empty());
                assert!(offset <= stream.len() as u64);
                Err(offset)
            }
            Err(ReceiveError::Storage(error)) => panic!("{error}"),
        };
        at += piece.len();
        if outcome != Ok(None) {
            break;
        }
    }
    (outcome, receiver, sink)
}
