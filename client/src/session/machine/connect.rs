//! The first packets of a connection.

use jute::OpCode;
use jute::proto::{AuthPacket, ConnectRequest, ConnectResponse, ReplyHeader};
use jute::wire::{Decode, DecodeError, Encode, Reader};

use super::outstanding::SentAuth;
use super::{Phase, Session, header};
use crate::session::event::{Effect, End, Token};

/// An identity that is given on every connection.
#[derive(Debug)]
pub(super) struct Credential {
    pub(super) number: u64,
    scheme: String,
    auth: Vec<u8>,
    /// Whose answer the first reply is, and since when it waits; none once it was sent.
    pub(super) asked_by: Option<(Token, u64)>,
}

impl Session {
    pub(super) fn connected(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        if !matches!(self.phase, Phase::Connecting { .. }) {
            return;
        }
        // Bytes for another connection must not get on this one: a request of another session could
        // be carried out as this one's. None can be there, since `lost` and `end` forget them; if
        // some are, this connection ends, which forgets them.
        if !self.output.bytes.is_empty() {
            self.give_up(now_us, effects);
            return;
        }
        self.phase = Phase::Opening { since_us: now_us };
        // A session of a read-only server is known to that server alone.
        let (session_id, passwd) = match self.is_global {
            true => (self.session, &self.passwd[..]),
            false => (0, &[0; 16][..]),
        };
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid,
            timeout_ms: self.options.timeout_ms,
            session_id,
            passwd: Some(passwd),
            read_only: Some(self.options.read_only),
        };
        self.output.send(now_us, |out| request.encode(out));
    }

    /// Takes the server's answer to the first packet.
    pub(super) fn opened(
        &mut self,
        now_us: u64,
        body: &[u8],
        effects: &mut Vec<Effect>,
    ) -> Result<(), DecodeError> {
        let mut reader = Reader::new(body, self.options.limits);
        let response = ConnectResponse::decode(&mut reader)?;
        if response.timeout_ms <= 0 {
            self.end(End::Expired, effects);
            return Ok(());
        }
        self.renewed = self.session != 0;
        self.read_only = response.read_only == Some(true);
        self.is_global |= !self.read_only;
        self.pause.reset();
        self.session = response.session_id;
        self.passwd = response.passwd.unwrap_or_default().to_vec();
        self.timeout_ms = response.timeout_ms;
        if !self.begin_sasl(now_us) {
            self.establish(now_us, effects);
        }
        Ok(())
    }

    /// The connection can be used.
    pub(super) fn establish(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        self.phase = Phase::Established;
        effects.push(Effect::Established {
            session: self.session,
            timeout_ms: self.timeout_ms,
            renewed: self.renewed,
            read_only: self.read_only,
        });
        // Who we are comes first: watches and requests may depend on it. Then the watches,
        // so that what was missed is known before any reply that shows it.
        for at in 0..self.credentials.len() {
            self.authenticate(now_us, at);
        }
        self.watch_again(now_us);
        self.send_waiting(now_us);
    }

    /// Adds an identity. It is kept even if the connection goes before the answer.
    pub(super) fn add_credential(
        &mut self,
        now_us: u64,
        token: Token,
        scheme: String,
        auth: Vec<u8>,
    ) {
        self.next_credential += 1;
        self.credentials.push(Credential {
            number: self.next_credential,
            scheme,
            auth,
            asked_by: Some((token, now_us)),
        });
        if self.phase == Phase::Established {
            self.authenticate(now_us, self.credentials.len() - 1);
        }
    }

    fn authenticate(&mut self, now_us: u64, at: usize) {
        let known = &mut self.credentials[at];
        let packet = AuthPacket {
            kind: 0,
            scheme: Some(known.scheme.as_str().into()),
            auth: Some(&known.auth),
        };
        self.output.send(now_us, |out| {
            header(ReplyHeader::AUTH_XID, OpCode::Auth).encode(out);
            packet.encode(out);
        });
        self.outstanding.auth.push_back(SentAuth {
            token: known.asked_by.take().map(|(token, _)| token),
            credential: known.number,
        });
    }

    fn watch_again(&mut self, now_us: u64) {
        for packet in self.watches.again(self.last_zxid) {
            self.output.send(now_us, |out| {
                let op = packet.op();
                header(ReplyHeader::SET_WATCHES_XID, op).encode(out);
                packet.encode(out);
            });
        }
    }
}
