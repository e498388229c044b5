//! A client's connection, as the deterministic code sees it: who it is, and what is on
//! its way to it.

mod outbox;
mod registry;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use state::acl::Identities;
use state::watch::WatcherId;

pub(crate) use outbox::encode_event;
pub use outbox::{Activity, Ending, Outbox};
pub use registry::Connections;

/// Above so many unsent bytes a connection's socket is not read: a client that pipelines
/// without reading is slowed, and costs no more memory than this and one more answer.
pub const OUTBOX_HIGH_WATER: usize = 256 * 1024;

/// Watch events come without being asked for; a client that leaves so many bytes of them
/// unread loses its connection.
pub const OUTBOX_EVENT_BUDGET: usize = 8 * 1024 * 1024;

/// Reads go behind writes if their answers are expected to fit below the high-water mark. While
/// nothing is known of a connection's answers, so many reads are expected to fill it: together they
/// are no longer than the longest answer that one request may have, that of a multiRead.
pub(crate) const UNKNOWN_ANSWERS: usize = 4;

/// The shell's side of a connection.
pub trait Transport: Send + Sync {
    /// Tells the shell that the connection has something to do: bytes to send, input that
    /// waited for a write, or to close. Must not block.
    fn wake(&self);

    /// Sends what can be sent at once and returns how many bytes that were; 0 on any
    /// failure, which the shell finds again by itself. Must not block. Called with the
    /// outbox locked, which keeps the bytes in order. Behind the `last` ones nothing will
    /// come: once they are sent, the client may be told so.
    fn try_send(&self, bytes: &[u8], last: bool) -> usize;
}

/// One client connection.
pub struct Connection {
    id: WatcherId,
    peer: SocketAddr,
    established_wall_ms: i64,
    session: AtomicI64,
    timeout_ms: AtomicI32,
    /// Has the session been asked for?
    opening: AtomicBool,
    /// A client older than 3.4 sends no read-only flag and must not get one.
    old_client: AtomicBool,
    last_heard_us: AtomicU64,
    /// Requests handed to the sequencer and not yet answered.
    in_flight: AtomicU32,
    /// Does input wait for the requests in flight?
    parked: AtomicBool,
    /// Is a sync in flight? What comes behind it waits for it.
    syncing: AtomicBool,
    /// Pings in the input that were answered ahead of what is held in front of them.
    held_pings: AtomicU32,
    /// Has the client, or the shell, let go of it?
    gone: AtomicBool,
    received: AtomicU64,
    identities: Mutex<Identities>,
    outbox: Mutex<Outbox>,
    transport: Box<dyn Transport>,
}

impl Connection {
    pub(crate) fn new(
        id: WatcherId,
        peer: SocketAddr,
        identities: Identities,
        now: crate::Now,
        transport: Box<dyn Transport>,
    ) -> Self {
        Self {
            id,
            peer,
            established_wall_ms: now.wall_ms,
            session: AtomicI64::new(0),
            timeout_ms: AtomicI32::new(0),
            opening: AtomicBool::new(false),
            old_client: AtomicBool::new(false),
            last_heard_us: AtomicU64::new(now.monotonic_us),
            in_flight: AtomicU32::new(0),
            parked: AtomicBool::new(false),
            syncing: AtomicBool::new(false),
            held_pings: AtomicU32::new(0),
            gone: AtomicBool::new(false),
            received: AtomicU64::new(0),
            identities: Mutex::new(identities),
            outbox: Mutex::new(Outbox::default()),
            transport,
        }
    }

    /// The connection's number; it owns the watches under it.
    pub fn id(&self) -> WatcherId {
        self.id
    }

    /// The client's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// When it was accepted, milliseconds since 1970.
    pub fn established_wall_ms(&self) -> i64 {
        self.established_wall_ms
    }

    /// The session, 0 before there is one.
    pub fn session(&self) -> i64 {
        self.session.load(Ordering::Acquire)
    }

