//! The task of one peer: dials it, is dialled by it, and holds the one connection to it.

use std::mem::{Discriminant, discriminant};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use jute::quorum::{Endpoint, ServerId};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tracing::{debug, info, warn};
use zab::election::Notification;

use super::complaints::Fault;
use super::conversation::{self, Ending, Sent};
use super::hub::Hub;
use super::mailbox::{Arrival, Connection, Mail, Mailbox};
use super::{ElectionEvent, Place};
use crate::peer::dial::{DialError, dial};

/// Messages of a peer that are received and not handled yet, at the most. Then it is not read.
pub(super) const RECEIVED_MAX: usize = 8;

/// A larger server that was told of us calls back within this time, or is told again when there
/// is something new to send. To dial it meanwhile would end the connection that it just made.
const CALL_BACK_PATIENCE: Duration = Duration::from_millis(200);

/// A larger server that ends a connection may have replaced it: it dialled the new one before,
/// so that is here within this time.
const REPLACEMENT_PATIENCE: Duration = Duration::from_millis(50);

/// What the task does.
enum Step {
    /// Waits for something to do.
    Idle,
    /// Dials where the configuration says.
    Dial,
    /// Dials a smaller server that asked for it, where it says, or where the configuration says.
    CallBack(Vec<Endpoint>),
    /// Holds a connection.
    Converse(Connection),
}

impl From<Arrival> for Step {
    fn from(arrival: Arrival) -> Self {
        match arrival {
            Arrival::Connection(connection) => Self::Converse(connection),
            Arrival::CallBack(told) => Self::CallBack(told),
        }
    }
}

pub(super) struct Link {
    hub: Arc<Hub>,
    peer: ServerId,
    mailbox: Arc<Mailbox>,
    sent: Sent,
    places: Arc<Semaphore>,
    /// Where the peer said that it can be dialled.
    told: Vec<Endpoint>,
    /// The last failure to dial: it is logged once, not at each attempt.
    complained: Option<Discriminant<DialError>>,
}

impl Link {
    pub(super) fn new(hub: Arc<Hub>, peer: ServerId, mailbox: Arc<Mailbox>) -> Self {
        Self {
            hub,
            peer,
            mailbox,
            sent: Sent::default(),
            places: Arc::new(Semaphore::new(RECEIVED_MAX)),
            told: Vec::new(),
            complained: None,
        }
    }

    /// Runs for as long as the peer is a member, or has something to do.
    pub(super) async fn run(mut self) {
        let mut step = Step::Idle;
        loop {
            step = match step {
                Step::Idle => match self.idle().await {
                    Some(step) => step,
                    None => return,
                },
                Step::Dial => self.dial(self.known(), true).await,
                Step::CallBack(told) => self.call_back(told).await,
                Step::Converse(connection) => self.converse(connection).await,
            };
        }
    }

    async fn idle(&self) -> Option<Step> {
        loop {
            let next = self.mailbox.with(|mail| match mail.arrival.take() {
                Some(arrival) => Some(Step::from(arrival)),
                None => std::mem::take(&mut mail.wanted).then_some(Step::Dial),
            });
            if next.is_some() {
                return next;
            }
            if self.hub.retire(self.peer) {
                return None;
            }
            self.mailbox.changed().await;
        }
    }

    /// Where the configuration, or else the peer itself, says that it can be dialled.
    fn known(&self) -> Vec<Endpoint> {
        let known = self.hub.addresses(self.peer);
        if known.is_empty() {
            self.told.clone()
        } else {
            known
        }
    }

    async fn call_back(&mut self, told: Vec<Endpoint>) -> Step {
        self.hear(&told, None);
        let mut addresses = told;
        for known in self.known() {
            if !addresses.contains(&known) {
                addresses.push(known);
            }
        }
        self.dial(addresses, false).await
    }

    /// Dials. `configured`: all addresses are from the configuration.
    async fn dial(&mut self, addresses: Vec<Endpoint>, configured: bool) -> Step {
        if addresses.is_empty() {
            debug!("no address of server {} is known", self.peer);
            return Step::Idle;
        }
        let addresses: Vec<_> = addresses
            .into_iter()
            .map(|address| (address.host, address.port))
            .collect();
        let timeout = self.hub.options.cnx_timeout;
        let dialled = tokio::select! {
            biased;
            connection = self.mailbox.connection() => return Step::Converse(connection),
            dialled = dial(&addresses, timeout) => dialled,
        };
        match dialled {
            Ok(stream) => {
                self.complained = None;
                // What it asked for until now is done. What it asks for behind this connection is
                // not.
                self.mailbox.with(Mail::forget_call_back);
                self.introduce(stream).await
            }
            Err(error) => {
                self.complain(&error);
                let refused = matches!(error, DialError::Refused(_));
                if refused && configured && self.hub.is_member(self.peer) {
                    (self.hub.sink)(ElectionEvent::Unreachable { peer: self.peer });
                }
                Step::Idle
            }
        }
    }

