//! A simulated client: a real session core, an application that asks for things, and a tap
//! on its connection.

mod renumber;
mod tap;
pub(crate) mod workload;

use std::collections::{BTreeMap, VecDeque};

use client::session::{Effect, End, Failure, Input, Options, Request, Session, Token};
use jute::frame::{self, Frames, PREFIX_LEN};
use state::acl::{DigestAlgorithm, digest_id};

use renumber::Renumber;
pub(crate) use tap::{SessionChecks, Shared, Tap};

use crate::rng::Rng;
use crate::violation::{Checked, Violation, ensure};

const NAME: &str = "client";

/// What a client wants of the network.
#[derive(Debug)]
pub(crate) enum Wish {
    /// A new connection.
    Connect,
    /// Bytes to the server.
    Send(Vec<u8>),
    /// The end of the connection.
    Disconnect,
}

/// One application with one session after the other.
pub(crate) struct SimClient {
    pub(crate) name: String,
    pub(crate) session: Session,
    /// The connection it has or waits for.
    pub(crate) link: Option<u64>,
    pub(crate) tap: Tap,
    pub(crate) checks: SessionChecks,
    /// Of a client that counts its requests anew on each connection.
    renumber: Option<Renumber>,
    /// Requests handed to the session and not yet on the wire.
    unsent: VecDeque<Request>,
    /// Unanswered, by token.
    open: BTreeMap<u64, Request>,
    next_token: u64,
    /// It vanished; its session will expire.
    pub(crate) dead: bool,
    /// When the next tick is on the queue, microseconds.
    pub(crate) tick_us: Option<u64>,
    pub(crate) established: u64,
    pub(crate) expired: bool,
    pub(crate) closed: bool,
    pub(crate) events: u64,
    /// Answers and events, for the transcript; `None` if there is none.
    pub(crate) heard: Option<Vec<String>>,
}

impl SimClient {
    /// `counts_anew`: its xids start from 1 on each connection.
    pub(crate) fn new(rng: &mut Rng, name: String, timeout_ms: i32, counts_anew: bool) -> Self {
        let options = Options {
            timeout_ms,
            connect_timeout_us: 1_500_000,
            reconnect_delay_us: rng.between(20_000..400_000),
            outstanding_max: 200,
            ..Options::default()
        };
        Self {
            name,
            renumber: counts_anew.then(Renumber::default),
            session: Session::new(options),
            link: None,
            tap: Tap::default(),
            checks: SessionChecks::default(),
            unsent: VecDeque::new(),
            open: BTreeMap::new(),
            next_token: 1,
            dead: false,
            tick_us: None,
            established: 0,
            expired: false,
            closed: false,
            events: 0,
            heard: None,
        }
    }

    /// Becomes someone, `user:password`, on every connection from the first on.
    pub(crate) fn authenticate(
        &mut self,
        now_us: u64,
        secret: &str,
        shared: &mut Shared<'_>,
    ) -> Checked<Vec<Wish>> {
        let id = digest_id(DigestAlgorithm::Sha1, secret);
        self.checks.digests.push(id);
        let request = Request::Auth {
            scheme: "digest".to_owned(),
            auth: secret.as_bytes().to_vec(),
        };
        self.submit(now_us, request, shared)
    }

    /// Unanswered requests.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    /// The oldest unanswered request.
    pub(crate) fn oldest(&self) -> Option<&Request> {
        self.open.first_key_value().map(|(_, request)| request)
    }

    /// The application asks.
    pub(crate) fn submit(
        &mut self,
        now_us: u64,
        request: Request,
        shared: &mut Shared<'_>,
    ) -> Checked<Vec<Wish>> {
        let token = self.next_token;
        self.next_token += 1;
        self.open.insert(token, request.clone());
        self.unsent.push_back(request.clone());
        self.handle(now_us, Input::Submit(Token(token), request), shared)
    }

