//! One client connection: a task that moves bytes between a socket and the gate.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use replica::{Connection, Ending, Next};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::limits::Place;
use super::transport::{Socket, SocketTransport};
use crate::admin;
use crate::serve::Server;

/// Bytes taken from a socket at once. One buffer per thread: idle connections need none.
const READ_BUFFER: usize = 64 * 1024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BUFFER]);
}

/// Serves a connection until either side ends it.
pub(super) async fn serve(
    server: Arc<Server>,
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    stop: CancellationToken,
) {
    let (reader, half) = stream.into_split();
    let socket = Arc::new(Socket::new(half, place));
    let transport = Box::new(SocketTransport(Arc::downgrade(&socket)));
    let connection = server.replica.connect(peer, server.clock.now(), transport);
    let mut task = Task {
        server,
        connection,
        socket,
        reader,
        input: Vec::new(),
        next: Next::Input,
    };
    let end = task.run(&stop).await;
    task.report(&end);
    task.server.replica.disconnect(&task.connection);
    // Who sends at this moment closes it instead.
    if let Some(socket) = Arc::into_inner(task.socket) {
        socket.forget();
    }
}

/// How a connection came to its end.
enum End {
    /// The client is gone.
    Gone(Option<io::Error>),
    /// We ended it.
    Ended(Ending),
    /// Nothing was heard for too long.
    Silent,
    /// A four-letter word was answered.
    Word,
}

struct Task {
    server: Arc<Server>,
    connection: Arc<Connection>,
    socket: Arc<Socket>,
    reader: OwnedReadHalf,
    /// Received and not yet handled.
    input: Vec<u8>,
    next: Next,
}

/// What made a waiting connection go on.
enum Event {
    Received(io::Result<usize>),
    Writable,
    Woken,
    Silent,
    Stop,
}

/// What became of the bytes for a client.
struct Sent {
    /// Some must wait for the socket.
    blocked: bool,
    /// The connection ends once all are sent.
    ending: Option<Ending>,
}

impl Task {
    async fn run(&mut self, stop: &CancellationToken) -> End {
        loop {
            let Sent { blocked, ending } = match self.flush() {
                Ok(sent) => sent,
                Err(error) => return End::Gone(Some(error)),
            };
            if let (Some(ending), false) = (ending, blocked) {
                return End::Ended(ending);
            }
            if self.next == Next::Drain && !blocked {
                // There is room again, and nobody else would say so.
                self.resume();
                continue;
            }
            match self.wait(blocked, stop).await {
                Event::Received(Ok(0)) => return End::Gone(None),
                Event::Received(Err(error)) => return End::Gone(Some(error)),
                Event::Received(Ok(len)) => {
                    if let Some(end) = self.received(len).await {
                        return end;
                    }
                }
                Event::Writable | Event::Woken => self.resume(),
                Event::Silent => return End::Silent,
                Event::Stop => self.connection.end(Ending::ServerStopping),
            }
        }
    }

