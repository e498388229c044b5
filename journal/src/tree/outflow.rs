//! A tree on its way to a learner.

use std::convert::Infallible;

use jute::quorum::snap::encode_signature;
use state::State;
use state::snapshot::SnapshotWalk;
use storage::snap::body::{encode_end, encode_front};

/// Bytes of sessions and ACLs handed out at a time.
const FRONT_PIECE_BYTES: usize = 256 << 10;

/// Makes the bytes behind a SNAP packet ([`zab::Effect::SendSnapshot`]), a piece at a time:
/// sessions, ACL map, nodes, `/`, the signature.
///
/// The state is only looked at while a piece is made, and may change in between. So the tree is
/// fuzzy: it holds everything that was applied when this began, and any of what came later, which
/// the learner is sent as well.
pub struct Outflow {
    walk: SnapshotWalk,
    /// Sessions and ACLs that are still to be handed out.
    front: Vec<u8>,
    front_sent: usize,
    done: bool,
}

impl Outflow {
    /// Starts with everything applied so far. Whatever becomes of it, it is to be given back by
    /// [`Outflow::end`].
    pub fn begin(state: &mut State) -> Self {
        let walk = state.begin_snapshot();
        let mut front = Vec::new();
        let sessions = walk.sessions.iter().copied();
        let acls = walk.acls.iter().map(|(index, acl)| (*index, &acl[..]));
        let Ok(()) = encode_front(sessions, acls, &mut front, |_| Ok::<_, Infallible>(()));
        Self {
            walk,
            front,
            front_sent: 0,
            done: false,
        }
    }

    /// Appends the next piece to `out`: some of the front, or up to `max_nodes` nodes. True once
    /// everything has been handed out.
    pub fn piece(&mut self, state: &State, max_nodes: usize, out: &mut Vec<u8>) -> bool {
        if self.front_sent < self.front.len() {
            let rest = &self.front[self.front_sent..];
            let piece = &rest[..rest.len().min(FRONT_PIECE_BYTES)];
            out.extend_from_slice(piece);
            self.front_sent += piece.len();
            if self.front_sent == self.front.len() {
                self.front = Vec::new();
                self.front_sent = 0;
            }
            return false;
        }
        if !self.done && self.walk.step(state, max_nodes, out).is_some() {
            encode_end(out);
            encode_signature(out);
            self.done = true;
        }
        self.done
    }

    /// Ends it, finished or not.
    pub fn end(self, state: &mut State) {
        state.end_snapshot(self.walk);
    }
}
