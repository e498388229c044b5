use std::sync::Arc;
use std::time::Duration;

use super::call::Call;
use super::client::Client;
use super::driver::Driver;
use super::environment::Environment;
use super::error::Error;
use super::hosts::{self, Rounds};
use super::shared::Shared;
use super::state::Status;
use super::transport::Connector;
use crate::session::{DigestMd5, Options, Session};

/// Rest after the first attempt to connect that fails, at most.
const RECONNECT_DELAY: Duration = Duration::from_millis(100);

/// Rest between two attempts to connect, at most.
const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(5);

/// Shortest time that a server has to accept a connection.
const CONNECT_TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// Default of `watch_buffer`.
const WATCH_BUFFER: usize = 1024;

/// What a client is configured with.
#[derive(Clone)]
#[must_use]
pub struct Builder {
    connect_string: String,
    session_timeout: Duration,
    connect_patience: Option<Duration>,
    unsent_timeout: Option<Duration>,
    unsent_rounds_max: Option<u32>,
    read_only: bool,
    identities: Vec<(String, Vec<u8>)>,
    sasl: Option<(String, String)>,
    outstanding_max: usize,
    waiting_max: usize,
    watch_buffer: usize,
    max_frame: usize,
    connector: Connector,
}

impl std::fmt::Debug for Builder {
    /// Without secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("connect_string", &self.connect_string)
            .field("session_timeout", &self.session_timeout)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// For servers named as `host:port,host:port/chroot`.
    ///
    /// A port that is missing is 2181; an IPv6 address stands in brackets before its port. The
    /// path from the first slash on is what the client sees as its root.
    pub fn new(connect_string: impl Into<String>) -> Self {
        let options = Options::default();
        Self {
            connect_string: connect_string.into(),
            session_timeout: Duration::from_secs(30),
            connect_patience: None,
            unsent_timeout: None,
            unsent_rounds_max: None,
            read_only: false,
            identities: Vec::new(),
            sasl: None,
            outstanding_max: options.outstanding_max,
            waiting_max: options.waiting_max,
            watch_buffer: WATCH_BUFFER,
            max_frame: options.max_frame,
            connector: Connector::default(),
        }
    }

