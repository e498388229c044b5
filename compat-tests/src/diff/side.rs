//! One of the two servers under comparison, with its client slots.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::render::{self, Names};
use super::step::{Connect, Probe, Request, SLOTS, Step};
use crate::wire::{
    ConnectRequest, ConnectResponse, Connection, Session, Writer, XID_PING, op, path_watch_body,
    request,
};

/// Timeout of a session that is to expire, in milliseconds.
const SHORT_TIMEOUT: i32 = 1000;
/// It must be gone after this time.
const EXPIRY_LIMIT: Duration = Duration::from_secs(20);
/// A session id that no server hands out.
const UNKNOWN_SESSION: i64 = 0x0123_4567_89ab_cdef;

#[derive(Debug, Default)]
struct Slot {
    connection: Option<Connection>,
    session: Option<ConnectResponse>,
    xid: i32,
}

/// What one step showed: a line per frame, and how many requests met which error.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Transcript {
    /// Lines that must be equal on both sides.
    pub(crate) lines: Vec<String>,
    /// Request type and error code of every reply.
    pub(crate) outcomes: Vec<(i32, i32)>,
}

/// A server and the clients on it.
#[derive(Debug)]
pub(crate) struct Side {
    address: SocketAddr,
    slots: [Slot; SLOTS],
    names: Names,
}

