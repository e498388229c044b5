//! The server's end of a client's connection: what the shell's task does with it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use replica::{Ending, Next, Now, Replica, Submission, Transport};

use super::{Event, World, tell};

/// The connections that have something to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Woken(Arc<Mutex<BTreeSet<u64>>>);

impl Woken {
    pub(crate) fn take(&self) -> BTreeSet<u64> {
        std::mem::take(&mut self.0.lock())
    }

    fn add(&self, link: u64) {
        self.0.lock().insert(link);
    }
}

/// The transport of a simulated connection: sending is left to the event loop.
pub(crate) struct SimTransport {
    pub(crate) link: u64,
    pub(crate) woken: Woken,
}

impl Transport for SimTransport {
    fn wake(&self) {
        self.woken.add(self.link);
    }

    fn try_send(&self, _bytes: &[u8], _last: bool) -> usize {
        // A socket may take nothing; then the shell's task sends.
        self.woken.add(self.link);
        0
    }
}

/// What connections need of a running server.
pub(crate) struct Door<'a> {
    pub(crate) replica: &'a Replica,
    pub(crate) woken: &'a Woken,
    pub(crate) submissions: &'a mut Vec<Submission>,
    /// The server's clocks.
    pub(crate) now: Now,
}

impl World {
    /// A client reaches its server; or nobody, if that is down.
    pub(crate) fn accept(&mut self, id: u64, door: Option<Door<'_>>) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let Some(door) = door else {
            self.coverage.count("connection refused");
            if let Some(at_us) = link.down.end(&mut self.rng, self.now_us, 0) {
                self.when(at_us, Event::ToClient { link: id });
            }
            return;
        };
        let port = (id % 60_000) as u16 + 1000;
        let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), port);
        let transport = Box::new(SimTransport {
            link: id,
            woken: door.woken.clone(),
        });
        link.connection = Some(door.replica.connect(peer, door.now, transport));
    }

    /// Something arrives at the server. The session that was heard of, 0 for none.
    pub(crate) fn reach_server(&mut self, id: u64, door: Option<Door<'_>>) -> i64 {
        let Some(link) = self.links.get_mut(&id) else {
            return 0;
        };
        let Some(piece) = link.up.arrive() else {
            return 0;
        };
        let (Some(connection), Some(door)) = (link.connection.clone(), door) else {
            return 0;
        };
        if piece.is_empty() {
            link.connection = None;
            door.replica.disconnect(&connection);
            return 0;
        }
        link.input.extend_from_slice(&piece);
        if link.next == Next::Input {
            return self.serve(id, door);
        }
        0
    }

    /// What the shell's task of a connection does when there is something to do. The session
    /// that was heard of, 0 for none.
    pub(crate) fn serve(&mut self, id: u64, door: Door<'_>) -> i64 {
        let mut heard = 0;
        loop {
            let Some(link) = self.links.get_mut(&id) else {
                return heard;
            };
            let Some(connection) = link.connection.clone() else {
                return heard;
            };
            let received = door.replica.receive(&connection, &link.input, door.now);
            link.input.drain(..received.consumed);
            link.next = received.next;
            if received.consumed > 0 {
                heard = connection.session();
            }
            door.submissions.extend(received.submission);
            self.flush(id, door.replica);
            if !matches!(received.next, Next::Drain | Next::Again) {
                return heard;
            }
        }
    }

    /// Sends what is queued for a client, and closes if that was the last.
    fn flush(&mut self, id: u64, replica: &Replica) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let Some(connection) = link.connection.clone() else {
            return;
        };
        let mut outbox = connection.outbox();
        let delay_us = link.delay_us(self.now_us);
        let mut times = link
            .down
            .send(&mut self.rng, self.now_us, delay_us, outbox.pending());
        let len = outbox.len();
        outbox.advance(len);
        let ending = outbox.ending();
        drop(outbox);
        let server = link.server;
        if let Some(ending) = ending {
            times.extend(link.down.end(&mut self.rng, self.now_us, delay_us));
            link.connection = None;
            replica.disconnect(&connection);
            self.count_ending(ending);
            tell!(
                self,
                "server {}: connection {id} ends: {ending:?}",
                server + 1
            );
        }
        for at_us in times {
            self.when(at_us, Event::ToClient { link: id });
        }
    }

    fn count_ending(&mut self, ending: Ending) {
        self.coverage.count(match ending {
            Ending::SessionClosed => "session closed",
            Ending::SessionExpired => "session expired with a connection",
            Ending::InvalidSession => "renewal refused",
            Ending::Replaced => "connection replaced by a newer one",
            Ending::Moved => "connection ended: the session goes on elsewhere",
            Ending::NoLeader => "connection ended: no leader for too long",
            Ending::StateReplaced => "connection ended: the state was replaced",
            Ending::ServerStopping => "connection ended: the server stops",
            Ending::ClientAhead => "client ahead of the server",
            Ending::NoSpace => "new session refused for lack of space",
            _ => "connection ended otherwise",
        });
    }

    /// The server's end of a connection vanishes with its process.
    pub(crate) fn drop_server_end(&mut self, id: u64) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.connection = None;
        link.input.clear();
        link.next = Next::Input;
        if link.down.lose_tail(&mut self.rng) {
            self.coverage.count("connection lost with bytes under way");
        }
        if let Some(at_us) = link.down.end(&mut self.rng, self.now_us, 0) {
            self.when(at_us, Event::ToClient { link: id });
        }
    }
}
