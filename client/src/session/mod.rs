//! The session: one connection after the other, one history of requests and answers.

mod connect;
mod outstanding;
mod receive;

#[cfg(test)]
mod tests;

use jute::frame;
use jute::proto::{ReplyHeader, RequestHeader};
use jute::wire::Encode;
use jute::{ErrorCode, OpCode};

use crate::event::{Effect, Failure, Input, Token};
use crate::options::Options;
use crate::request::Request;
use crate::watches::Watches;
use connect::Credential;
use outstanding::{Outstanding, Sent};

/// Where the session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Without a connection, until it is time to try again.
    Resting { until_us: u64 },
    /// The shell connects.
    Connecting { since_us: u64 },
    /// The first packet is sent and not yet answered.
    Opening { since_us: u64 },
    /// Requests go out and answers come in.
    Established,
    /// Closed or expired: nothing more happens.
    Ended,
}

/// A client's session.
///
/// Replies are matched to requests strictly in order; one that does not match, or cannot be
/// decoded, ends the connection. The only exceptions are those of the protocol: events,
/// pings, the packets of setWatches, and auth, whose reply may overtake others.
#[derive(Debug)]
pub struct Session {
    options: Options,
    phase: Phase,
    session: i64,
    passwd: Vec<u8>,
    /// Negotiated, milliseconds; asked for until then.
    timeout_ms: i32,
    /// The highest zxid in an ordinary reply: what this session has seen.
    last_zxid: i64,
    next_xid: i32,
    outstanding: Outstanding,
    credentials: Vec<Credential>,
    next_credential: u64,
    watches: Watches,
    input: Vec<u8>,
    heard_us: u64,
    sent_us: u64,
}

impl Session {
    /// A session that connects with the first [`Input::Tick`].
    pub fn new(options: Options) -> Self {
        Self {
            options,
            phase: Phase::Resting { until_us: 0 },
            session: 0,
            passwd: vec![0; 16],
            timeout_ms: options.timeout_ms,
            last_zxid: 0,
            next_xid: 1,
            outstanding: Outstanding::default(),
            credentials: Vec::new(),
            next_credential: 0,
            watches: Watches::default(),
            input: Vec::new(),
            heard_us: 0,
            sent_us: 0,
        }
    }

    /// The session's id; 0 before there is one.
    pub fn id(&self) -> i64 {
        self.session
    }

    /// The highest zxid seen.
    pub fn last_zxid(&self) -> i64 {
        self.last_zxid
    }

    /// What the session watches.
    pub fn watches(&self) -> &Watches {
        &self.watches
    }

    /// Can requests be sent at once?
    pub fn is_established(&self) -> bool {
        self.phase == Phase::Established
    }

    /// Is the session closed or expired?
    pub fn has_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Requests not yet answered.
    pub fn outstanding(&self) -> usize {
        let unsent = self.credentials.iter();
        let unsent = unsent.filter(|known| known.asked_by.is_some()).count();
        self.outstanding.len() + unsent
    }

    /// When [`Input::Tick`] is due, microseconds; `None` when nothing is.
    pub fn next_deadline(&self) -> Option<u64> {
        match self.phase {
            Phase::Resting { until_us } => Some(until_us),
            Phase::Connecting { since_us } | Phase::Opening { since_us } => {
                Some(since_us + self.options.connect_timeout_us)
            }
            Phase::Established => {
                let silence = self.heard_us + self.read_timeout_us();
                Some(silence.min(self.sent_us + self.read_timeout_us() / 2))
            }
            Phase::Ended => None,
        }
    }

    /// Takes what happened at `now_us`, microseconds on a clock that never goes back, and
    /// appends what is to be done.
    pub fn handle(&mut self, now_us: u64, input: Input<'_>, effects: &mut Vec<Effect>) {
        match input {
            Input::Connected => self.connected(now_us, effects),
            Input::Received(bytes) => self.received(now_us, bytes, effects),
            Input::Disconnected => self.lost(now_us, effects),
            Input::Submit(token, request) => self.submit(now_us, token, request, effects),
            Input::Tick => self.tick(now_us, effects),
        }
    }

