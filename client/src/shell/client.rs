use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::builder::Builder;
use super::call::{Call, Convert};
use super::chroot::Chroot;
use super::environment::Environment;
use super::error::Error;
use super::shared::{Answer, Registering, Shared};
use super::state::{State, States};
use crate::session::{Reply, Request};

/// A session with ZooKeeper.
///
/// Clones share the session, and may be used from any thread. When the last one is dropped,
/// the session is closed in the background, behind all calls that were made; its watchers end.
///
/// A client is one session: when that expires, every call fails with
/// [`Error::SessionExpired`], and [`renew`](Self::renew) opens another one.
///
/// The methods that return a [`Call`] take their place in the order of calls at once, before
/// the future is polled; see there for order, bounds and cancellation.
#[derive(Clone, Debug)]
pub struct Client {
    handle: Arc<Handle>,
    chroot: Chroot,
}

/// What closes the session when the last client has gone.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    states: States,
    builder: Builder,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close(None);
    }
}

impl Client {
    pub(super) fn new(
        shared: Arc<Shared>,
        states: States,
        chroot: Chroot,
        builder: Builder,
    ) -> Self {
        let handle = Arc::new(Handle {
            shared,
            states,
            builder,
        });
        Self { handle, chroot }
    }

    /// Options for a client of the servers named as `host:port,host:port/chroot`.
    pub fn builder(connect_string: impl Into<String>) -> Builder {
        Builder::new(connect_string)
    }

    /// A connected client with default options.
    ///
    /// # Errors
    /// When the connect string makes no sense, or no server is reached within 30 s.
    ///
    /// Cancellation: when the future is dropped, a session that it has opened is closed in the
    /// background.
    pub async fn connect(connect_string: &str) -> Result<Self, Error> {
        Self::builder(connect_string).connect().await
    }

    /// A new session with the same configuration: what goes on when this one has expired.
    /// Identities that were added later than by the builder have to be added again.
    ///
    /// # Errors
    /// As [`Builder::connect`].
    ///
    /// Cancellation: as [`Builder::connect`].
    pub async fn renew(&self) -> Result<Self, Error> {
        let renewed = self.handle.builder.connect().await?;
        Ok(Self {
            handle: renewed.handle,
            chroot: self.chroot.clone(),
        })
    }

    /// The same session, which sees the node at `path` as its root. The node need not exist.
    ///
    /// # Errors
    /// When `path` is none.
    pub fn chroot(&self, path: &str) -> Result<Self, Error> {
        Ok(Self {
            handle: Arc::clone(&self.handle),
            chroot: self.chroot.below(path)?,
        })
    }

    /// The session's id, 0 before there is one.
    pub fn session_id(&self) -> i64 {
        self.state().session_id
    }

    /// How session and connection stand.
    pub fn state(&self) -> State {
        self.handle.states.now()
    }

    /// The changes of that.
    pub fn states(&self) -> States {
        self.handle.states.fresh()
    }

    /// The highest zxid in an answer so far: what this session has seen.
    pub fn last_zxid(&self) -> i64 {
        self.handle.shared.last_zxid()
    }

    /// When the last request was sent that was answered, pings included: the servers heard of the
    /// session then, or later. They do not expire it before its timeout has passed since, as far
    /// as clocks run alike; a server that does not lead may take half a `tickTime` to pass on that
    /// it has heard of it.
    pub fn touched(&self) -> Instant {
        self.handle.shared.touched()
    }

    /// Closes the session behind all calls that were made, for all clones: the server deletes
    /// its ephemerals. Further calls fail with [`Error::Closed`]. Without a connection it goes
    /// on trying for as long as the session's timeout.
    ///
    /// # Errors
    /// [`Error::NotSent`] when no server could be told in time: the session lives until its
    /// timeout.
    ///
    /// Cancellation: dropping the future does not cancel the closing.
    pub async fn close(&self) -> Result<(), Error> {
        let (waiter, answer) = oneshot::channel();
        self.handle.shared.close(Some(waiter));
        let answer = answer.await.map_err(|_| Error::NotSent)?;
        answer.outcome.map(drop)
    }

    /// The world that this client lives in, if it is not that of the operating system.
    pub fn environment(&self) -> Option<&Arc<dyn Environment>> {
        self.handle.builder.connector().environment.as_ref()
    }

    /// Runs a task where those of this client run: for what recipes do in the background.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.handle.builder.connector().spawn(task);
    }

    pub(super) fn last_error(&self) -> String {
        let error = self.handle.shared.last_error();
        error.unwrap_or_else(|| "no server answered".to_owned())
    }

    /// Submits what `request` makes, if it makes something.
    pub(super) fn call<T>(&self, request: Result<Request, Error>, convert: Convert<T>) -> Call<T> {
        self.begin(request.map(|request| (request, None)), convert)
    }

    /// As [`call`](Self::call), for requests that may set a watch.
    pub(super) fn begin<T>(
        &self,
        request: Result<(Request, Option<Registering>), Error>,
        convert: Convert<T>,
    ) -> Call<T> {
        let shared = &self.handle.shared;
        let submitted = request.and_then(|(request, watch)| shared.submit(request, watch));
        match submitted {
            Ok(place) => Call::submitted(shared, place, &self.chroot, convert),
            Err(error) => Call::failed(error),
        }
    }

    pub(super) fn root(&self) -> &Chroot {
        &self.chroot
    }

    /// The full path of what this client calls `path`.
    pub(super) fn full(&self, path: &str) -> Result<String, Error> {
        self.chroot.full(path)
    }
}

/// The result of what answers nothing but success.
pub(super) fn nothing(answer: Answer, _: &Chroot) -> Result<(), Error> {
    answer.outcome.map(drop)
}

/// Takes the reply that `pick` knows.
pub(super) fn pick<T>(
    outcome: Result<Reply, Error>,
    pick: impl FnOnce(Reply) -> Option<T>,
) -> Result<T, Error> {
    pick(outcome?).ok_or(Error::UnexpectedAnswer)
}