    fn complain(&mut self, error: &DialError) {
        let kind = Some(discriminant(error));
        if self.complained == kind {
            debug!("cannot dial server {}: {error}", self.peer);
        } else {
            warn!("cannot dial server {}: {error}", self.peer);
        }
        self.complained = kind;
    }

    /// Says who we are. The connection stands if we are the larger server; else the other calls
    /// back.
    async fn introduce(&self, mut stream: TcpStream) -> Step {
        let introduced = async {
            conversation::prepare(&stream, &self.hub.options)?;
            stream.write_all(&self.hub.greeting()).await?;
            if self.peer > self.hub.me {
                stream.shutdown().await?;
            }
            stream.peer_addr()
        };
        let timeout = self.hub.options.cnx_timeout;
        let address = match tokio::time::timeout(timeout, introduced).await {
            Ok(Ok(address)) => address,
            Ok(Err(error)) => {
                debug!("connection to server {} lost at once: {error}", self.peer);
                return Step::Idle;
            }
            Err(_) => return Step::Idle,
        };
        if self.peer > self.hub.me {
            drop(stream);
            let called = tokio::time::timeout(CALL_BACK_PATIENCE, self.mailbox.connection()).await;
            return called.map_or(Step::Idle, Step::Converse);
        }
        Step::Converse(Connection {
            stream,
            address,
            input: BytesMut::new(),
            told: Vec::new(),
        })
    }

    async fn converse(&mut self, connection: Connection) -> Step {
        let address = connection.address;
        self.complained = None;
        self.hear(&connection.told, None);
        info!("connected with server {} at {address}", self.peer);
        let (hub, peer) = (&self.hub, self.peer);
        let receive = |body: &[u8], place| match Notification::from_bytes(body) {
            Ok(notification) => {
                // A joiner knows only whom it asks.
                if hub.is_member(peer) && hub.contradicts(&notification) {
                    hub.complaints.log(address, &Fault::OtherConfig(peer));
                }
                (hub.sink)(ElectionEvent::Notification {
                    from: peer,
                    notification,
                    place: Place(place),
                });
            }
            Err(fault) => hub
                .complaints
                .log(address, &Fault::Notification(peer, fault)),
        };
        let held = conversation::hold(
            connection,
            &self.mailbox,
            &mut self.sent,
            &self.places,
            receive,
        );
        match held.await {
            Ending::Replaced(arrival) => {
                debug!("the connection with server {peer} at {address} is replaced");
                let told = match &arrival {
                    Arrival::Connection(connection) => &connection.told,
                    Arrival::CallBack(told) => told,
                };
                self.hear(told, Some(address));
                arrival.into()
            }
            Ending::BadFrame(bad) => {
                hub.complaints.log(address, &Fault::Frame(peer, bad));
                Step::Idle
            }
            Ending::Lost(cause) => {
                let cause = cause.map_or_else(String::new, |error| format!(": {error}"));
                info!("connection with server {peer} at {address} lost{cause}");
                self.after_loss().await
            }
        }
    }

    /// Notes where a peer can be dialled. `live` is the other end of the connection that it had
    /// until now.
    fn hear(&mut self, told: &[Endpoint], live: Option<SocketAddr>) {
        if told.is_empty() {
            return;
        }
        if let Some(address) = live
            && !self.told.is_empty()
            && self.told != told
        {
            let fault = Fault::Duplicate(self.peer);
            self.hub.complaints.log(address, &fault);
        }
        self.told = told.to_vec();
    }

    /// What was sent last may be lost: dials to send it again, or to learn that no process is left
    /// to receive it.
    async fn after_loss(&mut self) -> Step {
        let Some(redials) = self.sent.redials.checked_sub(1) else {
            return Step::Idle;
        };
        self.sent.redials = redials;
        if self.peer > self.hub.me {
            let replaced = self.mailbox.connection();
            if let Ok(connection) = tokio::time::timeout(REPLACEMENT_PATIENCE, replaced).await {
                return Step::Converse(connection);
            }
        }
        self.mailbox.with(|mail| mail.wanted = false);
        Step::Dial
    }
}
