//! Listens to one connection from the client's end and hands what it hears to the
//! checkers. It shares no code with the client but the records.

use std::collections::VecDeque;

use client::session::{Reply, Request};
use jute::OpCode;
use jute::frame::{Frames, PREFIX_LEN};
use jute::proto::{
    ConnectResponse, EventType, ReplyHeader, RequestHeader, SetWatches, SetWatches2, WatcherEvent,
};
use jute::wire::{Decode, Encode, Limits, Reader};

use crate::checkers::acknowledged::Acknowledged;
use crate::checkers::history::History;
use crate::checkers::promises::Promises;
use crate::checkers::session_order::SessionOrder;
use crate::checkers::tree_reads;
use crate::checkers::tree_writes::{Fate, Writer, is_write};
use crate::checkers::watch_order::Watching;
use crate::coverage::Coverage;
use crate::violation::{Checked, Violation, ensure};

const NAME: &str = "wire";

/// The node of the ensemble's configuration.
const CONFIG: &str = "/zookeeper/config";

/// A request on the wire.
struct Asked {
    xid: i32,
    request: Request,
    /// What someone had seen when it was sent.
    floor: i64,
}

/// What the checkers of one session keep across connections.
#[derive(Debug, Default)]
pub(crate) struct SessionChecks {
    pub(crate) session: i64,
    pub(crate) order: SessionOrder,
    pub(crate) promises: Promises,
    /// Digest ids that the client gives on every connection, before anything else.
    pub(crate) digests: Vec<String>,
}

/// What all connections share.
pub(crate) struct Shared<'a> {
    pub(crate) history: &'a mut History,
    pub(crate) acknowledged: &'a mut Acknowledged,
    /// Counts refused writes.
    pub(crate) refused: &'a mut u64,
    pub(crate) answered: &'a mut u64,
    pub(crate) coverage: &'a mut Coverage,
    /// Several servers, whose reads may lag behind each other.
    pub(crate) ensemble: bool,
}

/// One connection.
#[derive(Default)]
pub(crate) struct Tap {
    opened_by_client: bool,
    opened_by_server: bool,
    asked: VecDeque<Asked>,
    /// Each as the newer packet.
    set_watches: VecDeque<Vec<u8>>,
    input: Vec<u8>,
    pub(crate) watching: Watching,
}

impl Tap {
    /// The client sends a frame; `next` are its requests not yet sent.
    pub(crate) fn sent(
        &mut self,
        bytes: &[u8],
        next: &mut VecDeque<Request>,
        checks: &SessionChecks,
        shared: &mut Shared<'_>,
    ) -> Checked {
        let body = &bytes[PREFIX_LEN..];
        if !self.opened_by_client {
            self.opened_by_client = true;
            return Ok(());
        }
        let mut reader = Reader::new(body, Limits::default());
        let header = RequestHeader::decode(&mut reader).map_err(unreadable)?;
        match header.xid {
            ReplyHeader::PING_XID => {}
            ReplyHeader::AUTH_XID => {
                if matches!(next.front(), Some(Request::Auth { .. })) {
                    next.pop_front();
                }
            }
            ReplyHeader::SET_WATCHES_XID => {
                self.set_watches.push_back(set_watches(&header, reader)?)
            }
            xid => {
                let request = next.pop_front();
                let request =
                    request.ok_or_else(|| Violation::new(NAME, "a request nobody made"))?;
                let op = request.op().as_i32();
                ensure!(
                    header.op == op,
                    NAME,
                    "{request:?} was sent as {}",
                    header.op
                );
                let writes = is_write(&request);
                if writes {
                    shared.history.note_sent(checks.session, xid, &request);
                }
                // Reads of an ensemble are as old as the server that they go to; no writes, and
                // no syncs.
                let fresh = writes || !shared.ensemble || matches!(request, Request::Sync { .. });
                let floor = if fresh { shared.acknowledged.zxid() } else { 0 };
                self.asked.push_back(Asked {
                    xid,
                    request,
                    floor,
                });
            }
        }
        Ok(())
    }

    /// Bytes came from the server.
    pub(crate) fn received(
        &mut self,
        bytes: &[u8],
        checks: &mut SessionChecks,
        shared: &mut Shared<'_>,
    ) -> Checked {
        let mut input = std::mem::take(&mut self.input);
        input.extend_from_slice(bytes);
        let mut frames = Frames::new(&input, Limits::DEFAULT_MAX_BUFFER * 4);
        for body in frames.by_ref() {
            let body = body.map_err(|error| Violation::new(NAME, error.to_string()))?;
            if self.opened_by_server {
                self.packet(body, checks, shared)?;
            } else {
                self.opened(body, checks, shared)?;
            }
        }
        self.input = frames.rest().to_vec();
        Ok(())
    }

