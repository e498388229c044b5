//! The exchange that proves who the client is, before anything else on a connection.

use jute::OpCode;
use jute::proto::ReplyHeader;
use jute::wire::{Encode, Reader};

use super::{Phase, Session, header};
use crate::session::event::{Effect, End};
use crate::session::sasl::DigestMd5;

/// How far the exchange of a session's present connection is.
#[derive(Debug)]
pub(super) struct Exchange {
    user: DigestMd5,
    /// Exchanges so far, this one included.
    number: u64,
    xid: i32,
    /// What the server has to prove; `None` before its challenge.
    proof: Option<Vec<u8>>,
}

impl Exchange {
    pub(super) fn new(user: DigestMd5) -> Self {
        Self {
            user,
            number: 0,
            xid: 0,
            proof: None,
        }
    }
}

impl Session {
    /// Asks for a challenge. False if this session proves nothing.
    pub(super) fn begin_sasl(&mut self, now_us: u64) -> bool {
        let Some(exchange) = &mut self.exchange else {
            return false;
        };
        exchange.number += 1;
        exchange.proof = None;
        self.phase = Phase::Authenticating { since_us: now_us };
        self.send_sasl(now_us, &[]);
        true
    }

    fn send_sasl(&mut self, now_us: u64, token: &[u8]) {
        let xid = self.take_xid();
        if let Some(exchange) = &mut self.exchange {
            exchange.xid = xid;
        }
        self.output.send(now_us, |out| {
            header(xid, OpCode::Sasl).encode(out);
            Some(token).encode(out);
        });
    }

    /// Takes the server's part. False if it makes no sense.
    pub(super) fn sasl_replied(
        &mut self,
        now_us: u64,
        reply: ReplyHeader,
        reader: &mut Reader<'_>,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Some(exchange) = &mut self.exchange else {
            return false;
        };
        if reply.xid != exchange.xid {
            return false;
        }
        let token = match reply.err {
            0 => reader.buffer().ok().flatten(),
            _ => None,
        };
        // No token: the password is refused, or the server knows no SASL.
        let Some(token) = token else {
            self.end(End::AuthFailed, effects);
            return true;
        };
        match exchange.proof.take() {
            None => match exchange.user.respond(token, exchange.number) {
                None => self.end(End::AuthFailed, effects),
                Some(response) => {
                    exchange.proof = Some(response.proof);
                    self.send_sasl(now_us, &response.token);
                }
            },
            Some(proof) if proof == token => self.establish(now_us, effects),
            // Whoever does not know the password is not the server that was meant.
            Some(_) => self.end(End::AuthFailed, effects),
        }
        true
    }
}
