//! The habit of some clients, kazoo for one, to count their requests anew on each connection: then
//! a session's xids repeat, and a server that tells requests apart by them alone mixes them up.
//! Stands between the session core, which goes on counting, and the wire.

use jute::frame::{self, Frames, PREFIX_LEN};
use jute::wire::Limits;

/// The numbers of one connection.
#[derive(Debug, Default)]
pub(super) struct Renumber {
    opened_by_client: bool,
    opened_by_server: bool,
    /// The core's xid before the first one of this connection.
    base: Option<i32>,
    input: Vec<u8>,
}

impl Renumber {
    /// A frame that the core sends.
    pub(super) fn outgoing(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        if !std::mem::replace(&mut self.opened_by_client, true) {
            return bytes;
        }
        let xid = xid_of(&bytes[PREFIX_LEN..]);
        if xid > 0 {
            let base = *self.base.get_or_insert(xid - 1);
            set_xid(&mut bytes[PREFIX_LEN..], xid - base);
        }
        bytes
    }

    /// Bytes from the server: whole frames, as the core expects them.
    pub(super) fn incoming(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.input.extend_from_slice(bytes);
        let mut frames = Frames::new(&self.input, Limits::DEFAULT_MAX_BUFFER * 4);
        let mut renumbered = Vec::new();
        for body in frames.by_ref().map_while(Result::ok) {
            let start = renumbered.len() + PREFIX_LEN;
            frame::append(&mut renumbered, |out| out.extend_from_slice(body));
            if !std::mem::replace(&mut self.opened_by_server, true) || body.len() < 4 {
                continue;
            }
            if let (xid @ 1.., Some(base)) = (xid_of(body), self.base) {
                set_xid(&mut renumbered[start..], xid + base);
            }
        }
        self.input = frames.rest().to_vec();
        renumbered
    }
}

fn xid_of(body: &[u8]) -> i32 {
    i32::from_be_bytes([body[0], body[1], body[2], body[3]])
}

fn set_xid(body: &mut [u8], xid: i32) {
    body[..4].copy_from_slice(&xid.to_be_bytes());
}