    fn opened(
        &mut self,
        body: &[u8],
        checks: &mut SessionChecks,
        shared: &mut Shared<'_>,
    ) -> Checked {
        self.opened_by_server = true;
        checks.order.reconnected();
        let mut reader = Reader::new(body, Limits::default());
        let response = ConnectResponse::decode(&mut reader).map_err(unreadable)?;
        let (granted, asked) = (response.session_id, checks.session);
        ensure!(
            granted == asked || asked == 0 || granted == 0,
            NAME,
            "session {granted:#x} was granted instead of {asked:#x}"
        );
        if granted != 0 {
            checks.session = granted;
        }
        // No watch is set before the first reply, so nothing before matters.
        self.watching.start_at(&shared.history.model, 0);
        Ok(())
    }

    fn packet(
        &mut self,
        body: &[u8],
        checks: &mut SessionChecks,
        shared: &mut Shared<'_>,
    ) -> Checked {
        let mut reader = Reader::new(body, Limits::default());
        let header = ReplyHeader::decode(&mut reader).map_err(unreadable)?;
        match header.xid {
            ReplyHeader::NOTIFICATION_XID => {
                let event = WatcherEvent::decode(&mut reader).map_err(unreadable)?;
                let kind = event.event_type;
                let kind = EventType::from_i32(kind)
                    .ok_or_else(|| Violation::new(NAME, format!("unknown event {kind}")))?;
                let path = event.path.unwrap_or_default().into_owned();
                if path == CONFIG {
                    // Each server also writes it by itself.
                    shared.coverage.count("watch event of the configuration");
                    return Ok(());
                }
                self.watching.event((kind, path, header.zxid));
                return Ok(());
            }
            ReplyHeader::AUTH_XID => {
                ensure!(header.err == 0, NAME, "auth failed: {}", header.err);
                return Ok(());
            }
            _ => {}
        }
        let zxid = header.zxid;
        ensure!(
            zxid <= shared.history.last_zxid(),
            NAME,
            "a reply as of {zxid:#x}, which is not applied"
        );
        shared.acknowledged.seen(zxid);
        let model = &shared.history.model;
        if header.xid == ReplyHeader::SET_WATCHES_XID {
            ensure!(header.err == 0, NAME, "setWatches failed: {}", header.err);
            let packet = self.set_watches.pop_front();
            let packet = packet.ok_or_else(|| Violation::new(NAME, "unasked setWatches"))?;
            let mut reader = Reader::new(&packet, Limits::default());
            let packet = SetWatches2::decode(&mut reader).map_err(unreadable)?;
            self.watching
                .set_again(model, zxid, &checks.digests, &packet)?;
            return checks.order.passing(zxid);
        }
        self.watching.reply(model, zxid, &checks.digests)?;
        if header.xid == ReplyHeader::PING_XID {
            return checks.order.passing(zxid);
        }
        self.reply(header, reader.rest(), checks, shared)
    }

    fn reply(
        &mut self,
        header: ReplyHeader,
        body: &[u8],
        checks: &mut SessionChecks,
        shared: &mut Shared<'_>,
    ) -> Checked {
        let asked = self.asked.pop_front();
        let asked = asked.ok_or_else(|| Violation::new(NAME, "a reply to nothing"))?;
        let Asked {
            xid,
            request,
            floor,
        } = asked;
        checks.order.reply(xid, header.xid, header.zxid, floor)?;
        *shared.answered += 1;
        let answer = match header.err {
            0 => {
                let reply = Reply::decode(request.op(), body, Limits::default());
                Ok(reply.map_err(unreadable)?)
            }
            err => Err(err),
        };
        if is_write(&request) {
            let writer = Writer {
                history: shared.history,
                session: checks.session,
                xid,
                digests: &checks.digests,
                zxid: header.zxid,
            };
            if writer.check(&request, &answer)? == Fate::Refused {
                shared.history.note_refused(checks.session, xid);
                *shared.refused += 1;
            }
        } else {
            let reader = tree_reads::Reader {
                model: &shared.history.model,
                watching: &self.watching,
                session: checks.session,
                digests: &checks.digests,
                zxid: header.zxid,
            };
            reader.check(&request, &answer)?;
        }
        self.watching.answered(&request, header.err);
        Ok(())
    }
}

/// The older packet says the same as the newer one without persistent watches.
fn set_watches(header: &RequestHeader, mut reader: Reader<'_>) -> Checked<Vec<u8>> {
    if header.op == OpCode::SetWatches2.as_i32() {
        return Ok(reader.rest().to_vec());
    }
    let packet = SetWatches::decode(&mut reader).map_err(unreadable)?;
    let mut newer = Vec::new();
    SetWatches2 {
        relative_zxid: packet.relative_zxid,
        data_watches: packet.data_watches,
        exist_watches: packet.exist_watches,
        child_watches: packet.child_watches,
        persistent_watches: Some(Vec::new()),
        persistent_recursive_watches: Some(Vec::new()),
    }
    .encode(&mut newer);
    Ok(newer)
}

fn unreadable(error: jute::wire::DecodeError) -> Violation {
    Violation::new(NAME, format!("unreadable packet: {error}"))
}