impl Side {
    /// A side without connections.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            slots: std::array::from_fn(|_| Slot::default()),
            names: Names::default(),
        }
    }

    /// First half of a step: for a burst, sends it. Both sides get this half before either is
    /// asked for answers, so that they work at the same time.
    ///
    /// # Errors
    /// On a socket failure.
    pub(crate) fn begin(&mut self, step: &Step) -> Result<()> {
        let Step::Burst(index, requests) = step else {
            return Ok(());
        };
        let slot = &mut self.slots[*index];
        let Some(connection) = &mut slot.connection else {
            return Ok(());
        };
        let mut bytes = Vec::new();
        for wanted in requests {
            slot.xid += 1;
            bytes.extend(request(
                wanted.xid.unwrap_or(slot.xid),
                wanted.code,
                &wanted.body,
            ));
        }
        connection.send(&bytes)
    }

    /// Second half of a step: everything the server sent because of it.
    pub(crate) fn finish(&mut self, step: &Step) -> Transcript {
        let mut transcript = Transcript::default();
        let outcome = self.perform(step, &mut transcript).and_then(|active| {
            let from = transcript.lines.len();
            self.drain(active, &mut transcript)?;
            if step.ends_a_session() {
                transcript.lines[from..].sort();
            }
            Ok(())
        });
        if let Err(error) = outcome {
            transcript.lines.push(format!("failure: {error:#}"));
        }
        transcript
    }

    /// Returns the slot that is already drained, if any.
    fn perform(&mut self, step: &Step, transcript: &mut Transcript) -> Result<Option<usize>> {
        match step {
            Step::Burst(slot, requests) => {
                self.answers(*slot, requests, step.ends_a_session(), transcript)?;
                return Ok(Some(*slot));
            }
            Step::Connect(slot, how) => self.connect(*slot, how, transcript)?,
            Step::Drop(slot) => self.slots[*slot].connection = None,
            Step::Probe(probe) => transcript.lines.push(self.probe(*probe)?),
            Step::Expire(requests, witness) => self.expire(requests, witness, transcript)?,
        }
        Ok(None)
    }

    fn answers(
        &mut self,
        index: usize,
        requests: &[Request],
        unordered: bool,
        transcript: &mut Transcript,
    ) -> Result<()> {
        let slot = &mut self.slots[index];
        let Some(connection) = &mut slot.connection else {
            transcript.lines.push("not connected".to_owned());
            return Ok(());
        };
        let start = transcript.lines.len();
        for request in requests {
            let Some(frame) = next_reply(connection, index, &mut transcript.lines)? else {
                transcript.lines.push(format!("[{index}] closed"));
                slot.connection = None;
                return Ok(());
            };
            if unordered {
                transcript.lines[start..].sort();
            }
            let line = render::reply(&frame, request, &self.names);
            transcript.lines.push(format!("[{index}] {line}"));
            transcript
                .outcomes
                .extend(render::error_of(&frame).map(|error| (request.code, error)));
        }
        if requests.iter().any(|request| request.closes) {
            let after = next_reply(connection, index, &mut transcript.lines)?;
            let line = after.map_or_else(
                || "closed".to_owned(),
                |frame| format!("still open: {frame:02x?}"),
            );
            transcript.lines.push(format!("[{index}] {line}"));
            slot.connection = None;
        }
        Ok(())
    }

    /// Pings every other connection: what arrives before the answer was caused by the step.
    fn drain(&mut self, already: Option<usize>, transcript: &mut Transcript) -> Result<()> {
        let ping = request(XID_PING, op::PING, &[]);
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if let (Some(connection), true) = (&mut slot.connection, already != Some(index)) {
                connection.send(&ping)?;
            }
        }
        let expected = Request::new(op::PING, Vec::new(), "ping");
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let (Some(connection), true) = (&mut slot.connection, already != Some(index)) else {
                continue;
            };
            match next_reply(connection, index, &mut transcript.lines)? {
                Some(frame) => {
                    let line = render::reply(&frame, &expected, &self.names);
                    transcript.lines.push(format!("[{index}] {line}"));
                }
                None => {
                    transcript.lines.push(format!("[{index}] closed"));
                    slot.connection = None;
                }
            }
        }
        Ok(())
    }

    fn connect(&mut self, index: usize, how: &Connect, transcript: &mut Transcript) -> Result<()> {
        let request = match (how, &self.slots[index].session) {
            (Connect::Fresh { timeout, read_only }, _) => ConnectRequest {
                read_only: *read_only,
                ..ConnectRequest::fresh(*timeout)
            },
            (Connect::Renew { wrong_password }, Some(session)) => {
                let mut password = session.password.clone();
                if let (true, Some(byte)) = (*wrong_password, password.first_mut()) {
                    *byte ^= 1;
                }
                ConnectRequest {
                    session_id: session.session_id,
                    password: Some(password),
                    ..ConnectRequest::fresh(session.timeout)
                }
            }
            (Connect::Renew { .. }, None) => {
                transcript.lines.push("no session to renew".to_owned());
                return Ok(());
            }
        };
        let old = self.slots[index].connection.take();
        let mut connection = Connection::open(self.address)?;
        let response = connection.handshake(&request)?;
        transcript
            .lines
            .push(format!("[{index}] {}", self.describe(response.as_ref())));
        let renewal = matches!(how, Connect::Renew { .. });
        if let (Some(mut old), true) = (old, renewal) {
            // The server closes the connection that the session had before.
            let after = next_reply(&mut old, index, &mut transcript.lines)?;
            transcript
                .lines
                .push(format!("[{index}] old connection: {after:02x?}"));
        }
        match response {
            Some(response) if response.timeout > 0 => {
                self.slots[index].session = Some(response);
                self.slots[index].connection = Some(connection);
            }
            Some(_) => {
                let after = connection.frame()?;
                transcript
                    .lines
                    .push(format!("[{index}] after refusal: {after:02x?}"));
            }
            None => {}
        }
        Ok(())
    }

    fn describe(&mut self, response: Option<&ConnectResponse>) -> String {
        match response {
            None => "connect: closed".to_owned(),
            Some(response) if response.session_id == 0 => format!("connect: {response:?}"),
            Some(response) => format!(
                "connect: timeout={} session={} password={} bytes read_only={:?}",
                response.timeout,
                self.names.introduce(response.session_id),
                response.password.len(),
                response.read_only
            ),
        }
    }

    fn probe(&mut self, probe: Probe) -> Result<String> {
        let mut connection = Connection::open(self.address)?;
        let fresh = ConnectRequest::fresh(10_000);
        let response = match probe {
            Probe::Pipelined(timeout) => return self.pipelined(connection, timeout),
            Probe::FirstLength(length) => {
                connection.send(&Writer::default().int(length).0)?;
                return Ok(format!(
                    "first frame {length}: {:02x?}",
                    connection.frame()?
                ));
            }
            Probe::NullPassword => connection.handshake(&ConnectRequest {
                password: None,
                ..fresh
            })?,
            Probe::UnknownSession => {
                let request = ConnectRequest {
                    session_id: UNKNOWN_SESSION,
                    ..fresh
                };
                let response = connection.handshake(&request)?;
                let line = self.describe(response.as_ref());
                return Ok(format!("{line} then {:02x?}", connection.frame()?));
            }
            Probe::ZxidAhead => connection.handshake(&ConnectRequest {
                last_zxid_seen: i64::MAX,
                ..fresh
            })?,
            Probe::LaterLength(_) => connection.handshake(&fresh)?,
        };
        let line = self.describe(response.as_ref());
        if response.is_none() {
            return Ok(line);
        }
        if let Probe::LaterLength(length) = probe {
            // Enough bytes for the short frames; the others are refused by their length alone.
            let body = usize::try_from(length).unwrap_or(0).min(4);
            let mut bytes = Writer::default().int(length).0;
            bytes.extend(vec![0; body]);
            connection.send(&bytes)?;
            // The session that stays behind has a timeout that outlasts no comparison: it owns
            // nothing, but its end takes a zxid. So it is taken up again and closed.
            let after = connection.frame()?;
            let response = response.context("checked above")?;
            let renewed = ConnectRequest {
                session_id: response.session_id,
                password: Some(response.password),
                ..ConnectRequest::fresh(10_000)
            };
            let mut session = Session::connect(self.address, &renewed)?;
            session.expect(op::CLOSE_SESSION, &[])?;
            return Ok(format!("{line} later frame {length}: {after:02x?}"));
        }
        connection.send(&request(1, op::CLOSE_SESSION, &[]))?;
        Ok(format!(
            "{line} close: {:02x?} {:02x?}",
            connection.frame()?,
            connection.frame()?
        ))
    }

    /// Connect request, reads and closeSession in one go.
    fn pipelined(&mut self, mut connection: Connection, timeout: i32) -> Result<String> {
        let requests = [
            Request::new(op::GET_DATA, path_watch_body("/", false), "getData"),
            Request::new(op::WHO_AM_I, Vec::new(), "whoAmI"),
            Request::new(op::CLOSE_SESSION, Vec::new(), "closeSession"),
        ];
        let connect = ConnectRequest {
            read_only: None,
            ..ConnectRequest::fresh(timeout)
        };
        let mut bytes = Vec::new();
        for (xid, wanted) in (1..).zip(&requests) {
            bytes.extend(request(xid, wanted.code, &wanted.body));
        }
        let response = connection.handshake_with(&connect, &bytes)?;
        let mut line = self.describe(response.as_ref());
        for request in &requests {
            let frame = connection.frame()?.context("closed too early")?;
            line.push_str(" | ");
            line.push_str(&render::reply(&frame, request, &self.names));
        }
        Ok(format!("{line} | {:02x?}", connection.frame()?))
    }

    fn expire(
        &mut self,
        requests: &[Request],
        witness: &str,
        transcript: &mut Transcript,
    ) -> Result<()> {
        let mut dying = Session::connect(self.address, &ConnectRequest::fresh(SHORT_TIMEOUT))?;
        let line = self.describe(Some(&dying.opened.clone()));
        transcript.lines.push(line);
        for request in requests {
            let (error, _) = dying.call(request.code, &request.body)?;
            transcript.lines.push(format!("{}: {error}", request.label));
        }
        drop(dying);
        let mut looker = Session::connect(self.address, &ConnectRequest::fresh(600_000))?;
        let deadline = Instant::now() + EXPIRY_LIMIT;
        while looker.call(op::EXISTS, &path_watch_body(witness, false))?.0 == 0 {
            if Instant::now() >= deadline {
                bail!("the session did not expire");
            }
            std::thread::sleep(crate::process::POLL);
        }
        looker.expect(op::CLOSE_SESSION, &[])?;
        Ok(())
    }
}

/// The next frame that is no event; events on the way become lines. None at the end.
fn next_reply(
    connection: &mut Connection,
    index: usize,
    lines: &mut Vec<String>,
) -> Result<Option<Vec<u8>>> {
    loop {
        let frame = connection
            .frame()
            .with_context(|| format!("slot {index}"))?;
        match frame {
            Some(frame) if render::is_event(&frame) => {
                lines.push(format!("[{index}] {}", render::event(&frame)))
            }
            other => return Ok(other),
        }
    }
}
