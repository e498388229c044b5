//! The session: one connection after the other, one history of requests and answers.

mod connect;
mod output;
mod outstanding;
mod pause;
mod receive;
mod sasl;

#[cfg(test)]
mod tests;

use jute::proto::{ReplyHeader, RequestHeader, WatcherType};
use jute::wire::Encode;
use jute::{ErrorCode, OpCode};

use crate::session::event::{Effect, End, Failure, Input, Token};
use crate::session::options::Options;
use crate::session::request::Request;
use crate::session::sasl::DigestMd5;
use crate::session::watches::Watches;
use connect::Credential;
use output::Output;
use outstanding::{Outstanding, Sent, Waiting};
use pause::Pause;
#[cfg(feature = "tokio")]
pub(crate) use pause::split_mix;
use sasl::Exchange;

/// Most identities of a session: each is sent on every connection.
const CREDENTIALS_MAX: usize = 64;

/// Where the session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Without a connection, until it is time to try again.
    Resting { until_us: u64 },
    /// The shell connects.
    Connecting { since_us: u64 },
    /// The first packet is sent and not yet answered.
    Opening { since_us: u64 },
    /// The session is granted, and the client proves who it is.
    Authenticating { since_us: u64 },
    /// Requests go out and answers come in.
    Established,
    /// Nothing more happens.
    Ended(End),
}