    /// Sends what it can.
    fn flush(&self) -> io::Result<Sent> {
        let mut outbox = self.connection.outbox();
        while !outbox.is_empty() {
            let last = outbox.ending().is_some();
            match self.socket.send(outbox.pending(), last) {
                Ok(len) => outbox.advance(len),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Sent {
                        blocked: true,
                        ending: outbox.ending(),
                    });
                }
                Err(error) => return Err(error),
            }
        }
        // Seen under the same lock: what is queued before an end is sent before it.
        Ok(Sent {
            blocked: false,
            ending: outbox.ending(),
        })
    }

    async fn wait(&mut self, blocked: bool, stop: &CancellationToken) -> Event {
        let ending = self.connection.outbox().ending().is_some();
        // A client that does not read is not read either.
        let may_read = self.next == Next::Input && !blocked && !ending;
        let silence = self.silence_limit();
        let socket = Arc::clone(&self.socket);
        let reader = &mut self.reader;
        tokio::select! {
            biased;
            result = poll_fn(|cx| poll_scratch(reader, cx)), if may_read => Event::Received(result),
            () = socket.wake.notified() => Event::Woken,
            _ = socket.half.writable(), if blocked => Event::Writable,
            () = stop.cancelled(), if !ending => Event::Stop,
            () = tokio::time::sleep(silence) => Event::Silent,
        }
    }

    /// Without a session a connection has 10 s; with one it may be silent for as long as
    /// the session may, rounded up to a whole such interval. The session itself expires
    /// elsewhere.
    fn silence_limit(&self) -> Duration {
        let interval = self.server.sessionless_timeout_ms.max(1);
        let timeout = u64::try_from(self.connection.timeout_ms()).unwrap_or(0);
        let session = self.connection.session() != 0;
        let limit_ms = if session {
            (timeout / interval + 1) * interval
        } else {
            interval
        };
        let now_us = self.server.clock.now().monotonic_us;
        let silent_ms = now_us.saturating_sub(self.connection.last_heard_us()) / 1000;
        Duration::from_millis(limit_ms.saturating_sub(silent_ms).max(1))
    }

    async fn received(&mut self, len: usize) -> Option<End> {
        if self.connection.received() == 0 {
            let mut first = std::mem::take(&mut self.input);
            SCRATCH.with_borrow(|scratch| first.extend_from_slice(&scratch[..len]));
            return self.first_bytes(first).await;
        }
        SCRATCH.with_borrow(|scratch| {
            let received = &scratch[..len];
            if self.input.is_empty() {
                let done = self.handle(received);
                self.input.extend_from_slice(&received[done..]);
            } else {
                self.input.extend_from_slice(received);
                self.resume();
            }
        });
        None
    }

    /// A connection begins with a four-letter word or with a frame.
    async fn first_bytes(&mut self, first: Vec<u8>) -> Option<End> {
        if let Some(word) = admin::Request::parse(&self.server, &first) {
            admin::answer(&self.server, &self.connection, word, &self.socket.half).await;
            return Some(End::Word);
        }
        let complete = !admin::Request::may_become(&first);
        self.input = first;
        if complete {
            self.resume();
        }
        None
    }

    /// Handles what waited in the input.
    fn resume(&mut self) {
        let mut input = std::mem::take(&mut self.input);
        let done = self.handle(&input);
        if done < input.len() {
            input.drain(..done);
            self.input = input;
        }
    }

    /// Hands input to the gate; returns how far it came.
    fn handle(&mut self, input: &[u8]) -> usize {
        let mut done = 0;
        loop {
            let now = self.server.clock.now();
            let received = self
                .server
                .replica
                .receive(&self.connection, &input[done..], now);
            done += received.consumed;
            if let Some(submission) = received.submission {
                self.server.pipeline.submit(submission);
            }
            self.next = received.next;
            let drains = self.next == Next::Drain;
            if drains && matches!(self.flush(), Ok(Sent { blocked: false, .. })) {
                continue;
            }
            if self.next != Next::Again {
                return done;
            }
        }
    }

    fn report(&self, end: &End) {
        let (peer, session) = (self.connection.peer(), self.connection.session());
        match end {
            End::Word => {}
            End::Gone(None) => debug!("connection from {peer} closed, session 0x{session:x}"),
            End::Gone(Some(error)) => {
                debug!("connection from {peer} lost, session 0x{session:x}: {error}");
            }
            End::Silent => {
                info!("closing connection from {peer}, session 0x{session:x}: silent for too long");
            }
            End::Ended(ending) => log_ending(*ending, peer, session),
        }
    }
}

fn log_ending(ending: Ending, peer: SocketAddr, session: i64) {
    match ending {
        Ending::SessionClosed | Ending::ServerStopping | Ending::Replaced => {
            debug!("connection from {peer} ended, session 0x{session:x}: {ending:?}");
        }
        Ending::InvalidSession => {
            info!("invalid session for client {peer}, probably expired");
        }
        _ => info!("closing connection from {peer}, session 0x{session:x}: {ending:?}"),
    }
}

fn poll_scratch(reader: &mut OwnedReadHalf, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut buffer = ReadBuf::new(scratch);
        Pin::new(reader)
            .poll_read(cx, &mut buffer)
            .map_ok(|()| buffer.filled().len())
    })
}
