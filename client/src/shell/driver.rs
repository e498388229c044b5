//! The task that moves a client's bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use tokio::io::ReadBuf;
use tokio::time::{Instant, Sleep};

use super::hosts::{self, Candidate, Rounds};
use super::outlet::Sending;
use super::probe;
use super::shared::{Done, Shared, Wish};
use super::transport::{Connector, Transport};
use crate::session::Input;

/// Bytes taken from the socket at once.
const READ_BYTES: usize = 64 * 1024;

type Connecting = Pin<Box<dyn Future<Output = io::Result<Transport>> + Send>>;

enum Link {
    None,
    Connecting(Connecting),
    Connected(Transport),
}

/// Does what the session wants done, and tells it what happened. A future that is ready when
/// the session is over.
pub(super) struct Driver {
    shared: Arc<Shared>,
    connector: Connector,
    rounds: Arc<Mutex<Rounds>>,
    link: Link,
    sending: Sending,
    unflushed: bool,
    /// Has let those run who were answered, before sending what some of them had asked for.
    waited: bool,
    reading: Vec<u8>,
    /// Empty, see [`Shared::input`].
    done: Vec<Done>,
    timer: Pin<Box<Sleep>>,
    /// Looks for a server that takes writes, while connected to one that does not.
    probe: Option<Pin<Box<dyn Future<Output = Candidate> + Send>>>,
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>, connector: Connector, rounds: Rounds) -> Self {
        Self {
            shared,
            connector,
            rounds: Arc::new(Mutex::new(rounds)),
            link: Link::None,
            sending: Sending::default(),
            unflushed: false,
            waited: false,
            reading: vec![0; READ_BYTES],
            done: Vec::new(),
            timer: Box::pin(tokio::time::sleep_until(Instant::now())),
            probe: None,
        }
    }

    fn grant(&mut self, wish: Wish) {
        self.unlink();
        if wish == Wish::Connect {
            let connecting = connect(Arc::clone(&self.rounds), self.connector.clone());
            self.link = Link::Connecting(Box::pin(connecting));
        }
    }

    /// Forgets the connection. Its unsent bytes are not for the next one.
    fn unlink(&mut self) {
        self.link = Link::None;
        self.sending.clear();
        self.unflushed = false;
    }

    fn fail(&mut self, error: &io::Error) {
        self.unlink();
        self.shared.disconnected(error);
    }

    /// Moves on with the connection; true if something happened.
    fn poll_link(&mut self, context: &mut Context<'_>) -> bool {
        match &mut self.link {
            Link::None => false,
            Link::Connecting(connecting) => match connecting.as_mut().poll(context) {
                Poll::Pending => false,
                Poll::Ready(Ok(transport)) => {
                    self.shared.connected(transport.writer());
                    self.link = Link::Connected(transport);
                    true
                }
                Poll::Ready(Err(error)) => {
                    self.fail(&error);
                    true
                }
            },
            Link::Connected(_) => match self.poll_write(context) {
                Err(error) => {
                    self.fail(&error);
                    true
                }
                Ok(wrote) => self.poll_read(context) || wrote,
            },
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        let Link::Connected(transport) = &mut self.link else {
            return Ok(false);
        };
        let mut wrote = false;
        while !self.sending.left().is_empty() {
            match transport.poll_write(context, self.sending.left()) {
                Poll::Pending => return Ok(wrote),
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => {
                    self.sending.advance(count);
                    wrote = true;
                    self.unflushed = true;
                }
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        if self.unflushed {
            match transport.poll_flush(context) {
                Poll::Pending => {}
                Poll::Ready(flushed) => {
                    flushed?;
                    self.unflushed = false;
                }
            }
        }
        Ok(wrote)
    }

    /// Looks for a server that takes writes if one is needed; true if one was found.
    fn poll_probe(&mut self, context: &mut Context<'_>, needed: bool) -> bool {
        if !needed {
            self.probe = None;
            return false;
        }
        let hosts = || self.rounds.lock().hosts().to_vec();
        let probe = self
            .probe
            .get_or_insert_with(|| Box::pin(probe::writable(hosts(), self.connector.clone())));
        let Poll::Ready(found) = probe.as_mut().poll(context) else {
            return false;
        };
        self.probe = None;
        self.rounds.lock().put_first(found);
        self.shared.input(Input::WritableFound, &mut self.done);
        true
    }

    /// Takes one piece; true if something happened.
    fn poll_read(&mut self, context: &mut Context<'_>) -> bool {
        let Link::Connected(transport) = &mut self.link else {
            return false;
        };
        let mut buffer = ReadBuf::new(&mut self.reading);
        match transport.poll_read(context, &mut buffer) {
            Poll::Pending => return false,
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                self.fail(&io::ErrorKind::UnexpectedEof.into());
            }
            Poll::Ready(Ok(())) => {
                let input = Input::Received(buffer.filled());
                self.shared.input(input, &mut self.done);
            }
            Poll::Ready(Err(error)) => self.fail(&error),
        }
        true
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        // Once at a time: who was answered may have no more to ask.
        let may_wait = !this.waited;
        this.waited = false;
        loop {
            let work = this
                .shared
                .work(context.waker(), &mut this.sending, may_wait);
            this.waited = work.waits;
            if work.has_ended {
                return Poll::Ready(());
            }
            if let Some(wish) = work.wish {
                this.grant(wish);
            }
            let moved = this.poll_link(context) || this.poll_probe(context, work.is_read_only);
            let Some(deadline) = work.deadline else {
                return Poll::Ready(());
            };
            // To move a timer costs; one that is early only wakes once in vain.
            if deadline < this.timer.deadline() || this.timer.is_elapsed() {
                this.timer.as_mut().reset(deadline);
            }
            let due = this.timer.as_mut().poll(context).is_ready();
            if !moved && !due {
                if this.waited {
                    // Behind all that are ready.
                    context.waker().wake_by_ref();
                }
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Driver {
    /// The runtime is being shut down, or the session is over already.
    fn drop(&mut self) {
        self.shared.input(Input::Abandon, &mut self.done);
    }
}

async fn connect(rounds: Arc<Mutex<Rounds>>, connector: Connector) -> io::Result<Transport> {
    let next = rounds.lock().next();
    let candidate = match next {
        Some(candidate) => candidate,
        None => {
            let hosts = rounds.lock().hosts().to_vec();
            let found = hosts::resolve(&hosts, &connector).await?;
            let first = rounds.lock().begin(found);
            first.ok_or_else(|| io::Error::other("no server's name resolves"))?
        }
    };
    let connected = connector.connect(&candidate).await;
    connected.map_err(|error| {
        let (name, address) = (&candidate.name, candidate.address);
        io::Error::new(error.kind(), format!("{name} ({address}): {error}"))
    })
}
