//! The habit of some clients, kazoo for one, to count their requests anew on each connection: then
//! a session's xids repeat, and a server that tells requests apart by them alone mixes them up.
//! Stands between the session core, which goes on counting, and the wire.

use jute::frame::{self, PREFIX_LEN};
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
        let mut done = 0;
        while let Ok(Some(body)) = frame::first(&self.input[done..], Limits::DEFAULT_MAX_BUFFER * 4)
        {
            let (start, len) = (done + PREFIX_LEN, body.len());
            done = start + len;
            if !std::mem::replace(&mut self.opened_by_server, true) || len < 4 {
                continue;
            }
            let body = &mut self.input[start..done];
            let xid = xid_of(body);
            if let (1.., Some(base)) = (xid, self.base) {
                set_xid(body, xid + base);
            }
        }
        self.input.drain(..done).collect()
    }
}

fn xid_of(body: &[u8]) -> i32 {
    i32::from_be_bytes([body[0], body[1], body[2], body[3]])
}

fn set_xid(body: &mut [u8], xid: i32) {
    body[..4].copy_from_slice(&xid.to_be_bytes());
}