    /// Something happens to the session.
    pub(crate) fn handle(
        &mut self,
        now_us: u64,
        input: Input<'_>,
        shared: &mut Shared<'_>,
    ) -> Checked<Vec<Wish>> {
        let mut effects = Vec::new();
        match (input, &mut self.renumber) {
            (Input::Received(bytes), renumber) => {
                self.tap.received(bytes, &mut self.checks, shared)?;
                let renumbered = renumber.as_mut().map(|renumber| renumber.incoming(bytes));
                let bytes = renumbered.as_deref().unwrap_or(bytes);
                let input = Input::Received(bytes);
                self.session.handle(now_us, input, &mut effects);
            }
            (input, _) => self.session.handle(now_us, input, &mut effects),
        }
        let mut wishes = Vec::new();
        for effect in effects {
            self.effect(effect, shared, &mut wishes)?;
        }
        let output = std::mem::take(self.session.output());
        let mut frames = Frames::new(&output, usize::MAX);
        for body in frames.by_ref().map_while(Result::ok) {
            let mut frame = Vec::with_capacity(PREFIX_LEN + body.len());
            frame::append(&mut frame, |out| out.extend_from_slice(body));
            wishes.push(Wish::Send(self.send(frame, shared)?));
        }
        ensure!(frames.rest().is_empty(), NAME, "half a frame is to be sent");
        Ok(wishes)
    }

    /// The frame as it goes on the wire.
    fn send(&mut self, frame: Vec<u8>, shared: &mut Shared<'_>) -> Checked<Vec<u8>> {
        let frame = match &mut self.renumber {
            Some(renumber) => renumber.outgoing(frame),
            None => frame,
        };
        self.tap
            .sent(&frame, &mut self.unsent, &self.checks, shared)?;
        Ok(frame)
    }

    fn effect(
        &mut self,
        effect: Effect,
        shared: &mut Shared<'_>,
        wishes: &mut Vec<Wish>,
    ) -> Checked {
        match effect {
            Effect::Connect => {
                self.tap = Tap::default();
                if let Some(renumber) = &mut self.renumber {
                    *renumber = Renumber::default();
                    shared.coverage.count("connection with xids from 1 again");
                }
                wishes.push(Wish::Connect);
            }
            Effect::Disconnect => wishes.push(Wish::Disconnect),
            Effect::Established { .. } => self.established += 1,
            Effect::Answer {
                token,
                zxid,
                outcome,
            } => self.answer(token, zxid, &outcome, shared)?,
            Effect::Event(event) => {
                self.events += 1;
                if let Some(heard) = &mut self.heard {
                    heard.push(format!(
                        "{:?} {} as of {:x}",
                        event.kind, event.path, event.zxid
                    ));
                }
                self.checks.promises.event(&event);
            }
            Effect::Suspended => {}
            Effect::Ended(End::Expired) => self.expired = true,
            Effect::Ended(End::Closed) => self.closed = true,
            Effect::Ended(End::AuthFailed) => {
                return Err(Violation::new(NAME, "an identity is no longer accepted"));
            }
        }
        Ok(())
    }

    fn answer(
        &mut self,
        token: Token,
        zxid: i64,
        outcome: &Result<client::session::Reply, Failure>,
        shared: &mut Shared<'_>,
    ) -> Checked {
        let oldest = self.open.first_key_value().map(|(token, _)| *token);
        let request = self.open.remove(&token.0);
        ensure!(request.is_some(), NAME, "{token:?} was answered twice");
        let request = request.expect("looked at above");
        if let Some(heard) = &mut self.heard {
            let outcome = match outcome {
                Ok(_) => "done".to_owned(),
                Err(failure) => format!("{failure:?}"),
            };
            heard.push(format!("{:?} as of {zxid:x}: {outcome}", request.op()));
        }
        let err = match outcome {
            Ok(_) => 0,
            Err(Failure::Refused(code)) => code.as_i32(),
            Err(Failure::RefusedUnknown(code)) => *code,
            Err(
                Failure::ConnectionLoss
                | Failure::NotSent
                | Failure::SessionEnded(_)
                | Failure::TooManyWaiting,
            ) => {
                // Not sent, or its fate is unknown; what was not sent never will be.
                self.checks.promises.cut_off(&request);
                self.unsent.clear();
                return Ok(());
            }
        };
        if matches!(request, Request::Auth { .. }) {
            return Ok(());
        }
        let in_order = oldest == Some(token.0);
        ensure!(in_order, NAME, "{token:?} was answered before {oldest:?}");
        let model = &shared.history.model;
        let checks = &mut self.checks;
        checks.promises.reply(model, zxid, &checks.digests)?;
        checks.promises.answered(model, &request, err, zxid);
        Ok(())
    }
}