    fn tick(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        if self.next_deadline().is_none_or(|due| due > now_us) {
            return;
        }
        match self.phase {
            Phase::Resting { .. } => {
                self.phase = Phase::Connecting { since_us: now_us };
                effects.push(Effect::Connect);
            }
            Phase::Connecting { .. } | Phase::Opening { .. } => self.give_up(now_us, effects),
            Phase::Established if now_us >= self.heard_us + self.read_timeout_us() => {
                self.give_up(now_us, effects);
            }
            Phase::Established => {
                let xid = ReplyHeader::PING_XID;
                self.send(now_us, effects, |out| header(xid, OpCode::Ping).encode(out));
            }
            Phase::Ended => {}
        }
    }

    fn submit(&mut self, now_us: u64, token: Token, request: Request, effects: &mut Vec<Effect>) {
        let refusal = if self.phase == Phase::Ended {
            Some(Failure::SessionEnded)
        } else if self.outstanding() >= self.options.outstanding_max {
            Some(Failure::TooManyOutstanding)
        } else {
            None
        };
        if let Some(failure) = refusal {
            effects.push(failed(token, failure));
            return;
        }
        if let Request::Auth { scheme, auth } = request {
            self.add_credential(now_us, token, scheme, auth, effects);
        } else if self.phase == Phase::Established {
            self.send_request(now_us, token, request, effects);
        } else {
            self.outstanding.waiting.push_back((token, request));
        }
    }

    fn send_request(
        &mut self,
        now_us: u64,
        token: Token,
        request: Request,
        effects: &mut Vec<Effect>,
    ) {
        let xid = self.next_xid;
        // Only positive numbers mean ordinary requests.
        self.next_xid = xid.checked_add(1).unwrap_or(1);
        self.send(now_us, effects, |out| {
            header(xid, request.op()).encode(out);
            request.encode(out);
        });
        self.outstanding.sent.push_back(Sent {
            token,
            xid,
            request,
        });
    }

    fn send(&mut self, now_us: u64, effects: &mut Vec<Effect>, write: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        frame::append(&mut bytes, write);
        self.sent_us = now_us;
        effects.push(Effect::Send(bytes));
    }

    /// Closes the connection from this side.
    fn give_up(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        effects.push(Effect::Disconnect);
        self.lost(now_us, effects);
    }

    fn lost(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        if matches!(self.phase, Phase::Ended | Phase::Resting { .. }) {
            return;
        }
        let was_established = self.phase == Phase::Established;
        self.phase = Phase::Resting {
            until_us: now_us + self.options.reconnect_delay_us,
        };
        self.input.clear();
        if was_established {
            effects.push(Effect::Suspended);
        }
        self.fail_all(Failure::ConnectionLoss, effects);
    }

    fn end(&mut self, last_word: Effect, effects: &mut Vec<Effect>) {
        self.phase = Phase::Ended;
        self.input.clear();
        self.watches = Watches::default();
        effects.push(Effect::Disconnect);
        self.fail_all(Failure::SessionEnded, effects);
        effects.push(last_word);
    }

    /// Answers everything unanswered, in the order in which it was or would have been sent.
    fn fail_all(&mut self, failure: Failure, effects: &mut Vec<Effect>) {
        let waiting = self.credentials.iter_mut();
        let waiting: Vec<_> = waiting.filter_map(|known| known.asked_by.take()).collect();
        effects.extend(waiting.into_iter().map(|token| failed(token, failure)));
        self.outstanding.fail(failure, effects);
    }

    /// Nothing heard for so long means that the connection is gone: two thirds of the
    /// session's timeout, so that a third is left to find another.
    fn read_timeout_us(&self) -> u64 {
        u64::try_from(self.timeout_ms).unwrap_or(0) * 1000 * 2 / 3
    }
}

fn header(xid: i32, op: OpCode) -> RequestHeader {
    RequestHeader {
        xid,
        op: op.as_i32(),
    }
}

fn failed(token: Token, failure: Failure) -> Effect {
    Effect::Answer {
        token,
        zxid: 0,
        outcome: Err(failure),
    }
}

fn refusal(err: i32) -> Failure {
    ErrorCode::from_i32(err).map_or(Failure::RefusedUnknown(err), Failure::Refused)
}
