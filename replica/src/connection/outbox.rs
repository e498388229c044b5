use jute::frame;
use jute::proto::{EventType, KeeperState, ReplyHeader};
use jute::wire::Encode;
use jute::{ErrorCode, OpCode};

use super::{OUTBOX_EVENT_BUDGET, OUTBOX_HIGH_WATER, UNKNOWN_ANSWERS};
use crate::stats::Latency;

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The client closed its session.
    SessionClosed,
    /// The session expired or was closed elsewhere.
    SessionExpired,
    /// The session could not be renewed.
    InvalidSession,
    /// Another connection took the session over.
    Replaced,
    /// The session's client goes on through another server or connection.
    Moved,
    /// This server has no leader, and has had none for too long.
    NoLeader,
    /// This server leads, and a leader is not to serve clients (`leaderServes=no`).
    LeaderServesNobody,
    /// What becomes of a request is not known here: this server has lost touch with the leader
    /// for a while, and the leader has gone on.
    Undecided,
    /// The state was replaced: watches are gone, and what became of requests is not known.
    StateReplaced,
    /// This server only reads, and the client wants more; or it reads no longer alone.
    ReadOnly,
    /// A length that no frame may have.
    BadFrame(i32),
    /// A first packet that is no ConnectRequest.
    BadConnectRequest,
    /// The client has seen a later zxid than this server.
    ClientAhead,
    /// An operation that is unknown or not for clients.
    UnknownOperation(i32),
    /// Wrong credentials.
    AuthFailed,
    /// The server wants authentication first.
    AuthRequired,
    /// Too many bytes of watch events unread.
    SlowWatcher,
    /// Too many bytes unread of answers that could not wait until they were.
    SlowReader,
    /// A limit of the configuration.
    Throttled,
    /// The server has no space left for a new session.
    NoSpace,
    /// The server stops.
    ServerStopping,
}

/// Bytes on their way to a client, in the order it will see them.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    ending: Option<Ending>,
    activity: Activity,
    node_len: NodeLen,
    events: UnsentEvents,
}

/// How many of the unsent bytes are watch events, at the most: what was queued before a mark counts
/// until everything before the mark is sent.
#[derive(Debug, Default)]
struct UnsentEvents {
    before: usize,
    behind: usize,
    /// Unsent bytes before the mark.
    mark: usize,
}

impl UnsentEvents {
    fn bytes(&self) -> usize {
        self.before + self.behind
    }

    /// Some more are sent, and so many are left.
    fn advance(&mut self, sent: usize, left: usize) {
        match self.mark > sent {
            true => self.mark -= sent,
            false => {
                self.before = std::mem::take(&mut self.behind);
                self.mark = left;
            }
        }
    }
}

/// How long the answer to a read of one node is expected to be, bytes: as the longest so far, less
/// an eighth for each that came since and was shorter.
#[derive(Debug)]
struct NodeLen(usize);

impl Default for NodeLen {
    fn default() -> Self {
        Self(OUTBOX_HIGH_WATER / UNKNOWN_ANSWERS)
    }
}

impl NodeLen {
    fn note(&mut self, len: usize) {
        self.0 = len.max(self.0 - self.0 / 8);
    }
}

/// What the word `cons` tells of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Activity {
    /// Packets queued for the client so far.
    pub packets: u64,
    /// The last operation answered.
    pub last_op: Option<OpCode>,
    /// xid of the last request answered.
    pub last_xid: Option<i32>,
    /// zxid of the last answer.
    pub last_zxid: i64,
    /// When the last answer was queued, microseconds on the monotonic clock.
    pub last_answer_us: u64,
    /// Latency of the last request, microseconds.
    pub last_latency_us: u64,
    /// Latency of all requests.
    pub latency: Latency,
}

