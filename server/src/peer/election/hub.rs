//! What all tasks of the election port share.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use bytes::Bytes;
use jute::frame;
use jute::quorum::election::FRAME_LEN_MAX;
use jute::quorum::{Endpoint, ServerId};
use parking_lot::{Mutex, RwLock};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error};
use zab::election::Notification;

use super::complaints::{Complaints, Fault};
use super::link::Link;
use super::mailbox::{Arrival, Mail, Mailbox};
use super::{ElectionEvent, ElectionOptions, Members, greeting};

/// Servers outside the configuration that are connected at the same time, at the most: joiners,
/// and whoever says that it is one.
pub(super) const STRANGERS_MAX: usize = 64;

/// Connections that have not said yet who they are, at the most. Further ones wait to be
/// accepted; each of these ends within `zookeeper.cnxTimeout`.
const HANDSHAKES_MAX: usize = 256;

type Sink = Box<dyn Fn(ElectionEvent) + Send + Sync>;

pub(super) struct Hub {
    pub(super) me: ServerId,
    pub(super) options: ElectionOptions,
    /// The bytes that every connection of ours begins with.
    greeting: Mutex<Bytes>,
    pub(super) sink: Sink,
    pub(super) complaints: Complaints,
    pub(super) handshakes: Arc<Semaphore>,
    /// Connections that were accepted.
    accepted: AtomicU64,
    members: RwLock<Members>,
    /// Those that have a task. Locked before `members` and before any mailbox.
    peers: Mutex<BTreeMap<ServerId, Arc<Mailbox>>>,
    /// The last id given to a server without one.
    private_ids: AtomicI64,
    tasks: TaskTracker,
    runtime: Handle,
    stop: CancellationToken,
}

impl Hub {
    pub(super) fn new(
        me: ServerId,
        own: &[Endpoint],
        members: Members,
        options: ElectionOptions,
        sink: Sink,
        stop: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            me,
            greeting: Mutex::new(greeting::own(me, own, options.multi_address)),
            options,
            sink,
            complaints: Complaints::default(),
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
            accepted: AtomicU64::new(0),
            members: RwLock::new(members),
            peers: Mutex::default(),
            private_ids: AtomicI64::new(0),
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
            stop,
        })
    }

    /// What a connection of ours begins with.
    pub(super) fn greeting(&self) -> Bytes {
        self.greeting.lock().clone()
    }

    /// This server can be dialled here from now on.
    pub(super) fn moved_to(&self, own: &[Endpoint]) {
        *self.greeting.lock() = greeting::own(self.me, own, self.options.multi_address);
    }

    /// Runs a task until it ends or all is to stop.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let stop = self.stop.clone();
        let until_stopped = async move {
            stop.run_until_cancelled(task).await;
        };
        self.tasks.spawn_on(until_stopped, &self.runtime)
    }

    pub(super) async fn stopped(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    pub(super) fn notify(self: &Arc<Self>, to: ServerId, notification: &Notification) {
        assert_ne!(to, self.me, "a server does not notify itself");
        let mut message = Vec::new();
        frame::append(&mut message, |out| out.extend(notification.to_bytes()));
        if message.len() - frame::PREFIX_LEN > FRAME_LEN_MAX {
            error!("the configuration is too long for a notification: server {to} gets none");
            return;
        }
        let put = |mail: &mut Mail| {
            mail.message = Some(message.into());
            mail.wanted = true;
        };
        let is_member = self.is_member(to);
        if !self.post(to, put, |_| is_member) {
            debug!("nothing can be sent to server {to}: it is no member, and not connected");
        }
    }

    /// Hands over what a peer did with a connection of this number.
    pub(super) fn arrived(
        self: &Arc<Self>,
        from: ServerId,
        number: u64,
        arrival: Arrival,
    ) -> Result<(), Fault> {
        let put = |mail: &mut Mail| mail.arrive(number, arrival);
        let has_room = |peers: &BTreeMap<_, _>| {
            let members = self.members.read();
            let strangers = peers.keys().filter(|id| !members.contains(**id));
            members.contains(from) || strangers.count() < STRANGERS_MAX
        };
        if self.post(from, put, has_room) {
            Ok(())
        } else {
            Err(Fault::TooManyStrangers(from))
        }
    }

    /// Puts something into a peer's mailbox. Starts its task if it has none and `may_start`.
    fn post(
        self: &Arc<Self>,
        peer: ServerId,
        put: impl FnOnce(&mut Mail),
        may_start: impl FnOnce(&BTreeMap<ServerId, Arc<Mailbox>>) -> bool,
    ) -> bool {
        let mut peers = self.peers.lock();
        if let Some(mailbox) = peers.get(&peer) {
            mailbox.post(put);
            return true;
        }
        if !may_start(&peers) {
            return false;
        }
        let mailbox = Arc::new(Mailbox::default());
        mailbox.post(put);
        peers.insert(peer, Arc::clone(&mailbox));
        self.spawn(Link::new(Arc::clone(self), peer, mailbox).run());
        true
    }

    /// Lets the task of a peer end that is no member, if there is nothing for it to do.
    pub(super) fn retire(&self, peer: ServerId) -> bool {
        let mut peers = self.peers.lock();
        let busy = |mail: &mut Mail| mail.wanted || mail.arrival.is_some();
        let busy = peers.get(&peer).is_some_and(|mailbox| mailbox.with(busy));
        if busy || self.is_member(peer) {
            return false;
        }
        peers.remove(&peer);
        true
    }

    pub(super) fn set_members(&self, members: Members) {
        *self.members.write() = members;
        // Those that are idle and no members any more end.
        for mailbox in self.peers.lock().values() {
            mailbox.post(|_| {});
        }
    }

    pub(super) fn is_member(&self, server: ServerId) -> bool {
        self.members.read().contains(server)
    }

    /// Whether a member's configuration contradicts ours.
    pub(super) fn contradicts(&self, notification: &Notification) -> bool {
        let config = notification.config.as_ref();
        config.is_some_and(|config| self.members.read().contradict(config))
    }

    /// Where the configuration says that a server can be dialled.
    pub(super) fn addresses(&self, server: ServerId) -> Vec<Endpoint> {
        self.members.read().addresses(server).to_vec()
    }

    /// The number of a connection that was accepted now.
    pub(super) fn number(&self) -> u64 {
        self.accepted.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// An id for a server without one.
    pub(super) fn private_id(&self) -> ServerId {
        ServerId(self.private_ids.fetch_sub(1, Ordering::Relaxed) - 1)
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peers = self.peers.lock();
        f.debug_struct("Hub")
            .field("me", &self.me)
            .field("peers", &peers.keys())
            .finish_non_exhaustive()
    }
}
