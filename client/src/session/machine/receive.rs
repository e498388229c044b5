//! From a server's bytes to answers and events.

use jute::OpCode;
use jute::frame::Frames;
use jute::proto::{EventType, ReplyHeader, WatcherEvent};
use jute::wire::{Decode, Reader};

use super::{Phase, Sent, Session, refusal};
use crate::session::event::{Effect, End, Failure, WatchEvent};
use crate::session::reply::Reply;

/// What the server sent makes no sense: the connection ends.
struct Nonsense;

impl Session {
    pub(super) fn received(&mut self, now_us: u64, bytes: &[u8], effects: &mut Vec<Effect>) {
        if !self.is_linked() {
            return;
        }
        self.heard_us = now_us;
        let mut input = std::mem::take(&mut self.input);
        // Mostly there is no rest of the last piece, and nothing needs to be copied.
        if input.is_empty() {
            if let Some(done) = self.packets(now_us, bytes, effects) {
                input.extend_from_slice(&bytes[done..]);
            }
        } else {
            input.extend_from_slice(bytes);
            if let Some(done) = self.packets(now_us, &input, effects) {
                input.drain(..done);
            } else {
                input.clear();
            }
        }
        self.input = input;
        // Answers made room. Once for each piece, so that what is sent makes one piece too.
        self.send_waiting(now_us);
    }

    fn is_linked(&self) -> bool {
        matches!(
            self.phase,
            Phase::Opening { .. } | Phase::Authenticating { .. } | Phase::Established
        )
    }

    /// Takes the whole packets at the front; returns their length, `None` if the connection
    /// has ended.
    fn packets(&mut self, now_us: u64, input: &[u8], effects: &mut Vec<Effect>) -> Option<usize> {
        let mut frames = Frames::new(input, self.options.max_frame);
        for body in frames.by_ref() {
            let taken = match body {
                Ok(body) => self.packet(now_us, body, effects),
                Err(_) => Err(Nonsense),
            };
            if taken.is_err() {
                self.give_up(now_us, effects);
                return None;
            }
            if !self.is_linked() {
                return None;
            }
        }
        Some(input.len() - frames.rest().len())
    }

    fn packet(
        &mut self,
        now_us: u64,
        body: &[u8],
        effects: &mut Vec<Effect>,
    ) -> Result<(), Nonsense> {
        if let Phase::Opening { since_us } = self.phase {
            self.touched_us = self.touched_us.max(since_us);
            return self.opened(now_us, body, effects).map_err(|_| Nonsense);
        }
        let mut reader = Reader::new(body, self.options.limits);
        let header = ReplyHeader::decode(&mut reader).map_err(|_| Nonsense)?;
        if matches!(self.phase, Phase::Authenticating { .. }) {
            let taken = self.sasl_replied(now_us, header, &mut reader, effects);
            return taken.then_some(()).ok_or(Nonsense);
        }
        match header.xid {
            ReplyHeader::NOTIFICATION_XID => self.event(header, &mut reader, effects),
            ReplyHeader::PING_XID => {
                if let Some(sent_us) = self.outstanding.pings_us.pop_front() {
                    self.touched_us = self.touched_us.max(sent_us);
                }
                Ok(())
            }
            ReplyHeader::AUTH_XID => self.authenticated(header, effects),
            ReplyHeader::SET_WATCHES_XID if header.err == 0 => Ok(()),
            _ => self.reply(header, reader.rest(), effects),
        }
    }

    fn event(
        &mut self,
        header: ReplyHeader,
        reader: &mut Reader<'_>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Nonsense> {
        let event = WatcherEvent::decode(reader).map_err(|_| Nonsense)?;
        let kind = EventType::from_i32(event.event_type).ok_or(Nonsense)?;
        let path = event.path.ok_or(Nonsense)?.into_owned();
        self.watches.fired(kind, &path);
        effects.push(Effect::Event(WatchEvent {
            kind,
            path,
            zxid: header.zxid,
        }));
        Ok(())
    }

    fn authenticated(
        &mut self,
        header: ReplyHeader,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Nonsense> {
        let sent = self.outstanding.auth.pop_front().ok_or(Nonsense)?;
        if header.err != 0 {
            // The server closes; what is refused once is not tried again.
            self.credentials
                .retain(|known| known.number != sent.credential);
        }
        if header.err != 0 && sent.token.is_none() {
            // Accepted before and refused now: going on as somebody else would be worse.
            self.end(End::AuthFailed, effects);
        } else if let Some(token) = sent.token {
            let outcome = match header.err {
                0 => Ok(Reply::Done),
                err => Err(refusal(err)),
            };
            effects.push(Effect::Answer {
                token,
                zxid: 0,
                outcome,
            });
        }
        Ok(())
    }

    fn reply(
        &mut self,
        header: ReplyHeader,
        body: &[u8],
        effects: &mut Vec<Effect>,
    ) -> Result<(), Nonsense> {
        let is_next = |sent: &Sent| sent.xid == header.xid;
        if !self.outstanding.sent.front().is_some_and(is_next) {
            return Err(Nonsense);
        }
        let op = self.outstanding.sent[0].op;
        let outcome = match header.err {
            0 => Ok(Reply::decode(op, body, self.options.limits).map_err(|_| Nonsense)?),
            err => Err(refusal(err)),
        };
        let sent = self.outstanding.sent.pop_front().expect("looked at above");
        self.touched_us = self.touched_us.max(sent.sent_us);
        if header.zxid > 0 {
            self.last_zxid = header.zxid;
        }
        match (sent.watching, &outcome) {
            (Some(request), Ok(_)) => self.watches.answered(&request, None),
            (Some(request), Err(Failure::Refused(code))) => {
                self.watches.answered(&request, Some(*code));
            }
            _ => {}
        }
        let ended = op == OpCode::CloseSession && outcome.is_ok();
        effects.push(Effect::Answer {
            token: sent.token,
            zxid: header.zxid,
            outcome,
        });
        if ended {
            self.end(End::Closed, effects);
        }
        Ok(())
    }
}