impl Outbox {
    /// Unsent bytes.
    pub fn pending(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Number of unsent bytes.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Is everything sent?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Notes that the first `len` unsent bytes are sent. An empty outbox keeps no memory
    /// beyond a small buffer: most connections are idle most of the time.
    pub fn advance(&mut self, len: usize) {
        const KEEP: usize = 4096;
        assert!(len <= self.len(), "more sent than queued");
        self.sent += len;
        self.events.advance(len, self.len());
        if self.is_empty() {
            self.sent = 0;
            self.bytes.clear();
            if self.bytes.capacity() > KEEP {
                self.bytes = Vec::new();
            }
        } else if self.sent > self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Gives the memory of an empty outbox back.
    pub fn shrink(&mut self) {
        if self.is_empty() {
            self.bytes = Vec::new();
            self.sent = 0;
        }
    }

    /// Why the connection is to be closed once everything is sent.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// What was answered so far.
    pub fn activity(&self) -> &Activity {
        &self.activity
    }

    /// Starts the counts again (the word `crst`).
    pub fn reset_activity(&mut self) {
        self.activity.packets = 0;
        self.activity.latency = Latency::default();
    }

    /// Nothing more is queued after this; the first reason stays.
    pub(crate) fn end(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
    }

    /// Queues a frame. Dropped when the connection is ending.
    pub(crate) fn push_frame(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.ending.is_none() {
            frame::append(&mut self.bytes, write);
            self.activity.packets += 1;
        }
    }

    /// Queues a reply whose body `body` appends; on an error the body is dropped and the
    /// header carries the code. Events that come up meanwhile go to the second buffer and
    /// are put in front of the reply.
    pub(crate) fn push_reply(
        &mut self,
        xid: i32,
        zxid: i64,
        body: impl FnOnce(&mut Vec<u8>, &mut Vec<u8>) -> Result<(), ErrorCode>,
    ) -> Result<(), ErrorCode> {
        if self.ending.is_some() {
            return Ok(());
        }
        let start = self.bytes.len();
        let mut events = Vec::new();
        self.bytes.extend_from_slice(&[0; REPLY_PREFIX]);
        let outcome = body(&mut self.bytes, &mut events);
        if outcome.is_err() {
            self.bytes.truncate(start + REPLY_PREFIX);
        }
        let len = self.bytes.len() - start - frame::PREFIX_LEN;
        let len = i32::try_from(len).expect("a reply is shorter than 2 GiB");
        let err = outcome.err().map_or(0, ErrorCode::as_i32);
        let prefix = &mut self.bytes[start..start + REPLY_PREFIX];
        prefix[..4].copy_from_slice(&len.to_be_bytes());
        prefix[4..8].copy_from_slice(&xid.to_be_bytes());
        prefix[8..16].copy_from_slice(&zxid.to_be_bytes());
        prefix[16..].copy_from_slice(&err.to_be_bytes());
        if !events.is_empty() {
            self.bytes.splice(start..start, events);
        }
        self.activity.packets += 1;
        outcome
    }

    /// How long the answer to a read of one node is expected to be, bytes.
    pub(crate) fn expected_node_len(&self) -> usize {
        self.node_len.0
    }

    /// Notes that the answer to a read of one node has this length, bytes.
    pub(crate) fn note_node_len(&mut self, len: usize) {
        self.node_len.note(len);
    }

    /// Queues a watch event. Nothing bounds them but this: for answers, the client has to ask.
    pub(crate) fn push_event(&mut self, kind: EventType, path: &str, zxid: i64) {
        if self.events.bytes() > OUTBOX_EVENT_BUDGET {
            self.end(Ending::SlowWatcher);
        }
        let before = self.bytes.len();
        self.push_frame(|out| encode_event(out, kind, path, zxid));
        self.events.behind += self.bytes.len() - before;
    }

    /// Notes which request was answered last, and how long it took.
    pub(crate) fn note_answer(&mut self, op: OpCode, xid: i32, zxid: i64, now_us: u64, us: u64) {
        let activity = &mut self.activity;
        activity.last_op = Some(op);
        if xid >= 0 {
            activity.last_xid = Some(xid);
        }
        activity.last_zxid = zxid;
        activity.last_answer_us = now_us;
        activity.last_latency_us = us;
        activity.latency.record(us, 1);
    }
}

/// Length prefix and reply header.
const REPLY_PREFIX: usize = frame::PREFIX_LEN + 16;

/// Appends the body of an event's frame.
pub(crate) fn encode_event(out: &mut Vec<u8>, kind: EventType, path: &str, zxid: i64) {
    let header = ReplyHeader {
        xid: ReplyHeader::NOTIFICATION_XID,
        zxid,
        err: 0,
    };
    header.encode(out);
    (kind as i32).encode(out);
    (KeeperState::SyncConnected as i32).encode(out);
    Some(path.as_bytes()).encode(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/a/path/of/twenty/by";
    /// Of a frame with such an event.
    const EVENT: usize = REPLY_PREFIX + 4 + 4 + 4 + PATH.len();

    fn event(outbox: &mut Outbox) -> Option<Ending> {
        outbox.push_event(EventType::NodeDataChanged, PATH, 1);
        outbox.ending()
    }

    #[test]
    fn events_end_who_does_not_read_them() {
        let mut outbox = Outbox::default();
        let fit = OUTBOX_EVENT_BUDGET / EVENT + 1;
        for at in 0..fit {
            assert_eq!(event(&mut outbox), None, "{at}");
        }
        assert_eq!(outbox.len(), fit * EVENT);
        assert_eq!(event(&mut outbox), Some(Ending::SlowWatcher));
    }

    #[test]
    fn answers_do_not_count_as_events() {
        let mut outbox = Outbox::default();
        outbox.push_frame(|out| out.resize(2 * OUTBOX_EVENT_BUDGET, 0));
        assert_eq!(event(&mut outbox), None);
    }

    /// Who reads as fast as it is told may always be behind by a little.
    #[test]
    fn events_that_were_sent_do_not_count() {
        let mut outbox = Outbox::default();
        outbox.push_frame(|out| out.resize(1 << 20, 0));
        for at in 0..4 * OUTBOX_EVENT_BUDGET / EVENT {
            assert_eq!(event(&mut outbox), None, "{at}");
            outbox.advance(EVENT);
        }
        assert!(!outbox.is_empty());
    }
}