    /// The session timeout asked for; the server grants one between its bounds. 30 s by
    /// default.
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.session_timeout = timeout;
        self
    }

    /// How long [`connect`](Self::connect) tries. As long as the session timeout by default.
    pub fn connect_patience(mut self, patience: Duration) -> Self {
        self.connect_patience = Some(patience);
        self
    }

    /// How long a call may wait for a connection before it fails with [`Error::NotSent`], and
    /// all that wait with it. As long as the session timeout by default.
    pub fn unsent_timeout(mut self, timeout: Duration) -> Self {
        self.unsent_timeout = Some(timeout);
        self
    }

    /// Calls that wait for a connection fail with [`Error::NotSent`] as soon as all servers were
    /// tried so often in vain, not only after [`unsent_timeout`](Self::unsent_timeout).
    pub fn unsent_rounds_max(mut self, rounds: u32) -> Self {
        self.unsent_rounds_max = Some(rounds);
        self
    }

    /// Also takes a server that has no quorum. It answers reads, which may be behind, and
    /// refuses writes; another one is looked for meanwhile.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Adds an identity, for example `digest` and `user:password`. It is given on each
    /// connection before anything else.
    pub fn auth(mut self, scheme: impl Into<String>, auth: impl Into<Vec<u8>>) -> Self {
        self.identities.push((scheme.into(), auth.into()));
        self
    }

    /// Speaks TLS with the servers, on their `secureClientPort`.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: super::tls::Tls) -> Self {
        self.connector.tls = Some(tls);
        self
    }

    /// Proves with SASL (DIGEST-MD5) on each connection that this user is who connects, and
    /// that the server knows the password too. A server that refuses it, or knows no SASL,
    /// ends the session with [`Status::AuthFailed`](crate::Status::AuthFailed).
    pub fn sasl(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.sasl = Some((user.into(), password.into()));
        self
    }

    /// Calls that may be sent and unanswered; further ones wait. 1024 by default.
    pub fn outstanding_max(mut self, calls: usize) -> Self {
        self.outstanding_max = calls.max(1);
        self
    }

    /// Calls that may wait; further ones fail. 16384 by default.
    pub fn waiting_max(mut self, calls: usize) -> Self {
        self.waiting_max = calls.max(1);
        self
    }

    /// Events that each [`Watcher`](crate::Watcher) keeps for its reader. 1024 by default.
    pub fn watch_buffer(mut self, events: usize) -> Self {
        self.watch_buffer = events.max(1);
        self
    }

    /// Longest packet taken from a server (`jute.maxbuffer`), bytes. 1 MiB by default.
    pub fn max_frame(mut self, bytes: usize) -> Self {
        self.max_frame = bytes;
        self
    }

    /// Lives in another world than that of the operating system: a simulated one, say. TLS is
    /// for sockets, and not spoken there.
    pub fn environment(mut self, environment: Arc<dyn Environment>) -> Self {
        self.connector.environment = Some(environment);
        self
    }

    pub(super) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// A client that begins to connect in the background, on the present tokio runtime.
    ///
    /// # Errors
    /// When the connect string makes no sense.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn open(&self) -> Result<Client, Error> {
        self.begin().map(|(client, _)| client)
    }

    /// A client that is connected, and whose identities are accepted.
    ///
    /// # Errors
    /// When the connect string makes no sense, an identity is refused, or no server is reached
    /// in time.
    ///
    /// Cancellation: when the future is dropped, a session that it has opened is closed in the
    /// background.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn connect(&self) -> Result<Client, Error> {
        let (client, identities) = self.begin()?;
        let connecting = async {
            let mut states = client.states();
            let found = states.wait_for(|state| {
                let status = state.status;
                status.is_connected() || status.has_ended()
            });
            let found = found.await;
            if found.is_some_and(|state| state.status == Status::AuthFailed) {
                return Err(Error::AuthFailed);
            }
            for identity in identities {
                identity.await?;
            }
            Ok(())
        };
        let patience = self.connect_patience.unwrap_or(self.session_timeout);
        match tokio::time::timeout(patience, connecting).await {
            Ok(connected) => connected.map(|()| client),
            Err(_) => Err(Error::Unreachable(client.last_error())),
        }
    }

    fn begin(&self) -> Result<(Client, Vec<Call<()>>), Error> {
        let (hosts, chroot) = hosts::parse(&self.connect_string)?;
        let options = self.options(hosts.len());
        let session = match &self.sasl {
            None => Session::new(options),
            Some((user, password)) => Session::new(options).with_sasl(DigestMd5 {
                user: user.clone(),
                password: password.clone(),
                nonce_seed: nonce_seed(&self.connector),
            }),
        };
        let (shared, states) = Shared::new(session, self.session_timeout, self.watch_buffer);
        let rounds = Rounds::new(hosts, self.connector.random("servers"));
        let driver = Driver::new(Arc::clone(&shared), self.connector.clone(), rounds);
        let client = Client::new(shared, states, chroot, self.clone());
        // Before anything else can be asked for.
        let identities = self.identities.iter();
        let identities = identities.map(|(scheme, auth)| client.add_auth(scheme, auth.clone()));
        let identities = identities.collect();
        self.connector.spawn(driver);
        Ok((client, identities))
    }

    fn options(&self, hosts: usize) -> Options {
        let timeout_ms = i32::try_from(self.session_timeout.as_millis()).unwrap_or(i32::MAX);
        let servers = u32::try_from(hosts).unwrap_or(u32::MAX);
        // Each server of a round is to be reached before the session expires.
        let connect_timeout = (self.session_timeout / servers).max(CONNECT_TIMEOUT_MIN);
        let unsent_timeout = self.unsent_timeout.unwrap_or(self.session_timeout);
        Options {
            timeout_ms,
            connect_timeout_us: micros(connect_timeout),
            reconnect_delay_us: micros(RECONNECT_DELAY),
            reconnect_delay_max_us: micros(RECONNECT_DELAY_MAX.min(self.session_timeout / 4)),
            attempts_in_round: servers,
            jitter_seed: Some(self.connector.random("jitter")),
            outstanding_max: self.outstanding_max,
            waiting_max: self.waiting_max,
            unsent_timeout_us: Some(micros(unsent_timeout)),
            unsent_rounds_max: self.unsent_rounds_max,
            read_only: self.read_only,
            max_frame: self.max_frame,
            ..Options::default()
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX / 4)
}

fn nonce_seed(connector: &Connector) -> [u8; 16] {
    let halves = ["first half", "second half"].map(|half| connector.random(half));
    let [first, second] = halves.map(u64::to_be_bytes);
    let mut seed = [0; 16];
    seed[..8].copy_from_slice(&first);
    seed[8..].copy_from_slice(&second);
    seed
}