    /// The negotiated timeout in milliseconds.
    pub fn timeout_ms(&self) -> i32 {
        self.timeout_ms.load(Ordering::Relaxed)
    }

    /// Packets received.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// When the client was last heard of, microseconds on the monotonic clock.
    pub fn last_heard_us(&self) -> u64 {
        self.last_heard_us.load(Ordering::Relaxed)
    }

    /// Requests handed to the sequencer and not yet answered.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Whom the client is known as.
    pub fn identities(&self) -> Identities {
        Arc::clone(&self.identities.lock())
    }

    /// What is on its way to the client. Lock order: the state, then this.
    pub fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock()
    }

    /// Sends from this thread what the socket takes at once, and leaves the rest, and all
    /// but sending, to the shell's own task: for a lone answer that saves a wake-up.
    pub fn send_now(&self) {
        let mut outbox = self.outbox();
        let last = outbox.ending().is_some();
        let sent = self.transport.try_send(outbox.pending(), last);
        outbox.advance(sent);
        let more_to_do = last || !outbox.is_empty();
        drop(outbox);
        if more_to_do || self.is_parked() {
            self.wake();
        }
    }

    /// Tells the shell that there is something to do.
    pub fn wake(&self) {
        self.transport.wake();
    }

    /// Does input wait for the requests in flight?
    pub fn is_parked(&self) -> bool {
        self.parked.load(Ordering::SeqCst)
    }

    /// Whether nobody is at its other end any more.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    pub(crate) fn leave(&self) {
        self.gone.store(true, Ordering::Release);
    }

    pub(crate) fn is_syncing(&self) -> bool {
        self.syncing.load(Ordering::SeqCst)
    }

    pub(crate) fn set_syncing(&self, syncing: bool) {
        self.syncing.store(syncing, Ordering::SeqCst);
    }

    /// Pings in the input that are answered already. Touched by the connection's task alone.
    pub(crate) fn held_pings(&self) -> &AtomicU32 {
        &self.held_pings
    }

    /// Ends the connection once what was queued before is sent.
    pub fn end(&self, ending: Ending) {
        self.outbox.lock().end(ending);
    }

    pub(crate) fn heard(&self, now: crate::Now, packets: u64) {
        self.last_heard_us
            .store(now.monotonic_us, Ordering::Relaxed);
        self.received.fetch_add(packets, Ordering::Relaxed);
    }

    pub(crate) fn set_identities(&self, identities: Identities) {
        *self.identities.lock() = identities;
    }

    pub(crate) fn is_opening(&self) -> bool {
        self.opening.load(Ordering::Acquire)
    }

    pub(crate) fn is_old_client(&self) -> bool {
        self.old_client.load(Ordering::Relaxed)
    }

    pub(crate) fn begin_opening(&self, timeout_ms: i32, old_client: bool) {
        self.timeout_ms.store(timeout_ms, Ordering::Relaxed);
        self.old_client.store(old_client, Ordering::Relaxed);
        self.opening.store(true, Ordering::Release);
    }

    pub(crate) fn establish(&self, session: i64) {
        self.session.store(session, Ordering::Release);
    }

    pub(crate) fn submit(&self, requests: u32) {
        self.in_flight.fetch_add(requests, Ordering::SeqCst);
    }

    /// Called after the answers are in the outbox: whoever sees nothing in flight may
    /// queue the next answer behind them.
    pub(crate) fn answered(&self, requests: u32) {
        let before = self.in_flight.fetch_sub(requests, Ordering::SeqCst);
        assert!(before >= requests, "more answers than requests");
    }

    /// Parks the input until nothing is in flight. False if that is so already. The shell
    /// is woken after the last answer, because the flag is set before the count is read
    /// here, and the count falls before the flag is read there.
    pub(crate) fn park(&self) -> bool {
        self.parked.store(true, Ordering::SeqCst);
        if self.in_flight() > 0 {
            return true;
        }
        self.unpark();
        false
    }

    pub(crate) fn unpark(&self) {
        self.parked.store(false, Ordering::SeqCst);
    }
}