/// A client's session.
///
/// Replies are matched to requests strictly in order; one that does not match, or cannot be
/// decoded, ends the connection. The only exceptions are those of the protocol: events,
/// pings, the packets of setWatches, and auth, whose reply may overtake others.
///
/// Requests are sent in the order in which they were submitted. When a connection goes, all
/// that were submitted before fail, those that still waited too: what was sent may not have
/// happened, and what follows it must not happen without it. Requests that are submitted
/// without a connection wait for one.
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
    pause: Pause,
    /// For a session that proves who it is with SASL.
    exchange: Option<Exchange>,
    /// Was the session there before the present connection?
    renewed: bool,
    /// Is the session one that a writable server knows? A read-only one grants sessions that
    /// nobody else has heard of.
    is_global: bool,
    read_only: bool,
    input: Vec<u8>,
    output: Output,
    heard_us: u64,
    /// When the last request was sent that was answered.
    touched_us: u64,
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
            pause: Pause::new(&options),
            exchange: None,
            renewed: false,
            is_global: false,
            read_only: false,
            input: Vec::new(),
            output: Output::default(),
            heard_us: 0,
            touched_us: 0,
        }
    }

    /// A session that proves who it is on every connection, before anything else.
    #[must_use]
    pub fn with_sasl(mut self, user: DigestMd5) -> Self {
        self.exchange = Some(Exchange::new(user));
        self
    }

    /// The session's id; 0 before there is one.
    pub fn id(&self) -> i64 {
        self.session
    }

    /// The highest zxid seen.
    pub fn last_zxid(&self) -> i64 {
        self.last_zxid
    }

    /// The servers have heard of the session at this time or later, microseconds: when the last
    /// request was sent that was answered. What was heard later says nothing of it: it may have
    /// been on its way for long.
    pub fn touched_us(&self) -> u64 {
        self.touched_us
    }

    /// What is to be sent on the present connection, in frames. Whoever sends it takes it out,
    /// after each [`Session::handle`] whose effects are done: it belongs to the connection that
    /// they leave. Where a connection is lost nothing is left in it.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output.bytes
    }

    /// What the session watches.
    pub fn watches(&self) -> &Watches {
        &self.watches
    }

    /// Can requests be sent at once?
    pub fn is_established(&self) -> bool {
        self.phase == Phase::Established
    }

    /// Is the server that it is connected to a read-only one?
    pub fn is_read_only(&self) -> bool {
        self.is_established() && self.read_only
    }

    /// May a server know the session, though it has not said so yet?
    pub fn is_opening(&self) -> bool {
        matches!(self.phase, Phase::Opening { .. })
    }

    /// Is the session closed or expired?
    pub fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    /// Nobody waits for the answer any more: takes a request back that is not sent yet, and
    /// will not answer it. False if it was sent, or is none: then it goes on, and is answered.
    pub fn withdraw(&mut self, token: Token) -> bool {
        self.outstanding.withdraw(token)
    }

    /// Forgets a watch that nobody is interested in any more, so that it is not registered
    /// again. The server is not told.
    pub fn forget_watch(&mut self, path: &str, kind: WatcherType) {
        self.watches.remove(path, kind);
    }

    /// Requests not yet answered.
    pub fn outstanding(&self) -> usize {
        let unsent = self.credentials.iter();
        let unsent = unsent.filter(|known| known.asked_by.is_some()).count();
        self.outstanding.len() + unsent
    }

    /// When [`Input::Tick`] is due, microseconds; `None` when nothing is.
    pub fn next_deadline(&self) -> Option<u64> {
        let connection = match self.phase {
            Phase::Resting { until_us } => until_us,
            Phase::Connecting { since_us }
            | Phase::Opening { since_us }
            | Phase::Authenticating { since_us } => since_us + self.options.connect_timeout_us,
            Phase::Established => {
                let silence = self.heard_us + self.read_timeout_us();
                silence.min(self.output.sent_us + self.read_timeout_us() / 2)
            }
            Phase::Ended(_) => return None,
        };
        Some(connection.min(self.patience_ends_us().unwrap_or(u64::MAX)))
    }

    /// When what waits for a connection has waited for too long.
    fn patience_ends_us(&self) -> Option<u64> {
        if self.phase == Phase::Established {
            return None;
        }
        let credentials = self.credentials.iter();
        let credentials = credentials.filter_map(|known| Some(known.asked_by?.1));
        let oldest = self.outstanding.waiting.front();
        let oldest = oldest.map(|waiting| waiting.since_us);
        let since_us = oldest.into_iter().chain(credentials).min()?;
        Some(since_us + self.options.unsent_timeout_us?)
    }

    /// Takes what happened at `now_us`, microseconds on a clock that never goes back, and
    /// appends what is to be done, besides sending [`Session::output`].
    pub fn handle(&mut self, now_us: u64, input: Input<'_>, effects: &mut Vec<Effect>) {
        match input {
            Input::Connected => self.connected(now_us, effects),
            Input::Received(bytes) => self.received(now_us, bytes, effects),
            Input::Disconnected => self.lost(now_us, effects),
            Input::Submit(token, request) => self.submit(now_us, token, request, effects),
            Input::WritableFound if self.is_read_only() => {
                self.give_up(now_us, effects);
                self.phase = Phase::Resting { until_us: now_us };
            }
            Input::WritableFound => {}
            Input::Abandon => self.end(End::Closed, effects),
            Input::Tick => self.tick(now_us, effects),
        }
    }

    fn tick(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        if self.patience_ends_us().is_some_and(|due| due <= now_us) {
            self.fail_waiting(Failure::NotSent, effects);
        }
        if self.next_deadline().is_none_or(|due| due > now_us) {
            return;
        }
        match self.phase {
            Phase::Resting { .. } => {
                self.phase = Phase::Connecting { since_us: now_us };
                effects.push(Effect::Connect);
            }
            Phase::Connecting { .. } | Phase::Opening { .. } | Phase::Authenticating { .. } => {
                self.give_up(now_us, effects);
            }
            Phase::Established if now_us >= self.heard_us + self.read_timeout_us() => {
                self.give_up(now_us, effects);
            }
            Phase::Established => {
                self.outstanding.pings_us.push_back(now_us);
                let xid = ReplyHeader::PING_XID;
                self.output
                    .send(now_us, |out| header(xid, OpCode::Ping).encode(out));
            }
            Phase::Ended(_) => {}
        }
    }

    fn submit(&mut self, now_us: u64, token: Token, request: Request, effects: &mut Vec<Effect>) {
        let is_auth = matches!(request, Request::Auth { .. });
        let refusal = match self.phase {
            Phase::Ended(end) => Some(Failure::SessionEnded(end)),
            _ if self.outstanding.waiting.len() >= self.options.waiting_max => {
                Some(Failure::TooManyWaiting)
            }
            _ if is_auth && self.credentials.len() >= CREDENTIALS_MAX => {
                Some(Failure::TooManyWaiting)
            }
            _ => None,
        };
        if let Some(failure) = refusal {
            effects.push(failed(token, failure));
            return;
        }
        if let Request::Auth { scheme, auth } = request {
            self.add_credential(now_us, token, scheme, auth);
        } else if self.outstanding.waiting.is_empty() && self.may_send() {
            self.send_request(now_us, token, request);
        } else {
            self.outstanding.waiting.push_back(Waiting {
                token,
                request,
                since_us: now_us,
            });
        }
    }

    fn may_send(&self) -> bool {
        self.phase == Phase::Established
            && self.outstanding.sent.len() < self.options.outstanding_max
    }

    /// Sends what waits, as far as it may be sent.
    fn send_waiting(&mut self, now_us: u64) {
        while self.may_send() {
            let Some(Waiting { token, request, .. }) = self.outstanding.waiting.pop_front() else {
                break;
            };
            self.send_request(now_us, token, request);
        }
    }

    fn send_request(&mut self, now_us: u64, token: Token, request: Request) {
        let xid = self.take_xid();
        self.output.send(now_us, |out| {
            header(xid, request.op()).encode(out);
            request.encode(out);
        });
        self.outstanding.sent.push_back(Sent {
            token,
            xid,
            op: request.op(),
            watching: Watches::are_concerned(&request).then(|| Box::new(request)),
            sent_us: now_us,
        });
    }

    fn take_xid(&mut self) -> i32 {
        let xid = self.next_xid;
        // Only positive numbers mean ordinary requests.
        self.next_xid = xid.checked_add(1).unwrap_or(1);
        xid
    }

    /// Closes the connection from this side.
    fn give_up(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        effects.push(Effect::Disconnect);
        self.lost(now_us, effects);
    }

    fn lost(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        if matches!(self.phase, Phase::Ended(_) | Phase::Resting { .. }) {
            return;
        }
        let was_established = self.phase == Phase::Established;
        self.phase = Phase::Resting {
            until_us: now_us + self.pause.next_us(),
        };
        self.input.clear();
        self.output.bytes.clear();
        if was_established {
            effects.push(Effect::Suspended);
            self.fail_sent(effects);
        }
        let rounds_max = self.options.unsent_rounds_max;
        if was_established || rounds_max.is_some_and(|most| self.pause.rounds() >= most) {
            self.fail_waiting(Failure::NotSent, effects);
        }
    }

    fn end(&mut self, end: End, effects: &mut Vec<Effect>) {
        if self.has_ended() {
            return;
        }
        self.phase = Phase::Ended(end);
        self.input.clear();
        self.output.bytes.clear();
        effects.push(Effect::Disconnect);
        self.fail_sent(effects);
        self.fail_waiting(Failure::SessionEnded(end), effects);
        self.watches = Watches::default();
        effects.push(Effect::Ended(end));
    }

    /// Answers what was sent. Watches belong to the connection, so those that were being
    /// removed are gone.
    fn fail_sent(&mut self, effects: &mut Vec<Effect>) {
        let requests = self.outstanding.fail_sent(effects);
        self.watches.gone_with_connection(requests);
    }

    /// Answers what waits to be sent.
    fn fail_waiting(&mut self, failure: Failure, effects: &mut Vec<Effect>) {
        let waiting = self.credentials.iter_mut();
        let waiting = waiting.filter_map(|known| known.asked_by.take());
        effects.extend(waiting.map(|(token, _)| failed(token, failure)));
        let requests = self.outstanding.fail_waiting(failure, effects);
        self.watches.gone_with_connection(requests);
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
